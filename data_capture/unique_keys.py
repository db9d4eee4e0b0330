"""Unique keys for members whose keys would collide."""

from __future__ import annotations

from typing import Any


class UniqueKeys:
    """Number the keys that are already taken: `name (2)`, `name (3)` and so on.

    Each key's last number is remembered. Otherwise the time would grow with the square of the
    number of members that have the same key, and a caller chooses how many there are
    (`tests/http/test_body_shapes.py`).

    Args:
        members: the object being built; the caller adds each member under its unique key.
    """

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members
        self._next_numbers: dict[str, int] | None = None

    def make_unique(self, key: str) -> str:
        """Return `key`, or if it is taken, a numbered variant that is not."""
        if key not in self._members:
            return key
        if self._next_numbers is None:
            self._next_numbers = {}
        number = self._next_numbers.get(key, 2)
        while (unique := f"{key} ({number})") in self._members:
            number += 1
        self._next_numbers[key] = number + 1
        return unique
