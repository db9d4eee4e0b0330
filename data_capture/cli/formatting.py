"""Format sizes, numbers and ages for people."""

from __future__ import annotations

_HOUR_SECONDS = 3600
_DAY_SECONDS = 86400


def format_size(size_bytes: float) -> str:
    """Format a size in the unit that fits: `831 kB`, `1.5 GB`."""
    for unit in ("bytes", "kB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= 1000
    for unit in ("MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def format_count(number: int, noun: str) -> str:
    """Format a number of things: `1 capture`, `2,500 captures`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def format_age(seconds: float) -> str:
    """Format how long ago something was: `5 minutes`, `3 hours`, `12 days`."""
    for unit, unit_seconds in (("day", _DAY_SECONDS), ("hour", _HOUR_SECONDS)):
        if seconds >= 2 * unit_seconds:
            return format_count(int(seconds // unit_seconds), unit)
    return format_count(max(0, int(seconds // 60)), "minute")
