"""What a key says of its value, in any spelling: that it is a secret, a card number, or neither.

A key is read as its words: "cardCvv", "card_cvv", "CARD-CVV" and "card cvv2" are all card and cvv.
"""

from __future__ import annotations

import re
import unicodedata

_KEY_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

_SECRET_ANYWHERE = (
    "password", "passwd", "passphrase", "passcode", "cvv", "cvc", "securitycode", "cardcode", "verificationcode",
    "verificationvalue", "onetimecode", "privatekey", "privkey", "secretkey", "signingkey", "encryptionkey", "accesskey",
    "apikey", "sessionkey", "clientsecret", "apisecret", "seedphrase", "seedwords", "secretphrase", "walletphrase",
    "backupphrase", "recoveryphrase", "recoverywords", "recoverykey", "recoverycode", "backupcode", "walletseed", "mnemonic",
    "authorization", "accesstoken", "refreshtoken", "authtoken", "sessiontoken", "bearertoken",
)  # fmt: skip
_SECRET_LAST_WORDS = frozenset({
    "token", "secret", "secrets", "pwd", "pass", "pin", "pins", "jwt", "cookie", "cookies", "otp", "totp", "seed", "wif", "cvn",
    "csc", "bearer", "pincode", "cardpin", "atmpin", "userpin", "loginpin", "newpin", "oldpin", "mypin",
})  # fmt: skip
_SECRET_LAST_TWO_WORDS = frozenset(
    {("pin", "code"), ("pin", "number"), ("pin", "no"), ("card", "cid"), ("auth", "tokens")}
)
_SECRET_LAST_LETTERS = ("token", "secret")  # "accesstoken", all in lower case, is one word
_CARD_KEYS = frozenset(
    {"pan", "cardpan", "primaryaccountnumber", "creditcard", "debitcard", "bankcard", "paymentcard"}
)
_CARD_LAST_LETTERS = ("cardnumber", "cardnum", "cardno", "cardnr", "ccnumber", "ccnum", "ccno")
# What is in an object under such a key is named by both: {"card": {"number": …, "code": …}}, {"private": {"key": …}}.
_FIRST_HALVES = frozenset({
    "card", "cc", "security", "verification", "private", "secret", "api", "access", "auth", "recovery", "backup", "seed",
    "wallet", "session", "client", "pin", "code",
})  # fmt: skip
NAMES_OF_PAIRS = (
    "name",
    "key",
    "field",
    "id",
)  # {"name": "cvv", "value": "123"}, as forms are put into lists


_SECRETS = re.compile("|".join(_SECRET_ANYWHERE))
_NO_LETTERS = re.compile("[^A-Za-z]+")
_LAST_WORDS_CHARACTERS = (
    100  # in which the last two words are looked for; those that say something have eight at most
)
_MAX_NORMALISED_CHARACTERS = (
    64  # at once: putting marks in order takes time in the square of how many follow each other
)


def role_of(key: str) -> str:
    """'secret', 'card' or '' for a key."""
    plain = key if key.isascii() else _normalised(key)  # letters in full width, say
    letters = _NO_LETTERS.sub("", plain).lower()
    words = [word.lower() for word in _last_words(plain)]
    if _SECRETS.search(letters):
        return "secret"
    if words and (words[-1] in _SECRET_LAST_WORDS or words[-1].endswith(_SECRET_LAST_LETTERS)):
        return "secret"
    if tuple(words[-2:]) in _SECRET_LAST_TWO_WORDS:
        return "secret"
    return "card" if letters in _CARD_KEYS or letters.endswith(_CARD_LAST_LETTERS) else ""


def _normalised(key: str) -> str:
    at_once = _MAX_NORMALISED_CHARACTERS
    return "".join(
        [
            unicodedata.normalize("NFKC", key[start : start + at_once])
            for start in range(0, len(key), at_once)
        ]
    )


def is_first_half(key: str) -> bool:
    """Whether the keys of an object under this one are to be read together with it."""
    words = _last_words(key)
    return bool(words) and words[-1].lower() in _FIRST_HALVES


def _last_words(key: str) -> list[str]:
    return _KEY_WORD.findall(key[-_LAST_WORDS_CHARACTERS:])
