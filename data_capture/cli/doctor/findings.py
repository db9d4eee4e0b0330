"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(str, Enum):
    """How bad a result is.

    A `PROBLEM` stops the services or puts data at risk; a `WARNING` may become one. A `NOTE` is a
    state that may be intended, such as a stopped service.
    """

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Result:
    """The answer to a check's question, and the advice, which is empty if all is well."""

    level: Level
    answer: str
    advice: str = ""


@dataclass(frozen=True)
class Finding:
    """A question with its result: one line of the output, one object in JSON."""

    question: str
    level: Level
    answer: str
    advice: str


def ok(answer: str) -> Result:
    """Return a good result."""
    return Result(Level.OK, answer)


def note(answer: str, advice: str) -> Result:
    """Return a result that may be intended."""
    return Result(Level.NOTE, answer, advice)


def warning(answer: str, advice: str) -> Result:
    """Return a result that may become a problem."""
    return Result(Level.WARNING, answer, advice)


def problem(answer: str, advice: str) -> Result:
    """Return a problem: it stops the services or puts data at risk."""
    return Result(Level.PROBLEM, answer, advice)
