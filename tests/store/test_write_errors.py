"""Test writes that fail: a failed sync, a full disk, a damaged page, an aborted commit."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from data_capture.problems import Problem
from data_capture.store import Store
from data_capture.store.sqlite.schema import prepare
from tests.support.services import eventually


class FailingConnection:
    """Connection of the writer that raises the given errors, as a failing disk does."""

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
    opened = Store(database, request_seconds=30)
    connection = FailingConnection(opened._writer._connection)
    opened._writer._connection = connection  # type: ignore[assignment]
    yield opened, connection
    connection.failing = {}
    opened.close()


def insert_tombstone(text: str) -> Any:
    return lambda connection: connection.execute(
        "INSERT INTO data_capture_erasures (address_hash, erased_at, remaining) VALUES (?, '', 0)",
        (text,),
    )


def read_tombstones(store: Store) -> list[str]:
    return store.read(
        lambda connection: [
            row[0]
            for row in connection.execute(
                "SELECT address_hash FROM data_capture_erasures ORDER BY 1"
            )
        ]
    )


def test_store_writes_nothing_after_a_failed_sync(store: tuple[Store, FailingConnection]) -> None:
    opened, connection = store
    opened.write(insert_tombstone("before"))
    connection.failing = {"COMMIT": sqlite3.OperationalError("disk I/O error")}
    with pytest.raises(Problem, match="disk I/O error"):
        opened.write(insert_tombstone("lost"))
    connection.failing = {}
    assert "disk I/O error" in (opened.find_fault() or "")
    with pytest.raises(Problem, match="started again"):
        opened.write(insert_tombstone("after"))
    assert read_tombstones(opened) == ["before"]


def test_full_disk_is_a_fault_until_a_write_succeeds(
    store: tuple[Store, FailingConnection],
) -> None:
    opened, connection = store
    connection.failing = {"COMMIT": sqlite3.OperationalError("database or disk is full")}
    with pytest.raises(Problem, match="disk is full") as refused:
        opened.write(insert_tombstone("lost"))
    assert refused.value.retry_after_seconds
    assert "disk is full" in (opened.find_fault() or "")
    connection.failing = {}
    opened.write(insert_tombstone("kept"))
    assert opened.find_fault() is None
    assert read_tombstones(opened) == ["kept"]


def test_damaged_page_is_a_fault_and_not_a_crash(store: tuple[Store, FailingConnection]) -> None:
    opened, connection = store
    connection.failing = {
        "BEGIN IMMEDIATE": sqlite3.DatabaseError("database disk image is malformed")
    }
    with pytest.raises(Problem, match="malformed"):
        opened.write(insert_tombstone("lost"))
    assert "malformed" in (opened.find_fault() or "")


def test_aborted_commit_fails_every_write_of_its_group(
    store: tuple[Store, FailingConnection],
) -> None:
    opened, connection = store
    is_writing, may_finish = threading.Event(), threading.Event()

    def hold_up(_connection: sqlite3.Connection) -> None:
        is_writing.set()
        may_finish.wait(30)

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(opened.write, hold_up)
        assert is_writing.wait(30)
        others = [pool.submit(opened.write, insert_tombstone(str(number))) for number in range(3)]
        eventually(lambda: opened._queue._jobs == 4, "four writes wait", seconds=30)
        connection.failing = {"COMMIT": MemoryError()}
        may_finish.set()
        outcomes = [future.exception(timeout=60) for future in (first, *others)]
    assert all(isinstance(outcome, Problem) for outcome in outcomes)
    connection.failing = {}
    opened.write(insert_tombstone("after"))
    assert read_tombstones(opened) == ["after"]


def test_closed_store_rejects_reads_and_writes(tmp_path: Path) -> None:
    prepare(tmp_path / "trading_bots.db")
    opened = Store(tmp_path / "trading_bots.db", request_seconds=1)
    opened.close()
    with pytest.raises(Problem):
        opened.write(insert_tombstone("late"))
    with pytest.raises(Problem):
        read_tombstones(opened)
