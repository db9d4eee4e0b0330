"""Names of prices in minor units, such as `amount_cents`, which become prices in major units."""

from __future__ import annotations

import re
from typing import NamedTuple

from data_capture.capture.conversion import Unconvertible
from data_capture.capture.converters import is_absent
from data_capture.capture.currencies import is_currency
from data_capture.capture.field_lookup import KEYS_BY_NAME, normalise_name
from data_capture.capture.payments.provider_objects import from_minor_units
from data_capture.capture.payments.shape import is_whole, parse_amount
from data_capture.json_codec import JsonObject
from data_capture.keys_cache import KeysCache

PRICE_ALIASES = (
    "amount_paid", "paid_amount", "total_paid", "amount", "final_amount", "grand_total",
    "order_total", "total_amount", "total_price", "total", "amount_total", "payment_amount",
    "price_amount", "amount_due", "price",
)  # fmt: skip
"""Names of the final price in major units, the preferred one first."""

_FINAL_NAMES = frozenset({"finalprice", *map(normalise_name, PRICE_ALIASES)})
_FIELDS = {
    **dict.fromkeys(_FINAL_NAMES, "final_price"),
    **dict.fromkeys(("originalprice", "originalamount", "subtotal"), "original_price"),
    **dict.fromkeys(("discount", "discountamount"), "discount_amount"),
}
_IN_MINOR_UNITS = re.compile(
    r"(?:in)?(?:cents?|pence)|(?:in)?(?P<unnamed>minor(?:units?)?|subunits?)", re.ASCII
)
_UNITS_IN_FRONT = re.compile(r"(?:cents|(?P<unnamed>minor))(amount|price|total)", re.ASCII)
_SECTIONS = ("paymentdata", "payment")
# Of Stripe's sessions. Pages copy it from there in minor units, or have such a name of their own.
_TOTAL_OF_STRIPE = "amounttotal"


class _MinorKey(NamedTuple):
    """A key for a price in minor units.

    `is_hundredths` tells whether its name says so, and `is_certain` whether the price is certain to
    be in minor units.
    """

    key: str
    field: str
    is_hundredths: bool = True
    is_certain: bool = True


def read_minor_units(payload: JsonObject) -> JsonObject:
    """Add the prices whose names say that they are in minor units, under their usual names.

    A whole number named `amount_total` could be either: it is not read.
    """
    added: JsonObject = {}
    _add_prices(payload, payload, added)
    names = KEYS_BY_NAME.get(payload)
    for section in _SECTIONS:
        for key in names.get(section, ()):
            if isinstance(payload[key], dict):
                _add_prices(payload[key], payload, added)
    if not added:
        return payload
    for name in [*added]:
        keys = names.get(name.replace("_", ""), ())
        if any(not is_absent(payload[key]) for key in keys):
            del added[name]
    return {**payload, **added}


def _add_prices(members: JsonObject, payload: JsonObject, added: JsonObject) -> None:
    for minor in _MINOR_KEYS.get(members):
        sent = members[minor.key]
        number = parse_amount(sent)
        if minor.field in added or is_absent(sent):
            continue
        if not minor.is_certain:
            if number is not None and is_whole(number):
                added[minor.field] = Unconvertible(f"named {minor.key} could be in minor units")
        elif number is None or not is_whole(number):
            added[minor.field] = Unconvertible("is not a whole number of minor units")
        else:
            code = _currency_of(members) or _currency_of(payload)
            if not code and minor.is_hundredths:
                added[minor.field] = number.scaleb(-2)
            else:
                added[minor.field] = from_minor_units(number, code)


def _find_minor_keys(keys: tuple[str, ...]) -> tuple[_MinorKey, ...]:
    names = [normalise_name(key) for key in keys]
    found = [_minor_key(key, name) for key, name in zip(keys, names, strict=True)]
    if _FINAL_NAMES & {*names} == {_TOTAL_OF_STRIPE}:
        key = keys[names.index(_TOTAL_OF_STRIPE)]
        found.append(_MinorKey(key, "final_price", is_certain=False))
    return tuple(minor for minor in found if minor is not None)


_MINOR_KEYS = KeysCache(_find_minor_keys)


def may_have_minor_units(keys: tuple[str, ...]) -> bool:
    """Tell whether a payload with these keys can have prices in minor units."""
    names = set(map(normalise_name, keys))
    return bool(_find_minor_keys(keys)) or not names.isdisjoint(_SECTIONS)


def _minor_key(key: str, name: str) -> _MinorKey | None:
    """Return what a name in minor units means; None for other names."""
    in_front = _UNITS_IN_FRONT.fullmatch(name)
    if in_front is not None:
        return _MinorKey(key, _FIELDS[in_front[2]], in_front["unnamed"] is None)
    for stem, field in _FIELDS.items():
        if name.startswith(stem):
            unit = _IN_MINOR_UNITS.fullmatch(name, len(stem))
            if unit is not None:
                return _MinorKey(key, field, unit["unnamed"] is None)
    return None


def _currency_of(members: JsonObject) -> str:
    names = KEYS_BY_NAME.get(members)
    for name in ("currency", "currencycode"):
        for key in names.get(name, ()):
            code = members[key]
            if isinstance(code, str) and is_currency(code.strip()):
                return code.strip().upper()
    return ""
