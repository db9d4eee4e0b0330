"""Test which keys name a secret or a card number: every case of `secret_names.json`."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest

from data_capture.json_codec import decode_json
from data_capture.redaction.redact import REDACTED, redact
from tests.support.services import REPOSITORY

FILE = REPOSITORY / "data_capture" / "redaction" / "secret_names.json"
CASES: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["cases"]

CARD = "[card ****1112]"


@pytest.mark.parametrize(("key", "value"), CASES["secret"].items())
def test_values_of_secrets_are_masked(key: str, value: Any) -> None:
    assert redact({key: value}) == {key: REDACTED}


@pytest.mark.parametrize(("key", "value"), CASES["card"].items())
def test_of_card_numbers_the_last_four_digits_are_kept(key: str, value: Any) -> None:
    assert redact({key: value}) == {key: CARD}


@pytest.mark.parametrize(("key", "value"), CASES["not_secret"].items())
def test_values_that_are_no_secrets_are_kept(key: str, value: Any) -> None:
    assert redact({key: value}) == {key: value}


def spellings(key: str) -> Iterator[str]:
    """Yield other spellings of a key in snake, kebab or camel case, or in words."""
    words = key.replace("-", "_").replace(" ", "_").split("_")
    for separator in ("_", "-", " ", "."):
        yield separator.join(words)
        yield separator.join(words).upper()
    yield words[0] + "".join(word.capitalize() for word in words[1:])
    yield "".join(word.capitalize() for word in words)
    yield unicodedata.normalize("NFD", key)
    yield unicodedata.normalize("NFC", key)


@pytest.mark.parametrize("key", [key for key in CASES["secret"] if key.casefold() == key])
def test_secrets_are_recognised_in_every_case_and_with_every_separator(key: str) -> None:
    for spelling in spellings(key):
        assert redact({spelling: CASES["secret"][key]}) == {spelling: REDACTED}


@pytest.mark.parametrize(
    "member",
    [
        {"password": "true"}, {"pass": "false"}, {"token": "True"},
        {"token": {"symbol": "SOL", "address": "So11111111111111111111111111111111111111112"}},
        {"pair": {"baseToken": {"symbol": "SOL"}, "quoteToken": {"symbol": "USDC"}}},
        {"token": "USDT"}, {"outputToken": "USDC.e"}, {"payToken": "usdt"}, {"pay_token": "1INCH"},
        {"baseToken": "0xdac17f958d2ee523a2206206994597c13d831ec7"},
        {"token": [{"symbol": "SOL"}, {"symbol": "ETH"}]}, {"token": True}, {"pin": False},
        {"address": {"city": "Pune", "pin_code": "411001"}}, {"pincode": 560001},
        {"authorization": {"amount": "12.00", "currency": "USD", "id": "3C679366HH908993F"}},
        {"checks": {"cvc_check": "pass", "address_line1_check": None}},
    ],
    ids=str,
)  # fmt: skip
def test_coins_postal_codes_and_booleans_are_no_secrets(member: dict[str, Any]) -> None:
    assert redact(member) == member


@pytest.mark.parametrize(
    ("member", "masked"),
    [
        ({"payToken": "tok_4eC39HqL"}, {"payToken": REDACTED}),
        ({"token": "ABCDEF"}, {"token": REDACTED}),
        ({"accessToken": "USDT"}, {"accessToken": REDACTED}),
        ({"baseToken": "hunter2 hunter2"}, {"baseToken": REDACTED}),
        ({"token": {"value": "abc"}}, {"token": {"value": REDACTED}}),
        ({"secret": {"symbol": "SOL"}}, {"secret": {"symbol": REDACTED}}),
        ({"token": {"symbol": "SOL", "secret": "abc"}},
         {"token": {"symbol": "SOL", "secret": REDACTED}}),
        ({"pincode": "4821"}, {"pincode": REDACTED}),
        ({"card_pincode": "482113"}, {"card_pincode": REDACTED}),
        ({"pin_code": "482113"}, {"pin_code": REDACTED}),
        ({"city": "Pune", "pin_code": "4821"}, {"city": "Pune", "pin_code": REDACTED}),
        ({"authorization": {"scheme": "abc"}}, {"authorization": {"scheme": REDACTED}}),
        ({"mfa": {"code": "482913"}}, {"mfa": {"code": REDACTED}}),
        ({"security": {"question": "Pet?", "answer": "Rex"}},
         {"security": {"question": "Pet?", "answer": REDACTED}}),
        ([{"name": "mfa_code", "value": "1"}], [{"name": "mfa_code", "value": REDACTED}]),
        ([{"name": "payToken", "value": "USDT"}], [{"name": "payToken", "value": "USDT"}]),
    ],
    ids=str,
)  # fmt: skip
def test_what_only_resembles_them_is_masked(member: Any, masked: Any) -> None:
    assert redact(decode_json(json.dumps(member))) == masked
