"""Measure what the disk and SQLite alone allow."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

_PAGE = bytes(4096)  # SQLite's usual page


def measure_syncs(directory: Path, seconds: float) -> float:
    """Return how many times per second a page can be written and synced."""
    file = directory / "syncs"
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY, 0o600)
    sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync
    try:
        done, started_at = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - started_at) < seconds:
            os.pwrite(descriptor, _PAGE, done * len(_PAGE))
            sync(descriptor)
            done += 1
    finally:
        os.close(descriptor)
        file.unlink()
    return done / elapsed


def measure_commits(directory: Path, seconds: float) -> float:
    """Return how many times per second one connection can insert two rows and commit.

    Python's sqlite3 is used in WAL mode with synchronous=FULL.
    """
    with closing(sqlite3.connect(directory / "commits.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS captured (id INTEGER PRIMARY KEY, snapshot TEXT)"
        )
        done, started_at = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - started_at) < seconds:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO captured (snapshot) VALUES (?)", ("x" * 200,))
            connection.execute("INSERT INTO captured (snapshot) VALUES (?)", ("x" * 500,))
            connection.execute("COMMIT")
            done += 1
    return done / elapsed
