"""When a capture happened, by its `capture_timestamp`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from data_capture.capture.converters import is_absent
from data_capture.capture.time_formats import EPOCH
from data_capture.capture.timestamps import parse_with_zone
from data_capture.json_codec import JsonObject
from data_capture.problems import FieldError

MAX_CAPTURE_AGE = timedelta(days=7)
"""Pages keep unsent captures for days. Older times are kept only for who may backdate."""

MAX_CLOCK_SKEW = timedelta(minutes=5)
"""How far a visitor's clock may be ahead without a warning."""

_UNKNOWN = datetime.min.replace(tzinfo=timezone.utc)  # predates every erasure
_ZERO = timedelta(0)


class CaptureTime(NamedTuple):
    """The time of a capture.

    Attributes:
        happened_at: the time to store.
        claimed_at: the earliest time that the payload states, however old; the beginning of time
            if it states one that can't be read; None if it states none.
        warning: says why `happened_at` is not the stated time; None if it is.
    """

    happened_at: datetime
    claimed_at: datetime | None
    warning: FieldError | None


def resolve_capture_time(
    payload: JsonObject, keys: Sequence[str], now: datetime, *, may_backdate: bool = False
) -> CaptureTime:
    """Find the time of a capture.

    It is the stated time, if that is at most `MAX_CAPTURE_AGE` old, or any time since 1970 with
    `may_backdate`. Otherwise, it is the time of arrival.

    Args:
        payload: the capture's.
        keys: the payload's spellings of `capture_timestamp`; the first that can be read counts.
        now: the time of arrival.
        may_backdate: whether the sender may state a time of any age.
    """
    if len(keys) == 1 and not is_absent(payload[keys[0]]):  # the usual case
        return _read_claim(keys[0], payload[keys[0]], now, may_backdate=may_backdate)
    claims = [
        _read_claim(key, payload[key], now, may_backdate=may_backdate)
        for key in keys
        if not is_absent(payload[key])
    ]
    if not claims:
        return CaptureTime(now, None, None)
    if len(claims) == 1:
        return claims[0]
    readable = [claim for claim in claims if claim.claimed_at != _UNKNOWN] or claims
    earliest = min(claim.claimed_at for claim in readable if claim.claimed_at is not None)
    return readable[0]._replace(claimed_at=earliest)


def _read_claim(key: str, value: Any, now: datetime, *, may_backdate: bool) -> CaptureTime:
    """Read one statement of a capture's time."""
    moment = parse_with_zone(value)
    if moment is None:
        return CaptureTime(now, _UNKNOWN, _warn(key, "can't be read as a time"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
        if moment - now > MAX_CLOCK_SKEW:  # a local time, which may be hours ago
            return CaptureTime(now, _UNKNOWN, _warn(key, "has no time zone, and is not in UTC"))
    age = now - moment
    if _ZERO <= age <= MAX_CAPTURE_AGE or (may_backdate and EPOCH < moment <= now):
        return CaptureTime(moment, moment, None)
    if -MAX_CLOCK_SKEW <= age < _ZERO:
        return CaptureTime(now, moment, None)
    if age < _ZERO:
        problem = "is in the future"
    elif may_backdate:
        problem = "is not after 1970-01-01T00:00:00Z"
    else:
        problem = f"is more than {MAX_CAPTURE_AGE.days} days ago"
    return CaptureTime(now, moment, _warn(key, problem))


def _warn(key: str, problem: str) -> FieldError:
    return FieldError(key, f"{problem}, so the time of arrival was stored")
