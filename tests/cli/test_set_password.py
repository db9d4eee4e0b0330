"""Test `python3 -m data_capture set-password` while the services run."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.accounts import PASSWORD, audit_of, log_in, register
from tests.support.services import (
    REPOSITORY,
    RunningService,
    capture_service_in,
    rows,
    signup_service_in,
)

SECRET = "the owner's choice ü"


def set_password(
    service: RunningService, email: str, given: bytes
) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a script does, with the password on its standard input."""
    return subprocess.run(
        command_for(service, email),
        cwd=REPOSITORY,
        input=given,
        capture_output=True,
        timeout=300,
        check=False,
    )


def command_for(service: RunningService, email: str, *arguments: str) -> list[str]:
    """Return the command line that sets a user's password."""
    command = [sys.executable, "-m", "data_capture", "set-password", email, *arguments]
    return [*command, "--database", str(service.database)]


def set_password_at_terminal(service: RunningService, email: str, *lines: str) -> tuple[int, str]:
    """Run the command at a terminal, type lines, and return the status and the output."""
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        command_for(service, email),
        cwd=REPOSITORY,
        stdin=end,
        stdout=end,
        stderr=end,
        start_new_session=True,
    )
    os.close(end)
    shown, waiting, deadline = b"", list(lines), time.monotonic() + 300
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            part = os.read(terminal, 4096)
        except OSError:  # Linux: the program has ended
            break
        if not part:
            break
        shown += part
        if part.rstrip().endswith(b":") and waiting:
            os.write(terminal, waiting.pop(0).encode() + b"\n")
    os.close(terminal)
    return process.wait(timeout=300), shown.decode()


def execute(database: Path, statement: str, *parameters: str) -> None:
    program = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
        "c.execute(sys.argv[2], sys.argv[3:]); c.commit()"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(database), statement, *parameters], check=True
    )


@pytest.mark.slow
def test_owner_returns_squatted_account_to_its_user(
    signup_service: RunningService, user: str
) -> None:
    assert register(signup_service, user, password="the squatter's password").status_code == 201
    outcome = set_password(signup_service, user.upper(), f"{SECRET}\n".encode())
    assert outcome.returncode == 0, outcome.stderr
    assert SECRET.encode() not in outcome.stdout + outcome.stderr
    assert log_in(signup_service, user, "the squatter's password").status_code == 401
    assert log_in(signup_service, user, SECRET).status_code == 200
    (row,) = signup_service.rows("SELECT * FROM users WHERE email = ?", user)
    assert row["password_hash"].startswith("$argon2id$")
    (record,) = signup_service.rows(
        "SELECT * FROM data_capture_audit WHERE user_email = ? AND capture_type = 'password_set'",
        user,
    )
    assert record["source_endpoint"] == "python3 -m data_capture set-password"
    assert record["data_snapshot"] is None


@pytest.mark.slow
def test_a_user_who_paid_before_signing_up_gets_an_account(
    signup_service: RunningService, capture_service: RunningService, user: str
) -> None:
    payment = {"user_email": user, "final_price": 49}
    assert capture_service.capture("payment", payment).status_code == 201
    outcome = set_password(signup_service, user, SECRET.encode())  # without a newline
    assert outcome.returncode == 0, outcome.stderr
    assert b"active now" in outcome.stdout
    (row,) = signup_service.rows("SELECT status FROM users WHERE email = ?", user)
    assert row["status"] == "active"
    assert log_in(signup_service, user, SECRET).status_code == 200
    assert register(signup_service, user).status_code == 409


@pytest.mark.slow
def test_a_terminal_asks_for_the_password_twice_and_does_not_echo_it(
    signup_service: RunningService, user: str
) -> None:
    register(signup_service, user)
    status, shown = set_password_at_terminal(signup_service, user, SECRET, SECRET)
    assert status == 0, shown
    assert SECRET not in shown
    assert log_in(signup_service, user, SECRET).status_code == 200
    status, shown = set_password_at_terminal(
        signup_service, user, "one password", "another password"
    )
    assert status == 1
    assert "not the same" in shown
    assert log_in(signup_service, user, SECRET).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "given",
    [b"", b"\n", b"five5\n", b"x" * 1025 + b"\n", b"\xff\xfe\xfd\xfc\xfb\xfa\n", b"x" * 5_000_000],
)
def test_an_invalid_password_changes_nothing(
    signup_service: RunningService, user: str, given: bytes
) -> None:
    register(signup_service, user)
    outcome = set_password(signup_service, user, given)
    assert outcome.returncode == 1
    assert b"Nothing was changed" in outcome.stderr
    assert log_in(signup_service, user, PASSWORD).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("given", ["nobody-{}", "{}", "not an address"])
