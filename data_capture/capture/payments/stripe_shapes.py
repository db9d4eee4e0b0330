"""The objects of Stripe: amounts are in minor units. See docs.stripe.com/api."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from data_capture.capture.conversion import Unconvertible
from data_capture.capture.payments.shape import (
    Places,
    Shape,
    always,
    find,
    first_amount,
    is_text,
    parse_amount,
)
from data_capture.json_codec import JsonObject

# docs.stripe.com/currencies, "Special cases".
_DIGITS = {"ISK": 2, "UGX": 2, "MGA": 0}
_PLANS = ("metadata.plan", "metadata.plan_name", "lines.data.0.description", "description")
_EMAILS = ("receipt_email", "customer_details.email", "customer_email", "billing_details.email",
    "latest_charge.billing_details.email", "charges.data.0.billing_details.email",
    "customer.email", "metadata.email", "metadata.user_email")  # fmt: skip
_NAMES = ("customer_details.name", "billing_details.name", "customer_name",
    "latest_charge.billing_details.name", "charges.data.0.billing_details.name")  # fmt: skip
_METHODS = ("payment_method_details.type", "payment_method_types.0")

# Objects without a payment, but with the price of what is bought.
_PRICED = frozenset({
    "price", "plan", "quote", "order", "item", "line_item", "invoiceitem", "source",
})  # fmt: skip
_PRICES = ("amount_total", "unit_amount", "amount", "total")
_OF_OTHER_OBJECTS = r"[a-z]{2,12}_\w{8,255}"


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


def _is_other_object(members: JsonObject) -> bool:
    """Recognise an object of any other kind that has an amount."""
    is_stripe = find(members, "livemode") is not None or is_text(
        find(members, "id"), _OF_OTHER_OBJECTS
    )
    return (
        is_stripe
        and isinstance(find(members, "object"), str)
        and first_amount(members, _PRICES) is not None
    )


def _price_of_other_object(members: JsonObject) -> Any:
    """Return the price of what is bought; other amounts, such as a payout's, are no price."""
    name = find(members, "object")
    if name in _PRICED:
        return first_amount(members, _PRICES)
    return Unconvertible("is an amount of a Stripe object that is not a payment")


def _status_of_session(session: JsonObject) -> Any:
    status = find(session, "status")
    return status if status == "expired" else find(session, "payment_status", "status")


def _status_of_intent(intent: JsonObject) -> Any:
    """Return the status of an intent, or that of its charge if the money went back."""
    for charge in (find(intent, "latest_charge"), find(intent, "charges.data.0")):
        taken_back = _taken_back(charge) if isinstance(charge, dict) else None
        if taken_back is not None:
            return taken_back
    return find(intent, "status")


def _status_of_charge(charge: JsonObject) -> Any:
    status = find(charge, "status")
    if status == "succeeded" and find(charge, "captured") is False:
        status = "uncaptured"
    return _taken_back(charge) or status


def _taken_back(charge: JsonObject) -> str | None:
    """Tell how a charge was taken back, in full or in part; None if it was not."""
    if find(charge, "disputed") is True:
        return "disputed"
    if find(charge, "refunded") is True:
        return "refunded"
    amount = parse_amount(find(charge, "amount_refunded"))
    return "partially_refunded" if amount else None


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
        minor_digits=_DIGITS,
        status=status or (lambda found: find(found, "status")),
        emails=_EMAILS,
        names=_NAMES,
        plans=_PLANS,
        methods=_METHODS,
    )


STRIPE_SHAPES = (
    _stripe("payment_intent", r"pi_\w+", ("amount_received", "amount"), _status_of_intent),
    _stripe("checkout.session", r"cs_\w+", ("amount_total",), _status_of_session),
    _stripe("charge", r"(?:ch|py)_\w+", ("amount_captured", "amount"), _status_of_charge),
    _stripe("invoice", r"in_\w{14,}", ("amount_paid", "amount_due", "total")),
    Shape(
        "stripe", _is_stripe("refund", r"re_\w{14,}", "amount"), ("amount",), is_minor=always,
        minor_digits=_DIGITS, numbers=("payment_intent", "charge", "id"),
        status=_status_of_refund,
    ),
    Shape(
        "stripe", _is_stripe("dispute", r"dp_\w{14,}", "amount"), ("amount",), is_minor=always,
        minor_digits=_DIGITS, numbers=("payment_intent", "charge", "id"),
        status=lambda _dispute: "disputed",
    ),
    Shape(
        "stripe", _is_other_object, total=_price_of_other_object, is_minor=always,
        minor_digits=_DIGITS, plans=("nickname", "description"),
    ),
)  # fmt: skip
