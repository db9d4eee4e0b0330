"""Secrets are masked, wherever they are; what only looks like one is left alone."""

from __future__ import annotations

import json
import re
import uuid
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_capture import redaction
from data_capture.payloads import decode_json, encode_json
from data_capture.redaction import redact, redact_text
from tests.support import RunningService

VISA, VISA_13, MASTERCARD, MASTERCARD_2, AMEX = (
    "4111111111111111", "4222222222222", "5555555555554444", "2223003122003222", "378282246310005",
)  # fmt: skip
DINERS, DISCOVER, JCB, UNION_PAY, MAESTRO = (
    "30569309025904", "6011111111111117", "3530111333300000", "6200000000000005", "6304000000000000",
)  # fmt: skip
WEB_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJlLW9mLWl0"


@pytest.mark.parametrize("card", [VISA, VISA_13, MASTERCARD, MASTERCARD_2, AMEX, DINERS, DISCOVER, JCB, UNION_PAY, MAESTRO])
def test_a_card_of_any_issuer_keeps_its_last_four_digits_only(card: str) -> None:
    assert redact_text(card) == f"[card ****{card[-4:]}]"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("4111 1111 1111 1111", "[card ****1111]"),
        ("4111-1111-1111-1111", "[card ****1111]"),
        ("4111\u00a01111\u00a01111\u00a01111", "[card ****1111]"),
        ("4111 - 1111 - 1111 - 1111", "[card ****1111]"),
        ("4111‑1111‑1111‑1111", "[card ****1111]"),
        ("3782 822463 10005", "[card ****0005]"),
        ("paid with 4111111111111111, thanks", "paid with [card ****1111], thanks"),
        ("4111111111111111 12/25", "[card ****1111] 12/25"),
        ("4111111111111111 1225 99.80", "[card ****1111] 1225 99.80"),
        ("12 4111111111111111", "12 [card ****1111]"),
        ("Visa4111111111111111exp", "Visa[card ****1111]exp"),
        ("first line\n4111111111111111\nlast line", "first line\n[card ****1111]\nlast line"),
        ("card:4111111111111111;378282246310005", "card:[card ****1111];[card ****0005]"),
        ("https://shop.example/pay?pan=4111111111111111&plan=pro", "https://shop.example/pay?pan=[card ****1111]&plan=pro"),
        ("order_4111111111111111_x", "order_[card ****1111]_x"),
        ("https://shop.example/?name=%204111111111111111", "https://shop.example/?name=%20[card ****1111]"),
        ("card=4111%201111%201111%201111&x=1", "card=[card ****1111]&x=1"),
        ("card=4111+1111+1111+1111&x=1", "card=[card ****1111]&x=1"),
        ("100%4111111111111111", "100%[card ****1111]"),
        ('{"note": "\\u00204111111111111111", broken', '{"note": "\\u0020[card ****1111]", broken'),
        (f"Bearer {WEB_TOKEN}", "Bearer [redacted]"),
        ("https://shop.example/?access_token=abc.def&plan=pro", "https://shop.example/?access_token=[redacted]&plan=pro"),
        ("https://shop.example/reset?token=abc123", "https://shop.example/reset?token=[redacted]"),
        ("password: hunter2, plan: pro", "password: [redacted], plan: pro"),
        ("my CVV=123 ok", "my CVV=[redacted] ok"),
        ("{'password': 'hunter 2', 'plan': 'pro'}", "{'password': [redacted], 'plan': 'pro'}"),
        ('{"password": "hunter 2", "broken', '{"password": [redacted], "broken'),
    ],
)
def test_a_secret_inside_a_text_is_masked_and_the_rest_is_kept(text: str, masked: str) -> None:
    assert redact_text(text) == masked


