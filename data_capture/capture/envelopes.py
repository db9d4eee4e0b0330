"""Envelopes: objects around a payload, which clients, stores and protocols add.

`unwrap` returns a flat view of a payload, in which the fields of a kind are looked up. The members
outside an envelope come first, such as the user and the time that the script adds. The snapshot
keeps the payload as it came.

Names of form fields (`payment[plan]`, `1_plan`) are envelopes, too: see `form_names.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NamedTuple

from data_capture.capture.converters import is_absent
from data_capture.capture.field_lookup import KEYS_BY_NAME, normalise_name
from data_capture.capture.firestore import decode_fields, is_typed
from data_capture.capture.form_names import expand_form_names, has_form_names
from data_capture.capture.kinds import Kind
from data_capture.capture.user_fields import SALES
from data_capture.json_codec import JsonObject, decode_json
from data_capture.keys_cache import KeysCache
from data_capture.problems import Problem

MAX_ENVELOPES = 6
"""Of one payload. Real ones have at most 4: tRPC's `0`, `json`, `input` and `data`."""

_Names = dict[str, tuple[str, ...]]  # an object's keys by normalised name

_HTTP_METHODS = frozenset({"get", "post", "put", "patch", "delete"})
_RESPONSE_STATUSES = frozenset({"success", "ok", "error", "fail", "failure"})  # of a request
_ABOUT_USER = frozenset({"user_id", "user_name", "theme"})
_ACTIVITY_NAMES = frozenset({"activitytype", "activitydata"})
_ROWS = frozenset({
    "type", "eventtype", "table", "schema", "old", "oldrecord", "committimestamp", "errors",
})  # fmt: skip
_EVENT = frozenset({
    "id", "object", "type", "created", "livemode", "apiversion", "pendingwebhooks", "request",
    "account",
})  # fmt: skip
_LIST = frozenset({"object", "url", "hasmore", "totalcount"})


class View(NamedTuple):
    """A payload without its envelopes.

    Attributes:
        members: the payload's members and those inside envelopes.
        places: the paths of the envelopes of members, for warnings.
    """

    members: JsonObject
    places: Mapping[str, str]


NO_PLACES: Mapping[str, str] = MappingProxyType({})
"""The places of a view without envelopes."""


def unwrap(kind: Kind, payload: JsonObject) -> View:
    """Return a payload without its envelopes; without any, the payload itself."""
    layout = _LAYOUTS.get(payload)
    view = View(payload, NO_PLACES)
    if layout is None:
        return view
    if layout.has_form_names:
        view = _unwrap_form(kind, payload)
    closed: set[str] = set()
    for _ in range(MAX_ENVELOPES):
        opened = _open_first(kind, view, closed)
        if opened is None:
            break
        view = opened
    return view


def locate(field: str, places: Mapping[str, str]) -> str:
    """Return the path in the payload of a field that was found in a view."""
    place = places.get(field.partition(".")[0])
    return field if place is None else f"{place}.{field}"


# --- Which members are envelopes --------------------------------------------------------------


def _no_members(_members: JsonObject, _names: _Names) -> frozenset[str]:
    return frozenset()


def _protocol_names(*names: str) -> Callable[[JsonObject, _Names], frozenset[str]]:
    return lambda _members, _names: frozenset(names)


def _names_of_call(_members: JsonObject, names: _Names) -> frozenset[str]:
    """Return the names of a remote call's members; `method` alone may be a payment's."""
    is_call = not {"jsonrpc", "id"}.isdisjoint(names)
    return frozenset({"jsonrpc", "method", "id"}) if is_call else frozenset()


