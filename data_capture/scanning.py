"""Looking for patterns in long texts in steps, since no other thread runs while `re` looks through one."""

from __future__ import annotations

import re
from collections.abc import Iterator

_STEP_CHARACTERS = 50_000  # looked through at once, in some milliseconds
_OVERLAP_CHARACTERS = 10_000  # looked through twice; longer than any token or key that has to be seen whole


def found_in(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """What `pattern.finditer(text)` finds, in steps.

    A match near the end of a step is made again with all that follows, of any length. What is longer than the overlap
    and is no match before its end is seen is found only within a step.
    """
    begin = 0
    while begin + _STEP_CHARACTERS < len(text):
        end = begin + _STEP_CHARACTERS
        found = pattern.search(text, begin, end)
        if found is None:
            begin = end - _OVERLAP_CHARACTERS
            continue
        begin = found.start() + 1
        whole = pattern.match(text, found.start()) if found.end() > end - _OVERLAP_CHARACTERS else found
        if whole is not None:
            yield whole
            begin = max(begin, whole.end())
    yield from pattern.finditer(text, begin)


def is_in(pattern: re.Pattern[str], text: str) -> bool:
    """Whether `pattern` is found in `text`, in steps."""
    if len(text) <= _STEP_CHARACTERS:
        return pattern.search(text) is not None
    return next(found_in(pattern, text), None) is not None
