"""Test that the product accepts and refuses exactly the signatures that the providers do."""

from __future__ import annotations

import hashlib
import hmac
import time

import pytest
import stripe
from coinbase_commerce.error import SignatureVerificationError, WebhookInvalidPayload
from coinbase_commerce.webhook import Webhook

from data_capture.webhooks.signatures import (
    verify_coinbase_commerce,
    verify_nowpayments,
    verify_stripe,
)
from tests.support.provider_events import (
    SECRETS,
    coinbase_event,
    encode,
    intent,
    nowpayments_event,
    sign_coinbase,
    sign_nowpayments,
    sign_stripe,
    stripe_event,
)

STRIPE, COINBASE = SECRETS["stripe"], SECRETS["coinbase-commerce"]
BODY = encode(stripe_event("payment_intent.succeeded", **intent(description="Größe M")))
NOW = 1_800_000_000
RIGHT = sign_stripe(BODY, at=NOW)
WRONG = sign_stripe(BODY, "whsec_other", at=NOW)
ONE = RIGHT.split(",")[1]

STRIPE_HEADERS = {
    "right": (RIGHT, True),
    "wrong secret": (WRONG, False),
    "two signatures, the second right": (f"{WRONG.rpartition(',')[0]},{ONE}", True),
    "two signatures, the first right": (f"t={NOW},{ONE},v1=0000", True),
    "240 seconds old": (sign_stripe(BODY, at=NOW - 240), True),
    "400 seconds old": (sign_stripe(BODY, at=NOW - 400), False),
    "a year old": (sign_stripe(BODY, at=NOW - 31_536_000), False),
    "another time than signed": (f"t={NOW - 1},{ONE}", False),
    "only v0": (RIGHT.replace("v1=", "v0="), False),
    "no time": (ONE, False),
    "no signature": (f"t={NOW}", False),
    "a time that is no number": (f"t=now,{ONE}", False),
    "empty": ("", False),
    "not a header": ("hello", False),
    "not ASCII": (f"t={NOW},v1=é", False),
}


@pytest.mark.parametrize("case", STRIPE_HEADERS)
def test_stripe_header_is_judged_as_stripe_does(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    header, is_valid = STRIPE_HEADERS[case]
    monkeypatch.setattr(time, "time", lambda: NOW)  # for Stripe's library
    assert verify_stripe(BODY, header, STRIPE, NOW) is is_valid
    try:
        stripe.WebhookSignature.verify_header(BODY.decode(), header, STRIPE, tolerance=300)
        theirs = True
    except (stripe.SignatureVerificationError, TypeError):  # TypeError: not ASCII
        theirs = False
    assert theirs is is_valid


@pytest.mark.parametrize("change", [b" ", b"\n", b"}"])
def test_changed_body_has_another_signature(change: bytes) -> None:
    body = encode(coinbase_event())
    assert not verify_stripe(BODY + change, RIGHT, STRIPE, NOW)
    assert not verify_coinbase_commerce(body + change, sign_coinbase(body), COINBASE)


COINBASE_BODY = encode(coinbase_event(name="Größe M"))
COINBASE_HEADERS = {
    "right": (sign_coinbase(COINBASE_BODY), True),
    "wrong secret": (sign_coinbase(COINBASE_BODY, "other"), False),
    "of another body": (sign_coinbase(encode(coinbase_event())), False),
    "shortened": (sign_coinbase(COINBASE_BODY)[:-1], False),
    "empty": ("", False),
}


@pytest.mark.parametrize("case", COINBASE_HEADERS)
def test_coinbase_header_is_judged_as_coinbase_does(case: str) -> None:
    header, is_valid = COINBASE_HEADERS[case]
    assert verify_coinbase_commerce(COINBASE_BODY, header, COINBASE) is is_valid
    try:
        Webhook.construct_event(COINBASE_BODY.decode(), header, COINBASE)
        theirs = True
    except (SignatureVerificationError, WebhookInvalidPayload):
        theirs = False
    assert theirs is is_valid


@pytest.mark.parametrize("verify", [verify_coinbase_commerce, verify_nowpayments])
def test_missing_header_is_refused(verify: object) -> None:
    assert verify(b"{}", None, "secret") is False  # type: ignore[operator]
    assert verify_stripe(b"{}", None, "secret", NOW) is False


NOWPAYMENTS_BODIES = {
    "as sent": encode(nowpayments_event()),
    "keys in another order": encode(dict(reversed(nowpayments_event().items()))),
    "nested objects": encode(nowpayments_event(fee={"b": {"d": 1, "c": 2}, "a": None})),
    "numbers with decimals": b'{"b":100.0,"a":1.50,"c":0.00171286,"d":1e-7,"e":12345678901234567}',
    "white space": b'{ "payment_id" : 1,\n "a" : [1, 2] }',
    "quotes and slashes": encode(nowpayments_event(order_description='a "b" \\ c/d \u2028\n')),
    "characters outside ASCII": encode(nowpayments_event(order_description="Größe 😀")),
}


@pytest.mark.parametrize("case", NOWPAYMENTS_BODIES)
def test_nowpayments_signature_is_of_the_sorted_object(case: str) -> None:
    body, secret = NOWPAYMENTS_BODIES[case], SECRETS["nowpayments"]
    signature = sign_nowpayments(body)
    assert verify_nowpayments(body, signature, secret)
    assert verify_nowpayments(body, signature.upper(), secret)
    assert not verify_nowpayments(body, signature, "other")
    assert not verify_nowpayments(body.replace(b"1", b"2"), signature, secret)


def test_nowpayments_body_that_is_no_json_is_refused() -> None:
    for body in (b"", b"{", b"NaN", b"\xff", b"[" * 100_000):
        assert not verify_nowpayments(body, "00" * 64, "secret")


def sign(text: str) -> str:
    return hmac.new(b"secret", text.encode(), hashlib.sha512).hexdigest()


@pytest.mark.parametrize(
    ("sent", "stringified"),
    [
        ("100.0", "100"), ("1.50", "1.5"), ("1E-7", "1e-7"), ("0.0000001", "1e-7"),
        ("0.000001", "0.000001"), ("1e21", "1e+21"), ("1e20", "100000000000000000000"),
        ("123456789.125", "123456789.125"), ("-0.0", "0"), ("-2.50e-9", "-2.5e-9"),
        ("12345678901234567890", "12345678901234567000"), ("5077125051", "5077125051"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"), ("5e-324", "5e-324"),
    ],
)  # fmt: skip
def test_numbers_may_be_spelled_as_javascript_does(sent: str, stringified: str) -> None:
    body = f'{{"b": {sent}, "a": [{{"d": {sent}, "c": true}}]}}'.encode()
    for spelled in (sent, stringified):
        signature = sign(f'{{"a":[{{"c":true,"d":{spelled}}}],"b":{spelled}}}')
        assert verify_nowpayments(body, signature, "secret")
    assert not verify_nowpayments(body, sign('{"a":[{"c":true,"d":7}],"b":7}'), "secret")


def test_texts_and_lists_may_be_written_as_in_their_examples() -> None:
    body = '{"b": "é/", "a": ["x", {"d": 1, "c": 2}]}'.encode()
    for text in (
        '{"a":["x",{"c":2,"d":1}],"b":"é/"}',
        '{"a":["x",{"c":2,"d":1}],"b":"\\u00e9/"}',
        '{"a":{"0":"x","1":{"c":2,"d":1}},"b":"é/"}',
    ):
        assert verify_nowpayments(body, sign(text), "secret")
