"""Classifying keys: does a key name a secret, a card number, or neither?

A key is split into words: "cardCvv", "card_cvv", "CARD-CVV" and "card cvv2" all have the words
card and cvv.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

Role = Literal["secret", "card", ""]

_KEY_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NO_LETTERS = re.compile("[^A-Za-z]+")

_SECRET_ANYWHERE = re.compile("|".join((
    "password", "passwd", "passphrase", "passcode", "cvv", "cvc", "securitycode", "cardcode",
    "verificationcode", "verificationvalue", "onetimecode", "privatekey", "privkey", "secretkey",
    "signingkey", "encryptionkey", "accesskey", "apikey", "sessionkey", "clientsecret", "apisecret",
    "seedphrase", "seedwords", "secretphrase", "walletphrase", "backupphrase", "recoveryphrase",
    "recoverywords", "recoverykey", "recoverycode", "backupcode", "walletseed", "mnemonic",
    "authorization", "accesstoken", "refreshtoken", "authtoken", "sessiontoken", "bearertoken",
)))  # fmt: skip
_SECRET_LAST_WORDS = frozenset({
    "token", "secret", "secrets", "pwd", "pass", "pin", "pins", "jwt", "cookie", "cookies", "otp",
    "totp", "seed", "wif", "cvn", "csc", "bearer", "pincode", "cardpin", "atmpin", "userpin",
    "loginpin", "newpin", "oldpin", "mypin",
})  # fmt: skip
_SECRET_LAST_TWO_WORDS = frozenset(
    {("pin", "code"), ("pin", "number"), ("pin", "no"), ("card", "cid"), ("auth", "tokens")}
)
_SECRET_SUFFIXES = ("token", "secret")  # "accesstoken", all in lower case, is one word
_CARD_KEYS = frozenset(
    {"pan", "cardpan", "primaryaccountnumber", "creditcard", "debitcard", "bankcard", "paymentcard"}
)
_CARD_SUFFIXES = ("cardnumber", "cardnum", "cardno", "cardnr", "ccnumber", "ccnum", "ccno")
# The key of an object that qualifies the keys inside: {"card": {"number": …, "code": …}},
# {"private": {"key": …}}.
_QUALIFIERS = frozenset({
    "card", "cc", "security", "verification", "private", "secret", "api", "access", "auth",
    "recovery", "backup", "seed", "wallet", "session", "client", "pin", "code",
})  # fmt: skip

NAMES_OF_PAIRS = ("name", "key", "field", "id")
"""Members that name the `value` beside them, as forms send it: {"name": "cvv", "value": "123"}."""

_MAX_CHARACTERS_OF_LAST_WORDS = 100  # significant words have at most eight characters
# Per call: normalising takes time in the square of the number of combining marks in a row.
_MAX_NORMALISED_CHARACTERS = 64


def role_of(key: str) -> Role:
    """Return whether a key names a secret, a card number or neither, in any spelling."""
    ascii_key = key if key.isascii() else _normalise_width(key)
    letters = _NO_LETTERS.sub("", ascii_key).lower()
    words = [word.lower() for word in _last_words(ascii_key)]
    if _SECRET_ANYWHERE.search(letters):
        return "secret"
    if words and (words[-1] in _SECRET_LAST_WORDS or words[-1].endswith(_SECRET_SUFFIXES)):
        return "secret"
    if tuple(words[-2:]) in _SECRET_LAST_TWO_WORDS:
        return "secret"
    return "card" if letters in _CARD_KEYS or letters.endswith(_CARD_SUFFIXES) else ""


def is_qualifier(key: str) -> bool:
    """Tell whether the keys of an object under this key must be read together with it."""
    words = _last_words(key)
    return bool(words) and words[-1].lower() in _QUALIFIERS


def _normalise_width(key: str) -> str:
    """Turn full-width and other compatibility letters into ordinary ones (NFKC)."""
    at_once = _MAX_NORMALISED_CHARACTERS
    parts = [key[begin : begin + at_once] for begin in range(0, len(key), at_once)]
    return "".join([unicodedata.normalize("NFKC", part) for part in parts])


def _last_words(key: str) -> list[str]:
    return _KEY_WORD.findall(key[-_MAX_CHARACTERS_OF_LAST_WORDS:])
