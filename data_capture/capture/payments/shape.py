"""What a shape says of a payment provider's object, and how its places are looked up.

A place is a path: `purchase_units.0.amount.value`. -1 is a list's last item. Of several places, the
first with a value counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from data_capture.capture.converters import is_absent
from data_capture.capture.field_lookup import KEYS_BY_NAME, normalise_name
from data_capture.json_codec import JsonObject

Places = tuple[str, ...]

_MAX_AMOUNT_CHARACTERS = 30


@dataclass(frozen=True)
class Shape:
    """One kind of object of one provider.

    Attributes:
        processor: the provider's name.
        matches: tells whether an object is of this kind.
        prices: the places of the price; of amounts that are 0, a later one can count.
        total: computes the price, where it is not in one place.
        is_minor: tells whether the price is in minor units of its currency; None if it may be.
        minor_digits: the currencies whose minor units are not those of ISO 4217.
        currencies, numbers, emails, names, plans, methods, hashes, coins: the places of the others.
        is_named: whether its member `name` is the object's own, and not the user's.
        status: finds the provider's word for the status.
    """

    processor: str
    matches: Callable[[JsonObject], bool]
    prices: Places = ()
    total: Callable[[JsonObject], Any] | None = None
    is_minor: Callable[[JsonObject], bool | None] = lambda _found: False
    minor_digits: Mapping[str, int] = field(default_factory=dict)
    currencies: Places = ("currency",)
    numbers: Places = ("id",)
    status: Callable[[JsonObject], Any] = lambda found: find(found, "status")
    emails: Places = ()
    names: Places = ()
    plans: Places = ()
    methods: Places = ()
    hashes: Places = ()
    coins: Places = ()
    is_named: bool = False


def find(members: Any, *places: str) -> Any:
    """Return the first value that is not absent at these places; None without one."""
    for place in places:
        value = members
        for name in place.split("."):
            value = _step_into(value, name)
        if not is_absent(value):
            return value
    return None


def _step_into(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        keys = KEYS_BY_NAME.get(value).get(normalise_name(name), ())
        return value[keys[-1]] if keys else None
    if isinstance(value, list) and value and name in ("0", "-1"):
        return value[int(name)]
    return None


def always(_found: JsonObject) -> bool:
    """Tell that every price of a shape is in minor units."""
    return True


def is_text(value: Any, pattern: str) -> bool:
    """Tell whether a value is a text of this pattern."""
    return isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def has(members: JsonObject, *places: str) -> bool:
    """Tell whether an object has values at all of these places."""
    return all(find(members, place) is not None for place in places)


def first_amount(members: JsonObject, places: Places) -> Any:
    """Return the first amount that is not 0; if all are, the last one."""
    amounts = [amount for place in places if (amount := find(members, place)) is not None]
    return next((amount for amount in amounts if amount not in (0, "0")), (amounts or [None])[-1])


def has_decimal_point(amount: Any) -> bool:
    """Tell whether an amount is a text with a point, which no amount in minor units has."""
    return isinstance(amount, str) and "." in amount


def parse_amount(amount: Any) -> Decimal | None:
    """Return a program's amount as a number: its texts have a point before decimals."""
    if isinstance(amount, bool) or not isinstance(amount, (int, str, Decimal)):
        return None
    if isinstance(amount, str) and len(amount) > _MAX_AMOUNT_CHARACTERS:
        return None
    try:
        number = Decimal(amount)
    except InvalidOperation:
        return None
    return number if number.is_finite() and number.adjusted() < _MAX_AMOUNT_CHARACTERS else None


def is_whole(number: Decimal) -> bool:
    """Tell whether a number has no decimals; `%` fails for large ones."""
    return number == number.to_integral_value()
