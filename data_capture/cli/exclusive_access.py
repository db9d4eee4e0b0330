"""Keep all other programs out of a database while it is replaced."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from data_capture.cli.errors import CommandError
from data_capture.cli.open_handles import find_programs_using
from data_capture.sql.database_file import is_database_file
from data_capture.sql.reports import is_lock_error

# A program that uses the database keeps it open. Only one that is closing it is worth a wait.
_LOCK_TIMEOUT_SECONDS = 2.0
_POLL_SECONDS = 0.05

# SQLite's locks: PENDING_BYTE and the 511 bytes after it (sqlite.org/fileformat2.html, 1.3).
_LOCK_OFFSET_BYTES, _LOCK_BYTES = 0x40000000, 512


@contextmanager
def hold_exclusive_access(database: Path) -> Iterator[None]:
    """Hold SQLite's exclusive lock for the block, after a checkpoint of the WAL.

    Raises:
        CommandError: another program has the database open.
    """
    if not database.exists():
        yield
        return
    connection = None
    try:
        # SQLite would delete the WAL of an empty file, and that WAL may hold the only data.
        if is_database_file(database):
            connection = _open_exclusively(database)
        if connection is None:
            with _lock_bytes_of(database):
                _wait_for_other_programs(database)
                yield
        else:
            with closing(connection):
                _wait_for_other_programs(database)
                yield
    except sqlite3.Error as error:
        raise CommandError(
            f"{database} can't be set aside: {error}. Nothing was changed."
        ) from error


def _open_exclusively(database: Path) -> sqlite3.Connection | None:
    """Checkpoint the WAL and return a connection that holds the exclusive lock.

    Until the connection is closed, this process must not open and close the file by other means:
    POSIX would release the lock.

    Returns:
        None if the file is too damaged for SQLite.

    Raises:
        CommandError: another program has the database open.
        sqlite3.Error: the disk is full.
    """
    connection = sqlite3.connect(
        f"{database.as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        timeout=_LOCK_TIMEOUT_SECONDS,
    )
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        _wait_until(lambda: _try_lock(connection), database)
    except sqlite3.Error as error:
        connection.close()
        if "full" in str(error):
            raise
        return None
    except CommandError:
        connection.close()
        raise
    return connection


def _try_lock(connection: sqlite3.Connection) -> bool:
    """Checkpoint the WAL and lock the file; False if another connection exists."""
    try:
        # In WAL mode each connection holds a lock, for which SQLite does not wait here.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if is_lock_error(error):
            return False
        raise
    if connection.execute("PRAGMA journal_mode").fetchone() == ("delete",):
        return True
    connection.execute("ROLLBACK")
    return False


@contextmanager
def _lock_bytes_of(database: Path) -> Iterator[None]:
    """Take SQLite's exclusive lock on a file that SQLite can't read."""
    descriptor = os.open(database, os.O_RDWR | os.O_CLOEXEC)
    try:
        _wait_until(lambda: _try_lock_bytes(descriptor), database)
        yield
    finally:
        os.close(descriptor)


def _try_lock_bytes(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCK_BYTES, _LOCK_OFFSET_BYTES)
    except BlockingIOError:
        return False
    return True


def _wait_for_other_programs(database: Path) -> None:
    """Raise CommandError if another program still has the file open after the timeout.

    A program that has opened the file but not used it yet holds no lock. It would go on with the
    file that was set aside.
    """
    _wait_until(lambda: not find_programs_using(database), database)


def _wait_until(is_free: Callable[[], bool], database: Path) -> None:
    """Poll until `is_free`; raise CommandError after the timeout."""
    deadline = time.monotonic() + _LOCK_TIMEOUT_SECONDS
    while not is_free():
        if time.monotonic() >= deadline:
            raise _in_use_error(database)
        time.sleep(_POLL_SECONDS)


def _in_use_error(database: Path) -> CommandError:
    programs = ", ".join(find_programs_using(database)) or "another program"
    return CommandError(f"{database} is open in {programs}. Stop that first. Nothing was changed.")
