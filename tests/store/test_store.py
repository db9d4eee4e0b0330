"""Nothing acknowledged is lost, nothing is there twice, and a busy database is a reason to wait and not to fail."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from data_capture.problems import Problem
from data_capture.store import Store
from data_capture.store.sqlite.schema import prepare
from tests.support.services import RunningService, capture_service_in

KINDS = {
    "payment": "payment_data",
    "questionnaire": "questionnaire_data",
    "dashboard": "dashboard_data",
    "activity": "trading_activity_log",
}
USERS = [f"person-{number}@example.com" for number in range(40)]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    """A capture service over a database of its own."""
    running = capture_service_in(tmp_path)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def impatient_service(tmp_path: Path) -> Iterator[RunningService]:
    """A capture service that lets a request wait for half a second only."""
    running = capture_service_in(tmp_path, EDC_REQUEST_SECONDS="0.5")
    running.start()
    yield running
    running.stop()


@contextmanager
def another_program(database: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        yield connection


def assert_whole(database: Path) -> None:
    with another_program(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def marks_of(service: RunningService) -> list[str]:
    """The `mark` of every capture that is stored, by its audit record, and that each has exactly one row."""
    audited = service.rows(
        "SELECT data_snapshot ->> '$.mark' AS mark, capture_type FROM data_capture_audit ORDER BY id"
    )
    for kind, table in KINDS.items():
        [stored] = service.rows(f"SELECT count(*) AS rows FROM {table}")  # noqa: S608
        assert stored["rows"] == sum(record["capture_type"] == kind for record in audited)
    return [record["mark"] for record in audited]


def captures(count: int) -> list[tuple[str, dict[str, Any]]]:
    """Captures of all kinds for a few people, none equal to another: the kind and the payload."""
    kinds = list(KINDS)
    return [
        (
            kinds[number % 4],
            {
                "user_email": USERS[number % 40],
                "mark": uuid.uuid4().hex,
                "total_pnl": number,
                "propFirm": str(number),
                "capture_id": uuid.uuid4().hex,
            },
        )
        for number in range(count)
    ]


class TestConcurrentWrites:
    def test_captures_of_32_threads_are_each_stored_once(self, service: RunningService) -> None:
        sent = captures(1280)
        with ThreadPoolExecutor(32) as pool:
            statuses = list(pool.map(lambda one: service.capture(*one).status_code, sent))
        assert set(statuses) == {201}
        assert sorted(marks_of(service)) == sorted(payload["mark"] for _, payload in sent)
        assert_whole(service.database)

    def test_captures_of_two_services_on_one_file_are_each_stored_once(
        self, service: RunningService
    ) -> None:
        other = capture_service_in(service.database.parent)
        other.start()
        try:
            sent = captures(640)
            with ThreadPoolExecutor(16) as pool:
                answers = [
                    pool.submit((service, other)[number % 2].capture, *one).result
                    for number, one in enumerate(sent)
                ]
                assert {answer().status_code for answer in answers} == {201}
            # What one of them stored, the other knows.
            assert other.capture(*sent[0]).headers["Idempotency-Replayed"] == "true"
            assert service.capture(*sent[1]).headers["Idempotency-Replayed"] == "true"
        finally:
            other.stop()
        assert sorted(marks_of(service)) == sorted(payload["mark"] for _, payload in sent)
        assert_whole(service.database)

    def test_failing_captures_fail_alone_and_leave_no_rows(self, service: RunningService) -> None:
        with another_program(service.database) as connection:
            for table in ("payment_data", "data_capture_audit"):
                connection.execute(
                    f"CREATE TRIGGER no_{table} BEFORE INSERT ON {table} WHEN NEW.user_email LIKE '%{table}%' "
                    "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
                )
        good = [("payment", {"user_email": USERS[0], "mark": uuid.uuid4().hex}) for _ in range(200)]
        bad = [
            ("payment", {"user_email": f"{refuser}-{number}@example.com"})
            for number in range(50)
            for refuser in ("payment_data", "data_capture_audit")
        ]
        mixed = [
            one
            for number in range(100)
            for one in (good[2 * number], bad[number], good[2 * number + 1])
        ]
        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(lambda one: service.capture(*one), mixed))
        for (_, payload), answer in zip(mixed, answers, strict=True):
            assert answer.status_code == (201 if "mark" in payload else 503), answer.text
        assert sorted(marks_of(service)) == sorted(payload["mark"] for _, payload in good)
        assert [row["email"] for row in service.rows("SELECT email FROM users")] == [USERS[0]]


class TestLockOfAnotherProgram:
    def test_write_gets_503_at_its_deadline_and_succeeds_after_the_lock(
        self, impatient_service: RunningService, user: str
    ) -> None:
        payload = {"user_email": user, "capture_id": uuid.uuid4().hex}
        with another_program(impatient_service.database) as connection:
            connection.execute("BEGIN IMMEDIATE")
            for _ in range(2):
                began = time.monotonic()
                answer = impatient_service.capture("payment", payload)
                assert time.monotonic() - began < 1.5
                assert answer.status_code == 503
                assert answer.headers["Content-Type"] == "application/problem+json"
                assert int(answer.headers["Retry-After"]) >= 1
            # Who reads does not wait.
            assert requests.get(
                f"{impatient_service.url}/api/data-capture/stats/{user}", timeout=1
            ).ok
            assert requests.get(f"{impatient_service.url}/api/data-capture/health", timeout=1).ok
        assert impatient_service.capture("payment", payload).status_code == 201
        assert len(impatient_service.rows("SELECT 1 FROM payment_data")) == 1

    def test_waiting_writes_time_out_together(self, impatient_service: RunningService) -> None:
        with another_program(impatient_service.database) as connection:
            connection.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            with ThreadPoolExecutor(16) as pool:
                answers = list(pool.map(lambda one: impatient_service.capture(*one), captures(16)))
            assert time.monotonic() - began < 3
        assert {answer.status_code for answer in answers} == {503}
        assert all("Retry-After" in answer.headers for answer in answers)
        assert marks_of(impatient_service) == []

    def test_write_succeeds_when_the_lock_is_released_in_time(
        self, service: RunningService, user: str
    ) -> None:
        with another_program(service.database) as connection, ThreadPoolExecutor(1) as pool:
            connection.execute("BEGIN IMMEDIATE")
            answer = pool.submit(service.capture, "payment", {"user_email": user})
            time.sleep(0.4)
            assert not answer.done()
            connection.execute("COMMIT")
            assert answer.result().status_code == 201


def test_write_waits_for_the_writer_lock(impatient_service: RunningService, user: str) -> None:
    writer_lock = impatient_service.database.with_name(impatient_service.database.name + "-gate")
    with writer_lock.open("rb") as held_by_another_process:
        fcntl.flock(held_by_another_process, fcntl.LOCK_EX)
        answer = impatient_service.capture("payment", {"user_email": user})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert impatient_service.capture("payment", {"user_email": user}).status_code == 201


class TestKilledService:
    def test_kill_after_the_response_loses_nothing(self, service: RunningService) -> None:
        acknowledged = []
        for kind, payload in captures(6):
            assert service.capture(kind, payload).status_code == 201
            service.kill()
            acknowledged.append(payload["mark"])
            service.start()
        assert marks_of(service) == acknowledged

    def test_kill_during_writes_loses_no_acknowledged_capture(
        self, service: RunningService
    ) -> None:
        sent = captures(4000)
        acknowledged: list[str] = []

        def send(one: tuple[str, dict[str, Any]]) -> None:
            try:
                if service.capture(*one).status_code == 201:
                    acknowledged.append(one[1]["mark"])
            except requests.RequestException:
                pass

        with ThreadPoolExecutor(16) as pool:
            pending = [pool.submit(send, one) for one in sent]
            time.sleep(1)
            service.kill()
            for future in pending:
                future.cancel()
        assert acknowledged
        service.start()
        stored = marks_of(service)
        assert len(stored) == len(set(stored))
        assert set(acknowledged) <= set(stored)
        # Sent again, as the browser does with what was not acknowledged, each is there once.
        for one in sent[: len(acknowledged) + 32]:
            assert service.capture(*one).status_code == 201
        assert len(marks_of(service)) == len(set(marks_of(service)))
        assert_whole(service.database)


class TestUsers:
    def test_existing_user_with_capitals_in_the_address_is_the_same_user(
        self, tmp_path: Path
    ) -> None:
        service = capture_service_in(tmp_path)
        with another_program(service.database) as connection:
            connection.execute(
                "CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT, email TEXT UNIQUE, created_at TEXT)"
            )
            connection.execute("INSERT INTO users VALUES (1, 'old', 'Ada@Example.COM', '2020')")
        service.start()
        try:
            for spelling in ("ada@example.com", "ADA@EXAMPLE.COM"):
                assert service.capture("payment", {"user_email": spelling}).status_code == 201
            assert (
                service.rows("SELECT user_email FROM payment_data")
                == [{"user_email": "Ada@Example.COM"}] * 2
            )
            assert service.rows("SELECT email FROM users") == [{"email": "Ada@Example.COM"}]
            answer = requests.get(
                f"{service.url}/api/data-capture/stats/ada@example.com", timeout=10
            ).json()
            assert (answer["data_counts"]["payments"], answer["data_counts"]["audit_records"]) == (
                2,
                2,
            )
        finally:
            service.stop()
        assert_whole(service.database)


class FailingConnection:
    """A writer's connection whose statements fail as told: what no file on a healthy disk does."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.failing: dict[str, BaseException] = {}

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    @property
    def total_changes(self) -> int:
        return self._connection.total_changes

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        if statement in self.failing:
            raise self.failing[statement]
        return self._connection.execute(statement, *parameters)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tuple[Store, FailingConnection]]:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    opened = Store(database, request_seconds=2)
    connection = FailingConnection(opened._writer._connection)
    opened._writer._connection = connection  # type: ignore[assignment]
    yield opened, connection
    connection.failing = {}
    opened.close()


