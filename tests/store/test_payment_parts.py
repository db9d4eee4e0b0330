"""Test that a request, its response and the page's own copy are one payment."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, Capture, parse_capture
from data_capture.store import Store
from data_capture.store.sqlite.bulk import record_captures
from data_capture.store.sqlite.captures import record_capture
from tests.support.audit_trails import assert_chain_verifies
from tests.support.erasing import store_in
from tests.support.services import rows

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
KEY = {"idempotency_key": "3f1c9e9a-5d0b-4f0e-9f0c-1d2e3f4a5b6c"}
REQUEST = {"plan": "Pro", "amount": 49, "coupon_code": "SAVE10", "status": "pending"}
RESPONSE = {"transaction_id": "TX-1", "status": "completed"}
COPY = {"planName": "Pro", "finalPrice": "49.00", "transactionId": "TX-1", "status": "completed"}

Record = Callable[[Store, Sequence[Capture]], Any]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty database, whose audit trail is verified after the test."""
    with closing(store_in(tmp_path)) as store:
        yield store
        assert_chain_verifies(store)


def parse(payload: dict[str, Any], seconds: float = 0, user: str = "ann@example.com") -> Capture:
    caller = Caller("/test", "192.0.2.1", "Browser/1.0", NOW + timedelta(seconds=seconds))
    return parse_capture(KINDS["payment"], {"user_email": user, **payload}, caller, ())


def one_by_one(store: Store, captures: Sequence[Capture]) -> Any:
    return store.write(lambda connection: [record_capture(connection, one) for one in captures])


def together(store: Store, captures: Sequence[Capture]) -> Any:
    return store.write(lambda connection: record_captures(connection, captures))


RECORD = pytest.mark.parametrize("record", [one_by_one, together])


def payments(store: Store) -> list[dict[str, Any]]:
    return rows(store.database, "SELECT * FROM payments_latest ORDER BY id")


@RECORD
@pytest.mark.parametrize("order", [*itertools.permutations([REQUEST, RESPONSE, COPY])])
def test_request_response_and_copy_are_one_payment(
    store: Store, record: Record, order: tuple[dict[str, Any], ...]
) -> None:
    record(store, [parse(one, seconds) for seconds, one in zip((0, 2.5, 90), order, strict=True)])
    [payment] = payments(store)
    assert (payment["plan_name"], payment["final_price"]) == ("Pro", 49)
    assert (payment["transaction_id"], payment["status"]) == ("TX-1", "completed")


@RECORD
@pytest.mark.parametrize(
    "parts",
    [
        (REQUEST, RESPONSE),
        (RESPONSE, REQUEST),
        (REQUEST, {**RESPONSE, "amount": 49}, COPY),
        (REQUEST, {"status": "completed"}, RESPONSE),
        ({"plan": "Pro"}, {"amount": 49, "status": "completed"}, {"transaction_id": "TX-1"}),
    ],
)
def test_idempotency_key_joins_the_parts_of_a_payment(
    store: Store, record: Record, parts: tuple[dict[str, Any], ...]
) -> None:
    record(store, [parse({**one, **KEY}, 3600 * hour) for hour, one in enumerate(parts)])
    [payment] = payments(store)
    assert (payment["plan_name"], payment["final_price"]) == ("Pro", 49)
    assert (payment["transaction_id"], payment["status"]) == ("TX-1", "completed")


@RECORD
@pytest.mark.parametrize(
    "other",
    [
        {"plan": "Pro", "amount": 49, "idempotency_key": "another-key-of-the-page"},
        {"plan": "Pro", "amount": 50, **KEY},
        {"plan": "Basic", "amount": 49, **KEY},
        {"plan": "Pro", "amount": 49, "status": "refunded", **KEY},
    ],
)
def test_a_key_joins_no_different_payments(
    store: Store, record: Record, other: dict[str, Any]
) -> None:
    first = {**REQUEST, "status": "completed", **KEY}
    record(store, [parse(first), parse(other, 1200)])
    assert len(payments(store)) == 2


@RECORD
def test_a_key_joins_nothing_of_another_user_or_another_day(store: Store, record: Record) -> None:
    record(store, [
        parse({**REQUEST, **KEY}),
        parse({**REQUEST, **KEY}, 5, "bob@example.com"),
        parse({**REQUEST, **KEY}, 2 * 86400),
    ])  # fmt: skip
    assert len(payments(store)) == 3


