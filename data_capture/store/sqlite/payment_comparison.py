"""Compare a captured payment with a payment's row. Only one of the two has a number.

The rules are in `payments.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from data_capture.capture.conversion import ColumnValue
from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Capture
from data_capture.capture.payments.statuses import COMPLETED, FAILED, PENDING, normalise_status
from data_capture.capture.says_nothing import says_nothing
from data_capture.redaction.redact import is_masked

PAYMENT = KINDS["payment"]
COLUMNS = tuple(field.column for field in PAYMENT.fields)
NUMBER, STATUS = "transaction_id", "payment_status"
_HASH = "crypto_transaction_hash"
_MAY_DIFFER = frozenset({"user_id", "user_name", NUMBER, STATUS})
_MUST_BE_KNOWN = ("plan_name", "final_price")
_MAY_SAY_NOTHING = frozenset({
    "plan_name", "coupon_code", "payment_method", STATUS, "payment_processor", _HASH,
    "crypto_from_address", "crypto_amount",
})  # fmt: skip
_AMOUNTS = frozenset({"original_price", "discount_amount", "final_price", "crypto_amount"})
_COMPARED_STATUSES = frozenset({PENDING, COMPLETED, FAILED})
_STEPS = frozenset({
    (PENDING, COMPLETED), (PENDING, FAILED), (FAILED, PENDING), (FAILED, COMPLETED),
})  # fmt: skip
"""How a payment goes on. The last three count only with the same idempotency key."""


class PaymentRow(NamedTuple):
    """A row of `payment_data`, and what is known of it."""

    id: int
    created_at: str
    currency: str | None
    is_confirmed: bool
    is_latest_state: bool
    arrived_live: bool  # when it happened, not from a page's queue or from an import
    values: dict[str, ColumnValue]


def meaningful_values(values: Iterable[ColumnValue]) -> dict[str, ColumnValue]:
    """Return the values of a payment's row by column, and None for what says nothing."""
    return {
        column: None if column in _MAY_SAY_NOTHING and says_nothing(value) else value
        for column, value in zip(COLUMNS, values, strict=True)
    }


def values_of(capture: Capture) -> dict[str, ColumnValue]:
    """Return the values of a captured payment, by column."""
    return dict(zip(COLUMNS, capture.values, strict=True))


def is_same_payment(row: PaymentRow, capture: Capture, *, has_same_key: bool = False) -> bool:
    """Tell whether a row and a capture, one of them without a number, are one payment.

    With the same idempotency key, they need not both have a plan and a price, and a failed attempt
    is the same payment.
    """
    values = values_of(capture)
    if not (has_same_key or _has_same_hash(row, capture)) and any(
        row.values[column] is None or values[column] is None for column in _MUST_BE_KNOWN
    ):
        return False
    if not all(
        agree_on(column, row.values[column], values[column])
        for column in COLUMNS
        if column not in _MAY_DIFFER
    ):
        return False
    currency = None if capture.facts is None else capture.facts.currency
    if currency is not None and row.currency is not None and currency != row.currency:
        return False
    one, other = _statuses(row, capture)
    if one is None or other is None or one == other or {one, other} == {PENDING, COMPLETED}:
        return True
    return has_same_key and {one, other} <= _COMPARED_STATUSES


def _has_same_hash(row: PaymentRow, capture: Capture) -> bool:
    one, other = row.values[_HASH], values_of(capture)[_HASH]
    return one is not None and one == other and not is_masked(str(one))


def agree_on(column: str, one: ColumnValue, other: ColumnValue) -> bool:
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


def _statuses(row: PaymentRow, capture: Capture) -> tuple[str | None, str | None]:
    """Return the status of each: the shared one if it is compared, or as it is spelled."""
    return _shared_status(row.values[STATUS]), _shared_status(values_of(capture)[STATUS])


def _shared_status(status: ColumnValue) -> str | None:
    if says_nothing(status):
        return None
    shared = normalise_status(str(status))
    return shared if shared in _COMPARED_STATUSES else " ".join(str(status).split()).casefold()


def is_step(row: PaymentRow, capture: Capture) -> bool:
    """Tell whether a capture is the next state of a row of the same payment."""
    return _statuses(row, capture) in _STEPS


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
    return agree_on(column, one, other) if column in _AMOUNTS else str(one) == str(other)
