"""Test what the product reads in the events of each provider, and what follows from several."""

from __future__ import annotations

import itertools
from datetime import datetime, timezone
from typing import Any

import pytest

from data_capture.capture.payments.events import EventFacts, PaymentEvent, derive_facts
from data_capture.capture.payments.facts import PaymentFacts
from data_capture.json_codec import decode_json_object
from data_capture.webhooks.providers import PROVIDERS
from tests.support.provider_events import (
    charge,
    checkout,
    coinbase_event,
    dispute,
    encode,
    intent,
    nowpayments_event,
    stripe_event,
)

ARRIVAL = datetime(2026, 11, 19, tzinfo=timezone.utc)


def read(provider: str, event: dict[str, Any]) -> PaymentEvent | None:
    return PROVIDERS[provider].read_event(decode_json_object(encode(event)), ARRIVAL)


STRIPE: dict[str, tuple[dict[str, Any], str, str | None, int | None]] = {
    "payment intent succeeded": (
        stripe_event("payment_intent.succeeded", **intent(amount_received=8999)),
        "completed", "USD", 8999,
    ),
    "payment intent failed": (
        stripe_event("payment_intent.payment_failed", **intent()), "failed", "USD", 8999,
    ),
    "payment intent canceled": (
        stripe_event("payment_intent.canceled", **intent()), "cancelled", "USD", 8999,
    ),
    "payment intent processing": (
        stripe_event("payment_intent.processing", **intent()), "pending", "USD", 8999,
    ),
    "yen have no decimals": (
        stripe_event("payment_intent.succeeded", **intent(amount=8999, currency="jpy")),
        "completed", "JPY", 8999,
    ),
    "dinars have three": (
        stripe_event("payment_intent.succeeded", **intent(amount=12340, currency="kwd")),
        "completed", "KWD", 12340,
    ),
    "Stripe counts Icelandic crowns in hundredths": (
        stripe_event("payment_intent.succeeded", **intent(amount=500, currency="isk")),
        "completed", "ISK", 5,
    ),
    "unknown currency": (
        stripe_event("payment_intent.succeeded", **intent(currency="xyz")), "completed", None, None,
    ),
    "charge succeeded": (
        stripe_event("charge.succeeded", **charge()), "completed", "USD", 8999,
    ),
    "charge only authorized": (
        stripe_event("charge.succeeded", **charge(captured=False, amount_captured=0)),
        "pending", "USD", 8999,
    ),
    "charge captured in part": (
        stripe_event("charge.captured", **charge(amount_captured=5000)), "completed", "USD", 5000,
    ),
    "charge refunded": (
        stripe_event("charge.refunded", **charge(refunded=True, amount_refunded=8999)),
        "refunded", "USD", 8999,
    ),
    "charge refunded in part": (
        stripe_event("charge.refunded", **charge(amount_refunded=1000)), "completed", "USD", 7999,
    ),
    "dispute": (
        stripe_event("charge.dispute.created", **dispute()), "disputed", "USD", None,
    ),
    "dispute lost": (
        stripe_event("charge.dispute.closed", **dispute(status="lost")), "disputed", "USD", None,
    ),
    "dispute won": (
        stripe_event("charge.dispute.closed", **dispute(status="won")), "dispute_won", "USD", None,
    ),
    "checkout paid": (
        stripe_event("checkout.session.completed", **checkout()), "completed", "USD", 8999,
    ),
    "checkout by bank transfer": (
        stripe_event("checkout.session.completed", **checkout(payment_status="unpaid")),
        "pending", "USD", 8999,
    ),
    "free checkout": (
        stripe_event(
            "checkout.session.completed",
            **checkout(payment_status="no_payment_required", amount_total=0),
        ),
        "completed", "USD", 0,
    ),
    "checkout expired": (
        stripe_event("checkout.session.expired", **checkout(payment_status="unpaid")),
        "cancelled", "USD", 8999,
    ),
    "invoice paid": (
        stripe_event(
            "invoice.paid", id="in_1", object="invoice", amount_paid=2900, currency="eur"
        ),
        "completed", "EUR", 2900,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", STRIPE)
def test_stripe_event(case: str) -> None:
    sent, status, currency, amount = STRIPE[case]
    event = read("stripe", sent)
    assert event is not None
    assert (event.status, event.currency, event.amount_minor) == (status, currency, amount)
    assert event.occurred_at == "2026-11-18T11:06:40.000Z"


@pytest.mark.parametrize(
    ("sent", "numbers"),
    [
        (stripe_event("payment_intent.succeeded", **intent(latest_charge="ch_9")),
         ("pi_1", "ch_9")),
        (stripe_event("charge.succeeded", **charge()), ("pi_1", "ch_1")),
        (stripe_event("charge.succeeded", **charge(payment_intent={"id": "pi_7"})),
         ("pi_7", "ch_1")),
        (stripe_event("charge.dispute.created", **dispute()), ("pi_1", "dp_1", "ch_1")),
        (stripe_event("checkout.session.completed", **checkout()), ("pi_1", "cs_1")),
        (stripe_event("checkout.session.completed", **checkout(payment_intent=None)), ("cs_1",)),
    ],
)  # fmt: skip
def test_numbers_of_stripe(sent: dict[str, Any], numbers: tuple[str, ...]) -> None:
    event = read("stripe", sent)
    assert event is not None
    assert event.numbers == numbers


@pytest.mark.parametrize(
    ("members", "email"),
    [
        ({"customer_details": {"email": "Ann@Example.com"}}, "ann@example.com"),
        ({"customer_email": "ann@example.com"}, "ann@example.com"),
        ({"receipt_email": " ann@example.com "}, "ann@example.com"),
        ({"billing_details": {"email": "ann@example.com"}}, "ann@example.com"),
        ({"metadata": {"userEmail": "a@example.com"}, "customer_email": "b@example.com"},
         "a@example.com"),
        ({"customer_email": "nobody", "receipt_email": 7, "customer_details": "x"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_payer_of_stripe(members: dict[str, Any], email: str | None) -> None:
    event = read("stripe", stripe_event("checkout.session.completed", **checkout(**members)))
    assert event is not None
    assert event.email == email


def test_references_are_the_shops_own_ids() -> None:
    members = checkout(client_reference_id="TX-7", metadata={"orderId": 12, "color": "red"})
    event = read("stripe", stripe_event("checkout.session.completed", **members))
    assert event is not None
    assert event.references == ("TX-7", "12")
    notified = read("nowpayments", nowpayments_event(order_id="undefined", invoice_id=4522625843))
    assert notified is not None
    assert notified.references == ("4522625843",)


IGNORED = [
    ("stripe", stripe_event("customer.created", id="cus_1", object="customer")),
    ("stripe", stripe_event("payout.paid", id="po_1", object="payout")),
    ("stripe", {"id": "evt_1", "type": "payment_intent.succeeded"}),
    ("stripe", {"id": None, "type": "payment_intent.succeeded", "data": {"object": intent()}}),
    ("stripe", {"id": "evt_1", "type": ["x"], "data": [1]}),
    ("nowpayments", {"payment_id": 7}),
    ("nowpayments", {"payment_status": "finished"}),
    ("nowpayments", nowpayments_event("a new status")),
    ("coinbase-commerce", coinbase_event("invoice:paid")),
    ("coinbase-commerce", coinbase_event(code=None, id=None)),
    ("coinbase-commerce", {"event": []}),
    ("coinbase-commerce", {}),
]


@pytest.mark.parametrize(("provider", "sent"), IGNORED)
def test_other_events_are_ignored(provider: str, sent: dict[str, Any]) -> None:
    assert read(provider, sent) is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("waiting", "pending"), ("confirming", "pending"), ("confirmed", "completed"),
        ("sending", "pending"), ("partially_paid", "pending"), ("finished", "completed"),
        ("failed", "failed"), ("refunded", "refunded"), ("expired", "cancelled"),
    ],
)  # fmt: skip
def test_nowpayments_event(status: str, expected: str) -> None:
    event = read("nowpayments", nowpayments_event(status))
    assert event is not None
    assert (event.status, event.currency, event.amount_minor) == (expected, "USD", 8999)
    assert event.numbers == ("5077125051",)
    assert event.occurred_at == "2026-11-18T11:06:40.000Z"
    again = read("nowpayments", dict(reversed(nowpayments_event(status).items())))
    assert again is not None
    assert again.event_id == event.event_id


@pytest.mark.parametrize(
    ("event_type", "timeline", "expected"),
    [
        ("charge:created", [], "pending"),
        ("charge:pending", [{"status": "NEW"}, {"status": "PENDING"}], "pending"),
        ("charge:confirmed", [{"status": "COMPLETED"}], "completed"),
        ("charge:resolved", [{"status": "RESOLVED"}], "completed"),
        ("charge:delayed", [{"status": "UNRESOLVED"}], "pending"),
        ("charge:failed", [{"status": "NEW"}, {"status": "EXPIRED"}], "cancelled"),
        ("charge:failed", [{"status": "CANCELED"}], "cancelled"),
        ("charge:failed", [{"status": "UNRESOLVED"}], "failed"),
        ("charge:resolved", [{"status": "REFUNDED"}], "refunded"),
        ("charge:failed", ["x"], "failed"),
        ("charge:failed", None, "failed"),
    ],
)
def test_coinbase_event(event_type: str, timeline: Any, expected: str) -> None:
    event = read("coinbase-commerce", coinbase_event(event_type, timeline=timeline))
    assert event is not None
    assert (event.status, event.currency, event.amount_minor) == (expected, "USD", 8999)
    assert event.numbers[0] == "66BEOV2A"


def at(second: int, status: str, amount: int | None = None) -> EventFacts:
    currency = None if amount is None else "USD"
    return EventFacts(status, currency, amount, f"2026-01-01T00:00:{second:02}.000Z")


HISTORIES: list[tuple[list[EventFacts], str, int | None]] = [
    ([at(1, "pending"), at(2, "completed", 100)], "completed", 100),
    ([at(1, "failed"), at(2, "completed", 100)], "completed", 100),
    ([at(1, "completed", 100), at(2, "pending")], "completed", 100),
    ([at(1, "completed", 100), at(2, "refunded")], "refunded", 100),
    ([at(1, "completed", 100), at(2, "disputed")], "disputed", 100),
    ([at(1, "completed", 100), at(2, "disputed"), at(3, "dispute_won")], "completed", 100),
    ([at(1, "disputed"), at(2, "dispute_won"), at(3, "disputed")], "disputed", 500),
    ([at(1, "disputed"), at(2, "refunded")], "refunded", 500),
    ([at(1, "refunded"), at(1, "completed", 100)], "refunded", 100),
    ([at(1, "completed", 100), at(2, "completed", 80), at(3, "completed", 50)], "completed", 50),
    ([at(1, "completed", 100), at(1, "completed", 80)], "completed", 80),
    ([at(1, "pending"), at(2, "failed")], "failed", 500),
    ([at(1, "cancelled"), at(2, "pending")], "cancelled", 500),
    ([at(1, "failed"), at(2, "cancelled")], "cancelled", 500),
    ([at(1, "pending")], "pending", 500),
]


@pytest.mark.parametrize("index", range(len(HISTORIES)))
def test_facts_are_the_same_in_every_order(index: int) -> None:
    events, status, amount = HISTORIES[index]
    claimed = PaymentFacts("EUR", "completed", 500)
    for order in itertools.permutations(events):
        facts = derive_facts(order, claimed)
        assert (facts.status, facts.amount_minor) == (status, amount)
        assert facts.currency == ("EUR" if amount == 500 else "USD")
