"""Events of payment providers, and the facts that follow from all events of a payment.

The facts depend only on the set of events, so that it makes no difference in which order, how late
or how often the provider sends them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from data_capture.capture.conversion import ConversionError
from data_capture.capture.converters import identifier, is_absent
from data_capture.capture.payments.facts import PaymentFacts
from data_capture.capture.payments.statuses import (
    COMPLETED,
    DISPUTED,
    PENDING,
    REFUNDED,
    UNKNOWN,
)
from data_capture.redaction.redact import is_masked, redact

DISPUTE_WON = "dispute_won"
"""The status of an event that ends a dispute in the seller's favour. No payment has it."""

_MAX_NUMBER_CHARACTERS = 255
_NUMBER_NAMES = ("transaction_id", "number")


class PaymentEvent(NamedTuple):
    """What a provider says about one payment.

    Attributes:
        provider: its name, as in the address of its webhook.
        event_id: the provider's id of the event; the same event is sent again with the same id.
        event_type: the provider's name of the event's type.
        numbers: the provider's own ids of the payment, the usual one first. Events with a common
            number are about one payment.
        references: the shop's ids of the payment. Several payments may have the same one, such as
            the attempts to pay an order.
        status: one of `statuses.STATUSES`, or DISPUTE_WON.
        currency: the ISO code, or None.
        amount_minor: the price in minor units of the currency; None if the event does not say it.
        email: the payer's address, normalised, or None.
        occurred_at: when it happened, in the format of `timestamp`.
    """

    provider: str
    event_id: str
    event_type: str
    numbers: tuple[str, ...]
    references: tuple[str, ...]
    status: str
    currency: str | None
    amount_minor: int | None
    email: str | None
    occurred_at: str


class EventFacts(NamedTuple):
    """The part of an event that the facts of its payment depend on."""

    status: str
    currency: str | None
    amount_minor: int | None
    occurred_at: str


class StoredNumber(NamedTuple):
    """A payment's number as a capture stores it.

    `digest` tells numbers apart that are masked in the same way; None if the number is not masked.
    """

    text: str
    digest: bytes | None


def as_number(value: object) -> str | None:
    """Return a number or reference of a payment as text, or None if it identifies nothing."""
    if is_absent(value):
        return None
    try:
        number = identifier(value)
    except ConversionError:
        return None
    text = None if number is None else str(number)
    return text if text and len(text) <= _MAX_NUMBER_CHARACTERS else None


def stored_forms(number: str) -> list[StoredNumber]:
    """Return the forms in which captures store a payment's number, the usual one first.

    Whether a number is masked depends on the name under which a page sends it.
    """
    forms = []
    for name in _NUMBER_NAMES:
        text = str(redact({name: number})[name])
        is_hidden = text != number and is_masked(text)
        digest = hashlib.sha256(number.encode()).digest() if is_hidden else None
        forms.append(StoredNumber(text, digest))
    return list(dict.fromkeys(forms))


def derive_facts(events: Sequence[EventFacts], claimed: PaymentFacts) -> PaymentFacts:
    """Derive the facts of a payment from all its events.

    A refund and a dispute win over a completion, a completion over everything else, whatever
    arrives first. Otherwise the latest event decides; one that only says `pending` decides last.

    Args:
        events: at least one, in any order.
        claimed: the facts without the events, for what no event says.
    """
    by_time = sorted(events, key=lambda event: event.occurred_at)
    priced = [event for event in by_time if event.amount_minor is not None]
    # Of two amounts at the same time, the smaller one is what remains after a partial refund.
    price = max(
        priced, key=lambda event: (event.occurred_at, -(event.amount_minor or 0)), default=None
    )
    if price is None:
        currency = next((event.currency for event in reversed(by_time) if event.currency), None)
        amount = claimed.amount_minor if currency in (None, claimed.currency) else None
        return PaymentFacts(currency or claimed.currency, _derive_status(by_time), amount)
    return PaymentFacts(price.currency, _derive_status(by_time), price.amount_minor)


def _derive_status(by_time: Sequence[EventFacts]) -> str:
    won_at = max(
        (event.occurred_at for event in by_time if event.status == DISPUTE_WON), default=""
    )
    statuses = [
        COMPLETED if event.status == DISPUTE_WON else event.status
        for event in by_time
        if event.status != DISPUTED or event.occurred_at > won_at
    ]
    for decisive in ((REFUNDED, DISPUTED), (COMPLETED,)):
        found = [status for status in statuses if status in decisive]
        if found:
            return found[-1]
    others = [status for status in statuses if status not in (PENDING, UNKNOWN)]
    return (others or statuses or [UNKNOWN])[-1]
