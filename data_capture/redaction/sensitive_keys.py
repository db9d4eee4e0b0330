"""Classifying keys: does a key name a secret, a card number, or neither?

A key is split into words: "cardCvv", "card_cvv", "CARD-CVV" and "card cvv2" all have the words
card and cvv. Accents do not count. The names are in `secret_names.json`, which also has the cases
that these rules are tested with.
"""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any, Literal

from data_capture.redaction.identifiers import Identifier, identifier_named_by

Role = Literal["secret", "token", "coin", "cookie", "pincode", "pin code", "card", ""]
"""What a key says about its value.

The values of the middle five are secrets, too, unless they are something else by their form:
`harmless_values.py` knows what.
"""

_NAMES: dict[str, Any] = json.loads(
    Path(__file__).with_name("secret_names.json").read_text(encoding="utf-8")
)

_KEY_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")
_NO_LETTERS = re.compile(r"[\W\d_]+")
# Letters that Unicode does not decompose into a letter and an accent.
_BARE_LETTERS = str.maketrans("łŁđĐøØħĦı", "lLdDoOhHi")

# The key of an object that qualifies the keys inside: {"card": {"number": …, "code": …}},
# {"private": {"key": …}}.
_QUALIFIERS = frozenset({
    "card", "cc", "security", "verification", "private", "secret", "api", "access", "auth",
    "recovery", "backup", "seed", "wallet", "session", "client", "pin", "code", "mfa", "sms", "otp",
    "totp", "fa", "factor", "keys", "tokens",
})  # fmt: skip
_QUALIFIERS_OF_TWO_WORDS = frozenset({("security", "question"), ("security", "questions")})
_OWNERS_OF_PINS = frozenset({"card", "atm", "user", "login", "security", "debit", "my", "new"})

NAMES_OF_PAIRS = ("name", "key", "field", "id", "fieldName", "field_name", "label", "title", "k")
"""Members that name the value beside them, as forms send it: {"name": "cvv", "value": "123"}."""

VALUES_OF_PAIRS = ("value", "val", "values", "fieldValue", "field_value", "answer", "v")
TYPES_OF_PAIRS = ("type", "inputType", "input_type")
"""Members with the type of an input field; only the type `password` counts."""

_MAX_CHARACTERS_OF_LAST_WORDS = 100  # significant words have at most 14 characters
# Per call: normalising takes time in the square of the number of combining marks in a row.
_MAX_NORMALISED_CHARACTERS = 64
_MIN_ENDING_CHARACTERS = 6  # "passwordstrength", all in lower case, is one word


def _without_accents(text: str) -> str:
    """Turn accented, full-width and other compatibility letters into ordinary ones (NFKD)."""
    at_once = _MAX_NORMALISED_CHARACTERS
    parts = [text[begin : begin + at_once] for begin in range(0, len(text), at_once)]
    decomposed = "".join([unicodedata.normalize("NFKD", part) for part in parts])
    bare = "".join([mark for mark in decomposed if not unicodedata.combining(mark)])
    return bare.translate(_BARE_LETTERS)


def _letters_of(text: str) -> str:
    return _NO_LETTERS.sub("", text).casefold()


def _plain(name: str) -> frozenset[str]:
    return frozenset({_letters_of(_without_accents(word)) for word in _NAMES[name]})


_ANYWHERE = re.compile("|".join(sorted(_plain("anywhere"))).replace("password", "password(?!less)"))
_ANY_WORD, _WHOLE_NAMES, _LAST_WORDS = map(_plain, ("any_word", "whole_names", "last_words"))
_LAST_WORD_ENDINGS = tuple(_NAMES["last_word_endings"])
_LAST_TWO_WORDS = frozenset(map(tuple, _NAMES["last_two_words"]))
_WORDS_BEFORE_CODE = _plain("words_before_code")
_ONE_WORD_CODES = frozenset({f"{word}code" for word in _WORDS_BEFORE_CODE})
_CONFIRMING, _COINS, _TICKETS = map(
    _plain, ("confirming_last_words", "coins_before_token", "tickets_before_pass")
)
_DESCRIBING_FIRST, _DESCRIBING_FIRST_OF_PASSWORDS, _DESCRIBING = map(
    _plain,
    ("describing_first_words", "describing_first_words_of_passwords", "describing_last_words"),
)
_DESCRIBING_ENDINGS = tuple(word for word in _DESCRIBING if len(word) >= _MIN_ENDING_CHARACTERS)
_CARD_CODE = re.compile("cv[cdnv]|csc|securitycode")
_DESCRIBING_OF_CARD_CODES = tuple(_NAMES["describing_last_words_of_card_codes"])
BEGINNINGS_IN_TEXTS: tuple[str, ...] = tuple(_NAMES["beginnings_in_texts"])
"""Letters in lower case with which the last words of names of secrets begin, or that they have."""
_CARD_KEYS, _CARD_ENDINGS = _plain("card"), tuple(_plain("card_endings"))


