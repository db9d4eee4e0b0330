"""Sizes and numbers as people read them, and the progress bar."""

from __future__ import annotations

import sys
import time

_BAR_CHARACTERS = 30
_REDRAW_SECONDS = 0.1


def size(size_bytes: float) -> str:
    """A size in the unit that fits: `831 kB`, `1.5 GB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return (
                f"{size_bytes:.0f} {unit}"
                if unit in ("bytes", "kB")
                else f"{size_bytes:.1f} {unit}"
            )
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def count(number: int, noun: str) -> str:
    """`1 capture`, `2,500 captures`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def age(seconds: float) -> str:
    """How long ago: `5 minutes`, `3 hours`, `12 days`."""
    for unit, unit_seconds in (("day", 86400), ("hour", 3600)):
        if seconds >= 2 * unit_seconds:
            return count(int(seconds // unit_seconds), unit)
    return count(max(0, int(seconds // 60)), "minute")


class Progress:
    """A line on the terminal that says how far a command is; nothing where standard error is no terminal."""

    def __init__(self) -> None:
        self._stream = sys.stderr
        self._shown = self._stream.isatty()
        self._drawn_at = 0.0

    def bar(self, label: str, done: int, total: int) -> None:
        """Draws how much of `total` is `done`, a few times a second at most."""
        now = time.monotonic()
        if self._shown and total > 0 and (now - self._drawn_at >= _REDRAW_SECONDS or done >= total):
            self._drawn_at = now
            filled = _BAR_CHARACTERS * done // total
            self._line(
                f"{label} [{'#' * filled}{'.' * (_BAR_CHARACTERS - filled)}] {100 * done // total:3d} %"
            )

    def step(self, label: str) -> None:
        """Says what takes a moment now."""
        if self._shown:
            self._line(label)

    def clear(self) -> None:
        """Takes the line away."""
        if self._shown:
            self._line("")

    def _line(self, text: str) -> None:
        self._stream.write(f"\r\x1b[K{text}")
        self._stream.flush()
