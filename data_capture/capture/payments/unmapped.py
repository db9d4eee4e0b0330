"""A warning about payments with other names than ours: neither price nor number was found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from data_capture.capture.conversion import ColumnValue
from data_capture.capture.field_lookup import normalise_name
from data_capture.json_codec import JsonObject
from data_capture.problems import FieldError

_PRICES_AND_NUMBERS = (
    "final_price", "original_price", "transaction_id", "crypto_transaction_hash",
)  # fmt: skip
_OF_EVERY_CAPTURE = frozenset({
    "captureid", "capturetimestamp", "timestamp", "createdat", "updatedat", "partial", "middlename",
})  # fmt: skip
_MAX_NAMES = 10
_MAX_NAME_CHARACTERS = 40


def warn_of_unmapped_payment(
    payload: JsonObject,
    values: Sequence[ColumnValue],
    indexes: Mapping[str, int],
    find_sent: Callable[[str], tuple[str, Any] | None],
    known_names: Collection[str],
) -> FieldError | None:
    """Return a warning if neither price nor number was found among a payment's names.

    It lists the names that fill no column; without any, it is None. What was found and not read has
    its own warning.

    Args:
        payload: the payload, secrets masked.
        values: the values of the payment's fields.
        indexes: the index of each field in `values`, by column.
        find_sent: finds what the page sent for a column.
        known_names: the normalised names that can fill a column.
    """
    for column in _PRICES_AND_NUMBERS:
        if values[indexes[column]] is not None:
            return None
    if any(find_sent(column) is not None for column in _PRICES_AND_NUMBERS):
        return None
    ignored = {*known_names, *_OF_EVERY_CAPTURE}
    unmapped = [key for key in payload if normalise_name(key) not in ignored]
    if not unmapped:
        return None  # nothing that the page said is lost
    message = f"and transaction_id were not found; not mapped: {_list(unmapped)}"
    return FieldError("final_price", message)


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