def test_an_unknown_address_is_refused_and_creates_no_user(
    signup_service: RunningService, user: str, given: str
) -> None:
    before = signup_service.rows("SELECT count(*) AS number FROM users")
    outcome = set_password(signup_service, given.format(user), SECRET.encode())
    assert outcome.returncode == 1
    assert outcome.stderr.count(b"\n") == 1
    assert signup_service.rows("SELECT count(*) AS number FROM users") == before


def test_a_password_on_the_command_line_is_refused(
    signup_service: RunningService, user: str
) -> None:
    register(signup_service, user)
    for arguments in ([SECRET], ["--password", SECRET]):
        outcome = subprocess.run(
            command_for(signup_service, user, *arguments),
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=300,
            check=False,
        )
        assert outcome.returncode == 2
    assert log_in(signup_service, user, PASSWORD).status_code == 200


@pytest.mark.slow
def test_a_disabled_account_stays_disabled(signup_service: RunningService, user: str) -> None:
    register(signup_service, user)
    execute(signup_service.database, "UPDATE users SET status = 'suspended' WHERE email = ?", user)
    outcome = set_password(signup_service, user, SECRET.encode())
    assert outcome.returncode == 0
    assert b"still disabled" in outcome.stdout
    assert signup_service.rows("SELECT status FROM users WHERE email = ?", user) == [
        {"status": "suspended"}
    ]
    assert log_in(signup_service, user, SECRET).status_code == 403


FOREIGN_PASSWORD_COLUMNS = {
    "a column password": (
        "password TEXT",
        "password",
        "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
    ),
    "a column encrypted_password": (
        "encrypted_password TEXT",
        "encrypted_password",
        "pbkdf2:sha256:1000$salt$abcdef",
    ),
    "a column passwd": ("passwd TEXT", "passwd", "5f4dcc3b5aa765d61d8327deb882cf99"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", FOREIGN_PASSWORD_COLUMNS)
def test_an_account_with_another_programs_password_column_is_unchanged(
    tmp_path: Path, case: str
) -> None:
    columns, column, stored = FOREIGN_PASSWORD_COLUMNS[case]
    database = tmp_path / "trading_bots.db"
    database.touch()
    execute(
        database,
        "CREATE TABLE users "
        f"(id INTEGER PRIMARY KEY, email TEXT UNIQUE, is_admin INTEGER, {columns})",
    )
    insert = f"INSERT INTO users (email, is_admin, {column}) VALUES ('owner@example.com', 1, ?)"  # noqa: S608
    execute(database, insert, stored)
    before = rows(database, "SELECT * FROM users")
    outcome = set_password(signup_service_in(tmp_path), "owner@example.com", SECRET.encode())
    assert outcome.returncode == 1
    assert column.encode() in outcome.stderr
    assert stored.encode() not in outcome.stderr
    assert rows(database, "SELECT * FROM users") == before
    assert rows(database, "SELECT * FROM user_credentials") == []


@pytest.mark.slow
def test_a_foreign_hash_in_password_hash_is_replaced_and_reported(tmp_path: Path) -> None:
    database = tmp_path / "trading_bots.db"
    database.touch()
    execute(
        database,
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password_hash TEXT)",
    )
    execute(
        database,
        "INSERT INTO users (email, password_hash) "
        "VALUES ('owner@example.com', '5f4dcc3b5aa765d61d8327deb882cf99')",
    )
    outcome = set_password(signup_service_in(tmp_path), "owner@example.com", SECRET.encode())
    assert outcome.returncode == 0, outcome.stderr
    assert b"of another kind" in outcome.stdout
    assert rows(database, "SELECT password_hash FROM users")[0]["password_hash"].startswith(
        "$argon2id$"
    )


@pytest.mark.slow
def test_a_users_table_without_a_password_column_is_unchanged(tmp_path: Path) -> None:
    database = tmp_path / "trading_bots.db"
    database.touch()
    execute(
        database,
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT)",
    )
    capture, signup = capture_service_in(tmp_path), signup_service_in(tmp_path)
    capture.start()
    signup.start()
    try:
        payment = {"user_email": "ann@example.com", "final_price": 49}
        assert capture.capture("payment", payment).status_code == 201
        before = rows(database, "SELECT * FROM users")
        outcome = set_password(signup, "ann@example.com", SECRET.encode())
        assert outcome.returncode == 0, outcome.stderr
        assert rows(database, "SELECT * FROM users") == before
        assert log_in(signup, "ann@example.com", SECRET).status_code == 200
        assert audit_of(signup, "ann@example.com")[-2:] == [
            ("password_set", "success"),
            ("login", "success"),
        ]
    finally:
        capture.stop()
        signup.stop()


@pytest.mark.slow
def test_set_password_without_a_database_is_refused(tmp_path: Path) -> None:
    outcome = set_password(signup_service_in(tmp_path), "ann@example.com", SECRET.encode())
    assert outcome.returncode == 1
    assert b"There is no database" in outcome.stderr
    assert list(tmp_path.iterdir()) == []