def note(text: str) -> Any:
    return lambda connection: connection.execute(
        "INSERT INTO data_capture_erasures (address_hash, erased_at, remaining) VALUES (?, '', 0)",
        (text,),
    )


def noted(store: Store) -> list[str]:
    return store.read(
        lambda connection: [
            row[0]
            for row in connection.execute(
                "SELECT address_hash FROM data_capture_erasures ORDER BY 1"
            )
        ]
    )


def log_pages(connection: sqlite3.Connection) -> int:
    """How much log is written before it is brought into the file."""
    return int(connection.execute("PRAGMA wal_autocheckpoint").fetchone()[0])


class TestTheLog:
    """It is brought into the file at a sixteenth of what that holds, between 8 and 64 MB."""

    @pytest.mark.parametrize("page_bytes", [1024, 4096, 65536])
    def test_checkpoint_threshold_of_a_small_file_is_8_mib(
        self, page_bytes: int, tmp_path: Path
    ) -> None:
        database = tmp_path / "trading_bots.db"
        with another_program(database) as connection:
            connection.execute(f"PRAGMA page_size = {page_bytes}")
            connection.execute("VACUUM")
        prepare(database)
        store = Store(database, request_seconds=2)
        assert store.write(log_pages) * page_bytes == 8 * 1024 * 1024
        store.close()

    def test_checkpoint_threshold_grows_with_the_file(
        self, store: tuple[Store, FailingConnection]
    ) -> None:
        opened, _ = store
        opened.write(lambda connection: connection.execute("CREATE TABLE filling (content BLOB)"))
        for _ in range(
            40
        ):  # not in one write, which a busy machine would take longer for than a write may
            opened.write(
                lambda connection: connection.execute(
                    "INSERT INTO filling VALUES (zeroblob(5000000))"
                )
            )
        for number in range(1000):
            opened.write(note(str(number)))
        (pages,) = opened.read(
            lambda connection: connection.execute("PRAGMA page_count").fetchone()
        )
        assert opened.write(log_pages) == pytest.approx(pages / 16, rel=0.01)

    def test_wal_file_shrinks_after_large_writes(
        self, store: tuple[Store, FailingConnection]
    ) -> None:
        opened, _ = store
        for _ in range(6):
            opened.write(
                lambda connection: connection.execute("CREATE TABLE filling (content BLOB)")
            )
            opened.write(
                lambda connection: connection.execute(
                    "INSERT INTO filling VALUES (zeroblob(5000000))"
                )
            )
            opened.write(lambda connection: connection.execute("DROP TABLE filling"))
        assert opened.wal_bytes() < 20_000_000


