"""Store the events of payment providers, each once, and apply them to the payments they are about.

    event ──▶ stored with its numbers ──▶ matched with a payment ──▶ the payment's facts follow

Events of one provider with a common number are about one payment. They are matched together, again
with each new event and with each capture that has one of their numbers, so that the result does not
depend on what arrives first (`event_matching`). An event without a payment waits for one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from data_capture.audit import AuditRecord, record_audits
from data_capture.capture.parse import Capture
from data_capture.capture.payments.events import PaymentEvent, stored_forms
from data_capture.json_codec import encode_json
from data_capture.store.sqlite.capture_rows import subject_of
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.event_facts import (
    StoredEvent,
    delete_made_payment,
    describe_facts,
    make_payment,
    update_facts,
)
from data_capture.store.sqlite.event_matching import EventGroup, choose_payment
from data_capture.store.sqlite.tombstones import find_erasure_times
from data_capture.store.sqlite.unsent_payments import give_number_to_claim

PAYMENT_EVENT = "payment_event"
"""The `capture_type` of the audit record of an event's effect on a payment."""

APPLIED, UNMATCHED, DUPLICATE, ERASED = "applied", "unmatched", "duplicate", "erased"
"""The outcomes of an event."""

_HAS_ANY = "SELECT 1 FROM payment_event_numbers LIMIT 1"
_EXISTS = "SELECT 1 FROM payment_events WHERE provider = ? AND event_id = ?"

_INSERT_EVENT = """
INSERT INTO payment_events
    (provider, event_id, event_type, status, currency, amount_minor, occurred_at, received_at,
     user_email, payer_hash)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_INSERT_NUMBER = "INSERT OR IGNORE INTO payment_event_numbers VALUES (?, ?, ?, ?)"

_SELECT_GROUP = f"""
WITH RECURSIVE linked (event_id) AS (
    SELECT :event_id
    UNION
    SELECT other.event_id
    FROM linked
    JOIN payment_event_numbers AS own
      ON own.provider = :provider AND own.event_id = linked.event_id AND own.is_reference = 0
    JOIN payment_event_numbers AS other
      ON other.number = own.number AND other.provider = :provider AND other.is_reference = 0
    LIMIT 1000
)
SELECT {", ".join(f"event.{column}" for column in StoredEvent._fields)}
FROM linked JOIN payment_events AS event
  ON event.provider = :provider AND event.event_id = linked.event_id
ORDER BY event.received_at, event.event_id
"""  # noqa: S608  (the names are those of columns)

_SELECT_NUMBERS = """
SELECT number, is_reference FROM payment_event_numbers WHERE provider = ? AND event_id = ?
"""

_FIND_BY_NUMBER = "SELECT DISTINCT provider, event_id FROM payment_event_numbers WHERE number = ?"

_ASSIGN = """
UPDATE payment_events SET payment_id = ?, user_email = ?, made_payment = ?, claimed_facts = ?
WHERE provider = ? AND event_id = ?
"""

_KEEP_MADE_PAYMENT = "UPDATE payment_events SET made_payment = 0 WHERE payment_id = ?"


class EventOrigin(NamedTuple):
    """The request that an effect comes from: a provider's, or the capture that an event waited for.

    `received_at` is the server's time.
    """

    received_at: str
    source_endpoint: str
    ip_address: str | None
    user_agent: str | None


def record_event(connection: StoreConnection, event: PaymentEvent, origin: EventOrigin) -> str:
    """Store an event with a valid signature, apply it, and return the outcome.

    Args:
        connection: in a write transaction.
        event: the event.
        origin: the request that brought it.

    Raises:
        sqlite3.Error: the database cannot be written.
    """
    if connection.execute(_EXISTS, (event.provider, event.event_id)).fetchone() is not None:
        return DUPLICATE
    if event.email is not None:
        erased_at = find_erasure_times(connection, (event.email,)).get(event.email)
        if erased_at is not None and event.occurred_at <= erased_at:
            return ERASED
    payer_hash = None if event.email is None else connection.address_hasher.hash(event.email)
    connection.execute(
        _INSERT_EVENT,
        (
            event.provider, event.event_id, event.event_type, event.status, event.currency,
            event.amount_minor, event.occurred_at, origin.received_at, event.email, payer_hash,
        ),
    )  # fmt: skip
    _insert_numbers(connection, event)
    group = _load_group(connection, event.provider, event.event_id)
    return APPLIED if _settle(connection, group, origin) else UNMATCHED


def attach_events(connection: StoreConnection, payments: Iterable[tuple[Capture, int]]) -> None:
    """Apply the events that came before the captures of their payments.

    Args:
        connection: in a write transaction, in which the captures were stored.
        payments: captures of any kind, with the ids of their rows.
    """
    if connection.execute(_HAS_ANY).fetchone() is None:
        return  # the usual case: no webhook is set up
    for capture, row_id in payments:
        number = None if capture.facts is None else subject_of(capture)
        if number is None:
            continue
        origin = EventOrigin(
            capture.received_at, capture.source_endpoint, capture.ip_address, capture.user_agent
        )
        settled: set[tuple[str, str]] = set()
        for found in connection.execute(_FIND_BY_NUMBER, (number,)).fetchall():
            if found in settled:
                continue
            connection.execute(_KEEP_MADE_PAYMENT, (row_id,))  # now a page has sent it
            group = _load_group(connection, *found)
            settled |= {(event.provider, event.event_id) for event in group.events}
            _settle(connection, group, origin)


def forget_payers(connection: StoreConnection, addresses: Iterable[str]) -> None:
    """Remove erased users (addresses, normalised) from the events of other users' payments."""
    hashes = [(connection.address_hasher.hash(address),) for address in addresses]
    connection.executemany(
        "UPDATE payment_events SET payer_hash = NULL WHERE payer_hash = ?", hashes
    )


