"""Until when something may take, where others wait for it."""

from __future__ import annotations

import time


class DeadlinePassed(Exception):
    """It takes longer than it may."""


class Deadline:
    """A moment after which `check` raises.

    Args:
        seconds: from now.
    """

    __slots__ = ("_passes_at",)

    def __init__(self, seconds: float) -> None:
        self._passes_at = time.perf_counter() + seconds

    def check(self) -> None:
        """Raise DeadlinePassed once the time is over."""
        if time.perf_counter() > self._passes_at:
            raise DeadlinePassed
