"""The notations of times that pages send, apart from the one that browsers send.

ISO 8601        2026-11-27T10:00:00Z, 2026-11-27 10:00:00+01, 2026-11-27, 20261127T100000Z
epoch           seconds, milliseconds, microseconds or nanoseconds since 1970, by magnitude
HTTP and mail   Fri, 27 Nov 2026 10:00:00 GMT; Friday, 27-Nov-26 10:00:00 GMT
JavaScript      Fri Nov 27 2026 10:00:00 GMT+0100 (Central European Standard Time)
C               Fri Nov 27 10:00:00 2026
objects         {"seconds": …, "nanoseconds": …}, {"$date": …}, {"timestampValue": …}
.NET            /Date(1795773600000)/

Not read are times whose parts can be in two orders (11/12/2026), times on a 12-hour clock, which
are formatted for people, names of months in other languages, and abbreviations of time zones other
than UTC and GMT. A weekday must be the date's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from data_capture.json_codec import decode_json
from data_capture.problems import Problem

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

_MAX_TIME_CHARACTERS = 1_000  # with blanks around it and any number of decimals
_MAX_DIGITS = 20
_MAX_NESTED_OBJECTS = 2  # {"$date": {"$numberLong": "…"}}

# The units do not overlap between 1973 and 2100. Smaller numbers are counters, dates such as
# 20261127, or days; taken as seconds, they would be times in the 1970s.
_FIRST_SECOND, _LAST_SECOND = 10**8, 4_102_444_800
_UNITS_PER_SECOND = (1, 10**3, 10**6, 10**9)

_MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_MONTHS = {
    spelling: number
    for number, name in enumerate(_MONTH_NAMES, start=1)
    for spelling in (name, name[:3])
}
_WEEKDAY_NAMES = (
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
)  # fmt: skip
_WEEKDAYS = {
    spelling: number for number, name in enumerate(_WEEKDAY_NAMES) for spelling in (name, name[:3])
}

_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?"
_ZONE = r"(?P<zone>Z|(?:UTC|GMT|UT)(?![A-Z])|(?:UTC|GMT)?[+\-\u2212]\d\d(?::?\d\d)?)(?: UTC)?"
_REMARK = r"(?: ?\([^()]*\)| ?\[[^\[\]]*\])?"  # the zone's name, which the offset makes redundant
_WEEKDAY = r"(?P<weekday>[A-Z]{3,9})"
_MONTH = r"(?P<month>[A-Z]{3,9})"
_DAY, _YEAR = r"(?P<day>\d{1,2})", r"(?P<year>\d{4})"

_FORMATS = tuple(
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        # ISO 8601, with a blank as in SQL, or slashes
        rf"{_YEAR}(?P<separator>[-/])(?P<month>\d\d)(?P=separator)(?P<day>\d\d)"
        rf"(?:[T ]{_CLOCK}(?: ?{_ZONE}{_REMARK})?)?",
        # ISO 8601, basic format
        rf"{_YEAR}(?P<month>\d\d)(?P<day>\d\d)(?:T?(?P<hour>\d\d)(?P<minute>\d\d)"
        rf"(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?(?:{_ZONE})?)?",
        # RFC 9110 and RFC 5322
        rf"(?:{_WEEKDAY}, ?)?{_DAY} {_MONTH} {_YEAR} {_CLOCK}(?: ?{_ZONE}{_REMARK})?",
        # RFC 850
        rf"{_WEEKDAY}, {_DAY}-{_MONTH}-(?P<year>\d{{2}}|\d{{4}}) {_CLOCK} {_ZONE}",
        # Date.toString() and Date.toDateString()
        rf"{_WEEKDAY} {_MONTH} {_DAY} {_YEAR}(?: {_CLOCK}(?: ?{_ZONE}{_REMARK})?)?",
        # asctime(), and date(1) in UTC
        rf"{_WEEKDAY} {_MONTH} {_DAY} {_CLOCK}(?: {_ZONE})? {_YEAR}",
    )
)
_DIGITS = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_DOT_NET = re.compile(r"/Date\((\d+)(?:[+-]\d{4})?\)/", re.ASCII)


def parse_time(value: Any) -> datetime | None:
    """Parse a time in one of the notations above; return None for anything else.

    A time without a zone is returned without one.
    """
    with suppress(ValueError, OverflowError, ArithmeticError):
        return _parse(value, _MAX_NESTED_OBJECTS)
    return None


def _parse(value: Any, levels: int) -> datetime | None:
    if isinstance(value, str):
        return _parse_text(value, levels) if len(value) <= _MAX_TIME_CHARACTERS else None
    if isinstance(value, dict):
        return _parse_object(value, levels) if levels else None
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return _parse_number(value)
    return None


def _parse_text(text: str, levels: int) -> datetime | None:
    words = " ".join(text.split())
    if len(words) > 1 and words[0] == words[-1] == '"':  # JSON.stringify() of a time
        words = words[1:-1]
    if words.startswith("{"):
        with suppress(Problem):
            return _parse(decode_json(words), levels)
        return None
    for time_format in _FORMATS:
        found = time_format.fullmatch(words)
        if found is not None:
            return _build(found.groupdict())
    if _DIGITS.fullmatch(words):
        return _parse_number(Decimal(words))
    found = _DOT_NET.fullmatch(words)
    return None if found is None else _parse_number(int(found[1]))


def _parse_number(number: int | Decimal) -> datetime | None:
    for units in _UNITS_PER_SECOND:
        if _FIRST_SECOND * units <= number < _LAST_SECOND * units:
            microseconds = int(Decimal(number) * 10**6 / units)
            return EPOCH + timedelta(microseconds=microseconds)
    return None


def _parse_object(members: dict[str, Any], levels: int) -> datetime | None:
    """Parse the time of a Firestore, protobuf or MongoDB client."""
    for names, parse in _OBJECTS:
        values = [members.get(name) for name in names]
        if values[0] is not None:
            return parse(values, levels - 1)
    return None


def _parse_seconds(values: list[Any], _levels: int) -> datetime | None:
    seconds, nanoseconds = (_whole_number(value) for value in values)
    if seconds is None or nanoseconds is None or not 0 <= nanoseconds < 10**9:
        return None
    return EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)


def _parse_milliseconds(values: list[Any], _levels: int) -> datetime | None:
    milliseconds = _whole_number(values[0])
    return None if milliseconds is None else EPOCH + timedelta(milliseconds=milliseconds)


def _parse_date(values: list[Any], levels: int) -> datetime | None:
    """Parse the value of `$date`: a text, or milliseconds whatever their magnitude."""
    if isinstance(values[0], (str, dict)):
        return _parse(values[0], levels)
    return _parse_milliseconds(values, levels)


def _parse_nested(values: list[Any], levels: int) -> datetime | None:
    return _parse(values[0], levels)


_OBJECTS: tuple[tuple[tuple[str, ...], Callable[[list[Any], int], datetime | None]], ...] = (
    (("seconds", "nanoseconds"), _parse_seconds),
    (("seconds", "nanos"), _parse_seconds),
    (("_seconds", "_nanoseconds"), _parse_seconds),
    (("$date",), _parse_date),
    (("$numberLong",), _parse_milliseconds),
    (("timestampValue",), _parse_nested),
)


def _whole_number(value: Any) -> int | None:
    """Convert an integer or its digits; a missing one is 0."""
    if value is None:
        return 0
    if isinstance(value, str) and len(value) <= _MAX_DIGITS and _DIGITS.fullmatch(value):
        value = Decimal(value)
    if not isinstance(value, (int, Decimal)) or isinstance(value, bool):
        return None
    # A large exponent would make an integer of as many digits.
    is_whole = abs(value) < 10**_MAX_DIGITS and value == int(value)
    return int(value) if is_whole else None


def _build(parts: dict[str, str | None]) -> datetime | None:
    """Build a time from the parts of a matched format.

    Raises:
        ValueError: there is no such date or time.
    """
    month = parts["month"] or ""
    day = datetime(
        _year(parts["year"] or ""),
        int(month) if month.isdecimal() else _MONTHS.get(month.lower(), 0),
        int(parts["day"] or ""),
    )
    weekday = parts.get("weekday")
    if weekday is not None and _WEEKDAYS.get(weekday.lower()) != day.weekday():
        return None
    moment = day.replace(
        hour=int(parts["hour"] or 0),
        minute=int(parts["minute"] or 0),
        second=int(parts["second"] or 0),
        microsecond=int(f"{parts['fraction'] or ''}000000"[:6]),
    )
    zone = parts["zone"]
    return moment if zone is None else moment.replace(tzinfo=_offset(zone))


def _year(digits: str) -> int:
    """Return a year; two digits are a year from 1970 to 2069."""
    year = int(digits)
    if len(digits) > 2:
        return year
    return year + (1900 if year >= 70 else 2000)


def _offset(zone: str) -> timezone:
    """Return the time zone of an offset such as `+0100`, `GMT+01:00` or `Z`.

    Raises:
        ValueError: there is no such offset.
    """
    digits = "".join(filter(str.isdecimal, zone))
    if not digits:
        return timezone.utc
    minutes = int(digits[2:] or 0)
    if minutes >= 60:
        raise ValueError("An offset has at most 59 minutes besides its hours.")
    offset = timedelta(hours=int(digits[:2]), minutes=minutes)
    return timezone(offset if "+" in zone else -offset)
