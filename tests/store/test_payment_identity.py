"""Test that two payments are two rows, and that one payment that is saved twice is one.

`EDC_FULL_PAYMENTS=1` generates 10,000 pairs of each sort.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, Capture, parse_capture
from data_capture.capture.timestamps import timestamp
from data_capture.json_codec import decode_json_object, encode_json
from data_capture.store import Store
from data_capture.store.sqlite.bulk import record_captures
from data_capture.store.sqlite.captures import record_capture
from tests.support.audit_trails import assert_chain_verifies
from tests.support.erasing import store_in
from tests.support.payment_pairs import (
    PLACEHOLDERS,
    Pair,
    Payload,
    different_pair,
    luhn_number,
    same_pair,
)
from tests.support.services import RunningService, rows

PAIRS = 10_000 if os.environ.get("EDC_FULL_PAYMENTS") == "1" else 400
NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
PAIRS_PER_COMMIT = 100
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
ANN = "ann@example.com"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty database, whose audit trail is verified after the test."""
    with closing(store_in(tmp_path)) as store:
        yield store
        assert_chain_verifies(store)


def parse(payload: Payload, at: datetime = NOW, *, confirmed: bool = False) -> Capture:
    caller = Caller("/test", "192.0.2.1", "Browser/1.0", at, is_confirmed=confirmed)
    body = decode_json_object(encode_json(payload).encode())
    return parse_capture(KINDS["payment"], body, caller, ())


def record_one_by_one(store: Store, captures: Sequence[Capture]) -> list[Any]:
    return store.write(lambda connection: [record_capture(connection, one) for one in captures])


def record_together(store: Store, captures: Sequence[Capture]) -> list[Any]:
    return store.write(lambda connection: record_captures(connection, captures))


Record = Callable[[Store, Sequence[Capture]], list[Any]]
RECORD = pytest.mark.parametrize("record", [record_one_by_one, record_together])


def count(store: Store, what: str) -> int:
    return int(rows(store.database, f"SELECT count(*) AS n FROM {what}")[0]["n"])  # noqa: S608


@pytest.mark.slow
@RECORD
@pytest.mark.parametrize(
    ("make_pair", "wanted"), [(different_pair, 2), (same_pair, 1)], ids=["different", "same"]
)
def test_generated_pairs(
    store: Store,
    record: Record,
    make_pair: Callable[[random.Random, str], Pair],
    wanted: int,
) -> None:
    dice = random.Random(f"{wanted} pairs")
    pairs = [make_pair(dice, f"{number}@example.com") for number in range(PAIRS)]
    for begin in range(0, PAIRS, PAIRS_PER_COMMIT):
        record(
            store,
            [
                parse(one, NOW + seconds * SECOND)
                for pair in pairs[begin : begin + PAIRS_PER_COMMIT]
                for one, seconds in zip(pair, (0, 2.5), strict=True)
            ],
        )
    found = rows(store.database, "SELECT user_email FROM payments_latest")
    payments = Counter(row["user_email"].removeprefix("other-").partition("@")[0] for row in found)
    wrong = [pair for number, pair in enumerate(pairs) if payments[str(number)] != wanted]
    assert not wrong, f"{len(wrong)} of {PAIRS}, such as {wrong[:3]}"
    assert count(store, "payment_data") == count(store, "payment_facts")
    assert count(store, "capture_receipts") == 2 * PAIRS


def paid(**more: Any) -> Payload:
    return {"user_email": ANN, "plan_name": "Pro", "final_price": "49.00", **more}


NUMBERED = paid(transaction_id="TX-1", payment_status="completed")
SHOWN = paid(userName="Ann Example", coupon_code="SAVE10")

