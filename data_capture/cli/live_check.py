"""The check of a running system: one throwaway person, from sign-up to statistics, of whom only nameless audit records stay.

The person's rows are removed from the database file itself, by the same gate that the services write through. Numbers
that they were given are not given again, as SQLite's AUTOINCREMENT promises. The audit records stay, as those of anyone who
is erased: without anything of the person, who is the same one, `EVERYBODY`, after every check.
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

EVERYBODY = "live-check@data-capture.invalid"
"""Whose audit records those of the throwaway people are when they are gone."""

_ANSWER_SECONDS = 10.0

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
    """Something does not work; the text is a sentence that says what."""


def check_running_system(capture_url: str, settings: Settings) -> int:
    """Checks the capture service at `capture_url`, and the signup service of `settings` on the same host.

    Prints a line for each thing that works, and a sentence for the first that does not.

    Returns:
        The exit status: 0 when everything works and nothing of it is left.
    """
    location = urlsplit(capture_url)
    signup_url = f"{location.scheme}://{_host(location.hostname or '')}:{settings.signup_port}"
    email = f"live-check-{uuid.uuid4().hex}@live-check.invalid"  # a domain that nobody can have (RFC 6761)
    try:
        database = _database_of(capture_url, signup_url, settings)
        print(f"Checking {capture_url} and {signup_url}, database {database}", flush=True)
        try:
            _check(email, capture_url, signup_url, database, settings.admin_token)
        finally:
            left = _remove(email, database)
        if left:
            raise CheckFailed(
                f"Rows of the throwaway person {email} could not be removed from {', '.join(left)}."
            )
        _passed("nothing of it is left in the database but audit records that name nobody")
    except CheckFailed as failure:
        print(f"  FAILED  {failure}", file=sys.stderr)
        return 1
    print("Everything works.")
    return 0


def _host(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _passed(what: str) -> None:
    print(f"  ok  {what}", flush=True)


def _database_of(capture_url: str, signup_url: str, settings: Settings) -> Path:
    """The file that both services use; where other machines can reach them, they tell only who has their keys."""
    told = []
    headers = probe_headers(settings)
    for name, url in (
        ("capture", f"{capture_url}/api/data-capture/health"),
        ("signup", f"{signup_url}/api/health"),
    ):
        answer = _call(f"the {name} service's health", "GET", url, 200, headers=headers)
        told.append(answer.get("database"))
    if told[0] != told[1]:
        raise CheckFailed(f"The services use different databases: {told[0]} and {told[1]}.")
    database = Path(told[0]) if told[0] else settings.database
    if not database.is_file():
        raise CheckFailed(
            f"There is no database {database} here. The check removes its traces from the file, so it has to run on the "
            "machine of the services; --database or EDC_DATABASE names the file."
        )
    return database


def _check(email: str, capture_url: str, signup_url: str, database: Path, admin_token: str) -> None:
    password = uuid.uuid4().hex
    sign_up = {"username": "live check", "email": email, "password": password}
    _call("signing up", "POST", f"{signup_url}/api/auth/register", 201, sign_up)
    if not _tables_that_name(email, database):
        raise CheckFailed(f"{database} is not the services' database. They now hold a throwaway person, {email}; "
                          "name their file with --database or EDC_DATABASE.")  # fmt: skip
    _passed("signed up a throwaway person")
    _call(
        "logging in",
        "POST",
        f"{signup_url}/api/auth/login",
        200,
        {"email": email, "password": password},
    )
    _passed("logged in")
    for kind, fields in _CAPTURES:
        url = f"{capture_url}/api/data-capture/{kind}"
        capture = {"user_email": email, "capture_id": str(uuid.uuid4()), **fields}
        first = _call(f"capturing a {kind}", "POST", url, 201, capture)
        again = _call(f"sending the same {kind} again", "POST", url, 201, capture)
        if first.get(f"{kind}_id") is None or first != again:
            raise CheckFailed(f"The same {kind} sent twice was answered differently.")
        _passed(f"{kind}: captured once, though sent twice")
    counts, how = _counts(email, capture_url, database, admin_token)
    wanted = {"payments": 1, "questionnaires": 1, "dashboard_updates": 1, "activities": 1}
    if any(counts.get(name) != number for name, number in wanted.items()):
        raise CheckFailed(f"The statistics count {counts}.")
    _passed(how)


def _counts(
    email: str, capture_url: str, database: Path, admin_token: str
) -> tuple[dict[str, Any], str]:
    """The statistics' counts, and how they were had: where they need a token that is not given, they come from the file."""
    url = f"{capture_url}/api/data-capture/stats/{email}"
    headers = {"Authorization": f"Bearer {admin_token}"} if admin_token else {}
    if not headers and _status_of(url) == HTTPStatus.UNAUTHORIZED:
        with closing(open_connection(database, _ANSWER_SECONDS, read_only=True)) as connection:
            counts: dict[str, Any] = read_statistics(connection, email)["data_counts"]
        return (
            counts,
            "counted what was captured; the statistics themselves need the admin token (set EDC_ADMIN_TOKEN)",
        )
    return _call("reading the statistics", "GET", url, 200, headers=headers)[
        "data_counts"
    ], "read the statistics"


