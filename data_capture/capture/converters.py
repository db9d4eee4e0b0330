"""The spellings in which pages send numbers, texts, lists and times, and what each becomes in a column.

A reader takes a JSON value that is there (not null, not empty) and returns what goes into the column, or raises
`ConversionError` with what is wrong, for a person. `is_absent` tells the spellings of "nothing", which are NULL.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from data_capture.images import NotAPicture, check_picture
from data_capture.json_codec import decode_json, encode_json
from data_capture.problems import Problem

ColumnValue = str | int | None
Reader = Callable[[Any], ColumnValue]

MAX_TEXT_CHARACTERS = 10_000  # of a name, a plan, an id: what people and programs call things

_OLDEST_CAPTURE = timedelta(days=7)
_NO_TIME = timedelta(0)

_NOTHING = frozenset({"", "n/a", "N/A", "N/a", "n/A"})
_NO_HASH = "NON-CRYPTO-"  # and the milliseconds: what pages put in the place of a hash that there is none of
# A text that begins with none of these says something, which is so quicker to see than by looking at all of it.
_NOTHING_BEGINS_WITH = frozenset(
    {"", "n", "N", *(chr(code) for code in range(0x10000) if chr(code).isspace())}
)
_NO_NUMBER = frozenset({"", "n/a", "null", "none", "nan", "undefined", "-"})

_CURRENCY = re.compile(
    r"^(?:US\$|[$€£¥]|USDT|USDC|USD|EUR|GBP)\s*|\s*(?:[$€£¥]|USDT|USDC|USD|EUR|GBP)$", re.IGNORECASE
)
# What toLocaleString puts between thousands and before decimals, besides what a keyboard has.
_TYPOGRAPHY = str.maketrans({"\N{NO-BREAK SPACE}": " ", "\N{NARROW NO-BREAK SPACE}": " ", "\N{THIN SPACE}": " ",
                             "\N{RIGHT SINGLE QUOTATION MARK}": "'", "\N{MINUS SIGN}": "-"})  # fmt: skip
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:[, '_]\d{3})+(?:\.\d*)?")  # 1,234.50
_GROUPED_IN_LAKHS = re.compile(r"[+-]?\d{1,2}(?:,\d{2})*,\d{3}(?:\.\d*)?")  # 1,00,000
_GROUPED_WITH_COMMA = re.compile(r"[+-]?\d{1,3}(?:[. ]\d{3})+,\d{1,2}")  # 1.234,50
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d{1,2}")  # 99,80: three digits would be a thousand
_MAX_NUMBER_CHARACTERS = 64
_MAGNITUDE = {"k": Decimal(1000), "m": Decimal(1_000_000)}

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SECONDS_CHARACTERS = len("2024-01-15T10:30:00")
_SAID_CHARACTERS = len("2024-01-15T10:30:00.000+00:00")
_MAX_TIME_CHARACTERS = 1_000  # with blanks around it, and however many decimals
_FRACTION = re.compile(r"\.(\d+)")


class ConversionError(ValueError):
    """A value that no reader of its type can read; the text says what it should be."""


def is_absent(value: Any) -> bool:
    """Whether a page says "nothing" with this value: null, an empty or blank text, "N/A", a placeholder for a hash."""
    if not isinstance(value, str):
        return value is None
    if value[:1] not in _NOTHING_BEGINS_WITH:
        return False
    return value.strip() in _NOTHING or value.startswith(_NO_HASH)


def text(value: Any) -> str:
    """A text, trimmed; a number or truth value is spelled out. NUL, at which sqlite3 stops reading, becomes U+FFFD."""
    if isinstance(value, str):
        if len(value) > MAX_TEXT_CHARACTERS:
            raise ConversionError(f"is longer than {MAX_TEXT_CHARACTERS:,} characters")
        return value.strip().replace("\0", "�")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, (int, Decimal)):
        raise ConversionError("is not a text")
    # 0.00000001, where str() would say 1E-8
    spelled = (
        format(value, "f")
        if isinstance(value, Decimal) and abs(value.adjusted()) < 40
        else str(value)
    )
    return text(spelled)


def picture(value: Any) -> ColumnValue:
    """A picture in base64, exactly as the page gave it."""
    try:
        check_picture(value)
    except NotAPicture as error:
        raise ConversionError(str(error)) from error
    return str(value)


def decimal(digits: int, scale: int) -> Reader:
    """A reader of DECIMAL(digits, scale): rounded half-even, never through a binary float, as SQLite takes it as text."""
    step = Decimal(1).scaleb(-scale)
    limit = Decimal(10) ** (digits - scale)

    def read(value: Any) -> ColumnValue:
        number = _number(value)
        if number is None:
            return None
        if number.adjusted() > digits - scale:  # checked before rounding, which needs the digits
            raise ConversionError(f"is too large for {digits} digits")
        rounded = number.quantize(step, ROUND_HALF_EVEN)
        if not -limit < rounded < limit:
            raise ConversionError(f"is too large for {digits} digits")
        return str(rounded)

    read.__doc__ = (
        f"A number of at most {digits} digits, {scale} of them decimals, rounded half-even."
    )
    return read


def integer(value: Any) -> int | None:
    """A whole number that SQLite can hold (64 bits)."""
    number = _number(value)
    if number is None:
        return None
    if (
        number.adjusted() >= 19
        or not -(2**63) <= number < 2**63
        or number != number.to_integral_value()
    ):
        raise ConversionError("is not a whole number")
    return int(number)


_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def page_user_id(value: Any) -> int | None:
    """The page's own number for the person; a UUID (Supabase) is one too, but has no place in an INTEGER column."""
    if isinstance(value, str) and _UUID.fullmatch(value.strip()):
        return None
    return integer(value)


