"""Compare a captured payment with a payment's row. Only one of the two has a number.

The rules are in `payments.py`.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from data_capture.capture.conversion import ColumnValue
from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Capture
from data_capture.capture.payments.statuses import COMPLETED, PENDING, normalise_status
from data_capture.redaction.redact import is_masked

PAYMENT = KINDS["payment"]
COLUMNS = tuple(field.column for field in PAYMENT.fields)
NUMBER, STATUS = "transaction_id", "payment_status"
_HASH = "crypto_transaction_hash"
_MAY_DIFFER = frozenset({"user_id", "user_name", NUMBER, STATUS})
_MUST_BE_KNOWN = ("plan_name", "final_price")
_AMOUNTS = frozenset({"original_price", "discount_amount", "final_price", "crypto_amount"})


class PaymentRow(NamedTuple):
    """A row of `payment_data`, and what is known of it."""

    id: int
    created_at: str
    currency: str | None
    is_confirmed: bool
    is_latest_state: bool
    arrived_live: bool  # when it happened, not from a page's queue or from an import
    values: dict[str, ColumnValue]


def values_of(capture: Capture) -> dict[str, ColumnValue]:
    """Return the values of a captured payment, by column."""
    return dict(zip(COLUMNS, capture.values, strict=True))


def is_same_payment(row: PaymentRow, capture: Capture) -> bool:
    """Tell whether a row and a capture, one of them without a number, are one payment."""
    values = values_of(capture)
    if not _has_same_hash(row, capture) and any(
        row.values[column] is None or values[column] is None for column in _MUST_BE_KNOWN
    ):
        return False
    if not all(
        _agree(column, row.values[column], values[column])
        for column in COLUMNS
        if column not in _MAY_DIFFER
    ):
        return False
    currency = None if capture.facts is None else capture.facts.currency
    if currency is not None and row.currency is not None and currency != row.currency:
        return False
    statuses = _statuses(row, capture)
    return None in statuses or len(statuses) == 1 or statuses == {PENDING, COMPLETED}


def _has_same_hash(row: PaymentRow, capture: Capture) -> bool:
    one, other = row.values[_HASH], values_of(capture)[_HASH]
    return one is not None and one == other and not is_masked(str(one))


def _agree(column: str, one: ColumnValue, other: ColumnValue) -> bool:
    """Tell whether two values of a column are equal, or one is missing."""
    if one is None or other is None:
        return True
    if column in _AMOUNTS:
        try:
            return Decimal(str(one)) == Decimal(str(other))
        except InvalidOperation:
            pass
    one, other = (" ".join(str(value).split()).casefold() for value in (one, other))
    return one == other and not is_masked(one)  # equal masks may hide two values


def _statuses(row: PaymentRow, capture: Capture) -> set[str | None]:
    """Return the statuses of both: the shared ones if they are known, or as they are spelled."""
    found = (row.values[STATUS], values_of(capture)[STATUS])
    return {None if status is None else _shared_status(str(status)) for status in found}


def _shared_status(spelling: str) -> str:
    shared = normalise_status(spelling)
    return shared if shared in (PENDING, COMPLETED) else " ".join(spelling.split()).casefold()


def is_step(row: PaymentRow, capture: Capture) -> bool:
    """Tell whether a capture is the completion of a pending row."""
    status = values_of(capture)[STATUS]
    return (
        status is not None
        and _statuses(row, capture) == {PENDING, COMPLETED}
        and _shared_status(str(status)) == COMPLETED
    )


def is_part_of(row: PaymentRow, capture: Capture) -> bool:
    """Tell whether a row, completed by a capture, has exactly the capture's values."""
    values = values_of(capture)
    return all(
        value is None or (values[column] is not None and _equal(column, value, values[column]))
        for column, value in row.values.items()
    )


def has_exactly(row: PaymentRow, capture: Capture) -> bool:
    """Tell whether a row has exactly the values of a capture."""
    values = values_of(capture)
    return all(
        (value is None) == (values[column] is None)
        and (value is None or _equal(column, value, values[column]))
        for column, value in row.values.items()
    )


def _equal(column: str, one: ColumnValue, other: ColumnValue) -> bool:
    return _agree(column, one, other) if column in _AMOUNTS else str(one) == str(other)
