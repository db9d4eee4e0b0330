"""Test that secrets are masked in the pairs of names and values that forms send."""

from __future__ import annotations

from typing import Any

import pytest

from data_capture.redaction.redact import REDACTED, redact

X = REDACTED


@pytest.mark.parametrize(
    ("member", "masked"),
    [
        ({"name": "password", "value": "a b"}, {"name": "password", "value": X}),
        ({"label": "Passwort", "value": "a b"}, {"label": "Passwort", "value": X}),
        ({"title": "MT5 password", "answer": "a"}, {"title": "MT5 password", "answer": X}),
        ({"question": "What is your password?", "answer": "a"},
         {"question": "What is your password?", "answer": X}),
        ({"key": "pin", "val": "4821"}, {"key": "pin", "val": X}),
        ({"k": "cvv", "v": 123}, {"k": "cvv", "v": X}),
        ({"fieldName": "pw", "fieldValue": "a"}, {"fieldName": "pw", "fieldValue": X}),
        ({"name": "password", "values": ["a"]}, {"name": "password", "values": [X]}),
        ({"type": "password", "value": "a"}, {"type": "password", "value": X}),
        ({"name": "x", "inputType": "password", "value": "a"},
         {"name": "x", "inputType": "password", "value": X}),
        ({"form": [["email", "a@b.co"], ["password", "a"]]},
         {"form": [["email", "a@b.co"], ["password", X]]}),
        ({"headers": [["Authorization", "Bearer a"]]}, {"headers": [["Authorization", X]]}),
        ({"entries": [["card_number", "4111111111111111"]]},
         {"entries": [["card_number", "[card ****1111]"]]}),
        ({"tokens": {"access": "a", "refresh": "b"}}, {"tokens": {"access": X, "refresh": X}}),
        ({"twoFactor": {"code": "482913"}}, {"twoFactor": {"code": X}}),
        ({"keys": {"private": "a"}}, {"keys": {"private": X}}),
        ({"securityQuestion": {"question": "pet", "answer": "Rex"}},
         {"securityQuestion": {"question": "pet", "answer": X}}),
        ({"security_questions": [{"question": "pet", "answer": "Rex"}]},
         {"security_questions": [{"question": "pet", "answer": X}]}),
    ],
)  # fmt: skip
def test_the_value_beside_a_secrets_name_is_masked(member: Any, masked: Any) -> None:
    assert redact(member) == masked
    assert redact({"a": [member]}) == {"a": [masked]}


@pytest.mark.parametrize(
    "member",
    [
        {"name": "plan", "value": "pro"}, {"question": "Your plan?", "answer": "pro"},
        {"question": "Do you use a password?", "answer": "sometimes"},
        {"question": "Have you saved your seed phrase?", "answer": "not yet"},
        {"label": "Token", "value": "USDT"}, {"type": "text", "value": "a"},
        {"type": "token", "value": "x"}, {"fields": ["password", "email"]},
        {"pairs": [["EUR", "USD"], ["BTC", "USDT"]]}, {"form": [["plan", "pro"], ["size", 5]]},
        {"tokens": [{"symbol": "SOL"}]}, {"keys": {"public": "a"}},
        {"questions": [{"question": "pet?", "answer": "Rex"}]},
    ],
)  # fmt: skip
def test_other_pairs_are_kept(member: Any) -> None:
    assert redact(member) == member
