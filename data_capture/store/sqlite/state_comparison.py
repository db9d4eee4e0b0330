"""Tell whether a dashboard's capture says nothing that its user's latest row does not say.

Pages save one state in several ways: a request with a flat object, and keys with nested ones. The
script sends them together, or the request alone. Then the request's columns are a part of the
row's, and the row's JSON has another shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from data_capture.capture.conversion import ColumnValue
from data_capture.capture.converters import json_state
from data_capture.capture.field_lookup import KEYS_BY_NAME, normalise_name
from data_capture.capture.kinds import Kind
from data_capture.capture.parse import Capture
from data_capture.capture.volatile_names import RECORD_ID_NAMES, VOLATILE_NAMES
from data_capture.json_codec import JsonObject, decode_json
from data_capture.problems import Problem

MAX_CHARACTERS = 200_000
"""Of both states; comparing takes milliseconds, in which nothing else is written."""

_FLAT_STATE = "dashboard_state"
_NO_FIGURES = frozenset({"user_id", "user_name", "theme"})
_MIN_FIGURES = 2


def omit_defaults(capture: Capture) -> tuple[ColumnValue, ...]:
    """Return a capture's values with None where it has a default instead of a value."""
    if not capture.defaulted:
        return capture.values
    values = [*capture.values]
    for index in capture.defaulted:
        values[index] = None
    return tuple(values)


def may_be_part_of_state(capture: Capture) -> bool:
    """Tell whether a capture can be a part of what a row says, and not a state of its own.

    A dashboard with one figure says too little for that.
    """
    if not state_columns(capture.kind):
        return True
    figures = sum(
        value is not None and field.column not in _NO_FIGURES and field.converter is not json_state
        for field, value in zip(capture.kind.fields, capture.values, strict=True)
    )
    return figures >= _MIN_FIGURES


def state_columns(kind: Kind) -> tuple[str, ...]:
    """Return the columns of a kind with a state in JSON."""
    return tuple(field.column for field in kind.fields if field.converter is json_state)


def is_contained(capture: Capture, stored: dict[str, Any]) -> bool:
    """Tell whether the states of a row have what the states of a capture say.

    Args:
        capture: its other columns are equal to the row's, or missing.
        stored: the row's states by column, as text.
    """
    kind = capture.kind
    sent = {
        column: capture.values[kind.field_indexes[column]]
        for column in stored
        if capture.values[kind.field_indexes[column]] is not None
    }
    texts = [text for text in (*sent.values(), *stored.values()) if isinstance(text, str)]
    if sum(map(len, texts)) > MAX_CHARACTERS:
        return False
    with suppress(Problem):
        below = {column: _decode(text) for column, text in stored.items()}
        above = {column: _decode(text) for column, text in sent.items()}
        flat = above.get(_FLAT_STATE)
        if len(above) == 1 and isinstance(flat, dict) and _is_flat(kind, flat):
            return _has_members(capture, below, flat)
        return all(
            _contains(below[column], state, RECORD_ID_NAMES) for column, state in above.items()
        )
    return False


def _decode(text: Any) -> Any:
    return decode_json(text) if isinstance(text, str) else None


def _is_flat(kind: Kind, state: Any) -> bool:
    """Tell whether a state is a flat object, whose members also have columns."""
    return isinstance(state, dict) and any(_has_column(kind, *item) for item in state.items())


def _has_column(kind: Kind, name: str, member: Any) -> bool:
    return not isinstance(member, (dict, list)) and normalise_name(name) in kind.known_names


def _has_members(capture: Capture, stored: dict[str, Any], flat: JsonObject) -> bool:
    """Tell whether the members of a flat state that have no column are in a row's states.

    Members that a state of another shape has under no name are content without a column: an audit
    record has them.
    """
    kind = capture.kind
    others = {
        name: member
        for name, member in flat.items()
        if member is not None
        and name not in VOLATILE_NAMES | RECORD_ID_NAMES
        and not _has_column(kind, name, member)
    }
    has_other_shape = not _is_flat(kind, stored.get(_FLAT_STATE))
    for name, member in others.items():
        found = [*_find(stored, normalise_name(name))]
        if not (any(_contains(one, member) for one in found) if found else has_other_shape):
            return False
    return True


def _find(states: dict[str, Any], name: str) -> Iterator[Any]:
    """Yield the members of this name in the states and in the objects in them."""
    objects = [state for state in states.values() if isinstance(state, dict)]
    objects += [one for state in objects for one in state.values() if isinstance(one, dict)]
    for members in objects:
        for key in KEYS_BY_NAME.get(members).get(name, ()):
            yield members[key]


def _contains(whole: Any, part: Any, ignored: frozenset[str] = frozenset()) -> bool:
    """Tell whether a value has everything of another; null says nothing."""
    if part is None:
        return True
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            name in VOLATILE_NAMES or name in ignored or _contains(whole.get(name), member)
            for name, member in part.items()
        )
    return type(whole) is type(part) and whole == part if isinstance(part, bool) else whole == part
