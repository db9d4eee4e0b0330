"""The admin token: made at the first start, shown once, kept as a hash, and the only thing that opens an admin's route."""

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

ASK = Callable[..., requests.Response]


class _Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def guarded(settings: Settings) -> Iterator[ASK]:
    """A server with one address, for admins only; what asks it."""
    app = Flask(__name__, static_folder=None)
    error_handlers.init_app(app)

    @app.get("/secret")
    def secret() -> str:
        require_admin(request, settings)
        return "all of it"

    with make_server("127.0.0.1", 0, app, handler_class=_Silent) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()

        def ask(authorization: str | bytes | None, query: str = "") -> requests.Response:
            headers = {} if authorization is None else {"Authorization": authorization}
            return requests.get(
                f"http://127.0.0.1:{server.server_port}/secret{query}", headers=headers, timeout=10
            )

        try:
            yield ask
        finally:
            server.shutdown()
            serving.join()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"database": str(tmp_path / "trading_bots.db")}, {})


def token_of(installation: Installation, *arguments: str) -> str:
    outcome = installation.run("admin-token", *arguments)
    assert outcome.status == 0, outcome.errors
    return outcome.output.strip()


def is_refused(answer: requests.Response) -> bool:
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    return "all of it" not in answer.text


def test_the_token_opens_the_door_and_nothing_else_does(
    tmp_path: Path, settings: Settings, server: CommandServer
) -> None:
    token = token_of(Installation(tmp_path, server))
    with guarded(settings) as ask:
        assert ask(f"Bearer {token}").text == "all of it"
        assert ask(f"bearer  {token} ").text == "all of it"
        hash_kept = (settings.keys_directory / "admin-token.sha256").read_text().strip()
        for wrong in (
            None, "", "Bearer", "Bearer ", token, f"Basic {token}", f"Bearer {token[:-1]}", f"Bearer {token}x",
            f"Bearer {token.upper()}", f"Bearer {hash_kept}", "Bearer None", "Bearer " + "x" * 10_000, f"Bearer {token} {token}",
            "Bearer ü".encode("latin-1"),
        ):  # fmt: skip
            assert is_refused(ask(wrong)), wrong
        for query in (f"?token={token}", f"?access_token={token}", f"?admin_token={token}"):
            assert is_refused(ask(None, query))


def test_the_token_has_256_random_bits_and_only_its_hash_stays(
    tmp_path: Path, server: CommandServer
) -> None:
    first, second = (
        token_of(Installation(tmp_path, server)),
        token_of(Installation(tmp_path, server), "--rotate"),
    )
    for token in (first, second):
        assert len(token.removeprefix("edc_")) == 43  # 256 bits at 6 a letter
        assert not any(
            token.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
        )
    assert first != second


def test_it_is_made_at_the_first_start_for_its_owner_s_eyes_and_shown_once(
    tmp_path: Path, server: CommandServer
) -> None:
    service = capture_service_in(tmp_path)
    service.start()
    keys = tmp_path / "trading_bots.keys"
    unfetched = (keys / "admin-token").read_text().strip()
    try:
        assert stat.S_IMODE(keys.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in keys.glob("admin-token*")} == {0o600}
        assert unfetched not in service.log_file.read_text() + service.output.read_text()
        assert token_of(Installation(tmp_path, server)) == unfetched
    finally:
        service.stop()
    assert not (keys / "admin-token").exists()
    again = Installation(tmp_path, server).run("admin-token")
    assert again.status == 1
    assert unfetched not in again.output + again.errors
    assert "--rotate" in again.errors
    service.start()
    service.stop()
    assert not (keys / "admin-token").exists()


def test_a_rotation_holds_at_once_and_the_token_before_it_is_void(
    tmp_path: Path, settings: Settings, server: CommandServer
) -> None:
    first = token_of(Installation(tmp_path, server))
    with guarded(settings) as ask:
        assert ask(f"Bearer {first}").ok
        second = token_of(Installation(tmp_path, server), "--rotate")
        assert ask(f"Bearer {second}").ok
        assert is_refused(ask(f"Bearer {first}"))


