"""Seed phrases of wallets (BIP-39): twelve or more of its 2,048 English words in a row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from mnemonic import Mnemonic

from data_capture.scanning import find_in_steps, pause

_MIN_WORDS = 12
MIN_PHRASE_CHARACTERS = _MIN_WORDS * 3 + _MIN_WORDS - 1  # the shortest words have three letters
_MAX_CHARACTERS_BETWEEN = 8  # such as a line end, a number and a point

_STEP_CHARACTERS, _MAX_PHRASE_CHARACTERS = 100_000, 400
_SEPARATORS = (" ", ",", "\n", "-", "\t")

_WORDS = frozenset(Mnemonic("english").wordlist)
_WORDS_IN_BYTES = frozenset(word.encode() for word in _WORDS)
_WORD = re.compile(r"[^\W\d_]+")
_ENOUGH_WORDS = b"\1" * _MIN_WORDS
# Everything but letters becomes a space; the bytes of other letters than ASCII's stay.
_TO_WORDS = bytes(
    code if code > 0x7F else ord(chr(code).lower() if chr(code).isalpha() else " ")
    for code in range(0x100)
)


def may_contain_phrase(text: str) -> bool:
    """Tell whether a text may contain a seed phrase; False is never wrong."""
    if len(text) < MIN_PHRASE_CHARACTERS:
        return False
    if len(text) <= _STEP_CHARACTERS:
        return _has_enough_words(text)
    for begin in range(0, len(text), _STEP_CHARACTERS):
        if _has_enough_words(text[begin : begin + _STEP_CHARACTERS + _MAX_PHRASE_CHARACTERS]):
            return True
        pause()
    return False


def _has_enough_words(text: str) -> bool:
    if not any(text.count(separator) >= _MIN_WORDS - 1 for separator in _SEPARATORS):
        return False
    words = text.encode("utf-8", "replace").translate(_TO_WORDS).split()
    return _ENOUGH_WORDS in bytes(map(_WORDS_IN_BYTES.__contains__, words))


def find_phrases(text: str) -> Iterator[tuple[int, int]]:
    """Find the seed phrases in a text; yield each begin and end."""
    begin = end = count = 0
    for found in find_in_steps(_WORD, text):
        if found[0].lower() not in _WORDS:
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
    return (
        len(items) >= _MIN_WORDS
        and isinstance(items[0], str)
        and all(isinstance(item, str) and item.strip().lower() in _WORDS for item in items)
    )
