"""Test how times are formatted, and which notations of a capture's time are read."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_capture.capture.capture_time import CaptureTime, resolve_capture_time
from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, Capture, parse_capture
from data_capture.capture.timestamps import parse_timestamp, timestamp
from data_capture.problems import FieldError

NOW = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
TEN = "2026-11-27T10:00:00.000Z"
MIDNIGHT = "2026-11-27T00:00:00.000Z"


def resolve(stated: Any, *, may_backdate: bool = False) -> CaptureTime:
    payload = {"capture_timestamp": stated}
    return resolve_capture_time(payload, [*payload], NOW, may_backdate=may_backdate)


def parse(payload: dict[str, Any], *, may_backdate: bool = False) -> Capture:
    caller = Caller("/test", None, None, NOW, may_backdate=may_backdate)
    return parse_capture(KINDS["payment"], {"email": "ann@example.com", **payload}, caller, ())


# 1795773600 is 2026-11-27T10:00:00Z.
READABLE = [
    # ISO 8601
    ("2026-11-27T10:00:00.000Z", TEN),
    ("2026-11-27T10:00:00.25Z", "2026-11-27T10:00:00.250Z"),
    ("2026-11-27T10:00:00Z", TEN),
    ("2026-11-27T10:00Z", TEN),
    ("2026-11-27t10:00:00z", TEN),
    ("  2026-11-27T10:00:00Z\n", TEN),
    ('"2026-11-27T10:00:00.000Z"', TEN),
    ("2026-11-27T10:00:00.123456789Z", "2026-11-27T10:00:00.123Z"),
    ("2026-11-27T10:00:00,5Z", "2026-11-27T10:00:00.500Z"),
    ("2026-11-27T11:00:00+01:00", TEN),
    ("2026-11-27T11:00:00+0100", TEN),
    ("2026-11-27T11:00:00+01", TEN),
    ("2026-11-27T04:30:00-05:30", TEN),
    ("2026-11-27T04:30:00\u221205:30", TEN),
    ("2026-11-27T11:00:00+01:00[Europe/Paris]", TEN),
    ("2026-11-27T10:00:00", TEN),
    ("2026-11-27T10:00", TEN),
    ("2026-11-27 10:00:00", TEN),
    ("2026-11-27 10:00:00.5", "2026-11-27T10:00:00.500Z"),
    ("2026-11-27 11:00:00+01", TEN),
    ("2026-11-27 10:00:00 UTC", TEN),
    ("2026-11-27 10:00:00 +0000 UTC", TEN),
    ("2026/11/27 10:00:00", TEN),
    ("2026-11-27", MIDNIGHT),
    ("2026/11/27", MIDNIGHT),
    ("20261127", MIDNIGHT),
    ("20261127T100000Z", TEN),
    ("20261127100000", TEN),
    # Epoch
    (1795773600, TEN),
    ("1795773600", TEN),
    (Decimal("1795773600.25"), "2026-11-27T10:00:00.250Z"),
    ("1795773600.250999", "2026-11-27T10:00:00.250Z"),
    (1795773600250, "2026-11-27T10:00:00.250Z"),
    ("1795773600250", "2026-11-27T10:00:00.250Z"),
    (Decimal("1795773600250.7"), "2026-11-27T10:00:00.250Z"),
    (Decimal("1.7957736E12"), TEN),
    (1795773600250999, "2026-11-27T10:00:00.250Z"),
    ("1795773600250999", "2026-11-27T10:00:00.250Z"),
    (1795773600250999999, "2026-11-27T10:00:00.250Z"),
    ("1795773600250999999", "2026-11-27T10:00:00.250Z"),
    ("/Date(1795773600000)/", TEN),
    ("/Date(1795773600000+0100)/", TEN),
    # HTTP and mail
    ("Fri, 27 Nov 2026 10:00:00 GMT", TEN),
    ("Fri, 27 Nov 2026 11:00:00 +0100", TEN),
    ("27 Nov 2026 10:00:00 UTC", TEN),
    ("27 November 2026 10:00:00 Z", TEN),
    ("Friday, 27-Nov-26 10:00:00 GMT", TEN),
    ("Fri, 27-Nov-2026 10:00:00 GMT", TEN),
    # JavaScript and C
    ("Fri Nov 27 2026 11:00:00 GMT+0100 (Central European Standard Time)", TEN),
    ("Fri Nov 27 2026 11:00:00 GMT+0100 (Mitteleuropäische Normalzeit)", TEN),
    ("Fri Nov 27 2026 05:00:00 GMT-0500 (EST)", TEN),
    ("Fri Nov 27 2026 10:00:00 GMT", TEN),
    ("Fri Nov 27 2026", MIDNIGHT),
    ("Fri Nov 27 10:00:00 2026", TEN),
    ("Fri Nov 27 10:00:00 UTC 2026", TEN),
    # Objects
    ({"seconds": 1795773600, "nanoseconds": 250_999_999}, "2026-11-27T10:00:00.250Z"),
    ({"seconds": 1795773600}, TEN),
    ({"seconds": "1795773600", "nanos": 0}, TEN),
    ({"_seconds": 1795773600, "_nanoseconds": 0}, TEN),
    ({"type": "firestore/timestamp/1.0", "seconds": 1795773600, "nanoseconds": 0}, TEN),
    ({"$date": "2026-11-27T10:00:00Z"}, TEN),
    ({"$date": 1795773600000}, TEN),
    ({"$date": {"$numberLong": "1795773600000"}}, TEN),
    ({"timestampValue": "2026-11-27T10:00:00.000000Z"}, TEN),
    ('{"seconds": 1795773600, "nanoseconds": 0}', TEN),
]

UNREADABLE = [
    # Two readings
    "11/27/2026, 10:00:00 AM", "11/27/2026", "27/11/2026, 10:00:00", "27.11.2026, 10:00:00",
    "27.11.2026", "11/12/2026", "11-12-2026", "26-11-27", "Nov 27, 2026, 10:00:00 AM",
    "2026-11-27 10:00:00 PM", "27 Nov 26 10:00:00 GMT", "10:00:00",
    # A zone that is not UTC, or several zones with one abbreviation
    "Fri Nov 27 10:00:00 CET 2026", "2026-11-27 10:00:00 IST", "2026-11-27T10:00:00[Europe/Paris]",
    # Another language, or no time
    "27. November 2026 10:00", "ven. 27 nov. 2026 10:00:00", "27 d\u00e9c 2026 10:00:00 GMT",
    "yesterday", "now", "Invalid Date", "undefined", "NaN", "T", "Z", '"', '""', "{", "{}", "+",
    # No such date or time
    "2026-13-27T10:00:00Z", "2026-11-31", "2026-11-27T24:00:01Z", "2026-11-27T10:60:00Z",
    "2026-11-27T10:00:00+24:00", "2026-11-27T10:00:00+01:60", "0000-00-00 00:00:00", "20261327",
    "Fri, 27 Foo 2026 10:00:00 GMT", "Mon, 27 Nov 2026 10:00:00 GMT", "Xyz Nov 27 2026",
    # Too small or too large for a time since 1970
    0, 1, -1, 46353, 20261127, "46353", "-1795773600", 99_999_999, 5 * 10**9, 5 * 10**12, 10**20,
    10**4000, Decimal("1e400"), Decimal("1e999999999"), Decimal("1e-999999999"), "9" * 900,
    # Other values
    True, False, [], {}, [1795773600], {"$date": None}, {"seconds": "soon"}, {"seconds": 10**30},
    {"seconds": Decimal("1e999999999")}, {"seconds": 1795773600, "nanoseconds": -1},
    {"$date": {"$date": {"$date": 1795773600000}}}, {"time": 1795773600},
]  # fmt: skip


@pytest.mark.parametrize(("stated", "stored"), READABLE, ids=str)
def test_a_time_is_read_in_every_common_notation(stated: Any, stored: str) -> None:
    resolved = resolve(stated)
    assert (timestamp(resolved.happened_at), resolved.warning) == (stored, None)
    assert resolved.claimed_at == resolved.happened_at


@pytest.mark.parametrize("stated", UNREADABLE, ids=lambda value: str(value)[:30])
def test_an_unreadable_time_is_replaced_by_the_current_one_with_a_warning(stated: Any) -> None:
    resolved = resolve(stated)
    assert resolved.happened_at == NOW
    assert resolved.warning == FieldError(
        "capture_timestamp", "can't be read as a time, so the time of arrival was stored"
    )
    assert resolved.claimed_at is not None, "it may predate an erasure"
    assert resolved.claimed_at.year == 1


@pytest.mark.parametrize("absent", [None, "", "  ", "N/A"])
def test_a_capture_without_a_time_has_the_current_one_without_a_warning(absent: Any) -> None:
    assert resolve(absent) == (NOW, None, None)
    assert resolve_capture_time({}, [], NOW) == (NOW, None, None)


@pytest.mark.parametrize(
    ("stated", "is_kept", "problem"),
    [
        ("2026-11-20T12:00:00Z", True, None),  # exactly 7 days
        ("2026-11-20T11:59:59Z", False, "is more than 7 days ago"),
        ("2026-10-01", False, "is more than 7 days ago"),
        (10**9, False, "is more than 7 days ago"),
        ("0001-01-01T00:00:00+23:59", False, "is more than 7 days ago"),
        ("2026-11-27T12:00:00.001Z", False, None),
        ("2026-11-27T12:05:00Z", False, None),  # a visitor's clock is a little ahead
        ("2026-11-27T12:05:01Z", False, "is in the future"),
        ("2027-01-01T00:00:00Z", False, "is in the future"),
        ("9999-12-31T23:59:59-23:59", False, "is in the future"),
        ("2026-11-27T12:05:00", False, None),
        ("2026-11-27T13:00:00", False, "has no time zone, and is not in UTC"),
        ("Fri Nov 27 2026 13:00:00", False, "has no time zone, and is not in UTC"),
    ],
)
def test_a_time_that_is_not_of_the_last_week_is_replaced_by_the_current_one(
    stated: Any, is_kept: bool, problem: str | None
) -> None:
    happened_at, _, warning = resolve(stated)
    assert happened_at == (parse_timestamp(stated) if is_kept else NOW)
    message = None if warning is None else warning.message
    assert message == (problem and f"{problem}, so the time of arrival was stored")


@pytest.mark.parametrize(
    ("stated", "stored", "is_warned_of"),
    [
        ("2019-05-01T08:00:00Z", "2019-05-01T08:00:00.000Z", False),
        ("2019-05-01", "2019-05-01T00:00:00.000Z", False),
        (1556697600, "2019-05-01T08:00:00.000Z", False),
        ("1970-01-01T00:00:01Z", "1970-01-01T00:00:01.000Z", False),
        ("2026-11-27T12:00:00Z", "2026-11-27T12:00:00.000Z", False),
        ("1970-01-01T00:00:00Z", timestamp(NOW), True),  # 0, for "no time"
        ("0001-01-01T00:00:00Z", timestamp(NOW), True),
        ("0001-01-01T00:00:00+14:00", timestamp(NOW), True),
        ("2026-11-28T12:00:00Z", timestamp(NOW), True),
        ("last year", timestamp(NOW), True),
    ],
)
def test_a_sender_who_may_backdate_keeps_any_past_time(
    stated: Any, stored: str, is_warned_of: bool
) -> None:
    happened_at, _, warning = resolve(stated, may_backdate=True)
    assert (timestamp(happened_at), warning is not None) == (stored, is_warned_of)


class TestSpellings:
    @pytest.mark.parametrize(
        "key", ["capture_timestamp", "captureTimestamp", "capture-timestamp", "CaptureTimestamp"]
    )
    def test_a_spelling_of_capture_timestamp_is_read_and_warned_of(self, key: str) -> None:
        assert parse({key: "2026-11-27T10:00:00Z"}).happened_at == TEN
        warnings = parse({key: "yesterday"}).warnings
        assert [warning.field for warning in warnings] == [key]

    def test_the_scripts_spelling_is_preferred(self) -> None:
        both = {"captureTimestamp": "2026-11-27T08:00:00Z", "capture_timestamp": TEN}
        capture = parse(both)
        assert (capture.happened_at, capture.warnings) == (TEN, ())
        assert capture.claimed_at is not None
        assert capture.claimed_at.hour == 8, "the earliest decides whether it predates an erasure"

    def test_another_spelling_is_used_if_the_preferred_one_is_unreadable(self) -> None:
        for unreadable in ("soon", None, ""):
            capture = parse({"capture_timestamp": unreadable, "captureTimestamp": TEN})
            assert (capture.happened_at, capture.warnings) == (TEN, ())


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2068, 1, 1)),
    st.integers(-14 * 60, 14 * 60),
)
def test_every_notation_of_a_time_is_read_as_the_same_time(
    naive: datetime, offset_minutes: int
) -> None:
    zone = timezone(timedelta(minutes=offset_minutes))
    moment = naive.replace(microsecond=0, tzinfo=timezone.utc).astimezone(zone)
    seconds, offset = int(moment.timestamp()), moment.strftime("%z")
    spellings: list[Any] = [
        moment.isoformat(),
        moment.astimezone(timezone.utc).isoformat().replace("+00:00", ".000Z"),
        str(moment),
        format_datetime(moment),
        format_datetime(moment.astimezone(timezone.utc), usegmt=True),
        moment.strftime(f"%a %b %d %Y %H:%M:%S GMT{offset} (Some Time)"),
        time.asctime(time.gmtime(seconds)),
        moment.strftime(f"%Y-%m-%d %H:%M:%S{offset}"),
        moment.astimezone(timezone.utc).strftime("%A, %d-%b-%y %H:%M:%S GMT"),
        *(seconds * units for units in (1, 10**3, 10**6, 10**9)),
        *(str(seconds * units) for units in (1, 10**3, 10**6, 10**9)),
        {"seconds": seconds, "nanoseconds": 0},
        json.dumps({"$date": {"$numberLong": str(seconds * 1000)}}),
    ]
    for spelling in spellings:
        assert parse_timestamp(spelling) == moment, spelling


@given(st.text(max_size=40) | st.from_regex(r"[0-9:/. ,TZ+-]{1,40}"))
def test_no_text_raises_an_error(text: str) -> None:
    resolve(text)
    resolve({"$date": text, "seconds": text})


@given(
    st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1)),
    st.timedeltas(timedelta(0), timedelta(days=365)),
)
def test_timestamps_sort_as_text_in_chronological_order(moment: datetime, later: timedelta) -> None:
    first = timestamp(moment.replace(tzinfo=timezone.utc))
    second = timestamp((moment + later).replace(tzinfo=timezone.utc))
    assert first <= second
    assert len(first) == len("2024-01-15T10:30:00.000Z")
