"""Finding a field's value in a payload, under any of its aliases and spellings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from data_capture.capture.converters import is_absent
from data_capture.json_codec import JsonObject, decode_json
from data_capture.keys_cache import KeysCache
from data_capture.problems import Problem

_MAX_NAME_CHARACTERS = 64  # of a field, in any spelling
_TIME_KEY, _TIME_NAME = "capture_timestamp", "capturetimestamp"  # the script sends the first

FieldPath = tuple[str, str]
"""Where a value may lie: "" and a key of the payload, or an object's path and a normalised name."""

_WHOLE = "*"  # in an alias that stands for an object
_WHOLE_NAME = "_"  # in a path; no key has this normalised name
PAYLOAD_ITSELF = "."  # as an object's path


class WholeObject(NamedTuple):
    """The value of an alias such as `customer.*`: an object, for a converter that reads it.

    Attributes:
        members: the object; not empty.
        path: its path; `PAYLOAD_ITSELF` for the payload.
    """

    members: JsonObject
    path: str


def normalise_name(key: str) -> str:
    """Normalise a key: `plan_name`, `planName`, `plan-name` and `Plan Name` become `planname`."""
    if len(key) > _MAX_NAME_CHARACTERS:
        return key
    return key.replace("_", "").replace("-", "").replace(" ", "").lower()


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

    `selectedPlan.price` is the member `price` of the object `selectedPlan`, `customer.*` is the
    object `customer`, and `*first_name` is the payload, if it has this member. A name with a
    leading point, `.price`, is not looked up in sections.

    Attributes:
        from_top: the paths, each after the normalised name of the key at the top that it needs.
        in_sections: the normalised names that are also looked up in sections.
    """

    def __init__(self, *names: str) -> None:
        self.from_top: tuple[tuple[str, FieldPath], ...] = tuple(map(_split_alias, names))
        self.in_sections = tuple(
            normalise_name(name) for name in names if "." not in name and _WHOLE not in name
        )


def _split_alias(alias: str) -> tuple[str, FieldPath]:
    object_path, _, name = alias.rpartition(".")
    normalised = normalise_name(name.lstrip(_WHOLE))
    path_name = _WHOLE_NAME if _WHOLE in name else normalised
    if object_path:
        return normalise_name(object_path.partition(".")[0]), (object_path, path_name)
    return normalised, (PAYLOAD_ITSELF if _WHOLE in name else "", path_name)


class KeyLayout:
    """The paths at which values may lie in all payloads with the same top-level keys.

    Paths that the top-level keys rule out are left out.

    Args:
        keys: the payload's top-level keys, in order.
        sections: the paths of the kind's sections.
        fields: the aliases of the kind's fields.
        email: the aliases of the user's email address.
        may_be_reshaped: whether normalising may change such a payload.

    Attributes:
        field_paths: the paths of each field that may be present, by its index.
        fields: the same, each with the key of the payload that is its only path, or None.
        email_paths: the paths of the user's email address.
        time_keys: the spellings of `capture_timestamp`, the preferred one first.
    """

    def __init__(
        self,
        keys: tuple[str, ...],
        sections: Sequence[str],
        fields: Iterable[Aliases],
        email: Aliases,
        *,
        may_be_reshaped: bool,
    ) -> None:
        self.may_be_reshaped = may_be_reshaped
        self._keys_by_name = _group_by_name(keys)
        self._sections = [section for section in sections if self._may_contain(section)]
        paths = [(index, self._paths_of(aliases)) for index, aliases in enumerate(fields)]
        self.field_paths = {index: found for index, found in paths if found}
        self.fields = tuple(
            (index, _only_key(found), found) for index, found in self.field_paths.items()
        )
        # Sections may have an object of the user inside: `paymentData.customer.email`.
        in_sections = tuple((section, _WHOLE_NAME) for section in self._sections)
        self.email_paths = self._paths_of(email) + in_sections
        self.time_keys = sorted(
            self._keys_by_name.get(_TIME_NAME, ()), key=lambda key: key != _TIME_KEY
        )

    def _paths_of(self, aliases: Aliases) -> tuple[FieldPath, ...]:
        """List the paths from the top first, then those in each section."""
        paths: list[FieldPath] = []
        for top, path in aliases.from_top:
            keys = self._keys_by_name.get(top)
            if keys is not None:
                paths += [path] if path[0] else [("", key) for key in keys]
        paths += [(path, name) for path in self._sections for name in aliases.in_sections]
        return tuple(paths)

    def _may_contain(self, object_path: str) -> bool:
        return normalise_name(object_path.partition(".")[0]) in self._keys_by_name


def _only_key(paths: tuple[FieldPath, ...]) -> str | None:
    """Return the key of the payload that is the only path; None for other paths."""
    return None if len(paths) > 1 or paths[0][0] else paths[0][1]


class FieldLookup:
    """Finds values in one payload, and in the objects inside it.

    Attributes:
        payload: the payload.
    """

    def __init__(self, payload: JsonObject) -> None:
        self.payload = payload
        # By path; {} where there is no object.
        self._objects: dict[str, JsonObject] = {"": payload, PAYLOAD_ITSELF: payload}
        # KEYS_BY_NAME does not cache large objects; each of them is grouped once per payload.
        self._keys: dict[str, dict[str, tuple[str, ...]]] = {}

    def find(self, path: FieldPath) -> tuple[str, Any] | None:
        """Return the key in the page's spelling and the value; None for an absent value."""
        object_path, name = path
        if object_path:
            return self._find_inside(object_path, name)
        value = self.payload[name]
        return None if is_absent(value) else (name, value)

    def find_first(self, paths: Iterable[FieldPath]) -> tuple[str, Any] | None:
        """Return what `find` returns for the first of these paths that has a value."""
        for path in paths:
            found = self.find(path)
            if found is not None:
                return found
        return None

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
        if name == _WHOLE_NAME and members:
            return _WHOLE, WholeObject(members, object_path)
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
