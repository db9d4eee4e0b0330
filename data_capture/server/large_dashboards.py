"""Process large dashboards one at a time.

A dashboard of 20 MB takes up to 400 MB of memory while it is parsed, and seconds of a processor.
Those that wait are kept as bytes, within a limit.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from data_capture.limits.callers import caller_of
from data_capture.problems import TOO_MANY, UNAVAILABLE, Problem

MAX_WAITING_BYTES = 64 * 1024 * 1024
_MAX_WAITING_BYTES_PER_CALLER = MAX_WAITING_BYTES // 2
_RETRY_AFTER_SECONDS = 5

# One instance each, which is never raised: a traceback would keep granian's object.
_OVERLOADED = Problem(
    UNAVAILABLE,
    "Too many large dashboards are waiting; this one was not stored.",
    retry_after_seconds=_RETRY_AFTER_SECONDS,
)
_TOO_MANY_OF_CALLER = Problem(
    TOO_MANY,
    "This caller sends too many large dashboards at a time.",
    retry_after_seconds=_RETRY_AFTER_SECONDS,
)


class LargeDashboards:
    """Let one large dashboard after the other be processed, on one event loop.

    Args:
        max_wait_seconds: a dashboard that waits longer gets 503, since its caller may give up.
    """

    def __init__(self, max_wait_seconds: float) -> None:
        self._max_wait_seconds = max_wait_seconds
        self._lock = asyncio.Lock()
        self._waiting_bytes = 0
        self._waiting_by_caller: Counter[str] = Counter()

    async def begin(self, address: str, size_bytes: int) -> Problem | None:
        """Wait until a dashboard may be processed.

        Args:
            address: the caller's.
            size_bytes: of the body.

        Returns:
            None if it may; call `end` after it. Otherwise the Problem to respond with: 429 or 503.
        """
        caller = caller_of(address)
        if self._waiting_by_caller[caller] + size_bytes > _MAX_WAITING_BYTES_PER_CALLER:
            return _TOO_MANY_OF_CALLER
        if self._waiting_bytes + size_bytes > MAX_WAITING_BYTES:
            return _OVERLOADED
        self._count(caller, size_bytes)
        try:
            await asyncio.wait_for(self._lock.acquire(), self._max_wait_seconds)
        except asyncio.TimeoutError:
            return _OVERLOADED
        finally:
            self._count(caller, -size_bytes)
        return None

    def end(self) -> None:
        """Let the next dashboard be processed."""
        self._lock.release()

    def _count(self, caller: str, size_bytes: int) -> None:
        self._waiting_bytes += size_bytes
        self._waiting_by_caller[caller] += size_bytes
        if not self._waiting_by_caller[caller]:
            del self._waiting_by_caller[caller]
