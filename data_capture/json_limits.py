"""How many values, brackets and different keys a JSON text may have."""

from __future__ import annotations

from typing import NamedTuple

# Commas, and separately opening brackets: counting them takes no parsing. Pages send far fewer,
# except in dashboards with thousands of trades.
MAX_VALUES = 50_000
MAX_DIFFERENT_KEYS = 10_000  # in all objects of a body; each key is classified once

# The trades of dashboards have 20 characters for each value and 370 for each bracket or key.
_MIN_CHARACTERS_PER_VALUE = 13
_MIN_VALUES_PER_BRACKET = 6
_MIN_VALUES_PER_DIFFERENT_KEY = 15


class JsonLimits(NamedTuple):
    """The limits of a JSON text, which follow from how many values it may have."""

    values: int

    @property
    def brackets(self) -> int:
        """How many opening brackets the text may have."""
        return max(MAX_VALUES, self.values // _MIN_VALUES_PER_BRACKET)

    @property
    def different_keys(self) -> int:
        """How many different keys the objects of the text may have."""
        return max(MAX_DIFFERENT_KEYS, self.values // _MIN_VALUES_PER_DIFFERENT_KEY)


def max_values_in(characters: int) -> int:
    """Return how many values a dashboard, or a JSON text in a payload, may have by its length."""
    return max(MAX_VALUES, characters // _MIN_CHARACTERS_PER_VALUE)


def max_different_keys_in(characters: int) -> int:
    """Return how many different keys a JSON text in a payload may have by its length."""
    return JsonLimits(max_values_in(characters)).different_keys
