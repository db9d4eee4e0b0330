"""Remember why writes are refused, and log it: the state that the health endpoint reports.

    working ── refuse ──► refusing ── end ──► working

The state changes with what the clients meet: it is `refusing` from the first write that is refused
until a write is committed and synced. `RecoveryProbe` makes a write where no client sends one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger("data_capture.store")

_REPEAT_SECONDS = 60.0  # between two lines of the log that report the same
_MAX_STARTS_PER_REPEAT = 5  # so that a state that changes with each write does not fill the log


class Refusal(NamedTuple):
    """Why the database refuses a write."""

    reason: str
    """A sentence for the operator."""
    may_pass: bool = True
    """Whether any write that succeeds shows that the reason is gone. A damaged page is not shown
    by a write to another page."""
    is_lock: bool = False
    holds: Callable[[], bool] | None = None
    """Tells whether writes without a token are still refused, although others succeed."""


class WriteRefusals:
    """Track whether writes are refused, from any thread.

    Args:
        database: the path of the file, for the log.
        clock: returns the time in seconds.

    Attributes:
        current: the latest refusal; None while writes succeed.
        has_begun: set while there is a refusal.
    """

    def __init__(self, database: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.current: Refusal | None = None
        self.has_begun = threading.Event()
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._began_at = 0.0
        self._count = 0
        self._logged_at = 0.0
        self._is_start_logged = False
        self._starts: deque[float] = deque(maxlen=_MAX_STARTS_PER_REPEAT)

    def refuse(self, refusal: Refusal, writes: int) -> None:
        """Note that writes were refused; log it at once, and then once a minute.

        Args:
            refusal: the reason.
            writes: how many writes of clients; 0 for a probe, which begins no refusal.
        """
        with self._lock:
            before = self.current
            if writes == 0 and (before is None or refusal.is_lock):
                return  # a probe waits for a lock only briefly
            now = self._clock()
            self.current = refusal
            if before is None:
                self._began_at, self._count = now, 0
                self._is_start_logged = False
                self.has_begun.set()
            self._count += writes
            if before is None or before.reason != refusal.reason:
                self._log_start(refusal, now)
            elif now - self._logged_at >= _REPEAT_SECONDS:
                self._log_repetition(refusal, now)

    def end(self, *, by_probe: bool = False) -> None:
        """Note that a write was committed and synced; log it if writes were refused before.

        Args:
            by_probe: whether the write was a probe, and not one of a client.
        """
        if self.current is None:
            return
        with self._lock:
            refusal = self.current
            if refusal is None or (by_probe and not refusal.may_pass):
                return
            if refusal.holds is not None and refusal.holds():
                return
            self.current = None
            self.has_begun.clear()
            if self._is_start_logged:
                # The reason again: on a full disk, the log may lack the lines before.
                log.info(
                    "The database can be written again, after %.1f s in which %s refused: %s",
                    self._clock() - self._began_at,
                    _count_writes(self._count),
                    refusal.reason,
                )

    def _log_start(self, refusal: Refusal, now: float) -> None:
        starts = self._starts
        if len(starts) == starts.maxlen and now - starts[0] < _REPEAT_SECONDS:
            return
        starts.append(now)
        self._is_start_logged, self._logged_at = True, now
        level = logging.WARNING if refusal.may_pass else logging.ERROR
        log.log(
            level, "Writes are refused with status 503: %s File: %s", refusal.reason, self._database
        )

    def _log_repetition(self, refusal: Refusal, now: float) -> None:
        self._is_start_logged, self._logged_at = True, now
        log.warning(
            "Writes are still refused, for %.0f s: %s refused. %s File: %s",
            now - self._began_at,
            _count_writes(self._count),
            refusal.reason,
            self._database,
        )


def _count_writes(count: int) -> str:
    return "1 write was" if count == 1 else f"{count:,} writes were"
