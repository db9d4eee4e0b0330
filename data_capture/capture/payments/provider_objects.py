"""Read the objects of payment providers, which pages send as they are.

`read_provider_object` adds the usual members of a payment to a payload: the price in major units,
currency, status, number, email and processor. What the page itself says under these names stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from data_capture.capture.conversion import Unconvertible
from data_capture.capture.converters import is_absent
from data_capture.capture.currencies import is_currency, minor_digits
from data_capture.capture.field_lookup import KEYS_BY_NAME, normalise_name
from data_capture.capture.payments.provider_shapes import MARKS, SHAPES
from data_capture.capture.payments.shape import (
    Shape,
    find,
    first_amount,
    is_whole,
    parse_amount,
)
from data_capture.json_codec import JsonObject, decode_json
from data_capture.keys_cache import KeysCache
from data_capture.problems import Problem

# Members in which pages and providers put such an object, outer ones first.
_WRAPPERS = (
    "paymentintent", "intent", "session", "checkoutsession", "charge", "payment", "paymentdata",
    "invoice", "orderdata", "order", "transaction", "resource", "result", "response", "details",
    "entity", "paymentresult", "paymentresponse", "paymentdetails", "paymentinfo", "orderdetails",
    "transactiondetails", "capturedetails", "eventdata", "event", "data",
    "payload", "object", "attributes", "capture", "purchase", "refund",
)  # fmt: skip
_PROVIDERS = (
    "stripe", "paypal", "razorpay", "nowpayments", "coinbase", "paddle", "lemonsqueezy",
)  # fmt: skip
_OF_PROVIDER = (
    "", "response", "result", "data", "details", "order", "payment", "charge", "session",
    "transaction", "capture", "invoice", "intent", "paymentintent", "event", "object", "checkout",
)  # fmt: skip
_RANKS = {
    name: rank
    for rank, name in enumerate(
        (*_WRAPPERS, *(provider + what for provider in _PROVIDERS for what in _OF_PROVIDER))
    )
}
_MAX_DEPTH = 4  # event, data, object
_MAX_OBJECTS = 20

_USUAL_NAMES = frozenset({"amount", "amountpaid"})  # of many payments without a provider's object
_RARE_MARKS = MARKS - _USUAL_NAMES
_ID_OF_PROVIDER = re.compile(
    r"(?:pi|ch|py|cs|in|re|dp|pay|order|inv|plink|rfnd|txn|che)_", re.ASCII
)
_SECTIONS = ("payment", "paymentdata")  # of most payments without such an object
SIGNS = _RARE_MARKS | ({*_RANKS} - {*_SECTIONS}) | {"id"}
"""Normalised names; a payload with a provider's object has one of them, or a section has."""


def _has_signs(keys: tuple[str, ...]) -> bool:
    return not SIGNS.isdisjoint(map(normalise_name, keys))


# Without this cache, parsing a payment in `paymentData` takes 1 % longer.
_HAS_SIGNS = KeysCache(_has_signs)

_PROCESSOR_NAMES = frozenset({"paymentprocessor", "paymentprovider", "processor", "provider"})
_PLAN_NAMES = frozenset({"planname", "plannamepayment", "plan", "selectedplan", "plantype"})


def read_provider_object(payload: JsonObject) -> JsonObject:
    """Add what the object of a payment provider says; return other payloads unchanged."""
    names = KEYS_BY_NAME.get(payload)
    if SIGNS.isdisjoint(names) and not _has_signs_inside(payload, names):
        return payload
    found = _search(payload, [_MAX_OBJECTS], _MAX_DEPTH)
    if found is None:
        return payload
    shape, members = found
    own = {name for name, keys in names.items() if any(not is_absent(payload[k]) for k in keys)}
    added = {
        name: value
        for name, value in _read(shape, members).items()
        if value is not None and not _says(own, name, payload)
    }
    dropped = names.get("name", ()) if shape.is_named else ()
    return {**{key: payload[key] for key in payload if key not in dropped}, **added}


