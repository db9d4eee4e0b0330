"""Derive a payment's facts from its events, and make the row of a payment that no page sent."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from data_capture.capture.currencies import minor_digits
from data_capture.capture.payments.events import EventFacts, derive_facts
from data_capture.capture.payments.facts import PaymentFacts
from data_capture.capture.payments.statuses import COMPLETED, UNKNOWN
from data_capture.store.sqlite.payment_facts import (
    INSERT_FACTS,
    StoredFacts,
    derive_facts_of_row,
    find_facts_of,
)
from data_capture.store.sqlite.users import ensure_user

_MAX_PRICE = Decimal(10) ** 8  # of DECIMAL(10,2)
NO_FACTS = PaymentFacts(None, UNKNOWN, None)

_SELECT_EVENTS = """
SELECT provider, status, currency, amount_minor, occurred_at, received_at, claimed_facts
FROM payment_events
WHERE payment_id = ?
"""

_FIND_CLAIMED = """
SELECT claimed_facts FROM payment_events
WHERE payment_id = ? AND claimed_facts IS NOT NULL
LIMIT 1
"""

_INSERT_PAYMENT = """
INSERT INTO payment_data
    (user_email, final_price, transaction_id, payment_status, payment_processor, created_at,
     updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""


class Payment(NamedTuple):
    """A row of `payment_data`: its id and its user."""

    row_id: int
    user_email: str


class StoredEvent(NamedTuple):
    """The columns of a row of `payment_events`."""

    provider: str
    event_id: str
    event_type: str
    status: str
    currency: str | None
    amount_minor: int | None
    occurred_at: str
    received_at: str
    user_email: str | None
    payer_hash: str | None
    payment_id: int | None
    made_payment: int
    claimed_facts: str | None

    @property
    def facts(self) -> EventFacts:
        """What the payment's facts depend on."""
        return EventFacts(self.status, self.currency, self.amount_minor, self.occurred_at)


def describe_facts(connection: sqlite3.Connection, payment: Payment) -> str:
    """Return the facts that a payment has without its events, as JSON."""
    found = connection.execute(_FIND_CLAIMED, (payment.row_id,)).fetchone()
    if found is not None:
        return str(found[0])
    facts = find_facts_of(connection, *payment) or derive_facts_of_row(connection, *payment)
    return json.dumps(facts)


def update_facts(
    connection: sqlite3.Connection, row_id: int, user_email: str, fallback: str | None = None
) -> None:
    """Write the facts that follow from a payment's events.

    Args:
        connection: in a write transaction.
        row_id: the payment.
        user_email: its user, as spelled in `users.email`.
        fallback: the facts without events, as `describe_facts` returned them; for a payment that
            has lost its last event.
    """
    events = connection.execute(_SELECT_EVENTS, (row_id,)).fetchall()
    if not events:
        if fallback is not None:
            connection.execute(INSERT_FACTS, (row_id, user_email, *json.loads(fallback)))
        return
    claimed = StoredFacts(*json.loads(events[0][-1]))
    facts = derive_facts(
        [EventFacts(*event[1:5]) for event in events],
        PaymentFacts(claimed.currency, claimed.status, claimed.amount_minor),
    )
    provider, *_ = max(events, key=lambda event: event[4])
    confirmed_at = min(event[5] for event in events)
    connection.execute(INSERT_FACTS, (row_id, user_email, *facts, confirmed_at, provider))


def make_payment(
    connection: sqlite3.Connection, events: Sequence[StoredEvent], number: str | None, now: str
) -> Payment | None:
    """Make the row of a payment that a provider confirms and no page has sent.

    It needs a completed payment and the payer's address. The user is provisional if unknown.
    """
    payers = [event.user_email for event in events if event.user_email is not None]
    facts = derive_facts([event.facts for event in events], NO_FACTS)
    if not payers or facts.status != COMPLETED:
        return None
    occurred_at = max(event.occurred_at for event in events if event.status == COMPLETED)
    user_email = ensure_user(connection, payers[-1], None, now)
    values = (
        user_email, format_price(facts), number, facts.status, events[-1].provider,
        occurred_at, occurred_at,
    )  # fmt: skip
    row_id = connection.execute(_INSERT_PAYMENT, values).lastrowid
    assert row_id is not None
    return Payment(row_id, user_email)


def delete_made_payment(connection: sqlite3.Connection, row_id: int) -> None:
    """Delete the row that `make_payment` made, now that a page has sent the payment."""
    connection.execute("DELETE FROM payment_data WHERE id = ?", (row_id,))
    connection.execute("DELETE FROM payment_facts WHERE payment_id = ?", (row_id,))


def format_price(facts: PaymentFacts) -> str | None:
    """Return the price as `payment_data` has it; None if it is not known or too large."""
    if facts.amount_minor is None or facts.currency is None:
        return None
    price = Decimal(facts.amount_minor).scaleb(-minor_digits(facts.currency))
    if abs(price) >= _MAX_PRICE:
        return None
    return str(price.quantize(Decimal("0.01"), ROUND_HALF_EVEN))
