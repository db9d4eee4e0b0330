"""The writes that wait for the one thread that commits: bounded by count and by bytes, each settled exactly once."""

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

MAX_WAITING_WRITES = 5000
MAX_WAITING_BYTES = 64 * 1024 * 1024
MAX_WRITES_A_COMMIT = 256  # bounds how long the first of them waits for its answer

# Whoever waits gives up a little later than the thread that commits does: what that one says tells more.
_GRACE_SECONDS = 0.25
_OVERDUE = "The database is busy; this was not stored within the time a request may take."

Result = TypeVar("Result")
WriteJob = Callable[[StoreConnection], Result]


def unavailable(detail: str) -> Problem:
    """503: the same may be sent again in a second."""
    return Problem(UNAVAILABLE, detail, retry_after_seconds=1)


class QueuedWrite(Generic[Result]):
    """What one caller wants written, on its way through a commit.

    Args:
        works: what to do in the transaction; each has an outcome of its own.
        deadline: until when its caller waits, of `time.monotonic()`.
        size_bytes: about how much memory it holds.
    """

    def __init__(
        self, jobs: Sequence[WriteJob[Result]], deadline: float, size_bytes: int = 0
    ) -> None:
        self.jobs = jobs
        self.deadline = deadline
        self.size_bytes = size_bytes
        self.given_up = False
        self.results: list[Result | Exception] | None = None
        self._waiter: threading.Event | tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]

    def wait(self) -> list[Result | Exception]:
        """The outcomes, when they are there; at the latest soon after the deadline."""
        assert isinstance(self._waiter, threading.Event)
        self._waiter.wait(max(0.0, self.deadline - time.monotonic()) + _GRACE_SECONDS)
        return self._outcomes()

    async def wait_in_loop(self) -> list[Result | Exception]:
        """As `wait`, for the event loop that it was put in from, where `TimeoutWatcher` ends what takes too long."""
        assert isinstance(self._waiter, tuple)
        await self._waiter[1]
        return self._outcomes()

    @property
    def gives_up_at(self) -> float:
        """Until when its caller waits in the end, of `time.monotonic()`."""
        return self.deadline + _GRACE_SECONDS

    def wake(self) -> None:
        """Ends the wait; of one in an event loop only there."""
        if isinstance(self._waiter, threading.Event):
            self._waiter.set()
        elif not self._waiter[1].done():
            self._waiter[1].set_result(None)

    def wake_from_thread(self) -> None:
        """Ends the wait, from any thread."""
        if isinstance(self._waiter, threading.Event):
            self._waiter.set()
        else:
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                self._waiter[0].call_soon_threadsafe(self.wake)

    def _outcomes(self) -> list[Result | Exception]:
        if self.results is None:
            # If it is being committed at this moment its receipt answers when it is sent again.
            self.given_up = True
            return [unavailable(_OVERDUE)] * len(self.jobs)
        return self.results


class TimeoutWatcher:
    """Ends the waits of an event loop that take too long, with one timer for all of them.

    All of them may take the same time, so that the first to come is the first to be overdue.
    """

    def __init__(self) -> None:
        self._waiting: deque[QueuedWrite[Any]] = deque()
        self._is_timed = False

    def watch(self, loop: asyncio.AbstractEventLoop, pending: QueuedWrite[Any]) -> None:
        """Wakes `pending`, which is waited for in `loop`, when it is overdue."""
        while self._waiting and self._waiting[0].results is not None:
            self._waiting.popleft()
        self._waiting.append(pending)
        if not self._is_timed:
            self._is_timed = True
            self._wait(loop)

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(self._waiting[0].gives_up_at - time.monotonic(), self._wake, loop)

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        while self._waiting and (
            self._waiting[0].results is not None or self._waiting[0].gives_up_at <= now
        ):
            self._waiting.popleft().wake()
        self._is_timed = bool(self._waiting)
        if self._is_timed:
            self._wait(loop)


class WriteQueue:
    """Many callers put in, one thread takes out and settles."""

    def __init__(self) -> None:
        self._arrived: queue.SimpleQueue[QueuedWrite[Any] | None] = queue.SimpleQueue()
        self._put_back: deque[QueuedWrite[Any]] = deque()
        self._counting = threading.Lock()
        self._writes = 0
        self._bytes = 0

    def admit(
        self, pending: QueuedWrite[Any], loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        """Counts a write that is to be `put` or `settle`d; `loop` is the one that its caller will `wait_in_loop` in.

        Raises:
            Problem: 503, when too many, or too much, wait already.
        """
        with self._counting:
            if self._writes + len(pending.jobs) > MAX_WAITING_WRITES or (
                self._bytes and self._bytes + pending.size_bytes > MAX_WAITING_BYTES
            ):
                raise unavailable("Too many captures are waiting to be stored; this was not.")
            self._writes += len(pending.jobs)
            self._bytes += pending.size_bytes
        pending._waiter = threading.Event() if loop is None else (loop, loop.create_future())

    def put(self, pending: QueuedWrite[Any]) -> None:
        """Puts a write that was admitted last in line."""
        self._arrived.put(pending)

    def take(self) -> list[QueuedWrite[Any]]:
        """Waits for the next writes, in their order, as many as one commit takes; none of them when it is `end`ed."""
        group: list[QueuedWrite[Any]] = []
        jobs = 0
        while jobs < MAX_WRITES_A_COMMIT:
            if self._put_back:
                pending: QueuedWrite[Any] | None = self._put_back.popleft()
            else:
                try:
                    pending = self._arrived.get(block=not group)
                except queue.Empty:
                    break
            if pending is None:
                if group:
                    self._arrived.put(None)  # for the next call
                break
            if pending.given_up:
                self.forget([pending])
                continue
            group.append(pending)
            jobs += len(pending.jobs)
        return group

    def put_back(self, group: Sequence[QueuedWrite[Any]]) -> None:
        """Puts writes that were taken first in line again."""
        self._put_back.extendleft(reversed(group))

    def settle(self, group: Sequence[QueuedWrite[Any]]) -> None:
        """Wakes whoever waits for these, whose results are there."""
        self.forget(group)
        for pending in group:
            pending.wake_from_thread()

    def end(self) -> None:
        """Makes `take` return nothing once all that was put in before has been taken."""
        self._arrived.put(None)

    def forget(self, group: Sequence[QueuedWrite[Any]]) -> None:
        """Counts no longer what was admitted and is over."""
        with self._counting:
            for pending in group:
                self._writes -= len(pending.jobs)
                self._bytes -= pending.size_bytes
