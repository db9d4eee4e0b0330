"""Test that captures are neither lost nor duplicated, and that a lock only delays them."""

from __future__ import annotations

import fcntl
import sqlite3
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.services import RunningService, capture_service_in, eventually

KINDS = {
    "payment": "payment_data",
    "questionnaire": "questionnaire_data",
    "dashboard": "dashboard_data",
    "activity": "trading_activity_log",
}
USERS = [f"user-{number}@example.com" for number in range(40)]
DEFAULT_REQUEST_SECONDS = 5


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    """Run a capture service with its own database."""
    running = capture_service_in(tmp_path)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def short_deadline_service(tmp_path: Path) -> Iterator[RunningService]:
    """Run a capture service where a write may wait for half a second."""
    running = capture_service_in(tmp_path, EDC_REQUEST_SECONDS="0.5")
    running.start()
    yield running
    running.stop()


@contextmanager
def connect(database: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        yield connection


def assert_intact(database: Path) -> None:
    with connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def stored_marks(service: RunningService) -> list[str]:
    """Return the `mark` of each audit record, and check that each has exactly one row."""
    audited = service.rows(
        "SELECT data_snapshot ->> '$.mark' AS mark, capture_type "
        "FROM data_capture_audit ORDER BY id"
    )
    for kind, table in KINDS.items():
        [stored] = service.rows(f"SELECT count(*) AS rows FROM {table}")  # noqa: S608
        assert stored["rows"] == sum(record["capture_type"] == kind for record in audited)
    return [record["mark"] for record in audited]


def make_captures(count: int) -> list[tuple[str, dict[str, Any]]]:
    """Return the kinds and payloads of different captures of 40 users."""
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
        sent = make_captures(1280)
        with ThreadPoolExecutor(32) as pool:
            statuses = list(pool.map(lambda one: service.capture(*one).status_code, sent))
        assert set(statuses) == {201}
        assert sorted(stored_marks(service)) == sorted(payload["mark"] for _, payload in sent)
        assert_intact(service.database)

    @pytest.mark.slow
    def test_captures_of_two_services_on_one_file_are_each_stored_once(
        self, service: RunningService
    ) -> None:
        other = capture_service_in(service.database.parent)
        other.start()
        try:
            sent = make_captures(640)
            with ThreadPoolExecutor(16) as pool:
                responses = [
                    pool.submit((service, other)[number % 2].capture, *one).result
                    for number, one in enumerate(sent)
                ]
                assert {response().status_code for response in responses} == {201}
            # Each service recognises what the other one stored.
            assert other.capture(*sent[0]).headers["Idempotency-Replayed"] == "true"
            assert service.capture(*sent[1]).headers["Idempotency-Replayed"] == "true"
        finally:
            other.stop()
        assert sorted(stored_marks(service)) == sorted(payload["mark"] for _, payload in sent)
        assert_intact(service.database)

    @pytest.mark.slow
    def test_failing_captures_fail_alone_and_leave_no_rows(self, service: RunningService) -> None:
        with connect(service.database) as connection:
            for table in ("payment_data", "data_capture_audit"):
                connection.execute(
                    f"CREATE TRIGGER no_{table} BEFORE INSERT ON {table} "
                    f"WHEN NEW.user_email LIKE '%{table}%' "
                    "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
                )
        good = [("payment", {"user_email": USERS[0], "mark": uuid.uuid4().hex}) for _ in range(200)]
        bad = [
            ("payment", {"user_email": f"{table}-{number}@example.com"})
            for number in range(50)
            for table in ("payment_data", "data_capture_audit")
        ]
        mixed = [
            one
            for number in range(100)
            for one in (good[2 * number], bad[number], good[2 * number + 1])
        ]
        with ThreadPoolExecutor(32) as pool:
            responses = list(pool.map(lambda one: service.capture(*one), mixed))
        for (_, payload), response in zip(mixed, responses, strict=True):
            assert response.status_code == (201 if "mark" in payload else 503), response.text
        assert sorted(stored_marks(service)) == sorted(payload["mark"] for _, payload in good)
        assert [row["email"] for row in service.rows("SELECT email FROM users")] == [USERS[0]]


class TestLockOfAnotherProgram:
    @pytest.mark.slow
    def test_write_gets_503_at_its_deadline_and_succeeds_after_the_lock(
        self, short_deadline_service: RunningService, user: str
    ) -> None:
        payload = {"user_email": user, "capture_id": uuid.uuid4().hex}
        with connect(short_deadline_service.database) as connection:
            connection.execute("BEGIN IMMEDIATE")
            for _ in range(2):
                began_at = time.monotonic()
                response = short_deadline_service.capture("payment", payload)
                # The deadline is the configured one of half a second.
                assert time.monotonic() - began_at < DEFAULT_REQUEST_SECONDS
                assert response.status_code == 503
                assert response.headers["Content-Type"] == "application/problem+json"
                assert int(response.headers["Retry-After"]) >= 1
            # Reads do not wait for the lock.
            assert requests.get(
                f"{short_deadline_service.url}/api/data-capture/stats/{user}", timeout=30
            ).ok
            health = requests.get(
                f"{short_deadline_service.url}/api/data-capture/health", timeout=30
            )
            assert health.status_code == 503
            assert health.json()["detail"] == "Another program holds the database's lock."
        assert short_deadline_service.capture("payment", payload).status_code == 201
        assert len(short_deadline_service.rows("SELECT 1 FROM payment_data")) == 1

    @pytest.mark.slow
    def test_waiting_writes_time_out_together(self, short_deadline_service: RunningService) -> None:
        with connect(short_deadline_service.database) as connection:
            connection.execute("BEGIN IMMEDIATE")
            began_at = time.monotonic()
            short_deadline_service.capture("payment", {"user_email": USERS[0]})
            seconds_of_one = time.monotonic() - began_at
            began_at = time.monotonic()
            with ThreadPoolExecutor(32) as pool:
                responses = list(
                    pool.map(lambda one: short_deadline_service.capture(*one), make_captures(32))
                )
            seconds_of_32 = time.monotonic() - began_at
        # One after the other, they would take 32 times as long.
        assert seconds_of_32 < 16 * seconds_of_one
        assert {response.status_code for response in responses} == {503}
        assert all("Retry-After" in response.headers for response in responses)
        assert stored_marks(short_deadline_service) == []

    @pytest.mark.slow
    def test_write_succeeds_when_the_lock_is_released_in_time(
        self, service: RunningService, user: str
    ) -> None:
        with connect(service.database) as connection, ThreadPoolExecutor(1) as pool:
            connection.execute("BEGIN IMMEDIATE")
            response = pool.submit(service.capture, "payment", {"user_email": user})
            time.sleep(0.4)  # nothing may happen while the lock is held
            assert not response.done()
            connection.execute("COMMIT")
            assert response.result().status_code == 201


@pytest.mark.slow
def test_write_waits_for_the_writer_lock(short_deadline_service: RunningService, user: str) -> None:
    writer_lock = short_deadline_service.database.with_name(
        short_deadline_service.database.name + "-gate"
    )
    with writer_lock.open("rb") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        response = short_deadline_service.capture("payment", {"user_email": user})
        assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert short_deadline_service.capture("payment", {"user_email": user}).status_code == 201


class TestKilledService:
    def test_kill_after_the_response_loses_nothing(self, service: RunningService) -> None:
        acknowledged = []
        for kind, payload in make_captures(6):
            assert service.capture(kind, payload).status_code == 201
            service.kill()
            acknowledged.append(payload["mark"])
            service.start()
        assert stored_marks(service) == acknowledged

    @pytest.mark.slow
    def test_kill_during_writes_loses_no_acknowledged_capture(
        self, service: RunningService
    ) -> None:
        sent = make_captures(4000)
        acknowledged: list[str] = []

        def send(one: tuple[str, dict[str, Any]]) -> None:
            try:
                if service.capture(*one).status_code == 201:
                    acknowledged.append(one[1]["mark"])
            except requests.RequestException:
                pass

        with ThreadPoolExecutor(16) as pool:
            pending = [pool.submit(send, one) for one in sent]
            eventually(lambda: len(acknowledged) >= 100, "captures are stored", seconds=60)
            service.kill()
            for future in pending:
                future.cancel()
        assert acknowledged
        service.start()
        stored = stored_marks(service)
        assert len(stored) == len(set(stored))
        assert set(acknowledged) <= set(stored)
        # The script sends captures again that were not acknowledged: each is stored once.
        for one in sent[: len(acknowledged) + 32]:
            assert service.capture(*one).status_code == 201
        assert len(stored_marks(service)) == len(set(stored_marks(service)))
        assert_intact(service.database)


class TestUsers:
    @pytest.mark.slow
    def test_existing_user_with_capitals_in_the_address_is_the_same_user(
        self, tmp_path: Path
    ) -> None:
        service = capture_service_in(tmp_path)
        with connect(service.database) as connection:
            connection.execute(
                "CREATE TABLE users "
                "(id INTEGER PRIMARY KEY, username TEXT, email TEXT UNIQUE, created_at TEXT)"
            )
            connection.execute("INSERT INTO users VALUES (1, 'old', 'Ada@Example.COM', '2020')")
        service.start()
        try:
            for price, spelling in enumerate(("ada@example.com", "ADA@EXAMPLE.COM")):
                payment = {"user_email": spelling, "final_price": price}
                assert service.capture("payment", payment).status_code == 201
            assert (
                service.rows("SELECT user_email FROM payment_data")
                == [{"user_email": "Ada@Example.COM"}] * 2
            )
            assert service.rows("SELECT email FROM users") == [{"email": "Ada@Example.COM"}]
            response = requests.get(
                f"{service.url}/api/data-capture/stats/ada@example.com", timeout=30
            ).json()
            assert (
                response["data_counts"]["payments"],
                response["data_counts"]["audit_records"],
            ) == (
                2,
                2,
            )
        finally:
            service.stop()
        assert_intact(service.database)
