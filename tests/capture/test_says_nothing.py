"""Test values that pages send in place of one that they do not have."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, parse_capture
from data_capture.capture.says_nothing import says_nothing

HASH = "0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060"


def columns(payload: dict[str, Any]) -> dict[str, Any]:
    caller = Caller("/test", "192.0.2.1", "Browser/1.0", datetime(2026, 3, 1, tzinfo=timezone.utc))
    kind = KINDS["payment"]
    capture = parse_capture(kind, {"user_email": "ann@example.com", **payload}, caller, ())
    return dict(zip((field.column for field in kind.fields), capture.values, strict=True))


@pytest.mark.parametrize(
    "value",
    [
        None, "", " ", "N/A", "n/a", "unknown", "Unknown ", "undefined", "null", "none", "{}", "[]",
        {}, [], "CRYPTO-1795950058949", "NON-CRYPTO-1795950058949", "non_crypto_1795950058949",
        "[object Object]", "not available", "TBD",
    ],
)  # fmt: skip
def test_says_nothing(value: Any) -> None:
    assert says_nothing(value)


@pytest.mark.parametrize(
    "value",
    [
        0,
        False,
        "0",
        "no",
        "free",
        HASH,
        {"name": "Pro"},
        ["Pro"],
        "CRYPTO-SAVE10",
        "CRYPTO-2026",
        "None of these",
        "crypto",
        "Unknown Pleasures Ltd",
        "pending",
        "Nan Goldin",
        "NA-7",
        "-",
    ],
)
def test_says_something(value: Any) -> None:
    assert not says_nothing(value)


@pytest.mark.parametrize(
    "payload",
    [
        {"crypto_transaction_hash": "CRYPTO-1795950058949", "transactionHash": HASH},
        {"crypto_transaction_hash": "CRYPTO-1795950058949",
         "crypto_verification": {"transactionHash": HASH, "fromAddress": "bc1q", "amount": "1"}},
        {"cryptoTransactionHash": "NON-CRYPTO-1795950058949",
         "cryptoVerification": {"tx_hash": HASH}},
        {"crypto_transaction_hash": "unknown", "tx_hash": HASH},
    ],
)  # fmt: skip
def test_the_real_hash_is_found_beside_a_placeholder(payload: dict[str, Any]) -> None:
    payment = columns({"plan": "Pro", "amount": 49, **payload})
    assert payment["crypto_transaction_hash"] == HASH
    if "fromAddress" in str(payload):
        assert (payment["crypto_from_address"], payment["crypto_amount"]) == ("bc1q", "1")


@pytest.mark.parametrize("nothing", ["unknown", "N/A", {}, "", None])
def test_a_value_that_says_nothing_hides_no_other(nothing: Any) -> None:
    payment = columns({
        "final_price": nothing, "amount": 49, "plan_name": nothing, "plan": "Pro",
        "coupon_code": nothing, "coupon": {"code": "SAVE10"}, "payment_method": nothing,
        "method": "card", "transaction_id": nothing, "order_id": "A-1",
    })  # fmt: skip
    assert str(payment["final_price"]) in ("49", "49.00")
    assert (payment["plan_name"], payment["coupon_code"]) == ("Pro", "SAVE10")
    assert (payment["payment_method"], payment["transaction_id"]) == ("card", "A-1")


def test_only_what_says_nothing_is_no_value() -> None:
    payment = columns({"plan": "N/A", "crypto_from_address": "N/A", "payment_method": "unknown"})
    assert payment["plan_name"] is payment["crypto_from_address"] is None
    assert payment["payment_method"] is None
    assert columns({"payment_status": "unknown"})["payment_status"] == "unknown"
