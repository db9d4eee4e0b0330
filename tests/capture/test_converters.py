"""Test the conversion of numbers, texts, lists and times into values of columns."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_capture.capture.conversion import ConversionError
from data_capture.capture.converters import (
    is_absent,
    json_list,
    json_state,
    page_user_id,
    text,
)
from data_capture.capture.money import decimal, integer
from data_capture.json_codec import decode_json_object

MONEY = decimal(10, 2)


def parse_json(json_text: str) -> Any:
    """Parse a JSON value as in a request's body."""
    return decode_json_object(f'{{"value": {json_text}}}'.encode())["value"]


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("99.80", "99.80"), ("  99.8 ", "99.80"), ("$50,000", "50000.00"),
        ("$100,000", "100000.00"), ("1%", "1.00"), ("1.5%", "1.50"), ("1.5 %", "1.50"),
        ("-12.5", "-12.50"), ("-$1,250.75", "-1250.75"), ("$-5", "-5.00"), ("+3", "3.00"),
        ("−3.5", "-3.50"), (".5", "0.50"), ("5.", "5.00"), ("1e3", "1000.00"),
        ("100K", "100000.00"), ("$1.5m", "1500000.00"), ("€ 99,80", "99.80"),
        ("99,80 EUR", "99.80"), ("100 USDT", "100.00"), ("USDT 100", "100.00"), ("US$ 5", "5.00"),
        ("1.234,50", "1234.50"), ("1 234,50", "1234.50"), ("1\u202f234,50\u00a0€", "1234.50"),
        ("1’234.50", "1234.50"), ("1'234.50", "1234.50"), ("1,234,567.89", "1234567.89"),
        ("12,34,567.89", "1234567.89"), ("1,00,000", "100000.00"), ("1,000", "1000.00"),
        ("99999999.99", "99999999.99"),
    ],
)  # fmt: skip
def test_amounts_are_read_in_every_common_notation(written: str, stored: str) -> None:
    assert MONEY(written) == stored


@pytest.mark.parametrize(
    ("json_text", "stored"),
    [
        ("99.8", "99.80"), ("0.005", "0.00"), ("0.015", "0.02"), ("1.005", "1.00"),
        ("2.675", "2.68"), ("-0.125", "-0.12"), ("1e-3", "0.00"), ("12345678.905", "12345678.90"),
        ("1e-1000000", "0.00"), ("0.1" + "1" * 900, "0.11"),
    ],
)  # fmt: skip
def test_json_numbers_are_exact_and_rounded_half_even(json_text: str, stored: str) -> None:
    assert MONEY(parse_json(json_text)) == stored


@pytest.mark.parametrize(
    "value",
    [
        "lots", "$50K - $100K", "1-2", "1 2 3", "1.2.3", "1,2,3", "0x10", "١٢", "1_0", "--5", "1e",
        "Infinity", "∞", "9" * 65, "100000000", 100_000_000, Decimal("99999999.995"),
        Decimal("1e400"), Decimal("1e1000000"), Decimal("-1e999999"), 10**4000, True, False, [], {},
        [1], {"amount": 1},
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_invalid_and_too_large_amounts_raise_a_conversion_error(value: Any) -> None:
    with pytest.raises(ConversionError):
        MONEY(value)


@pytest.mark.parametrize("value", ["", " ", "N/A", "n/a", "null", "None", "undefined", "NaN", "-"])
def test_placeholders_for_no_number_become_null(value: str) -> None:
    assert is_absent(value) or MONEY(value) is None


@given(st.decimals(min_value=-99999999, max_value=99999999, places=2))
def test_amounts_are_stored_to_the_cent(amount: Decimal) -> None:
    assert (
        Decimal(str(MONEY(parse_json(str(amount)))))
        == Decimal(str(MONEY(f"${amount:,}".replace("$-", "-$"))))
        == amount
    )


@given(
    st.from_regex(
        r"[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,9})([eE][+-]?[0-9]{1,3})?", fullmatch=True
    )
)
def test_a_currency_after_a_number_does_not_change_its_value(written: str) -> None:
    def convert(value: str) -> Any:
        try:
            return MONEY(value)
        except ConversionError as error:
            return str(error)

    too_long = len(written) > 60  # with the currency, it could exceed the limit of characters
    assert too_long or convert(written) == convert(f"{written} USD")


@pytest.mark.parametrize("value", [None, "", " \n", "N/A", "n/a", " N/a ", "n/A"])
def test_empty_texts_null_and_na_are_absent(value: Any) -> None:
    assert is_absent(value)


@pytest.mark.parametrize("value", [0, False, [], {}, "0", "no", "N / A", "na", "N/A."])
def test_zero_false_and_empty_lists_are_not_absent(value: Any) -> None:
    assert not is_absent(value)


@given(st.text())
def test_converters_raise_only_conversion_errors_for_any_text(value: str) -> None:
    for convert in (MONEY, integer, page_user_id, json_list, json_state):
        try:
            convert(value)
        except ConversionError:
            continue


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (7, 7),
        ("7", 7),
        ("1,200", 1200),
        ("7.0", 7),
        (-3, -3),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
    ],
)
def test_integers_are_read_from_numbers_and_texts(value: Any, stored: int) -> None:
    assert integer(value) == stored


@pytest.mark.parametrize(
    "value", [2**63, -(2**63) - 1, "7.5", Decimal("0.1"), Decimal("1e1000000"), True, "seven"]
)
def test_fractions_and_integers_beyond_64_bits_raise_a_conversion_error(value: Any) -> None:
    with pytest.raises(ConversionError):
        integer(value)


def test_a_uuid_as_user_id_becomes_null_without_an_error() -> None:
    assert page_user_id("1f0e7d2c-8c55-4b9a-9d57-1b2c3d4e5f60") is None
    assert page_user_id("42") == 42


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (" London ", "London"), (True, "yes"), (False, "no"), (3, "3"),
        (Decimal("0.00000001"), "0.00000001"), (Decimal("2.50"), "2.50"),
        ("a\0b", "a\N{REPLACEMENT CHARACTER}b"),
    ],
)  # fmt: skip
def test_texts_are_trimmed_and_other_values_become_text(value: Any, stored: str) -> None:
    assert text(value) == stored


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (["BTC", "ETH"], '["BTC","ETH"]'), ([], "[]"), ("BTC, ETH", '["BTC","ETH"]'),
        ('["BTC"]', '["BTC"]'), ([Decimal("1.5"), None], "[1.5,null]"), ("EURUSD", '["EURUSD"]'),
    ],
)  # fmt: skip
def test_lists_become_json_arrays(value: Any, stored: str) -> None:
    assert json_list(value) == stored


@pytest.mark.parametrize("value", ['[1],"x":[2]', "[1", '["a"] tail', {}, 1, True])
def test_values_other_than_lists_raise_a_conversion_error(value: Any) -> None:
    with pytest.raises(ConversionError):
        json_list(value)


def test_a_state_is_accepted_as_object_and_as_json_text() -> None:
    assert json_state({"a": Decimal("1.10")}) == json_state('{"a": 1.1}') == '{"a":1.1}'
