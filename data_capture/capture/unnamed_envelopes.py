"""Envelopes of any name: `{"createPayment": {…}}`, `{"order": {…}}`, `{"properties": {…}}`.

A payload that has none of the fields that say what it is about is looked through for objects that
have them. If exactly one object does, its members count as the payload's. Objects that describe
something else, such as an item, the state before or a refund, are left alone. An activity can be
about anything, so that it has no such envelope.
"""

from __future__ import annotations

from data_capture.capture.envelopes import (
    View,
    contents_of,
    merge_into,
    names_of_response,
    unwrap,
    without_repeated_fields,
)
from data_capture.capture.field_lookup import KEYS_BY_NAME, FieldLookup, normalise_name
from data_capture.capture.kinds import Kind

_MAX_DEPTH = 3
_MAX_OBJECTS = 40  # looked at in one payload

# Objects whose prices and numbers are not those of the payment.
_OTHER_THINGS = frozenset({
    "item", "items", "lineitem", "lineitems", "lines", "product", "products", "prices", "plan",
    "plans", "selectedplan",
    "old", "oldrecord", "oldvalue", "oldimage", "previous", "previousattributes", "before",
    "original", "refund", "refunds", "fee", "fees", "tax", "taxes", "shipping", "error", "errors",
    "config", "settings", "options", "defaults", "example", "headers", "query", "context",
    "balance", "wallet", "account", "payout", "withdrawal", "transfer", "limits", "device",
    "coupon", "discount", "customer", "user", "userdata", "userprofile", "profile",
})  # fmt: skip
_QUANTITIES = ("quantity", "qty")


def open_unnamed(kind: Kind, view: View) -> View:
    """Open the only object with fields of the kind in a view without any; or return the view."""
    normalised = kind.normalise(view.members)
    if _has_evidence(kind, View(normalised, {})):  # the object of a payment provider
        return view
    return _open(kind, view, _MAX_DEPTH, [_MAX_OBJECTS]) or view


def _open(kind: Kind, view: View, depth: int, left: list[int]) -> View | None:
    """Return a view with the members of the only object that has fields of the kind."""
    opened: list[tuple[str, str, View]] = []
    for key, value in view.members.items():
        if not isinstance(value, (dict, list, str)) or normalise_name(key) in _OTHER_THINGS:
            continue
        inner, place = contents_of(kind, "", key, value)
        if inner is None:
            continue
        left[0] -= 1
        if left[0] < 0:
            return None
        found: View | None = unwrap(kind, inner)
        if found is not None and not _has_evidence(kind, found):
            found = _open(kind, found, depth - 1, left) if depth > 1 else None
        if found is not None and not _is_of_many(found):
            opened.append((key, place, found))
    if len(opened) != 1:
        return None
    [(key, place, found)] = opened
    return _merge(kind, view, key, place, found)


def _merge(kind: Kind, view: View, key: str, place: str, found: View) -> View:
    dropped = names_of_response(view.members, KEYS_BY_NAME.get(view.members))
    rest = {
        other: value
        for other, value in view.members.items()
        if other != key and normalise_name(other) not in dropped
    }
    # Without an address beside it, a name can be that of anything.
    has_email = any(not path for path, _ in kind.layouts.get(found.members).email_paths)
    inner = found.members if has_email else without_repeated_fields(kind, rest, found.members)
    around = view.places.get(key)
    merged = merge_into(
        View(rest, view.places), inner, place if around is None else f"{around}.{place}"
    )
    places = {
        name: f"{merged.places[name]}.{found.places[name].removeprefix(f'{place}.')}"
        if name in found.places and name in merged.places
        else path
        for name, path in merged.places.items()
    }
    return View(merged.members, places)


def _has_evidence(kind: Kind, view: View) -> bool:
    """Tell whether a view has a value for a field that says what it is about."""
    paths = kind.layouts.get(view.members).field_paths
    lookup = FieldLookup(view.members)
    return any(
        lookup.find(path) is not None for index in kind.evidence for path in paths.get(index, ())
    )


def _is_of_many(view: View) -> bool:
    """Tell whether a price is that of one of several pieces."""
    keys = KEYS_BY_NAME.get(view.members)
    quantities = [view.members[key] for name in _QUANTITIES for key in keys.get(name, ())]
    return any(str(quantity) not in ("1", "None", "") for quantity in quantities)
