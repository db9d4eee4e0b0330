"""Test the conversion of texts and lists into values of columns."""

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

MONEY = decimal(10, 2)


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
