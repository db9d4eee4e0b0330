"""Notifications (IPN) of NOWPayments.

See https://documenter.getpostman.com/view/7907941/2s93JusNJt, "Instant Payments Notifications".
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from data_capture.capture.payments.events import PaymentEvent, as_number
from data_capture.capture.payments.statuses import UNKNOWN, normalise_status
from data_capture.json_codec import JsonObject, encode_json
from data_capture.webhooks.payloads import (
    collect_numbers,
    emails_in,
    find_email,
    read_amount,
    read_currency,
    read_time,
    text_of,
)

NAME = "nowpayments"

_EVENT_ID_BYTES = 16


def read_event(event: JsonObject, now: datetime) -> PaymentEvent | None:
    """Read a notification; return None if it is not about a payment.

    A notification has no id of its own: one with the same content is the same event.

    Args:
        event: the body.
        now: the time of arrival.
    """
    number, spelling = as_number(event.get("payment_id")), text_of(event.get("payment_status"))
    status = normalise_status(spelling)
    if number is None or status == UNKNOWN:
        return None
    content = encode_json(event, sort_keys=True).encode("utf-8", "surrogatepass")
    currency = read_currency(event.get("price_currency"))
    # The attempts to pay an order share these.
    references = [event.get("order_id"), event.get("invoice_id"), event.get("purchase_id")]
    return PaymentEvent(
        NAME,
        hashlib.blake2b(content, digest_size=_EVENT_ID_BYTES).hexdigest(),
        f"payment.{spelling}",
        (number,),
        collect_numbers(references),
        status,
        currency,
        read_amount(event.get("price_amount"), currency),
        find_email(emails_in(event)),
        read_time(event.get("updated_at"), now),
    )
