"""Parse a payment, and say what the facts and columns of it are."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, NamedTuple

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, Capture, parse_capture
from data_capture.json_codec import decode_json_object, encode_json

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
PAYMENT = KINDS["payment"]
ANN = "ann@example.com"


class Told(NamedTuple):
    """What a provider's object says of a payment."""

    price: str | None
    currency: str | None
    status: str
    number: str | None
    processor: str | None
    email: str = ANN


def parse(payload: dict[str, Any]) -> Capture:
    """Parse a payload as the service does."""
    sent = decode_json_object(encode_json(payload).encode())
    return parse_capture(PAYMENT, sent, Caller("/test", None, None, NOW), ())


def column(capture: Capture, name: str) -> Any:
    """Return the value of a column."""
    return capture.values[PAYMENT.field_indexes[name]]


def told_by(payload: dict[str, Any]) -> Told:
    """Return what the object of a provider in a payload says."""
    capture = parse(payload)
    assert capture.facts is not None
    return Told(
        column(capture, "final_price"),
        capture.facts.currency,
        capture.facts.status,
        column(capture, "transaction_id"),
        column(capture, "payment_processor"),
        capture.user_email,
    )
