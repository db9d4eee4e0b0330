"""The objects of payment providers, as one table: how each is recognised, and what lies where.

The places follow the providers' public documentation. Stripe, PayPal, Razorpay and Paddle have
modules of their own.
"""

from __future__ import annotations

from typing import Any

from data_capture.capture.payments.paddle_shapes import PADDLE_SHAPES
from data_capture.capture.payments.paypal_shapes import PAYPAL_SHAPES
from data_capture.capture.payments.razorpay_shapes import RAZORPAY_SHAPES
from data_capture.capture.payments.shape import Shape, always, find, has, is_text
from data_capture.capture.payments.stripe_shapes import STRIPE_SHAPES
from data_capture.json_codec import JsonObject

# --- NOWPayments, Coinbase Commerce -----------------------------------------------------------

_NOWPAYMENTS = Shape(
    "nowpayments",
    lambda found: (
        has(found, "price_amount", "price_currency")
        and any(has(found, name) for name in ("payment_id", "pay_currency", "invoice_url"))
    ),
    ("price_amount",),
    currencies=("price_currency",),
    numbers=("payment_id", "id"),
    status=lambda found: find(found, "payment_status"),
    plans=("order_description",),
    hashes=("payin_hash",),
    coins=("actually_paid", "pay_amount"),
)


def _status_of_coinbase(charge: JsonObject) -> Any:
    """Return the latest status of a charge's timeline."""
    timeline = find(charge, "timeline")
    listed = timeline if isinstance(timeline, list) else []
    entries = [entry for entry in listed if isinstance(entry, dict) and entry.get("status")]
    latest = max(entries, key=lambda entry: str(entry.get("time", "")), default={})
    return latest.get("status") or find(charge, "status")


_COINBASE_CHARGE = Shape(
    "coinbase",
    lambda found: (
        has(found, "code")
        and any(has(found, f"{place}.amount") for place in ("pricing.local", "local_price"))
    ),
    ("pricing.local.amount", "local_price.amount"),
    currencies=("pricing.local.currency", "local_price.currency"),
    numbers=("id", "code"),
    status=_status_of_coinbase,
    emails=("metadata.email", "metadata.customer_email", "metadata.user_email"),
    names=("metadata.customer_name", "metadata.name"),
    plans=("metadata.plan", "metadata.plan_name", "name"),
    is_named=True,
    hashes=("payments.-1.transaction_id", "web3_data.success_events.-1.tx_hsh"),
    coins=("payments.-1.value.crypto.amount",),
)

# --- Lemon Squeezy ------------------------------------------------------------------------------


def _status_of_lemon_squeezy(order: JsonObject) -> Any:
    return "refunded" if find(order, "refunded") is True else find(order, "status")


_LEMON_SQUEEZY = Shape(
    "lemonsqueezy",
    lambda found: has(found, "total", "currency")
    and (has(found, "identifier", "order_number") or has(found, "billing_reason")
         or has(found, "identifier", "user_email")),
    ("total",),
    is_minor=always,
    numbers=("identifier", "id"),
    status=_status_of_lemon_squeezy,
    emails=("user_email",),
    names=("user_name",),
    plans=("first_order_item.product_name", "first_order_item.variant_name"),
)  # fmt: skip

# --- Paystack, Checkout.com, Square -------------------------------------------------------------

_PAYSTACK = Shape(
    "paystack",
    lambda found: has(found, "reference", "amount", "currency", "gateway_response"),
    ("amount",),
    is_minor=always,
    numbers=("reference", "id"),
    emails=("customer.email",),
    methods=("channel",),
)
_CHECKOUT_COM = Shape(
    "checkout.com",
    lambda found: (
        is_text(find(found, "id"), r"pay_[a-z0-9]{26}") and has(found, "amount", "currency")
    ),
    ("amount",),
    is_minor=always,
    emails=("customer.email",),
)
_SQUARE = Shape(
    "square",
    lambda found: has(found, "amount_money.amount", "amount_money.currency"),
    ("total_money.amount", "amount_money.amount"),
    is_minor=always,
    currencies=("amount_money.currency",),
    emails=("buyer_email_address",),
)

SHAPES = (
    *STRIPE_SHAPES, *PAYPAL_SHAPES, *RAZORPAY_SHAPES, _NOWPAYMENTS, _COINBASE_CHARGE,
    *PADDLE_SHAPES, _LEMON_SQUEEZY,
    _PAYSTACK, _CHECKOUT_COM, _SQUARE,
)  # fmt: skip

MARKS = frozenset({
    "object", "purchaseunits", "amount", "entity", "razorpaypaymentid", "priceamount", "pricing",
    "localprice", "details", "totals", "checkout", "order", "alertname", "identifier",
    "billingreason", "amounttotal", "amountpaid", "livemode", "key", "transactions", "mcgross",
    "gatewayresponse", "amountmoney",
})  # fmt: skip
"""Normalised names; every object of a shape has one of them."""
