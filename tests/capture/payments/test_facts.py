"""Test the facts of payments: currency, status and amount in minor units."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, Capture, parse_capture
from data_capture.json_codec import decode_json_object, encode_json

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def parse(kind: str = "payment", **payload: Any) -> Capture:
    body = {"user_email": "ann@example.com", **payload}
    sent = decode_json_object(encode_json(body).encode())
    return parse_capture(KINDS[kind], sent, Caller("/test", None, None, NOW), ())


def facts_of(**payload: Any) -> tuple[str | None, int | None]:
    facts = parse(**payload).facts
    assert facts is not None
    return facts.currency, facts.amount_minor


MEMBERS: list[tuple[dict[str, Any], tuple[str | None, int | None]]] = [
    ({"final_price": "99.80", "currency": "usd"}, ("USD", 9980)),
    ({"finalPrice": 99.8, "currency": "EUR"}, ("EUR", 9980)),
    ({"final_price": "99.80", "currency_code": "GBP"}, ("GBP", 9980)),
    ({"final_price": "99.80", "currencyCode": "chf"}, ("CHF", 9980)),
    ({"final_price": "99.80", "price_currency": "eur"}, ("EUR", 9980)),
    ({"final_price": "99.80", "currency": " Eur "}, ("EUR", 9980)),
    ({"final_price": "99.80", "currency": "€"}, ("EUR", 9980)),
    ({"final_price": "99.80", "currency": {"code": "SEK", "symbol": "kr"}}, ("SEK", 9980)),
    ({"paymentData": {"finalPrice": 5, "currency": "pln"}}, ("PLN", 500)),
    ({"final_price": 8999, "currency": "JPY"}, ("JPY", 8999)),
    ({"final_price": "500", "currency": "krw"}, ("KRW", 500)),
    ({"final_price": 12.345, "currency": "KWD"}, ("KWD", 12345)),
    ({"final_price": "12.5", "currency": "BHD"}, ("BHD", 12500)),
    ({"final_price": "-5.00", "currency": "USD"}, ("USD", -500)),
    ({"final_price": 0, "currency": "USD"}, ("USD", 0)),
    ({"currency": "USD"}, ("USD", None)),
    ({"final_price": "99.80"}, (None, 9980)),
    ({"final_price": 99}, (None, 9900)),
    ({}, (None, None)),
    ({"original_price": "12.00"}, (None, None)),
    # a coin's name is not the currency of the price
    ({"final_price": "49.00", "crypto_currency": "BTC"}, (None, 4900)),
    ({"final_price": "49.00", "pay_currency": "ltc", "price_currency": "usd"}, ("USD", 4900)),
    ({"final_price": "99.80", "currency": "N/A"}, (None, 9980)),
    ({"final_price": "99.80", "currency": ""}, (None, 9980)),
    ({"final_price": "99.80", "currency": None}, (None, 9980)),
]


@pytest.mark.parametrize(("payload", "expected"), MEMBERS)
def test_currency_and_amount_of_members(
    payload: dict[str, Any], expected: tuple[str | None, int | None]
) -> None:
    assert facts_of(**payload) == expected
    assert parse(**payload).warnings == ()


TEXTS: list[tuple[dict[str, Any], tuple[str | None, int | None]]] = [
    ({"final_price": "€ 99.80"}, ("EUR", 9980)),
    ({"final_price": "99.80 USD"}, ("USD", 9980)),
    ({"final_price": "US$99.80"}, ("USD", 9980)),
    ({"original_price": "€120", "final_price": "99.80"}, ("EUR", 9980)),
    ({"original_price": "€120", "final_price": 99.8}, ("EUR", 9980)),
    # many currencies are written with $, so that a page that says CAD contradicts nothing
    ({"final_price": "$99.80"}, (None, 9980)),
    ({"final_price": "$99.80", "currency": "CAD"}, ("CAD", 9980)),
    ({"final_price": "€99.80", "currency": "EUR"}, ("EUR", 9980)),
]


@pytest.mark.parametrize(
    ("text", "currency", "stored"),
    [
        ("1,500", "TND", None), ("1,250", "KWD", None), ("12,340", "bhd", None),
        ("1,000", "JOD", None), ("1,500 DT", "TND", None), ("1,5", "TND", "1.50"),
        ("1,500.000", "KWD", "1500.00"), ("1.500,000", "TND", "1500.00"),
        ("1500", "KWD", "1500.00"),
        ("1 500", "TND", "1500.00"), ("1,234,500", "OMR", "1234500.00"), ("12.5", "IQD", "12.50"),
        ("1,500", "USD", "1500.00"), ("1,500", "EUR", "1500.00"),
    ],
)  # fmt: skip
def test_a_text_with_two_meanings_in_its_currency_is_null(
    text: str, currency: str, stored: str | None
) -> None:
    capture = parse(final_price=text, currency=currency)
    assert capture.values[KINDS["payment"].field_indexes["final_price"]] == stored
    assert (stored is None) == (capture.warnings != ())


@pytest.mark.parametrize(("payload", "expected"), TEXTS)
def test_currency_of_a_price_text(
    payload: dict[str, Any], expected: tuple[str | None, int | None]
) -> None:
    assert facts_of(**payload) == expected


WARNED: list[tuple[dict[str, Any], tuple[str | None, int | None], str]] = [
    ({"final_price": "99.80", "currency": "XYZ"}, (None, 9980), "currency"),
    ({"final_price": "99.80", "currency": "dollars and cents"}, (None, 9980), "currency"),
    ({"final_price": "99.80", "currency": 840}, (None, 9980), "currency"),
    ({"final_price": "99.80", "currencyCode": ["USD"]}, (None, 9980), "currencyCode"),
    ({"final_price": "99.80 EUR", "currency": "USD"}, (None, 9980), "currency"),
    ({"final_price": "99.80", "currency": "JPY"}, ("JPY", None), "final_price"),
    ({"finalPrice": 1.005, "currency": "usd", "status": "???"}, ("USD", 100), "status"),
    ({"payment_status": "almost done"}, (None, None), "payment_status"),
    ({"paymentStatus": "refund_pending"}, (None, None), "paymentStatus"),
]


COINS: list[tuple[dict[str, Any], tuple[str | None, int | None], Any]] = [
    ({"final_price": 0.5, "currency": "BTC"}, ("BTC", 50), "0.50"),
    ({"final_price": "0.5000", "currency": "btc"}, ("BTC", 50), "0.50"),
    ({"final_price": 12, "currency": "SOL"}, ("SOL", 1200), "12.00"),
    ({"final_price": 0.00123, "currency": "BTC"}, ("BTC", None), None),
    ({"final_price": "0.00123", "currency": "btc"}, ("BTC", None), None),
    ({"final_price": 0.004, "currency": "MATIC"}, ("MATIC", None), None),
    ({"price_amount": 0.00123, "price_currency": "btc"}, ("BTC", None), None),
    ({"final_price": Decimal("1e-18"), "currency": "ETH"}, ("ETH", None), None),
    ({"final_price": 0.00123, "currency": "NEWCOIN"}, (None, None), None),
    ({"final_price": 50, "currency": "NEWCOIN"}, (None, 5000), "50.00"),
    # coins that follow a currency are counted like it
    ({"final_price": 99.805, "currency": "USDT"}, ("USDT", 9980), "99.80"),
    ({"final_price": "50", "price_currency": "usdttrc20"}, ("USDT", 5000), "50.00"),
    ({"final_price": "50", "currency": "USDT (TRC20)"}, ("USDT", 5000), "50.00"),
    ({"final_price": "50", "currency": "USDC-ERC20"}, ("USDC", 5000), "50.00"),
    ({"final_price": "50", "currency": "USDXTRC20"}, (None, 5000), "50.00"),
]


@pytest.mark.parametrize(("payload", "expected", "stored"), COINS)
def test_an_amount_of_coins_is_never_rounded(
    payload: dict[str, Any], expected: tuple[str | None, int | None], stored: Any
) -> None:
    capture = parse(**payload)
    assert facts_of(**payload) == expected
    assert capture.values[KINDS["payment"].field_indexes["final_price"]] == stored
    assert (stored is None) == any("2 decimals" in one.message for one in capture.warnings)


@pytest.mark.parametrize(("payload", "expected", "field"), WARNED)
def test_what_is_not_understood_is_named(
    payload: dict[str, Any], expected: tuple[str | None, int | None], field: str
) -> None:
    assert facts_of(**payload) == expected
    assert [warning.field for warning in parse(**payload).warnings] == [field]


@pytest.mark.parametrize("kind", ["questionnaire", "dashboard", "activity"])
def test_other_kinds_have_no_facts(kind: str) -> None:
    assert parse(kind, currency="USD", status="paid").facts is None
