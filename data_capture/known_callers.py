"""Who has logged in to an account before: others' failures must not shut them out."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

MAX_KNOWN = 20_000  # some 5 MB; who has not logged in for the longest time makes room
MAX_AGE_SECONDS = 30 * 24 * 3600.0


class KnownCallers:
    """Callers that a password has let in, each with the address that it was of; kept in this process's memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], float] = OrderedDict()  # until when, oldest first

    def add(self, caller: str, email: str) -> None:
        """Note that `caller` has logged in with `email` now."""
        with self._lock:
            self._known.pop((caller, email), None)
            if len(self._known) >= MAX_KNOWN:
                self._known.popitem(last=False)
            self._known[caller, email] = time.monotonic() + MAX_AGE_SECONDS

    def has(self, caller: str, email: str) -> bool:
        """Whether `caller` has logged in with `email` lately."""
        return self._known.get((caller, email), 0.0) > time.monotonic()
