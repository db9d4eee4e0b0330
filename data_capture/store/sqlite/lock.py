"""The writer lock: one writer at a time, of all processes."""

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
    """Another process held the gate past the deadline."""


class WriterLock:
    """One advisory lock beside the database, held around each write transaction and around closing.

    SQLite 3.7.0 to 3.51.2 can corrupt a WAL database when one connection's checkpoint runs while another commits
    (sqlite.org/wal.html, "the WAL-reset bug"), and Python links whatever SQLite the system has.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + "-gate")
        create_private_file(self._path)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)

    def try_acquire(self) -> bool:
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
    def hold(self, seconds: float) -> Iterator[None]:
        """Holds the gate for the block.

        Raises:
            WriterLockTimeout: another process holds it for longer than `seconds`.
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
        """Gives the lock's file back."""
        os.close(self._descriptor)
