"""Write groups with the one connection of a process that writes."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_capture.problems import UNAVAILABLE, Problem
from data_capture.sql.reports import is_lock_error
from data_capture.store.sqlite.bulk import record_captures
from data_capture.store.sqlite.captures import RecordCapture
from data_capture.store.sqlite.connection import open_connection, set_checkpoint_size
from data_capture.store.sqlite.file_watch import FileWatch, identity_of
from data_capture.store.sqlite.lock import WriterLock, WriterLockTimeout
from data_capture.store.sqlite.writer_health import DatabaseLost, WriterHealth, refusal_of
from data_capture.store.write_queue import QueuedWrite, Result, WriteJob, unavailable
from data_capture.store.write_refusals import Refusal

log = logging.getLogger("data_capture.store")

_CLOSING_SECONDS = 5.0
_MAINTENANCE_BUSY_SECONDS = 0.2  # how long to wait for readers, while nothing can be written
_COMMITS_PER_RESIZE = 1000  # after which the WAL's size is fitted to the file's
# To compare few captures with each other takes longer than it saves. CPU time in µs per payment,
# stored alone and in bulk: 122 and 160 for 2 payments, 101 and 95 for 4, 94 and 77 for 6.
_MIN_BULK_CAPTURES = 6
_OTHER_PROCESS = Refusal("Another process is writing to the database.", is_lock=True)

Results = list[list[Any]]
"""For each write of a group, what its jobs returned or raised."""


class Writer:
    """Write one group at a time, in one transaction, while holding the writer lock.

    Either `write` does all of it and waits for locks. Or `begin` runs the group's jobs without
    waiting, `commit` commits in another thread, and `settle` gives the group its results; from
    `begin` to `settle` nothing else may use the writer.
    """

    def __init__(self, database: Path, seconds: float) -> None:
        """Open a database whose tables `schema.prepare` has made.

        Raises:
            OSError: the file is missing.
            sqlite3.Error: the file can't be opened.
            WriterLockTimeout: another process held the writer lock for `seconds`.
        """
        self._commits = 0
        self._changes_before = 0  # of the current group: SQLite's count of changed rows
        self._writer_lock = WriterLock(database)
        with self._writer_lock.hold(seconds):  # a restore holds it while it swaps the file
            identity = identity_of(database)
            self._connection = open_connection(database, seconds)
            # Opens the WAL, or creates it, so that `FileWatch` finds it.
            self._connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            self.health = WriterHealth(database, FileWatch(database))
        if identity_of(database) != identity:
            raise sqlite3.OperationalError("the file was replaced while it was being opened")

    def write(self, group: Sequence[QueuedWrite[Any]]) -> None:
        """Write and commit a group, and give its writes their results.

        If a lock is held past the earliest deadline, later writes are left without results.
        """
        deadline = min(write.deadline for write in group)
        try:
            self.health.raise_if_lost()
            with self._writer_lock.hold(max(0.0, deadline - time.monotonic())):
                results = self._run_and_commit(group, deadline)
            # A commit to a file that has lost its name must not be acknowledged.
            self.health.raise_if_lost()
        except WriterLockTimeout:
            self._refuse(_expired(group, deadline), _OTHER_PROCESS)
        except BaseException as error:  # noqa: BLE001  (each caller gets a 503, the log the cause)
            is_locked = isinstance(error, sqlite3.Error) and is_lock_error(error)
            refusal = self.health.refusal_after_rollback(error)
            self._refuse(_expired(group, deadline) if is_locked else group, refusal)
        else:
            self._succeed(group, results)

    def begin(self, group: Sequence[QueuedWrite[Any]]) -> Results | None:
        """Run a group's jobs in an open transaction, without waiting for locks.

        Returns:
            The results, to be committed; None if a lock is held or a job fails, and then nothing
            has changed.
        """
        health = self.health
        if health.loss is not None or health.is_closing or not self._writer_lock.try_acquire():
            return None
        try:
            self._connection.execute("PRAGMA busy_timeout = 0")
            self._connection.execute("BEGIN IMMEDIATE")
            return self._run_jobs(group)
        except Exception:  # noqa: BLE001  (`write` meets it again, and returns or logs it)
            self._roll_back()
            self._writer_lock.release()
            return None

    def commit(self) -> BaseException | None:
        """Commit what `begin` has written; return the exception, or None. Runs in a thread.

        It does nothing else: beside a busy loop, a thread waits for each turn with the
        interpreter.
        """
        try:
            try:
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
        except BaseException as error:  # noqa: BLE001  (`settle` passes it on)
            return error
        return None

    def settle(
        self, group: Sequence[QueuedWrite[Any]], results: Results, error: BaseException | None
    ) -> None:
        """Give a group its results after `commit`, which returned `error`.

        Releases the writer lock that `begin` acquired: nothing else may write before the commit has
        ended. If the event loop is closed by then, another thread calls this.
        """
        self._writer_lock.release()
        try:
            if error is not None:
                raise error
            self.health.raise_if_lost()
        except BaseException as failure:  # noqa: BLE001  (each caller gets a 503, the log the cause)
            self._refuse(group, self.health.refusal_after_rollback(failure))
        else:
            self._succeed(group, results)

    def checkpoint(self, seconds: float) -> bool:
        """Checkpoint and truncate the WAL; return False if others prevent it.

        Readers of an old snapshot and writers of other programs do.

        Args:
            seconds: how long to wait for the writer lock.

        Raises:
            Problem: 503, the database can't be used.
        """
        return self._maintain("PRAGMA wal_checkpoint(TRUNCATE)", seconds)

    def vacuum(self, seconds: float) -> bool:
        """Rebuild the file (VACUUM).

        Arguments, result and exceptions are those of `checkpoint`.

        Where SQLite moves rows between pages, the freed space keeps copies of them, with
        secure_delete too. VACUUM removes them. It takes about a second for 100 MB.
        """
        return self._maintain("VACUUM", seconds)

    def _maintain(self, statement: str, seconds: float) -> bool:
        try:
            self.health.raise_if_lost()
            with self._writer_lock.hold(seconds):
                self._set_busy_timeout(_MAINTENANCE_BUSY_SECONDS)
                row = self._connection.execute(statement).fetchone()
        except WriterLockTimeout:
            return False
        except DatabaseLost as error:
            raise unavailable(self.health.refusal_after_rollback(error).reason) from error
        except sqlite3.Error as error:
            if is_lock_error(error):
                return False
            if self.health.is_failed_sync(error):
                raise unavailable(self.health.refusal_after_rollback(error).reason) from error
            # No fault: the database can be written all the same.
            raise unavailable(f"The database file can't be maintained: {error}.") from error
        return row is None or row[0] == 0  # a checkpoint's first column is 1 if it was blocked

    def close(self) -> None:
        """Close the connection; the last one of all processes checkpoints the WAL."""
        self.health.is_closing = True
        try:
            with self._writer_lock.hold(_CLOSING_SECONDS):
                self._connection.close()
        except WriterLockTimeout:
            log.warning(
                "The database was left open: another process held the writer lock for %s s",
                _CLOSING_SECONDS,
            )
        self._writer_lock.close()

    def _run_and_commit(self, group: Sequence[QueuedWrite[Any]], deadline: float) -> Results:
        """Run the jobs of a group in a transaction and commit it.

        Savepoints are used only after a job failed: a savepoint makes SQLite copy every page that
        changes after it, which is a quarter of the cost of a capture.
        """
        self._set_busy_timeout(max(0.0, deadline - time.monotonic()))
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                results = self._run_jobs(group)
            except Exception:
                if not self._connection.in_transaction:
                    raise  # SQLite rolled everything back (disk full, I/O error)
                self._connection.execute("ROLLBACK")
                self._connection.execute("BEGIN IMMEDIATE")
                self._changes_before = self._connection.total_changes
                results = [[self._run_in_savepoint(job) for job in write.jobs] for write in group]
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        return results

    def _run_jobs(self, group: Sequence[QueuedWrite[Any]]) -> Results:
        """Run the jobs of a group, captures together if they are many.

        Raises:
            Exception: of a job; its changes and those of the others are still in the transaction.
        """
        self._commits += 1
        if self._commits % _COMMITS_PER_RESIZE == 0:
            set_checkpoint_size(self._connection)
        self._changes_before = self._connection.total_changes
        jobs = [job for write in group for job in write.jobs]
        captures = [job.capture for job in jobs if isinstance(job, RecordCapture)]
        is_bulk = len(captures) == len(jobs) >= _MIN_BULK_CAPTURES
        results = iter(
            record_captures(self._connection, captures) if is_bulk else map(self._run, jobs)
        )
        return [[next(results) for _ in write.jobs] for write in group]

    def _run(self, job: WriteJob[Result]) -> Result | Exception:
        """Run a job; return its Problem if it raises one before it changes anything."""
        before = self._connection.total_changes
        try:
            return job(self._connection)
        except Problem as problem:
            if self._connection.total_changes != before:
                raise
            return problem

    def _run_in_savepoint(self, job: WriteJob[Result]) -> Result | Exception:
        """Run a job; if it fails, roll it back and return the exception."""
        self._connection.execute("SAVEPOINT one_write")
        before = self._connection.total_changes
        result: Result | Exception
        try:
            result = job(self._connection)
        except Exception as error:
            if not self._connection.in_transaction:
                raise  # SQLite rolled everything back
            self._connection.execute("ROLLBACK TO one_write")
            # SQLite counts changes that were rolled back, too.
            self._changes_before += self._connection.total_changes - before
            result = error
            if isinstance(error, sqlite3.Error):
                result = unavailable(refusal_of(error).reason)
        self._connection.execute("RELEASE one_write")
        return result

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _set_busy_timeout(self, seconds: float) -> None:
        self._connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")

    def _refuse(self, group: Sequence[QueuedWrite[Any]], refusal: Refusal) -> None:
        """Give writes a 503, and note what clients meet."""
        problem = unavailable(f"{refusal.reason} This was not stored.")
        writes = 0
        for write in group:
            write.results = [problem] * len(write.jobs)
            # The caller of a write that was given up has noted it.
            writes += 0 if write.is_probe or write.is_given_up else len(write.jobs)
        if group:
            self.health.note_refused(refusal, writes)

    def _succeed(self, group: Sequence[QueuedWrite[Any]], results: Results) -> None:
        """Give the writes of a committed group their results."""
        refused = [
            result
            for its_results in results
            for result in its_results
            if isinstance(result, Problem) and result.problem_type is UNAVAILABLE
        ]
        if refused:
            self.health.note_refused(Refusal(refused[-1].detail, may_pass=False), len(refused))
        elif self.health.refusals.current is not None:
            self._note_commit(group)
        for write, its_results in zip(group, results, strict=True):
            write.results = its_results

    def _note_commit(self, group: Sequence[QueuedWrite[Any]]) -> None:
        """End the refusal of writes, unless the commit wrote nothing.

        A duplicate or a rejected capture changes nothing, so that SQLite does not use the disk.
        """
        if self._connection.total_changes != self._changes_before:
            self.health.refusals.end()
        elif any(write.is_probe for write in group):
            self.health.refusals.end(by_probe=True)


def _expired(group: Sequence[QueuedWrite[Any]], deadline: float) -> list[QueuedWrite[Any]]:
    return [write for write in group if write.deadline <= deadline]
