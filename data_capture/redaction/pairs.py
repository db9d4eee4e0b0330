"""Pairs of a name and a value, as forms send them: {"name": "cvv", "value": "1"}, ["cvv", "1"]."""

from __future__ import annotations

import re
from typing import Any

from data_capture.redaction.key_roles import role_of_pair_name
from data_capture.redaction.sensitive_keys import (
    NAMES_OF_PAIRS,
    TYPES_OF_PAIRS,
    VALUES_OF_PAIRS,
)

_PAIR_ITEMS = 2
_MAX_QUESTION_CHARACTERS = 1_000
_CLOSED_QUESTION = re.compile(r"(?:are|can|did|do|does|has|have|is|will)\b", re.IGNORECASE)


def find_pair_name(members: dict[str, Any]) -> str | None:
    """Return the name of a pair, as in {"name": "cvv", "value": "123"}."""
    if not any(key in members for key in VALUES_OF_PAIRS):
        return None
    if any(members.get(key) == "password" for key in TYPES_OF_PAIRS):
        return "password"
    names = (members[key] for key in NAMES_OF_PAIRS if key in members)
    name = next((name for name in names if isinstance(name, str)), None)
    return members.get("question") if name is None and _asks_for_secret(members) else name


def _asks_for_secret(members: dict[str, Any]) -> bool:
    """Tell whether a question asks for a secret, and not something about it."""
    question = members.get("question")
    if not isinstance(question, str) or len(question) > _MAX_QUESTION_CHARACTERS:
        return False
    return _CLOSED_QUESTION.match(question) is None


def is_list_of_pairs(items: list[Any]) -> bool:
    """Tell whether a list has pairs of a name and a value, as the entries of a form."""
    if not items or not isinstance(items[0], list):  # without `all`, which takes 1 us
        return False
    return all(
        isinstance(item, list) and len(item) == _PAIR_ITEMS and isinstance(item[0], str)
        for item in items
    )


def has_secret_pair(items: list[Any]) -> bool:
    """Tell whether a list has a pair whose name is that of a secret or a card."""
    return is_list_of_pairs(items) and any(role_of_pair_name(name) for name, _ in items)