def names_of_response(members: JsonObject, names: _Names) -> frozenset[str]:
    """Return the names of the members that describe a request, a response or an event."""
    dropped: set[str] = set()
    if "object" in names:  # of Stripe
        kind = members[names["object"][-1]]
        dropped |= _EVENT if kind == "event" else _LIST if kind == "list" else frozenset()
    for key in names.get("status", ()):
        status = members[key]
        if isinstance(status, (bool, int)) or str(status).lower() in _RESPONSE_STATUSES:
            dropped.add("status")
    for key in names.get("method", ()):
        if str(members[key]).lower() in _HTTP_METHODS:
            dropped.add("method")
    return frozenset(dropped)


def _names_of_document(members: JsonObject, names: _Names) -> frozenset[str]:
    """Return the names of the members of a Firestore document; its name is a path."""
    is_document = is_typed(members[names["fields"][-1]])
    return frozenset({"name", "createtime", "updatetime"}) if is_document else frozenset()


# The names of envelopes, outer ones first, and which members around each belong to it.
_ENVELOPES: dict[str, Callable[[JsonObject, _Names], frozenset[str]]] = {
    "params": _names_of_call,
    "variables": _protocol_names("query", "operationname", "extensions"),
    "0": _no_members,
    "json": _protocol_names("meta"),
    "state": _protocol_names("version"),
    "event": _no_members,
    "record": _protocol_names(*_ROWS),
    "new": _protocol_names(*_ROWS),
    "writes": _no_members,
    "update": _no_members,
    "document": _no_members,
    "fields": _names_of_document,
    "data": names_of_response,
    "attributes": _protocol_names("links", "relationships"),
    "payload": names_of_response,
    "body": names_of_response,
    "formdata": _no_members,
    "form": _no_members,
    "values": _no_members,
    "input": _no_members,
    "object": _no_members,
    "objects": _no_members,
}


class _Layout(NamedTuple):
    """What a payload's keys say about envelopes."""

    envelopes: tuple[tuple[str, str], ...]
    """The keys that may be envelopes, with their normalised names, in the order of opening."""
    has_form_names: bool


def may_have_envelopes(keys: tuple[str, ...]) -> bool:
    """Tell whether `unwrap` may change a payload with these keys."""
    return _find_envelopes(keys) is not None


def _find_envelopes(keys: tuple[str, ...]) -> _Layout | None:
    names = {normalise_name(key): key for key in keys}
    if sum(map(str.isdecimal, keys)) > 1:  # several calls in one request
        names.pop("0", None)
    envelopes = tuple((names[name], name) for name in _ENVELOPES if name in names)
    is_form = has_form_names(keys)
    return _Layout(envelopes, is_form) if envelopes or is_form else None


_LAYOUTS = KeysCache(_find_envelopes)


# --- Opening one ------------------------------------------------------------------------------


def _unwrap_form(kind: Kind, payload: JsonObject) -> View:
    """Expand the names of form fields, and open the object that all of them are in, if any."""
    members, roots = expand_form_names(payload)
    if len(roots) != 1 or not isinstance(members[roots[0]], dict):
        return View(members, {})
    [root] = roots
    rest = {key: value for key, value in members.items() if key != root}
    if _is_known(kind, root) or _has_own_fields(kind, rest):
        return View(members, {})
    return merge_into(View(rest, {}), members[root], root)


def _open_first(kind: Kind, view: View, closed: set[str]) -> View | None:
    """Open the first envelope of a view; return None if there is none.

    Keys of `closed` are no envelopes, and others are added to it: decoding their texts again and
    again would take long.
    """
    layout = _LAYOUTS.get(view.members)
    if layout is None:
        return None
    for key, name in layout.envelopes:
        if key in closed:
            continue
        closed.add(key)
        inner, place = contents_of(kind, name, key, view.members[key])
        if inner is None:
            continue
        rest = _rest_of(kind, name, key, view.members)
        is_mixed = _has_own_fields(kind, rest)
        if _may_open(kind, name, inner, is_mixed=is_mixed):
            if is_mixed:
                inner = without_repeated_fields(kind, rest, inner)
            around = view.places.get(key)
            place = place if around is None else f"{around}.{place}"
            closed.difference_update(inner)
            return merge_into(View(rest, view.places), inner, place)
    return None


