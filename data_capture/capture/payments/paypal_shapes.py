"""The objects of PayPal: orders and captures, payments and sales, notifications.

See developer.paypal.com/docs/api. Amounts are in major units.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from data_capture.capture.conversion import Unconvertible
from data_capture.capture.payments.shape import Shape, find, has, parse_amount
from data_capture.json_codec import JsonObject

# What happened to a unit's money, the decisive status first. An order is also COMPLETED if its
# capture is pending, or was refunded later.
_DECISIVE = ("REFUNDED", "PARTIALLY_REFUNDED", "DECLINED", "FAILED", "PENDING")


def _units(order: JsonObject) -> list[JsonObject]:
    return [unit for unit in find(order, "purchase_units") if isinstance(unit, dict)]


def _payments(units: list[JsonObject], kind: str) -> Iterator[JsonObject]:
    """Yield the captures, refunds or authorizations of units of an order."""
    for unit in units:
        listed = find(unit, f"payments.{kind}")
        if isinstance(listed, list):
            yield from (one for one in listed if isinstance(one, dict))


def _amounts_of(order: JsonObject) -> list[JsonObject]:
    """Return the amount of each unit, or those of its captures."""
    amounts: list[Any] = []
    for unit in _units(order):
        own = find(unit, "amount")
        captured = [find(one, "amount") for one in _payments([unit], "captures")]
        amounts += captured if own is None else [own]
    return [amount for amount in amounts if isinstance(amount, dict)]


def _total_of_order(order: JsonObject) -> Any:
    """Add up the units of an order."""
    amounts = _amounts_of(order)
    if len({str(find(amount, "currency_code")) for amount in amounts}) > 1:
        return Unconvertible("is in several currencies")
    values = [find(amount, "value") for amount in amounts]
    if len(values) == 1:
        return values[0]
    numbers = [parse_amount(value) for value in values]
    if not numbers or None in numbers:
        return None
    return sum(filter(None, numbers), Decimal(0))


def _status_of_order(order: JsonObject) -> Any:
    units = _units(order)
    refunds = [*_payments(units, "refunds")]
    captured = [str(find(capture, "status")) for capture in _payments(units, "captures")]
    for status in _DECISIVE:
        if status in captured:
            return status
    if any(find(refund, "status") == "COMPLETED" for refund in refunds):
        return "REFUNDED"
    if captured:
        return captured[0]
    authorized = next(_payments(units, "authorizations"), None)
    if authorized is not None:
        status = find(authorized, "status")
        return "authorized" if status == "CREATED" else status
    return find(order, "status")


def _is_refund(found: JsonObject) -> bool:
    return has(found, "amount.value", "amount.currency_code", "seller_payable_breakdown")


def _status_of_refund(refund: JsonObject) -> Any:
    status = find(refund, "status")
    return "refunded" if status in (None, "COMPLETED") else f"refund {status}"


_ORDER = Shape(
    "paypal",
    lambda order: isinstance(find(order, "purchase_units.0"), dict),
    total=_total_of_order,
    currencies=(
        "purchase_units.0.amount.currency_code",
        "purchase_units.0.payments.captures.0.amount.currency_code",
    ),
    status=_status_of_order,
    emails=("payer.email_address", "payment_source.paypal.email_address"),
    plans=("purchase_units.0.description", "purchase_units.0.items.0.name"),
)
_REFUND = Shape(
    "paypal",
    _is_refund,
    ("amount.value",),
    currencies=("amount.currency_code",),
    numbers=("supplementary_data.related_ids.order_id", "supplementary_data.related_ids.capture_id",
             "id"),
    status=_status_of_refund,
)  # fmt: skip
_CAPTURE = Shape(
    "paypal",
    lambda capture: has(capture, "amount.value", "amount.currency_code", "id"),
    ("amount.value",),
    currencies=("amount.currency_code",),
    numbers=("supplementary_data.related_ids.order_id", "id"),
    emails=("payer.email_address",),
)

# Version 1 of the API, and IPN, which send a form.
_PAYMENT = Shape(
    "paypal",
    lambda found: has(found, "transactions.0.amount.total", "transactions.0.amount.currency"),
    ("transactions.0.amount.total",),
    currencies=("transactions.0.amount.currency",),
    status=lambda found: find(found, "transactions.0.related_resources.0.sale.state", "state"),
    emails=("payer.payer_info.email",),
    plans=("transactions.0.description",),
)
_SALE = Shape(
    "paypal",
    lambda found: has(found, "amount.total", "amount.currency", "id"),
    ("amount.total",),
    currencies=("amount.currency",),
    status=lambda found: find(found, "state", "status"),
)
_NOTIFICATION = Shape(
    "paypal",
    lambda found: has(found, "mc_gross", "mc_currency", "txn_id"),
    ("mc_gross",),
    currencies=("mc_currency",),
    numbers=("txn_id",),
    status=lambda found: find(found, "payment_status"),
    emails=("payer_email",),
    plans=("item_name", "item_name1"),
)

PAYPAL_SHAPES = (_ORDER, _REFUND, _CAPTURE, _PAYMENT, _SALE, _NOTIFICATION)