class TestFaults:
    def test_store_writes_nothing_after_a_failed_sync(
        self, store: tuple[Store, FailingConnection]
    ) -> None:
        opened, connection = store
        opened.write(note("before"))
        connection.failing = {"COMMIT": sqlite3.OperationalError("disk I/O error")}
        with pytest.raises(Problem, match="disk I/O error"):
            opened.write(note("lost"))
        connection.failing = {}
        assert "disk I/O error" in (opened.find_fault() or "")
        with pytest.raises(Problem, match="started again"):
            opened.write(note("after"))
        assert noted(opened) == ["before"]

    def test_full_disk_is_a_fault_until_a_write_succeeds(
        self, store: tuple[Store, FailingConnection]
    ) -> None:
        opened, connection = store
        connection.failing = {"COMMIT": sqlite3.OperationalError("database or disk is full")}
        with pytest.raises(Problem, match="disk is full") as refused:
            opened.write(note("lost"))
        assert refused.value.retry_after_seconds
        assert "disk is full" in (opened.find_fault() or "")
        connection.failing = {}
        opened.write(note("kept"))
        assert opened.find_fault() is None
        assert noted(opened) == ["kept"]

    def test_damaged_page_is_a_fault_and_not_a_crash(
        self, store: tuple[Store, FailingConnection]
    ) -> None:
        opened, connection = store
        connection.failing = {
            "BEGIN IMMEDIATE": sqlite3.DatabaseError("database disk image is malformed")
        }
        with pytest.raises(Problem, match="malformed"):
            opened.write(note("lost"))
        assert "malformed" in (opened.find_fault() or "")

    def test_aborted_commit_fails_every_write_of_its_group(
        self, store: tuple[Store, FailingConnection]
    ) -> None:
        opened, connection = store
        waiting = threading.Event()
        go_on = threading.Event()

        def hold_up(_connection: sqlite3.Connection) -> None:
            waiting.set()
            go_on.wait(5)

        with ThreadPoolExecutor(4) as pool:
            first = pool.submit(opened.write, hold_up)
            waiting.wait(5)
            others = [pool.submit(opened.write, note(str(number))) for number in range(3)]
            while opened._queue._jobs < 4:
                time.sleep(0.01)
            connection.failing = {"COMMIT": MemoryError()}
            go_on.set()
            outcomes = [future.exception(timeout=5) for future in (first, *others)]
        assert all(isinstance(outcome, Problem) for outcome in outcomes)
        connection.failing = {}
        opened.write(note("after"))
        assert noted(opened) == ["after"]

    def test_closed_store_rejects_reads_and_writes(self, tmp_path: Path) -> None:
        prepare(tmp_path / "trading_bots.db")
        opened = Store(tmp_path / "trading_bots.db", request_seconds=1)
        opened.close()
        with pytest.raises(Problem):
            opened.write(note("late"))
        with pytest.raises(Problem):
            noted(opened)
