"""Check a running system with one test user, from sign-up to statistics.

Afterwards the user's rows are deleted from the database file, under the services' writer lock.
Only anonymised audit records remain: as after an erasure they contain no data of the user, and
after every check they belong to the same pseudonym, `PSEUDONYM`. The ids of the deleted rows are
not used again, as SQLite's AUTOINCREMENT promises.
"""

from __future__ import annotations

import sqlite3
import sys
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timezone
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from data_capture.audit import pseudonymise_audit
from data_capture.capture.timestamps import timestamp
from data_capture.privacy.statistics import read_statistics
from data_capture.settings import Settings
from data_capture.sql.pragmas import columns_of, quote_identifier
from data_capture.store.sqlite.connection import open_connection
from data_capture.store.sqlite.lock import WriterLock, WriterLockTimeout
from data_capture.store.sqlite.users import ensure_user
from data_capture.web.health_probe import probe_headers

PSEUDONYM = "live-check@data-capture.invalid"
"""The owner of the audit records of all deleted test users."""

_TIMEOUT_SECONDS = 10.0

Capture = tuple[str, dict[str, Any]]

_CAPTURES: tuple[Capture, ...] = (
    (
        "payment",
        {
            "plan_name": "Live check",
            "original_price": "1.00",
            "final_price": "1.00",
            "payment_method": "none",
        },
    ),
    ("questionnaire", {"trades_per_day": "1-2", "trading_session": "any", "risk_percentage": 1}),
    ("dashboard", {"current_equity": 1000, "win_rate": 50, "theme": "dark"}),
    ("activity", {"activity_type": "live_check", "activity_data": {"reason": "live check"}}),
)


class CheckFailed(Exception):
    """Something does not work; the text says what."""


def check_running_system(capture_url: str, settings: Settings) -> int:
    """Check the capture service at a URL, and the signup service on its host.

    Prints a line for each step that works, and the reason of the first that fails.

    Args:
        capture_url: where the capture service listens.
        settings: name the signup service's port, and the database if the services do not.

    Returns:
        The exit status: 0 if everything works and the test user is deleted, else 1.
    """
    location = urlsplit(capture_url)
    signup_url = f"{location.scheme}://{_host(location.hostname or '')}:{settings.signup_port}"
    # Nobody can own this domain (RFC 6761).
    email = f"live-check-{uuid.uuid4().hex}@live-check.invalid"
    try:
        database = _find_database(capture_url, signup_url, settings)
        print(f"Checking {capture_url} and {signup_url}, database {database}", flush=True)
        try:
            _check_accounts(email, signup_url, database)
            _check_captures(email, capture_url)
            _check_statistics(email, capture_url, database, settings.admin_token)
        finally:
            remaining = _delete_test_user(email, database)
        if remaining:
            raise CheckFailed(
                f"Rows of the test user {email} could not be deleted from {', '.join(remaining)}."
            )
        _print_passed("deleted the test user; only anonymised audit records remain")
    except CheckFailed as failure:
        print(f"  FAILED  {failure}", file=sys.stderr)
        return 1
    print("Everything works.")
    return 0


