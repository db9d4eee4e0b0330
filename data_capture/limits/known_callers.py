"""Who has logged in to an account before: others' failures must not shut them out."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

MAX_KNOWN = 20_000  # some 5 MB; who has not logged in for the longest time makes room
MAX_KNOWN_OF_ADDRESS = 20  # networks a user comes from; who has an account and many networks displaces no other account's
MAX_AGE_SECONDS = 30 * 24 * 3600.0


class KnownCallers:
    """Callers that a password has let in, each with the address that it was of; kept in this process's memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By address: its callers, each with the time until which it is known; oldest first.
        self._known: OrderedDict[str, OrderedDict[str, float]] = OrderedDict()
        self._count = 0

    def add(self, caller: str, email: str) -> None:
        """Note that `caller` has logged in with `email` now."""
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
        """Whether `caller` has logged in with `email` lately."""
        callers = self._known.get(email)
        return callers is not None and callers.get(caller, 0.0) > time.monotonic()
