"""Queue writes until they are committed in groups.

The life of a write (`QueuedWrite`):

    admitted ┬─ event loop ────► gathered ─── begin ──┐
             │                      │ put             ▼
             │                      ▼             in a group ─ commit ► committed ─ settle ► settled
             └─ other threads ─► queued ─ take_group ─┘ │
                                    ▲                   │
                                    └──── put_back ─────┘

    admitted    `WriteQueue.admit` has counted it. If too many writes wait, `admit` raises a 503.
    gathered    It waits in `LoopCommitter` for the next group of the event loop. If the group can't
                begin without waiting for a lock, or a job fails, its writes are queued (`put`).
    queued      It waits in `WriteQueue` for the thread of `Store`.
    in a group  Its jobs run in one transaction with those of other writes (`Writer`). If a lock is
                held until the group's earliest deadline, writes with more time are put back.
    committed   The transaction is synced to disk; or it failed and was rolled back.
    settled     It has its results, or a 503 if the transaction failed, and its caller is woken.

    given up    Soon after the deadline the caller gets a 503 if there are no results. A write that
                is gathered or queued is then dropped. A write in a group is committed all the same:
                if the same capture_id is sent again, it gets the receipt.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from data_capture.problems import UNAVAILABLE, Problem
from data_capture.store.sqlite.connection import StoreConnection

MAX_WAITING_JOBS = 5000
MAX_WAITING_BYTES = 64 * 1024 * 1024
MAX_JOBS_PER_GROUP = 256  # bounds how long the first write of a group waits for the others

# A caller gives up a little later than the writer does, whose error says more.
_GRACE_SECONDS = 0.25
_TIMED_OUT = "The database is busy; this was not stored within the time a request may take."

Result = TypeVar("Result")
WriteJob = Callable[[StoreConnection], Result]
"""What is done inside a transaction; an exception rolls back the job's own changes only."""


def unavailable(detail: str) -> Problem:
    """Return a 503 that invites the client to send the same again in a second."""
    return Problem(UNAVAILABLE, detail, retry_after_seconds=1)


class QueuedWrite(Generic[Result]):
    """Hold the jobs of one caller until they are settled.

    Args:
        jobs: what to do in the transaction; each has its own result.
        deadline: until when the caller waits, as `time.monotonic()`.
        size_bytes: about how much memory the jobs hold.
        loop: the event loop in which the caller will `wait_in_loop`; None for `wait`.
        is_probe: whether no client waits for it (`RecoveryProbe`).
    """

    def __init__(
        self,
        jobs: Sequence[WriteJob[Result]],
        deadline: float,
        size_bytes: int = 0,
        loop: asyncio.AbstractEventLoop | None = None,
        *,
        is_probe: bool = False,
    ) -> None:
        self.jobs = jobs
        self.deadline = deadline
        self.size_bytes = size_bytes
        self.is_probe = is_probe
        self.is_given_up = False
        self.results: list[Result | Exception] | None = None
        self._waiter: threading.Event | tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] = (
            threading.Event() if loop is None else (loop, loop.create_future())
        )

    def wait(self) -> list[Result | Exception]:
        """Wait for the results, and give up soon after the deadline."""
        assert isinstance(self._waiter, threading.Event)
        self._waiter.wait(max(0.0, self.gives_up_at - time.monotonic()))
        return self._results_or_give_up()

    async def wait_in_loop(self) -> list[Result | Exception]:
        """Wait for the results on the event loop, until `TimeoutWatcher` ends the wait."""
        assert isinstance(self._waiter, tuple)
        await self._waiter[1]
        return self._results_or_give_up()

    @property
    def gives_up_at(self) -> float:
        """Return when the caller gives up, as `time.monotonic()`."""
        return self.deadline + _GRACE_SECONDS

    def wake(self) -> None:
        """End the wait; for a wait on an event loop, called in that loop."""
        if isinstance(self._waiter, threading.Event):
            self._waiter.set()
        elif not self._waiter[1].done():
            self._waiter[1].set_result(None)

    def wake_from_thread(self) -> None:
        """End the wait, from any thread."""
        if isinstance(self._waiter, threading.Event):
            self._waiter.set()
        else:
            with suppress(RuntimeError):  # the loop was closed: no caller waits
                self._waiter[0].call_soon_threadsafe(self.wake)

    def _results_or_give_up(self) -> list[Result | Exception]:
        if self.results is None:
            self.is_given_up = True
            return [unavailable(_TIMED_OUT)] * len(self.jobs)
        return self.results