OTHER_PAYMENTS: list[Payload] = [
    paid(plan_name="Basic"),
    paid(plan_name=""),
    paid(final_price="49.01"),
    paid(final_price=None),
    paid(final_price="-49.00"),
    paid(currency="EUR"),
    paid(coupon_code="OTHER"),
    paid(payment_method="crypto"),
    paid(payment_processor="paypal"),
    paid(discount_amount=5),
    paid(original_price=59),
    paid(crypto_transaction_hash="0xdef"),
    paid(payment_status="refunded"),
    paid(payment_status="failed"),
    paid(user_email="ben@example.com"),
    paid(transaction_id="TX-2"),
    paid(transaction_id="tx-1"),
]
SAME_PAYMENT: list[Payload] = [
    paid(),
    paid(plan_name=" pro "),
    paid(plan_name="PRO"),
    paid(final_price=49),
    paid(final_price="$49"),
    paid(payment_status="Completed"),
    paid(payment_status="succeeded"),
    paid(payment_status="paid"),
    paid(coupon_code="save10"),
    paid(payment_method="Card"),
    paid(original_price="69.00", discount_amount=20),
    paid(currency="usd"),
    paid(user_name="Another name", user_id=7),
    paid(transaction_id="undefined", basket=["a"]),
    paid(crypto_transaction_hash="0xabc"),
]
WHOLE = NUMBERED | {
    "coupon_code": "SAVE10",
    "payment_method": "card",
    "payment_processor": "stripe",
    "original_price": 69,
    "discount_amount": 20,
    "currency": "USD",
    "crypto_transaction_hash": "0xabc",
}


@RECORD
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("other", "wanted"),
    [*((one, 2) for one in OTHER_PAYMENTS), *((one, 1) for one in SAME_PAYMENT)],
)
def test_a_payment_beside_one_with_a_number(
    store: Store, record: Record, other: Payload, wanted: int, reverse: bool
) -> None:
    pair = (other, WHOLE) if reverse else (WHOLE, other)
    record(store, [parse(one, NOW + at * SECOND) for at, one in enumerate(pair)])
    assert count(store, "payment_data") == count(store, "payments_latest") == wanted
    if wanted == 1:
        [row] = rows(store.database, "SELECT * FROM payments_latest")
        assert (row["transaction_id"], row["payment_method"].lower()) == ("TX-1", "card")
        assert (row["discount_amount"], row["currency"], row["amount_minor"]) == (20, "USD", 4900)
        assert row["status"] == "completed"


@RECORD
@pytest.mark.parametrize("numbered_first", [True, False])
def test_a_row_is_completed_by_what_the_other_capture_says(
    store: Store, record: Record, numbered_first: bool
) -> None:
    pair = (NUMBERED, SHOWN) if numbered_first else (SHOWN, NUMBERED)
    captures = [
        parse({**one, "capture_id": f"c-{at}"}, NOW + at * SECOND) for at, one in enumerate(pair)
    ]
    results = record(store, captures)
    assert [result.outcome for result in results] == ["stored", "completed"]
    [row] = rows(store.database, "SELECT * FROM payments_latest")
    assert (row["transaction_id"], row["payment_status"]) == ("TX-1", "completed")
    assert (row["coupon_code"], row["user_name"]) == ("SAVE10", "Ann Example")
    assert (row["status"], row["amount_minor"], row["source"]) == ("completed", 4900, "claim")
    assert (row["created_at"], row["updated_at"]) == tuple(one.happened_at for one in captures)
    assert count(store, "data_capture_audit") == 2
    # A replay gets the first result, and new captures of either sort add nothing.
    assert record(store, captures) == [one._replace(replayed=True) for one in results]
    again = record(store, [parse(one, NOW + 3 * SECOND) for one in pair])
    assert {(one.row_id, one.outcome) for one in again} == {(row["id"], "unchanged")}
    assert count(store, "data_capture_audit") == 2


@RECORD
@pytest.mark.parametrize(
    ("minutes", "stated_minutes", "wanted"),
    [(9, None, 1), (-9, None, 1), (11, None, 2), (60, None, 2), (9, 11, 2), (20, 9, 2),
     (1, -11, 2), (0, -9, 1), (5, 0, 1)],
)  # fmt: skip
@pytest.mark.parametrize("pair", [(NUMBERED, SHOWN), (SHOWN, NUMBERED), (SHOWN, SHOWN)])
def test_only_payments_within_ten_minutes_are_one(
    store: Store,
    record: Record,
    pair: Pair,
    minutes: int,
    stated_minutes: int | None,
    wanted: int,
) -> None:
    """Both the arrival and the time that the page states count."""
    stated = minutes if stated_minutes is None else stated_minutes
    for payload, arrived_at, happened_at in zip(
        pair, (NOW, NOW + minutes * MINUTE), (NOW, NOW + stated * MINUTE), strict=True
    ):
        time = {"capture_timestamp": happened_at.isoformat()}
        record(store, [parse(payload | time, max(arrived_at, happened_at))])
    assert count(store, "payment_data") == wanted


