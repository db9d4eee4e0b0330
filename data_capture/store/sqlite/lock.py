"""Let one writer at a time write to the database, across all processes."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_capture.store.sqlite.connection import create_private_file

_LOCK_POLL_SECONDS = 0.0005  # a transaction takes about a millisecond, its fsync included


class WriterLockTimeout(Exception):
    """Report that another process held the writer lock past the deadline."""


class WriterLock:
    """Hold one advisory file lock around each write transaction and around closing.

    SQLite 3.7.0 to 3.51.2 can corrupt a WAL database when one connection checkpoints while another
    commits (sqlite.org/wal.html, "the WAL-reset bug"), and Python links the system's SQLite.

    The kernel ties the lock to the open file, not to a thread: any thread of the process may
    release it.
    """

    def __init__(self, database: Path) -> None:
        path = writer_lock_file(database)
        create_private_file(path)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)

    def try_acquire(self) -> bool:
        """Acquire the lock if it is free; return whether it was. `release` it afterwards."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Release the lock."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    @contextmanager
    def hold(self, seconds: float) -> Iterator[None]:
        """Hold the lock for the duration of the block.

        Raises:
            WriterLockTimeout: another process still holds it after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while not self.try_acquire():
            if time.monotonic() >= deadline:
                raise WriterLockTimeout
            time.sleep(_LOCK_POLL_SECONDS)
        try:
            yield
        finally:
            self.release()

    def close(self) -> None:
        """Close the lock's file."""
        os.close(self._descriptor)


def writer_lock_file(database: Path) -> Path:
    """Return the path of the file that is locked, beside the database."""
    return database.with_name(database.name + "-gate")