def json_list(value: Any) -> str:
    """A list as a JSON array: a list, an array as text, or names with commas between."""
    if isinstance(value, str):
        array = value.strip().startswith("[")
        value = (
            _decoded(value.strip())
            if array
            else [part.strip() for part in value.split(",") if part.strip()]
        )
    if not isinstance(value, list):
        raise ConversionError("is not a list")
    return encode_json(value)


def json_state(value: Any) -> str:
    """An object or a list as JSON; the text of one, too."""
    if isinstance(value, str):
        value = _decoded(value.strip())
    if not isinstance(value, (dict, list)):
        raise ConversionError("is not an object")
    return encode_json(value)


def json_any(value: Any) -> str:
    """Any JSON value, as JSON text."""
    return encode_json(value)


def moment_said(value: Any) -> datetime | None:
    """The moment that a page says, whenever it was; None for what is none.

    Takes ISO 8601 with an offset or Z, and milliseconds since 1970. A time without an offset is not taken: it could be any.
    """
    try:
        if isinstance(value, str):
            if len(value) > _MAX_TIME_CHARACTERS:
                return None
            said = value.strip()
            said = f"{said[:-1]}+00:00" if said.endswith(("Z", "z")) else said
            has_three_decimals = len(said) == _SAID_CHARACTERS and said[-10] == "."
            moment = datetime.fromisoformat(said if has_three_decimals else _three_decimals(said))
            return moment if moment.tzinfo is not None else None
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            return datetime.fromtimestamp(float(value) / 1000, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def happened_at(value: Any, now: datetime) -> datetime:
    """When a capture happened: its own time if that is at most 7 days old and not after `now`, else `now`."""
    moment = moment_said(value)
    if moment is None:
        return now
    try:
        age = now - moment
    except OverflowError:
        return now
    return moment if _NO_TIME <= age <= _OLDEST_CAPTURE else now


def timestamp(moment: datetime) -> str:
    """A time as every table and answer has it: ISO 8601 in UTC, to the millisecond, with a Z."""
    since = moment - _EPOCH
    return f"{_to_the_second(since.days, since.seconds)}.{since.microseconds // 1000:03d}Z"


@lru_cache(maxsize=4096)
def _to_the_second(days: int, seconds: int) -> str:
    """A time since 1970 as ISO 8601. Captures that come together were made within a few seconds."""
    return (_EPOCH + timedelta(days=days, seconds=seconds)).isoformat()[:_SECONDS_CHARACTERS]


def earlier(moment: str, seconds: float) -> str:
    """The time that many seconds before `moment`, both as `timestamp` gives them."""
    return timestamp(
        datetime.fromisoformat(moment.replace("Z", "+00:00")) - timedelta(seconds=seconds)
    )


def _three_decimals(value: str) -> str:
    """The seconds' fraction as exactly three digits: Python 3.10 reads no other than three or six."""
    return _FRACTION.sub(lambda found: "." + (found[1] + "00")[:3], value, count=1)


def _decoded(value: str) -> Any:
    try:
        return decode_json(value)
    except Problem as error:
        raise ConversionError("is not JSON") from error


def _number(value: Any) -> Decimal | None:
    """The number that a page means, or None for one of the spellings of "no number"."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal, str)):
        raise ConversionError("is not a number")
    if not isinstance(value, str):
        return value if isinstance(value, Decimal) else Decimal(value)
    if len(value) > _MAX_NUMBER_CHARACTERS:
        raise ConversionError("is not a number")
    if _PLAIN.fullmatch(value):  # as most are: there is nothing to take away
        return 1 * Decimal(value)
    spelled = value.translate(_TYPOGRAPHY).strip()
    if spelled.lower() in _NO_NUMBER:
        return None
    sign = -1 if spelled.startswith("-") else 1
    unsigned = spelled[1:].strip() if spelled[0] in "+-" else spelled
    bare = _CURRENCY.sub("", _CURRENCY.sub("", unsigned)).removesuffix("%").strip()
    if spelled[0] in "+-" and bare[:1] in ("+", "-"):
        raise ConversionError("is not a number")
    factor = _MAGNITUDE.get(bare[-1:].lower(), Decimal(1))
    if factor != 1:
        bare = bare[:-1].strip()
    try:
        return sign * factor * Decimal(_with_point(bare))
    except InvalidOperation as error:
        raise ConversionError("is not a number") from error


def _with_point(bare: str) -> str:
    """A number's digits with a point for the decimals and nothing between thousands."""
    if not bare.isascii():
        raise ConversionError("is not a number")
    if _PLAIN.fullmatch(bare):
        return bare
    if _GROUPED.fullmatch(bare) or _GROUPED_IN_LAKHS.fullmatch(bare):
        return re.sub(r"[, '_]", "", bare)
    if _GROUPED_WITH_COMMA.fullmatch(bare) or _DECIMAL_COMMA.fullmatch(bare):
        return re.sub(r"[. ]", "", bare).replace(",", ".")
    raise ConversionError("is not a number")
