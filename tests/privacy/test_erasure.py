"""After an erasure nothing of the person is left: searched by their bytes, in every file, and everybody else is as before.

EDC_FULL_ERASURE=1 python3 test_enhanced_data_capture.py tests/privacy/test_erasure.py      # 500 captures among thousands: a minute
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
    Marked,
    assert_whole,
    erase,
    export,
    found_in,
    record,
    send,
    service_in,
    store_in,
    user_url,
)
from tests.support.services import REPOSITORY, RunningService, rows

FULL = "EDC_FULL_ERASURE" in os.environ
CAPTURES = 500 if FULL else 80
OTHERS = [Marked(f"other{number}") for number in range(20 if FULL else 4)]
DATABASES = REPOSITORY / "tests" / "databases"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    """A capture service with an admin token, over a database of its own."""
    with service_in(tmp_path) as running:
        yield running


def mixed(users: list[Marked], count: int) -> list[tuple[Marked, dict[str, object]]]:
    """So many captures of each, in an order that mixes them on every page of the file."""
    captures = [(user, capture) for user in users for capture in user.captures(count)]
    random.Random(1).shuffle(captures)
    return captures


def test_erasure_leaves_no_trace_of_the_user_and_other_users_unchanged(
    service: RunningService,
) -> None:
    ann = Marked("ann")
    for start in range(0, CAPTURES * (len(OTHERS) + 1), 100):
        group = mixed([ann, *OTHERS], CAPTURES)[start : start + 100]
        assert set(send(service, ann, [capture for _, capture in group])) <= {200, 201}
    assert len(
        {found.partition(" in ")[0] for found in found_in(service.database.parent, ann.traces())}
    ) == len(ann.traces())
    before = {
        other.email: (export(service, other.email), export(service, other.email, "zip"))
        for other in OTHERS
    }
    answer = erase(service, ann.email)
    assert (answer.status_code, answer.json()["complete"]) == (200, True)
    assert answer.json()["erased"]["payment_data"] == CAPTURES // 4
    traces = ann.traces()
    del traces["agent"]  # these tests sent everybody's from one browser
    assert found_in(service.database.parent, traces) == []
    assert {
        email: (export(service, email), export(service, email, "zip")) for email in before
    } == before
    assert_whole(service)
    assert (
        requests.get(
            f"{user_url(service, ann.email)}/export", headers=ADMIN, timeout=10
        ).status_code
        == 404
    )
    stats = requests.get(f"{service.url}/api/data-capture/stats/{ann.email}", timeout=10).json()
    assert (stats["total_data_points"], stats["data_counts"]["audit_records"]) == (0, 0)
    assert found_in(service.database.parent, traces) == []  # nor does asking bring anything back


def test_erasure_during_writes_leaves_no_trace_and_loses_no_write(
    service: RunningService,
) -> None:
    ann, bob = Marked("ann"), Marked("bob")
    send(service, ann, ann.captures(CAPTURES))
    over = threading.Event()
    sent: list[tuple[str, int]] = []

    def write() -> None:
        while not over.is_set():
            capture_id = uuid.uuid4().hex
            answer = service.capture(
                "activity",
                {"user_email": bob.email, "capture_id": capture_id, "activity_type": "load"},
            )
            sent.append((capture_id, answer.status_code))

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    try:
        answer = erase(service, ann.email)
    finally:
        over.set()
        for writer in writers:
            writer.join()
    assert answer.json()["complete"] is True
    assert found_in(service.database.parent, ann.traces()) == []
    taken = {capture_id for capture_id, status in sent if status == 201}
    assert len(taken) >= len(sent) * 0.9
    assert taken == {
        row["capture_id"] for row in service.rows("SELECT capture_id FROM capture_receipts")
    }
    assert_whole(service)


def test_erasure_leaves_no_copies_on_pages_with_rows_of_many_users(tmp_path: Path) -> None:
    """What secure_delete alone does not reach; the people are erased one after the other, while others go on."""
    users = [Marked(f"p{number}") for number in range(24)]
    with closing(store_in(tmp_path)) as store:
        captures = mixed(users, 60)
        for start in range(0, len(captures), 50):
            record(store, [capture for _, capture in captures[start : start + 50]])
        eraser = UserEraser(store)
        for user in users[:8]:
            _, is_complete = eraser.erase(user.email, "a test")
            assert is_complete
            assert found_in(tmp_path, {"email": user.email[:12].encode(), **user.traces()}) == []


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


def test_audit_record_of_an_erasure_does_not_identify_the_user(
    service: RunningService,
) -> None:
    ann = Marked("ann")
    send(service, ann, ann.captures(8))
    pseudonym = erase(service, ann.email).json()["pseudonym"]
    records = service.rows("SELECT * FROM data_capture_audit ORDER BY id")
    assert {record["user_email"] for record in records} == {pseudonym}
    assert [record["capture_type"] for record in records] == [
        *(one["type"] for one in ann.captures(8)),
        "erasure",
    ]
    assert records[-1]["source_endpoint"] == "/api/data-capture/users/<person:email>"
    assert ann.name not in pseudonym


def test_erasure_and_export_require_the_admin_token(service: RunningService) -> None:
    ann = Marked("ann")
    send(service, ann, ann.captures(4))
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        for method, url in (
            ("DELETE", user_url(service, ann.email)),
            ("GET", f"{user_url(service, ann.email)}/export"),
        ):
            answer = requests.request(method, f"{url}?token={TOKEN}", headers=headers, timeout=10)
            assert (answer.status_code, ann.email in answer.text) == (401, False)
    assert len(service.rows("SELECT id FROM data_capture_audit")) == 4


def test_erasing_an_unknown_user_succeeds_with_counts_of_zero(service: RunningService) -> None:
    for _ in range(2):
        answer = erase(service, "nobody@example.com")
        assert (answer.status_code, set(answer.json()["erased"].values())) == (200, {0})
    assert erase(service, "not an address").status_code == 422
    assert len(service.rows("SELECT id FROM users")) == 1  # whoever the records of these are of
    assert_whole(service)


def test_erase_command_works_with_and_without_a_running_service(service: RunningService) -> None:
    ann, bob = Marked("ann"), Marked("bob")
    send(service, ann, ann.captures(8) + bob.captures(8))
    command = [sys.executable, "-m", "data_capture", "erase", "--database", str(service.database)]
    ran = subprocess.run(
        [*command, ann.email.upper()], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert "Erased: payment_data 2, questionnaire_data 2" in ran.stdout
    assert found_in(service.database.parent, {**ann.traces(), "agent": ann.email.encode()}) == []
    service.stop()
    ran = subprocess.run(
        [*command, bob.email], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert "8 audit records kept" in ran.stdout
    assert found_in(service.database.parent, bob.traces()) == []
    assert_whole(service)


# --- Databases of other programs ----------------------------------------------------------------------------------------------


def taken_over(directory: Path, *scripts: str) -> Path:
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
    database = taken_over(tmp_path, script, "other_programs.sql")
    theirs = "SELECT user_id, activity FROM user_activities UNION ALL SELECT user_id, step FROM user_progress WHERE step = 'paid'"
    before = rows(database, theirs)
    assert erase_in(database, "ann@example.com") == ("user_activities", "user_progress")
    [ann] = rows(database, "SELECT * FROM users WHERE id = 1")
    assert ann["email"].startswith("erased-")
    assert "ann" not in "".join(str(value).lower() for value in ann.values())
    assert ann["password_hash"] == "!"
    assert rows(database, theirs) == before
    assert [row["email"] for row in rows(database, "SELECT email FROM users WHERE id IN (2, 3) ORDER BY id")] == [
        "bob@example.com", "cyd@example.com"
    ]  # fmt: skip


def test_rows_of_another_program_that_cascade_from_users_are_deleted(tmp_path: Path) -> None:
    database = taken_over(tmp_path, "users_in_sql.sql", "other_programs.sql")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM user_activities")
        connection.execute("DELETE FROM user_progress")
    assert erase_in(database, "ann@example.com") == ()
    assert rows(database, "SELECT * FROM users WHERE id = 1") == []
    assert rows(database, "SELECT * FROM payments") == []


def test_every_spelling_of_an_address_is_erased(tmp_path: Path) -> None:
    database = taken_over(tmp_path, "users_without_passwords.sql")
    with (
        closing(sqlite3.connect(database)) as connection,
        connection,
    ):  # foreign keys are off, as in the shell
        connection.execute("INSERT INTO users (username, email) VALUES ('ann2', 'ann@example.com')")
        spellings = [("ANN@EXAMPLE.COM",), ("Ann@Example.COM",), ("bob@example.com",)]
        connection.executemany("INSERT INTO payment_data (user_email) VALUES (?)", spellings)
    assert erase_in(database, "ann@example.com") == ()
    assert [row["user_email"] for row in rows(database, "SELECT user_email FROM payment_data")] == [
        "bob@example.com"
    ]
    assert not [
        row
        for row in rows(database, "SELECT email FROM users")
        if row["email"].lower() == "ann@example.com"
    ]
