"""Test that health and log report refused writes until a real write has succeeded."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from data_capture.limits.disk_space import DiskSpace
from data_capture.problems import (
    ALREADY_EXISTS,
    GONE,
    TOO_MANY,
    UNAVAILABLE,
    UNUSABLE,
    Problem,
    ProblemType,
)
from data_capture.store import Store
from data_capture.store.sqlite.schema import prepare
from data_capture.store.write_refusals import Refusal, WriteRefusals
from tests.store.test_write_errors import FailingConnection, insert_tombstone
from tests.support.services import eventually

DISK_IS_FULL = sqlite3.OperationalError("database or disk is full")
PROBED_SECONDS = 30.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tuple[Store, FailingConnection]]:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    opened = Store(database, request_seconds=0.3)
    connection = FailingConnection(opened._writer._connection)
    opened._writer._connection = connection  # type: ignore[assignment]
    yield opened, connection
    connection.failing = {}
    opened.close()


def fail_write(store: Store) -> None:
    with pytest.raises(Problem) as refused:
        store.write(insert_tombstone("refused"))
    assert refused.value.problem_type is UNAVAILABLE


def raise_gone(_connection: sqlite3.Connection) -> None:
    raise Problem(GONE, "This was erased.")


PASSING_ERRORS = {
    "full disk": DISK_IS_FULL,
    "lock": sqlite3.OperationalError("database is locked"),
    "read-only file": sqlite3.OperationalError("attempt to write a readonly database"),
    "no descriptors": sqlite3.OperationalError("unable to open database file"),
}
LASTING_ERRORS = {
    "damaged page": sqlite3.DatabaseError("database disk image is malformed"),
    "rule of another program": sqlite3.IntegrityError("CHECK constraint failed: ours"),
    "no database": sqlite3.DatabaseError("file is not a database"),
}


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "COMMIT"])
@pytest.mark.parametrize("error", PASSING_ERRORS.values(), ids=PASSING_ERRORS)
def test_a_fault_lasts_until_a_probe_is_committed(
    store: tuple[Store, FailingConnection], error: sqlite3.Error, statement: str
) -> None:
    opened, connection = store
    assert opened.find_fault() is None
    connection.failing = {statement: error}
    fail_write(opened)
    time.sleep(1.3)  # a probe has failed, too
    assert opened.find_fault() is not None
    connection.failing = {}
    eventually(lambda: opened.find_fault() is None, "a probe succeeds", PROBED_SECONDS)


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize("error", LASTING_ERRORS.values(), ids=LASTING_ERRORS)
def test_a_fault_of_some_pages_lasts_until_a_client_write_is_committed(
    store: tuple[Store, FailingConnection], error: sqlite3.Error
) -> None:
    opened, connection = store
    connection.failing = {"COMMIT": error}
    fail_write(opened)
    connection.failing = {}
    time.sleep(1.5)
    assert str(error) in (opened.find_fault() or "")
    opened.write(insert_tombstone("kept"))
    assert opened.find_fault() is None


def read_only(connection: sqlite3.Connection) -> object:
    return connection.execute("SELECT count(*) FROM users").fetchone()


@pytest.mark.parametrize("job", [read_only, raise_gone], ids=["unchanged", "rejected"])
def test_a_commit_without_changes_does_not_end_a_fault(
    store: tuple[Store, FailingConnection], job: Callable[[Any], Any]
) -> None:
    """A duplicate's response needs no disk, so it does not show that the disk works."""
    opened, connection = store
    connection.failing = {"COMMIT": DISK_IS_FULL}
    fail_write(opened)
    connection.failing = {}
    assert "full" in (opened.find_fault() or "")
    [result] = opened.write_together([job])
    assert isinstance(result, Problem) is (job is raise_gone)
    assert "full" in (opened.find_fault() or "")


def test_rolled_back_changes_do_not_end_a_fault(store: tuple[Store, FailingConnection]) -> None:
    opened, connection = store
    connection.failing = {"COMMIT": sqlite3.DatabaseError("database disk image is malformed")}
    fail_write(opened)
    connection.failing = {}

    def insert_and_raise(connection: Any) -> None:
        insert_tombstone("rolled back")(connection)
        raise ValueError("a job fails after its changes")

    with pytest.raises(ValueError, match="a job fails"):
        opened.write(insert_and_raise)
    assert "malformed" in (opened.find_fault() or "")


def test_a_job_that_the_database_refuses_is_a_fault_although_its_commit_succeeds(
    store: tuple[Store, FailingConnection],
) -> None:
    opened, _ = store

    def meet_damage(_connection: sqlite3.Connection) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    results = opened.write_together([meet_damage, insert_tombstone("its neighbour")])
    assert isinstance(results[0], Problem)
    assert "malformed" in (opened.find_fault() or "")


@pytest.mark.parametrize("problem_type", [GONE, UNUSABLE, TOO_MANY, ALREADY_EXISTS])
def test_a_write_that_is_rejected_for_its_content_is_no_fault(
    store: tuple[Store, FailingConnection], problem_type: ProblemType
) -> None:
    def reject(_connection: sqlite3.Connection) -> None:
        raise Problem(problem_type, "The client's own fault.")

    with pytest.raises(Problem):
        store[0].write(reject)
    assert store[0].find_fault() is None


