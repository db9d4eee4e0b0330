"""Decide what a failed write means: a lock, a fault that may pass, or the loss of the database.

After a loss this process writes nothing more; it ends and is started again.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from pathlib import Path

from data_capture.problems import Problem
from data_capture.sql.reports import is_lock_error, may_pass
from data_capture.store.sqlite.file_watch import FileWatch
from data_capture.store.sqlite.lock import WriterLock, WriterLockTimeout
from data_capture.store.write_queue import unavailable
from data_capture.store.write_refusals import Refusal, WriteRefusals

log = logging.getLogger("data_capture.store")

_ABANDON_SECONDS = 5.0
_IO_ERROR = "disk I/O error"  # SQLITE_IOERR and its variants
_FAILED_SYNCS = (1034, 1290)  # SQLITE_IOERR_FSYNC, _DIR_FSYNC; Python 3.10 gives no code
_REPEAT_SECONDS = 60.0  # between two lines of the log about the same error of reading
_UNTIL_RESTARTED = "Nothing more is written until the service is started again."


class DatabaseLost(Exception):
    """Report that the open files are no longer in place, or can't be trusted."""


class WriterHealth:
    """Keep what is wrong with the database.

    Args:
        database: the path of the file.
        files: the open files.

    Attributes:
        refusals: whether writes are refused, and why.
        loss: why this process can write no more, as a sentence; None while it can.
        lost: set with `loss`.
        is_closing: set before the connection is closed, which removes the WAL.
    """

    def __init__(self, database: Path, files: FileWatch) -> None:
        self.files = files
        self.refusals = WriteRefusals(database)
        self.loss: str | None = None
        self.lost = threading.Event()
        self.is_closing = False
        self._database = database
        self._read_fault = ("", 0.0)

    def check_files(self) -> None:
        """Compare the files with those that were opened. Takes a few microseconds."""
        loss = self.files.find_loss()
        if loss is not None and self.loss is None and not self.is_closing:
            self._mark_lost(loss)

    def raise_if_lost(self) -> None:
        """Raise DatabaseLost if this process can write no more."""
        self.check_files()
        if self.loss is not None:
            raise DatabaseLost

    def problem_of_read(self, error: sqlite3.Error) -> Problem:
        """Return a 503 for an error of a query; log it, unless it is a lock."""
        reason = refusal_of(error).reason
        now = time.monotonic()
        before, logged_at = self._read_fault
        if not is_lock_error(error) and (reason != before or now - logged_at > _REPEAT_SECONDS):
            self._read_fault = reason, now
            log.error("%s File: %s", reason, self._database)
        return unavailable(reason)

    def refusal_after_rollback(self, error: BaseException) -> Refusal:
        """Return why a transaction was refused; remember a loss that its error reveals."""
        if isinstance(error, DatabaseLost):
            return Refusal(f"{self.loss} {_UNTIL_RESTARTED}", may_pass=False)
        if not isinstance(error, sqlite3.Error):
            log.error("Commit aborted", exc_info=error)
            return Refusal("The commit was aborted.")
        refusal = refusal_of(error)
        if not refusal.is_lock and self.is_failed_sync(error):
            # A page that failed to sync may be gone from the page cache although the next sync
            # succeeds. Only a new connection, which reads the WAL again, knows what is on disk.
            self._mark_lost(refusal.reason)
        return refusal

    def note_refused(self, refusal: Refusal, writes: int) -> None:
        """Begin or continue a refusal of writes; after a loss, that is reported instead."""
        if self.loss is None:
            self.refusals.refuse(refusal, writes)

    def is_failed_sync(self, error: sqlite3.Error) -> bool:
        """Return whether the disk failed; SQLite reports some cases of a full disk alike."""
        if getattr(error, "sqlite_errorcode", None) in _FAILED_SYNCS:
            return True
        return _IO_ERROR in str(error) and not self.files.lacks_space()

    def abandon(self) -> None:
        """Rename the WAL of a replaced database. Nothing is closed: that might write to it."""
        # A lock of its own: a commit that hangs on the failed disk may hold the writer's.
        writer_lock = WriterLock(self._database)
        try:
            with writer_lock.hold(_ABANDON_SECONDS):
                aside = self.files.set_wal_aside()
        except WriterLockTimeout:
            log.error(
                "The database's WAL was left in place: another process held the writer lock "
                "for %s s",
                _ABANDON_SECONDS,
            )
        else:
            if aside is not None:
                log.error(
                    "The WAL of the replaced database, which must not be applied to the new one, "
                    "is now %s",
                    aside,
                )
        finally:
            writer_lock.close()

    def _mark_lost(self, loss: str) -> None:
        self.loss = loss
        log.error("%s %s File: %s", loss, _UNTIL_RESTARTED, self._database)
        self.lost.set()


def refusal_of(error: sqlite3.Error) -> Refusal:
    """Return why SQLite refuses a write or a query."""
    if is_lock_error(error):
        return Refusal("Another program holds the database's lock.", is_lock=True)
    return Refusal(f"The database can't be used: {error}.", may_pass=may_pass(error))
