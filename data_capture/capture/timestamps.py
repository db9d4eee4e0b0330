"""Times: how tables and responses store them, and how captures state them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from data_capture.capture.time_formats import EPOCH, parse_time

_CHARACTERS_TO_THE_SECOND = len("2024-01-15T10:30:00")
_BROWSER_CHARACTERS = len("2024-01-15T10:30:00.000Z")


def timestamp(moment: datetime) -> str:
    """Format a time as ISO 8601 in UTC with milliseconds and `Z`.

    All tables and responses use this format.
    """
    since = moment - EPOCH
    return f"{_format_to_the_second(since.days, since.seconds)}.{since.microseconds // 1000:03d}Z"


# Captures that arrive together share their seconds. Parsing without this cache takes 8 to 10 %
# longer (payment, dashboard, questionnaire).
@lru_cache(maxsize=4096)
def _format_to_the_second(days: int, seconds: int) -> str:
    """Format a time since 1970 as ISO 8601 without a fraction and offset."""
    moment = EPOCH + timedelta(days=days, seconds=seconds)
    return moment.isoformat()[:_CHARACTERS_TO_THE_SECOND]


def earlier(moment: str, seconds: float) -> str:
    """Subtract seconds from a time in the format of `timestamp`."""
    return timestamp(parse_stored(moment) - timedelta(seconds=seconds))


def parse_stored(moment: str) -> datetime:
    """Parse a time in the format of `timestamp`."""
    return datetime.fromisoformat(moment.replace("Z", "+00:00"))


def parse_timestamp(value: Any) -> datetime | None:
    """Parse a time that a page sent, whenever it is, in any notation of `time_formats`.

    A time without a zone is taken as UTC. Returns None for anything else.
    """
    moment = parse_with_zone(value)
    if moment is not None and moment.tzinfo is None:
        return moment.replace(tzinfo=timezone.utc)
    return moment


def parse_with_zone(value: Any) -> datetime | None:
    """Parse a time as `parse_timestamp` does; return a naive one if it has no zone."""
    # Browsers send this form. Without the shortcut, parsing a payment takes 4 % longer.
    if isinstance(value, str) and len(value) == _BROWSER_CHARACTERS and value[-1] == "Z":
        try:
            return datetime.fromisoformat(f"{value[:-1]}+00:00")
        except ValueError:
            return parse_time(value)
    return parse_time(value)
