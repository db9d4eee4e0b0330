"""Test the codes and decimals of currencies, and the currency that an amount's text names."""

from __future__ import annotations

import pytest
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st

from data_capture.capture.currencies import currency_in, is_currency, minor_digits
from data_capture.capture.currency_names import CODES, NAMES, NAMES_BEFORE_NUMBERS, USUAL_CODES

NOT_MONEY = {"XTS", "XXX"}  # for tests, and for no currency


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("€ 99.80", "EUR"), ("99,80 €", "EUR"), ("EUR 5", "EUR"), ("5 eur", "EUR"), ("€", "EUR"),
        ("£5", "GBP"), ("£5 EGP", "EGP"), ("US$ 5", "USD"), ("$5 USD", "USD"), ("5 $US", "USD"),
        ("$20 CAD", "CAD"), ("CA$5", "CAD"), ("5 $ CA", "CAD"), ("C$5", "CAD"), ("A$5", "AUD"),
        ("HK$5", "HKD"), ("NT$5", "TWD"), ("R$ 5", "BRL"), ("R 5", "ZAR"), ("₹1,00,000", "INR"),
        ("CHF 1'234.50", "CHF"), ("Fr. 50.-", "CHF"), ("5 zł", "PLN"), ("5 Kč", "CZK"),
        ("100 Ft", "HUF"), ("kr 5 SEK", "SEK"), ("5 руб.", "RUB"), ("5 ₽", "RUB"),
        ("5円", "JPY"), ("JP¥5", "JPY"), ("RM 5", "MYR"), ("Rp 5.000", "IDR"), ("S/. 5", "PEN"),
        ("99 USDT", "USDT"), ("0.5 BTC", "BTC"), ("€50k", "EUR"), ("50k USD", "USD"),
        ("50kUSD", "USD"), ("5 mio. EUR", "EUR"), ("50 KRW", "KRW"), ("(20.00 EUR)", "EUR"),
        ("€ 20-", "EUR"), ("\u200e-\u200f20.00 \u200f₪", "ILS"), ("١٢٫٥٠ ر.س.\u200f", "SAR"),
        ("\u2066€\u206920", "EUR"), ("-€20", "EUR"), ("CDN$ 5", "CAD"), ("Mex$5", "MXN"),
        ("Rs. 500/- INR", "INR"), ("5 US dollars", "USD"), ("5 pounds", "GBP"), ("5 SHIB", "SHIB"),
    ],
)  # fmt: skip
def test_the_currency_of_an_amount_is_found(text: str, code: str) -> None:
    assert currency_in(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "", "5", "-5", "$5", "5 $", "¥5", "kr 5", "5 kr.", "Rs. 500", "5 lei", "500 F CFA", "元5",
        "€5 USD", "£5 €", "$5 EUR", "abc 5", "5 credits", "5%", "50k", "100 R", "¤5", "$€5",
        "EUR" + "5" * 64,
    ],
)  # fmt: skip
def test_a_missing_or_ambiguous_currency_is_not_guessed(text: str) -> None:
    assert currency_in(text) is None


def test_every_code_of_iso_4217_is_a_currency_in_any_case() -> None:
    current = {
        code
        for tenders in get_global("territory_currencies").values()
        for code, _, end, is_tender in tenders
        if end is None and is_tender
    }
    assert current - NOT_MONEY - CODES == set()
    assert all(is_currency(code.lower()) for code in CODES)
    assert all(map(is_currency, ("usdt", "BTC")))
    assert not any(map(is_currency, ("", "US", "USDX", "XXX", "$", "ÜSD")))


@pytest.mark.parametrize(
    ("code", "digits"),
    [
        ("USD", 2), ("EUR", 2), ("usd", 2), ("JPY", 0), ("jpy", 0), ("KRW", 0), ("VND", 0),
        ("CLP", 0), ("ISK", 0), ("UGX", 0), ("XOF", 0), ("HUF", 2), ("KWD", 3), ("BHD", 3),
        ("TND", 3), ("CLF", 4), ("USDT", 2), ("???", 2),
    ],
)  # fmt: skip
def test_currencies_have_the_decimals_of_iso_4217(code: str, digits: int) -> None:
    assert minor_digits(code) == digits


def test_each_name_is_found_before_and_behind_a_number() -> None:
    for name, codes in NAMES.items():
        expected = codes if " " not in codes else USUAL_CODES.get(name)
        assert currency_in(f"{name}5") == currency_in(f"5 {name.upper()}") == expected, name
        assert {*codes.split()} - CODES <= {"BTC"}, name
    for name, codes in NAMES_BEFORE_NUMBERS.items():
        assert currency_in(f"{name}5") == (codes if " " not in codes else None), name


@given(st.text())
def test_any_text_has_a_currency_or_none(text: str) -> None:
    code = currency_in(text)
    assert code is None or is_currency(code)
