"""Finding a field's value in a payload, under any of its aliases and spellings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from data_capture.capture.converters import is_absent
from data_capture.json_codec import JsonObject, decode_json
from data_capture.keys_cache import KeysCache
from data_capture.problems import Problem

_MAX_NAME_CHARACTERS = 64  # of a field, in any spelling
_TIME_KEY, _TIME_NAME = "capture_timestamp", "capturetimestamp"  # the script sends the first

FieldPath = tuple[str, str]
"""Where a value may lie: "" and a key of the payload, or an object's path and a normalised name."""


def normalise_name(key: str) -> str:
    """Normalise a key: `plan_name`, `planName` and `plan-name` become `planname`."""
    if len(key) > _MAX_NAME_CHARACTERS:
        return key
    return key.replace("_", "").replace("-", "").lower()


def _group_by_name(keys: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Group an object's keys by their normalised names."""
    grouped: dict[str, list[str]] = {}
    for key in keys:
        grouped.setdefault(normalise_name(key), []).append(key)
    return {name: tuple(spellings) for name, spellings in grouped.items()}


KEYS_BY_NAME = KeysCache(_group_by_name)
"""An object's keys, grouped by normalised name.

Without this cache, parsing a payment, dashboard or questionnaire takes 10 to 14 % longer.
"""


class Aliases:
    """The names under which pages send one value, the preferred one first.

    `selectedPlan.price` is the member `price` of the object `selectedPlan`.
    """

    def __init__(self, *names: str) -> None:
        split = [name.rpartition(".") for name in names]
        self.from_top: tuple[FieldPath, ...] = tuple(
            (object_path, normalise_name(name)) for object_path, _, name in split
        )
        self.in_sections = tuple(name for object_path, name in self.from_top if not object_path)


class KeyLayout:
    """The paths at which values may lie in all payloads with the same top-level keys.

    Paths that the top-level keys rule out are left out.

    Args:
        keys: the payload's top-level keys, in order.
        sections: the paths of the kind's sections.
        fields: the aliases of the kind's fields.
        email: the aliases of the user's email address.

    Attributes:
        field_paths: the paths of each field that may be present, by its index.
        email_paths: the paths of the user's email address.
        time_keys: the spellings of `capture_timestamp`, the preferred one first.
    """

    def __init__(
        self,
        keys: tuple[str, ...],
        sections: Sequence[str],
        fields: Iterable[Aliases],
        email: Aliases,
    ) -> None:
        self._keys_by_name = _group_by_name(keys)
        self._sections = [section for section in sections if self._may_contain(section)]
        paths = [(index, self._paths_of(aliases)) for index, aliases in enumerate(fields)]
        self.field_paths = {index: found for index, found in paths if found}
        self.email_paths = self._paths_of(email)
        self.time_keys = sorted(
            self._keys_by_name.get(_TIME_NAME, ()), key=lambda key: key != _TIME_KEY
        )

    def _paths_of(self, aliases: Aliases) -> tuple[FieldPath, ...]:
        """List the paths from the top first, then those in each section."""
        in_sections = [(path, name) for path in self._sections for name in aliases.in_sections]
        return tuple(
            path
            for object_path, name in (*aliases.from_top, *in_sections)
            for path in self._possible_paths(object_path, name)
        )

    def _possible_paths(self, object_path: str, name: str) -> Iterable[FieldPath]:
        if not object_path:
            return [("", key) for key in self._keys_by_name.get(name, ())]
        return [(object_path, name)] if self._may_contain(object_path) else []

    def _may_contain(self, object_path: str) -> bool:
        return normalise_name(object_path.partition(".")[0]) in self._keys_by_name


class FieldLookup:
    """Finds values in one payload, and in the objects inside it."""

    def __init__(self, payload: JsonObject) -> None:
        self._payload = payload
        # By path; {} where there is no object.
        self._objects: dict[str, JsonObject] = {"": payload}
        # KEYS_BY_NAME does not cache large objects; each of them is grouped once per payload.
        self._keys: dict[str, dict[str, tuple[str, ...]]] = {}

    def find(self, path: FieldPath) -> tuple[str, Any] | None:
        """Return the key in the page's spelling and the value; None for an absent value."""
        object_path, name = path
        if object_path:
            return self._find_inside(object_path, name)
        value = self._payload[name]
        return None if is_absent(value) else (name, value)

    def find_all(self, paths: Iterable[FieldPath]) -> Iterator[Any]:
        """Yield the values at these paths that are not absent."""
        for path in paths:
            found = self.find(path)
            if found is not None:
                yield found[1]

    def _find_inside(self, object_path: str, name: str) -> tuple[str, Any] | None:
        """Find the first key with this normalised name and a value."""
        members = self._object_at(object_path)
        keys = self._keys.get(object_path)
        if keys is None:
            keys = self._keys[object_path] = KEYS_BY_NAME.get(members)
        for key in keys.get(name, ()):
            if not is_absent(members[key]):
                return key, members[key]
        return None

    def _object_at(self, object_path: str) -> JsonObject:
        known = self._objects.get(object_path)
        if known is not None:
            return known
        outer_path, _, name = object_path.rpartition(".")
        found = self._find_inside(outer_path, normalise_name(name))
        inner = None if found is None else found[1]
        if isinstance(inner, str) and inner.lstrip().startswith("{"):  # copied from localStorage
            with suppress(Problem):
                inner = decode_json(inner)
        self._objects[object_path] = inner if isinstance(inner, dict) else {}
        return self._objects[object_path]
