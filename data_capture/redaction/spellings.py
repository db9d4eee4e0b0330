"""Digits and signs as they are spelled in URLs, JSON and other scripts than ASCII."""

from __future__ import annotations

import re
import unicodedata

from data_capture.scanning import contains, join_pieces, pause, steps

_LONG_TEXT_CHARACTERS = 100_000
DIGIT_ESCAPE_PREFIXES = ("%3", "\\u003")
# The escapes of digits and separators in URLs and JSON, each with its meaning padded to the same
# length, so that indexes stay the same.
_ESCAPES = [
    *(
        (f"{before}{digit}", f"{digit}".rjust(len(before) + 1))
        for before in DIGIT_ESCAPE_PREFIXES
        for digit in range(10)
    ),
    *(
        (escape, " " * len(escape))
        for escape in ("%20", "%09", "%C2%A0", "%c2%a0", "\\u0020", "\\u00a0", "\\u00A0")
    ),
    *(
        (escape, sign.rjust(len(escape)))
        for sign in ",;|:=_./\n\r"
        for escape in dict.fromkeys((f"%{ord(sign):02X}", f"%{ord(sign):02x}"))
    ),
    *((escape, "\u00b7".rjust(len(escape))) for escape in ("%C2%B7", "%c2%b7", "\\u00b7")),
    *((escape, "-".rjust(len(escape))) for escape in ("%2D", "%2d", "\\u002d", "\\u002D")),
]
_PERCENT_ESCAPE, _JSON_ESCAPE = re.compile("%[0-9A-Fa-f]{2}"), re.compile(r"\\u[0-9A-Fa-f]{4}")
_NON_ASCII_DIGIT = re.compile("[^\\D0-9]")


def has_other_digits(text: str) -> bool:
    """Tell whether a text has digits that are not ASCII."""
    return not text.isascii() and contains(_NON_ASCII_DIGIT, text)


def to_ascii_digits(text: str) -> str:
    """Replace the digits of every script by ASCII's; the length stays the same."""
    if not has_other_digits(text):
        return text
    digits = {digit for step in steps(text) for digit in _NON_ASCII_DIGIT.findall(step)}
    to_ascii = {ord(digit): ord("0") + unicodedata.decimal(digit) for digit in digits}
    return join_pieces(step.translate(to_ascii) for step in steps(text))


def replace_escapes(text: str) -> str:
    """Replace escapes by what they mean; the length stays the same."""
    unescaped = to_ascii_digits(text)
    for escape, meaning in _ESCAPES:
        unescaped = unescaped.replace(escape, meaning)
    # The hexadecimal digits of all other escapes would hide where a number begins.
    for other_escape, filler in ((_PERCENT_ESCAPE, "|||"), (_JSON_ESCAPE, "||||||")):
        unescaped = other_escape.sub(filler, unescaped)
        if len(text) > _LONG_TEXT_CHARACTERS:
            pause()
    return unescaped