def _status_of(url: str) -> int | None:
    try:
        return requests.get(url, timeout=_ANSWER_SECONDS).status_code
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
    try:
        response = requests.request(
            method, url, json=payload, headers=headers, timeout=_ANSWER_SECONDS
        )
    except requests.ConnectionError:
        raise CheckFailed(
            f"Nothing answers at {url}. Is it running (python3 start_enhanced_data_capture.py)?"
        ) from None
    except requests.RequestException as error:
        raise CheckFailed(f"For {what}, {url} gave no answer ({error}).") from None
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if response.status_code != status or not isinstance(answer, dict):
        detail = answer.get("detail") if isinstance(answer, dict) else response.text[:200]
        raise CheckFailed(f"For {what}, {url} answered {response.status_code}: {detail}")
    return answer


def _remove(email: str, database: Path) -> list[str]:
    """Removes every row of the throwaway person; the tables that still have one."""

    def remove(connection: sqlite3.Connection) -> None:
        if connection.execute(
            "SELECT 1 FROM data_capture_audit WHERE user_email = ? LIMIT 1", (email,)
        ).fetchone():
            now = timestamp(datetime.now(timezone.utc))
            pseudonym = ensure_user(connection, EVERYBODY, None, now)
            pseudonymise_audit(
                connection, email, pseudonym, timestamp=now, source_endpoint="live check"
            )
        for table, column in _columns_that_name_users(connection):
            connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (email,))  # noqa: S608

    try:
        _write(database, remove)
    except (sqlite3.Error, WriterLockTimeout) as error:
        reason = str(error) or "another program is writing"
        raise CheckFailed(
            f"The throwaway person {email} could not be removed ({reason})."
        ) from error
    return _tables_that_name(email, database)


def _write(database: Path, work: Callable[[sqlite3.Connection], None]) -> None:
    writer_lock = WriterLock(database)
    try:
        with (
            writer_lock.hold(_ANSWER_SECONDS),
            closing(open_connection(database, _ANSWER_SECONDS)) as connection,
        ):
            connection.execute("BEGIN IMMEDIATE")
            try:
                work(connection)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            # The log still holds the pages as they were; this empties it, if no reader is in the way.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        writer_lock.close()


def _tables_that_name(email: str, database: Path) -> list[str]:
    with closing(open_connection(database, _ANSWER_SECONDS, read_only=True)) as connection:
        return [
            table
            for table, column in _columns_that_name_users(connection)
            if connection.execute(
                f"SELECT 1 FROM {table} WHERE {column} = ? LIMIT 1",  # noqa: S608
                (email,),
            ).fetchone()
        ]


def _columns_that_name_users(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Each table with the column that says whose a row is, quoted; `users`, which the others refer to, last."""
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name = 'users'"
    ).fetchall()
    return [
        (quote_identifier(table), quote_identifier(column.name))
        for (table,) in tables
        for column in columns_of(connection, table)
        if column.name == "user_email" or (table == "users" and column.name == "email")
    ]
