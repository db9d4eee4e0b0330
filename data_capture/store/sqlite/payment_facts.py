"""Write `payment_facts`: the currency, status and amount of each payment, and who confirmed it.

A row of `payment_data` keeps what the page said. Its facts are written in the same transaction. A
row without facts was written by hand or by an earlier version; `privacy/payment_facts.py` adds
them.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from data_capture.capture.parse import Capture
from data_capture.capture.payments.facts import PaymentFacts, rescale_amount

CLAIM, CONFIRMED = "claim", "confirmed"
"""The sources of facts: a page, or the owner's own servers, which have a token."""

# OR REPLACE: facts of a payment that was deleted by hand are replaced.
INSERT_FACTS = """
INSERT OR REPLACE INTO payment_facts
    (payment_id, user_email, currency, status, amount_minor, confirmed_at, source)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""

_FIND = """
SELECT currency, status, amount_minor, confirmed_at, source
FROM payment_facts
WHERE payment_id = ? AND user_email = ?
"""

_SET_CURRENCY = "UPDATE payment_facts SET currency = ?, amount_minor = ? WHERE payment_id = ?"

_SET_STATUS = "UPDATE payment_facts SET status = ? WHERE payment_id = ? AND user_email = ?"


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
    if stored.confirmed_at is not None and not capture.is_confirmed:
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
