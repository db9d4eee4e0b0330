"""A cache for what follows from an object's keys alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

# Callers choose the keys of their payloads. These bounds keep a cache at a few MB at most.
_MAX_KEYS_OF_AN_OBJECT = 100
_MAX_KEY_CHARACTERS_OF_AN_OBJECT = 2_000
_MAX_KEYS = 10_000
_MAX_OBJECTS = 500

Derived = TypeVar("Derived")


class KeysCache(Generic[Derived]):
    """Cache a value per tuple of keys, because pages send objects with the same keys repeatedly.

    Each cache names the time that it saves when `parse_capture` parses the payment of
    `bench/load.py`, or the first questionnaire or dashboard of `tests/support/page_payloads.py` and
    `tests/support/dashboard_payloads.py`, with and without the cache in turn.

    Args:
        derive: computes the value from the keys; must depend on them only.
    """

    def __init__(self, derive: Callable[[tuple[str, ...]], Derived]) -> None:
        self._derive = derive
        self._cached: dict[tuple[str, ...], Derived] = {}
        self._cached_keys = 0

    def get(self, members: dict[str, Any]) -> Derived:
        """Return the value for the keys of `members`, computed if it is not cached."""
        keys = tuple(members)
        try:
            return self._cached[keys]
        except KeyError:
            return self._derive_and_add(keys)

    def clear(self) -> None:
        """Remove all values."""
        self._cached.clear()
        self._cached_keys = 0

    def _derive_and_add(self, keys: tuple[str, ...]) -> Derived:
        derived = self._derive(keys)
        if (
            len(keys) <= _MAX_KEYS_OF_AN_OBJECT
            and sum(map(len, keys)) <= _MAX_KEY_CHARACTERS_OF_AN_OBJECT
        ):
            self._add(keys, derived)
        return derived

    def _add(self, keys: tuple[str, ...], derived: Derived) -> None:
        self._cached_keys += len(keys)
        if len(self._cached) >= _MAX_OBJECTS or self._cached_keys > _MAX_KEYS:
            self.clear()
            self._cached_keys = len(keys)
        self._cached[keys] = derived
