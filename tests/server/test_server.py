"""Test the server: slow and broken callers, and the ends of processes."""

from __future__ import annotations

import asyncio
import errno
import http.client
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask, request

from data_capture.server.buffering import BufferingAdapter
from data_capture.server.ports import find_listen_error
from data_capture.web import error_handlers
from tests.support.managed import is_running, worker_of
from tests.support.services import (
    REPOSITORY,
    RunningService,
    capture_service_in,
    eventually,
    free_port,
)

PAYMENT = "/api/data-capture/payment"
HEALTH = "/api/data-capture/health"
HEAD = (
    f"POST {PAYMENT} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    "Content-Type: application/json\r\n"
)
HALF_REQUEST = f"{HEAD}Content-Length: 400\r\n\r\n{{".encode()


def connect(service: RunningService) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=30)


def send_raw(service: RunningService, request_bytes: bytes) -> bytes:
    """Send the bytes of a request, and return the response."""
    with closing(connect(service)) as caller:
        caller.sendall(request_bytes)
        response = b""
        while chunk := caller.recv(65536):
            response += chunk
        return response


# --- Callers --------------------------------------------------------------------------------------


def test_half_sent_requests_do_not_block_other_callers(
    capture_service: RunningService, user: str
) -> None:
    """The responses arrive while all half-sent requests are open, 10 s before these time out."""
    with ExitStack() as stack:
        slow_callers = [stack.enter_context(closing(connect(capture_service))) for _ in range(300)]
        for caller in slow_callers:
            caller.sendall(HALF_REQUEST)
        assert capture_service.capture("payment", {"user_email": user}).status_code == 201
        assert requests.get(capture_service.url + HEALTH, timeout=30).status_code == 200
        with selectors.DefaultSelector() as ended:
            for caller in slow_callers:
                ended.register(caller, selectors.EVENT_READ)
            assert ended.select(0) == []


def test_idle_connections_do_not_block_other_callers(
    capture_service: RunningService, user: str
) -> None:
    with ExitStack() as idle_callers:
        for _ in range(300):
            caller = idle_callers.enter_context(closing(connect(capture_service)))
            caller.sendall(f"GET {HEALTH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert caller.recv(1000).startswith(b"HTTP/1.1 200")
        assert capture_service.capture("payment", {"user_email": user}).status_code == 201


def test_slow_body_is_accepted_when_it_is_complete(
    capture_service: RunningService, user: str
) -> None:
    body = json.dumps({"user_email": user, "final_price": "5.00"}).encode()
    with closing(connect(capture_service)) as caller:
        caller.sendall(f"{HEAD}Content-Length: {len(body)}\r\n\r\n".encode())
        for position in range(len(body)):
            caller.sendall(body[position : position + 1])
            time.sleep(0.005)  # one byte per segment, over about a second
        assert caller.recv(1000).startswith(b"HTTP/1.1 201")


def test_chunked_body_is_accepted(capture_service: RunningService, user: str) -> None:
    body = json.dumps({"user_email": user}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", capture_service.port, timeout=30)
    with closing(connection):
        connection.request(
            "POST", PAYMENT, iter([body[:5], body[5:]]), {"Content-Type": "application/json"}
        )
        assert connection.getresponse().status == 201


@pytest.mark.parametrize("chunked", [False, True])
def test_sender_of_an_oversized_body_can_read_the_response(
    capture_service: RunningService, chunked: bool
) -> None:
    """If the server cut the connection, clients would see a network error and retry forever."""
    content = b"x" * 30_000_000
    body: Any = (
        (content[start : start + 100_000] for start in range(0, len(content), 100_000))
        if chunked
        else content
    )
    connection = http.client.HTTPConnection("127.0.0.1", capture_service.port, timeout=30)
    with closing(connection):
        connection.request(
            "POST",
            PAYMENT,
            body,
            {"Content-Type": "application/json", "Origin": "http://localhost:3000"},
        )
        response = connection.getresponse()
        assert response.status == 413
        assert response.getheader("Access-Control-Allow-Origin") == "http://localhost:3000"
        assert json.loads(response.read())["success"] is False


def test_disconnect_is_not_logged_as_an_error(capture_service: RunningService, user: str) -> None:
    logged_before = capture_service.log_file.read_text()
    for request_bytes in (
        HALF_REQUEST,
        f"GET {HEALTH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
    ):
        for _ in range(20):
            with closing(connect(capture_service)) as caller:
                caller.sendall(request_bytes)
    assert capture_service.capture("payment", {"user_email": user}).status_code == 201
    logged = capture_service.log_file.read_text()[len(logged_before) :]
    assert "ERROR" not in logged


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3", 400),
        ("GARBAGE", 400),
        ("GET /api/data-capture/stats/%FF%FE HTTP/1.1\r\nHost: localhost", 422),
        ("GET /api/data-capture/stats/j%C3%BCrgen@example.com HTTP/1.1\r\nHost: localhost", 200),
        ("GET /api/data-capture/stats/nobody%40example.com?a=%FF HTTP/1.1\r\nHost: localhost", 200),
        ("HEAD /api/data-capture/health HTTP/1.1\r\nHost: localhost", 200),
        ("BREW /api/data-capture/health HTTP/1.1\r\nHost: localhost", 405),
    ],
)
def test_unusual_requests_get_the_expected_status(
    capture_service: RunningService, request_line: str, status: int
) -> None:
    response = send_raw(capture_service, f"{request_line}\r\nConnection: close\r\n\r\n".encode())
    assert response.startswith(f"HTTP/1.1 {status} ".encode()), response