def _rest_of(kind: Kind, name: str, key: str, members: JsonObject) -> JsonObject:
    """Return the members around an envelope, without those that belong to it."""
    dropped = _ENVELOPES[name](members, KEYS_BY_NAME.get(members))
    rest = {
        other: value
        for other, value in members.items()
        if other != key and normalise_name(other) not in dropped
    }
    if "status" in dropped and _has_own_fields(kind, rest):  # then the status is the payload's
        return {other: members[other] for other in members if other != key}
    return rest


def contents_of(kind: Kind, name: str, key: str, value: Any) -> tuple[JsonObject | None, str]:
    """Return the object in an envelope and its path; None if there is none."""
    place = key
    if isinstance(value, str) and value.lstrip().startswith("{"):
        with suppress(Problem):
            value = decode_json(value)
    if isinstance(value, list) and len(value) == 1:
        value, place = value[0], f"{key}[0]"
    if not isinstance(value, dict) or not value:
        return None, place
    if name == "event" and "data" not in KEYS_BY_NAME.get(value):
        return None, place
    if name == "fields":
        return decode_fields(value), place
    return _single_variable(kind, value, place) if name == "variables" else (value, place)


def _single_variable(kind: Kind, variables: JsonObject, place: str) -> tuple[JsonObject, str]:
    """Return the only variable of a GraphQL request, if it is an object of any name."""
    if len(variables) == 1:
        [(key, value)] = variables.items()
        is_named = normalise_name(key) in _ENVELOPES or _is_known(kind, key)
        if isinstance(value, dict) and value and not is_named:
            return value, f"{place}.{key}"
    return variables, place


def without_repeated_fields(kind: Kind, rest: JsonObject, inner: JsonObject) -> JsonObject:
    """Return an envelope's members without those of fields that are around it, in any spelling.

    Beside a payload's own fields, a `name` can be that of anything, so it is left out as well.
    """
    dropped = {"name"}
    inner_paths = kind.layouts.get(inner).field_paths
    for index, paths in kind.layouts.get(rest).field_paths.items():
        if any(not path and not is_absent(rest[key]) for path, key in paths):
            dropped.update(key for path, key in inner_paths.get(index, ()) if not path)
    return {key: value for key, value in inner.items() if key not in dropped}


def _may_open(kind: Kind, name: str, inner: JsonObject, *, is_mixed: bool) -> bool:
    """Tell whether a member is an envelope of this kind, and not data of its own.

    An activity's `data` is its data, and a dashboard's members are its state. Other payloads may
    have an envelope beside their own fields, if that has fields, too.
    """
    if kind.name == "activity" and name == "data":
        return not is_mixed and not KEYS_BY_NAME.get(inner).keys().isdisjoint(_ACTIVITY_NAMES)
    if not is_mixed:
        return True
    if kind.name in ("activity", "dashboard"):
        return False
    return _has_own_fields(kind, inner) or _LAYOUTS.get(inner) is not None


def _has_own_fields(kind: Kind, members: JsonObject) -> bool:
    """Tell whether an object has fields of the kind, other than the user's."""
    layout = kind.layouts.get(members)
    return any(kind.parsed_fields[index].column not in _ABOUT_USER for index in layout.field_paths)


def _is_known(kind: Kind, key: str) -> bool:
    """Tell whether the kind knows an object under this key, and what is in it."""
    layout = kind.layouts.get({key: None})
    return bool(layout.field_paths or layout.email_paths) and normalise_name(key) not in SALES


def merge_into(around: View, inner: JsonObject, place: str) -> View:
    """Add the members of an envelope to those around it, which win."""
    members, places = {**around.members}, {**around.places}
    taken = {normalise_name(key) for key, value in members.items() if not is_absent(value)}
    for key, value in inner.items():
        if normalise_name(key) not in taken:
            members[key] = value
            places[key] = place
    return View(members, places)
