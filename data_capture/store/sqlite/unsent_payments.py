"""Join a payment that a provider confirms with what a page saves of it without its number.

A provider's event makes a row for a payment that no page has sent (`event_facts.make_payment`). The
page may have saved it without the number, before or after the event: same user, same price and
currency, within minutes. Then the page's row gets the number, and the event's row is not needed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from data_capture.capture.parse import Capture
from data_capture.capture.payments.events import derive_facts
from data_capture.capture.payments.statuses import COMPLETED, PENDING
from data_capture.capture.timestamps import earlier
from data_capture.store.sqlite.event_facts import NO_FACTS, Payment, StoredEvent, format_price
from data_capture.store.sqlite.payment_comparison import PAYMENT, STATUS
from data_capture.store.sqlite.stored_emails import find_stored_email

WINDOW_SECONDS = 600
"""How far apart the two happen, and arrive."""

_FIND_MADE = """
SELECT payment.transaction_id
FROM payment_data AS payment
     CROSS JOIN payment_events AS event ON event.payment_id = payment.id
     LEFT JOIN payment_facts AS facts ON facts.payment_id = payment.id
WHERE payment.user_email = ? AND payment.created_at BETWEEN ? AND ? AND payment.final_price = ?
  AND event.made_payment = 1 AND event.received_at >= ?
  AND (facts.currency IS NULL OR facts.currency = coalesce(?, facts.currency))
ORDER BY payment.created_at DESC LIMIT 1
"""

_FIND_UNNUMBERED = f"""
SELECT payment.id, payment.user_email
FROM payment_data AS payment
     LEFT JOIN payment_facts AS facts ON facts.payment_id = payment.id
WHERE payment.user_email = ? AND payment.transaction_id IS NULL
  AND payment.created_at BETWEEN ? AND ? AND payment.final_price = ?
  AND (payment.payment_status IS NULL OR facts.status IN ('{PENDING}', '{COMPLETED}'))
  AND (facts.currency IS NULL OR facts.currency = ?)
  AND EXISTS (SELECT 1 FROM capture_receipts AS receipt
              WHERE receipt.row_id = payment.id AND receipt.capture_type = 'payment'
                AND receipt.user_email = payment.user_email AND receipt.created_at >= ?)
ORDER BY payment.created_at LIMIT 1
"""  # noqa: S608  (constants)

_SET_NUMBER = "UPDATE payment_data SET transaction_id = ? WHERE id = ?"


def find_made_number(
    connection: sqlite3.Connection, capture: Capture, stored_email: str
) -> str | None:
    """Return the number of a provider's payment that a page saves without it.

    Args:
        connection: in a write transaction.
        capture: a payment without a number.
        stored_email: its user, as spelled in `users.email`.
    """
    price = capture.values[PAYMENT.field_indexes["final_price"]]
    status = capture.values[PAYMENT.field_indexes[STATUS]]
    facts = capture.facts
    if price is None or facts is None:
        return None
    if status is not None and facts.status not in (PENDING, COMPLETED):
        return None
    values = (
        stored_email,
        earlier(capture.happened_at, WINDOW_SECONDS),
        earlier(capture.happened_at, -WINDOW_SECONDS),
        price,
        earlier(capture.received_at, WINDOW_SECONDS),
        facts.currency,
    )
    found = connection.execute(_FIND_MADE, values).fetchone()
    return None if found is None else found[0]


def give_number_to_claim(
    connection: sqlite3.Connection, events: Sequence[StoredEvent], number: str | None, now: str
) -> Payment | None:
    """Find the row of the payment that a page saved without its number, and set the number.

    Args:
        connection: in a write transaction.
        events: of a payment without a row.
        number: the payment's, in its stored form.
        now: the server's time.
    """
    payers = [event.user_email for event in events if event.user_email is not None]
    facts = derive_facts([event.facts for event in events], NO_FACTS)
    price = format_price(facts)
    if not payers or number is None or price is None or facts.status != COMPLETED:
        return None
    stored_email = find_stored_email(connection, payers[-1])
    if stored_email is None:
        return None
    occurred_at = max(event.occurred_at for event in events if event.status == COMPLETED)
    values = (
        stored_email,
        earlier(occurred_at, WINDOW_SECONDS),
        earlier(occurred_at, -WINDOW_SECONDS),
        price,
        facts.currency,
        earlier(now, WINDOW_SECONDS),
    )
    found = connection.execute(_FIND_UNNUMBERED, values).fetchone()
    if found is None:
        return None
    connection.execute(_SET_NUMBER, (number, found[0]))
    return Payment(*found)
