"""Run the writes of an event loop in the loop, and commit them in a thread."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from data_capture.store.sqlite.writer import Results, Writer
from data_capture.store.write_queue import MAX_JOBS_PER_GROUP, QueuedWrite, WriteQueue

_TURN_POLL_SECONDS = 0.001
_TURN_SECONDS = 0.05  # another thread's commit takes less, unless it waits for a lock


class _Begun(NamedTuple):
    """Hold a group whose jobs ran in the event loop, in an open transaction."""

    loop: asyncio.AbstractEventLoop
    group: list[QueuedWrite[Any]]
    results: Results


class _Committed(NamedTuple):
    """Hold a group after its commit; `error` is None if the commit succeeded."""

    group: list[QueuedWrite[Any]]
    results: Results
    error: BaseException | None


class LoopCommitter:
    """Gather and run the writes of an event loop, and commit them in a thread.

    A thread that runs statements while a loop is busy spends more time on acquiring the
    interpreter's lock after each statement than on all statements. So only the commit, which waits
    for the disk, leaves the loop. A group for which the loop would have to wait is queued for the
    store's other thread.

    Args:
        writer: of the store.
        write_queue: of the store.
        turn: a lock of the store, held by whoever uses the writer. The event loop acquires it in
            `_begin` and releases it in `_finish`. If the loop was closed meanwhile, or is closing
            the store, another thread releases it: the transaction outlives the loop, and nothing
            else may use the writer before it ends. Any thread may release a `threading.Lock`.
    """

    def __init__(self, writer: Writer, write_queue: WriteQueue, turn: threading.Lock) -> None:
        self._writer = writer
        self._queue = write_queue
        self._turn = turn
        self._gathered: deque[QueuedWrite[Any]] = deque()  # changed by the event loop only
        self._is_busy = False  # a begin is scheduled, or a commit is under way
        self._begun: queue.SimpleQueue[_Begun | None] = queue.SimpleQueue()
        # Of one group. `pop` is atomic: of two threads, one settles the group.
        self._committed: deque[_Committed] = deque(maxlen=1)
        self.thread = threading.Thread(target=self._commit_begun, name="commit begun", daemon=True)
        self.thread.start()

    def gather(self, loop: asyncio.AbstractEventLoop, write: QueuedWrite[Any]) -> None:
        """Gather an admitted write, and schedule the begin of a group; called in the loop."""
        self._gathered.append(write)
        if not self._is_busy:
            self._is_busy = True
            # Not at once: whatever has arrived by now joins the group.
            loop.call_soon(self._begin, loop)

    def close(self) -> None:
        """Make the thread end after the groups that have begun."""
        self._begun.put(None)

    def settle_committed(self) -> None:
        """Settle the committed group and release the turn, unless that was done."""
        try:
            committed = self._committed.pop()
        except IndexError:
            return
        self._writer.settle(committed.group, committed.results, committed.error)
        self._turn.release()
        self._queue.release(committed.group)

    def _begin(self, loop: asyncio.AbstractEventLoop, waits_since: float | None = None) -> None:
        """Run the jobs of a gathered group, and have it committed; called in the loop."""
        if not self._turn.acquire(blocking=False):
            self._wait_for_turn(loop, waits_since or time.monotonic())
            return
        group = self._take_gathered()
        self._is_busy = bool(group)
        results = self._writer.begin(group) if group else None
        if results is not None:
            self._begun.put(_Begun(loop, group, results))
            return
        self._turn.release()
        self._queue_group(loop, group)

    def _wait_for_turn(self, loop: asyncio.AbstractEventLoop, waits_since: float) -> None:
        """Begin again in a millisecond; after `_TURN_SECONDS`, queue the group.

        If the group were queued at once, the thread that has the turn would write it next, and have
        the turn when the next writes arrive. The loop would get no turn while there is much to do.
        """
        if self._gathered and time.monotonic() - waits_since < _TURN_SECONDS:
            loop.call_later(_TURN_POLL_SECONDS, self._begin, loop, waits_since)
            return
        group = self._take_gathered()
        self._is_busy = bool(group)
        self._queue_group(loop, group)

    def _queue_group(
        self, loop: asyncio.AbstractEventLoop, group: Sequence[QueuedWrite[Any]]
    ) -> None:
        """Queue gathered writes for the store's thread, and let the next group begin."""
        for write in group:
            self._queue.put(write)
        if group:
            loop.call_soon(self._begin, loop)

    def _take_gathered(self) -> list[QueuedWrite[Any]]:
        """Take as many gathered writes as one commit takes, and drop those given up."""
        group: list[QueuedWrite[Any]] = []
        jobs = 0
        while self._gathered and jobs < MAX_JOBS_PER_GROUP:
            write = self._gathered.popleft()
            if write.is_given_up:
                self._queue.release([write])
                continue
            group.append(write)
            jobs += len(write.jobs)
        return group

    def _commit_begun(self) -> None:
        """Commit groups that the loop has begun; runs in the thread."""
        while (begun := self._begun.get()) is not None:
            self._committed.append(_Committed(begun.group, begun.results, self._writer.commit()))
            try:
                begun.loop.call_soon_threadsafe(self._finish, begun.loop, begun.group)
            except RuntimeError:  # the loop was closed: no caller waits
                self.settle_committed()
                self._is_busy = False

    def _finish(self, loop: asyncio.AbstractEventLoop, group: Sequence[QueuedWrite[Any]]) -> None:
        """Settle a committed group, and let the next one begin; called in the loop."""
        self.settle_committed()
        for write in group:
            write.wake()
        loop.call_soon(self._begin, loop)
