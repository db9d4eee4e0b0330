"""Converters of texts, pictures, lists and objects. `capture.money` has those of numbers.

A converter takes a JSON value that is not absent, and returns the column's value or raises
`ConversionError`. `is_absent` recognises the spellings of "nothing", which are stored as NULL.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from data_capture.capture.conversion import (
    ColumnValue,
    ConversionError,
    Unconvertible,
    described_as,
)
from data_capture.capture.id_placeholders import is_id_placeholder
from data_capture.capture.money import integer
from data_capture.images import NotAPicture, check_picture
from data_capture.json_codec import decode_json, encode_json
from data_capture.problems import Problem
from data_capture.redaction.redact import is_masked

MAX_TEXT_CHARACTERS = 10_000  # names, plans and ids are far shorter

_NOTHING = frozenset({"", "n/a", "N/A", "N/a", "n/A"})
_BEGINNINGS_OF_NOTHING = frozenset(
    {"", "n", "N", *(chr(code) for code in range(0x10000) if chr(code).isspace())}
)
_HASH_PLACEHOLDER = "NON-CRYPTO-"  # pages append milliseconds and send it in place of a hash
_REPLACEMENT_CHARACTER = "�"
_MAX_EXPONENT_WRITTEN_OUT = 40
# A letter or a separator, and no spaces: UUIDs, and the ids of Clerk, Firebase and Auth0.
_ZERO_FRACTION = re.compile(r"(?<=[0-9\]])\.0+\Z")  # also behind the mask of a number
_OPAQUE_ID = re.compile(r"(?=[^A-Za-z_|:]{0,255}[A-Za-z_|:]|\d+-)[!-~]{1,255}", re.ASCII)
_DIGITS = re.compile(r"[0-9]+")
_MAX_ID_CHARACTERS = 255
_END_OF_INTEGERS = 2**63  # of SQLite


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
    trimmed = spelled.strip()
    return trimmed.replace("\0", _REPLACEMENT_CHARACTER) if "\0" in trimmed else trimmed


@described_as(
    "A text, which is trimmed; a number is spelled out. A placeholder, such as `undefined`, `0` or "
    "`pending`, identifies nothing."
)
def identifier(value: Any) -> ColumnValue:
    """Convert an identifier to a trimmed text.

    Payments with the same placeholder would be taken for one payment. A number is spelled alike
    whether it was sent as 1001 or 1001.0.
    """
    spelled = text(value)
    if not isinstance(value, str) or is_masked(value):
        spelled = _ZERO_FRACTION.sub("", str(spelled))
    if is_id_placeholder(str(spelled)):
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
    "The page's own number for the user. Other ids, such as a UUID or `user_2NNEqL2nrI`, are "
    "accepted but not stored, because the column is an INTEGER."
)
def page_user_id(value: Any) -> ColumnValue:
    """Convert the page's own user id to an integer.

    An id that is no integer of 64 bits is valid, but does not fit into the column: it becomes NULL.
    So does a number with leading zeros, which could not be told from the same one without them.
    """
    if isinstance(value, str):
        written = value.strip()
        if _OPAQUE_ID.fullmatch(written):
            return None
        if len(written) <= _MAX_ID_CHARACTERS and _DIGITS.fullmatch(written):
            number = int(written)
            return number if number < _END_OF_INTEGERS and str(number) == written else None
    elif isinstance(value, int) and not isinstance(value, bool) and value >= _END_OF_INTEGERS:
        return None
    return integer(value)


@described_as("A list, a JSON array as text, or names separated by commas.")
def json_list(value: Any) -> ColumnValue:
    """Convert a list, a JSON array as text, or names with commas to a JSON array."""
    return encode_json(parse_list(value))


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


def parse_list(value: Any) -> list[Any]:
    """Return a list, a JSON array as text, or names with commas, as a list.

    Raises:
        ConversionError: the value is none of these.
    """
    if isinstance(value, Unconvertible):
        raise ConversionError(value.reason)
    if isinstance(value, str):
        listed = value.strip()
        is_json = listed.startswith("[")
        value = _decode(listed) if is_json else [*filter(None, map(str.strip, listed.split(",")))]
    if not isinstance(value, list):
        raise ConversionError("is not a list")
    return value


def _decode(text: str) -> Any:
    try:
        return decode_json(text)
    except Problem as error:
        raise ConversionError("is not JSON") from error
