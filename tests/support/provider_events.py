"""Events of payment providers, and their signatures as the providers make them."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from typing import Any

SECRETS = {
    "stripe": "whsec_test_4f0b6c2d9e8a7b5c",
    "nowpayments": "ipn-secret-0123456789",
    "coinbase-commerce": "shared-secret-0123456789",
}
VARIABLES = {
    "EDC_STRIPE_WEBHOOK_SECRET": SECRETS["stripe"],
    "EDC_NOWPAYMENTS_IPN_SECRET": SECRETS["nowpayments"],
    "EDC_COINBASE_COMMERCE_SECRET": SECRETS["coinbase-commerce"],
}
NOW = 1_795_000_000  # seconds since 1970, the time of the first event

_counter = iter(range(1, 1_000_000))


def stripe_event(
    event_type: str, *, at: int = NOW, event_id: str | None = None, **subject: Any
) -> dict[str, Any]:
    """Return an event of Stripe about an object."""
    return {
        "id": event_id or f"evt_{next(_counter)}",
        "object": "event",
        "type": event_type,
        "created": at,
        "livemode": False,
        "data": {"object": subject},
    }


def intent(number: str = "pi_1", amount: int = 8999, **more: Any) -> dict[str, Any]:
    """Return the members of a payment intent."""
    return {
        "id": number, "object": "payment_intent", "amount": amount, "currency": "usd", **more,
    }  # fmt: skip


def charge(number: str = "ch_1", amount: int = 8999, **more: Any) -> dict[str, Any]:
    """Return the members of a captured charge."""
    return {
        "id": number, "object": "charge", "amount": amount, "amount_captured": amount,
        "amount_refunded": 0, "captured": True, "refunded": False, "currency": "usd",
        "payment_intent": "pi_1", **more,
    }  # fmt: skip


def dispute(**more: Any) -> dict[str, Any]:
    """Return the members of a dispute."""
    return {
        "id": "dp_1", "object": "dispute", "amount": 8999, "currency": "usd", "charge": "ch_1",
        "payment_intent": "pi_1", "status": "needs_response", **more,
    }  # fmt: skip


def checkout(number: str = "cs_1", **more: Any) -> dict[str, Any]:
    """Return the members of a paid checkout session."""
    return {
        "id": number, "object": "checkout.session", "amount_total": 8999, "currency": "usd",
        "payment_intent": "pi_1", "payment_status": "paid", **more,
    }  # fmt: skip


def nowpayments_event(status: str = "finished", *, at: int = NOW, **more: Any) -> dict[str, Any]:
    """Return a notification of NOWPayments."""
    return {
        "payment_id": 5077125051, "payment_status": status, "price_amount": 89.99,
        "price_currency": "usd", "pay_amount": 0.00171286, "pay_currency": "btc",
        "order_id": "ORDER-7", "order_description": "Größe M", "invoice_id": None,
        "fee": {"currency": "btc", "depositFee": 1e-7, "withdrawalFee": 0}, "updated_at": at * 1000,
        **more,
    }  # fmt: skip


def coinbase_event(
    event_type: str = "charge:confirmed", *, event_id: str | None = None, **charge_members: Any
) -> dict[str, Any]:
    """Return the body of a webhook of Coinbase Commerce."""
    return {
        "attempt_number": 1,
        "event": {
            "id": event_id or f"24934862-d980-46cb-9402-{next(_counter):012}",
            "type": event_type,
            "created_at": "2026-11-18T10:00:00Z",
            "data": {
                "id": "66bf9dae-1b5b-4d1c-9a25-6b9d1a0f4c11", "code": "66BEOV2A",
                "pricing": {"local": {"amount": "89.99", "currency": "USD"}},
                "metadata": {}, "timeline": [], **charge_members,
            },
            "resource": "event",
        },
    }  # fmt: skip


def sign_stripe(body: bytes, secret: str = SECRETS["stripe"], at: float | None = None) -> str:
    """Return the header `Stripe-Signature`."""
    now = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={now},v1={digest},v0=0000"


def sign_nowpayments(body: bytes, secret: str = SECRETS["nowpayments"]) -> str:
    """Return the header `x-nowpayments-sig`: of the sorted object, with the body's numbers."""
    mark = "@number@"
    spelled = json.loads(body, parse_float=lambda text: f"{mark}{text}")
    text = json.dumps(spelled, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    text = re.sub(f'"{mark}([^"]+)"', r"\1", text)
    return hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()


def sign_coinbase(body: bytes, secret: str = SECRETS["coinbase-commerce"]) -> str:
    """Return the header `X-CC-Webhook-Signature`."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def encode(event: dict[str, Any]) -> bytes:
    """Encode an event as JavaScript's JSON.stringify does."""
    text = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    return text.replace("1e-07", "1e-7").encode()


def signed_headers(provider: str, body: bytes) -> dict[str, str]:
    """Return the headers with which a provider sends a body."""
    sign = {
        "stripe": ("Stripe-Signature", sign_stripe),
        "nowpayments": ("x-nowpayments-sig", sign_nowpayments),
        "coinbase-commerce": ("X-CC-Webhook-Signature", sign_coinbase),
    }
    name, function = sign[provider]
    return {name: function(body), "Content-Type": "application/json; charset=utf-8"}
