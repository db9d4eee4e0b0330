"""Seed phrases of wallets (BIP-39): twelve or more words in a row of one of its lists.

The lists have 2,048 words each, in ten languages. In the given texts, only the words between the
others do not count: numbers, signs and an "and".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from mnemonic import Mnemonic

from data_capture.scanning import find_in_steps, pause

_MIN_WORDS = 12
MIN_PHRASE_CHARACTERS = _MIN_WORDS * 3 + _MIN_WORDS - 1
"""Of a phrase in ASCII: its shortest words have three letters."""

_MIN_CHINESE_CHARACTERS = _MIN_WORDS + _MIN_WORDS - 1
_MAX_CHARACTERS_BETWEEN = 8  # such as a line end, a number and a point

_STEP_CHARACTERS, _MAX_PHRASE_CHARACTERS = 100_000, 400
_SEPARATORS = (" ", ",", "\n", "-", "\t", "_", "/", ".", "+", "|")
_LANGUAGES = (
    "english", "spanish", "french", "italian", "portuguese", "czech", "japanese", "korean",
    "chinese_simplified", "chinese_traditional",
)  # fmt: skip

# Decomposed, in bytes. Reading the lists takes 20 ms.
_WORDS = frozenset(
    unicodedata.normalize("NFKD", word).encode()
    for language in _LANGUAGES
    for word in Mnemonic(language).wordlist
)
_MARKS = "\u0300-\u036f\u3099\u309a"  # of letters, which decomposing separates
_WORD = re.compile(rf"[^\W\d_](?:[^\W\d_]|[{_MARKS}])*")
_BETWEEN_WORDS = re.compile(rf"[^\w{_MARKS}]+")
_FILLER = "and"
_ENOUGH_WORDS = b"\1" * _MIN_WORDS
# Everything but letters becomes a space; the bytes of other letters than ASCII's stay.
_TO_WORDS = bytes(
    code if code > 0x7F else ord(chr(code).lower() if chr(code).isalpha() else " ")
    for code in range(0x100)
)
# Per call: normalising takes time in the square of the number of combining marks in a row.
_MAX_NORMALISED_CHARACTERS = 64
_NUMBERED_KEY = re.compile(r"(?:[a-z_ -]{0,20}word[ _-]?|w|seed[ _-]?)?[0-9]{1,2}", re.IGNORECASE)


def _decompose(text: str) -> str:
    if text.isascii():
        return text
    at_once = _MAX_NORMALISED_CHARACTERS
    parts = (text[begin : begin + at_once] for begin in range(0, len(text), at_once))
    return "".join([unicodedata.normalize("NFKD", part) for part in parts])


def _is_word(text: str) -> bool:
    return _decompose(text.lower()).encode("utf-8", "replace") in _WORDS


def may_contain_phrase(text: str) -> bool:
    """Tell whether a text may contain a seed phrase; False is never wrong."""
    if len(text) < (MIN_PHRASE_CHARACTERS if text.isascii() else _MIN_CHINESE_CHARACTERS):
        return False
    if len(text) <= _STEP_CHARACTERS:
        return _has_enough_words(text)
    for begin in range(0, len(text), _STEP_CHARACTERS):
        if _has_enough_words(text[begin : begin + _STEP_CHARACTERS + _MAX_PHRASE_CHARACTERS]):
            return True
        pause()
    return False


def _has_enough_words(text: str) -> bool:
    if not text.isascii():
        text = _BETWEEN_WORDS.sub(" ", _decompose(text).lower())
    # Each "and" may stand in the place of a separator.
    for separator in _SEPARATORS:  # a generator would take twice as long
        if text.count(separator) >= _MIN_WORDS - 2:
            break
    else:
        return False
    words = text.encode("utf-8", "replace").translate(_TO_WORDS).split()
    if _FILLER in text and len(words) > _MIN_WORDS:
        words = [word for word in words if word != _FILLER.encode()]
    return _ENOUGH_WORDS in bytes(map(_WORDS.__contains__, words))


def find_phrases(text: str) -> Iterator[tuple[int, int]]:
    """Find the seed phrases in a text; yield each begin and end."""
    begin = end = count = 0
    for found in find_in_steps(_WORD, text):
        if not _is_word(found[0]):
            if found[0].lower() == _FILLER and count:
                end = found.end()
                continue
            if count >= _MIN_WORDS:
                yield begin, end
            count = 0
            continue
        if not count or found.start() - end > _MAX_CHARACTERS_BETWEEN:
            if count >= _MIN_WORDS:
                yield begin, end
            begin, count = found.start(), 0
        count += 1
        end = found.end()
    if count >= _MIN_WORDS:
        yield begin, end


def is_phrase(items: list[Any]) -> bool:
    """Tell whether a list is a seed phrase, one word in each item."""
    return len(items) >= _MIN_WORDS and isinstance(items[0], str) and all(map(_has_one_word, items))


def _has_one_word(item: Any) -> bool:
    if not isinstance(item, str) or len(item) > _MAX_PHRASE_CHARACTERS:
        return False
    words = _WORD.findall(item)
    return len(words) == 1 and _is_word(words[0])


def find_numbered_keys(keys: Iterable[str]) -> list[str]:
    """List the keys that may have one word of a phrase each; none if they are too few."""
    numbered = [key for key in keys if _NUMBERED_KEY.fullmatch(key)]
    return numbered if len(numbered) >= _MIN_WORDS else []


def find_keys_of_words(members: dict[str, Any]) -> frozenset[str]:
    """Return the keys of an object whose values are the words of a seed phrase."""
    if len(members) < _MIN_WORDS:
        return frozenset()
    keys = frozenset(key for key in find_numbered_keys(members) if _has_one_word(members[key]))
    return keys if len(keys) >= _MIN_WORDS else frozenset()