@pytest.mark.parametrize(
    "key",
    [
        "password", "Password", "userPassword", "user_password", "password2", "confirmPassword", "passwd", "pwd", "db-pwd",
        "pass",
        "passphrase", "passcode", "cvv", "CVV2", "cardCvv", "card_cvc", "securityCode", "security-code", "pin", "card_pin",
        "token",
        "access_token", "accessToken", "accesstoken", "refreshToken", "sb-abc-auth-token", "csrf_token", "apiKey", "api_key",
        "x-api-key", "secret", "clientSecret", "client_secret", "privateKey", "PRIVATE_KEY", "secretKey", "seed_phrase",
        "seedPhrase", "mnemonic", "recoveryPhrase", "seed", "jwt", "Authorization", "session_cookie", "otp", "c_v_v",
    ],
)  # fmt: skip
def test_the_value_of_a_key_that_names_a_secret_is_masked(key: str) -> None:
    assert redact({key: "abc"}) == {key: "[redacted]"}
    assert redact({"deep": [{key: 123}]}) == {"deep": [{key: "[redacted]"}]}
    assert redact({key: ["one", "two"]}) == {key: ["[redacted]", "[redacted]"]}
    assert json.loads(redact({"stored": json.dumps({key: "abc"})})["stored"]) == {key: "[redacted]"}


@pytest.mark.parametrize("key", ["cardNumber", "card_number", "CARD-NUMBER", "ccnum", "card_no", "creditCardNumber", "pan"])
def test_the_value_of_a_key_that_names_a_card_is_masked_even_if_it_is_mistyped(key: str) -> None:
    assert redact({key: "4111 1111 1111 1112"}) == {key: "[card ****1112]"}
    assert redact({key: "411"}) == {key: "[redacted]"}


@pytest.mark.parametrize(
    "number", [4111111111111111, -4111111111111111, Decimal("4111111111111111.0"), Decimal("4.111111111111111e15")]
)
def test_a_card_number_that_is_a_number_is_masked(number: Any) -> None:
    assert redact({"note": number})["note"].startswith("[card ****1111]")