@RECORD
def test_the_completion_of_a_pending_payment_adds_a_state(store: Store, record: Record) -> None:
    pending = NUMBERED | {"payment_status": "pending", "payment_method": "card"}
    record(store, [parse(pending), parse(paid(payment_status="success"), NOW + SECOND)])
    found = rows(
        store.database,
        "SELECT transaction_id, payment_status, payment_method FROM payment_data ORDER BY id",
    )
    assert [tuple(row.values()) for row in found] == [
        ("TX-1", "pending", "card"),
        ("TX-1", "success", "card"),
    ]
    [latest] = rows(store.database, "SELECT payment_status, status FROM payments_latest")
    assert latest == {"payment_status": "success", "status": "completed"}
    # A late copy of the pending state does not hide it.
    record(store, [parse(paid(payment_status="pending", note="late"), NOW + 2 * SECOND)])
    assert count(store, "payment_data") == 2
    assert rows(store.database, "SELECT status FROM payments_latest") == [{"status": "completed"}]


@RECORD
def test_the_number_of_a_pending_payment_can_come_with_its_completion(
    store: Store, record: Record
) -> None:
    record(store, [parse(paid(payment_status="pending")), parse(NUMBERED, NOW + SECOND)])
    found = rows(store.database, "SELECT transaction_id, payment_status FROM payment_data")
    assert [tuple(row.values()) for row in found] == [("TX-1", "pending"), ("TX-1", "completed")]
    assert count(store, "payments_latest") == 1


@RECORD
def test_a_failed_attempt_is_a_payment_of_its_own(store: Store, record: Record) -> None:
    record(
        store,
        [
            parse(paid(payment_status="failed")),
            parse(NUMBERED, NOW + SECOND),
            parse(paid(payment_status="failed", note="again"), NOW + 2 * SECOND),
        ],
    )
    found = rows(store.database, "SELECT status FROM payments_latest ORDER BY id")
    assert [row["status"] for row in found] == ["failed", "completed", "failed"]


@RECORD
def test_each_number_completes_another_payment(store: Store, record: Record) -> None:
    payments = [paid(basket="A"), paid(basket="B"), NUMBERED, NUMBERED | {"transaction_id": "TX-2"}]
    record(store, [parse(one, NOW + at * SECOND) for at, one in enumerate(payments)])
    found = rows(store.database, "SELECT transaction_id FROM payments_latest ORDER BY id")
    assert [row["transaction_id"] for row in found] == ["TX-1", "TX-2"]


@RECORD
def test_a_page_that_saves_without_a_number_for_an_hour_makes_one_payment(
    store: Store, record: Record
) -> None:
    for minute in range(60):
        record(store, [parse(SHOWN | {"timestamp": minute}, NOW + minute * MINUTE)])
    assert count(store, "payment_data") == 1
    record(store, [parse(SHOWN, NOW + 80 * MINUTE)])
    assert count(store, "payment_data") == 2


@RECORD
def test_history_that_arrives_together_is_not_merged(store: Store, record: Record) -> None:
    """Payments of one plan and price, from an import or from a page's queue."""
    for days in range(6):
        time = {"capture_timestamp": (NOW - days * 12 * 60 * MINUTE).isoformat()}
        record(store, [parse(SHOWN | time, NOW), parse(NUMBERED | time, NOW)][: 1 + days % 2])
    assert count(store, "payments_latest") >= 6


