"""What a text means behind the encodings of URLs, HTML, JSON and full-width typing.

A secret can hide in any of them: `password%3Dhunter2`, `4111&nbsp;1111…`. If a decoded text has a
secret, it takes the place of the encoded one, with the secret masked. Other texts stay as they are.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from urllib.parse import unquote

from data_capture.scanning import contains

MAX_DECODED_CHARACTERS = 100_000
"""Longer texts are not decoded."""

_MAX_LAYERS = 3  # a URL in a URL in a URL
_PERCENT_ESCAPE = re.compile("%[0-9A-Fa-f]{2}")
_ENTITY = re.compile("&(?:#[0-9xX]|[A-Za-z]{2,8};)")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_ESCAPE = re.compile(r"\\(?:([nrt])|u([0-9A-Fa-f]{4}))")
_SURROGATES = range(0xD800, 0xE000)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Full-width forms, letters in another typeface, and characters that are not seen.
_OTHER_FORM = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u2024\u202a-\u202e\u2060-\u2064\ufe50-\ufe6b\ufeff"
    "\uff01-\uff5e\U0001d400-\U0001d7ff]"
)
# Per call: normalising takes time in the square of the number of combining marks in a row.
_MAX_NORMALISED_CHARACTERS = 64


def has_other_forms(text: str) -> bool:
    """Tell whether a text has full-width forms or characters that are not seen."""
    return not text.isascii() and contains(_OTHER_FORM, text)


def has_entity(text: str) -> bool:
    """Tell whether a text has an entity of HTML."""
    return "&" in text and contains(_ENTITY, text)


def find_decodings(text: str) -> Iterator[Callable[[str], str]]:
    """Find the functions that decode a text, which none does to most texts."""
    if len(text) > MAX_DECODED_CHARACTERS:
        return
    if "%" in text and _PERCENT_ESCAPE.search(text):
        yield _decode_percent_escapes
    if "&" in text and _ENTITY.search(text):
        yield html.unescape
    if "\\" in text and _ESCAPE.search(text):
        yield _decode_escapes
    if "<" in text and _TAG.search(text):
        yield _remove_tags
    if has_other_forms(text):
        yield _replace_other_forms


def _decode_percent_escapes(text: str) -> str:
    for _ in range(_MAX_LAYERS):
        decoded = unquote(text, errors="replace")
        if decoded == text:
            break
        text = decoded
    return text


def _decode_escapes(text: str) -> str:
    def decode(found: re.Match[str]) -> str:
        if found[1]:
            return {"n": "\n", "r": "\r", "t": "\t"}[found[1]]
        code = int(found[2], 16)
        return _REPLACEMENT if code in _SURROGATES else chr(code)

    return _ESCAPE.sub(decode, text)


def _remove_tags(text: str) -> str:
    return _TAG.sub(" ", text)


def _replace_other_forms(text: str) -> str:
    at_once = _MAX_NORMALISED_CHARACTERS
    parts = (text[begin : begin + at_once] for begin in range(0, len(text), at_once))
    usual = "".join([unicodedata.normalize("NFKC", part) for part in parts])
    return "".join([mark for mark in usual if unicodedata.category(mark) != "Cf"])
