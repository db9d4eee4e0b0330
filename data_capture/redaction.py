"""What may never be stored or logged, and how it is masked.

Two rules, at any depth of a payload:

- by key: the value of a key that names a secret (password, CVV, PIN, token, API key, private key, seed phrase) becomes
  `[redacted]`; the value of one that names a card number becomes `[card ****1111]`.
- by value: a card number anywhere in a text (13 to 19 digits, spaces or hyphens between, an issuer's prefix, a valid
  Luhn sum: ISO/IEC 7812-1) becomes `[card ****1111]`; a JSON Web Token becomes `[redacted]`.

PCI DSS 3.3 forbids keeping CVVs and PINs after authorisation, 3.4 allows the last four digits of a card number.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"

# Words of a key, in any spelling: "cardCvv", "card_cvv", "CARD-CVV" and "card cvv" are all card + cvv.
_KEY_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_SECRET_ANYWHERE = (
    "password", "passwd", "passphrase", "passcode", "cvv", "cvc", "securitycode", "privatekey", "secretkey", "clientsecret",
    "apisecret", "seedphrase", "recoveryphrase", "mnemonic", "apikey", "authorization", "accesskey",
)  # fmt: skip
_SECRET_LAST_WORDS = frozenset({"token", "secret", "pwd", "pin", "jwt", "cookie", "otp"})
_SECRET_LAST_LETTERS = ("token", "secret")  # "accesstoken", all in lower case, is one word
_CARD_KEYS = frozenset({"cardnumber", "cardno", "cardnum", "ccnumber", "ccnum", "creditcard", "debitcard", "pan"})

_DIGITS_IN_TEXT = re.compile(r"(?<![0-9A-Za-z])[0-9](?:[ -]?[0-9]){12,}(?![0-9A-Za-z])")
_SHORTEST_CARD, _LONGEST_CARD = 13, 19  # digits
_WEB_TOKEN_IN_TEXT = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")
_ISSUER = re.compile(
    r"4|5[0-8]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|3[47]|3(?:0[0-5]|[689])|35(?:2[89]|[3-8])|6(?:011|[2-57])"
)  # Visa, Mastercard and Maestro, American Express, Diners Club, JCB, Discover, UnionPay

# Finds nothing in a text that holds nothing to mask, and then no walk of the payload is needed.
_MAYBE = re.compile(
    r"pass|pwd|pin\b|pin[\"_-]|cvv|cvc|security|private|secret|seed|recovery|mnemonic|api.?key|auth|access|token|jwt|cookie|otp"
    r"|card|cc.?num|pan\b|eyJ|(?<![0-9A-Za-z])[2-6](?:[ -]?[0-9]){12}",
    re.IGNORECASE,
)


def may_hold_secrets(text: str) -> bool:
    """Whether a payload's JSON text needs `redact` at all; never False for one that does."""
    return _MAYBE.search(text) is not None


def redact(value: Any) -> Any:
    """`value`, a JSON value, with every secret in it masked."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return {redact_text(key): _redact_member(key, member) for key, member in value.items()}
    if isinstance(value, list):
        return [redact(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        masked = redact_text(str(value)) if value >= 10**12 else str(value)
        return masked if masked.startswith("[") else value
    return value


def redact_text(text: str) -> str:
    """`text` with the card numbers and web tokens in it masked."""
    if len(text) < 13:
        return text
    text = _DIGITS_IN_TEXT.sub(lambda found: _mask_cards(found[0]), text)
    return _WEB_TOKEN_IN_TEXT.sub(REDACTED, text) if "eyJ" in text else text


def _redact_member(key: str, member: Any) -> Any:
    role = _role_of(key) if len(key) <= 100 else ""
    if role and not isinstance(member, (bool, dict, list)) and member not in (None, ""):
        return _mask_card(str(member)) if role == "card" else REDACTED
    if role and isinstance(member, list):
        return [_redact_member(key, item) for item in member]
    if role == "secret" and isinstance(member, dict):
        return {inner: _redact_member(key, item) for inner, item in member.items()}
    return redact(member)


@lru_cache(maxsize=4096)
def _role_of(key: str) -> str:
    """'secret', 'card' or '' for a key."""
    words = [word.lower() for word in _KEY_WORD.findall(key)]
    letters = "".join(words)
    if any(secret in letters for secret in _SECRET_ANYWHERE):
        return "secret"
    if words and (words[-1] in _SECRET_LAST_WORDS or words[-1].endswith(_SECRET_LAST_LETTERS)):
        return "secret"
    return "card" if letters in _CARD_KEYS or letters.endswith("cardnumber") else ""


def _mask_cards(run: str) -> str:
    """A run of digits with spaces or hyphens between, with each card number in it masked.

    A card number begins and ends where the run does or at a separator, so that an expiry date or an amount beside it
    does not hide it, and no part of one long number is taken for a card.
    """
    at = [index for index, character in enumerate(run) if character.isdigit()]
    masked, kept_to, start = [], 0, 0
    while start <= len(at) - _SHORTEST_CARD:
        begins = at[start] == 0 or not run[at[start] - 1].isdigit()
        length = _card_length(run, at[start : start + _LONGEST_CARD + 1]) if begins else 0
        if not length:
            start += 1
            continue
        end = at[start + length - 1] + 1
        masked += [run[kept_to : at[start]], f"[card ****{''.join(run[i] for i in at[start + length - 4 : start + length])}]"]
        kept_to, start = end, start + length
    return "".join(masked) + run[kept_to:]


def _card_length(run: str, at: list[int]) -> int:
    """How many of the digits at these places are a card number, from the first on; 0 when they are none."""
    digits = [int(run[index]) for index in at]
    if not _ISSUER.match("".join(map(str, digits[:4]))):
        return 0
    found = 0
    # Whether a digit is doubled depends on where the number ends, so both sums are kept.
    even_doubled = odd_doubled = 0
    for place, digit in enumerate(digits[:_LONGEST_CARD]):
        double = digit * 2 - 9 * (digit > 4)
        even_doubled += digit if place % 2 else double
        odd_doubled += double if place % 2 else digit
        length = place + 1
        ends = length == len(at) or at[place] + 1 != at[place + 1]
        if length >= _SHORTEST_CARD and ends and (odd_doubled if length % 2 else even_doubled) % 10 == 0:
            found = length
    return found


def _mask_card(text: str) -> str:
    digits = re.sub(r"\D", "", text)
    return f"[card ****{digits[-4:]}]" if len(digits) >= 12 else REDACTED