@RECORD
@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        # the first confirmed
        ((NUMBERED, True), (SHOWN, False), [("TX-1", None, "confirmed")]),
        (
            (SHOWN, True),
            (NUMBERED, False),
            [(None, "SAVE10", "confirmed"), ("TX-1", None, "claim")],
        ),
        # the second confirmed
        ((paid(), False), (NUMBERED, True), [("TX-1", None, "confirmed")]),
        ((SHOWN, False), (NUMBERED, True), [("TX-1", None, "confirmed")]),
        (
            (NUMBERED, False),
            (SHOWN, True),
            [("TX-1", None, "claim"), (None, "SAVE10", "confirmed")],
        ),
        # both
        ((NUMBERED, True), (SHOWN, True), [("TX-1", "SAVE10", "confirmed")]),
        ((SHOWN, True), (NUMBERED, True), [("TX-1", "SAVE10", "confirmed")]),
    ],
)
def test_a_claim_neither_completes_nor_hides_a_confirmed_payment(
    store: Store, record: Record, first: Any, second: Any, wanted: list[tuple[Any, ...]]
) -> None:
    for at, (payload, confirmed) in enumerate((first, second)):
        record(store, [parse(payload, NOW + at * SECOND, confirmed=confirmed)])
    found = rows(
        store.database,
        "SELECT transaction_id, coupon_code, source FROM payments_latest ORDER BY id",
    )
    assert [tuple(row.values()) for row in found] == wanted
    [facts] = rows(
        store.database, "SELECT count(*) AS n FROM payment_facts WHERE confirmed_at IS NOT NULL"
    )
    assert facts["n"] == sum(source == "confirmed" for *_, source in wanted)
    snapshots = rows(
        store.database, "SELECT id FROM data_capture_audit WHERE capture_type = 'payment'"
    )
    assert len(snapshots) == 2


@RECORD
def test_rows_by_hand_are_left_alone(store: Store, record: Record) -> None:
    record(store, [parse(paid(plan_name="Other"))])
    with closing(sqlite3.connect(store.database)) as connection, connection:
        insert = (
            "INSERT INTO payment_data (user_email, plan_name, final_price, created_at)"
            " VALUES (?, 'Pro', 49, ?)"
        )
        connection.execute(insert, (ANN, timestamp(NOW)))
    record(store, [parse(NUMBERED)])
    assert count(store, "payment_data") == 3


@RECORD
def test_many_claims_without_a_number_take_little_time(store: Store, record: Record) -> None:
    """Only the latest rows of a user are compared."""
    record(store, [parse(paid(plan_name=f"Plan {n}", final_price=n + 1)) for n in range(3000)])
    began_at = time.process_time()
    record(store, [parse(paid(final_price=n + 1, transaction_id=f"TX-{n}")) for n in range(100)])
    assert time.process_time() - began_at < 2
    assert count(store, "payment_data") == 3100


@pytest.mark.parametrize("in_batch", [False, True])
@pytest.mark.parametrize("numbered_first", [True, False])
@pytest.mark.parametrize("placeholder", [*PLACEHOLDERS, "left out"])
def test_a_payment_is_completed_over_http(
    capture_service: RunningService,
    user: str,
    in_batch: bool,
    numbered_first: bool,
    placeholder: Any,
) -> None:
    shown = SHOWN | {"transaction_id": placeholder} if placeholder != "left out" else SHOWN
    number = luhn_number(random.Random(user), 16)
    pair = [one | {"user_email": user} for one in (NUMBERED | {"transaction_id": number}, shown)]
    if not numbered_first:
        pair.reverse()
    if in_batch:
        body = {"captures": [{"type": "payment", **one} for one in pair]}
        results = capture_service.capture("batch", body).json()["answers"]
    else:
        results = [capture_service.capture("payment", one).json() for one in pair]
    assert results[0]["payment_id"] == results[1]["payment_id"]
    assert results[1]["updated"] is True
    [row] = capture_service.rows("SELECT * FROM payment_data WHERE user_email = ?", user)
    assert (row["coupon_code"], row["payment_status"]) == ("SAVE10", "completed")
    assert row["transaction_id"].startswith(f"[card ****{number[-4:]}] #")
    other = NUMBERED | {"user_email": user, "transaction_id": luhn_number(
        random.Random(user), 16, last_four=number[-4:]
    )}  # fmt: skip
    if other["transaction_id"] != number:
        assert capture_service.capture("payment", other).status_code == 201
