"""Read members of providers' events. A member of an unexpected type counts as missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from data_capture.capture.currencies import is_currency
from data_capture.capture.email import normalise_email
from data_capture.capture.field_lookup import normalise_name
from data_capture.capture.payments.events import as_number
from data_capture.capture.payments.facts import amount_in_minor_units
from data_capture.capture.timestamps import parse_timestamp, timestamp
from data_capture.json_codec import JsonObject

_MAX_REFERENCES = 8
_MAX_AMOUNT_CHARACTERS = 40
_MAX_MINOR_UNITS = 2**63 - 1  # of SQLite
# The names under which shops keep their own ids and the user's address in a payment's metadata.
_REFERENCE_NAMES = (
    "transactionid", "paymentid", "orderid", "ordernumber", "reference", "referenceid", "invoiceid",
)  # fmt: skip
_EMAIL_NAMES = ("useremail", "email", "customeremail")


def object_at(value: Any, *path: str) -> JsonObject:
    """Return the object at a path of members; an empty one if there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def text_of(value: Any) -> str:
    """Return a text, and "" for anything else."""
    return value if isinstance(value, str) else ""


def collect_numbers(values: Iterable[Any]) -> tuple[str, ...]:
    """Return the usable ids among values. An object stands for its own id."""
    ids = (value.get("id") if isinstance(value, dict) else value for value in values)
    return tuple(dict.fromkeys(filter(None, map(as_number, ids))))[:_MAX_REFERENCES]


def references_in(metadata: JsonObject) -> Iterator[Any]:
    """Yield the shop's own ids in a payment's metadata."""
    by_name = {normalise_name(key): value for key, value in metadata.items()}
    yield from (by_name[name] for name in _REFERENCE_NAMES if name in by_name)


def emails_in(metadata: JsonObject) -> Iterator[Any]:
    """Yield the addresses in a payment's metadata."""
    by_name = {normalise_name(key): value for key, value in metadata.items()}
    yield from (by_name[name] for name in _EMAIL_NAMES if name in by_name)


def find_email(values: Iterable[Any]) -> str | None:
    """Return the first usable address, normalised."""
    return next(filter(None, map(normalise_email, values)), None)


def read_currency(value: Any) -> str | None:
    """Return the code of a currency in capitals, or None if it is not known."""
    code = text_of(value).strip().upper()
    return code if is_currency(code) else None


def read_amount(value: Any, currency: str | None, decimals: int = 0) -> int | None:
    """Return an amount in minor units of its currency.

    Args:
        value: a number, or the text of one.
        currency: the code; None gives None, since the amount would mean nothing.
        decimals: how many of the amount's digits are decimals.
    """
    is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    if currency is None or not (is_number or isinstance(value, str)):
        return None
    try:
        number = Decimal(value if is_number else value[:_MAX_AMOUNT_CHARACTERS])
        amount = amount_in_minor_units(number.scaleb(-decimals), currency)
    except (InvalidOperation, OverflowError, ValueError):
        return None
    return amount if amount is not None and abs(amount) <= _MAX_MINOR_UNITS else None


def read_time(value: Any, now: datetime) -> str:
    """Return a time in the format of the tables; the time of arrival if there is none."""
    return timestamp(parse_timestamp(value) or now)
