"""Events of Stripe: payment intents, charges, disputes, checkout sessions and invoices.

See https://docs.stripe.com/api/events/types.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from data_capture.capture.currencies import minor_digits
from data_capture.capture.payments.events import DISPUTE_WON, PaymentEvent, as_number
from data_capture.capture.payments.statuses import (
    CANCELLED,
    COMPLETED,
    DISPUTED,
    FAILED,
    PENDING,
    REFUNDED,
)
from data_capture.json_codec import JsonObject
from data_capture.webhooks.payloads import (
    collect_numbers,
    emails_in,
    find_email,
    object_at,
    read_amount,
    read_currency,
    read_time,
    references_in,
    text_of,
)

NAME = "stripe"

_STATUSES = {
    "payment_intent.created": PENDING,
    "payment_intent.processing": PENDING,
    "payment_intent.requires_action": PENDING,
    "payment_intent.amount_capturable_updated": PENDING,
    "payment_intent.succeeded": COMPLETED,
    "payment_intent.payment_failed": FAILED,
    "payment_intent.canceled": CANCELLED,
    "charge.pending": PENDING,
    "charge.succeeded": COMPLETED,
    "charge.captured": COMPLETED,
    "charge.failed": FAILED,
    "charge.expired": CANCELLED,
    "charge.refunded": REFUNDED,
    "charge.dispute.created": DISPUTED,
    "charge.dispute.updated": DISPUTED,
    "charge.dispute.funds_withdrawn": DISPUTED,
    "charge.dispute.funds_reinstated": DISPUTE_WON,
    "charge.dispute.closed": DISPUTED,
    "checkout.session.completed": COMPLETED,
    "checkout.session.async_payment_succeeded": COMPLETED,
    "checkout.session.async_payment_failed": FAILED,
    "checkout.session.expired": CANCELLED,
    "invoice.paid": COMPLETED,
    "invoice.payment_succeeded": COMPLETED,
    "invoice.payment_failed": FAILED,
    "invoice.voided": CANCELLED,
    "invoice.marked_uncollectible": FAILED,
}
"""The statuses of the event types that are about a payment; the others are ignored."""

# Where a payment's price is, by the type of object, the preferred member first.
_PRICES = {
    "payment_intent": ("amount",),
    "charge": ("amount_captured", "amount"),
    "checkout.session": ("amount_total",),
    "invoice": ("amount_paid",),
}
_WON = ("won", "warning_closed")
# Stripe counts these in other units than ISO 4217 (docs.stripe.com/currencies).
_MINOR_DIGITS = {"ISK": 2, "UGX": 2, "MGA": 0}


def read_event(event: JsonObject, now: datetime) -> PaymentEvent | None:
    """Read an event; return None if it is not about a payment.

    Args:
        event: the body.
        now: the time of arrival.
    """
    event_id, event_type = as_number(event.get("id")), text_of(event.get("type"))
    status = _STATUSES.get(event_type)
    subject = object_at(event, "data", "object")
    if event_id is None or status is None or not subject:
        return None
    currency = read_currency(subject.get("currency"))
    metadata = object_at(subject, "metadata")
    return PaymentEvent(
        NAME,
        event_id,
        event_type,
        _numbers_of(subject),
        collect_numbers([subject.get("client_reference_id"), *references_in(metadata)]),
        _refine_status(status, subject),
        currency,
        _find_price(status, subject, currency),
        find_email(_find_emails(subject, metadata)),
        read_time(event.get("created"), now),
    )


def _numbers_of(subject: JsonObject) -> tuple[str, ...]:
    """Return the ids of a payment, that of the payment intent first."""
    own = subject.get("id")
    intent = own if subject.get("object") == "payment_intent" else subject.get("payment_intent")
    charges = (subject.get("charge"), subject.get("latest_charge"))
    return collect_numbers([intent, own, *charges, subject.get("invoice")])


def _find_emails(subject: JsonObject, metadata: JsonObject) -> Iterator[Any]:
    yield from emails_in(metadata)
    yield object_at(subject, "customer_details").get("email")
    yield subject.get("customer_email")
    yield subject.get("receipt_email")
    yield object_at(subject, "billing_details").get("email")


def _refine_status(status: str, subject: JsonObject) -> str:
    """Return the status that the object itself says, where the type leaves it open."""
    kind = subject.get("object")
    if kind == "dispute" and subject.get("status") in _WON:
        return DISPUTE_WON
    if kind == "charge" and status == COMPLETED and subject.get("captured") is False:
        return PENDING
    if kind == "checkout.session" and status == COMPLETED:
        # `unpaid`: the payment, by bank transfer for example, is still to come.
        return PENDING if subject.get("payment_status") == "unpaid" else COMPLETED
    # What remains after a partial refund is still paid.
    return COMPLETED if status == REFUNDED and subject.get("refunded") is False else status


def _find_price(status: str, subject: JsonObject, currency: str | None) -> int | None:
    names = _PRICES.get(text_of(subject.get("object")), ())
    if status == COMPLETED and subject.get("object") == "payment_intent":
        names = ("amount_received", *names)
    if subject.get("captured") is False:
        names = ("amount",)
    decimals = _digits_of(currency)
    price: Any = next((subject[name] for name in names if subject.get(name) is not None), None)
    refunded = subject.get("amount_refunded")
    if status == REFUNDED and subject.get("refunded") is False:
        if not _is_count(price) or not _is_count(refunded):
            return None
        price -= refunded
    return read_amount(price, currency, decimals)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _digits_of(currency: str | None) -> int:
    return 0 if currency is None else _MINOR_DIGITS.get(currency, minor_digits(currency))