def _host(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _print_passed(what: str) -> None:
    print(f"  ok  {what}", flush=True)


def _find_database(capture_url: str, signup_url: str, settings: Settings) -> Path:
    """Return the file that both services use.

    Services that other machines can reach name it only to callers who have their keys.
    """
    headers = probe_headers(settings)
    capture_database, signup_database = (
        _call(f"the {name} service's health", "GET", url, 200, headers=headers).get("database")
        for name, url in (
            ("capture", f"{capture_url}/api/data-capture/health"),
            ("signup", f"{signup_url}/api/health"),
        )
    )
    if capture_database != signup_database:
        raise CheckFailed(
            f"The services use different databases: {capture_database} and {signup_database}."
        )
    database = Path(capture_database) if capture_database else settings.database
    if not database.is_file():
        raise CheckFailed(
            f"There is no database {database} here. The check deletes its test user from the file, "
            "so it has to run on the machine of the services. Name the file with --database or "
            "EDC_DATABASE."
        )
    return database


def _check_accounts(email: str, signup_url: str, database: Path) -> None:
    password = uuid.uuid4().hex
    log_in = {"email": email, "password": password}
    sign_up = {"username": "live check", **log_in}
    _call("signing up", "POST", f"{signup_url}/api/auth/register", 201, sign_up)
    if not _find_tables_with(email, database):
        raise CheckFailed(
            f"{database} is not the services' database. Theirs now has a test user, {email}. "
            "Name their file with --database or EDC_DATABASE."
        )
    _print_passed("signed up a test user")
    _call("logging in", "POST", f"{signup_url}/api/auth/login", 200, log_in)
    _print_passed("logged in")


def _check_captures(email: str, capture_url: str) -> None:
    for kind, fields in _CAPTURES:
        url = f"{capture_url}/api/data-capture/{kind}"
        capture = {"user_email": email, "capture_id": str(uuid.uuid4()), **fields}
        first = _call(f"capturing a {kind}", "POST", url, 201, capture)
        again = _call(f"sending the same {kind} again", "POST", url, 201, capture)
        if first.get(f"{kind}_id") is None or first != again:
            raise CheckFailed(f"The same {kind}, sent twice, got two different responses.")
        _print_passed(f"{kind}: captured once, though sent twice")


def _check_statistics(email: str, capture_url: str, database: Path, admin_token: str) -> None:
    """Check that the statistics count each capture once.

    If the endpoint needs an admin token that is not set, the counts come from the file.
    """
    url = f"{capture_url}/api/data-capture/stats/{email}"
    headers = {"Authorization": f"Bearer {admin_token}"} if admin_token else {}
    if not headers and _status_of(url) == HTTPStatus.UNAUTHORIZED:
        with closing(open_connection(database, _TIMEOUT_SECONDS, read_only=True)) as connection:
            counts: dict[str, Any] = read_statistics(connection, email)["data_counts"]
        passed = (
            "counted the captures in the database; "
            "the statistics themselves need the admin token (set EDC_ADMIN_TOKEN)"
        )
    else:
        counts = _call("reading the statistics", "GET", url, 200, headers=headers)["data_counts"]
        passed = "read the statistics"
    expected = {"payments": 1, "questionnaires": 1, "dashboard_updates": 1, "activities": 1}
    if any(counts.get(name) != number for name, number in expected.items()):
        raise CheckFailed(f"The statistics are wrong: each of {counts} should be 1.")
    _print_passed(passed)


def _status_of(url: str) -> int | None:
    try:
        return requests.get(url, timeout=_TIMEOUT_SECONDS).status_code
    except requests.RequestException:
        return None


def _call(
    what: str,
    method: str,
    url: str,
    status: int,
    payload: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Send a request and return the JSON object of its response.

    Raises:
        CheckFailed: there is no response, or it has another status.
    """
    try:
        response = requests.request(
            method, url, json=payload, headers=headers, timeout=_TIMEOUT_SECONDS
        )
    except requests.ConnectionError:
        raise CheckFailed(
            f"Nothing answers at {url}. Is it running (python3 start_enhanced_data_capture.py)?"
        ) from None
    except requests.RequestException as error:
        raise CheckFailed(f"For {what}, {url} gave no response ({error}).") from None
    try:
        document = response.json()
    except ValueError:
        document = None
    if response.status_code != status or not isinstance(document, dict):
        detail = document.get("detail") if isinstance(document, dict) else response.text[:200]
        raise CheckFailed(f"For {what}, {url} answered {response.status_code}: {detail}")
    return document


def _delete_test_user(email: str, database: Path) -> list[str]:
    """Delete every row of the test user; return the tables that still have one."""

    def delete(connection: sqlite3.Connection) -> None:
        _pseudonymise(connection, email)
        for table, column in _columns_with_emails(connection):
            connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (email,))  # noqa: S608

    try:
        _write(database, delete)
    except (sqlite3.Error, WriterLockTimeout) as error:
        reason = str(error) or "another program is writing"
        raise CheckFailed(f"The test user {email} could not be deleted ({reason}).") from error
    return _find_tables_with(email, database)


def _pseudonymise(connection: sqlite3.Connection, email: str) -> None:
    has_records = connection.execute(
        "SELECT 1 FROM data_capture_audit WHERE user_email = ? LIMIT 1", (email,)
    ).fetchone()
    if has_records:
        now = timestamp(datetime.now(timezone.utc))
        pseudonym = ensure_user(connection, PSEUDONYM, None, now)
        pseudonymise_audit(
            connection, email, pseudonym, timestamp=now, source_endpoint="live check"
        )


def _write(database: Path, change: Callable[[sqlite3.Connection], None]) -> None:
    writer_lock = WriterLock(database)
    try:
        with (
            writer_lock.hold(_TIMEOUT_SECONDS),
            closing(open_connection(database, _TIMEOUT_SECONDS)) as connection,
        ):
            connection.execute("BEGIN IMMEDIATE")
            try:
                change(connection)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            # The WAL still contains the deleted rows. This empties it, unless a reader prevents it.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        writer_lock.close()


def _find_tables_with(email: str, database: Path) -> list[str]:
    with closing(open_connection(database, _TIMEOUT_SECONDS, read_only=True)) as connection:
        return [
            table
            for table, column in _columns_with_emails(connection)
            if connection.execute(
                f"SELECT 1 FROM {table} WHERE {column} = ? LIMIT 1",  # noqa: S608
                (email,),
            ).fetchone()
        ]


def _columns_with_emails(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return each table with the column that names a row's user, both quoted.

    `users` is last, because the other tables refer to it.
    """
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name = 'users'"
    ).fetchall()
    return [
        (quote_identifier(table), quote_identifier(column.name))
        for (table,) in tables
        for column in columns_of(connection, table)
        if column.name == "user_email" or (table == "users" and column.name == "email")
    ]
