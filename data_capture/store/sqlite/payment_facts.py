"""Write `payment_facts`: the currency, status and amount of each payment, and who confirmed it.

A row of `payment_data` keeps what the page said. Its facts are written in the same transaction. A
row without facts was written by hand or by an earlier version; `privacy/payment_facts.py` adds
them.
"""

from __future__ import annotations

import sqlite3
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from data_capture.capture.parse import Capture
from data_capture.capture.payments.facts import (
    PaymentFacts,
    amount_in_minor_units,
    rescale_amount,
)
from data_capture.capture.payments.statuses import UNKNOWN, normalise_status

CLAIM, CONFIRMED = "claim", "confirmed"
"""The sources of facts: a page, or the owner's own servers, which have a token."""

# OR REPLACE: facts of a payment that was deleted by hand are replaced.
INSERT_FACTS_OF_MANY = """
INSERT OR REPLACE INTO payment_facts
    (payment_id, user_email, currency, status, amount_minor, confirmed_at, source)
VALUES {}
"""
INSERT_FACTS = INSERT_FACTS_OF_MANY.format("(?, ?, ?, ?, ?, ?, ?)")

_FIND = """
SELECT currency, status, amount_minor, confirmed_at, source
FROM payment_facts
WHERE payment_id = ? AND user_email = ?
"""

# The receipt says when a sender with a token confirmed the payment.
ROW_COLUMNS = """
payment.id, payment.user_email, payment.payment_status, CAST(payment.final_price AS TEXT),
(SELECT min(receipt.created_at)
 FROM capture_receipts AS receipt
 WHERE receipt.confirmed = 1 AND receipt.user_email = payment.user_email
   AND receipt.capture_type = 'payment' AND receipt.row_id = payment.id)
"""
"""The columns of `payment_data AS payment` that `values_of_row` takes."""

_MAX_INTEGER = 2**63 - 1  # of SQLite

_SET_CURRENCY = "UPDATE payment_facts SET currency = ?, amount_minor = ? WHERE payment_id = ?"

# What a provider's events say is not changed.
_SET_STATUS = f"""
UPDATE payment_facts SET status = ?
WHERE payment_id = ? AND user_email = ? AND source IN ('{CLAIM}', '{CONFIRMED}')
"""  # noqa: S608


class StoredFacts(NamedTuple):
    """The columns of a row of `payment_facts`."""

    currency: str | None
    status: str
    amount_minor: int | None
    confirmed_at: str | None
    source: str


def facts_values(
    facts: PaymentFacts, payment_id: int, stored_email: str, confirmed_at: str | None
) -> tuple[object, ...]:
    """Return the values of `INSERT_FACTS`.

    Args:
        facts: of the payment.
        payment_id: its row in `payment_data`.
        stored_email: its user's address, spelled as in `users.email`.
        confirmed_at: when a sender with a token sent it; None for a claim.
    """
    source = CLAIM if confirmed_at is None else CONFIRMED
    return (payment_id, stored_email, *facts, confirmed_at, source)


def values_of_capture(
    capture: Capture, payment_id: int, stored_email: str
) -> tuple[object, ...] | None:
    """Return the values of `INSERT_FACTS` for a capture; None if it is no payment."""
    if capture.facts is None:
        return None
    confirmed_at = capture.received_at if capture.is_confirmed else None
    return facts_values(capture.facts, payment_id, stored_email, confirmed_at)


def insert_facts(
    connection: sqlite3.Connection, capture: Capture, payment_id: int, stored_email: str
) -> None:
    """Insert the facts of a payment's new row; do nothing for the other kinds."""
    values = values_of_capture(capture, payment_id, stored_email)
    if values is not None:
        connection.execute(INSERT_FACTS, values)


def find_facts_of(
    connection: sqlite3.Connection, payment_id: int, stored_email: str
) -> StoredFacts | None:
    """Return the facts of a payment, or None if it has none yet."""
    found = connection.execute(_FIND, (payment_id, stored_email)).fetchone()
    return None if found is None else StoredFacts(*found)


def contradicts_facts(
    connection: sqlite3.Connection, capture: Capture, payment_id: int, stored_email: str
) -> bool:
    """Return whether a capture with a row's values names another currency than the row."""
    if capture.facts is None or capture.facts.currency is None:
        return False
    stored = find_facts_of(connection, payment_id, stored_email)
    return (
        stored is not None
        and stored.currency is not None
        and stored.currency != capture.facts.currency
    )


def complete_facts(
    connection: sqlite3.Connection, capture: Capture, payment_id: int, stored_email: str
) -> None:
    """Add the currency that a repetition of a payment names, if the payment has none.

    A claim can't change the facts of a confirmed payment.
    """
    if capture.facts is None or capture.facts.currency is None:
        return
    stored = find_facts_of(connection, payment_id, stored_email)
    if stored is None or stored.currency is not None:
        return
    if stored.source != CLAIM and not (stored.source == CONFIRMED and capture.is_confirmed):
        return
    currency, amount = capture.facts.currency, capture.facts.amount_minor
    if amount is None:
        amount = rescale_amount(stored.amount_minor, currency)
    connection.execute(_SET_CURRENCY, (currency, amount, payment_id))


def confirm_facts(
    connection: sqlite3.Connection, capture: Capture, payment_id: int, stored_email: str
) -> None:
    """Confirm the facts of a claimed payment, by a capture with a token that repeats it."""
    if capture.facts is None:
        return
    stored = find_facts_of(connection, payment_id, stored_email)
    if stored is None or stored.confirmed_at is None:
        insert_facts(connection, capture, payment_id, stored_email)


def complete_status(
    connection: sqlite3.Connection, capture: Capture, payment_id: int, stored_email: str
) -> None:
    """Set the status of a payment whose row had none."""
    if capture.facts is not None:
        connection.execute(_SET_STATUS, (capture.facts.status, payment_id, stored_email))


def values_of_row(
    payment_id: int, user_email: str, status: Any, price: str | None, confirmed_at: str | None
) -> tuple[object, ...]:
    """Return the values of `INSERT_FACTS` for a row without facts.

    Its currency is not in the table.
    """
    known = UNKNOWN if status is None else normalise_status(str(status))
    facts = PaymentFacts(None, known, _read_amount(price))
    return facts_values(facts, payment_id, user_email, confirmed_at)


def derive_facts_of_row(
    connection: sqlite3.Connection, payment_id: int, _stored_email: str
) -> StoredFacts:
    """Return the facts that follow from a row, which has none yet."""
    select = f"SELECT {ROW_COLUMNS} FROM payment_data AS payment WHERE id = ?"  # noqa: S608
    row = connection.execute(select, (payment_id,)).fetchone()
    _, _, currency, status, amount, confirmed_at, source = values_of_row(*row)
    return StoredFacts(currency, str(status), amount, confirmed_at, str(source))  # type: ignore[arg-type]


def _read_amount(price: str | None) -> int | None:
    """Return a price in hundredths; None for what is no price, which was written by hand."""
    try:
        amount = None if price is None else amount_in_minor_units(Decimal(price), None)
    except (InvalidOperation, OverflowError, ValueError):
        return None
    return amount if amount is not None and abs(amount) <= _MAX_INTEGER else None
