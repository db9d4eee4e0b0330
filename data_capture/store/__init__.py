"""Where captures and accounts go: `Store`, over one SQLite file.

`Store.write` takes work to do in a transaction and returns once that is committed and synced; `Store.read` takes work
that only reads. What the work is, as SQL, is in the rooms beside this file.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from data_capture.problems import UNAVAILABLE, Problem
from data_capture.store.connection import Gate, GateTimeout, open_connection
from data_capture.store.presence import OpenedFiles, identity_of

log = logging.getLogger("data_capture.store")

_CLOSING_SECONDS = 5.0
_PROBE_SECONDS = 0.2
_IO_ERROR = "disk I/O error"  # SQLITE_IOERR and its variants
_FAILED_SYNCS = (1034, 1290)  # SQLITE_IOERR_FSYNC and SQLITE_IOERR_DIR_FSYNC; Python 3.10 does not tell
_CLOSED = "it was closed, since the service is stopping"
_UNTIL_RESTARTED = "Nothing more is written until the service is started again."
_MOST_WRITES_A_COMMIT = 256  # bounds how long the first of them waits for its answer

Result = TypeVar("Result")


Work = Callable[[sqlite3.Connection], Result]


class _PendingWrite(Generic[Result]):
    """What one caller wants written, on its way through a commit."""

    def __init__(self, works: Sequence[Work[Result]], deadline: float) -> None:
        self.works = works
        self.deadline = deadline
        self.settled = False
        self.results: list[Result | Exception] = []

    def fail(self, error: Exception) -> None:
        self.results = [error] * len(self.works)
        self.settled = True


class Store:
    """The database of one process: one connection that writes, one that reads.

    Writes are committed in groups: whoever gets to write first also commits for all who queued up behind, so that one
    fsync serves many. Each has a savepoint of its own and fails alone.
    """

    def __init__(self, database: Path, request_seconds: float) -> None:
        """Opens the file; `prepare` of `store.takeover` has made sure of its tables.

        Raises:
            OSError: the file isn't there.
            sqlite3.Error: the file can't be opened.
            GateTimeout: another process held the gate for longer than `request_seconds`.
        """
        self.database = database
        self._request_seconds = request_seconds
        self._gate = Gate(database)
        with self._gate.held(request_seconds):  # a restore swaps the file with the gate held
            identity = identity_of(database)
            self._writer = open_connection(database, request_seconds)
            self._reader = open_connection(database, request_seconds, read_only=True)
            self._writer.execute("SELECT 1 FROM sqlite_master").fetchone()  # opens the log, or makes it
            self._files = OpenedFiles(database)
        if identity_of(database) != identity:
            raise sqlite3.OperationalError("the file was replaced while it was being opened")
        self._reading = threading.Lock()
        self._committing = threading.Lock()
        self._pending: deque[_PendingWrite[Any]] = deque()
        self._fault: str | None = None
        self._loss: str | None = None
        self._lost = threading.Event()
        self._closed = False

    def write(self, work: Work[Result]) -> Result:
        """What `work` returns, once its changes are on disk; an exception of its own undoes its changes alone.

        Raises:
            Problem: 503, when the database can't take the write within `request_seconds`. It may still be written
                later: sending the same capture_id again finds out.
        """
        [result] = self.write_together([work])
        if isinstance(result, Exception):
            raise result
        return result

    def write_together(self, works: Sequence[Work[Result]]) -> list[Result | Exception]:
        """What each of `works` returns or raises, once the changes of all are on disk, in one commit.

        An exception undoes the changes of its own work alone. When the database can't take them within
        `request_seconds` each gets the Problem, 503, that `write` raises.
        """
        if not works:
            return []
        pending = _PendingWrite(works, time.monotonic() + self._request_seconds)
        self._pending.append(pending)
        if self._committing.acquire(timeout=self._request_seconds):
            try:
                while not pending.settled:
                    self._commit_pending(pending.deadline)
            finally:
                self._committing.release()
        elif not pending.settled:
            self._withdraw(pending)
            busy = _unavailable("The database is busy; this was not stored within the time a request may take.")
            return [busy] * len(works)
        return pending.results

    def read(self, query: Callable[[sqlite3.Connection], Result]) -> Result:
        """What `query` returns; everything that it reads is of one moment.

        Raises:
            Problem: 503, when the database can't be read now.
        """
        with self._reading:
            try:
                self._reader.execute("BEGIN")
                try:
                    return query(self._reader)
                finally:
                    if self._reader.in_transaction:
                        self._reader.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise self._refusal(error) from error

    def fault(self) -> str | None:
        """What is wrong with the database, in a sentence, or None when it can be read and written.

        Also notices what no write has met yet, a lost file, and what is over, a full disk.
        """
        self._notice_loss()
        if self._loss is not None:
            return self._loss
        try:
            self.read(lambda connection: connection.execute("SELECT id FROM users LIMIT 1").fetchone())
        except Problem as problem:
            return problem.detail
        if self._fault is not None:
            self._probe()
        return self._fault

    def log_bytes(self) -> int:
        """The size of the write-ahead log: some MB, unless a program goes on reading an old state for long."""
        return self._files.log_bytes()

    def wait_for_loss(self) -> None:
        """Returns when nothing can be written any more by this process: the database file was deleted or replaced, or its
        disk failed. The process should `abandon` it, end, and be started again.
        """
        self._lost.wait()

    def abandon(self) -> None:
        """What is left to do for lost files; this process closes nothing, which might write to them."""
        gate = Gate(self.database)  # of its own: a commit that hangs on the failed disk may hold this process's other one
        try:
            with gate.held(_CLOSING_SECONDS):
                aside = self._files.set_log_aside()
        except GateTimeout:
            log.error("The database's log was left where it is: another process held the gate for %s s", _CLOSING_SECONDS)
        else:
            if aside is not None:
                log.error("The log of the file that was replaced, which must not be applied to the new one, is now %s", aside)
        finally:
            gate.close()

    def close(self) -> None:
        """Closes the file, after the writes that are under way."""
        with self._reading, self._committing:
            self._closed = True
            self._reader.close()
            try:
                with self._gate.held(_CLOSING_SECONDS):  # closing the last connection checkpoints
                    self._writer.close()
            except GateTimeout:
                log.warning("The database was left open: another process held its gate for %s s", _CLOSING_SECONDS)
            self._gate.close()

    def _withdraw(self, pending: _PendingWrite[Any]) -> None:
        # If it isn't there it is being committed at this moment; its receipt answers when it is sent again.
        with suppress(ValueError):
            self._pending.remove(pending)

    def _commit_pending(self, deadline: float) -> None:
        """Commits what is waiting, up to a limit, and settles each; called by the holder of `_committing`."""
        group: list[_PendingWrite[Any]] = []
        while self._pending and len(group) < _MOST_WRITES_A_COMMIT:
            group.append(self._pending.popleft())
        try:
            if self._closed:
                raise sqlite3.ProgrammingError(_CLOSED)  # the gate's descriptor may be another file's by now
            if self._loss is not None:
                raise _Lost
            with self._gate.held(max(0.0, deadline - time.monotonic())):
                remaining_milliseconds = max(0, round((deadline - time.monotonic()) * 1000))
                self._writer.execute(f"PRAGMA busy_timeout = {remaining_milliseconds}")
                self._writer.execute("BEGIN IMMEDIATE")
                try:
                    for pending in group:
                        pending.results = [self._run_in_savepoint(work) for work in pending.works]
                    self._writer.execute("COMMIT")
                except BaseException:
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
                    raise
            self._notice_loss()  # what was written to a file without a name is no reason to acknowledge anything
            if self._loss is not None:
                raise _Lost
        except _Lost:
            refusal: Exception = _unavailable(f"{self._loss} {_UNTIL_RESTARTED}")
            for pending in group:
                pending.fail(refusal)
        except GateTimeout:
            busy = _unavailable("Another process is writing to the database; this was not stored.")
            self._put_off(group, deadline, busy)
        except sqlite3.Error as error:
            refusal = self._refusal(error)
            if _is_lock(error):
                self._put_off(group, deadline, refusal)
                return
            if self._is_lost_sync(error):
                # A page that failed to sync may be gone from the cache although the next sync succeeds: only a new
                # connection, which reads the log again, knows what is there.
                self._lose(refusal.detail)
            for pending in group:
                pending.fail(refusal)
        except BaseException:
            for pending in group:
                pending.fail(_unavailable("The write was broken off; this was not stored."))
            raise
        else:
            if self._fault is not None:
                log.info("The database can be written again")
            self._fault = None
            for pending in group:
                pending.settled = True

    def _put_off(self, group: Sequence[_PendingWrite[Any]], deadline: float, refusal: Problem) -> None:
        """The lock was waited for up to `deadline`: refuses whoever would wait no longer; who came later may wait on."""
        for pending in reversed(group):
            if pending.deadline <= deadline:
                pending.fail(refusal)
            else:
                self._pending.appendleft(pending)

    def _is_lost_sync(self, error: sqlite3.Error) -> bool:
        """Whether the disk failed, and is not just full, which SQLite sometimes calls by the same name."""
        if getattr(error, "sqlite_errorcode", None) in _FAILED_SYNCS:
            return True
        return _IO_ERROR in str(error) and not self._files.lack_room()

    def _notice_loss(self) -> None:
        """Compares the files with those that were opened: a few microseconds, before every acknowledgement."""
        loss = self._files.loss()
        # The closing of the last connection removes the log: `_closed` is set before.
        if loss is not None and self._loss is None and not self._closed:
            self._lose(loss)

    def _lose(self, loss: str) -> None:
        self._loss = loss
        log.error("%s %s File: %s", loss, _UNTIL_RESTARTED, self.database)
        self._lost.set()

    def _probe(self) -> None:
        """Finds out whether what a write failed of is over: commits the file's header again, as it is.

        That takes one page of the log and changes nothing. Nobody waits for it: whoever writes meanwhile finds out too.
        """
        if self._committing.acquire(blocking=False):
            try:
                deadline = time.monotonic() + _PROBE_SECONDS
                self._pending.append(_PendingWrite([_rewrite_header], deadline))
                self._commit_pending(deadline)
            finally:
                self._committing.release()

    def _run_in_savepoint(self, work: Work[Result]) -> Result | Exception:
        self._writer.execute("SAVEPOINT one_write")
        result: Result | Exception
        try:
            result = work(self._writer)
        except Exception as error:
            if not self._writer.in_transaction:
                raise  # SQLite gave up the whole transaction (disk full, I/O error): nobody's work is stored
            self._writer.execute("ROLLBACK TO one_write")
            result = self._refusal(error) if isinstance(error, sqlite3.Error) else error
        self._writer.execute("RELEASE one_write")
        return result

    def _refusal(self, error: sqlite3.Error) -> Problem:
        """503 for what the database said; anything but a lock held by someone else is logged, once for each cause."""
        if _is_lock(error):
            return _unavailable("Another program holds the database's lock; this was not stored.")
        fault = f"The database can't be used: {error}."
        if fault != self._fault:
            log.error("%s File: %s", fault, self.database)
        self._fault = fault
        return _unavailable(fault)


class _Lost(Exception):
    """What was opened is not there any more, or can't be trusted."""


def _rewrite_header(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version}")


def _is_lock(error: sqlite3.Error) -> bool:
    return "locked" in str(error) or "busy" in str(error)


def _unavailable(detail: str) -> Problem:
    return Problem(UNAVAILABLE, detail, retry_after_seconds=1)
