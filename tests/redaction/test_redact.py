"""Test redaction: secrets are masked everywhere, and other values are unchanged."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_capture.json_codec import decode_json, encode_json
from data_capture.redaction.redact import REDACTED, redact, redact_text, redact_with_paths
from tests.support.cards import card_in_json, separated_digits_pattern

VISA, VISA_13, MASTERCARD, MASTERCARD_2, AMEX = (
    "4111111111111111", "4222222222222", "5555555555554444", "2223003122003222", "378282246310005",
)  # fmt: skip
DINERS, DISCOVER, JCB, UNION_PAY, MAESTRO = (
    "30569309025904", "6011111111111117", "3530111333300000", "6200000000000005",
    "6304000000000000",
)  # fmt: skip
WEB_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJlLW9mLWl0"


@pytest.mark.parametrize(
    "card",
    [VISA, VISA_13, MASTERCARD, MASTERCARD_2, AMEX, DINERS, DISCOVER, JCB, UNION_PAY, MAESTRO],
)
def test_only_the_last_four_digits_of_a_card_number_are_kept(card: str) -> None:
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
        (
            "https://shop.example/pay?pan=4111111111111111&plan=pro",
            "https://shop.example/pay?pan=[card ****1111]&plan=pro",
        ),
        ("order_4111111111111111_x", "order_[card ****1111]_x"),
        (
            "https://shop.example/?name=%204111111111111111",
            "https://shop.example/?name=%20[card ****1111]",
        ),
        ("card=4111%201111%201111%201111&x=1", "card=[card ****1111]&x=1"),
        ("card=4111+1111+1111+1111&x=1", "card=[card ****1111]&x=1"),
        ("100%4111111111111111", "100%[card ****1111]"),
        ('{"note": "\\u00204111111111111111", broken', '{"note": "\\u0020[card ****1111]", broken'),
        (f"Bearer {WEB_TOKEN}", "Bearer [redacted]"),
        (
            "https://shop.example/?access_token=abc.def&plan=pro",
            "https://shop.example/?access_token=[redacted]&plan=pro",
        ),
        ("https://shop.example/reset?token=abc123", "https://shop.example/reset?token=[redacted]"),
        ("password: hunter2, plan: pro", "password: [redacted], plan: pro"),
        ("my CVV=123 ok", "my CVV=[redacted] ok"),
        ("4111.1111.1111.1111", "[card ****1111]"),
        ("4111_1111_1111_1111 4111/1111/1111/1111", "[card ****1111] [card ****1111]"),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "[card ****1111]"),
        ("４１１１ １１１１ １１１１ １１１１", "[card ****1111]"),
        ("٤١١١١١١١١١١١١١١١", "[card ****1111]"),
        ("4111\u200b1111\u200b1111\u200b1111", "[card ****1111]"),
        ("4111%2D1111%2d1111%2D1111", "[card ****1111]"),
        ("n=%34%31%31%31%31%31%31%31%31%31%31%31%31%31%31%31", "n=[card ****1111]"),
        ("4111%C2%A01111%C2%A01111%C2%A01111", "[card ****1111]"),
        (r"4111\u00201111\u002d1111\u00a01111", "[card ****1111]"),
        ("name=Ann+378282246310005", "name=Ann+[card ****0005]"),
        ("+4111111111111111", "+[card ****1111]"),
        ("EUR 5.00 378282246310005", "EUR 5.00 [card ****0005]"),
        ("cvv 123 or Security Code is 4567", "cvv [redacted] or Security Code is [redacted]"),
        (
            "https://shop.example/?pin=1234&password2=abc",
            "https://shop.example/?pin=[redacted]&password2=[redacted]",
        ),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: [redacted]"),
        ("curl -H Bearer 0123456789abcdef0123", "curl -H Bearer [redacted]"),
        ("the key sk_live_4eC39HqLyjWDarjtT1 is it", "the key [redacted] is it"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nbye",
            "[redacted]\nbye",
        ),
        ("{'password': 'hunter 2', 'plan': 'pro'}", "{'password': [redacted], 'plan': 'pro'}"),
        ('{"password": "hunter 2", "broken', '{"password": [redacted], "broken'),
    ],
)
def test_a_secret_in_a_text_is_masked_and_the_rest_is_kept(text: str, masked: str) -> None:
    assert redact_text(text) == masked


@pytest.mark.parametrize(
    "key",
    [
        "password", "Password", "userPassword", "user_password", "password2", "confirmPassword",
        "passwd", "pwd", "db-pwd", "pass", "passphrase", "passcode", "cvv", "CVV2", "cardCvv",
        "card_cvc", "securityCode", "security-code", "pin", "card_pin", "token", "access_token",
        "accessToken", "accesstoken", "refreshToken", "sb-abc-auth-token", "csrf_token", "apiKey",
        "api_key", "x-api-key", "secret", "clientSecret", "client_secret", "privateKey",
        "PRIVATE_KEY", "secretKey", "seed_phrase", "seedPhrase", "mnemonic", "recoveryPhrase",
        "seed", "jwt", "Authorization", "session_cookie", "otp", "c_v_v", "Card CVV Code",
        "cardCode", "card_verification_value", "verification_code", "CSC", "cvn", "pinCode",
        "PIN-number", "atmPin", "wif", "WIF", "walletSeed", "secretRecoveryPhrase", "backup_codes",
        "privKey", "signing-key", "sessionKey", "ACCESS_TOKEN", "refresh-token", "bearerToken",
        "authTokens", "X-API-KEY", "api.key", "apiKeyValue", "appSecret", "secrets",
        "investorPassword", "mt5_pass", "ｐａｓｓｗｏｒｄ",
    ],
)  # fmt: skip
def test_values_of_keys_that_name_a_secret_are_masked(key: str) -> None:
    assert redact({key: "abc"}) == {key: "[redacted]"}
    assert redact({"deep": [{key: 123}]}) == {"deep": [{key: "[redacted]"}]}
    assert redact({key: ["one", "two"]}) == {key: ["[redacted]", "[redacted]"]}
    assert json.loads(redact({"stored": json.dumps({key: "abc"})})["stored"]) == {key: "[redacted]"}


@pytest.mark.parametrize(
    "key",
    [
        "cardNumber",
        "card_number",
        "CARD-NUMBER",
        "ccnum",
        "card_no",
        "creditCardNumber",
        "pan",
        "card-number",
        "CARD_NO",
        "cc_num",
        "CCNumber",
        "card_nr",
        "primaryAccountNumber",
        "Card Number 1",
        "creditCard",
    ],
)
def test_values_of_keys_that_name_a_card_are_masked_even_if_mistyped(key: str) -> None:
    assert redact({key: "4111 1111 1111 1112"}) == {key: "[card ****1112]"}
    assert redact({key: "411"}) == {key: "[redacted]"}


@pytest.mark.parametrize(
    ("member", "masked"),
    [
        ({"card": {"number": "4111 1111 1111 1112", "code": "123", "brand": "Visa"}},
         {"card": {"number": "[card ****1112]", "code": "[redacted]", "brand": "Visa"}}),
        (
            {"private": {"key": "abc"}, "api": [{"key": "a"}]},
            {"private": {"key": "[redacted]"}, "api": [{"key": "[redacted]"}]},
        ),
        ([{"name": "cvv", "value": "123"}, {"name": "plan", "value": "pro"}],
         [{"name": "cvv", "value": "[redacted]"}, {"name": "plan", "value": "pro"}]),
        (
            {"cardNumber": Decimal("4.111111111111111e15"), "cc": 1},
            {"cardNumber": "[card ****1111]", "cc": 1},
        ),
        ({"cardNumber": Decimal("1e999999999"), "n": Decimal("-1e1000000")},
         {"cardNumber": "[redacted]", "n": Decimal("-1e1000000")}),
        ({"cardNumber": "**** **** **** 1111"}, {"cardNumber": "[card ****1111]"}),
        (
            {"4111111111111111": 1, "4111-1111-1111-1111": 2},
            {"[card ****1111]": 1, "[card ****1111] (2)": 2},
        ),
        (
            {"password": {"old": "a", "new": ["b"]}},
            {"password": {"old": "[redacted]", "new": ["[redacted]"]}},
        ),
    ],
    ids=str,
)  # fmt: skip
def test_secrets_are_recognised_by_their_context(member: Any, masked: Any) -> None:
    assert redact(member) == masked


@pytest.mark.parametrize(
    "number",
    [
        4111111111111111,
        -4111111111111111,
        Decimal("4111111111111111.0"),
        Decimal("4.111111111111111e15"),
    ],
)
def test_a_card_number_given_as_a_number_is_masked(number: Any) -> None:
    assert redact({"note": number})["note"].startswith("[card ****1111]")


@pytest.mark.parametrize(
    "value",
    [
        "ch_3MqLiJLkdIwHu7ix0snN0B15", "PAY-1AB23456CD789012EF34GHIJ", "TXN-1700000000000",
        "pi_3NvXfX2eZvKYlo2C1gDJ1234", "ORD20240115103000123",
        "7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069",
        "0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        "0x742d35Cc6634C0532925a3b844Bc454e4438f44e", "TJRyWwFs9wTFGZg3JbrVriFbNfCug5tDeC",
        "a9f4111111111111111b3", "550e8400-e29b-41d4-a716-446655440000",
        "52345678-1234-4112-8abc-def012345678", "+49 1512 3456787", "+4915123456886",
        "+1 (555) 010-9999", "020 7946 0958", "50123456", "1098765432", "100000.00",
        "0.4111111111111111", "63.33333333333333", "$1,234,567.89", "1:2",
        "2024-01-15T10:30:00.000Z", "2024-01-15 - 2024-02-15", "1705312200000", "1705312200000000",
        "1705312200000000000", "4111111111111112", "9111111111111111", "411111111111",
        "41111111111111111111111111111111", "52.1234.5678.9012", "00 49 1512 34567810",
        "0049 1512 3456787", "4123.50 4125.25 4126.75", "12:30:00 15:45:00",
        "code: 4711, key: value", "a PIN of 4 digits", "pi_3NvXfX2eZvKYlo2C1gDJ1234_secretary",
        "T1: 5, C3: 7", "EURUSD, GBPUSD, XAUUSD", "What is the password policy?", "passed phase 1",
        "spinning", "",
    ],
)  # fmt: skip
def test_texts_that_only_look_like_secrets_are_unchanged(value: str) -> None:
    assert redact_text(value) == value


@pytest.mark.parametrize(
    "member",
    [
        {"timestamp": 1705312200000}, {"account_number": 50123456},
        {"price": Decimal("0.4111111111111111")}, {"id": 10**30},
        {"password_set": False, "has_token": True}, {"token": None, "cvv": ""},
        {"keyboard": "qwerty"}, {"passed": "yes"}, {"company": "Card & Sons"}, {"card": "Visa"},
        {"expand": "x"}, {"spinner": "x"}, {"tokens_sold": 5}, {"hotpot": 1},
        {"card_last4": "1111"}, {"cardBrand": "Visa"}, {"cardNotes": "x"},
        {"trading_session": "any"}, {"token_symbol": "USDT"}, {"currency_code": "USD"},
        {"coupon": {"code": "SAVE10"}}, {"id": "TX-1", "value": 5}, {"public_key": "04ab"},
        {"wallet": {"address": "0x742d35Cc6634C0532925a3b844Bc454e4438f44e"}},
        {"card": {"brand": "Visa"}}, {"key": "R"},
        {"trades": [{"profit": Decimal("12.5"), "symbol": "XAUUSD"}]},
        {"state": '{"a": 1.50, "b": [true]}'},
    ],
    ids=str,
)  # fmt: skip
def test_members_that_name_no_secret_are_unchanged(member: dict[str, Any]) -> None:
    assert redact(member) == member


def test_nested_json_texts_are_masked_at_any_depth() -> None:
    layered: Any = {"password": "hunter2", "card": VISA}
    for _ in range(6):
        layered = {"stored": json.dumps(layered)}
    assert "hunter2" not in json.dumps(redact(layered))
    assert VISA not in json.dumps(redact(layered))


# Some pieces are secrets only in combination, others only alone.
_PIECES = st.one_of(
    st.sampled_from([
        VISA, VISA_13, "4111 1111 1111 1111", "4111-1111\t1111 1111", "4111,1111,1111,1111",
        "4111\n1111", "\n1111", "DE89370400440532013000", "DE89 3704 0044 0532 0130 00",
        "4111%201111%201111%201111",
        AMEX, JCB, "1705312200000", WEB_TOKEN, "eyJ", "J", "password", "PASSWORD", "cvv2",
        "cvv2=123", "CVC2: 1", "CVC 2", "pwd", "api\u212aey", "pa\u017f\u017fword", "&token", "=",
        ":", " = ", '": "', "\\\"", "x", "123", "%20", "%", "\\u0020", "\\", "\n", " ", "\u00a0",
        "-", "+", ".", "0", "2", "{", "}", "[", "]", '{"cvv": 1}', "12:42:02",
        "550e8400-e29b-41d4-a716-446655440000", REDACTED, "4111", "1111", "tel. ", "phone", "\0",
        "@example.com", "a1", "01a22e6a-c67a-7013-86d7-", "1de900000026",
    ]),
    st.text(max_size=5),
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(st.lists(st.lists(_PIECES, max_size=6).map("".join), min_size=1, max_size=3))
def test_the_prefilter_skips_no_text_that_contains_a_secret(texts: list[str]) -> None:
    with_prefilter = redact(texts)
    with pytest.MonkeyPatch.context() as patch:
        # Inspect every text.
        patch.setattr("data_capture.redaction.redact.has_no_secret", lambda _value: False)
        patch.setattr("data_capture.redaction.plain_text.may_contain_secret", lambda _text: True)
        assert redact(texts) == with_prefilter


def test_a_word_in_one_text_excuses_no_number_in_the_next() -> None:
    texts = ["phone", VISA_13, "7013-86d7-1de900000026", "imei: ", AMEX]
    masked = ["phone", "[card ****2222]", "7013-86d7-1de900000026", "imei: ", "[card ****0005]"]
    assert redact(texts) == masked


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(card_in_json())
def test_no_card_number_remains_in_any_json_value(card: tuple[str, Any]) -> None:
    digits, value = card
    redacted = encode_json(redact(decode_json(json.dumps(value))))
    assert not separated_digits_pattern(digits).search(redacted)


class TestMaskedPaths:
    @pytest.mark.parametrize(
        ("payload", "paths"),
        [
            ({"plan": "pro"}, []),
            (
                {"paymentData": {"cardNumber": VISA, "cvv": "123"}},
                ["paymentData.cardNumber", "paymentData.cvv"],
            ),
            ({"trades": [{"n": 1}, {"note": f"by {VISA}"}]}, ["trades[1].note"]),
            ({"state": json.dumps({"api": {"key": "abc"}})}, ["state.api.key"]),
            ({f"card {VISA}": 1}, ["card [card ****1111]"]),
            ({"phone": int(VISA)}, ["phone"]),
            ({"password": REDACTED}, ["password"]),  # as the script sends it
            ({"pins": [1, 2]}, ["pins[0]", "pins[1]"]),
        ],
        ids=str,
    )
    def test_each_masked_value_is_listed_by_its_path(
        self, payload: dict[str, Any], paths: list[str]
    ) -> None:
        assert redact_with_paths(payload)[1] == paths

    def test_paths_beyond_the_limit_are_counted(self) -> None:
        paths = redact_with_paths({"pins": list(range(150))})[1]
        assert paths[99:] == ["pins[99]", "… and 50 more"]

    def test_a_payload_without_secrets_is_not_copied(self) -> None:
        payload = {"plan": "pro", "trades": [{"profit": Decimal("12.5")}]}
        assert redact(payload) is payload


def test_texts_beyond_the_budget_for_secrets_are_masked_completely() -> None:
    text = "4111111111111112 " * 60_000
    assert redact([text, "plan: pro", "pro"]) == [REDACTED, REDACTED, "pro"]