def test_header_cannot_be_forged_with_an_underscore(capture_service: RunningService) -> None:
    """`X_Forwarded_For` and `X-Forwarded-For` become the same WSGI variable.

    So both say that the caller is not a direct one.
    """
    head = (
        "GET /api/data-capture/stats/a@example.com HTTP/1.1\r\nHost: localhost\r\n"
        "Connection: close\r\n"
    )
    assert send_raw(capture_service, f"{head}X-Forwarded-For: 1.2.3.4\r\n\r\n".encode()).startswith(
        b"HTTP/1.1 403"
    )
    assert send_raw(capture_service, f"{head}X_Forwarded_For: 1.2.3.4\r\n\r\n".encode()).startswith(
        b"HTTP/1.1 403"
    )


class Exchange:
    """A request as granian passes it on, with a body in chunks."""

    http_version, server, client, scheme, method = (
        "1.1",
        "127.0.0.1:80",
        "127.0.0.1:4711",
        "http",
        "POST",
    )
    path, query_string = "/", ""

    def __init__(self, *chunks: bytes) -> None:
        self.headers = {"transfer-encoding": "chunked"}
        self.response: tuple[int, dict[str, str], bytes] | None = None
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk

    def response_bytes(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.response = status, dict(headers), content


def respond_to(
    exchange: Exchange, max_wait_seconds: float = 60
) -> tuple[int, dict[str, str], bytes]:
    """Serve a request with an app that echoes the body, and return the response."""
    app = Flask("echo")
    app.add_url_rule("/", view_func=lambda: request.get_data(), methods=["POST"])
    error_handlers.init_app(app)
    served = BufferingAdapter(
        app, max_wait_seconds=max_wait_seconds, on_open=lambda: None, on_close=lambda: None
    )

    async def serve_once() -> None:
        await served.__rsgi__(exchange, exchange)
        served.__rsgi_del__(asyncio.get_running_loop())

    # In a thread, because Playwright keeps an event loop running in the thread of the tests.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(serve_once())).result()
    assert exchange.response is not None
    return exchange.response


def test_request_that_waited_too_long_for_a_thread_gets_503() -> None:
    status, headers, _ = respond_to(Exchange(b"abc"), max_wait_seconds=-1)
    assert (status, headers["Retry-After"]) == (503, "1")


# --- Processes ------------------------------------------------------------------------------------


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    """A capture service for one test."""
    one = capture_service_in(tmp_path)
    one.start()
    yield one
    one.stop()


def main_process(service: RunningService) -> int:
    assert service._process is not None
    return service._process.pid


def run_service(directory: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run a capture service that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "enhanced_data_capture_system.py"),
         "--database", str(directory / "other.db"),
         "--log-file", str(directory / "other.log"), *flags],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_port_in_use_is_reported_in_one_sentence(service: RunningService, tmp_path: Path) -> None:
    rejected = run_service(tmp_path, "--port", str(service.port))
    assert rejected.returncode == 1
    assert rejected.stderr == (
        f"Port {service.port} is in use by another program. "
        "Choose another with --port or EDC_CAPTURE_PORT.\n"
    )


def test_port_check_is_invisible_and_does_not_block_the_port() -> None:
    port, done = free_port(), threading.Event()

    def check_port() -> list[str]:
        errors = []
        while not done.is_set():
            errors += [error] if (error := find_listen_error("127.0.0.1", port)) else []
        return errors

    with ThreadPoolExecutor(2) as pool:
        checks = [pool.submit(check_port) for _ in range(2)]
        try:
            for _ in range(500):
                with closing(socket.socket()) as caller:
                    assert caller.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
                with closing(socket.socket()) as server:
                    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as granian does
                    server.bind(("127.0.0.1", port))
        finally:
            done.set()
    assert [check.result() for check in checks] == [[], []]


@pytest.mark.slow
def test_unusable_database_is_reported_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "other.db").write_text("this is no database, but a text")
    rejected = run_service(tmp_path, "--port", str(free_port()))
    assert rejected.returncode == 1
    assert "is not an SQLite database" in rejected.stderr
    assert "Traceback" not in rejected.stderr


@pytest.mark.slow
def test_killing_the_main_process_ends_its_worker_and_frees_the_port(
    service: RunningService,
) -> None:
    process = main_process(service)
    worker = worker_of(process)
    os.kill(process, signal.SIGKILL)
    eventually(lambda: not is_running(worker), "the worker has ended")
    eventually(
        lambda: service._process is not None and service._process.poll() is not None,
        "the end of the main process is known",
    )
    service.start()


@pytest.mark.slow
def test_service_ends_with_status_1_when_its_worker_is_killed(service: RunningService) -> None:
    worker = worker_of(main_process(service))
    os.kill(worker, signal.SIGKILL)
    assert service._process is not None
    assert service._process.wait(timeout=60) == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_to_the_process_group_ends_the_service_with_status_0(
    service: RunningService, number: signal.Signals
) -> None:
    """Ctrl-C in a terminal sends the signal to the worker, too."""
    assert service._process is not None
    os.killpg(main_process(service), number)
    assert service._process.wait(timeout=60) == 0


@pytest.mark.slow
def test_service_listens_on_ipv6(tmp_path: Path, user: str) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(REPOSITORY / "enhanced_data_capture_system.py"),
         "--host", "::1", "--port", str(port),
         "--database", str(tmp_path / "six.db"), "--log-file", str(tmp_path / "six.log")],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def counts() -> Any:
        try:
            return requests.get(
                f"http://[::1]:{port}/api/data-capture/stats/{user}", timeout=2
            ).json()["data_counts"]
        except requests.ConnectionError:
            return None

    try:
        assert eventually(counts, "the service responds to a direct caller")["payments"] == 0
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0
