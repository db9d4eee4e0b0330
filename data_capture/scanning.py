"""Searching long texts in steps, since no other thread runs while `re` searches one."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable, Iterator
from typing import AnyStr

_STEP_CHARACTERS = 50_000  # `re` searches them in some milliseconds
LARGE_STEP_CHARACTERS = 500_000
"""For work that takes nanoseconds per character: copying, counting, encoding."""

# `re` holds the interpreter's lock for a whole step. A thread that serves another request needs the
# lock dozens of times, and would wait for a step each time; during a pause it does not wait.
# The event loop never searches texts that are long enough for a pause.
_PAUSE_SECONDS = 0.002
_LONG_TEXT_CHARACTERS = 2 * _STEP_CHARACTERS
_OVERLAP_CHARACTERS = 10_000  # searched twice; longer than any token or key to be found whole


def pause() -> None:
    """Let other threads take the interpreter's lock as often as they need it."""
    time.sleep(_PAUSE_SECONDS)


def steps(text: AnyStr, characters: int = _STEP_CHARACTERS) -> Iterator[AnyStr]:
    """Split a text into pieces, and pause after each piece of a long text."""
    for begin in range(0, len(text), characters):
        yield text[begin : begin + characters]
        if len(text) > 2 * characters:
            pause()


def overlapping_steps(text: str) -> Iterator[str]:
    """Split a long text into pieces that overlap, and pause after each."""
    if len(text) <= 2 * LARGE_STEP_CHARACTERS:
        yield text
        return
    for begin in range(0, len(text), LARGE_STEP_CHARACTERS):
        yield text[begin : begin + LARGE_STEP_CHARACTERS + _OVERLAP_CHARACTERS]
        pause()


def join_pieces(pieces: Iterable[str], separator: str = "") -> str:
    """Join the pieces of a text, and pause after the copy of a long text."""
    text = separator.join(pieces)
    if len(text) > 2 * LARGE_STEP_CHARACTERS:
        pause()
    return text


def find_in_steps(
    pattern: re.Pattern[AnyStr], text: AnyStr, max_characters: int = sys.maxsize
) -> Iterator[re.Match[AnyStr]]:
    """Find what `pattern.finditer(text)` finds, in steps.

    A match near the end of a step is repeated with the text that follows, up to `max_characters`.
    A match that is longer than the overlap, and does not match before its end is in sight, is
    found only within one step.
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


def contains(pattern: re.Pattern[AnyStr], text: AnyStr) -> bool:
    """Tell whether a pattern matches anywhere in a text, in steps."""
    if len(text) <= _STEP_CHARACTERS:
        return pattern.search(text) is not None
    return next(find_in_steps(pattern, text), None) is not None