@RECORD
def test_two_numbers_with_one_key_are_two_payments(store: Store, record: Record) -> None:
    record(store, [parse({**COPY, **KEY}), parse({**COPY, **KEY, "transactionId": "TX-2"}, 5)])
    assert len(payments(store)) == 2


@RECORD
def test_a_known_whole_payment_takes_no_other_payments_request(
    store: Store, record: Record
) -> None:
    """Two purchases of one plan within minutes: the second has no number yet."""
    pending = {**COPY, "status": "pending"}
    record(store, [parse(pending), parse({**REQUEST, "method": "card", "note": 2}, 60)])
    before = len(payments(store))
    record(store, [parse({**COPY, "method": "paypal"}, 90)])
    assert len(payments(store)) == before


PAID = {"order_id": "CART-5", "plan": "Pro", "final_price": 49, "status": "completed"}


@RECORD
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({**PAID, "transaction_id": "T-100"}, {**PAID, "transaction_id": "T-101"}),
        (
            {"transaction_id": "T-100", "order_id": "CART-5", "final_price": 49},
            {"transaction_id": "T-101", "order_id": "CART-5", "final_price": 49},
        ),
        (
            {**PAID, "transaction_id": "T-100"},
            {**PAID, "transaction_id": "T-102", "final_price": 39, "coupon_code": "SAVE10"},
        ),
        (
            {**PAID, "transaction_id": "mock_payment_token"},
            {**PAID, "transaction_id": "mock_payment_token", "user_email": "bob@example.com"},
        ),
        (
            {**PAID, **KEY, "transaction_id": "mock_payment_token"},
            {**PAID, **KEY, "transaction_id": "mock_payment_token",
             "user_email": "bob@example.com"},
        ),
    ],
)  # fmt: skip
def test_payments_that_share_an_order_or_a_number_of_the_site_are_two(
    store: Store, record: Record, first: dict[str, Any], second: dict[str, Any]
) -> None:
    record(store, [parse(first), parse(second, 4)])
    assert len(payments(store)) == 2


@RECORD
def test_one_order_with_a_new_price_and_coupon_adds_a_row(store: Store, record: Record) -> None:
    record(store, [parse(PAID), parse({**PAID, "final_price": 39, "coupon_code": "SAVE10"}, 4)])
    found = rows(store.database, "SELECT final_price, coupon_code FROM payment_data ORDER BY id")
    assert [tuple(row.values()) for row in found] == [(49, None), (39, "SAVE10")]


NUMBERED = {**PAID, "transaction_id": "TX-1"}


def statuses(store: Store) -> list[str]:
    """Return the status of each state in the order of the rows, and the payment's."""
    states = rows(store.database, "SELECT payment_status AS status FROM payment_data ORDER BY id")
    return [row["status"] for row in states] + [row["status"] for row in payments(store)]


@RECORD
@pytest.mark.parametrize("status", ["failed", "declined", "unknown", "N/A"])
@pytest.mark.parametrize("more", [{}, {"final_price": None, "plan": None}, {"method": "card"}])
def test_a_refused_save_does_not_undo_a_completed_payment(
    store: Store, record: Record, status: str, more: dict[str, Any]
) -> None:
    record(store, [parse(NUMBERED), parse({**NUMBERED, "status": status, **more}, 3600)])
    [payment] = payments(store)
    assert (payment["status"], payment["payment_status"]) == ("completed", "completed")
    assert (payment["plan_name"], payment["final_price"]) == ("Pro", 49)
    trail = rows(store.database, "SELECT data_snapshot, error_details FROM audit_logs ORDER BY id")
    assert f'"status":"{status}"' in trail[1]["data_snapshot"].replace('": "', '":"')
    if status in ("failed", "declined"):
        assert trail[1]["error_details"] == (
            "payment_status is failed, but the payment is completed"
        )


@RECORD
@pytest.mark.parametrize("first", ["failed", "unknown", "pending"])
def test_a_retry_completes_the_payment_with_the_same_number(
    store: Store, record: Record, first: str
) -> None:
    record(store, [parse({**NUMBERED, "status": first}), parse(NUMBERED, 60)])
    assert statuses(store) == [first, "completed", "completed"]


