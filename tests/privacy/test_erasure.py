"""Test erasure: no bytes of the user remain, and other users' data is unchanged.

With `EDC_FULL_ERASURE=1`, the first tests store 500 captures of each user, which takes a minute.
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from data_capture.privacy.erasure import erase_user
from data_capture.privacy.erasure_completion import UserEraser
from data_capture.privacy.tables import (
    AUDIT,
    RECEIPTS,
    TABLES_WITHOUT_USER_DATA,
    USERS,
    list_user_tables,
)
from data_capture.store.sqlite.connection import open_connection
from data_capture.store.sqlite.schema import prepare
from tests.support.erasing import (
    ADMIN,
    TOKEN,
    TraceableUser,
    assert_whole,
    erase,
    export,
    find_traces,
    send_captures,
    service_in,
    store_captures,
    store_in,
    user_url,
)
from tests.support.services import REPOSITORY, RunningService, rows

FULL = "EDC_FULL_ERASURE" in os.environ
CAPTURES = 500 if FULL else 80
OTHER_USERS = [TraceableUser(f"other{number}") for number in range(20 if FULL else 4)]
DATABASES = REPOSITORY / "tests" / "databases"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    """Run a capture service with an admin token and its own database."""
    with service_in(tmp_path) as running:
        yield running


def shuffle_captures(
    users: list[TraceableUser], count: int
) -> list[tuple[TraceableUser, dict[str, object]]]:
    """Return `count` captures per user, shuffled so that users share pages of the file."""
    captures = [(user, capture) for user in users for capture in user.captures(count)]
    random.Random(1).shuffle(captures)
    return captures


@pytest.mark.slow
def test_erasure_leaves_no_trace_of_the_user_and_other_users_unchanged(
    service: RunningService,
) -> None:
    ann = TraceableUser("ann")
    for start in range(0, CAPTURES * (len(OTHER_USERS) + 1), 100):
        group = shuffle_captures([ann, *OTHER_USERS], CAPTURES)[start : start + 100]
        assert set(send_captures(service, ann, [capture for _, capture in group])) <= {200, 201}
    found = find_traces(service.database.parent, ann.traces())
    assert {trace.partition(" in ")[0] for trace in found} == ann.traces().keys()
    before = {
        other.email: (export(service, other.email), export(service, other.email, "zip"))
        for other in OTHER_USERS
    }
    response = erase(service, ann.email)
    assert (response.status_code, response.json()["complete"]) == (200, True)
    assert response.json()["erased"]["payment_data"] == CAPTURES // 4
    traces = ann.traces()
    del traces["agent"]  # all captures were sent with this user agent
    assert find_traces(service.database.parent, traces) == []
    assert {
        email: (export(service, email), export(service, email, "zip")) for email in before
    } == before
    assert_whole(service)
    export_url = f"{user_url(service, ann.email)}/export"
    assert requests.get(export_url, headers=ADMIN, timeout=30).status_code == 404
    stats = requests.get(f"{service.url}/api/data-capture/stats/{ann.email}", timeout=30).json()
    assert (stats["total_data_points"], stats["data_counts"]["audit_records"]) == (0, 0)
    # The two requests for the erased address have not written it anywhere.
    assert find_traces(service.database.parent, traces) == []


@pytest.mark.slow
def test_erasure_during_writes_leaves_no_trace_and_loses_no_write(
    service: RunningService,
) -> None:
    ann, bob = TraceableUser("ann"), TraceableUser("bob")
    send_captures(service, ann, ann.captures(CAPTURES))
    erased = threading.Event()
    sent: list[tuple[str, int]] = []

    def write() -> None:
        while not erased.is_set():
            capture_id = uuid.uuid4().hex
            response = service.capture(
                "activity",
                {"user_email": bob.email, "capture_id": capture_id, "activity_type": "load"},
            )
            sent.append((capture_id, response.status_code))

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    try:
        response = erase(service, ann.email)
    finally:
        erased.set()
        for writer in writers:
            writer.join()
    assert response.json()["complete"] is True
    assert find_traces(service.database.parent, ann.traces()) == []
    stored = {capture_id for capture_id, status in sent if status == 201}
    assert len(stored) >= len(sent) * 0.9
    assert stored == {
        row["capture_id"] for row in service.rows("SELECT capture_id FROM capture_receipts")
    }
    assert_whole(service)


@pytest.mark.slow
def test_erasure_leaves_no_copies_on_pages_with_rows_of_many_users(tmp_path: Path) -> None:
    """Moving rows between pages leaves copies that `PRAGMA secure_delete` does not overwrite."""
    users = [TraceableUser(f"p{number}") for number in range(24)]
    with closing(store_in(tmp_path)) as store:
        captures = shuffle_captures(users, 60)
        for start in range(0, len(captures), 50):
            store_captures(store, [capture for _, capture in captures[start : start + 50]])
        eraser = UserEraser(store)
        for user in users[:8]:
            _, is_complete = eraser.erase(user.email, "a test")
            assert is_complete
            assert find_traces(tmp_path, {"email": user.email[:12].encode(), **user.traces()}) == []


def test_every_table_is_erased_or_listed_as_without_user_data() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript((REPOSITORY / "schema.sql").read_text())
        tables = {
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
    assert {*list_user_tables(), USERS, RECEIPTS, *TABLES_WITHOUT_USER_DATA} == {
        name for name in tables if not name.startswith("sqlite_")
    }
    assert AUDIT in list_user_tables()


@pytest.mark.slow
def test_audit_record_of_an_erasure_does_not_identify_the_user(
    service: RunningService,
) -> None:
    ann = TraceableUser("ann")
    send_captures(service, ann, ann.captures(8))
    pseudonym = erase(service, ann.email).json()["pseudonym"]
    records = service.rows("SELECT * FROM data_capture_audit ORDER BY id")
    assert {record["user_email"] for record in records} == {pseudonym}
    assert [record["capture_type"] for record in records] == [
        *(one["type"] for one in ann.captures(8)),
        "erasure",
    ]
    assert records[-1]["source_endpoint"] == "/api/data-capture/users/<person:email>"
    assert ann.name not in pseudonym


@pytest.mark.slow
def test_erasure_and_export_require_the_admin_token(service: RunningService) -> None:
    ann = TraceableUser("ann")
    send_captures(service, ann, ann.captures(4))
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        for method, url in (
            ("DELETE", user_url(service, ann.email)),
            ("GET", f"{user_url(service, ann.email)}/export"),
        ):
            response = requests.request(method, f"{url}?token={TOKEN}", headers=headers, timeout=30)
            assert (response.status_code, ann.email in response.text) == (401, False)
    assert len(service.rows("SELECT id FROM data_capture_audit")) == 4


@pytest.mark.slow
def test_erasing_an_unknown_user_succeeds_with_counts_of_zero(service: RunningService) -> None:
    for _ in range(2):
        response = erase(service, "nobody@example.com")
        assert (response.status_code, set(response.json()["erased"].values())) == (200, {0})
    assert erase(service, "not an address").status_code == 422
    assert len(service.rows("SELECT id FROM users")) == 1  # the pseudonym of the two audit records
    assert_whole(service)


@pytest.mark.slow
def test_erase_command_works_with_and_without_a_running_service(service: RunningService) -> None:
    ann, bob = TraceableUser("ann"), TraceableUser("bob")
    send_captures(service, ann, ann.captures(8) + bob.captures(8))
    command = [sys.executable, "-m", "data_capture", "erase", "--database", str(service.database)]
    result = subprocess.run(
        [*command, ann.email.upper()], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert "Erased: payment_data 2, questionnaire_data 2" in result.stdout
    assert find_traces(service.database.parent, {**ann.traces(), "agent": ann.email.encode()}) == []
    service.stop()
    result = subprocess.run(
        [*command, bob.email], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert "8 audit records kept" in result.stdout
    assert find_traces(service.database.parent, bob.traces()) == []
    assert_whole(service)


# --- Databases of other programs ------------------------------------------------------------------


def adopt_database(directory: Path, *scripts: str) -> Path:
    database = directory / "trading_bots.db"
    with closing(sqlite3.connect(database)) as connection:
        for script in scripts:
            connection.executescript((DATABASES / script).read_text())
    prepare(database)
    return database


def erase_in(database: Path, email: str) -> tuple[str, ...]:
    with closing(open_connection(database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        erased = erase_user(
            connection, email, erased_at="2024-01-15T10:30:00.000Z", source_endpoint="a test"
        )
        connection.execute("COMMIT")
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    return erased.emptied_for


@pytest.mark.parametrize("script", ["users_in_sql.sql", "users_by_orm.sql"])
def test_user_row_referenced_by_another_program_is_emptied(tmp_path: Path, script: str) -> None:
    database = adopt_database(tmp_path, script, "other_programs.sql")
    foreign_rows = (
        "SELECT user_id, activity FROM user_activities "
        "UNION ALL SELECT user_id, step FROM user_progress WHERE step = 'paid'"
    )
    before = rows(database, foreign_rows)
    assert erase_in(database, "ann@example.com") == ("user_activities", "user_progress")
    [ann] = rows(database, "SELECT * FROM users WHERE id = 1")
    assert ann["email"].startswith("erased-")
    assert "ann" not in "".join(str(value).lower() for value in ann.values())
    assert ann["password_hash"] == "!"
    assert rows(database, foreign_rows) == before
    others = rows(database, "SELECT email FROM users WHERE id IN (2, 3) ORDER BY id")
    assert [row["email"] for row in others] == ["bob@example.com", "cyd@example.com"]


def test_rows_of_another_program_that_cascade_from_users_are_deleted(tmp_path: Path) -> None:
    database = adopt_database(tmp_path, "users_in_sql.sql", "other_programs.sql")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM user_activities")
        connection.execute("DELETE FROM user_progress")
    assert erase_in(database, "ann@example.com") == ()
    assert rows(database, "SELECT * FROM users WHERE id = 1") == []
    assert rows(database, "SELECT * FROM payments") == []


def test_every_spelling_of_an_address_is_erased(tmp_path: Path) -> None:
    database = adopt_database(tmp_path, "users_without_passwords.sql")
    with closing(sqlite3.connect(database)) as connection, connection:
        # Foreign keys are off, as in the sqlite3 shell.
        connection.execute("INSERT INTO users (username, email) VALUES ('ann2', 'ann@example.com')")
        spellings = [("ANN@EXAMPLE.COM",), ("Ann@Example.COM",), ("bob@example.com",)]
        connection.executemany("INSERT INTO payment_data (user_email) VALUES (?)", spellings)
    assert erase_in(database, "ann@example.com") == ()
    assert [row["user_email"] for row in rows(database, "SELECT user_email FROM payment_data")] == [
        "bob@example.com"
    ]
    emails = [row["email"].lower() for row in rows(database, "SELECT email FROM users")]
    assert "ann@example.com" not in emails
