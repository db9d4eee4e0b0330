"""Show how far a command is, on standard error."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from data_capture.cli.formatting import format_size

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

_REDRAW_SECONDS = 0.1
_RATE_AFTER_SECONDS = 0.5  # before, the rate is mostly chance
_BAR_CHARACTERS = 30
_ERASE_LINE = "\r\x1b[K"
_SHOW_CURSOR = "\x1b[?25h"  # click hides it while it draws a bar


class Progress:
    """Shows a bar or the name of a step on a terminal, and plain lines elsewhere.

    On a terminal the bar has the rate and the time left, and `clear` removes it. A log file or the
    mail of a cron job gets one line per bar or step.
    """

    def __init__(self) -> None:
        self._stream = sys.stderr
        self._is_terminal = self._stream.isatty()
        self._is_drawn = False
        self._bar: ProgressBar[int] | None = None
        self._done = 0
        self._label = ""
        self._info = ""
        self._began_at = 0.0
        self._drawn_at = 0.0

    def bar(self, label: str, done: int, total: int, *, unit: str = "", item: str = "") -> None:
        """Show how much of a task is done.

        Args:
            label: the task, such as "Copying"; another label begins another bar.
            done: how many units are done.
            total: how many units there are; with 0, nothing is shown.
            unit: what is counted, such as "bytes"; empty leaves the rate out.
            item: what is being worked on, for the end of the line.
        """
        if total <= 0:
            return
        now = time.monotonic()
        if self._bar is None or label != self._label:
            self.clear()
            self._bar = self._start_bar(label, total)
            self._label, self._began_at = label, now
        elif done < total and now - self._drawn_at < _REDRAW_SECONDS:
            return
        self._info = "  ".join(filter(None, (_format_rate(done, now - self._began_at, unit), item)))
        self._is_drawn = True
        self._drawn_at = now
        self._bar.update(done - self._done)
        self._done = done

    def step(self, label: str) -> None:
        """Show the name of a step whose length is unknown."""
        self.clear()
        self._is_drawn = True
        print(label, end="" if self._is_terminal else "\n", file=self._stream, flush=True)

    def clear(self) -> None:
        """Remove the bar or the step from the terminal."""
        self._bar, self._done = None, 0
        if self._is_drawn and self._is_terminal:
            print(_ERASE_LINE + _SHOW_CURSOR, end="", file=self._stream, flush=True)
        self._is_drawn = False

    def _start_bar(self, label: str, total: int) -> ProgressBar[int]:
        import click  # takes about 30 ms, which `--help` need not wait for

        return click.progressbar(
            length=total,
            label=label if self._is_terminal else f"{label} …",
            item_show_func=lambda _: self._info,
            width=_BAR_CHARACTERS,
            file=self._stream,
        )


def _format_rate(done: int, seconds: float, unit: str) -> str:
    """Return a rate such as `84.0 MB/s`; empty where it is not known yet or not wanted."""
    if not unit or seconds < _RATE_AFTER_SECONDS:
        return ""
    per_second = done / seconds
    return f"{format_size(per_second)}/s" if unit == "bytes" else f"{per_second:,.0f} {unit}/s"
