"""Converters of texts, pictures, lists and objects. `capture.money` has those of numbers.

A converter takes a JSON value that is not absent, and returns the column's value or raises
`ConversionError`. `is_absent` recognises the spellings of "nothing", which are stored as NULL.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from data_capture.capture.conversion import ColumnValue, ConversionError, described_as
from data_capture.capture.money import integer
from data_capture.images import NotAPicture, check_picture
from data_capture.json_codec import decode_json, encode_json
from data_capture.problems import Problem

MAX_TEXT_CHARACTERS = 10_000  # names, plans and ids are far shorter

_NOTHING = frozenset({"", "n/a", "N/A", "N/a", "n/A"})
_BEGINNINGS_OF_NOTHING = frozenset(
    {"", "n", "N", *(chr(code) for code in range(0x10000) if chr(code).isspace())}
)
_HASH_PLACEHOLDER = "NON-CRYPTO-"  # pages append milliseconds and send it in place of a hash
_REPLACEMENT_CHARACTER = "�"
_MAX_EXPONENT_WRITTEN_OUT = 40
# Pages send these in place of an identifier that they do not have.
_IDENTIFIER_PLACEHOLDER = re.compile(
    r"undefined|null|none|nil|nan|true|false|yes|no|unknown|unset|empty|tbd|na|n\.a\.|#n/a"
    r"|pending|processing|completed?|success|succeeded|failed|cancell?ed"
    r"|not[ _-](?:set|available)|\[object [a-z]*\]|[0.,]+|\W+",
    re.IGNORECASE,
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_absent(value: Any) -> bool:
    """Tell whether a value means "nothing": null, blank, "N/A", a hash's placeholder."""
    if not isinstance(value, str):
        return value is None
    # Most texts say something. Without this shortcut, parsing takes 2 to 3 % longer.
    if value[:1] not in _BEGINNINGS_OF_NOTHING:
        return False
    return value.strip() in _NOTHING or value.startswith(_HASH_PLACEHOLDER)


@described_as("A text, which is trimmed. A number or truth value is spelled out.")
def text(value: Any) -> ColumnValue:
    """Convert a value to a trimmed text, and spell out a number or truth value.

    NUL becomes U+FFFD, because sqlite3 stops reading a text at a NUL.
    """
    spelled = value if isinstance(value, str) else _spell_out(value)
    if len(spelled) > MAX_TEXT_CHARACTERS:
        raise ConversionError(f"is longer than {MAX_TEXT_CHARACTERS:,} characters")
    return spelled.strip().replace("\0", _REPLACEMENT_CHARACTER)


@described_as(
    "A text, which is trimmed; a number is spelled out. A placeholder, such as `undefined`, `0` or "
    "`pending`, identifies nothing."
)
def identifier(value: Any) -> ColumnValue:
    """Convert an identifier to a trimmed text.

    Payments with the same placeholder would be taken for one payment.
    """
    spelled = text(value)
    if _IDENTIFIER_PLACEHOLDER.fullmatch(str(spelled)):
        raise ConversionError("is a placeholder and identifies nothing")
    return spelled


@described_as("A picture in base64, stored exactly as it was sent.")
def picture(value: Any) -> ColumnValue:
    """Check that a value is a picture in base64, and return it unchanged."""
    try:
        check_picture(value)
    except NotAPicture as error:
        raise ConversionError(str(error)) from error
    return str(value)


@described_as(
    "The page's own number for the user. A UUID (Supabase) is accepted but not stored, because the "
    "column is an INTEGER."
)
def page_user_id(value: Any) -> ColumnValue:
    """Convert the page's own user id to an integer.

    A UUID (Supabase) is a valid id, but does not fit into an INTEGER column: it becomes NULL.
    """
    if isinstance(value, str) and _UUID.fullmatch(value.strip()):
        return None
    return integer(value)


@described_as("A list, a JSON array as text, or names separated by commas.")
def json_list(value: Any) -> ColumnValue:
    """Convert a list, a JSON array as text, or names with commas to a JSON array."""
    if isinstance(value, str):
        value = _parse_list(value.strip())
    if not isinstance(value, list):
        raise ConversionError("is not a list")
    return encode_json(value)


@described_as("An object or a list, or the JSON text of one.")
def json_state(value: Any) -> ColumnValue:
    """Convert an object, a list, or the JSON text of one to JSON."""
    if isinstance(value, str):
        value = _decode(value.strip())
    if not isinstance(value, (dict, list)):
        raise ConversionError("is not an object")
    return encode_json(value)


@described_as("Any JSON value.")
def json_any(value: Any) -> ColumnValue:
    """Convert any JSON value to JSON text."""
    return encode_json(value)


def _spell_out(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal) and abs(value.adjusted()) < _MAX_EXPONENT_WRITTEN_OUT:
        return format(value, "f")  # 0.00000001, where str() would write 1E-8
    if isinstance(value, (int, Decimal)):
        return str(value)
    raise ConversionError("is not a text")


def _parse_list(text: str) -> Any:
    if text.startswith("["):
        return _decode(text)
    return [part.strip() for part in text.split(",") if part.strip()]


def _decode(text: str) -> Any:
    try:
        return decode_json(text)
    except Problem as error:
        raise ConversionError("is not JSON") from error
