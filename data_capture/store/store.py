"""Read and write the database of one process: `Store`, over one SQLite file.

`Store.write` takes a job for a transaction and returns once it is committed and synced.
`Store.read` takes a query. The SQL of the jobs is in `sqlite/` and in the rooms that use the store.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from data_capture.problems import Problem
from data_capture.store.loop_committer import LoopCommitter
from data_capture.store.recovery_probe import RecoveryProbe
from data_capture.store.sqlite.connection import StoreConnection, open_connection
from data_capture.store.sqlite.writer import Writer
from data_capture.store.write_queue import (
    QueuedWrite,
    Result,
    TimeoutWatcher,
    WriteJob,
    WriteQueue,
    unavailable,
)
from data_capture.store.write_refusals import Refusal

log = logging.getLogger("data_capture.store")

_CLOSING_SECONDS = 5.0
_OVERDUE = Refusal("The database did not take a write within the time that a request may take.")
_CLOSED = "The database can't be used: it was closed, since the service is stopping."


class Store:
    """Own the connections of one process to the database: one writes, one reads.

    Writes that wait at the same time are committed in one transaction: one fsync serves many, and
    each is acknowledged after it. A job that fails does not fail its neighbours. `write_queue.py`
    shows the states of a write.

    Attributes:
        database: the path of the file.
        closing: set when the store is being closed.
    """

    def __init__(self, database: Path, request_seconds: float) -> None:
        """Open a database whose tables `sqlite.schema.prepare` has made.

        Args:
            database: the path of the file.
            request_seconds: how long a write may take.

        Raises:
            OSError: the file is missing.
            sqlite3.Error: the file can't be opened.
            WriterLockTimeout: another process held the writer lock for `request_seconds`.
        """
        self.database = database
        self.closing = threading.Event()
        self._is_closed = False
        self._request_seconds = request_seconds
        self._writer = Writer(database, request_seconds)
        self._reader = open_connection(database, request_seconds, read_only=True)
        self._reader_lock = threading.Lock()
        self._queue = WriteQueue()
        self._timeouts = TimeoutWatcher()
        # Held while the writer is in use; `LoopCommitter` says which threads release it.
        self._turn = threading.Lock()
        self._loop_committer = LoopCommitter(self._writer, self._queue, self._turn)
        self._thread = threading.Thread(target=self._write_groups, name="write queued", daemon=True)
        self._thread.start()
        RecoveryProbe(
            self._writer.health.refusals, self._writer.health.files, self._queue, self.closing
        )

    def write(self, job: WriteJob[Result], size_bytes: int = 0) -> Result:
        """Do a job in a transaction and return its result once it is committed and synced.

        An exception of the job rolls back its changes only, and is raised here.

        Raises:
            Problem: 503, the database did not take the write within `request_seconds`. It may still
                be committed later; sending the same capture_id again finds out.
        """
        [result] = self.write_together([job], size_bytes)
        if isinstance(result, Exception):
            raise result
        return result

    def write_together(
        self, jobs: Sequence[WriteJob[Result]], size_bytes: int = 0
    ) -> list[Result | Exception]:
        """Do jobs in one commit; return what each returns or raises, once they are synced.

        An exception rolls back the changes of its own job only. If the database does not take the
        write within `request_seconds`, each result is the Problem, 503, that `write` raises.

        Args:
            jobs: called with the connection that writes, maybe in another thread. A job is called
                again, after a rollback, if another job of the same commit fails.
            size_bytes: about how much memory the jobs hold while they wait.
        """
        try:
            write = self._admit(jobs, size_bytes, None)
        except Problem as problem:
            return [problem] * len(jobs)
        self._queue.put(write)
        results = write.wait()
        if write.is_given_up:
            self._note_refused(_OVERDUE, len(jobs))
        return results

    async def write_together_in_loop(
        self, jobs: Sequence[WriteJob[Result]], size_bytes: int = 0
    ) -> list[Result | Exception]:
        """Do what `write_together` does, awaited on the event loop, always the same one."""
        loop = asyncio.get_running_loop()
        try:
            write = self._admit(jobs, size_bytes, loop)
        except Problem as problem:
            return [problem] * len(jobs)
        self._loop_committer.gather(loop, write)
        self._timeouts.watch(loop, write)
        results = await write.wait_in_loop()
        if write.is_given_up:
            self._note_refused(_OVERDUE, len(jobs))
        return results

    def read(self, query: Callable[[StoreConnection], Result]) -> Result:
        """Return what `query` returns; it reads from one snapshot of the database.

        Raises:
            Problem: 503, the database can't be read now.
        """
        with self._reader_lock:
            if self._is_closed:
                raise unavailable(_CLOSED)
            try:
                self._reader.execute("BEGIN")
                try:
                    return query(self._reader)
                finally:
                    if self._reader.in_transaction:
                        self._reader.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise self._writer.health.problem_of_read(error) from error

    def checkpoint(self) -> bool:
        """Checkpoint and truncate the WAL; return False if others prevent it.

        Readers of an old snapshot and writers of other programs do.

        Raises:
            Problem: 503, the database can't be used.
        """
        with self._turn:
            return not self._is_closed and self._writer.checkpoint(self._request_seconds)

    def vacuum(self) -> bool:
        """Rebuild the file (VACUUM), so that no deleted data remains.

        Writes wait meanwhile.

        Returns:
            False if another program is writing.

        Raises:
            Problem: 503, the database can't be used, or the disk has no space for a second copy.
        """
        with self._turn:
            return not self._is_closed and self._writer.vacuum(self._request_seconds)

    def find_fault(self) -> str | None:
        """Return what is wrong with the database, as a sentence, or None if it works.

        A fault begins with the first refused write and ends with a write that is committed. A lost
        file is detected before that.
        """
        health = self._writer.health
        health.check_files()
        if health.loss is not None:
            return health.loss
        try:
            self.read(
                lambda connection: connection.execute("SELECT email FROM users LIMIT 1").fetchone()
            )
        except Problem as problem:
            return problem.detail
        refusal = health.refusals.current
        return None if refusal is None else refusal.reason

    def note_refused_before_write(self, reason: str, holds: Callable[[], bool]) -> None:
        """Note that a write was refused before it reached the store.

        Args:
            reason: a sentence for the operator.
            holds: tells whether such writes are still refused.
        """
        self._note_refused(Refusal(reason, holds=holds), 1)

    def wal_bytes(self) -> int:
        """Return the size of the WAL: some MB, unless a reader holds an old snapshot."""
        return self._writer.health.files.wal_bytes()

    def wait_for_loss(self) -> None:
        """Wait until this process can write no more: the file or its disk is lost.

        The process should then call `abandon`, exit, and be started again.
        """
        self._writer.health.lost.wait()

    def abandon(self) -> None:
        """Clean up after a loss. Nothing is closed: closing might write to the lost files."""
        self._writer.health.abandon()

    def close(self) -> None:
        """Commit the writes that wait and close the file; does nothing the second time."""
        if self.closing.is_set():
            return
        self._is_closed = True
        self.closing.set()
        self._writer.health.refusals.has_begun.set()  # ends the thread of the probe
        self._queue.close()
        self._loop_committer.close()
        deadline = time.monotonic() + self._request_seconds + _CLOSING_SECONDS
        threads = (self._thread, self._loop_committer.thread)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        # If this is the event loop, it settles nothing while it waits here.
        self._loop_committer.settle_committed()
        is_idle = not any(thread.is_alive() for thread in threads)
        if not is_idle or not self._turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
            log.error("The database was left open: a commit has not ended")
            return
        with self._reader_lock:
            self._reader.close()
        self._writer.close()

    def _note_refused(self, refusal: Refusal, writes: int) -> None:
        self._writer.health.note_refused(refusal, writes)

    def _admit(
        self,
        jobs: Sequence[WriteJob[Result]],
        size_bytes: int,
        loop: asyncio.AbstractEventLoop | None,
    ) -> QueuedWrite[Result]:
        if self._is_closed:
            raise unavailable(_CLOSED)
        deadline = time.monotonic() + self._request_seconds
        write = QueuedWrite(jobs, deadline, size_bytes, loop)
        try:
            self._queue.admit(write)
        except Problem as problem:
            self._note_refused(Refusal(problem.detail), len(jobs))
            raise
        return write

    def _write_groups(self) -> None:
        """Write queued groups until the queue is closed; runs in a thread."""
        while group := self._queue.take_group():
            with self._turn:
                self._writer.write(group)
            self._queue.put_back([write for write in group if write.results is None])
            self._queue.settle([write for write in group if write.results is not None])
