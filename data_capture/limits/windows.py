"""The memory of the rate limits: a bounded storage for the engine `limits`."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from limits.storage import Storage

_MAX_WINDOWS = 50_000  # about 15 MB; counting cannot stop an attacker with more addresses


class Windows(Storage):
    """A storage in memory with at most `_MAX_WINDOWS` windows; the oldest window is evicted.

    The engine's own memory storage keeps every key until its window ends, and scans all keys in a
    thread that it starts up to a hundred times a second.
    """

    STORAGE_SCHEME = ["edc-windows"]  # noqa: RUF012  (the engine's registry reads it so)

    def __init__(
        self, uri: str | None = None, wrap_exceptions: bool = False, **options: float | str | bool
    ) -> None:
        super().__init__(uri, wrap_exceptions, **options)
        self._lock = threading.Lock()
        # The count of each window and its end in `time.time()`; oldest windows first.
        self._counts: OrderedDict[str, list[float]] = OrderedDict()

    @property
    def base_exceptions(self) -> type[Exception]:
        """Return the exceptions of a failing storage; this one never fails."""
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Add to a window and return the sum; it ends `expiry` seconds after its start."""
        now = time.time()
        with self._lock:
            window = self._counts.get(key)
            if window is not None:
                if window[1] > now:
                    window[0] += amount
                    return int(window[0])
                del self._counts[key]  # so that the new window comes last
            elif len(self._counts) >= _MAX_WINDOWS:
                self._counts.popitem(last=False)
            self._counts[key] = [amount, now + expiry]
            return amount

    def get(self, key: str) -> int:
        """Return the count of a window; 0 if it has ended."""
        window = self._counts.get(key)
        return int(window[0]) if window is not None and window[1] > time.time() else 0

    def get_expiry(self, key: str) -> float:
        """Return the end of a window in `time.time()`."""
        window = self._counts.get(key)
        return window[1] if window is not None else time.time()

    def check(self) -> bool:
        """Tell whether the storage works."""
        return True

    def reset(self) -> int:
        """Delete all windows and return their number."""
        with self._lock:
            deleted = len(self._counts)
            self._counts.clear()
            return deleted

    def clear(self, key: str) -> None:
        """Delete a window."""
        with self._lock:
            self._counts.pop(key, None)