def _has_signs_inside(payload: JsonObject, names: Mapping[str, tuple[str, ...]]) -> bool:
    """Tell whether a section of a payload may be or contain an object of a provider."""
    for section in _SECTIONS:
        for key in names.get(section, ()):
            inner = payload[key]
            if isinstance(inner, str) and inner.lstrip().startswith("{"):
                return True
            if isinstance(inner, dict) and _HAS_SIGNS.get(inner):
                return True
    return False


def _search(members: Any, left: list[int], depth: int) -> tuple[Shape, JsonObject] | None:
    """Find the first object of a provider in a payload, and in its usual wrappers."""
    if not depth or not left[0]:
        return None
    if isinstance(members, str) and members.lstrip().startswith("{"):  # copied from a store
        with suppress(Problem):
            members = decode_json(members)
    if not isinstance(members, dict):
        return None
    left[0] -= 1
    names = KEYS_BY_NAME.get(members)
    if _may_match(members, names):
        for shape in SHAPES:
            if shape.matches(members):
                return shape, members
    for wrapper in sorted(_RANKS.keys() & names.keys(), key=_RANKS.__getitem__):
        for key in names[wrapper]:
            found = _search(members[key], left, depth - 1)
            if found is not None:
                return found
    return None


def _may_match(members: JsonObject, names: Mapping[str, tuple[str, ...]]) -> bool:
    """Tell whether an object is worth a look. Most are not, and a look takes 40 microseconds."""
    if not _RARE_MARKS.isdisjoint(names):
        return True
    own_id = members.get("id")
    return isinstance(members.get("amount"), dict) or (
        isinstance(own_id, str) and _ID_OF_PROVIDER.match(own_id) is not None
    )


def _says(own: set[str], name: str, payload: JsonObject) -> bool:
    """Tell whether the page itself says what a provider's object says under a name."""
    if name == "payment_processor":
        return not _PROCESSOR_NAMES.isdisjoint(own)
    if name == "user_name":
        return not {"username", "fullname"}.isdisjoint(own)
    if name == "plan_name":
        return not _PLAN_NAMES.isdisjoint(own)
    if name == "payment_method":  # at Stripe, an id or an object
        method = payload.get(name)
        return isinstance(method, str) and not method.startswith("pm_")
    return name.replace("_", "") in own


def _read(shape: Shape, members: JsonObject) -> JsonObject:
    """Return the usual members of a payment for a provider's object."""
    currency = find(members, *shape.currencies)
    code = currency.strip().upper() if isinstance(currency, str) else ""
    email = find(members, *shape.emails)
    name = find(members, *shape.names)
    plan = find(members, *shape.plans)
    return {
        "final_price": _read_price(shape, members, code),
        "currency": code if is_currency(code) else currency,
        "payment_status": shape.status(members),
        "transaction_id": find(members, *shape.numbers),
        "user_email": email if isinstance(email, str) else None,
        "user_name": name if isinstance(name, str) else None,
        "payment_processor": shape.processor,
        "plan_name": plan if isinstance(plan, str) else None,
        "payment_method": find(members, *shape.methods),
        "crypto_transaction_hash": find(members, *shape.hashes),
        "crypto_amount": first_amount(members, shape.coins),
    }


def _read_price(shape: Shape, members: JsonObject, code: str) -> Any:
    """Return the price in major units; None if the object has none."""
    amount = shape.total(members) if shape.total else first_amount(members, shape.prices)
    if amount is None or isinstance(amount, Unconvertible):
        return amount
    number = parse_amount(amount)
    if number is None:
        return Unconvertible("is not a number")
    is_minor = shape.is_minor(members)
    if is_minor is False or not is_whole(number):
        return number  # not in minor units
    if is_minor is None:
        return Unconvertible("could be in minor units or not")
    return from_minor_units(number, code, shape.minor_digits)


def from_minor_units(
    number: Decimal, code: str, exceptions: Mapping[str, int] | None = None
) -> Decimal | Unconvertible:
    """Convert an amount in minor units of a currency to its major units."""
    if not is_currency(code):
        return Unconvertible("is in minor units of an unknown currency")
    digits = (exceptions or {}).get(code, minor_digits(code))
    return number.scaleb(-digits)
