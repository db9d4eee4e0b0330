"""Callers that have logged in to an account before: others' failures do not lock them out."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

MAX_KNOWN = 20_000  # about 5 MB; the account with the oldest login makes room
# The networks of one user. A user with many networks displaces no other user's callers.
MAX_KNOWN_OF_ADDRESS = 20
MAX_AGE_SECONDS = 30 * 24 * 3600.0


class KnownCallers:
    """Callers by the email address that they logged in with; kept in this process's memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # For each address its callers, with the time until which each is known; oldest first.
        self._known: OrderedDict[str, OrderedDict[str, float]] = OrderedDict()
        self._count = 0

    def add(self, caller: str, email: str) -> None:
        """Remember that a caller logged in with an address now."""
        with self._lock:
            callers = self._known.pop(email, None) or OrderedDict()
            self._known[email] = callers
            if callers.pop(caller, None) is None:
                self._count += 1
            callers[caller] = time.monotonic() + MAX_AGE_SECONDS
            if len(callers) > MAX_KNOWN_OF_ADDRESS:
                callers.popitem(last=False)
                self._count -= 1
            while self._count > MAX_KNOWN:
                self._count -= len(self._known.popitem(last=False)[1])

    def has(self, caller: str, email: str) -> bool:
        """Tell whether a caller logged in with an address in the last 30 days."""
        callers = self._known.get(email)
        return callers is not None and callers.get(caller, 0.0) > time.monotonic()
