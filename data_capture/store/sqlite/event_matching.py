"""Choose the payment that a provider's events are about, among all users' payments.

A number can be guessed, or copied from another user. So a payment is chosen only if one user can be
told: by the payer's address in the events, because nobody else claims the number, or because one
sender had a token. A choice is kept, unless the payer's own payment arrives.
"""

from __future__ import annotations

from typing import NamedTuple

from data_capture.capture.email import normalise_known_email
from data_capture.capture.payments.statuses import COMPLETED, DISPUTED, REFUNDED
from data_capture.capture.timestamps import earlier
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.event_facts import Payment, StoredEvent
from data_capture.store.sqlite.payment_facts import CONFIRMED, find_facts_of

_TAKEOVER_SECONDS = 600.0  # pages send a payment within minutes of it

_FIND_LATEST = """
SELECT max(id), user_email FROM payment_data
WHERE transaction_id = ? AND id IS NOT ?
GROUP BY user_email
"""

_FIND_PAYMENT = "SELECT id, user_email FROM payment_data WHERE id = ?"

_HAS_OTHER_PAYMENT = f"""
SELECT 1 FROM payment_events
WHERE payment_id = ? AND provider = ? AND status IN ('{COMPLETED}', '{REFUNDED}', '{DISPUTED}')
  AND event_id NOT IN (VALUES {{}})
LIMIT 1
"""  # noqa: S608  (constants)


class EventGroup(NamedTuple):
    """The events of one provider that are about one payment.

    Attributes:
        events: at least one, in the order of their arrival.
        numbers: the provider's numbers of the payment, as captures store them.
        references: the shop's numbers, which other payments may have, too.
    """

    events: list[StoredEvent]
    numbers: list[str]
    references: list[str]

    @property
    def first_number(self) -> str | None:
        """The number for a payment that no page has sent."""
        return self.numbers[0] if self.numbers else None

    @property
    def made_payment_id(self) -> int | None:
        """The row that these events made, because no page had sent the payment."""
        made = (event.payment_id for event in self.events if event.made_payment)
        return next(made, None)


def choose_payment(connection: StoreConnection, group: EventGroup, now: str) -> Payment | None:
    """Choose the payment of a group of events; None if there is none, or no user can be told.

    Args:
        connection: in a write transaction.
        group: the events.
        now: the server's time.
    """
    made, current = _find_matched(connection, group)
    claimed = _find_claimed(connection, group, made)
    hashes = {event.payer_hash for event in group.events if event.payer_hash is not None}
    payer = next(
        (claim for claim in claimed if _hash_user(connection, claim.user_email) in hashes), None
    )
    if current is not None and (payer is None or payer.user_email == current.user_email):
        return _prefer_newer_confirmed(connection, current, claimed)
    if payer is not None:
        return payer
    if made is not None:
        first_received_at = min(event.received_at for event in group.events)
        is_recent = first_received_at >= earlier(now, _TAKEOVER_SECONDS)
        return claimed[0] if is_recent and len(claimed) == 1 else made
    if len(claimed) == 1:
        return claimed[0]
    confirmed = [claim for claim in claimed if _is_confirmed_by_token(connection, claim)]
    return confirmed[0] if len(confirmed) == 1 else None


def _find_matched(
    connection: StoreConnection, group: EventGroup
) -> tuple[Payment | None, Payment | None]:
    """Return the payments that the group has now: one that it made, and one of a page."""
    made = current = None
    for event in group.events:
        found = connection.execute(_FIND_PAYMENT, (event.payment_id,)).fetchone()
        if found is not None and event.made_payment:
            made = made or Payment(*found)
        elif found is not None:
            current = current or Payment(*found)
    return made, current


def _find_claimed(
    connection: StoreConnection, group: EventGroup, made: Payment | None
) -> list[Payment]:
    """Return the latest payment of each user with one of the group's numbers."""
    made_id = None if made is None else made.row_id
    by_user = _find_by_numbers(connection, group.numbers, made_id)
    if by_user:
        return [*by_user.values()]
    # A renewal can have the reference of the first payment, which keeps its own events.
    by_reference = _find_by_numbers(connection, group.references, made_id)
    return [
        payment
        for payment in by_reference.values()
        if not _has_other_payment(connection, payment, group)
    ]


def _find_by_numbers(
    connection: StoreConnection, numbers: list[str], except_id: int | None
) -> dict[str, Payment]:
    by_user: dict[str, Payment] = {}
    for number in numbers:
        for row_id, user in connection.execute(_FIND_LATEST, (number, except_id)):
            if user not in by_user or by_user[user].row_id < row_id:
                by_user[user] = Payment(row_id, user)
    return by_user


def _has_other_payment(connection: StoreConnection, payment: Payment, group: EventGroup) -> bool:
    """Return whether events of another payment have completed this row."""
    provider, ids = group.events[0].provider, [event.event_id for event in group.events]
    statement = _HAS_OTHER_PAYMENT.format(", ".join(["(?)"] * len(ids)))
    found = connection.execute(statement, (payment.row_id, provider, *ids)).fetchone()
    return found is not None


def _prefer_newer_confirmed(
    connection: StoreConnection, current: Payment, claimed: list[Payment]
) -> Payment:
    """Return the user's newer state of the payment if a sender with a token sent it."""
    for claim in claimed:
        if (
            claim.user_email == current.user_email
            and claim.row_id > current.row_id
            and _is_confirmed_by_token(connection, claim)
        ):
            return claim
    return current


def _is_confirmed_by_token(connection: StoreConnection, payment: Payment) -> bool:
    facts = find_facts_of(connection, *payment)
    return facts is not None and facts.source == CONFIRMED


def _hash_user(connection: StoreConnection, stored_email: str) -> str:
    return connection.address_hasher.hash(normalise_known_email(stored_email) or stored_email)
