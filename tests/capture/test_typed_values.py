"""Test values that come as a typed value of a database, or in an object of a price."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.support.parsed_payments import ANN, column, parse


@pytest.mark.parametrize(
    ("field", "sent", "stored"),
    [
        ("final_price", {"$numberDecimal": "42.00"}, "42.00"),
        ("final_price", {"$numberInt": "42"}, "42.00"),
        ("final_price", {"$numberDouble": "42.5"}, "42.50"),
        ("transaction_id", {"$oid": "507f1f77bcf86cd799439011"}, "507f1f77bcf86cd799439011"),
        ("final_price", {"N": "42.5"}, "42.50"), ("plan_name", {"S": "Pro"}, "Pro"),
        ("final_price", {"doubleValue": 42.5}, "42.50"),
        ("final_price", {"integerValue": "42"}, "42.00"),
        ("amount", {"value": "10.00", "currency": "EUR"}, "10.00"),
        ("amount", {"value": "1.500", "currency": "EUR"}, "1.50"),
        ("amount", {"value": Decimal("10.5"), "currency": "EUR"}, "10.50"),
        ("price", {"amount": "29.35", "currencyCode": "USD"}, "29.35"),
        ("total", {"total": "822.00", "currency": "CZK"}, "822.00"),
    ],
)  # fmt: skip
def test_a_value_is_taken_out_of_what_is_around_it(field: str, sent: Any, stored: str) -> None:
    capture = parse({"user_email": ANN, field: sent})
    name = "final_price" if field in ("amount", "price", "total") else field
    assert column(capture, name) == stored
    assert capture.warnings == ()


@pytest.mark.parametrize(
    "sent",
    [
        ["1", "2"], [["42"]], ["42"], [], {}, {"$numberDecimal": {"N": "1"}}, {"$date": "42"},
        {"value": 1000, "currency": "EUR"}, {"value": "1000", "currency": "EUR"},
        {"value": "10.00"}, {"value": "10.00", "currency": 978},
        {"value": "10.00", "total": "12.00", "currency": "EUR"},
        {"value": "NaN.", "currency": "EUR"}, {"value": "1.0e999999999", "currency": "EUR"},
        {"label": "Pro", "amount": 1999, "pending": False}, ["lots"], [True],
    ],
)  # fmt: skip
def test_other_lists_and_objects_are_null_with_a_warning(sent: Any) -> None:
    capture = parse({"user_email": ANN, "transaction_id": "T-1", "amount": sent})
    assert column(capture, "final_price") is None
    assert "amount" in [warning.field.partition(".")[0] for warning in capture.warnings]


@pytest.mark.parametrize(
    ("form", "found"),
    [
        ({"plan_name[]": "Pro", "final_price[]": "42", "transaction_id[]": "T-1"},
         ("Pro", "42.00", "T-1")),
        ({"plan_name[0]": "Pro", "final_price[0]": "€42.00", "transaction_id[0]": "T-1"},
         ("Pro", "42.00", "T-1")),
        ({"payment[plan_name][]": "Pro", "payment[amount][]": "42", "payment[order_id][]": "T-1"},
         ("Pro", "42.00", "T-1")),
        ({"plan_name[0]": "Pro", "plan_name[1]": "Max", "amount": "42"}, (None, "42.00", None)),
        ({"plan_name[]": ["Pro", "Max"], "amount[]": ["42", "43"]}, (None, None, None)),
        ({"plan_name": ["Pro"], "amount": "42"}, (None, "42.00", None)),
    ],
)  # fmt: skip
def test_a_list_of_one_that_a_form_names_is_a_plain_value(
    form: dict[str, Any], found: tuple[str | None, ...]
) -> None:
    capture = parse({"user_email": ANN, **form})
    columns = ("plan_name", "final_price", "transaction_id")
    assert tuple(column(capture, name) for name in columns) == found


def test_the_currency_of_a_price_object_is_kept() -> None:
    for payload in (
        {"amount": {"value": "10.00", "currency": "EUR"}},
        {"price": {"amount": "10.00", "currencyCode": "eur"}},
        {"total": {"value": "10.00", "currency_code": "EUR"}},
    ):
        facts = parse({"user_email": ANN, **payload}).facts
        assert facts is not None
        assert (facts.currency, facts.amount_minor) == ("EUR", 1000)
