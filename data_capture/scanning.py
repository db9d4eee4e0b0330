"""Looking for patterns in long texts in steps, since no other thread runs while `re` looks through one."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from typing import AnyStr

_STEP_CHARACTERS = 50_000  # looked through at once, in some milliseconds
LARGE_STEP_CHARACTERS = (
    500_000  # at once of what takes nanoseconds a character: copying, counting, encoding
)
# `re` keeps the interpreter's lock for a whole step. A thread that serves another request needs the lock dozens of
# times, and would wait for as many steps; during a pause it does not. Texts this long are not scanned in an event loop.
_PAUSE_SECONDS = 0.002
_LONG_TEXT_CHARACTERS = 2 * _STEP_CHARACTERS
_OVERLAP_CHARACTERS = (
    10_000  # looked through twice; longer than any token or key that has to be seen whole
)


def pause() -> None:
    """Let other threads have the interpreter's lock as often as they need it."""
    time.sleep(_PAUSE_SECONDS)


def steps(text: AnyStr, characters: int = _STEP_CHARACTERS) -> Iterator[AnyStr]:
    """Split a text into pieces that are looked through at once; pause after each of a long text."""
    for begin in range(0, len(text), characters):
        yield text[begin : begin + characters]
        if len(text) > 2 * characters:
            pause()


def found_in(
    pattern: re.Pattern[AnyStr], text: AnyStr, max_characters: int = sys.maxsize
) -> Iterator[re.Match[AnyStr]]:
    """Find what `pattern.finditer(text)` finds, in steps.

    A match near the end of a step is made again with what follows, up to `max_characters`.
    What is longer than the overlap and no match before its end is seen is found within a step
    only.
    """
    begin = 0
    while begin + _STEP_CHARACTERS < len(text):
        end = begin + _STEP_CHARACTERS
        found = pattern.search(text, begin, end)
        if found is None:
            begin = end - _OVERLAP_CHARACTERS
            if len(text) > _LONG_TEXT_CHARACTERS:
                pause()
            continue
        begin = found.start() + 1
        whole: re.Match[AnyStr] | None = found
        if found.end() > end - _OVERLAP_CHARACTERS:
            whole = pattern.match(
                text, found.start(), min(len(text), found.start() + max_characters)
            )
        if whole is not None:
            yield whole
            begin = max(begin, whole.end())
    yield from pattern.finditer(text, begin)


def is_in(pattern: re.Pattern[AnyStr], text: AnyStr) -> bool:
    """Tell whether `pattern` is found in `text`, in steps."""
    if len(text) <= _STEP_CHARACTERS:
        return pattern.search(text) is not None
    return next(found_in(pattern, text), None) is not None
