"""The objects of Razorpay: amounts are in minor units. See razorpay.com/docs/api."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from data_capture.capture.conversion import Unconvertible
from data_capture.capture.payments.shape import (
    Shape,
    always,
    find,
    has,
    has_decimal_point,
    is_text,
)
from data_capture.json_codec import JsonObject

_EMAILS = ("email", "notes.email", "customer.email", "customer_details.email", "prefill.email")
_NAMES = ("customer.name", "customer_details.name", "prefill.name")
_PLANS = ("notes.plan", "notes.plan_name", "description")


def _is_entity(name: str, id_prefix: str) -> Callable[[JsonObject], bool]:
    """Recognise an entity by its member `entity`, or by its id and an amount."""

    def matches(found: JsonObject) -> bool:
        named = find(found, "entity")
        if isinstance(named, str):
            return named == name
        return is_text(find(found, "id"), rf"{id_prefix}_\w{{14}}") and has(
            found, "amount", "currency"
        )

    return matches


def _is_other_entity(found: JsonObject) -> bool:
    return (
        isinstance(find(found, "entity"), str)
        and is_text(find(found, "id"), r"[a-z]{2,12}_\w{14}")
        and has(found, "amount")
    )


def _status_of_payment(payment: JsonObject) -> Any:
    refund = find(payment, "refund_status")
    return f"{refund} refund" if refund in ("partial", "full") else find(payment, "status")


def _status_of_refund(refund: JsonObject) -> Any:
    status = find(refund, "status")
    return "refunded" if status in (None, "processed") else f"refund {status}"


def _entity(
    name: str,
    id_prefix: str,
    numbers: tuple[str, ...] = ("id",),
    status: Callable[[JsonObject], Any] = lambda found: find(found, "status"),
) -> Shape:
    return Shape(
        "razorpay",
        _is_entity(name, id_prefix),
        ("amount",),
        is_minor=always,
        numbers=numbers,
        status=status,
        emails=_EMAILS,
        names=_NAMES,
        plans=_PLANS,
        methods=("method",),
    )


RAZORPAY_SHAPES = (
    _entity("payment", "pay", status=_status_of_payment),
    _entity("order", "order"),
    _entity("invoice", "inv", ("payment_id", "id")),
    _entity("payment_link", "plink", ("payments.0.payment_id", "id")),
    _entity("refund", "rfnd", ("payment_id", "id"), _status_of_refund),
    Shape(
        "razorpay", _is_other_entity, is_minor=always,
        total=lambda _found: Unconvertible("is an amount of a Razorpay entity that is no payment"),
    ),
    # What a page hands to the checkout. Its name is the shop's.
    Shape(
        "razorpay",
        lambda found: is_text(find(found, "key"), r"rzp_\w+") and has(found, "amount"),
        ("amount",),
        is_minor=always,
        numbers=("order_id",),
        emails=_EMAILS,
        names=_NAMES,
        plans=_PLANS,
        is_named=True,
    ),
    # What the checkout hands to the page, which adds an amount of its own.
    Shape(
        "razorpay",
        lambda found: has(found, "razorpay_payment_id"),
        ("amount",),
        is_minor=lambda found: False if has_decimal_point(find(found, "amount")) else None,
        numbers=("razorpay_payment_id",),
        emails=_EMAILS,
        plans=_PLANS,
    ),
)  # fmt: skip