def test_it_is_written_as_a_header_that_curl_takes_for_its_owner_s_eyes_only(
    tmp_path: Path, settings: Settings, server: CommandServer
) -> None:
    installation, header = Installation(tmp_path, server), tmp_path / "admin-header"
    outcome = installation.run("admin-token", "--header", header)
    assert outcome.status == 0, outcome.errors
    assert stat.S_IMODE(header.stat().st_mode) == 0o600
    name, _, value = header.read_text().rstrip("\n").partition(": ")
    assert name == "Authorization"
    assert value.removeprefix("Bearer ") not in outcome.output + outcome.errors
    with guarded(settings) as ask:
        assert ask(value).text == "all of it"
    for arguments in ((), ("--rotate",)):
        again = installation.run("admin-token", *arguments, "--header", header)
        assert again.status == 1
        assert f"There is a file {header} already" in again.errors
    with guarded(settings) as ask:
        assert ask(value).text == "all of it", "nothing was rotated"
    assert (
        installation.run("admin-token", "--rotate", "--header", tmp_path / "new-header").status == 0
    )
    with guarded(settings) as ask:
        assert is_refused(ask(value))


def test_no_header_file_is_left_where_there_is_no_token_to_write(
    tmp_path: Path, server: CommandServer
) -> None:
    installation, elsewhere = Installation(tmp_path, server), tmp_path / "elsewhere"
    token_of(installation)
    outcome = installation.run("admin-token", "--header", tmp_path / "admin-header")
    assert outcome.status == 1
    assert "--rotate" in outcome.errors
    (tmp_path / "link").symlink_to(elsewhere)
    assert installation.run("admin-token", "--rotate", "--header", tmp_path / "link").status == 1
    assert not (tmp_path / "admin-header").exists()
    assert not elsewhere.exists()


def test_the_environment_s_token_can_be_written_as_a_header(
    tmp_path: Path, server: CommandServer
) -> None:
    token = "from-a-secret-store-0123456789abcdef"
    order = [
        "admin-token",
        "--header",
        str(tmp_path / "admin-header"),
        "--database",
        str(tmp_path / "trading_bots.db"),
    ]
    assert server.run(order, {"EDC_ADMIN_TOKEN": token}, tmp_path, 0, 0).status == 0
    assert (tmp_path / "admin-header").read_text() == f"Authorization: Bearer {token}\n"


def test_a_token_that_was_never_fetched_is_void_after_a_rotation(
    tmp_path: Path, settings: Settings, server: CommandServer
) -> None:
    ensure_admin_token(settings)
    first = (settings.keys_directory / "admin-token").read_text().strip()
    token_of(Installation(tmp_path, server), "--rotate")
    assert not (settings.keys_directory / "admin-token").exists()
    with guarded(settings) as ask:
        assert is_refused(ask(f"Bearer {first}"))


def test_without_its_files_nothing_opens_the_door(settings: Settings) -> None:
    with guarded(settings) as ask:
        assert is_refused(ask("Bearer "))
        assert is_refused(ask("Bearer x"))


def test_the_environment_s_token_is_the_token(tmp_path: Path, server: CommandServer) -> None:
    token = "from-a-secret-store-0123456789abcdef"
    settings = load_settings(
        {"database": str(tmp_path / "trading_bots.db")}, {"EDC_ADMIN_TOKEN": token}
    )
    ensure_admin_token(settings)
    assert not settings.keys_directory.exists()
    with guarded(settings) as ask:
        assert ask(f"Bearer {token}").ok
        assert is_refused(ask("Bearer from-a-secret-store-0123456789abcdeg"))
    rotation = ["admin-token", "--rotate", "--database", str(settings.database)]
    outcome = server.run(rotation, {"EDC_ADMIN_TOKEN": token}, tmp_path, 0, 0)
    assert outcome.status == 1
    assert "EDC_ADMIN_TOKEN" in outcome.errors
    assert token not in outcome.output + outcome.errors


def test_no_command_takes_the_token_on_its_command_line(
    tmp_path: Path, server: CommandServer
) -> None:
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
