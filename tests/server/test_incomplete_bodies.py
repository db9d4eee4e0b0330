"""Test that a body which ends early is rejected, and that a complete one is accepted."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from data_capture.capture.kinds import KINDS
from tests.support.services import RunningService

CAPTURE_PATHS = [f"/api/data-capture/{kind}" for kind in KINDS]
SIGN_UP_PATHS = [
    "/api/auth/register", "/auth/register", "/api/user/register", "/api/auth/login",
]  # fmt: skip
ROWS = "SELECT count(*) AS count FROM data_capture_audit WHERE user_email = ?"
BELOW_CONTENT_LENGTH = "The body ended before its Content-Length."
LARGE_BYTES = 200_000  # received chunk by chunk; smaller ones are collected by the server below

Split = Callable[[bytes], tuple[str, bytes]]
"""Returns the header that describes a body, and the bytes to send for it."""


def length_plus(added: int, kept: float = 1.0) -> Split:
    """Announce a length that is larger by `added` bytes, and send a part of the body."""
    return lambda body: (
        f"Content-Length: {len(body) + added}",
        body[: int(len(body) * kept)],
    )


def chunked(*ending: bytes, header: str = "Transfer-Encoding: chunked") -> Split:
    return lambda body: (header, b"".join([b"%x\r\n%s\r\n" % (len(body), body), *ending]))


INCOMPLETE: dict[str, Split] = {
    "one byte is missing": length_plus(1),
    "half of it is missing": length_plus(0, kept=0.5),
    "all of it is missing": length_plus(0, kept=0),
    "complete JSON, and more announced": length_plus(400),
    "more announced than the server below collects": length_plus(100_000),
    "chunks without the last one": chunked(),
    "chunks that end within a length": chunked(b"1"),
    "chunks that end within the last one": chunked(b"0\r\n"),
    "a chunk that ends early": lambda body: (
        "Transfer-Encoding: chunked", b"%x\r\n%s" % (len(body) + 10, body),
    ),
    "chunks with an invalid length": chunked(b"zz\r\n"),
}  # fmt: skip
COMPLETE: dict[str, Split] = {
    "its exact length": length_plus(0),
    "one chunk": chunked(b"0\r\n\r\n"),
    "two chunks": lambda body: (
        "Transfer-Encoding: chunked",
        b"".join(
            b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:9], body[9:], b"")
        ),
    ),
    "chunks with an announced trailer": chunked(
        b"0\r\nX-Sum: 1\r\n\r\n", header="Transfer-Encoding: chunked\r\nTrailer: X-Sum"
    ),
    "chunks with extensions": lambda body: (
        "Transfer-Encoding: chunked", b"%x;a=b\r\n%s\r\n0;c\r\n\r\n" % (len(body), body),
    ),
}  # fmt: skip


def send(
    service: RunningService,
    path: str,
    body: bytes,
    split: Split,
    *,
    half_close: bool,
    connection: str = "close",
) -> tuple[int, dict[str, Any]]:
    """Send a request by a socket, and return the response's status and JSON."""
    header, sent = split(body)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n"
        f"Content-Type: application/json\r\n{header}\r\n\r\n"
    )
    address = ("127.0.0.1", service.port)
    with closing(socket.create_connection(address, timeout=30)) as caller:
        caller.sendall(head.encode() + sent)
        if half_close:
            caller.shutdown(socket.SHUT_WR)
        response = b""
        while chunk := caller.recv(65536):
            response += chunk
    head_bytes, _, content = response.partition(b"\r\n\r\n")
    return int(head_bytes.split()[1]), json.loads(content)


def payload(user: str, size: int = 0) -> bytes:
    return json.dumps({"user_email": user, "note": "x" * size}).encode()


def logged_since(service: RunningService, start: int) -> str:
    return service.log_file.read_text()[start:]


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
@pytest.mark.parametrize("size", [0, LARGE_BYTES])
@pytest.mark.parametrize("name", INCOMPLETE)
def test_incomplete_body_gets_400_and_is_not_stored(
    capture_service: RunningService, user: str, name: str, size: int, connection: str
) -> None:
    start = len(capture_service.log_file.read_text())
    status, problem = send(
        capture_service, CAPTURE_PATHS[0], payload(user, size), INCOMPLETE[name],
        half_close=True, connection=connection,
    )  # fmt: skip
    assert status == problem["status"] == 400
    assert problem["success"] is False
    assert "ended before its" in problem["detail"]
    assert capture_service.rows(ROWS, user)[0]["count"] == 0
    assert logged_since(capture_service, start) == ""


@pytest.mark.parametrize("path", [*CAPTURE_PATHS, "/api/data-capture/batch"])
def test_every_capture_address_rejects_an_incomplete_body(
    capture_service: RunningService, user: str, path: str
) -> None:
    status, problem = send(capture_service, path, payload(user), length_plus(1), half_close=True)
    assert (status, problem["detail"]) == (400, BELOW_CONTENT_LENGTH)
    assert capture_service.rows(ROWS, user)[0]["count"] == 0


@pytest.mark.parametrize("name", ["one byte is missing", "chunks without the last one"])
@pytest.mark.parametrize("path", SIGN_UP_PATHS)
def test_every_sign_up_address_rejects_an_incomplete_body(
    signup_service: RunningService, user: str, path: str, name: str
) -> None:
    start = len(signup_service.log_file.read_text())
    account = json.dumps({"email": user, "password": "correct horse battery"}).encode()
    status, problem = send(signup_service, path, account, INCOMPLETE[name], half_close=True)
    assert status == 400
    assert "ended before its" in problem["detail"]
    assert signup_service.rows("SELECT * FROM users WHERE email = ?", user) == []
    assert logged_since(signup_service, start) == ""


@pytest.mark.parametrize("size", [0, LARGE_BYTES])
@pytest.mark.parametrize("name", COMPLETE)
def test_complete_body_is_stored(
    capture_service: RunningService, user: str, name: str, size: int
) -> None:
    status, _ = send(
        capture_service, CAPTURE_PATHS[0], payload(user, size), COMPLETE[name], half_close=False
    )
    assert status == 201
    assert capture_service.rows(ROWS, user)[0]["count"] == 1


def test_connection_is_used_again_after_a_complete_chunked_body(
    capture_service: RunningService, user: str
) -> None:
    header, sent = COMPLETE["one chunk"](payload(user))
    head = (
        f"POST {CAPTURE_PATHS[0]} HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\n{header}\r\n\r\n"
    )
    address = ("127.0.0.1", capture_service.port)
    with closing(socket.create_connection(address, timeout=30)) as caller:
        for expected in (b"HTTP/1.1 201", b"HTTP/1.1 20"):
            caller.sendall(head.encode() + sent)
            assert caller.recv(65536).startswith(expected)
