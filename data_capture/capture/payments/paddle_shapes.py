"""The objects of Paddle: Paddle Billing, Paddle.js and Paddle Classic. See developer.paddle.com."""

from __future__ import annotations

from typing import Any

from data_capture.capture.payments.shape import (
    Shape,
    always,
    find,
    has,
    is_text,
    is_whole,
    parse_amount,
)
from data_capture.json_codec import JsonObject


def _is_minor_in_event(event: JsonObject) -> bool | None:
    """Tell whether the totals are in minor units: texts are, numbers with decimals are not."""
    if isinstance(find(event, "totals.total"), str):
        return True
    amounts = [parse_amount(value) for value in find(event, "totals").values()]
    has_decimals = any(amount is not None and not is_whole(amount) for amount in amounts)
    return False if has_decimals else None


def _status_of_classic_checkout(found: JsonObject) -> Any:
    return "completed" if find(found, "checkout.completed") is True else find(found, "state")


def _status_of_adjustment(adjustment: JsonObject) -> Any:
    """Return what an adjustment does to its transaction, if it is approved."""
    action, status = find(adjustment, "action"), find(adjustment, "status")
    if status not in (None, "approved"):
        return f"{action} {status}"
    return "partially_refunded" if action == "refund" else action


def _status_of_alert(found: JsonObject) -> str:
    """Return the status in the name of an alert: `subscription_payment_failed` is a failure."""
    return str(find(found, "alert_name")).removeprefix("subscription_").replace("_", " ")


_EMAILS = ("customer.email", "custom_data.email", "custom_data.user_email")
_PLANS = ("items.0.product.name", "items.0.price.name", "details.line_items.0.product.name")
PADDLE_SHAPES = (
    Shape(
        "paddle",
        lambda found: isinstance(find(found, "details.totals"), dict),
        ("details.totals.grand_total", "details.totals.total"),
        is_minor=always,
        currencies=("currency_code", "details.totals.currency_code"),
        emails=_EMAILS,
        plans=_PLANS,
        methods=("payments.0.method_details.type",),
    ),
    Shape(  # an adjustment: a refund, a credit or a chargeback
        "paddle",
        lambda found: has(found, "action", "totals.total")
        and is_text(find(found, "transaction_id"), r"txn_\w+"),
        ("totals.total",),
        is_minor=_is_minor_in_event,
        currencies=("currency_code", "totals.currency_code"),
        numbers=("transaction_id",),
        status=_status_of_adjustment,
    ),
    Shape(  # an event of Paddle.js
        "paddle",
        lambda found: isinstance(find(found, "totals"), dict)
        and is_text(find(found, "transaction_id"), r"txn_\w+"),
        ("totals.total",),
        is_minor=_is_minor_in_event,
        currencies=("currency_code",),
        is_named=True,
        numbers=("transaction_id",),
        emails=_EMAILS,
        plans=_PLANS,
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
        lambda found: has(found, "alert_name", "currency")
        and (has(found, "sale_gross") or has(found, "amount")),
        ("sale_gross", "amount"),
        numbers=("order_id", "checkout_id"),
        status=_status_of_alert,
        emails=("email",),
        plans=("plan_name", "product_name"),
        methods=("payment_method",),
    ),
)  # fmt: skip
