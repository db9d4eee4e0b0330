"""Values that pages send in place of one that they do not have: they lose against any other."""

from __future__ import annotations

import re
from typing import Any

from data_capture.capture.conversion import ColumnValue, described_as
from data_capture.capture.converters import identifier, is_absent, text

_MAX_CHARACTERS = 40
_WORDS = frozenset({
    "unknown", "undefined", "null", "none", "nil", "nan", "na", "n/a", "n.a.", "tbd", "unset",
    "not set", "not available", "not applicable", "not provided", "not specified", "unspecified",
    "unavailable", "empty", "[object object]", "{}", "[]",
})  # fmt: skip
# What pages make up in place of a transaction's hash, with the milliseconds since 1970.
_MADE_UP_HASH = re.compile(r"(?:NON[-_])?CRYPTO[-_][0-9]{10,16}", re.IGNORECASE)


def says_nothing(value: Any) -> bool:
    """Tell whether a value stands for one that is missing: `unknown`, `N/A`, `{}`, CRYPTO-<ms>."""
    if isinstance(value, (dict, list)):
        return not value
    if not isinstance(value, str):
        return value is None
    if len(value) > _MAX_CHARACTERS:
        return False
    trimmed = value.strip()
    return (
        is_absent(trimmed)
        or trimmed.lower() in _WORDS
        or _MADE_UP_HASH.fullmatch(trimmed) is not None
    )


@described_as(
    "A text, which is trimmed. A number or truth value is spelled out. What stands for a missing "
    "value, such as `unknown`, is left out."
)
def meaningful_text(value: Any) -> ColumnValue:
    """Convert a value as `text` does; None if it says nothing."""
    return None if says_nothing(value) else text(value)


@described_as(
    "A text, which is trimmed; a number is spelled out. A placeholder, such as `undefined`, `0` or "
    "`pending`, identifies nothing. One that a page made up, such as `CRYPTO-1795950058949`, is "
    "left out."
)
def transaction_hash(value: Any) -> ColumnValue:
    """Convert the hash of a transaction; None if the page made it up."""
    if isinstance(value, str) and _MADE_UP_HASH.fullmatch(value.strip()):
        return None
    return identifier(value)
