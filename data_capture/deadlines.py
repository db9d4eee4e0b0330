"""Until when something may take, where others wait for it."""

from __future__ import annotations

import time


class DeadlinePassed(Exception):
    """It takes longer than it may."""


class Deadline:
    """An amount of this thread's CPU time after which `check` raises.

    Other programs' share of the processor does not count: on a busy machine ordinary work would be begun twice.

    Args:
        seconds: from now.
    """

    __slots__ = ("_passes_at",)

    def __init__(self, seconds: float) -> None:
        self._passes_at = time.thread_time() + seconds

    def check(self) -> None:
        """Raise DeadlinePassed once the time is over."""
        if time.thread_time() > self._passes_at:
            raise DeadlinePassed
