"""Where captures and accounts go: `Store`, over one SQLite file.

`Store.write` takes work to do in a transaction and returns once that is committed and synced; `Store.read` takes work
that only reads. What the work is, as SQL, is in the rooms beside this file.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from data_capture.problems import Problem
from data_capture.store.sqlite.connection import StoreConnection, open_connection
from data_capture.store.sqlite.writer import Results, Writer
from data_capture.store.write_queue import (
    MAX_WRITES_A_COMMIT,
    QueuedWrite,
    TimeoutWatcher,
    WriteJob,
    WriteQueue,
    unavailable,
)

log = logging.getLogger("data_capture.store")

_PROBE_SECONDS = 0.2
_CLOSING_SECONDS = 5.0
_TURN_POLL_SECONDS = 0.001
_TURN_SECONDS = 0.05  # a commit of a thread's takes less, unless it waits for a lock
_CLOSED = "The database can't be used: it was closed, since the service is stopping."

Result = TypeVar("Result")


class Store:
    """The database of one process: one connection that writes, one that reads.

    All writes that wait are committed in one transaction, so that one fsync serves many, and only then is each answered.
    What fails of itself fails alone: the others' changes are stored all the same.

    Writes that come from an event loop are run in it, and only committed in a thread: a thread that runs statements
    beside a busy loop spends more time on getting the interpreter's lock back after each than on all of them. What can't
    be run there without waiting, and what comes from other threads, is run by a thread that may wait.

        event loop ── begin ──┐
                              ├── committing ── settled
        threads ── writing ───┘
    """

    def __init__(self, database: Path, request_seconds: float) -> None:
        """Opens the file; `prepare` of `store.takeover` has made sure of its tables.

        Raises:
            OSError: the file isn't there.
            sqlite3.Error: the file can't be opened.
            WriterLockTimeout: another process held the gate for longer than `request_seconds`.
        """
        self.database = database
        self._request_seconds = request_seconds
        self._writer = Writer(database, request_seconds)
        self._reader = open_connection(database, request_seconds, read_only=True)
        self._reading = threading.Lock()
        self._queue = WriteQueue()
        self._timeouts = TimeoutWatcher()
        self._closed = False
        self.closing = threading.Event()
        """Set when it is being closed."""
        self._turn = (
            threading.Lock()
        )  # whose turn with the writer it is; taken in one thread and given back in another
        self._gathered: deque[QueuedWrite[Any]] = (
            deque()
        )  # of the event loop, and changed in it alone
        self._begun: queue.SimpleQueue[
            tuple[asyncio.AbstractEventLoop, list[QueuedWrite[Any]], Results] | None
        ]
        self._begun = queue.SimpleQueue()
        self._committed: deque[tuple[list[QueuedWrite[Any]], Results, BaseException | None]] = (
            deque(maxlen=1)
        )
        self._is_begun = False
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for target, name in (
                (self._write_queued, "write queued"),
                (self._commit_begun, "commit begun"),
            )
        ]
        for thread in self._threads:
            thread.start()

    def write(self, work: WriteJob[Result], size_bytes: int = 0) -> Result:
        """What `work` returns, once its changes are on disk; an exception of its own undoes its changes alone.

        Raises:
            Problem: 503, when the database can't take the write within `request_seconds`. It may still be written
                later: sending the same capture_id again finds out.
        """
        [result] = self.write_together([work], size_bytes)
        if isinstance(result, Exception):
            raise result
        return result

    def write_together(
        self, jobs: Sequence[WriteJob[Result]], size_bytes: int = 0
    ) -> list[Result | Exception]:
        """What each of `works` returns or raises, once the changes of all are on disk, in one commit.

        An exception undoes the changes of its own work alone. When the database can't take them within
        `request_seconds` each gets the Problem, 503, that `write` raises.

        Args:
            works: what to do, maybe in another thread, with the connection that writes; called a second time, with what
                the first call did undone, when another work of the same commit fails.
            size_bytes: about how much memory they hold while they wait.
        """
        try:
            pending = self._admit(jobs, size_bytes, None)
        except Problem as problem:
            return [problem] * len(jobs)
        self._queue.put(pending)
        return pending.wait()

    async def write_together_in_loop(
        self, jobs: Sequence[WriteJob[Result]], size_bytes: int = 0
    ) -> list[Result | Exception]:
        """As `write_together`, awaited in the event loop, always the same one."""
        loop = asyncio.get_running_loop()
        try:
            pending = self._admit(jobs, size_bytes, loop)
        except Problem as problem:
            return [problem] * len(jobs)
        self._gathered.append(pending)
        self._timeouts.watch(loop, pending)
        if not self._is_begun:
            self._is_begun = True
            loop.call_soon(
                self._begin_gathered, loop
            )  # after all that has arrived by now was gathered, too
        return await pending.wait_in_loop()

    def read(self, query: Callable[[StoreConnection], Result]) -> Result:
        """What `query` returns; everything that it reads is of one moment.

        Raises:
            Problem: 503, when the database can't be read now.
        """
        with self._reading:
            if self._closed:
                raise unavailable(_CLOSED)
            try:
                self._reader.execute("BEGIN")
                try:
                    return query(self._reader)
                finally:
                    if self._reader.in_transaction:
                        self._reader.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise self._writer.refusal(error) from error

    def checkpoint(self) -> bool:
        """Brings the log into the file and empties it; False while somebody still reads an older state, or writes.

        Raises:
            Problem: 503, when the database can't be used.
        """
        with self._turn:
            return not self._closed and self._writer.checkpoint(self._request_seconds)

    def rewrite(self) -> bool:
        """Writes the file anew, with nothing in it but what is held; False while somebody else writes. All writes wait for it.

        Raises:
            Problem: 503, when the database can't be used, or there is no room for a second copy of it.
        """
        with self._turn:
            return not self._closed and self._writer.rewrite(self._request_seconds)

    def fault(self) -> str | None:
        """What is wrong with the database, in a sentence, or None when it can be read and written.

        Also notices what no write has met yet, a lost file, and what is over, a full disk.
        """
        self._writer.notice_loss()
        if self._writer.loss is not None:
            return self._writer.loss
        try:
            self.read(
                lambda connection: connection.execute("SELECT email FROM users LIMIT 1").fetchone()
            )
        except Problem as problem:
            return problem.detail
        if self._writer.fault is not None:
            self._probe()
        return self._writer.fault

    def log_bytes(self) -> int:
        """The size of the write-ahead log: some MB, unless a program goes on reading an old state for long."""
        return self._writer.files.log_bytes()

    def wait_for_loss(self) -> None:
        """Returns when nothing can be written any more by this process: the database file was deleted or replaced, or its
        disk failed. The process should `abandon` it, end, and be started again.
        """
        self._writer.lost.wait()

    def abandon(self) -> None:
        """What is left to do for lost files; this process closes nothing, which might write to them."""
        self._writer.abandon()

    def close(self) -> None:
        """Closes the file, after the writes that wait already; does nothing the second time."""
        if self.closing.is_set():
            return
        self._closed = True
        self.closing.set()
        self._queue.end()
        self._begun.put(None)
        deadline = time.monotonic() + self._request_seconds + _CLOSING_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._settle_committed()  # what the loop, if it does not go on, would not any more
        is_over = not any(thread.is_alive() for thread in self._threads)
        if not is_over or not self._turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
            log.error("The database was left open: a commit has not ended")
            return
        with self._reading:
            self._reader.close()
        self._writer.close()

    def _admit(
        self,
        jobs: Sequence[WriteJob[Result]],
        size_bytes: int,
        loop: asyncio.AbstractEventLoop | None,
    ) -> QueuedWrite[Result]:
        if self._closed:
            raise unavailable(_CLOSED)
        pending = QueuedWrite(jobs, time.monotonic() + self._request_seconds, size_bytes)
        self._queue.admit(pending, loop)
        return pending

    def _write_queued(self) -> None:
        """What the one thread does."""
        while group := self._queue.take():
            with self._turn:
                self._writer.write(group)
            self._queue.put_back([pending for pending in group if pending.results is None])
            self._queue.settle([pending for pending in group if pending.results is not None])

    def _commit_begun(self) -> None:
        """What the other thread does."""
        while (begun := self._begun.get()) is not None:
            loop, group, results = begun
            self._committed.append((group, results, self._writer.commit()))
            try:
                loop.call_soon_threadsafe(self._wake_committed, loop, group)
            except RuntimeError:  # the loop was closed: nobody waits any more
                self._settle_committed()
                self._is_begun = False

    def _wake_committed(
        self, loop: asyncio.AbstractEventLoop, group: Sequence[QueuedWrite[Any]]
    ) -> None:
        """Lets those answer whose writes were committed, and after them begins with the next; called in the event loop."""
        self._settle_committed()
        for pending in group:
            pending.wake()
        loop.call_soon(self._begin_gathered, loop)

    def _settle_committed(self) -> None:
        """Gives those their results whose writes were committed, unless that was done already."""
        try:
            group, results, error = self._committed.pop()
        except IndexError:
            return
        self._writer.settle(group, results, error)
        self._turn.release()
        self._queue.forget(group)

    def _begin_gathered(
        self, loop: asyncio.AbstractEventLoop, waits_since: float | None = None
    ) -> None:
        """Runs what the event loop has gathered, in it, and has it committed; called in it.

        While a thread writes, this comes back in a millisecond. Given to that thread at once, they would keep it writing
        when the next ones arrive, and those would be given to it as well, and so on for as long as there is much to do.
        """
        is_our_turn = self._turn.acquire(blocking=False)
        if not is_our_turn and self._gathered:
            waits_since = waits_since or time.monotonic()
            if time.monotonic() - waits_since < _TURN_SECONDS:
                loop.call_later(_TURN_POLL_SECONDS, self._begin_gathered, loop, waits_since)
                return
        group = self._take_gathered()
        self._is_begun = bool(group)
        results = self._writer.begin(group) if group and is_our_turn else None
        if results is not None:
            self._begun.put((loop, group, results))
            return
        if is_our_turn:
            self._turn.release()
        for pending in group:
            self._queue.put(pending)
        if group:
            loop.call_soon(self._begin_gathered, loop)

    def _take_gathered(self) -> list[QueuedWrite[Any]]:
        """The next of what the event loop has gathered, as many as one commit takes."""
        group: list[QueuedWrite[Any]] = []
        jobs = 0
        while self._gathered and jobs < MAX_WRITES_A_COMMIT:
            pending = self._gathered.popleft()
            if pending.given_up:
                self._queue.forget([pending])
                continue
            group.append(pending)
            jobs += len(pending.jobs)
        return group

    def _probe(self) -> None:
        """Finds out whether what a write failed of is over: commits the file's header again, as it is.

        That takes one page of the log and changes nothing. Nobody waits for it for long: whoever writes finds out too.
        """
        with suppress(Problem):
            pending = self._admit([_rewrite_header], 0, None)
            pending.deadline = time.monotonic() + _PROBE_SECONDS
            self._queue.put(pending)
            pending.wait()


def _rewrite_header(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version}")