class TimeoutWatcher:
    """End waits of an event loop that take too long, with one timer.

    All writes have the same timeout, so that they expire in the order of their arrival.
    """

    def __init__(self) -> None:
        self._waiting: deque[QueuedWrite[Any]] = deque()
        self._is_timed = False

    def watch(self, loop: asyncio.AbstractEventLoop, write: QueuedWrite[Any]) -> None:
        """Wake `write`, which waits in `loop`, when it expires."""
        while self._waiting and self._waiting[0].results is not None:
            self._waiting.popleft()
        self._waiting.append(write)
        if not self._is_timed:
            self._is_timed = True
            self._set_timer(loop)

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(self._waiting[0].gives_up_at - time.monotonic(), self._wake, loop)

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        while self._waiting and (
            self._waiting[0].results is not None or self._waiting[0].gives_up_at <= now
        ):
            self._waiting.popleft().wake()
        self._is_timed = bool(self._waiting)
        if self._is_timed:
            self._set_timer(loop)


class WriteQueue:
    """Pass writes from many callers to one thread, within bounds.

    Their number and their memory are bounded.
    """

    def __init__(self) -> None:
        self._queued: queue.SimpleQueue[QueuedWrite[Any] | None] = queue.SimpleQueue()
        self._put_back: deque[QueuedWrite[Any]] = deque()
        self._count_lock = threading.Lock()
        self._jobs = 0
        self._bytes = 0

    def admit(self, write: QueuedWrite[Any]) -> None:
        """Count a write until it is settled or dropped.

        Raises:
            Problem: 503, too many jobs or bytes wait already.
        """
        with self._count_lock:
            if self._jobs + len(write.jobs) > MAX_WAITING_JOBS or (
                self._bytes and self._bytes + write.size_bytes > MAX_WAITING_BYTES
            ):
                raise unavailable(
                    "Too many captures are waiting to be stored; this one was not stored."
                )
            self._jobs += len(write.jobs)
            self._bytes += write.size_bytes

    def put(self, write: QueuedWrite[Any]) -> None:
        """Queue an admitted write, as the last."""
        self._queued.put(write)

    def take_group(self) -> list[QueuedWrite[Any]]:
        """Wait for queued writes and take as many as one commit takes, in their order.

        Returns:
            The group; empty after `close`, when all writes have been taken.
        """
        group: list[QueuedWrite[Any]] = []
        jobs = 0
        while jobs < MAX_JOBS_PER_GROUP:
            if self._put_back:
                write: QueuedWrite[Any] | None = self._put_back.popleft()
            else:
                try:
                    write = self._queued.get(block=not group)
                except queue.Empty:
                    break
            if write is None:
                if group:
                    self._queued.put(None)  # for the next call
                break
            if write.is_given_up:
                self.release([write])
                continue
            group.append(write)
            jobs += len(write.jobs)
        return group

    def put_back(self, group: Sequence[QueuedWrite[Any]]) -> None:
        """Queue writes of a group again, as the first."""
        self._put_back.extendleft(reversed(group))

    def settle(self, group: Sequence[QueuedWrite[Any]]) -> None:
        """Wake the callers of writes that have their results."""
        self.release(group)
        for write in group:
            write.wake_from_thread()

    def close(self) -> None:
        """Make `take_group` return an empty group once all queued writes have been taken."""
        self._queued.put(None)

    def release(self, group: Sequence[QueuedWrite[Any]]) -> None:
        """Stop counting writes that are settled or dropped."""
        with self._count_lock:
            for write in group:
                self._jobs -= len(write.jobs)
                self._bytes -= write.size_bytes
