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

log = logging.getLogger("data_capture.store")

_CLOSING_SECONDS = 5.0
_IO_ERROR = "disk I/O error"  # SQLITE_IOERR and its variants; Python 3.10 has no code for them
_CLOSED = "it was closed, since the service is stopping"
_LOST_SYNC = "an earlier disk I/O error; nothing more is written until the service is started again"
_MOST_WRITES_A_COMMIT = 256  # bounds how long the first of them waits for its answer

Result = TypeVar("Result")


Work = Callable[[sqlite3.Connection], Result]


class _PendingWrite(Generic[Result]):
    """What one caller wants written, on its way through a commit."""

    def __init__(self, works: Sequence[Work[Result]]) -> None:
        self.works = works
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
            sqlite3.Error: the file can't be opened.
            GateTimeout: another process held the gate for longer than `request_seconds`.
        """
        self.database = database
        self._request_seconds = request_seconds
        self._gate = Gate(database)
        with self._gate.held(request_seconds):  # a restore swaps the file with the gate held
            self._writer = open_connection(database, request_seconds)
            self._reader = open_connection(database, request_seconds, read_only=True)
        self._reading = threading.Lock()
        self._committing = threading.Lock()
        self._pending: deque[_PendingWrite[Any]] = deque()
        self._fault: str | None = None
        self._lost_sync = self._closed = False

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
        pending = _PendingWrite(works)
        deadline = time.monotonic() + self._request_seconds
        self._pending.append(pending)
        if self._committing.acquire(timeout=self._request_seconds):
            try:
                while not pending.settled:
                    self._commit_pending(deadline)
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
        """What is wrong with the database, in a sentence, or None when it can be read and took its last write."""
        try:
            self.read(lambda connection: connection.execute("SELECT id FROM users LIMIT 1").fetchone())
        except Problem as problem:
            return problem.detail
        return self._fault

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
            if self._lost_sync:
                raise sqlite3.OperationalError(_LOST_SYNC)
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
        except GateTimeout:
            refusal: Exception = _unavailable("Another process is writing to the database; this was not stored.")
            for pending in group:
                pending.fail(refusal)
        except sqlite3.Error as error:
            if _IO_ERROR in str(error):
                # A page that failed to sync may be gone from the cache although the next sync succeeds: only a new
                # connection, which reads the log again, knows what is there.
                self._lost_sync = True
            refusal = self._refusal(error)
            for pending in group:
                pending.fail(refusal)
        except BaseException:
            for pending in group:
                pending.fail(_unavailable("The write was broken off; this was not stored."))
            raise
        else:
            self._fault = None
            for pending in group:
                pending.settled = True

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
        if "locked" in str(error) or "busy" in str(error):
            return _unavailable("Another program holds the database's lock; this was not stored.")
        fault = f"The database can't be used: {error}."
        if fault != self._fault:
            log.error("%s File: %s", fault, self.database)
        self._fault = fault
        return _unavailable(fault)


def _unavailable(detail: str) -> Problem:
    return Problem(UNAVAILABLE, detail, retry_after_seconds=1)
