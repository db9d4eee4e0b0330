"""Values in an object of their own: those of databases, and prices with their currency."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from data_capture.capture.field_lookup import KEYS_BY_NAME
from data_capture.capture.form_names import FormList

# MongoDB's extended JSON, Firestore's values outside a document, and DynamoDB's.
_TYPES = frozenset({
    "$numberDecimal", "$numberDouble", "$numberInt", "$numberLong", "$oid", "stringValue",
    "integerValue", "doubleValue", "booleanValue", "S", "N",
})  # fmt: skip
_AMOUNTS = ("value", "amount", "total")
_CURRENCIES = ("currency", "currencycode")
_MAX_CHARACTERS = 30


def plain_value(value: Any) -> Any:
    """Return the value in a typed value, in the object of a price, or in a form's list of one.

    None for anything else. A whole number in a price object could be in minor units: it is not
    read.
    """
    if isinstance(value, FormList):
        return value[0] if len(value) == 1 and not isinstance(value[0], (dict, list)) else None
    if not isinstance(value, dict):
        return None
    if len(value) == 1:
        [(name, content)] = value.items()
        return content if name in _TYPES and not isinstance(content, (dict, list)) else None
    return _amount_of(value)


def _amount_of(price: dict[str, Any]) -> Decimal | None:
    """Return the amount of `{"value": "10.00", "currency": "EUR"}`, if it has decimals."""
    keys = KEYS_BY_NAME.get(price)
    if not any(isinstance(price[key], str) for name in _CURRENCIES for key in keys.get(name, ())):
        return None
    amounts = [price[key] for name in _AMOUNTS for key in keys.get(name, ())]
    if len(amounts) != 1:
        return None
    [amount] = amounts
    if isinstance(amount, str) and "." in amount and len(amount) <= _MAX_CHARACTERS:
        try:
            amount = Decimal(amount)
        except InvalidOperation:
            return None
        return amount if amount.is_finite() else None
    is_fraction = isinstance(amount, Decimal) and amount != amount.to_integral_value()
    return amount if is_fraction else None