def _insert_numbers(connection: StoreConnection, event: PaymentEvent) -> None:
    for numbers, is_reference in ((event.numbers, 0), (event.references, 1)):
        for number in numbers:
            for text, digest in stored_forms(number):
                form = text
                if digest is not None:
                    form = f"{text} #{connection.receipt_key.subject_digest(digest)}"
                values = (form, event.provider, event.event_id, is_reference)
                connection.execute(_INSERT_NUMBER, values)


def _load_group(connection: sqlite3.Connection, provider: str, event_id: str) -> EventGroup:
    """Load all events that are about the same payment as one of them."""
    rows = connection.execute(_SELECT_GROUP, {"provider": provider, "event_id": event_id})
    events = [StoredEvent(*row) for row in rows.fetchall()]
    numbers: dict[str, int] = {}
    for event in events:
        for number, is_reference in connection.execute(
            _SELECT_NUMBERS, (event.provider, event.event_id)
        ):
            numbers[number] = min(is_reference, numbers.get(number, 1))
    return EventGroup(
        events,
        [number for number, is_reference in numbers.items() if not is_reference],
        [number for number, is_reference in numbers.items() if is_reference],
    )


def _settle(connection: StoreConnection, group: EventGroup, origin: EventOrigin) -> bool:
    """Match the events of a group with their payment, and update its facts.

    Returns:
        Whether they have a payment now.
    """
    made = group.made_payment_id
    payment = choose_payment(connection, group, origin.received_at)
    if payment is None:
        payment = give_number_to_claim(
            connection, group.events, group.first_number, origin.received_at
        )
    if payment is None:
        payment = make_payment(connection, group.events, group.first_number, origin.received_at)
        if payment is None:
            return False
        made = payment.row_id
    moved = [event for event in group.events if event.payment_id != payment.row_id]
    if not moved:
        return True
    claimed = describe_facts(connection, payment)
    for event in moved:
        values = (payment.row_id, payment.user_email, int(payment.row_id == made), claimed)
        connection.execute(_ASSIGN, (*values, event.provider, event.event_id))
    left = {event.payment_id: event for event in moved if event.payment_id is not None}
    for row_id, event in left.items():
        if row_id == made:
            delete_made_payment(connection, row_id)
        else:
            update_facts(connection, row_id, str(event.user_email), fallback=event.claimed_facts)
    update_facts(connection, payment.row_id, payment.user_email)
    records = [_make_record(event, payment.row_id, payment.user_email, origin) for event in moved]
    record_audits(connection, records)
    return True


def _make_record(
    event: StoredEvent, payment_id: int, user_email: str, origin: EventOrigin
) -> AuditRecord:
    """Return the audit record of an event's match with a payment."""
    members = {
        "provider": event.provider,
        "event_id": event.event_id,
        "event_type": event.event_type,
        "status": event.status,
        "currency": event.currency,
        "amount_minor": event.amount_minor,
        "occurred_at": event.occurred_at,
        "payment_id": payment_id,
    }
    if event.payment_id is not None:
        members["previous_payment_id"] = event.payment_id
    return AuditRecord(
        user_email,
        PAYMENT_EVENT,
        encode_json(members),
        origin.source_endpoint,
        origin.received_at,
        origin.ip_address,
        origin.user_agent,
        "success",
        None,
    )
