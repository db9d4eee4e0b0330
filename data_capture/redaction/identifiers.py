"""Identifiers that can look like card numbers: phones, devices, chats, articles, parcels, adverts.

A key or the words before a number name them. A number is one of them only with a length that they
have: a phone number has at most 15 digits, so a Visa number in a field `phone` is masked.
"""

from __future__ import annotations

import re
from typing import Literal

Identifier = Literal["phone", "imei", "chat", "article", "parcel", "advert", ""]

_FORMS = {
    "phone": re.compile(r"\d{7,15}"),  # ITU-T E.164
    "imei": re.compile(r"\d{14,15}|35\d{14}"),  # IMEI, IMEISV (3GPP TS 23.003)
    "chat": re.compile(r"\d{5,14}|\d{17,20}"),  # Telegram; Discord and other snowflakes
    "article": re.compile(r"\d{8}|\d{12,14}"),  # GTIN
    "parcel": re.compile(r"\d{9,34}"),
    "advert": re.compile(r"\d{9,18}"),  # Meta's ids of pixels, campaigns and users
}
_NAMES: dict[Identifier, str] = {
    "phone": "phone phones telephone tel mobile cell cellphone cellular fax whatsapp msisdn viber "
    "telefon telefono telefone telefonnummer handy handynummer movil celular cellulare portable "
    "telefoon puhelin telefonszam tlf mobil mobiltelefon mobilnummer telepon telpon "
    "ponsel kontakt contact телефон тел 電話 電話番号 电话 手机 手机号",
    "imei": "imei imeisv imeis meid",
    "chat": "discord telegram snowflake guild",
    "article": "ean eans gtin upc barcode isbn ismn jan",
    "parcel": "tracking trackingnumber waybill awb airwaybill shipment parcel consignment "
    "tracknum trknbr sendung sendungsnummer suivi seguimiento rastreo rastreamento zending",
    "advert": "facebook fb pixel campaign adset adgroup adaccount",
}
_IDENTIFIERS = {name: kind for kind, names in _NAMES.items() for name in names.split()}
# Words that can follow the name: `phone_number`, `discordUserId`, `trackingCode`.
_FOLLOWING = frozenset({
    "number", "numbers", "num", "no", "nr", "nummer", "id", "ids", "code", "value", "user",
    "member", "server", "channel", "message", "chat", "account", "url", "link", "primary",
    "secondary", "home", "work",
})  # fmt: skip
_FOLLOWING_IN_ONE_WORD = re.compile("(?:numbers?|num|no|nr|ids?|code|url)$")
_BEFORE_A_NUMBER = re.compile(
    r"(?<![a-z])(?P<name>" + "|".join(sorted(_IDENTIFIERS, reverse=True)) + r")(?:-?1[34])?"
    r"(?:[ _-]?(?:number|num|no|nr|nummer|id|code|user))*\.?[\s:=#\"'(]{0,5}$",
    re.IGNORECASE,
)


def identifier_named_by(words: list[str]) -> Identifier:
    """Return which identifier a key with these words in lower case names."""
    for word in reversed(words):
        named = _IDENTIFIERS.get(word)
        if named is None:
            named = _IDENTIFIERS.get(_FOLLOWING_IN_ONE_WORD.sub("", word))
        if named is not None:
            return named
        if word not in _FOLLOWING:
            break
    return ""


def identifier_named_before(text: str) -> Identifier:
    """Return which identifier the end of a text names, such as `Tel. `."""
    found = _BEFORE_A_NUMBER.search(text)
    return "" if found is None else _IDENTIFIERS[found["name"].lower()]


def can_be(identifier: Identifier, digits: str) -> bool:
    """Tell whether an identifier can have these digits."""
    return identifier != "" and _FORMS[identifier].fullmatch(digits) is not None