@pytest.mark.parametrize(
    "value",
    [
        "ch_3MqLiJLkdIwHu7ix0snN0B15", "PAY-1AB23456CD789012EF34GHIJ", "TXN-1700000000000", "pi_3NvXfX2eZvKYlo2C1gDJ1234",
        "ORD20240115103000123", "7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069",
        "0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "0x742d35Cc6634C0532925a3b844Bc454e4438f44e",
        "TJRyWwFs9wTFGZg3JbrVriFbNfCug5tDeC", "a9f4111111111111111b3", "550e8400-e29b-41d4-a716-446655440000",
        "52345678-1234-4112-8abc-def012345678", "+49 1512 3456787", "+4915123456886", "+1 (555) 010-9999", "020 7946 0958",
        "50123456", "1098765432", "100000.00", "0.4111111111111111", "63.33333333333333", "$1,234,567.89", "1:2",
        "2024-01-15T10:30:00.000Z", "2024-01-15 - 2024-02-15", "1705312200000", "1705312200000000", "1705312200000000000",
        "4111111111111112", "9111111111111111", "411111111111", "41111111111111111111111111111111",
        "EURUSD, GBPUSD, XAUUSD", "What is the password policy?", "passed phase 1", "spinning", "",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_secret_is_left_alone(value: str) -> None:
    assert redact_text(value) == value


@pytest.mark.parametrize(
    "member",
    [
        {"timestamp": 1705312200000}, {"account_number": 50123456}, {"price": Decimal("0.4111111111111111")}, {"id": 10**30},
        {"password_set": False, "has_token": True}, {"token": None, "cvv": ""}, {"keyboard": "qwerty"}, {"passed": "yes"},
        {"company": "Card & Sons"}, {"card": "Visa"}, {"expand": "x"}, {"spinner": "x"}, {"tokens_sold": 5}, {"hotpot": 1},
        {"trades": [{"profit": Decimal("12.5"), "symbol": "XAUUSD"}]}, {"state": '{"a": 1.50, "b": [true]}'},
    ],
    ids=str,
)  # fmt: skip
def test_members_that_name_no_secret_are_left_alone(member: dict[str, Any]) -> None:
    assert redact(member) == member


def test_json_texts_inside_json_texts_are_masked_however_deep() -> None:
    layered: Any = {"password": "hunter2", "card": VISA}
    for _ in range(6):
        layered = {"stored": json.dumps(layered)}
    assert "hunter2" not in json.dumps(redact(layered))
    assert VISA not in json.dumps(redact(layered))


# Pieces that are secrets together and harmless alone, or the other way round.
_PIECES = st.one_of(
    st.sampled_from([
        VISA, VISA_13, "4111 1111 1111 1111", "4111-1111\t1111 1111", "4111%201111%201111%201111", AMEX, JCB, "1705312200000",
        WEB_TOKEN, "eyJ", "J", "password", "PASSWORD", "cvv2", "cvv2=123", "CVC2: 1", "CVC 2", "pwd", "api\u212aey",
        "pa\u017f\u017fword", "&token", "=", ":", " = ", '": "', "\\\"", "x", "123", "%20", "%", "\\u0020", "\\", "\n", " ",
        "\u00a0", "-", "+", ".", "0", "2", "{", "}", "[", "]", '{"cvv": 1}', "12:42:02", "550e8400-e29b-41d4-a716-446655440000",
        redaction.REDACTED,
    ]),
    st.text(max_size=5),
)  # fmt: skip


@settings(max_examples=3000, deadline=None)
@given(st.lists(_PIECES, max_size=6).map("".join))
def test_the_quick_look_passes_over_no_text_that_would_be_masked(text: str) -> None:
    quick = redact_text(text, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redaction, "_MAY_HOLD_A_SECRET", re.compile(""))  # looks closely at every text
        assert redact_text(text, 2) == quick


# --- No card number survives ----------------------------------------------------------------------------------------------------

PREFIXES = {
    "Visa": ("4",),
    "Mastercard": ("51", "52", "53", "54", "55", "2221", "2229", "2230", "2299", "23", "26", "270", "2719", "2720"),
    "American Express": ("34", "37"),
    "Diners Club": ("300", "305", "36", "38", "39"),
    "JCB": ("3528", "3529", "353", "3589"),
    "Discover": ("6011", "644", "65"),
    "UnionPay": ("62",),
    "Maestro": ("50", "56", "57", "58", "63", "67"),
}


@st.composite
def cards(draw: st.DrawFn) -> tuple[str, str]:
    """A card number: its digits, and how somebody writes it."""
    prefix = draw(st.sampled_from(draw(st.sampled_from(list(PREFIXES.values())))))
    length = draw(st.integers(13, 19))
    body = prefix + draw(st.text("0123456789", min_size=length - 1 - len(prefix), max_size=length - 1 - len(prefix)))
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(reversed(body)))
    digits = body + str(-total % 10)
    separator = draw(st.sampled_from(["", " ", "-"]))
    if not separator:
        return digits, digits
    cuts = [0, *sorted(draw(st.sets(st.integers(1, length - 1), max_size=6))), length]
    return digits, separator.join(digits[begin:end] for begin, end in pairwise(cuts))


# Beside a card: anything that makes it no other number (a longer one, a fraction, a phone number, a mixed identifier).
_AROUND = st.text(st.characters(exclude_categories=["Cs", "Nd"], exclude_characters="+"), max_size=12)


@st.composite
def card_in_json(draw: st.DrawFn) -> tuple[str, Any]:
    """A JSON value with a card number somewhere in it, and the card's digits."""
    digits, written = draw(cards())
    value: Any = draw(st.sampled_from([written, f"{draw(_AROUND)}{written}{draw(_AROUND)}", int(digits), float(digits)]))
    if isinstance(value, float) and f"{value:.0f}" != digits:
        value = written
    for _ in range(draw(st.integers(0, 5))):
        key = draw(st.one_of(st.sampled_from(["note", "paymentData", "trades", "phone", "user_name"]), _AROUND))
        value = draw(st.sampled_from([{key: value}, [value], {"a": 1, key: value}, [None, value, 1.5]]))
        if draw(st.integers(0, 7)) == 0:
            value = json.dumps(value)
    return digits, value


def digits_and_separators_of(digits: str) -> re.Pattern[str]:
    return re.compile(r"[ \-]*".join(digits))


@settings(max_examples=2000, deadline=None)
@given(card_in_json())
def test_no_card_number_survives_in_any_value_of_any_shape(card: tuple[str, Any]) -> None:
    digits, value = card
    left = encode_json(redact(decode_json(json.dumps(value))))
    assert not digits_and_separators_of(digits).search(left)


FIELDS = {
    "payment": ["transaction_id", "coupon_code", "user_name", "payment_method", "final_price", "user_id", "paymentData", "phone"],
    "questionnaire": [
        "prop_firm",
        "account_number",
        "crypto_assets",
        "account_screenshot",
        "screenshot_filename",
        "account_size",
    ],
    "dashboard": ["theme", "trading_state", "dashboardData", "total_pnl", "user_name", "account"],
    "activity": ["activity_type", "activity_data", "note"],
}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind_and_field=st.sampled_from([(kind, name) for kind, names in FIELDS.items() for name in names]), card=card_in_json())
def test_a_card_number_posted_in_any_field_is_in_no_column_and_in_no_log(
    capture_service: RunningService, kind_and_field: tuple[str, str], card: tuple[str, Any]
) -> None:
    kind, name = kind_and_field
    digits, value = card
    person = f"{uuid.uuid4().hex}@example.com"
    # Where a page might put it, under a key of any name, and where it has no business to be.
    payload = {"user_email": person, name: value, "more": {f"key {digits}": value}}
    answer = capture_service.capture(kind, payload, **{"User-Agent": f"Browser/1.0 ({digits})"})
    assert answer.status_code == 201, answer.text
    wanted = digits_and_separators_of(digits)
    for table in ("payment_data", "questionnaire_data", "dashboard_data", "trading_activity_log", "data_capture_audit"):
        for row in capture_service.rows(f"SELECT * FROM {table} WHERE user_email = ?", person):  # noqa: S608
            assert not wanted.search(json.dumps(row, ensure_ascii=False)), table
    assert digits not in capture_service.log_file.read_text()
    assert digits not in capture_service.output.read_text()


