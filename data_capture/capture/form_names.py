"""Names of form fields that describe an object: `payment[plan]`, `pairs[]`, `1_plan`.

PHP, Rails and many form libraries nest with brackets or points; a repeated name is a list already.
Next.js adds a number to the names of a server action's form, and fields such as `$ACTION_ID_…`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from data_capture.json_codec import JsonObject

_MAX_PARTS = 8  # of a name
_BRACKETED = re.compile(r"([^\[\].]+)((?:\[[^\[\]]*\])+)")
_DOTTED = re.compile(r"[^\W\d][\w-]*(?:\.[\w-]+)+")
_NUMBERED = re.compile(r"([0-9]{1,4})_(.+)", re.DOTALL)
_ACTION = "$ACTION_"


class FormList(list[Any]):
    """A list that names such as `plan[]` and `plan[0]` describe; one item can be a plain value."""


def has_form_names(keys: Iterable[str]) -> bool:
    """Tell whether any of these keys is such a name."""
    return any(map(_is_form_name, keys))


def expand_form_names(members: JsonObject) -> tuple[JsonObject, list[str]]:
    """Build the objects and lists that the names of form fields describe.

    Where two fields need one place, the first has it.

    Returns:
        The members, and the keys of the objects and lists that were built.
    """
    members = _without_numbers(members)
    expanded: JsonObject = {}
    built: dict[str, None] = {}
    own_objects: set[int] = set()
    for key, value in members.items():
        parts = _parts_of(key)
        if len(parts) == 1:
            expanded.setdefault(key, value)
        elif parts[0] not in members:
            built[parts[0]] = None
            _insert(expanded, parts, value, own_objects)
    return {key: _to_list(value) if key in built else value for key, value in expanded.items()}, [
        *built
    ]


def _is_form_name(key: str) -> bool:
    if key.isidentifier():  # the usual case
        return False
    return len(_parts_of(key)) > 1 or _NUMBERED.fullmatch(key) is not None


def _without_numbers(members: JsonObject) -> JsonObject:
    """Remove the number before the names of a server action, if there is only one number."""
    numbers = {found[1] for found in map(_NUMBERED.fullmatch, members) if found}
    if len(numbers) != 1:
        return members
    renamed = {key.removeprefix(f"{min(numbers)}_"): value for key, value in members.items()}
    return {key: value for key, value in renamed.items() if not key.startswith(_ACTION)}


def _parts_of(key: str) -> list[str]:
    """Split a name: `a[b][]` has the parts a, b and an empty one."""
    found = _BRACKETED.fullmatch(key)
    if found is not None:
        parts = [found[1], *found[2][1:-1].split("][")]
    else:
        parts = key.split(".") if _DOTTED.fullmatch(key) else [key]
    return parts if len(parts) <= _MAX_PARTS else [key]


def _insert(members: JsonObject, parts: list[str], value: Any, own_objects: set[int]) -> None:
    """Put a value at its place, unless another value is there.

    Args:
        members: receives the value.
        parts: of its name.
        value: the value.
        own_objects: the ids of the objects that were made here. Those of the payload are copied
            once, so that the payload does not change.
    """
    target: Any = members
    for part in parts[:-1]:
        inner = target.get(part, {})
        if not isinstance(inner, dict):
            return
        if id(inner) not in own_objects:
            inner = target[part] = {**inner}
            own_objects.add(id(inner))
        target = inner
    last = parts[-1]
    if last:
        target.setdefault(last, value)
        return
    for item in value if isinstance(value, list) else [value]:
        target.setdefault(f"{len(target):09}", item)  # no index is written like this


def _to_list(value: Any) -> Any:
    """Turn objects with the keys 0, 1, … into lists, at any depth."""
    if not isinstance(value, dict):
        return value
    members = {key: _to_list(member) for key, member in value.items()}
    if not members or not all(map(str.isdecimal, members)):
        return members
    return FormList(members[key] for key in sorted(members, key=int))
