"""The limits of bodies that are being received, and the bodies beyond them.

The limits are on time, speed, number and bytes, for each caller and in total. They count received
bytes, never announced ones. The three kinds of bodies (`BodyKind`) have limits of their own.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import Any

from data_capture.limits.callers import fair_share
from data_capture.problems import TOO_MANY, TOO_SLOW, UNAVAILABLE, Problem

_SMALL_SECONDS = 10.0
_LARGE_SECONDS = 120.0  # the largest questionnaire, 20 MB, at 1.4 Mbit/s
_MIN_BYTES_PER_SECOND = 1024  # of a large body, on average, after the grace time
_SPEED_GRACE_SECONDS = 10.0
_UNREAD_SECONDS, _UNREAD_IDLE_SECONDS = 30.0, 2.0

# One instance each: thousands of bodies may be aborted at a time, and these are never raised.
TOO_MANY_BODIES = Problem(
    TOO_MANY, "This caller sends too many bodies at a time.", retry_after_seconds=5
)
OVERLOADED = Problem(
    UNAVAILABLE, "The service is receiving too many bodies now.", retry_after_seconds=5
)
_BELOW_MIN_SPEED = Problem(
    TOO_SLOW, f"The body arrived at less than {_MIN_BYTES_PER_SECOND} bytes per second."
)


class BodyKind(Enum):
    """How a body is received."""

    SMALL = "small"
    """At most 64 KB and announced. granian collects it, and its progress is unknown."""
    LARGE = "large"
    """Any other body. It is read chunk by chunk and counted in bytes."""
    UNREAD = "unread"
    """The body of a request that already has its response.

    It is read and dropped for a moment, so that a client that sends its whole body first sees the
    response and no broken connection.
    """


# The number of bodies, without those that began a moment ago, for each caller and in total.
MAX_BODIES_PER_CALLER = {BodyKind.SMALL: 256, BodyKind.LARGE: 64, BodyKind.UNREAD: 64}
MAX_BODIES = {BodyKind.SMALL: 2048, BodyKind.LARGE: 512, BodyKind.UNREAD: 512}


@dataclass(eq=False, slots=True)
class Body:
    """One body that the task of its request receives."""

    kind: BodyKind
    caller: str
    task: asyncio.Task[Any]
    started_at: float
    received_bytes: int = 0
    last_chunk_at: float = 0.0
    problem: Problem | None = None
    """Why the body was aborted; None while it is being received."""

    def find_timeout(self, now: float) -> Problem | None:
        """Return why the body takes too long; None if it does not."""
        age = now - self.started_at
        if self.kind is BodyKind.SMALL:
            return _too_slow_problem(_SMALL_SECONDS) if age > _SMALL_SECONDS else None
        if self.kind is BodyKind.UNREAD:
            idle_seconds = now - max(self.started_at, self.last_chunk_at)
            is_over = age > _UNREAD_SECONDS or idle_seconds > _UNREAD_IDLE_SECONDS
            return _too_slow_problem(_UNREAD_SECONDS) if is_over else None
        if age > _LARGE_SECONDS:
            return _too_slow_problem(_LARGE_SECONDS)
        if age > _SPEED_GRACE_SECONDS and self.received_bytes < age * _MIN_BYTES_PER_SECOND:
            return _BELOW_MIN_SPEED
        return None


def _too_slow_problem(seconds: float) -> Problem:
    return Problem(TOO_SLOW, f"The body did not arrive within {seconds:g} seconds.")


def select_bodies_over_limit(
    kind: BodyKind, by_caller: dict[str, list[Body]]
) -> list[tuple[Body, Problem]]:
    """Return the bodies beyond each caller's limit and its share of the total.

    The oldest bodies of each caller come first.
    """
    max_per_caller, max_total = MAX_BODIES_PER_CALLER[kind], MAX_BODIES[kind]
    counts = [min(len(bodies), max_per_caller) for bodies in by_caller.values()]
    share = fair_share(counts, max_total)
    over_limit: list[tuple[Body, Problem]] = []
    kept: list[Body] = []
    for bodies in by_caller.values():
        over_caller_limit = max(0, len(bodies) - max_per_caller)
        over_share = max(over_caller_limit, len(bodies) - share)
        over_limit += [(body, TOO_MANY_BODIES) for body in bodies[:over_caller_limit]]
        over_limit += [(body, OVERLOADED) for body in bodies[over_caller_limit:over_share]]
        kept += bodies[over_share:]
    if len(kept) > max_total:  # more callers than allowed bodies
        kept.sort(key=lambda body: body.started_at)
        over_limit += [(body, OVERLOADED) for body in kept[:-max_total]]
    return over_limit