def test_a_full_queue_is_a_fault_until_a_write_is_committed(
    store: tuple[Store, FailingConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, _ = store
    with monkeypatch.context() as patch:
        patch.setattr("data_capture.store.write_queue.MAX_WAITING_JOBS", 0)
        with pytest.raises(Problem, match="Too many"):
            opened.write(insert_tombstone("refused"))
        assert "Too many" in (opened.find_fault() or "")
    opened.write(insert_tombstone("kept"))
    assert opened.find_fault() is None


@pytest.mark.slow
def test_an_overdue_write_is_a_fault(store: tuple[Store, FailingConnection]) -> None:
    opened, _ = store

    def hang(_connection: sqlite3.Connection) -> None:
        time.sleep(1.5)

    with pytest.raises(Problem):
        opened.write(hang)
    assert "did not take a write within the time" in (opened.find_fault() or "")
    eventually(lambda: opened.find_fault() is None, "a probe succeeds", PROBED_SECONDS)


@pytest.mark.slow
def test_probes_do_not_change_the_rows_and_stop_when_writing_works(
    store: tuple[Store, FailingConnection],
) -> None:
    opened, connection = store
    changes = connection.total_changes
    connection.failing = {"COMMIT": DISK_IS_FULL}
    fail_write(opened)
    connection.failing = {}
    eventually(lambda: opened.find_fault() is None, "a probe succeeds", PROBED_SECONDS)
    assert connection.total_changes == changes + 1  # of the refused write
    wal = opened.database.with_name("trading_bots.db-wal")
    modified = wal.stat().st_mtime_ns
    time.sleep(2.2)
    assert wal.stat().st_mtime_ns == modified


@pytest.mark.slow
def test_a_probe_needs_a_megabyte(
    store: tuple[Store, FailingConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, connection = store
    real = os.statvfs(opened.database.parent)
    short = SimpleNamespace(f_bavail=900_000 // real.f_frsize, f_frsize=real.f_frsize)
    connection.failing = {"COMMIT": DISK_IS_FULL}
    fail_write(opened)
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", lambda _path: short)
        connection.failing = {}
        time.sleep(2.5)
        assert "full" in (opened.find_fault() or "")
    eventually(lambda: opened.find_fault() is None, "a probe succeeds", PROBED_SECONDS)


@pytest.mark.slow
def test_a_disk_below_its_minimum_is_a_fault_until_it_has_space(
    store: tuple[Store, FailingConnection], caplog: pytest.LogCaptureFixture
) -> None:
    opened, _ = store
    caplog.set_level(logging.INFO)
    disk_space = DiskSpace(opened.database, 2**62, opened.note_refused_before_write)
    for _ in range(3):
        with pytest.raises(Problem, match="disk is almost full"):
            disk_space.refuse_if_short()
    opened.write(insert_tombstone("of a caller with a token"))
    time.sleep(1.3)
    assert "EDC_MIN_FREE_DISK" in (opened.find_fault() or "")
    disk_space._min_free_bytes = 1
    eventually(lambda: opened.find_fault() is None, "the disk has space", PROBED_SECONDS)
    first, end = messages(caplog)
    assert first.startswith("Writes are refused with status 503: The database's disk is almost")
    assert "in which 3 writes were refused: The database's disk is almost full" in end


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


class TestLog:
    """`WriteRefusals` with a clock of its own."""

    def setup_method(self) -> None:
        self.now = 1000.0
        self.refusals = WriteRefusals(Path("/data/trading_bots.db"), lambda: self.now)

    def refuse(self, reason: str = "The disk is full.", writes: int = 1, **fields: Any) -> None:
        self.refusals.refuse(Refusal(reason, **fields), writes)

    def test_first_refusal_is_logged_at_once_and_the_end_with_its_sums(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        for _ in range(50):
            self.refuse(writes=2)
            self.now += 0.5
        self.refusals.end()
        self.refusals.end()
        assert messages(caplog) == [
            "Writes are refused with status 503: The disk is full. File: /data/trading_bots.db",
            "The database can be written again, after 25.0 s in which 100 writes were refused: "
            "The disk is full.",
        ]
        assert caplog.records[0].levelno == logging.WARNING

    def test_a_long_refusal_is_logged_once_a_minute(self, caplog: pytest.LogCaptureFixture) -> None:
        for _ in range(190):
            self.refuse()
            self.now += 1
        assert [message.split(". File")[0] for message in messages(caplog)] == [
            "Writes are refused with status 503: The disk is full",
            "Writes are still refused, for 60 s: 61 writes were refused. The disk is full",
            "Writes are still refused, for 120 s: 121 writes were refused. The disk is full",
            "Writes are still refused, for 180 s: 181 writes were refused. The disk is full",
        ]

    def test_another_reason_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        self.refuse("The disk is full.")
        self.refuse("A page is damaged.", may_pass=False)
        assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
        assert self.refusals.current is not None
        assert self.refusals.current.reason == "A page is damaged."

    def test_alternating_success_and_refusal_does_not_fill_the_log(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        for _ in range(1000):
            self.refuse()
            assert self.refusals.current is not None
            self.refusals.end()
            assert self.refusals.current is None
            self.now += 0.1
        assert len(caplog.records) <= 2 * 2 * 5

    def test_probes_begin_no_refusal_and_a_lock_that_they_meet_is_no_reason(self) -> None:
        self.refuse(writes=0)
        assert self.refusals.current is None
        self.refuse("The disk is full.")
        self.refuse("Another program holds the lock.", writes=0, is_lock=True)
        assert self.refusals.current is not None
        assert self.refusals.current.reason == "The disk is full."
        self.refuse("The file is read-only.", writes=0)
        assert self.refusals.current.reason == "The file is read-only."

    def test_a_probe_does_not_end_what_it_can_not_test(self) -> None:
        self.refuse(may_pass=False)
        self.refusals.end(by_probe=True)
        assert self.refusals.current is not None
        self.refusals.end()
        assert self.refusals.current is None
