"""Test that card numbers are masked, and identifiers that look like them are kept."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from data_capture.redaction.redact import redact, redact_text
from tests.support.cards import ISSUERS, with_luhn_digit

SEED, COUNT = 20260115, 1000
CARDS = int(os.environ.get("EDC_CARD_EXAMPLES", "60"))  # of each issuer, in each spelling


def digits(source: random.Random, count: int) -> str:
    return "".join(source.choices("0123456789", k=count))


def imei(source: random.Random) -> str:
    return with_luhn_digit(source.choice(["01", "35", "86", "99"]) + digits(source, 12))


def ean(source: random.Random) -> str:
    body = digits(source, 12)
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
    return body + str(-total % 10)


def chat_id(source: random.Random) -> str:
    return with_luhn_digit(source.choice("123456789") + digits(source, 16))


def meta_id(source: random.Random) -> str:
    return with_luhn_digit(source.choice("123456789") + digits(source, source.randrange(13, 17)))


def phone(source: random.Random) -> str:
    return source.choice("123456789") + digits(source, source.randrange(7, 15))


def tracking_number(source: random.Random) -> str:
    return source.choice([
        "1Z" + digits(source, 16), "94" + digits(source, 20), digits(source, 12),
        digits(source, 15), digits(source, 16), "00" + digits(source, 18), digits(source, 10),
        "RR" + digits(source, 9) + "DE", "9405 5" + digits(source, 3) + " 9930 0000 0000 00",
    ])  # fmt: skip


def uuid(source: random.Random) -> str:
    """Return a UUID whose groups have digits alone, which can look like those of a card."""
    groups = [digits(source, 8), *(digits(source, 4) for _ in range(3))]
    return "-".join([*groups, f"{digits(source, 4)}cb{digits(source, 6)}"])


# The keys, and for texts what is around.
IDENTIFIERS: dict[str, tuple[Callable[[random.Random], str], list[str], list[str]]] = {
    "IMEI": (imei, ["imei", "IMEI2", "deviceImei", "id", "note"], ["{}", "my phone {}, bought"]),
    "chat id": (
        chat_id, ["discord_id", "discordId", "discord_user_id", "telegram"], ["Discord: {}"],
    ),
    "UUID": (uuid, ["capture_id", "transaction_id", "note"], ["{}", "order {} is paid"]),
    "EAN": (ean, ["ean", "ean13", "gtin", "barcode", "EAN-Code"], ["EAN {}", "gtin: {}"]),
    "phone": (
        phone,
        ["phone", "phoneNumber", "mobile", "tel", "whatsapp_number", "user_phone", "Téléphone",
         "contact_number", "телефон", "電話番号", "nomor_telepon", "tlf"],
        ["+{}", "Tel. {}", "call my phone number {}", "+{}, mornings"],
    ),
    "tracking number": (
        tracking_number, ["tracking_number", "trackingNumber", "tracking_id", "waybill",
         "Sendungsnummer", "numero_de_suivi", "trknbr"],
        ["tracking number: {}", "waybill {}", "Tracking #: {}", "https://x.co/?tracknum={}"],
    ),
    "Meta's id": (
        meta_id, ["fb_pixel_id", "facebookId", "campaign_id", "adset"], ["Pixel ID: {}"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", IDENTIFIERS)
def test_identifiers_are_kept(kind: str) -> None:
    generate, keys, texts = IDENTIFIERS[kind]
    source = random.Random(SEED)
    for _ in range(COUNT):
        identifier = generate(source)
        member: dict[str, Any] = dict.fromkeys(keys, identifier)
        member["pair"] = [{"name": keys[0], "value": identifier}]
        if identifier.isdigit() and identifier[0] != "0":
            member["device"] = {keys[0]: [int(identifier)]}
        assert redact(member) == member
        for text in texts:
            assert redact_text(text.format(identifier)) == text.format(identifier)


@pytest.mark.parametrize(
    "member",
    [
        {"note": "352846111222337"}, {"id": 352846111222337}, {"id": "456226577798135801"},
        {"id": 456226577798135801}, {"note": "35-284611-122233-7"}, {"ean": "4006381333931"},
        {"order": "1Z999AA10123456784"}, {"order": "9405 5036 9930 0000 0000 00"},
        {"time": "1705312200000000"}, {"time": 1705312200000000000}, {"id": "411111111111111"},
        {"id": "41111111111111111"}, {"id": "51111111111111117"}, {"id": "378282246310005123"},
        {"mobile": 4915123456886}, {"phone": ["4915123456886"]}, {"id": "639171234562"},
        {"email": "4111111111111111@example.com"}, {"user": "4111111111111111@localhost"},
        {"user_email": "ann.4111-1111-1111-1111+x@example.com"},
        {"note": "mail 4111111111111111@example.com or a4111111111111111@example.co.uk"},
        {"note": "ann@4111111111111111.example.com"},
    ],
    ids=str,
)  # fmt: skip
def test_what_only_looks_like_a_card_number_is_kept(member: dict[str, Any]) -> None:
    assert redact(member) == member


@pytest.mark.parametrize(
    ("member", "masked"),
    [
        ({"phone": "4111111111111111"}, {"phone": "[card ****1111]"}),
        ({"phone": "3782 822463 10005"}, {"phone": "[card ****0005]"}),
        ({"mobile": 4111111111111111}, {"mobile": "[card ****1111]"}),
        ({"ean": "4111111111111111"}, {"ean": "[card ****1111]"}),
        ({"discord_id": "4111111111111111"}, {"discord_id": "[card ****1111]"}),
        ({"hotel": "378282246310005"}, {"hotel": "[card ****0005]"}),
        ({"phone_card": "378282246310005"}, {"phone_card": "[card ****0005]"}),
        ({"order_id": "4111111111111111"}, {"order_id": "[card ****1111]"}),
        ({"user_id": 4111111111111111}, {"user_id": "[card ****1111]"}),
        ({"note": "4111111111111111 @example"}, {"note": "[card ****1111] @example"}),
        ({"note": "ann@example.com 4111111111111111"}, {"note": "ann@example.com [card ****1111]"}),
        ({"note": "4111111111111111,ann@example.com"}, {"note": "[card ****1111],ann@example.com"}),
        ({"note": "501800000009"}, {"note": "[card ****0009]"}),
        ({"note": 501800000009}, {"note": "[card ****0009]"}),
        ({"note": "8100000000000002"}, {"note": "[card ****0002]"}),
        ({"imei": "4111111111111111", "cardNumber": "352846111222337"},
         {"imei": "[card ****1111]", "cardNumber": "[card ****2337]"}),
    ],
    ids=str,
)  # fmt: skip
def test_card_numbers_are_masked_whatever_their_key(member: Any, masked: Any) -> None:
    assert redact(member) == masked


def in_groups(number: str, separator: str) -> str:
    if len(number) in (14, 15):  # Diners Club, American Express
        return separator.join([number[:4], number[4:10], number[10:]])
    return separator.join([number[begin : begin + 4] for begin in range(0, len(number), 4)])


SPELLINGS = [
    "", " ", "-", "\u00a0", " - ", "\u2011", "%20", "\u200b", "  ", "     ", "\t\t", "\n", "\r\n",
    ".", "/", "_", ",", ", ", "|", " | ", "\u00b7", ":", "=", ";", "\\", "*", "%2C", "%7C", "%0A",
]  # fmt: skip


@pytest.mark.parametrize("issuer", ISSUERS)
def test_card_numbers_of_each_issuer_are_masked_in_each_spelling(issuer: str) -> None:
    source = random.Random(SEED)
    prefixes, lengths = ISSUERS[issuer]
    for _ in range(CARDS):
        prefix, length = source.choice(prefixes), source.choice(lengths)
        number = with_luhn_digit(prefix + digits(source, length - 1 - len(prefix)))
        for separator in SPELLINGS:
            written = in_groups(number, separator)
            mask = f"[card ****{number[-4:]}]"
            assert redact({"note": written}) == {"note": mask}
            assert redact_text(f"paid with {written}, ok") == f"paid with {mask}, ok"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("4111,1111,1111,1111", "[card ****1111]"),
        ("3782,822463,10005 or 3056|930902|5904", "[card ****0005] or [card ****5904]"),
        ("4111,1111,1111,1111,5555,5555,5555,4444", "[card ****1111],[card ****4444]"),
        ("4111,1111,1111,1111 5555,5555,5555,4444", "[card ****1111] [card ****4444]"),
        ("4111,1111,1111,1111, 5555,5555,5555,4444", "[card ****1111], [card ****4444]"),
        ("4111,1111,1111,1111,12,27,123", "[card ****1111],12,27,123"),
        ("4111|1111|1111|1111|2027", "[card ****1111]|2027"),
        ("2027,4111,1111,1111,1111", "2027,[card ****1111]"),
        ("1.50,4111,1111,1111,1111", "1.50,[card ****1111]"),
        ("Ann,4111,1111,1111,1111,Visa", "Ann,[card ****1111],Visa"),
        ("card=4111:1111:1111:1111;", "card=[card ****1111];"),
        ("card: 4111 1111\n1111 1111\nthanks", "card: [card ****1111]\nthanks"),
        ("4111\n1111\n1111\n1111\n", "[card ****1111]\n"),
        ("4111      1111  1111 1111", "[card ****1111]"),
        ("4222.2222.2222.2, 4222,222,222,222", "[card ****2222], [card ****2222]"),
        ("n=4111%2C1111%2C1111%2C1111&x=1", "n=[card ****1111]&x=1"),
        ("٤١١١,١١١١,١١١١,١١١١", "[card ****1111]"),
        ("5018,0000,0009", "[card ****0009]"),
    ],
)
def test_card_numbers_in_printed_groups_are_masked(text: str, masked: str) -> None:
    assert redact_text(text) == masked
    assert redact({"note": text}) == {"note": masked}


@pytest.mark.parametrize(
    "text",
    [
        "4111,1111,1111,1112", "41,11,11,11,11,11,11,11", "411,111,111,111,1111",
        "4,111,111,111,111,111", "4111, 1111; 1111, 1111", "4111,1111,1111.1111",
        "4111.1111.1111.1111.50", "4111, 1111, 1111, 1111, " + "1250, 1275, 1300, 1325, 1350",
        "4123.50, 4125.25, 4126.75", "2024-01-15 10:30:00, 2024-02-15 11:45:00",
        "4:11 4:11 4:11", "12:30:00,15:45:00", "52.1234.5678.9012", "$4,111,111.11",
        "0.4111,1111,1111,1111", "+4915,1234,5688", "4111 USD, 1111 USD, 1111 USD, 1111 USD",
    ],
)  # fmt: skip
def test_lists_of_other_numbers_are_kept(text: str) -> None:
    assert redact_text(text) == text


def test_long_lists_of_cards_are_masked_and_of_other_numbers_kept() -> None:
    cards = ",".join(["4111,1111,1111,1111"] * 300)
    assert redact_text(cards) == ",".join(["[card ****1111]"] * 300)
    prices = ",".join(str(price) for price in range(4000, 9000))
    assert redact_text(prices) == prices


def test_numbers_of_neighbouring_values_are_no_groups() -> None:
    member = {"levels": ["4111", "1111", "1111", "1111"], "more": [4111, 1111, 1111, 1111]}
    assert redact(member) is member
