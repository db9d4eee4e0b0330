"""The memory of the rate limits: a bounded storage for the engine `limits`."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from limits.storage import Storage

_MAX_WINDOWS = 50_000  # about 15 MB; an attacker with more addresses than this is not to be stopped by counting them


class Windows(Storage):
    """Count in memory, in at most `_MAX_WINDOWS` windows; the oldest is evicted.

    The engine's own memory storage keeps every key until its window ends, and walks through all
    keys in a thread that it starts up to a hundred times a second.
    """

    STORAGE_SCHEME = ["edc-windows"]  # noqa: RUF012  (the engine's registry reads it so)

    def __init__(
        self, uri: str | None = None, wrap_exceptions: bool = False, **options: float | str | bool
    ) -> None:
        super().__init__(uri, wrap_exceptions, **options)
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, list[float]] = (
            OrderedDict()
        )  # the count, and when its window ends; oldest windows first

    @property
    def base_exceptions(self) -> type[Exception]:
        """Return what the engine takes for a failure of its storage; this one has none."""
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Add to a window, which ends `expiry` seconds after its first count; return its count."""
        now = time.time()
        with self._lock:
            window = self._counts.get(key)
            if window is not None:
                if window[1] > now:
                    window[0] += amount
                    return int(window[0])
                del self._counts[key]  # so that it comes last again
            elif len(self._counts) >= _MAX_WINDOWS:
                self._counts.popitem(last=False)
            self._counts[key] = [amount, now + expiry]
            return amount

    def get(self, key: str) -> int:
        """Return the count of a window; 0 for one that has ended."""
        window = self._counts.get(key)
        return int(window[0]) if window is not None and window[1] > time.time() else 0

    def get_expiry(self, key: str) -> float:
        """Return when a window ends, of `time.time()`."""
        window = self._counts.get(key)
        return window[1] if window is not None else time.time()

    def check(self) -> bool:
        """Tell whether the storage works."""
        return True

    def reset(self) -> int:
        """Delete all windows; return how many there were."""
        with self._lock:
            forgotten = len(self._counts)
            self._counts.clear()
            return forgotten

    def clear(self, key: str) -> None:
        """Delete a window."""
        with self._lock:
            self._counts.pop(key, None)
