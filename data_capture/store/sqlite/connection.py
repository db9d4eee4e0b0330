"""Connections to the database file, and the gate that every writer of every process goes through."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# How much log is written before it is brought into the database, as a part of what that holds. In a large file each
# capture changes other pages, and those that are changed again and again, each person's latest ones, are then written there
# once in a while, and not always. Everybody who writes waits for it meanwhile: over a small file that is to be short.
_LOG_PART = 16
_MIN_LOG_BYTES = 8 * 1024 * 1024
_MAX_LOG_BYTES = 64 * 1024 * 1024
_CACHE_KIBIBYTES = 16 * 1024  # holds those pages
# The log grows while a reader holds an old state; once it can start again, what is beyond this is given back. Without such
# a reader it is smaller, and giving back and taking again at every turn would cost more than the disk space.
_LARGEST_IDLE_LOG = 1.5  # times that
_GATE_POLL_SECONDS = 0.0005  # a transaction takes about a millisecond, its fsync included


class GateTimeout(Exception):
    """Another process held the gate past the deadline."""


def create_private_file(path: Path) -> None:
    """Makes `path` where it is missing, readable by its owner only: it will hold personal data or a secret."""
    # O_NOFOLLOW: in a folder that others may write to, a link of theirs would have their file opened in its place.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))


def open_connection(database: Path, busy_seconds: float, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode, with the settings that the promises rest on.

    WAL lets readers go on while a writer commits; synchronous=FULL syncs the log at each commit; secure_delete zeroes
    what is deleted; an unknown database file may not bring schema code that runs here (trusted_schema).

    Raises:
        sqlite3.Error: the file isn't there, can't be opened or isn't a database.
    """
    mode = "ro" if read_only else "rw"
    connection = sqlite3.connect(
        f"{database.as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False, timeout=busy_seconds
    )
    try:
        # Before the journal mode: switching an existing file to WAL needs its lock.
        connection.execute(f"PRAGMA busy_timeout = {int(busy_seconds * 1000)}")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA foreign_keys = ON")
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
            fit_log(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def usual_log_bytes(database_bytes: int) -> int:
    """At which size the log of a database of this size is brought into it."""
    return min(max(database_bytes // _LOG_PART, _MIN_LOG_BYTES), _MAX_LOG_BYTES)


def fit_log(connection: sqlite3.Connection) -> None:
    """Has the log brought into the database at the size that is right for the database's size at this moment."""
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    log_bytes = usual_log_bytes(pages * page_bytes)
    connection.execute(f"PRAGMA wal_autocheckpoint = {log_bytes // page_bytes}")
    connection.execute(f"PRAGMA journal_size_limit = {round(log_bytes * _LARGEST_IDLE_LOG)}")


class Gate:
    """One advisory lock beside the database, held around each write transaction and around closing.

    SQLite 3.7.0 to 3.51.2 can corrupt a WAL database when one connection's checkpoint runs while another commits
    (sqlite.org/wal.html, "the WAL-reset bug"), and Python links whatever SQLite the system has.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + "-gate")
        create_private_file(self._path)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)

    def take_at_once(self) -> bool:
        """Takes the gate if no other process holds it; whoever got it gives it back with `release`."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Lets the next one through."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    @contextmanager
    def held(self, seconds: float) -> Iterator[None]:
        """Holds the gate for the block.

        Raises:
            GateTimeout: another process holds it for longer than `seconds`.
        """
        deadline = time.monotonic() + seconds
        while not self.take_at_once():
            if time.monotonic() >= deadline:
                raise GateTimeout
            time.sleep(_GATE_POLL_SECONDS)
        try:
            yield
        finally:
            self.release()

    def close(self) -> None:
        """Gives the lock's file back."""
        os.close(self._descriptor)
