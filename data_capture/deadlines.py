"""Until when something may take, where others wait for it."""

from __future__ import annotations

import time


class DeadlinePassed(Exception):
    """It takes longer than it may."""


class Deadline:
    """An amount of work after which `check` raises.

    After `seconds` of time the thread may use as many seconds of the processor: what other programs take of it does not
    count, or ordinary work would be begun twice on a busy machine. The processor's time is asked for only then, since
    that is a system call.

    Args:
        seconds: from now.
    """

    __slots__ = ("_passes_at", "_processor_until", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._passes_at = time.perf_counter() + seconds
        self._processor_until: float | None = None

    def check(self) -> None:
        """Raise DeadlinePassed once the time is over."""
        if time.perf_counter() <= self._passes_at:
            return
        used = time.thread_time()
        if self._processor_until is None:
            self._processor_until = used + self._seconds
        if used > self._processor_until:
            raise DeadlinePassed
