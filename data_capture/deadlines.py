"""A time limit for work that other requests wait for."""

from __future__ import annotations

import time


class DeadlinePassed(Exception):
    """The work took longer than its deadline allows."""


class Deadline:
    """A limit in seconds, first of elapsed time and then of processor time.

    Once `seconds` have elapsed, the thread may use as many seconds of processor time. So a busy
    machine does not make ordinary work fail and start again. Processor time is read only then,
    because reading it is a system call.

    Args:
        seconds: the limit, from now.
    """

    __slots__ = ("_passes_at", "_processor_until", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._passes_at = time.perf_counter() + seconds
        self._processor_until: float | None = None

    def check(self) -> None:
        """Raise DeadlinePassed once both limits are over."""
        if time.perf_counter() <= self._passes_at:
            return
        used = time.thread_time()
        if self._processor_until is None:
            self._processor_until = used + self._seconds
        if used > self._processor_until:
            raise DeadlinePassed
