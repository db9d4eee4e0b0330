"""What may never be stored or logged, and how it is masked.

Three rules, at any depth of a payload, inside a text that is itself JSON too:

- by key: the value of a key that names a secret (password, CVV, PIN, token, API key, private key, seed phrase) becomes
  `[redacted]`; the value of one that names a card number becomes `[card ****1111]`.
- by value: a card number anywhere in a text (13 to 19 digits, spaces or hyphens between, an issuer's prefix, a valid
  Luhn sum: ISO/IEC 7812-1) becomes `[card ****1111]`; a JSON Web Token becomes `[redacted]`.
- by words: what follows `password=`, `"cvv":` and the like in a text (an address's query, a log line) becomes `[redacted]`.

PCI DSS 3.3 forbids keeping CVVs and PINs after authorisation, 3.4 allows the last four digits of a card number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

from data_capture.payloads import decode_json, encode_json, is_picture
from data_capture.problems import Problem

REDACTED = "[redacted]"

# Words of a key, in any spelling: "cardCvv", "card_cvv", "CARD-CVV" and "card cvv2" are all card + cvv.
_KEY_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LONGEST_KEY_CHARACTERS = 100  # of a longer one, only the end is looked at

_SECRET_ANYWHERE = (
    "password", "passwd", "passphrase", "passcode", "cvv", "cvc", "securitycode", "privatekey", "secretkey", "clientsecret",
    "apisecret", "seedphrase", "seedwords", "recoveryphrase", "recoverywords", "mnemonic", "apikey", "authorization", "accesskey",
)  # fmt: skip
_SECRET_LAST_WORDS = frozenset({"token", "secret", "pwd", "pass", "pin", "jwt", "cookie", "otp", "seed"})
_SECRET_LAST_LETTERS = ("token", "secret")  # "accesstoken", all in lower case, is one word
_CARD_KEYS = frozenset({"cardnumber", "cardno", "cardnum", "ccnumber", "ccnum", "creditcard", "debitcard", "pan"})

_SECRET_IN_TEXT = re.compile(
    r"""( (?: pass(?:word|wd|phrase|code) | pwd | cv[vc]2? | security[ _-]?code | (?:api|private|secret|access)[ _-]?key
            | (?:api|client)[ _-]?secret | (?:access|refresh|auth|id|session)[ _-]?token | [?&#]token
            | seed[ _-]?phrase | recovery[ _-]?phrase | mnemonic )
          \\*["']? \s* [=:] \s* )
        (?! \[redacted\] ) (?: "[^"]*"? | '[^']*'? | \\+"[^"]*"? | [^\s&,;"'}]+ )""",
    re.IGNORECASE | re.VERBOSE,
)
_WEB_TOKEN_IN_TEXT = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")

_DIGITS = frozenset("0123456789")
_SHORTEST_CARD, _LONGEST_CARD = 13, 19  # digits
_LEAST_CARD_NUMBER = 10 ** (_SHORTEST_CARD - 1)
_LONGEST_PHONE = 15  # digits after a plus sign (ITU-T E.164)
_SEPARATOR = "[ +\t\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{HYPHEN}-\N{EM DASH}-]{0,3}"
# Their hexadecimal digits would hide where a number begins.
_ESCAPE = re.compile(r"\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2}")
# A UUID is looked for first, since parts of some would pass for cards. After a point, digits are a fraction's.
_DIGITS_IN_TEXT = re.compile(
    r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])"
    rf"|(?P<digits>(?<![0-9])(?<![0-9]\.)[0-9](?:{_SEPARATOR}[0-9]){{12,}})"
)
_ISSUER = re.compile(
    r"4|5[0-8]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|3[47]|3(?:0[0-5]|[689])|35(?:2[89]|[3-8])|6(?:011|[2-57])"
)  # Visa, Mastercard and Maestro, American Express, Diners Club, JCB, Discover, UnionPay
# What every text that has to be masked has: JSON's brackets, an escape, a web token's first letters, "=" or ":" after
# something else than a digit (a key that names a secret ends in none, but for cvv2), or an issuer's first digit where a
# number begins and 12 more after it. Most texts have nothing of it, and finding that out is quick.
_MAY_HOLD_A_SECRET = re.compile(
    rf"""[{{\[\\%J=:2-6]
        (?: (?<=[{{\[\\]) | (?<=%)[0-9A-Fa-f]{{2}} | (?<=eyJ) | (?<=[=:])(?: (?<![0-9].) | (?<=[vVcC]2.) )
            | (?<=[2-6])(?<![0-9].)(?:{_SEPARATOR}[0-9]){{12}} )""",
    re.DOTALL | re.VERBOSE,
)
_LETTERS_BEFORE = re.compile(r"([0-9]?)([A-Za-z]+)$")
_LETTERS_AFTER = re.compile(r"[A-Za-z]+([0-9]?)")
_LONGEST_WORD_CHARACTERS = 32
_MOST_TEXT_LAYERS = 2  # JSON in a text in JSON; more would take the walk's recursion too deep


def redact(value: Any, layers: int = _MOST_TEXT_LAYERS) -> Any:
    """`value`, a JSON value as `payloads` parses it, with every secret in it masked.

    Args:
        value: the JSON value.
        layers: how deep JSON may lie inside texts for its keys to count; further down, only the looks and words do.
    """
    if isinstance(value, str):
        return redact_text(value, layers)
    if isinstance(value, dict):
        masked = {}
        for key, member in value.items():
            name, role = _masked_key(key)
            if role:
                masked[name] = _redact_member(role, member, layers)
            else:  # a text, as most are, without the way through this function
                masked[name] = redact_text(member, layers) if isinstance(member, str) else redact(member, layers)
        return masked
    if isinstance(value, list):
        return [redact(item, layers) for item in value]
    return _redact_number(value) if isinstance(value, (int, Decimal)) else value


def redact_text(text: str, layers: int = 0) -> str:
    """`text` with the secrets in it masked; where it is JSON, down to this many layers, by its keys too."""
    if is_picture(text) or not _MAY_HOLD_A_SECRET.search(text):
        return text
    if layers and text.lstrip()[:1] in ("{", "["):
        try:
            inner = decode_json(text)
        except Problem:
            pass
        else:
            masked = redact(inner, layers - 1)
            return text if masked == inner else encode_json(masked)
    if "=" in text or ":" in text:
        text = _SECRET_IN_TEXT.sub(rf"\1{REDACTED}", text)
    if len(text) < _SHORTEST_CARD:
        return text
    text = _mask_cards(text, text)
    if "%" in text or "\\u" in text:
        text = _mask_cards(text, _ESCAPE.sub(lambda found: ("   " if found[0] == "%20" else "|" * len(found[0])), text))
    return _WEB_TOKEN_IN_TEXT.sub(REDACTED, text) if "eyJ" in text else text


def _redact_number(number: int | Decimal) -> Any:
    if -_LEAST_CARD_NUMBER < number < _LEAST_CARD_NUMBER:
        return number
    exponent = number.adjusted() if isinstance(number, Decimal) else len(str(abs(number))) - 1
    if exponent >= _LONGEST_CARD:
        return number
    masked = redact_text(format(abs(number), "f" if isinstance(number, Decimal) else "d"))
    return masked if masked.startswith("[") else number


def _redact_member(role: str, member: Any, layers: int) -> Any:
    """`member`, masked as the value of a key with this role, 'secret' or 'card'."""
    if not isinstance(member, (bool, dict, list)) and member not in (None, ""):
        return _mask_card(str(member)) if role == "card" else REDACTED
    if isinstance(member, list):
        return [_redact_member(role, item, layers) for item in member]
    if role == "secret" and isinstance(member, dict):
        return {redact_text(inner): _redact_member(role, item, layers) for inner, item in member.items()}
    return redact(member, layers)


def _masked_key(key: str) -> tuple[str, str]:
    """A key with the secrets in it masked, and its role."""
    if len(key) > _LONGEST_KEY_CHARACTERS:
        return redact_text(key), _role_of(key[-_LONGEST_KEY_CHARACTERS:])
    return _masked_short_key(key)


@lru_cache(maxsize=4096)
def _masked_short_key(key: str) -> tuple[str, str]:
    return redact_text(key), _role_of(key)


def _role_of(key: str) -> str:
    """'secret', 'card' or '' for a key."""
    words = [word.lower() for word in _KEY_WORD.findall(key)]
    letters = "".join(words)
    if any(secret in letters for secret in _SECRET_ANYWHERE):
        return "secret"
    if words and (words[-1] in _SECRET_LAST_WORDS or words[-1].endswith(_SECRET_LAST_LETTERS)):
        return "secret"
    return "card" if letters in _CARD_KEYS or letters.endswith("cardnumber") else ""


def _mask_cards(text: str, seen_as: str) -> str:
    """`text` with the card numbers that are found in `seen_as`, which is as long, masked."""
    masked: list[str] = []
    kept_to = 0
    for found in _DIGITS_IN_TEXT.finditer(seen_as):
        for start, end in _cards_in(found) if found["digits"] else ():
            last_four = re.sub(r"\D", "", seen_as[start:end])[-4:]
            masked += [text[kept_to:start], f"[card ****{last_four}]"]
            kept_to = end
    return "".join(masked) + text[kept_to:] if masked else text


def _cards_in(found: re.Match[str]) -> Iterator[tuple[int, int]]:
    """Where the card numbers in a run of digits with spaces or hyphens between begin and end.

    A card number begins and ends where the run does or at a separator, so that an expiry date or an amount beside it
    does not hide it, and no part of one long number is taken for a card.
    """
    text = found.string
    at = [index for index in range(found.start(), found.end()) if text[index] in _DIGITS]
    luhn = _LuhnSums(text, at)
    start = 0
    while start <= len(at) - _SHORTEST_CARD:
        begins = start == 0 or at[start] - at[start - 1] > 1
        length = luhn.card_length(start) if begins else 0
        if length and not _is_something_else(text, at[start], at[start + length - 1] + 1, length):
            yield at[start], at[start + length - 1] + 1
            start += length
        else:
            start += 1


class _LuhnSums:
    """The Luhn sums of the digits at some places of a text, so that any stretch of them is checked at once."""

    def __init__(self, text: str, at: list[int]) -> None:
        self._text, self._at = text, at
        self._sums = [0], [0]  # with every digit at an even place doubled, and at an odd one
        for place, index in enumerate(at):
            digit = ord(text[index]) - ord("0")
            doubled = digit * 2 - 9 * (digit > 4)
            self._sums[0].append(self._sums[0][-1] + (digit if place % 2 else doubled))
            self._sums[1].append(self._sums[1][-1] + (doubled if place % 2 else digit))

    def card_length(self, start: int) -> int:
        """How many digits from this one on are a card number, as many as possible; 0 when they are none."""
        if not _ISSUER.match("".join(self._text[index] for index in self._at[start : start + 4])):
            return 0
        for end in range(min(start + _LONGEST_CARD, len(self._at)), start + _SHORTEST_CARD - 1, -1):
            ends = end == len(self._at) or self._at[end] - self._at[end - 1] > 1
            sums = self._sums[end % 2]  # counted from the right, every second digit is doubled
            if ends and (sums[end] - sums[start]) % 10 == 0:
                return end - start
        return 0


def _is_something_else(text: str, start: int, end: int, length: int) -> bool:
    """Whether what looks like a card number is a phone number, or a stretch of a hash or another mixed identifier."""
    if text[start - 1 : start] == "+" and length <= _LONGEST_PHONE:
        return True
    before = _LETTERS_BEFORE.search(text[max(0, start - _LONGEST_WORD_CHARACTERS) : start])
    after = _LETTERS_AFTER.match(text, end, end + _LONGEST_WORD_CHARACTERS)
    return bool((before and before[1]) or (after and after[1]))


def _mask_card(text: str) -> str:
    digits = re.sub(r"\D", "", text)
    return f"[card ****{digits[-4:]}]" if len(digits) >= 12 else REDACTED
