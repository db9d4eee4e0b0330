"""The objects of payment providers, as one table: how each is recognised, and what lies where.

The places follow the providers' public documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from data_capture.capture.payments.shape import (
    Places,
    Shape,
    always,
    find,
    has,
    is_text,
    is_whole,
    parse_amount,
)
from data_capture.json_codec import JsonObject

# --- Stripe -----------------------------------------------------------------------------------

# docs.stripe.com/currencies, "Special cases".
_STRIPE_DIGITS = {"ISK": 2, "UGX": 2, "MGA": 0}
_STRIPE_PLANS = ("metadata.plan", "metadata.plan_name", "lines.data.0.description", "description")
_STRIPE_EMAILS = ("receipt_email", "customer_details.email", "customer_email",
    "billing_details.email", "latest_charge.billing_details.email",
    "charges.data.0.billing_details.email", "customer.email", "metadata.email",
    "metadata.user_email")  # fmt: skip
_STRIPE_NAMES = ("customer_details.name", "billing_details.name", "customer_name",
    "latest_charge.billing_details.name", "charges.data.0.billing_details.name")  # fmt: skip
_STRIPE_METHODS = ("payment_method_details.type", "payment_method_types.0")


def _is_stripe(name: str, id_pattern: str, *amounts: str) -> Callable[[JsonObject], bool]:
    """Recognise an object of Stripe by its member `object`, or by its id and an amount."""

    def matches(members: JsonObject) -> bool:
        named = find(members, "object")
        if isinstance(named, str):
            return named == name
        return is_text(find(members, "id"), id_pattern) and any(
            isinstance(find(members, amount), (int, str)) for amount in amounts
        )

    return matches


def _status_of_session(session: JsonObject) -> Any:
    status = find(session, "status")
    return status if status == "expired" else find(session, "payment_status", "status")


def _status_of_charge(charge: JsonObject) -> Any:
    if find(charge, "disputed") is True:
        return "disputed"
    if find(charge, "refunded") is True:
        return "refunded"
    status = find(charge, "status")
    return "uncaptured" if status == "succeeded" and find(charge, "captured") is False else status


def _status_of_refund(refund: JsonObject) -> Any:
    status = find(refund, "status")
    return "refunded" if status == "succeeded" else f"refund {status}"


def _stripe(
    name: str, id_pattern: str, prices: Places, status: Callable[[JsonObject], Any] | None = None
) -> Shape:
    return Shape(
        "stripe",
        _is_stripe(name, id_pattern, *prices),
        prices,
        is_minor=always,
        minor_digits=_STRIPE_DIGITS,
        status=status or (lambda found: find(found, "status")),
        emails=_STRIPE_EMAILS,
        names=_STRIPE_NAMES,
        plans=_STRIPE_PLANS,
        methods=_STRIPE_METHODS,
    )


_STRIPE_SHAPES = (
    _stripe("payment_intent", r"pi_\w+", ("amount_received", "amount")),
    _stripe("checkout.session", r"cs_\w+", ("amount_total",), _status_of_session),
    _stripe("charge", r"(?:ch|py)_\w+", ("amount_captured", "amount"), _status_of_charge),
    _stripe("invoice", r"in_\w{14,}", ("amount_paid", "amount_due", "total")),
    Shape(
        "stripe", _is_stripe("refund", r"re_\w{14,}", "amount"), ("amount",), is_minor=always,
        minor_digits=_STRIPE_DIGITS, numbers=("payment_intent", "charge", "id"),
        status=_status_of_refund,
    ),
    Shape(
        "stripe", _is_stripe("dispute", r"dp_\w{14,}", "amount"), ("amount",), is_minor=always,
        minor_digits=_STRIPE_DIGITS, numbers=("payment_intent", "charge", "id"),
        status=lambda _dispute: "disputed",
    ),
)  # fmt: skip

# --- PayPal -----------------------------------------------------------------------------------

_CAPTURES = "payments.captures.0"


def _total_of_paypal(order: JsonObject) -> Any:
    """Add up the purchase units of an order, which have one currency."""
    units = find(order, "purchase_units")
    values = [find(unit, "amount.value", f"{_CAPTURES}.amount.value") for unit in units]
    if len(values) == 1:
        return values[0]
    amounts = [parse_amount(value) for value in values]
    return None if None in amounts else sum(filter(None, amounts), Decimal(0))


_PAYPAL_ORDER = Shape(
    "paypal",
    lambda order: isinstance(find(order, "purchase_units.0"), dict),
    total=_total_of_paypal,
    currencies=(
        "purchase_units.0.amount.currency_code",
        f"purchase_units.0.{_CAPTURES}.amount.currency_code",
    ),
    # An order can be approved while its capture is pending.
    status=lambda order: find(order, f"purchase_units.0.{_CAPTURES}.status", "status"),
    emails=("payer.email_address", "payment_source.paypal.email_address"),
    plans=("purchase_units.0.description", "purchase_units.0.items.0.name"),
)
_PAYPAL_CAPTURE = Shape(
    "paypal",
    lambda capture: has(capture, "amount.value", "amount.currency_code", "id"),
    ("amount.value",),
    currencies=("amount.currency_code",),
    numbers=("supplementary_data.related_ids.order_id", "id"),
    emails=("payer.email_address",),
)

# --- Razorpay ---------------------------------------------------------------------------------

_RAZORPAY_EMAILS = ("email", "notes.email", "customer.email")
_RAZORPAY_PLANS = ("notes.plan", "notes.plan_name", "description")
_RAZORPAY_ENTITY = Shape(
    "razorpay",
    lambda found: (
        find(found, "entity") in ("payment", "order")
        or (
            is_text(find(found, "id"), r"(?:pay|order)_\w{14}") and has(found, "amount", "currency")
        )
    ),
    ("amount",),
    is_minor=always,
    emails=_RAZORPAY_EMAILS,
    plans=_RAZORPAY_PLANS,
    methods=("method",),
)
# What the checkout hands to the page, which adds an amount of its own.
_RAZORPAY_CHECKOUT = Shape(
    "razorpay",
    lambda found: has(found, "razorpay_payment_id"),
    ("amount",),
    is_minor=lambda _found: None,
    numbers=("razorpay_payment_id",),
    emails=_RAZORPAY_EMAILS,
    plans=_RAZORPAY_PLANS,
)

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

# --- Paddle, Lemon Squeezy --------------------------------------------------------------------


def _is_minor_in_paddle_event(event: JsonObject) -> bool | None:
    """Tell whether the totals are in minor units: texts are, numbers with decimals are not."""
    if isinstance(find(event, "totals.total"), str):
        return True
    amounts = [parse_amount(value) for value in find(event, "totals").values()]
    has_decimals = any(amount is not None and not is_whole(amount) for amount in amounts)
    return False if has_decimals else None


def _status_of_classic_checkout(found: JsonObject) -> Any:
    return "completed" if find(found, "checkout.completed") is True else find(found, "state")


_PADDLE_EMAILS = ("customer.email", "custom_data.email", "custom_data.user_email")
_PADDLE_PLANS = ("items.0.product.name", "items.0.price.name", "details.line_items.0.product.name")
_PADDLE_SHAPES = (
    Shape(
        "paddle",
        lambda found: isinstance(find(found, "details.totals"), dict),
        ("details.totals.grand_total", "details.totals.total"),
        is_minor=always,
        currencies=("currency_code", "details.totals.currency_code"),
        emails=_PADDLE_EMAILS,
        plans=_PADDLE_PLANS,
        methods=("payments.0.method_details.type",),
    ),
    Shape(  # an event of Paddle.js
        "paddle",
        lambda found: isinstance(find(found, "totals"), dict)
        and is_text(find(found, "transaction_id"), r"txn_\w+"),
        ("totals.total",),
        is_minor=_is_minor_in_paddle_event,
        currencies=("currency_code",),
        is_named=True,
        numbers=("transaction_id",),
        emails=_PADDLE_EMAILS,
        plans=_PADDLE_PLANS,
        methods=("payment.method_details.type",),
    ),
    Shape(  # Paddle Classic
        "paddle",
        lambda found: has(found, "checkout.prices.customer.total"),
        ("checkout.prices.customer.total",),
        currencies=("checkout.prices.customer.currency",),
        numbers=("order.order_id", "checkout.id"),
        status=_status_of_classic_checkout,
        emails=("user.email",),
        plans=("product.name",),
    ),
    Shape(
        "paddle",
        lambda found: has(found, "order.order_id", "order.total", "order.currency", "checkout"),
        ("order.total",),
        currencies=("order.currency",),
        numbers=("order.order_id",),
        status=lambda found: find(found, "state"),
        emails=("order.customer.email",),
        plans=("checkout.title",),
    ),
    Shape(
        "paddle",
        lambda found: has(found, "alert_name", "sale_gross", "currency"),
        ("sale_gross",),
        numbers=("order_id", "checkout_id"),
        status=lambda found: str(find(found, "alert_name")).replace("_", " "),
        emails=("email",),
        plans=("plan_name", "product_name"),
        methods=("payment_method",),
    ),
)  # fmt: skip

_LEMON_SQUEEZY = Shape(
    "lemonsqueezy",
    lambda found: has(found, "total", "currency")
    and (has(found, "identifier", "order_number") or has(found, "billing_reason")
         or has(found, "identifier", "user_email")),
    ("total",),
    is_minor=always,
    numbers=("identifier", "id"),
    emails=("user_email",),
    names=("user_name",),
    plans=("first_order_item.product_name", "first_order_item.variant_name"),
)  # fmt: skip

SHAPES = (
    *_STRIPE_SHAPES, _PAYPAL_ORDER, _PAYPAL_CAPTURE, _RAZORPAY_ENTITY, _RAZORPAY_CHECKOUT,
    _NOWPAYMENTS, _COINBASE_CHARGE, *_PADDLE_SHAPES, _LEMON_SQUEEZY,
)  # fmt: skip

MARKS = frozenset({
    "object", "purchaseunits", "amount", "entity", "razorpaypaymentid", "priceamount", "pricing",
    "localprice", "details", "totals", "checkout", "order", "alertname", "identifier",
    "billingreason", "amounttotal", "amountpaid",
})  # fmt: skip
"""Normalised names; every object of a shape has one of them."""