def test_a_card_number_in_the_place_of_an_id_or_an_address_is_refused(capture_service: RunningService, person: str) -> None:
    for payload in ({"user_email": person, "capture_id": VISA}, {"user_email": f"{VISA}@example.com"}):
        answer = capture_service.capture("payment", payload)
        assert answer.status_code == 422
        assert VISA not in answer.text
    assert capture_service.rows("SELECT * FROM users WHERE email LIKE '%4111111111111111%'") == []
    assert capture_service.rows("SELECT * FROM capture_receipts WHERE capture_id LIKE '%4111111111111111%'") == []


def test_the_secrets_beside_a_questionnaire_are_never_stored(capture_service: RunningService, person: str) -> None:
    payload = {
        "email": person, "password": "hunter2-secret", "token": WEB_TOKEN, "questionnaire": {"accountSize": "$100,000"},
        "tradingState": json.dumps({"apiKey": "hunter2-key"}),
    }  # fmt: skip
    for kind in ("questionnaire", "dashboard", "payment"):
        assert capture_service.capture(kind, payload).status_code == 201
    for file in (capture_service.database, capture_service.database.with_name(capture_service.database.name + "-wal")):
        content = file.read_bytes()
        assert b"hunter2" not in content
        assert WEB_TOKEN.encode() not in content