def role_of(key: str) -> Role:
    """Return whether a key names a secret, a card number or neither, in any spelling."""
    bare = key if key.isascii() else _without_accents(key)
    letters = _letters_of(bare)
    words = [word.casefold() for word in _last_words(bare)]
    while len(words) > 1 and words[-1] in _CONFIRMING:
        words.pop()
    if not words:
        return ""
    is_named = _ANYWHERE.search(letters) is not None
    if not is_named and not _is_secret_by_words(letters, words):
        return "card" if letters in _CARD_KEYS or letters.endswith(_CARD_ENDINGS) else ""
    if _describes_secret(letters, words, is_named=is_named):
        return ""
    return "secret" if is_named else _role_by_last_words(words)


def _is_secret_by_words(letters: str, words: list[str]) -> bool:
    last = words[-1]
    return (
        last in _LAST_WORDS
        or last.endswith(_LAST_WORD_ENDINGS)
        or last in _ONE_WORD_CODES
        or tuple(words[-2:]) in _LAST_TWO_WORDS
        or (last in ("code", "codes") and len(words) > 1 and words[-2] in _WORDS_BEFORE_CODE)
        or letters in _WHOLE_NAMES
        or not _ANY_WORD.isdisjoint(words)
    )


def _describes_secret(letters: str, words: list[str], *, is_named: bool) -> bool:
    """Tell whether a key is about a secret, as `password_strength` is, and does not name it."""
    last = words[-1]
    if words[0] in _DESCRIBING_FIRST and len(words) > 1:
        return True
    if is_named and words[0] in _DESCRIBING_FIRST_OF_PASSWORDS:
        return not (last in _LAST_WORDS or last.endswith(_LAST_WORD_ENDINGS))
    if tuple(words[-2:]) in _LAST_TWO_WORDS:
        return False
    if last in _DESCRIBING or last.endswith(_DESCRIBING_ENDINGS):
        return True
    if last == "pass" and len(words) > 1 and words[-2] in _TICKETS:
        return True
    if _CARD_CODE.search(letters) is None:
        return False
    return words[-1 if last != "code" else -2].endswith(_DESCRIBING_OF_CARD_CODES)


def _role_by_last_words(words: list[str]) -> Role:
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last == "authorization":
        return "token"
    if last in ("cookie", "cookies"):
        return "cookie"
    if last.endswith("token"):
        return "coin" if (last.removesuffix("token") or before) in _COINS else "token"
    if last == "pincode" and before not in _OWNERS_OF_PINS:
        return "pincode"
    return "pin code" if (before, last) == ("pin", "code") else "secret"


def has_name_of_secret(name: str) -> bool:
    """Tell whether a name has a word that names a secret wherever it is, such as `password`."""
    return _ANYWHERE.search(_bare_letters_of(name)) is not None


def is_named_by_last_word(words: list[str]) -> bool:
    """Tell whether such a word ends in the last word: in `seed phrase`, not `password policy`."""
    letters = _bare_letters_of("".join(words))
    begin_of_last = len(letters) - len(_bare_letters_of(words[-1]))
    return any(found.end() > begin_of_last for found in _ANYWHERE.finditer(letters))


def _bare_letters_of(text: str) -> str:
    return _letters_of(text if text.isascii() else _without_accents(text))


def identifier_of(key: str) -> Identifier:
    """Return which identifier a key names that can look like a card number, such as a phone's."""
    bare = key if key.isascii() else _without_accents(key)
    return identifier_named_by([word.casefold() for word in _last_words(bare)])


def is_qualifier(key: str) -> bool:
    """Tell whether the keys of an object under this key must be read together with it."""
    words = [word.lower() for word in _last_words(key)]
    return bool(words) and (
        words[-1] in _QUALIFIERS or tuple(words[-2:]) in _QUALIFIERS_OF_TWO_WORDS
    )


def _last_words(key: str) -> list[str]:
    return _KEY_WORD.findall(key[-_MAX_CHARACTERS_OF_LAST_WORDS:])
