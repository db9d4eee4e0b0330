"""Test the size of SQLite's WAL.

A checkpoint runs when the WAL has a sixteenth of the size of the file, between 8 and 64 MiB.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from data_capture.store import Store
from data_capture.store.sqlite.schema import prepare


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    prepare(tmp_path / "trading_bots.db")
    with closing(Store(tmp_path / "trading_bots.db", request_seconds=30)) as store:
        yield store


def checkpoint_pages(connection: sqlite3.Connection) -> int:
    """Return the size of the WAL, in pages, at which SQLite runs a checkpoint."""
    return int(connection.execute("PRAGMA wal_autocheckpoint").fetchone()[0])


@pytest.mark.parametrize("page_bytes", [1024, 4096, 65536])
def test_checkpoint_threshold_of_a_small_file_is_8_mib(page_bytes: int, tmp_path: Path) -> None:
    database = tmp_path / "trading_bots.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {page_bytes}")
        connection.execute("VACUUM")
    prepare(database)
    with closing(Store(database, request_seconds=30)) as store:
        assert store.write(checkpoint_pages) * page_bytes == 8 * 1024 * 1024


@pytest.mark.slow
def test_checkpoint_threshold_grows_with_the_file(store: Store) -> None:
    store.write(lambda connection: connection.execute("CREATE TABLE filling (content BLOB)"))
    for _ in range(40):  # in small writes: one large write can exceed the store's deadline
        store.write(
            lambda connection: connection.execute("INSERT INTO filling VALUES (zeroblob(5000000))")
        )
    for _ in range(1000):
        store.write(lambda connection: connection.execute("INSERT INTO filling VALUES (x'00')"))
    (pages,) = store.read(lambda connection: connection.execute("PRAGMA page_count").fetchone())
    assert store.write(checkpoint_pages) == pytest.approx(pages / 16, rel=0.01)


def test_wal_file_shrinks_after_large_writes(store: Store) -> None:
    for _ in range(6):
        store.write(lambda connection: connection.execute("CREATE TABLE filling (content BLOB)"))
        store.write(
            lambda connection: connection.execute("INSERT INTO filling VALUES (zeroblob(5000000))")
        )
        store.write(lambda connection: connection.execute("DROP TABLE filling"))
    assert store.wal_bytes() < 20_000_000
