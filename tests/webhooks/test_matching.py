"""Test which payment an event changes: in any order, once, late, and for one user only."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, parse_capture
from data_capture.capture.timestamps import timestamp
from data_capture.json_codec import decode_json_object
from data_capture.privacy.erasure import erase_user
from data_capture.privacy.export import stream_export
from data_capture.privacy.payment_facts import delete_stale_events
from data_capture.privacy.retention import apply_retention
from data_capture.store import Store
from data_capture.store.sqlite.bulk import record_captures
from data_capture.store.sqlite.captures import record_capture
from data_capture.store.sqlite.payment_events import EventOrigin, record_event
from data_capture.webhooks.providers import PROVIDERS
from tests.support.audit_trails import assert_chain_verifies
from tests.support.erasing import find_traces, store_in
from tests.support.provider_events import (
    NOW,
    charge,
    checkout,
    coinbase_event,
    dispute,
    encode,
    intent,
    nowpayments_event,
    stripe_event,
)
from tests.support.services import rows

ANN, BOB, CYD = "ann@example.com", "bob@example.com", "cyd@example.com"
START = datetime.fromtimestamp(NOW, timezone.utc)
LATEST = "SELECT * FROM payments_latest ORDER BY id"
PAID = stripe_event("payment_intent.succeeded", **intent(receipt_email=ANN))
REFUNDED = stripe_event(
    "charge.refunded", at=NOW + 60, **charge(refunded=True, amount_refunded=8999)
)
CHECKOUT = stripe_event("checkout.session.completed", at=NOW + 1, **checkout(customer_email=ANN))
DISPUTED = stripe_event("charge.dispute.created", at=NOW + 90, **dispute())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty database, whose audit trail is verified after the test."""
    with closing(store_in(tmp_path)) as store:
        yield store
        assert_chain_verifies(store)


def deliver(
    store: Store, event: dict[str, Any], provider: str = "stripe", *, minutes: float = 5
) -> str:
    """Deliver an event some minutes after NOW, and return its outcome."""
    now = START + timedelta(minutes=minutes)
    read = PROVIDERS[provider].read_event(decode_json_object(encode(event)), now)
    assert read is not None
    origin = EventOrigin(timestamp(now), f"/api/webhooks/{provider}", "192.0.2.9", "Hook/1.0")
    return store.write(lambda connection: record_event(connection, read, origin))


def send(
    store: Store,
    user_email: str = ANN,
    *,
    confirmed: bool = False,
    minutes: float = 6,
    together: bool = False,
    **payload: Any,
) -> None:
    """Send a page's payment some minutes after NOW."""
    now = START + timedelta(minutes=minutes)
    caller = Caller("/test", "192.0.2.1", "Browser/1.0", now, is_confirmed=confirmed)
    body = {"user_email": user_email, "transaction_id": "pi_1", "plan_name": "Pro",
            "final_price": "89.99", "payment_status": "pending", **payload}  # fmt: skip
    capture = parse_capture(KINDS["payment"], body, caller, ())
    if together:
        store.write(lambda connection: record_captures(connection, [capture, capture]))
    else:
        store.write(lambda connection: record_capture(connection, capture))


