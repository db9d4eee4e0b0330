"""The member with which a capture says that it is a partial update."""

from __future__ import annotations

from typing import Any

from data_capture.json_codec import JsonObject
from data_capture.problems import FieldError

PARTIAL = "partial"

_ALMOST_TRUE = frozenset({"1", "yes", "on", "y", "t"})


def is_marked(members: JsonObject) -> bool:
    """Tell whether a payload, or what is in its envelope, is a partial update.

    Forms send texts, so that the text `true` counts, too.
    """
    mark = members.get(PARTIAL)
    return mark is True or (isinstance(mark, str) and mark.strip().lower() == "true")


def without_mark(members: JsonObject) -> JsonObject:
    """Return the members without the mark, which is no content."""
    return {key: member for key, member in members.items() if key != PARTIAL}


def warn_of_mark(mark: Any) -> FieldError | None:
    """Return a warning about a mark that could mean true, but is not read so."""
    spelled = str(mark).strip().lower() if isinstance(mark, (str, int)) else ""
    if isinstance(mark, bool) or spelled not in _ALMOST_TRUE:
        return None
    return FieldError(PARTIAL, "is not true, so this was stored as a whole state")
