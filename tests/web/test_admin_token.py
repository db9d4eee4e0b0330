"""Test the admin token: its creation, rotation, storage and use."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests
from flask import Flask, request

from data_capture.settings import Settings, load_settings
from data_capture.web import error_handlers
from data_capture.web.admin_auth import require_admin
from data_capture.web.admin_token import ensure_admin_token
from tests.support.installations import CommandServer, Installation
from tests.support.services import capture_service_in

SendRequest = Callable[..., requests.Response]


class _SilentHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def protected_server(settings: Settings) -> Iterator[SendRequest]:
    """Run a server with one admin route, and return a function that sends requests to it."""
    app = Flask(__name__, static_folder=None)
    error_handlers.init_app(app)

    @app.get("/secret")
    def secret() -> str:
        require_admin(request, settings)
        return "admin data"

    with make_server("127.0.0.1", 0, app, handler_class=_SilentHandler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()

        def send(authorization: str | bytes | None, query: str = "") -> requests.Response:
            headers = {} if authorization is None else {"Authorization": authorization}
            return requests.get(
                f"http://127.0.0.1:{server.server_port}/secret{query}", headers=headers, timeout=30
            )

        try:
            yield send
        finally:
            server.shutdown()
            serving.join()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"database": str(tmp_path / "trading_bots.db")}, {})


def fetch_token(installation: Installation, *arguments: str) -> str:
    outcome = installation.run("admin-token", *arguments)
    assert outcome.status == 0, outcome.errors
    return outcome.output.strip()


def is_rejected(response: requests.Response) -> bool:
    assert response.status_code == 401
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["WWW-Authenticate"] == "Bearer"
    return "admin data" not in response.text


@pytest.mark.slow
def test_only_the_admin_token_gives_access(
    tmp_path: Path, settings: Settings, server: CommandServer
) -> None:
    token = fetch_token(Installation(tmp_path, server))
    with protected_server(settings) as send:
        assert send(f"Bearer {token}").text == "admin data"
        assert send(f"bearer  {token} ").text == "admin data"
        stored_hash = (settings.keys_directory / "admin-token.sha256").read_text().strip()
        for wrong in (
            None, "", "Bearer", "Bearer ", token, f"Basic {token}", f"Bearer {token[:-1]}",
            f"Bearer {token}x", f"Bearer {token.upper()}", f"Bearer {stored_hash}", "Bearer None",
            "Bearer " + "x" * 10_000, f"Bearer {token} {token}", "Bearer ü".encode("latin-1"),
        ):  # fmt: skip
            assert is_rejected(send(wrong)), wrong
        for query in (f"?token={token}", f"?access_token={token}", f"?admin_token={token}"):
            assert is_rejected(send(None, query))


def test_token_has_256_random_bits_and_only_its_hash_is_stored(
    tmp_path: Path, server: CommandServer
) -> None:
    first, second = (
        fetch_token(Installation(tmp_path, server)),
        fetch_token(Installation(tmp_path, server), "--rotate"),
    )
    for token in (first, second):
        assert len(token.removeprefix("edc_")) == 43  # 256 bits, 6 per character
        assert not any(
            token.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
        )
    assert first != second


@pytest.mark.slow
def test_first_start_creates_a_private_token_that_is_shown_once(
    tmp_path: Path, server: CommandServer
) -> None:
    service = capture_service_in(tmp_path)
    service.start()
    keys = tmp_path / "trading_bots.keys"
    token = (keys / "admin-token").read_text().strip()
    try:
        assert stat.S_IMODE(keys.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in keys.glob("admin-token*")} == {0o600}
        assert token not in service.log_file.read_text() + service.output.read_text()
        assert fetch_token(Installation(tmp_path, server)) == token
    finally:
        service.stop()
    assert not (keys / "admin-token").exists()
    again = Installation(tmp_path, server).run("admin-token")
    assert again.status == 1
    assert token not in again.output + again.errors
    assert "--rotate" in again.errors
    service.start()
    service.stop()
    assert not (keys / "admin-token").exists()


def test_rotation_takes_effect_at_once_and_revokes_the_old_token(
    tmp_path: Path, settings: Settings, server: CommandServer
) -> None:
    first = fetch_token(Installation(tmp_path, server))
    with protected_server(settings) as send:
        assert send(f"Bearer {first}").ok
        second = fetch_token(Installation(tmp_path, server), "--rotate")
        assert send(f"Bearer {second}").ok
        assert is_rejected(send(f"Bearer {first}"))


def test_header_option_writes_a_private_header_file(
    tmp_path: Path, settings: Settings, server: CommandServer
) -> None:
    installation, header = Installation(tmp_path, server), tmp_path / "admin-header"
    outcome = installation.run("admin-token", "--header", header)
    assert outcome.status == 0, outcome.errors
    assert stat.S_IMODE(header.stat().st_mode) == 0o600
    name, _, value = header.read_text().rstrip("\n").partition(": ")
    assert name == "Authorization"
    assert value.removeprefix("Bearer ") not in outcome.output + outcome.errors
    with protected_server(settings) as send:
        assert send(value).text == "admin data"
    for arguments in ((), ("--rotate",)):
        again = installation.run("admin-token", *arguments, "--header", header)
        assert again.status == 1
        assert f"There is a file {header} already" in again.errors
    with protected_server(settings) as send:
        assert send(value).text == "admin data", "the token was not rotated"
    assert (
        installation.run("admin-token", "--rotate", "--header", tmp_path / "new-header").status == 0
    )
    with protected_server(settings) as send:
        assert is_rejected(send(value))


def test_no_header_file_is_left_without_a_token_to_write(
    tmp_path: Path, server: CommandServer
) -> None:
    installation, elsewhere = Installation(tmp_path, server), tmp_path / "elsewhere"
    fetch_token(installation)
    outcome = installation.run("admin-token", "--header", tmp_path / "admin-header")
    assert outcome.status == 1
    assert "--rotate" in outcome.errors
    (tmp_path / "link").symlink_to(elsewhere)
    assert installation.run("admin-token", "--rotate", "--header", tmp_path / "link").status == 1
    assert not (tmp_path / "admin-header").exists()
    assert not elsewhere.exists()


def test_token_from_the_environment_can_be_written_as_a_header(
    tmp_path: Path, server: CommandServer
) -> None:
    token = "from-a-secret-store-0123456789abcdef"
    arguments = [
        "admin-token",
        "--header",
        str(tmp_path / "admin-header"),
        "--database",
        str(tmp_path / "trading_bots.db"),
    ]
    assert server.run(arguments, {"EDC_ADMIN_TOKEN": token}, tmp_path, 0, 0).status == 0
    assert (tmp_path / "admin-header").read_text() == f"Authorization: Bearer {token}\n"


def test_rotation_revokes_a_token_that_was_never_shown(
    tmp_path: Path, settings: Settings, server: CommandServer
) -> None:
    ensure_admin_token(settings)
    first = (settings.keys_directory / "admin-token").read_text().strip()
    fetch_token(Installation(tmp_path, server), "--rotate")
    assert not (settings.keys_directory / "admin-token").exists()
    with protected_server(settings) as send:
        assert is_rejected(send(f"Bearer {first}"))


def test_no_token_gives_access_without_the_key_files(settings: Settings) -> None:
    with protected_server(settings) as send:
        assert is_rejected(send("Bearer "))
        assert is_rejected(send("Bearer x"))


def test_token_from_the_environment_is_the_only_token(
    tmp_path: Path, server: CommandServer
) -> None:
    token = "from-a-secret-store-0123456789abcdef"
    settings = load_settings(
        {"database": str(tmp_path / "trading_bots.db")}, {"EDC_ADMIN_TOKEN": token}
    )
    ensure_admin_token(settings)
    assert not settings.keys_directory.exists()
    with protected_server(settings) as send:
        assert send(f"Bearer {token}").ok
        assert is_rejected(send("Bearer from-a-secret-store-0123456789abcdeg"))
    rotation = ["admin-token", "--rotate", "--database", str(settings.database)]
    outcome = server.run(rotation, {"EDC_ADMIN_TOKEN": token}, tmp_path, 0, 0)
    assert outcome.status == 1
    assert "EDC_ADMIN_TOKEN" in outcome.errors
    assert token not in outcome.output + outcome.errors


def test_no_command_accepts_the_token_as_an_argument(tmp_path: Path, server: CommandServer) -> None:
    for command in ("admin-token", "doctor", "backup"):
        outcome = server.run(
            [command, "--admin-token", "x" * 40, "--database", str(tmp_path / "a.db")],
            {},
            tmp_path,
            0,
            0,
        )
        assert outcome.status == 2
        assert "unrecognized arguments" in outcome.errors