@RECORD
def test_a_pending_payment_can_fail_and_an_unknown_outcome_changes_nothing(
    store: Store, record: Record
) -> None:
    for seconds, status in enumerate(["pending", "unknown", "failed", "unknown"]):
        record(store, [parse({**NUMBERED, "status": status}, seconds)])
    assert statuses(store) == ["pending", "failed", "failed"]


@RECORD
def test_a_server_with_a_token_can_say_that_a_completed_payment_failed(
    store: Store, record: Record
) -> None:
    failed = parse({**NUMBERED, "status": "failed"}, 60)._replace(is_confirmed=True)
    record(store, [parse(NUMBERED), failed])
    assert statuses(store) == ["completed", "failed", "failed"]


@RECORD
@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        (["failed", "completed"], "completed"),
        (["completed", "failed"], "completed"),
        (["pending", "failed"], "failed"),
        (["completed", "pending"], "completed"),
        (["completed", "unknown"], "completed"),
        (["unknown", "completed"], "completed"),
        (["failed", "unknown", "pending"], "pending"),
    ],
)
@pytest.mark.parametrize("numbers", [(None, None, None), ("TX-1", None, None), (None, "TX-1")])
def test_attempts_with_one_key_are_one_payment(
    store: Store, record: Record, sent: list[str], wanted: str, numbers: tuple[str | None, ...]
) -> None:
    base = {"plan": "Pro", "amount": 49, **KEY}
    numbers = (*numbers, *numbers[-1:])
    record(store, [
        parse({**base, "status": status, "transaction_id": number}, 60 * minute)
        for minute, (status, number) in enumerate(zip(sent, numbers, strict=False))
    ])  # fmt: skip
    [payment] = payments(store)
    assert (payment["status"], payment["payment_status"]) == (wanted, wanted)


HASH = "0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060"
SAYS_NOTHING: list[dict[str, Any]] = [
    {"crypto_transaction_hash": "CRYPTO-1795950058949"},
    {"crypto_transaction_hash": "NON-CRYPTO-1795950058949", "crypto_from_address": "N/A"},
    {"crypto_transaction_hash": "N/A", "payment_method": "unknown", "crypto_amount": "NaN"},
    {"plan_name": "Unknown", "coupon_code": "undefined", "payment_provider": "null"},
    {"plan_name": {}, "final_price": {}, "crypto_from_address": []},
    {"final_price": "unknown", "payment_status": "unknown"},
]  # fmt: skip
REAL = {
    "transaction_id": "TX-1", "crypto_transaction_hash": HASH, "crypto_from_address": "bc1qxy2kgd",
    "crypto_amount": "0.0012", "payment_method": "crypto", "plan_name": "Pro", "final_price": 49,
    "coupon_code": "SAVE10", "payment_provider": "coinbase", "payment_status": "completed",
}  # fmt: skip


@RECORD
@pytest.mark.parametrize("number", [{"transaction_id": "TX-1"}, {}])
@pytest.mark.parametrize("empty", SAYS_NOTHING)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_value_that_says_nothing_loses_against_any_other(
    store: Store, record: Record, number: dict[str, Any], empty: dict[str, Any], is_first: bool
) -> None:
    placeholder = {**REAL, **dict.fromkeys(("transaction_id",)), **empty, **number}
    if "plan_name" in empty or "final_price" in empty:
        placeholder["transaction_id"] = "TX-1"
    captures = [placeholder, REAL] if is_first else [REAL, placeholder]
    record(store, [parse(one, seconds) for seconds, one in enumerate(captures)])
    [payment] = payments(store)
    assert payment["crypto_transaction_hash"] == HASH
    assert (payment["plan_name"], payment["final_price"]) == ("Pro", 49)
    assert (payment["payment_method"], payment["crypto_from_address"]) == ("crypto", "bc1qxy2kgd")
    assert (payment["coupon_code"], payment["crypto_amount"]) == ("SAVE10", "0.0012")
    assert (payment["payment_status"], payment["status"]) == ("completed", "completed")


def test_a_status_that_says_nothing_is_stored_if_there_is_no_other(store: Store) -> None:
    one_by_one(store, [parse({**COPY, "status": "unknown"})])
    [payment] = payments(store)
    assert (payment["payment_status"], payment["status"]) == ("unknown", "unknown")
