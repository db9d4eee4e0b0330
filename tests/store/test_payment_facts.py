"""Test `payment_facts`: written with each payment, kept in step with it, and deleted with it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, Capture, parse_capture
from data_capture.privacy.erasure import erase_user
from data_capture.privacy.export import stream_export
from data_capture.privacy.payment_facts import FactsBackfill, delete_orphaned_facts
from data_capture.privacy.retention import apply_retention
from data_capture.store import Store
from data_capture.store.sqlite.bulk import record_captures
from data_capture.store.sqlite.captures import record_capture
from tests.support.audit_trails import assert_chain_verifies
from tests.support.erasing import store_in
from tests.support.services import capture_service_in, eventually, rows

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
ANN, BOB = "ann@example.com", "bob@example.com"
FACTS = "SELECT * FROM payment_facts ORDER BY payment_id"
LATEST = """
SELECT transaction_id, status, currency, amount_minor, confirmed_at, source, confirmed_by
FROM payments_latest ORDER BY id
"""
REVENUE = """
SELECT currency, count(*) AS payments, sum(amount_minor) AS revenue
FROM payments_latest WHERE status = 'completed' GROUP BY currency ORDER BY currency
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty database, whose audit trail is verified after the test."""
    with closing(store_in(tmp_path)) as store:
        yield store
        assert_chain_verifies(store)


def parse(*, confirmed: bool = False, user_email: str = ANN, **payload: Any) -> Capture:
    caller = Caller("/test", "192.0.2.1", "Browser/1.0", NOW, is_confirmed=confirmed)
    return parse_capture(KINDS["payment"], {"user_email": user_email, **payload}, caller, ())


def send(store: Store, **payload: Any) -> int:
    capture = parse(**payload)
    return store.write(lambda connection: record_capture(connection, capture)).row_id


def send_alone(store: Store, payloads: Sequence[dict[str, Any]]) -> None:
    for payload in payloads:
        send(store, **payload)


def send_together(store: Store, payloads: Sequence[dict[str, Any]]) -> None:
    captures = [parse(**payload) for payload in payloads]
    store.write(lambda connection: record_captures(connection, captures))


def facts(store: Store) -> list[tuple[Any, ...]]:
    return [
        (row["currency"], row["status"], row["amount_minor"], row["source"])
        for row in rows(store.database, FACTS)
    ]


@pytest.mark.parametrize("send_all", [send_alone, send_together])
def test_facts_are_written_with_each_payment(store: Store, send_all: Any) -> None:
    send_all(
        store,
        [
            {"final_price": "99.80", "currency": "usd", "payment_status": "succeeded"},
            {"final_price": "10.00", "transaction_id": "TX-1", "payment_status": "waiting"},
            {"final_price": "10.00", "transaction_id": "TX-1", "payment_status": "FINISHED"},
            {"final_price": 500, "currency": "JPY", "transaction_id": "TX-2", "confirmed": True},
            {},
        ],
    )
    assert facts(store) == [
        ("USD", "completed", 9980, "claim"),
        (None, "pending", 1000, "claim"),
        (None, "completed", 1000, "claim"),
        ("JPY", "unknown", 500, "confirmed"),
        (None, "unknown", None, "claim"),
    ]
    stored = rows(store.database, FACTS)
    assert [row["payment_id"] for row in stored] == [1, 2, 3, 4, 5]
    assert {row["user_email"] for row in stored} == {ANN}
    assert [row["confirmed_at"] for row in stored] == [
        None, None, None, "2026-03-01T12:00:00.000Z", None,
    ]  # fmt: skip


@pytest.mark.parametrize("send_all", [send_alone, send_together])
def test_currencies_are_never_added_and_all_spellings_count(store: Store, send_all: Any) -> None:
    spellings = ["completed", "COMPLETED", "succeeded", "paid", "Success", "captured"]
    send_all(
        store,
        [
            {"transaction_id": f"{currency}-{status}", "final_price": "10.00",
             "payment_status": status, "currency": currency}
            for currency in ("EUR", "USD") for status in spellings
        ]
        + [{"transaction_id": "no", "final_price": "7", "currency": "EUR", "status": "unpaid"}],
    )  # fmt: skip
    assert rows(store.database, REVENUE) == [
        {"currency": "EUR", "payments": 6, "revenue": 6000},
        {"currency": "USD", "payments": 6, "revenue": 6000},
    ]


@pytest.mark.parametrize("send_all", [send_alone, send_together])
def test_repetition_completes_the_currency(store: Store, send_all: Any) -> None:
    payment = {"transaction_id": "TX-1", "final_price": "500"}
    send_all(store, [payment, {"transaction_id": "TX-1", "currency": "JPY"}, payment])
    assert facts(store) == [("JPY", "unknown", 500, "claim")]


@pytest.mark.parametrize("send_all", [send_alone, send_together])
def test_payments_in_two_currencies_are_two_states(store: Store, send_all: Any) -> None:
    payment = {"transaction_id": "TX-1", "final_price": "10"}
    send_all(store, [{**payment, "currency": "EUR"}, {**payment, "currency": "USD"}])
    assert [row[0] for row in facts(store)] == ["EUR", "USD"]


def test_claim_does_not_change_the_facts_of_a_confirmed_payment(store: Store) -> None:
    payment = {"transaction_id": "TX-1", "final_price": "10", "payment_status": "paid"}
    send(store, **payment, confirmed=True)
    send(store, **payment, currency="JPY")
    assert facts(store) == [(None, "completed", 1000, "confirmed")]


@pytest.mark.parametrize("capture_ids", [("a", "b"), ("a", "a")])
def test_confirmation_of_a_claim_is_in_its_facts(
    store: Store, capture_ids: tuple[str, str]
) -> None:
    payment = {"transaction_id": "TX-1", "final_price": "10", "payment_status": "paid"}
    send(store, **payment, capture_id=capture_ids[0])
    send(store, **payment, capture_id=capture_ids[1], confirmed=True)
    assert rows(store.database, LATEST) == [
        {
            "transaction_id": "TX-1",
            "status": "completed",
            "currency": None,
            "amount_minor": 1000,
            "confirmed_at": "2026-03-01T12:00:00.000Z",
            "source": "confirmed",
            "confirmed_by": "confirmed",
        }
    ]


def test_claim_never_hides_a_confirmed_state(store: Store) -> None:
    payment = {"transaction_id": "TX-1", "final_price": "10"}
    send(store, **payment, payment_status="paid", confirmed=True)
    send(store, **payment, payment_status="refunded")
    [latest] = rows(store.database, LATEST)
    assert (latest["status"], latest["source"]) == ("completed", "confirmed")


def test_payments_without_facts_are_shown_and_get_them(store: Store) -> None:
    for number in range(3):
        send(store, transaction_id=f"TX-{number}", final_price="9.99", payment_status="Paid")
    send(store, transaction_id="TX-3", final_price="5", payment_status="captured", confirmed=True)
    with closing(sqlite3.connect(store.database)) as connection, connection:
        connection.execute("DELETE FROM payment_facts WHERE payment_id > 1")
        connection.execute(
            "INSERT INTO payment_data (user_email, final_price, payment_status) "
            "VALUES (?, 12.5, 'COMPLETE'), (?, 'lots', 'x'), (?, 1e300, NULL)",
            (ANN, ANN, ANN),
        )
    shown = rows(store.database, LATEST)
    assert [row["status"] for row in shown] == ["completed", *["unknown"] * 6]
    backfill = FactsBackfill(store)
    assert backfill.run() == 6
    assert facts(store) == [
        (None, "completed", 999, "claim"),
        (None, "completed", 999, "claim"),
        (None, "completed", 999, "claim"),
        (None, "completed", 500, "confirmed"),
        (None, "completed", 1250, "claim"),
        (None, "unknown", None, "claim"),
        (None, "unknown", None, "claim"),
    ]
    assert backfill.run() == 0


def test_backfill_goes_on_where_it_stopped(store: Store) -> None:
    send(store)
    with closing(sqlite3.connect(store.database)) as connection, connection:
        connection.executemany(
            "INSERT INTO payment_data (user_email, final_price) VALUES (?, 1)", [(ANN,)] * 1200
        )
    backfill = FactsBackfill(store)
    assert backfill.run(lambda: True) == 500
    assert backfill.run() == 700
    with closing(sqlite3.connect(store.database)) as connection, connection:
        connection.execute("DELETE FROM payment_facts WHERE payment_id = 7")
    assert backfill.run() == 0
    backfill.restart()
    assert backfill.run() == 1


@pytest.mark.slow
def test_service_adds_the_facts_of_rows_by_hand(tmp_path: Path) -> None:
    with closing(store_in(tmp_path)) as store:
        send(store, final_price="10", payment_status="paid")
        with closing(sqlite3.connect(store.database)) as connection, connection:
            connection.execute("DELETE FROM payment_facts")
    service = capture_service_in(tmp_path)
    service.start()
    try:
        assert [row["status"] for row in service.rows(FACTS)] == ["completed"]
        with closing(sqlite3.connect(service.database)) as connection, connection:
            connection.execute(
                "INSERT INTO payment_data (user_email, payment_status) VALUES (?, 'denied')", (ANN,)
            )
        eventually(lambda: len(service.rows(FACTS)) == 2, "the second payment has facts")
        assert service.rows(FACTS)[1]["status"] == "failed"
    finally:
        service.stop()


def test_erasure_and_export_know_the_facts(store: Store) -> None:
    send(store, final_price="10", currency="EUR")
    send(store, final_price="20", currency="EUR", user_email=BOB)
    document = json.loads(b"".join(stream_export(store.database, ANN, "json")))
    assert [row["amount_minor"] for row in document["payment_facts"]] == [1000]
    erased = store.write(
        lambda connection: erase_user(
            connection, ANN, erased_at="2026-03-02T00:00:00.000Z", source_endpoint="/test"
        )
    )
    assert erased.rows["payment_facts"] == 1
    assert [row["user_email"] for row in rows(store.database, FACTS)] == [BOB]


def test_retention_deletes_facts_with_their_payment(store: Store) -> None:
    send(store, final_price="10")
    apply_retention(store, ("payment=30",), NOW + timedelta(days=31))
    assert rows(store.database, FACTS) == []


def test_facts_of_deleted_payments_are_purged_and_replaced(store: Store) -> None:
    for price in ("10", "20", "30"):
        send(store, final_price=price)
    with closing(sqlite3.connect(store.database)) as connection, connection:
        connection.execute("DELETE FROM payment_data WHERE id > 1")
        connection.execute("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'payment_data'")
    send(store, final_price="40")
    assert [row[2] for row in facts(store)] == [1000, 4000, 3000]
    assert delete_orphaned_facts(store) == 1
    assert [row[2] for row in facts(store)] == [1000, 4000]
