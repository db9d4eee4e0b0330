"""A warning about payments with other names than ours: no price was found, or no number either."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from data_capture.capture.conversion import ColumnValue
from data_capture.capture.field_lookup import normalise_name
from data_capture.json_codec import JsonObject
from data_capture.problems import FieldError

_PRICES = ("final_price", "original_price")
_NUMBERS = ("transaction_id", "crypto_transaction_hash")
_OF_EVERY_CAPTURE = frozenset({
    "captureid", "capturetimestamp", "timestamp", "createdat", "updatedat", "partial", "middlename",
})  # fmt: skip
# Words for money in names, in the languages that pages are written in.
_MONEY = re.compile(
    r"price|amount|total|cost|gross|charged|preis|betrag|summe|kosten|prix|montant|precio|importe"
    r"|monto|prezzo|importo|valor|preco|preço|cena|kwota|cijena|částka|pris|belop|bel[øo]b|bedrag|prijs"
    r"|hinta|fiyat|tutar|ücret|цена|сумма|стоимость|价|金额|額|가격|금액"
)
_HAS_DIGIT = re.compile(r"\d")
_MAX_NAMES = 10
_MAX_NAME_CHARACTERS = 40
_MAX_MEMBERS = 200  # looked at in the objects of a payload
_MAX_DEPTH = 3


def warn_of_unmapped_payment(
    payload: JsonObject,
    values: Sequence[ColumnValue],
    indexes: Mapping[str, int],
    find_sent: Callable[[str], tuple[str, Any] | None],
    known_names: Collection[str],
) -> FieldError | None:
    """Return a warning if a payment's price was not found, but may be under another name.

    It lists the names that fill no column. If the number was found, it lists only names of money.
    None if there are no such names. What was found and not read has its own warning.

    Args:
        payload: the payload, secrets masked.
        values: the values of the payment's fields.
        indexes: the index of each field in `values`, by column.
        find_sent: finds what the page sent for a column.
        known_names: the normalised names that can fill a column.
    """
    for column in _PRICES:
        if values[indexes[column]] is not None:
            return None
    if any(find_sent(column) is not None for column in _PRICES):
        return None
    money = _find_money(payload, known_names)
    if any(find_sent(column) is not None for column in _NUMBERS):
        return (
            FieldError("final_price", f"was not found; not mapped: {_list(money)}")
            if money
            else None
        )
    ignored = {*known_names, *_OF_EVERY_CAPTURE}
    unmapped = [key for key in payload if normalise_name(key) not in ignored]
    unmapped += [name for name in money if name not in unmapped]
    if not unmapped:
        return None  # nothing that the page said is lost
    message = f"and transaction_id were not found; not mapped: {_list(unmapped)}"
    return FieldError("final_price", message)


def _find_money(payload: JsonObject, known_names: Collection[str]) -> list[str]:
    """Return the paths of members with names of money and a number, except known ones."""
    found: list[str] = []
    for path, name, value in _walk(payload, "", _MAX_DEPTH, [_MAX_MEMBERS]):
        if "." not in path and name in known_names:
            continue
        if _MONEY.search(name) is not None and _is_number(value):
            found.append(path)
            if len(found) > _MAX_NAMES:
                break
    return found


def _walk(
    members: JsonObject, outer: str, depth: int, left: list[int]
) -> Iterator[tuple[str, str, Any]]:
    """Yield the path, normalised name and value of members that are no objects."""
    for key, value in members.items():
        left[0] -= 1
        if left[0] < 0:
            return
        path = f"{outer}{key}"
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, dict):
            if depth > 1:
                yield from _walk(value, f"{path}.", depth - 1, left)
        else:
            yield path, normalise_name(key), value


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return _HAS_DIGIT.search(value[:_MAX_NAME_CHARACTERS]) is not None
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)


def _list(names: Iterable[str]) -> str:
    """List the names in a text of bounded length. A stranger can send many and long names."""
    names = [*names]
    shown = [
        "".join(char if char.isprintable() else "?" for char in name[:_MAX_NAME_CHARACTERS])
        + ("…" if len(name) > _MAX_NAME_CHARACTERS else "")
        for name in names[:_MAX_NAMES]
    ]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