def latest(store: Store) -> list[tuple[Any, ...]]:
    return [
        (row["user_email"], row["status"], row["currency"], row["amount_minor"],
         row["confirmed_by"], row["plan_name"])
        for row in rows(store.database, LATEST)
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("together", [False, True])
def test_facts_are_the_same_whatever_arrives_first(tmp_path: Path, together: bool) -> None:
    found = set()
    steps = ["page", PAID, CHECKOUT, REFUNDED]
    for number, order in enumerate(itertools.permutations(steps)):
        directory = tmp_path / str(number)
        directory.mkdir()
        with closing(store_in(directory)) as store:
            for step in order:
                if step == "page":
                    send(store, transaction_id="cs_1", together=together)
                else:
                    deliver(store, step)  # type: ignore[arg-type]
            found |= {tuple(latest(store))}
            assert len(rows(store.database, "SELECT * FROM payment_data")) == 1
            assert len(rows(store.database, "SELECT * FROM payment_facts")) == 1
            assert_chain_verifies(store)
    assert found == {((ANN, "refunded", "USD", 8999, "stripe", "Pro"),)}


def test_event_confirms_the_claim_and_corrects_its_amount(store: Store) -> None:
    send(store, final_price="8999", currency="EUR", payment_status="completed")
    assert deliver(store, PAID) == "applied"
    [row] = rows(store.database, LATEST)
    assert (row["source"], row["confirmed_by"]) == ("confirmed", "stripe")
    assert row["confirmed_at"] == timestamp(START + timedelta(minutes=5))
    assert (row["currency"], row["amount_minor"], row["final_price"]) == ("USD", 8999, 8999)
    sources = rows(store.database, "SELECT source FROM capture_sources")
    assert sources == [{"source": "confirmed"}]


def test_each_event_counts_once(store: Store) -> None:
    send(store)
    assert [deliver(store, PAID) for _ in range(3)] == ["applied", "duplicate", "duplicate"]
    assert deliver(store, nowpayments_event(), "nowpayments") == "unmatched"
    assert deliver(store, nowpayments_event(), "nowpayments") == "duplicate"
    records = rows(
        store.database, "SELECT * FROM data_capture_audit WHERE capture_type = 'payment_event'"
    )
    assert len(records) == 1
    snapshot = json.loads(records[0]["data_snapshot"])
    assert (snapshot["provider"], snapshot["status"]) == ("stripe", "completed")
    assert records[0]["user_email"] == ANN


def test_claims_after_the_event_do_not_hide_it(store: Store) -> None:
    send(store)
    deliver(store, REFUNDED)
    send(store, payment_status="completed", final_price="1.00", minutes=20)
    assert latest(store) == [(ANN, "refunded", "USD", 8999, "stripe", "Pro")]


def test_state_that_a_token_confirms_keeps_the_events(store: Store) -> None:
    send(store)
    deliver(store, REFUNDED)
    send(store, payment_status="completed", plan_name="Max", confirmed=True, minutes=20)
    assert latest(store) == [(ANN, "refunded", "USD", 8999, "stripe", "Max")]


@pytest.mark.parametrize("status", ["won", "lost"])
def test_dispute_ends(store: Store, status: str) -> None:
    send(store)
    closed = stripe_event("charge.dispute.closed", at=NOW + 99, **dispute(status=status))
    for event in (closed, DISPUTED, PAID):
        deliver(store, event)
    expected = "completed" if status == "won" else "disputed"
    assert latest(store)[0][1] == expected


@pytest.mark.parametrize("name", ["transaction_id", "paymentId", "order_id"])
@pytest.mark.parametrize("number", [403993715563177565, 4111111111111111])
@pytest.mark.parametrize("is_late", [False, True])
def test_number_that_looks_like_a_card_number(
    store: Store, name: str, number: int, is_late: bool
) -> None:
    for step in (0, 1):
        if step == is_late:
            send(store, **{"transaction_id": None, name: str(number)})
        else:
            deliver(store, nowpayments_event(payment_id=number), "nowpayments")
    assert latest(store)[0][4] == "nowpayments"
    other = nowpayments_event(payment_id=4012888888881881)
    assert deliver(store, other, "nowpayments") == "unmatched"


def test_number_that_is_a_card_number_is_stored_masked(store: Store, tmp_path: Path) -> None:
    deliver(store, nowpayments_event(order_id="4111 1111 1111 1111"), "nowpayments")
    store.checkpoint()
    assert find_traces(tmp_path, {"number": b"4111 1111 1111 1111"}) == []


REFERENCES = [
    ("stripe", stripe_event("checkout.session.completed", **checkout(client_reference_id="R-7"))),
    ("stripe", stripe_event("payment_intent.succeeded", **intent(metadata={"order_id": "R-7"}))),
    ("nowpayments", nowpayments_event(order_id="R-7")),
    ("coinbase-commerce", coinbase_event(metadata={"orderId": "R-7"})),
]


@pytest.mark.parametrize(("provider", "event"), REFERENCES)
@pytest.mark.parametrize("is_late", [False, True])
def test_page_may_know_only_the_shops_own_number(
    store: Store, provider: str, event: dict[str, Any], is_late: bool
) -> None:
    if is_late:
        deliver(store, event, provider)
    send(store, transaction_id="R-7")
    if not is_late:
        deliver(store, event, provider)
    assert latest(store) == [(ANN, "completed", "USD", 8999, provider, "Pro")]


def test_renewal_with_the_same_reference_is_another_payment(store: Store) -> None:
    send(store, transaction_id="R-7")
    for month in (0, 1, 2):
        members = intent(f"pi_{month}", metadata={"order_id": "R-7"}, receipt_email=ANN)
        deliver(store, stripe_event("payment_intent.succeeded", **members), minutes=month)
    assert [row[1] for row in latest(store)] == ["completed"] * 3


# --- two users with one number ---


def paid_by(email: str | None) -> dict[str, Any]:
    return stripe_event(
        "payment_intent.succeeded", event_id="evt_two", **intent(receipt_email=email)
    )


@pytest.mark.slow
def test_of_two_users_the_payer_is_confirmed(tmp_path: Path) -> None:
    for number, order in enumerate(itertools.permutations([ANN, BOB, "event"])):
        directory = tmp_path / str(number)
        directory.mkdir()
        with closing(store_in(directory)) as store:
            for step in order:
                if step == "event":
                    deliver(store, paid_by(BOB.upper()))
                else:
                    send(store, step, currency="EUR")
            facts = {row[0]: row[1:5] for row in latest(store)}
            assert facts == {
                ANN: ("pending", "EUR", 8999, None),
                BOB: ("completed", "USD", 8999, "stripe"),
            }, order
            assert_chain_verifies(store)


def test_without_an_address_neither_of_two_users_is_confirmed(store: Store) -> None:
    send(store, ANN)
    send(store, BOB)
    assert deliver(store, paid_by(None)) == "unmatched"
    assert [row[4] for row in latest(store)] == [None, None]


def test_stranger_who_claims_a_confirmed_number_gets_nothing(store: Store) -> None:
    send(store, ANN)
    deliver(store, paid_by(None))
    send(store, BOB)
    assert [row[4] for row in latest(store)] == ["stripe", None]


def test_single_claim_is_confirmed_although_the_payer_used_another_address(store: Store) -> None:
    send(store, ANN)
    deliver(store, paid_by("ann@work.example"))
    assert latest(store) == [(ANN, "completed", "USD", 8999, "stripe", "Pro")]


# --- payments that no page sent ---


def test_payment_that_no_page_sent_gets_a_row(store: Store) -> None:
    assert deliver(store, PAID) == "applied"
    [row] = rows(store.database, LATEST)
    assert (row["user_email"], row["final_price"], row["transaction_id"]) == (ANN, 89.99, "pi_1")
    assert (row["payment_processor"], row["status"]) == ("stripe", "completed")
    assert rows(store.database, "SELECT status FROM users WHERE email = ?", ANN) == [
        {"status": "provisional"}
    ]


@pytest.mark.parametrize(
    "event",
    [
        stripe_event("payment_intent.payment_failed", **intent(receipt_email=ANN)),
        stripe_event("payment_intent.succeeded", **intent()),
        stripe_event("payment_intent.succeeded", **intent(receipt_email="nobody")),
        stripe_event("charge.refunded", **charge(refunded=True, receipt_email=ANN)),
    ],
)
def test_other_events_without_a_page_make_no_row(store: Store, event: dict[str, Any]) -> None:
    assert deliver(store, event) == "unmatched"
    assert rows(store.database, "SELECT * FROM payment_data") == []
    assert ANN not in {row["email"] for row in rows(store.database, "SELECT email FROM users")}


@pytest.mark.parametrize("minutes", [1, 600, 600_000])
def test_page_that_comes_later_takes_the_place_of_that_row(store: Store, minutes: float) -> None:
    deliver(store, PAID, minutes=0)
    send(store, minutes=minutes)
    assert latest(store) == [(ANN, "completed", "USD", 8999, "stripe", "Pro")]


def test_page_that_says_nothing_new_keeps_that_row(store: Store) -> None:
    deliver(store, PAID, minutes=0)
    send(store, plan_name=None, payment_status="completed")
    assert latest(store) == [(ANN, "completed", "USD", 8999, "stripe", None)]
    send(store, BOB, minutes=7)
    assert latest(store)[0][4] == "stripe"


@pytest.mark.parametrize(("minutes", "confirmed"), [(5, "stripe"), (60, None)])
def test_other_user_takes_that_row_over_within_minutes(
    store: Store, minutes: float, confirmed: str | None
) -> None:
    """The customer may pay with another address than the one of the account."""
    deliver(store, PAID, minutes=0)
    send(store, BOB, minutes=minutes)
    assert {row[0]: row[4] for row in latest(store)}[BOB] == confirmed
    assert len([row for row in latest(store) if row[4] == "stripe"]) == 1


SHOWN = {"transaction_id": None, "payment_status": "success"}


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("steps", [
    *itertools.permutations(["request", "success page", "event"]),
    ("success page", "event"), ("event", "success page"),
    ("success page", "event", "success page"), ("event", "success page", "success page"),
])  # fmt: skip
def test_request_success_page_and_event_are_one_payment(
    store: Store, steps: tuple[str, ...], together: bool
) -> None:
    for step in steps:
        if step == "event":
            deliver(store, PAID)
        else:
            send(store, together=together, **(SHOWN if step == "success page" else {}))
    assert latest(store) == [(ANN, "completed", "USD", 8999, "stripe", "Pro")]
    assert rows(store.database, "SELECT DISTINCT transaction_id FROM payment_data") == [
        {"transaction_id": "pi_1"}
    ]


@pytest.mark.parametrize("event_first", [False, True])
@pytest.mark.parametrize(
    "shown",
    [
        {"final_price": "90.00"},
        {"currency": "EUR"},
        {"payment_status": "failed"},
        {"payment_status": "refunded"},
        {"minutes": 17},
        {"minutes": -20},
        {"user_email": BOB},
        {"transaction_id": "pi_2"},
    ],
)
def test_another_payment_without_a_number_keeps_its_row(
    store: Store, shown: dict[str, Any], event_first: bool
) -> None:
    steps = [lambda: send(store, **{**SHOWN, **shown}), lambda: deliver(store, PAID)]
    for step in reversed(steps) if event_first else steps:
        step()
    assert len(latest(store)) == 2
    assert [row[4] for row in latest(store)].count("stripe") == 1


def test_two_events_and_two_success_pages_are_two_payments(store: Store) -> None:
    other = stripe_event("payment_intent.succeeded", **intent(id="pi_2", receipt_email=ANN))
    send(store, **SHOWN)
    deliver(store, PAID)
    deliver(store, other)
    send(store, **SHOWN, plan_name="Max")
    assert [row[1:] for row in latest(store)] == [
        ("completed", "USD", 8999, "stripe", "Pro"), ("completed", "USD", 8999, "stripe", "Max"),
    ]  # fmt: skip


# --- privacy ---


def erase(store: Store, email: str, minutes: float) -> dict[str, int]:
    erased_at = timestamp(START + timedelta(minutes=minutes))
    result = store.write(
        lambda connection: erase_user(
            connection, email, erased_at=erased_at, source_endpoint="/test"
        )
    )
    return result.rows


def test_erasure_removes_the_events_and_late_ones_bring_nobody_back(
    store: Store, tmp_path: Path
) -> None:
    send(store)
    deliver(store, PAID)
    assert erase(store, ANN, 10)["payment_events"] == 1
    store.vacuum()
    store.checkpoint()
    assert find_traces(tmp_path, {"number": b"pi_1", "address": ANN.encode()}) == []
    assert deliver(store, CHECKOUT, minutes=20) == "erased"
    assert rows(store.database, "SELECT * FROM payment_events") == []
    assert rows(store.database, "SELECT * FROM payment_event_numbers") == []
    assert ANN not in {row["email"] for row in rows(store.database, "SELECT email FROM users")}


def test_erasure_removes_events_without_a_payment(store: Store) -> None:
    deliver(store, stripe_event("payment_intent.payment_failed", **intent(receipt_email=ANN)))
    assert erase(store, ANN, 10)["payment_events"] == 1
    assert rows(store.database, "SELECT * FROM payment_events") == []


def test_erased_payer_is_forgotten_in_another_users_payment(store: Store) -> None:
    send(store, BOB)
    deliver(store, PAID)
    erase(store, ANN, 10)
    [event] = rows(store.database, "SELECT user_email, payer_hash FROM payment_events")
    assert event == {"user_email": BOB, "payer_hash": None}
    assert latest(store)[0][1] == "completed"


def test_payment_after_an_erasure_is_a_new_one(store: Store) -> None:
    erase(store, ANN, 10)
    late = stripe_event("payment_intent.succeeded", at=NOW + 900, **intent(receipt_email=ANN))
    assert deliver(store, late, minutes=20) == "applied"


def test_export_has_the_users_events(store: Store) -> None:
    send(store)
    deliver(store, PAID)
    document = json.loads(b"".join(stream_export(store.database, ANN, "json")))
    assert [event["event_type"] for event in document["payment_events"]] == [
        "payment_intent.succeeded"
    ]


def test_retention_deletes_events_with_their_payment(store: Store) -> None:
    send(store)
    deliver(store, PAID)
    apply_retention(store, ("payment=30",), START + timedelta(days=40))
    assert rows(store.database, "SELECT * FROM payment_events") == []
    snapshots = rows(
        store.database, "SELECT data_snapshot FROM data_capture_audit WHERE user_email = ?", ANN
    )
    assert [row["data_snapshot"] for row in snapshots] == [None, None]


def test_events_without_a_payment_are_kept_for_90_days(store: Store) -> None:
    deliver(store, stripe_event("payment_intent.succeeded", **intent()))
    assert delete_stale_events(store, START + timedelta(days=89), None) == 0
    assert delete_stale_events(store, START + timedelta(days=91), 3650) == 1
    deliver(store, stripe_event("payment_intent.succeeded", **intent()))
    assert delete_stale_events(store, START + timedelta(days=31), 30) == 1


def test_events_of_a_payment_deleted_by_hand_are_deleted(store: Store) -> None:
    send(store)
    deliver(store, PAID)
    with closing(sqlite3.connect(store.database)) as connection, connection:
        connection.execute("DELETE FROM payment_data")
    assert delete_stale_events(store, START, None) == 1


def test_row_without_facts_is_confirmed(store: Store) -> None:
    send(store)
    with closing(sqlite3.connect(store.database)) as connection, connection:
        connection.execute("DELETE FROM payment_facts")
    deliver(store, REFUNDED)
    assert latest(store)[0][1:5] == ("refunded", "USD", 8999, "stripe")
