"""Events of Coinbase Commerce: charges.

See https://docs.cdp.coinbase.com/commerce-onchain/docs/webhooks.
"""

from __future__ import annotations

from datetime import datetime

from data_capture.capture.payments.events import PaymentEvent, as_number
from data_capture.capture.payments.statuses import (
    CANCELLED,
    COMPLETED,
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

NAME = "coinbase-commerce"

_STATUSES = {
    "charge:created": PENDING,
    "charge:pending": PENDING,
    "charge:delayed": PENDING,
    "charge:confirmed": COMPLETED,
    "charge:resolved": COMPLETED,
    "charge:failed": FAILED,
}
"""The statuses of the event types that are about a payment; the others are ignored."""

# A charge's timeline says why it failed, and whether the money went back.
_LATEST_STATUSES = {
    "EXPIRED": CANCELLED, "CANCELED": CANCELLED, "CANCELLED": CANCELLED, "REFUNDED": REFUNDED,
}  # fmt: skip


def read_event(body: JsonObject, now: datetime) -> PaymentEvent | None:
    """Read an event; return None if it is not about a payment.

    Args:
        body: of the webhook; the event is its member `event`.
        now: the time of arrival.
    """
    event = object_at(body, "event")
    event_id, event_type = as_number(event.get("id")), text_of(event.get("type"))
    status = _STATUSES.get(event_type)
    charge = object_at(event, "data")
    numbers = collect_numbers([charge.get("code"), charge.get("id")])
    if event_id is None or status is None or not numbers:
        return None
    local = object_at(charge, "pricing", "local")
    currency = read_currency(local.get("currency"))
    metadata = object_at(charge, "metadata")
    return PaymentEvent(
        NAME,
        event_id,
        event_type,
        numbers,
        collect_numbers(references_in(metadata)),
        _refine_status(status, charge),
        currency,
        read_amount(local.get("amount"), currency),
        find_email(emails_in(metadata)),
        read_time(event.get("created_at"), now),
    )


def _refine_status(status: str, charge: JsonObject) -> str:
    timeline = charge.get("timeline")
    latest = timeline[-1] if isinstance(timeline, list) and timeline else None
    word = text_of(object_at(latest).get("status")).upper()
    refined = _LATEST_STATUSES.get(word, status)
    return refined if status == FAILED or refined == REFUNDED else status
