"""The one connection of a process that writes: its transactions, and what becomes of it when the disk or the file fails."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_capture.problems import Problem
from data_capture.sql.reports import is_lock_error
from data_capture.store.sqlite.bulk import record_captures
from data_capture.store.sqlite.captures import RecordCapture
from data_capture.store.sqlite.connection import open_connection, set_checkpoint_size
from data_capture.store.sqlite.file_watch import FileWatch, identity_of
from data_capture.store.sqlite.lock import WriterLock, WriterLockTimeout
from data_capture.store.write_queue import QueuedWrite, Result, WriteJob, unavailable

log = logging.getLogger("data_capture.store")

_CLOSING_SECONDS = 5.0
_CHECKPOINT_SECONDS = 0.2  # for which readers of a moment are waited for, while nobody can write
_IO_ERROR = "disk I/O error"  # SQLITE_IOERR and its variants
_FAILED_SYNCS = (
    1034,
    1290,
)  # SQLITE_IOERR_FSYNC and SQLITE_IOERR_DIR_FSYNC; Python 3.10 does not tell
_COMMITS_A_FITTING = 1000  # after which the log's size follows the file's, should that have grown
_MIN_TOGETHER = (
    6  # captures; finding out what fewer have to do with each other takes longer than it saves
)
_UNTIL_RESTARTED = "Nothing more is written until the service is started again."

Results = list[list[Any]]
"""For each write of a group what its works returned or raised."""


class Writer:
    """One transaction at a time, each for a group of writes, and each through the gate.

    A group is written whole by `write`, which waits for locks; or by `begin`, which doesn't, `commit` in another thread,
    and `settle`. From the first to the last of these three nobody else may write.
    """

    def __init__(self, database: Path, seconds: float) -> None:
        """Opens the file; `prepare` of `store.takeover` has made sure of its tables.

        Raises:
            OSError: the file isn't there.
            sqlite3.Error: the file can't be opened.
            WriterLockTimeout: another process held the gate for longer than `seconds`.
        """
        self.database = database
        self.lost = threading.Event()
        self.fault: str | None = None
        self.loss: str | None = None
        self._is_closing = False
        self._commits = 0
        self._writer_lock = WriterLock(database)
        with self._writer_lock.hold(seconds):  # a restore swaps the file with the gate held
            identity = identity_of(database)
            self._connection = open_connection(database, seconds)
            self._connection.execute(
                "SELECT 1 FROM sqlite_master"
            ).fetchone()  # opens the log, or makes it
            self.files = FileWatch(database)
        if identity_of(database) != identity:
            raise sqlite3.OperationalError("the file was replaced while it was being opened")

    def write(self, group: Sequence[QueuedWrite[Any]]) -> None:
        """Writes and commits a group, and gives each its results.

        Those that may wait longer for a lock than the first of them are left without.
        """
        deadline = min(pending.deadline for pending in group)
        try:
            self._refuse_loss()
            with self._writer_lock.hold(max(0.0, deadline - time.monotonic())):
                results = self._write_in_transaction(group, deadline)
            self._refuse_loss()  # what was written to a file without a name is no reason to acknowledge anything
        except WriterLockTimeout:
            busy = unavailable("Another process is writing to the database; this was not stored.")
            _fail([pending for pending in group if pending.deadline <= deadline], busy)
        except BaseException as error:  # noqa: BLE001  (each caller is answered, and the log has the cause)
            waits_on = isinstance(error, sqlite3.Error) and is_lock_error(error)
            refusal = self._refusal_after(error)
            _fail(
                [pending for pending in group if pending.deadline <= deadline or not waits_on],
                refusal,
            )
        else:
            self._succeed(group, results)

    def begin(self, group: Sequence[QueuedWrite[Any]]) -> Results | None:
        """Writes a group, but for the commit, if that takes no waiting and all goes well; if not, None, and nothing is done."""
        if self.loss is not None or self._is_closing or not self._writer_lock.try_acquire():
            return None
        try:
            self._connection.execute("PRAGMA busy_timeout = 0")
            self._connection.execute("BEGIN IMMEDIATE")
            return self._run_all(group)
        except Exception:  # noqa: BLE001  (it is met again by `write`, which answers it or logs it with its cause)
            self._roll_back()
            self._writer_lock.release()
            return None

    def commit(self) -> BaseException | None:
        """Commits what `begin` has written; what it failed of, or None. Called in another thread, which does no more.

        Beside a busy loop a thread waits a while for each of its turns with the interpreter.
        """
        try:
            try:
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
        except BaseException as error:  # noqa: BLE001  (`settle` answers each caller, and logs the cause)
            return error
        return None

    def settle(
        self, group: Sequence[QueuedWrite[Any]], results: Results, error: BaseException | None
    ) -> None:
        """Gives each write its results, or a refusal, after `commit`, whose outcome is `error`."""
        self._writer_lock.release()
        try:
            if error is not None:
                raise error
            self._refuse_loss()
        except BaseException as failed_of:  # noqa: BLE001  (each caller is answered, and the log has the cause)
            _fail(group, self._refusal_after(failed_of))
        else:
            self._succeed(group, results)

    def checkpoint(self, seconds: float) -> bool:
        """Brings the log into the file and empties it; False while somebody still reads an older state, or writes.

        Args:
            seconds: how long to wait for the gate.

        Raises:
            Problem: 503, when the database can't be used.
        """
        return self._maintain("PRAGMA wal_checkpoint(TRUNCATE)", seconds)

    def rewrite(self, seconds: float) -> bool:
        """Writes the file anew, with nothing in it but what is held, which takes about a second for 100 MB; False as above.

        Where SQLite moves rows from page to page, the room that they leave keeps a copy of them, also with secure_delete.
        """
        return self._maintain("VACUUM", seconds)

    def _maintain(self, statement: str, seconds: float) -> bool:
        try:
            self._refuse_loss()
            with self._writer_lock.hold(seconds):
                self._connection.execute(
                    f"PRAGMA busy_timeout = {round(_CHECKPOINT_SECONDS * 1000)}"
                )
                row = self._connection.execute(statement).fetchone()
        except WriterLockTimeout:
            return False
        except _Lost as error:
            raise self._refusal_after(error) from error
        except sqlite3.Error as error:
            if is_lock_error(error):
                return False
            if self._is_lost_sync(error):
                raise self._refusal_after(error) from error
            raise unavailable(
                f"The database file can't be put in order: {error}."
            ) from error  # it can be written all the same
        return row is None or row[0] == 0  # a checkpoint says whether it was kept from finishing

    def notice_loss(self) -> None:
        """Compares the files with those that were opened: a few microseconds, before every acknowledgement."""
        loss = self.files.loss()
        # The closing of the last connection removes the log: `_is_closing` is set before.
        if loss is not None and self.loss is None and not self._is_closing:
            self._lose(loss)

    def refusal(self, error: sqlite3.Error) -> Problem:
        """503 for what the database said; anything but a lock held by someone else is logged, once for each cause."""
        if is_lock_error(error):
            return unavailable("Another program holds the database's lock; this was not stored.")
        fault = f"The database can't be used: {error}."
        if fault != self.fault:
            log.error("%s File: %s", fault, self.database)
        self.fault = fault
        return unavailable(fault)

    def abandon(self) -> None:
        """What is left to do for lost files; this process closes nothing, which might write to them."""
        # A second one: a commit that hangs on the failed disk may hold this process's other one.
        writer_lock = WriterLock(self.database)
        try:
            with writer_lock.hold(_CLOSING_SECONDS):
                aside = self.files.set_log_aside()
        except WriterLockTimeout:
            log.error(
                "The database's log was left where it is: another process held the gate for %s s",
                _CLOSING_SECONDS,
            )
        else:
            if aside is not None:
                log.error(
                    "The log of the file that was replaced, which must not be applied to the new one, is now %s",
                    aside,
                )
        finally:
            writer_lock.close()

    def close(self) -> None:
        """Closes the file."""
        self._is_closing = True
        try:
            with self._writer_lock.hold(
                _CLOSING_SECONDS
            ):  # closing the last connection checkpoints
                self._connection.close()
        except WriterLockTimeout:
            log.warning(
                "The database was left open: another process held its gate for %s s",
                _CLOSING_SECONDS,
            )
        self._writer_lock.close()

    def _write_in_transaction(self, group: Sequence[QueuedWrite[Any]], deadline: float) -> Results:
        """What the works of each return or raise, once all is committed.

        Each has a savepoint of its own only when one has failed: a savepoint makes SQLite keep a copy of every page that
        changes after it, which is a quarter of all that a capture costs.
        """
        remaining_milliseconds = max(0, round((deadline - time.monotonic()) * 1000))
        self._connection.execute(f"PRAGMA busy_timeout = {remaining_milliseconds}")
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                results = self._run_all(group)
            except Exception:
                if not self._connection.in_transaction:
                    raise  # SQLite gave up the whole transaction (disk full, I/O error): nobody's work is stored
                self._connection.execute("ROLLBACK")
                self._connection.execute("BEGIN IMMEDIATE")
                results = [
                    [self._run_in_savepoint(work) for work in pending.jobs] for pending in group
                ]
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        return results

    def _run_all(self, group: Sequence[QueuedWrite[Any]]) -> Results:
        self._commits += 1
        if self._commits % _COMMITS_A_FITTING == 0:
            set_checkpoint_size(self._connection)
        jobs = [work for pending in group for work in pending.jobs]
        captures = [work.capture for work in jobs if isinstance(work, RecordCapture)]
        together = len(captures) == len(jobs) >= _MIN_TOGETHER
        outcomes = iter(
            record_captures(self._connection, captures) if together else map(self._run, jobs)
        )
        return [[next(outcomes) for _ in pending.jobs] for pending in group]

    def _run(self, work: WriteJob[Result]) -> Result | Exception:
        before = self._connection.total_changes
        try:
            return work(self._connection)
        except Problem as problem:
            if self._connection.total_changes != before:
                raise
            return problem

    def _run_in_savepoint(self, work: WriteJob[Result]) -> Result | Exception:
        self._connection.execute("SAVEPOINT one_write")
        result: Result | Exception
        try:
            result = work(self._connection)
        except Exception as error:
            if not self._connection.in_transaction:
                raise  # as above
            self._connection.execute("ROLLBACK TO one_write")
            result = self.refusal(error) if isinstance(error, sqlite3.Error) else error
        self._connection.execute("RELEASE one_write")
        return result

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _succeed(self, group: Sequence[QueuedWrite[Any]], results: Results) -> None:
        if self.fault is not None:
            log.info("The database can be written again")
        self.fault = None
        for pending, of_pending in zip(group, results, strict=True):
            pending.results = of_pending

    def _refusal_after(self, error: BaseException) -> Problem:
        """What is answered after a transaction failed of `error`; notes what that means for the next."""
        if isinstance(error, _Lost):
            return unavailable(f"{self.loss} {_UNTIL_RESTARTED}")
        if not isinstance(error, sqlite3.Error):
            log.error("A commit was broken off", exc_info=error)
            return unavailable("The write was broken off; this was not stored.")
        refusal = self.refusal(error)
        if not is_lock_error(error) and self._is_lost_sync(error):
            # A page that failed to sync may be gone from the cache although the next sync succeeds: only a new
            # connection, which reads the log again, knows what is there.
            self._lose(refusal.detail)
        return refusal

    def _is_lost_sync(self, error: sqlite3.Error) -> bool:
        """Whether the disk failed, and is not just full, which SQLite sometimes calls by the same name."""
        if getattr(error, "sqlite_errorcode", None) in _FAILED_SYNCS:
            return True
        return _IO_ERROR in str(error) and not self.files.lack_room()

    def _refuse_loss(self) -> None:
        self.notice_loss()
        if self.loss is not None:
            raise _Lost

    def _lose(self, loss: str) -> None:
        self.loss = loss
        log.error("%s %s File: %s", loss, _UNTIL_RESTARTED, self.database)
        self.lost.set()


class _Lost(Exception):
    """What was opened is not there any more, or can't be trusted."""


def _fail(group: Sequence[QueuedWrite[Any]], refusal: Problem) -> None:
    for pending in group:
        pending.results = [refusal] * len(pending.jobs)
