"""Request bodies that are being received: bounded in time, speed, number and bytes, for each caller and in total.

What counts is what has been received, never what was announced. When a bound is reached, the caller that uses the most
loses its oldest body; a request that has just arrived is never refused because of the bodies of others.

    small   at most 64 KB, announced: granian collects it. Its progress can't be seen, so their number is bounded.
    large   all others: read chunk by chunk, and counted in bytes.
    unread  of a request that is already answered: read and dropped for a moment, so that a client that sends its
            whole body before it reads anything sees the answer and not a broken connection.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, cast

from granian.rsgi import ProtocolError  # type: ignore[attr-defined]

from data_capture.limits.callers import caller_of, fair_share
from data_capture.problems import TOO_LARGE, TOO_MANY, TOO_SLOW, UNAVAILABLE, Problem

MAX_SMALL_BYTES = 64 * 1024

_SMALL_SECONDS = 10.0
_LARGE_SECONDS = 120.0  # the largest questionnaire, 20 MB, at 1.4 Mbit/s
_MIN_BYTES_PER_SECOND = 1024  # of a large body, on average, after the grace time
_SPEED_GRACE_SECONDS = 10.0
_UNREAD_SECONDS, _UNREAD_QUIET_SECONDS = 30.0, 2.0

_MAX_BYTES = 256 * 1024 * 1024  # received of all large bodies
_MAX_BYTES_OF_CALLER = _MAX_BYTES // 2
_MAX_UNREAD_BYTES = 64 * 1024 * 1024  # of one body
_MAX_COLLECTED = (
    4096  # small bodies that granian collects at a time: 256 MB. Others are read chunk by chunk.
)

# A body that arrives promptly is never counted: thousands of honest requests may begin in the same moment.
_PROMPT_SECONDS = 1.0
_SWEEP_SECONDS = 1.0
_MAX_GIVEN_UP_AT_ONCE = (
    100  # each needs an answer, and other requests must not wait for all of them
)
_SWEEP_ON_SECONDS = 0.1


# Thousands of bodies may be given up at a time, and these are only answered, never raised.
_TOO_MANY = Problem(TOO_MANY, "This caller sends too many bodies at a time.", retry_after_seconds=5)
_TOO_MUCH = Problem(UNAVAILABLE, "Too much is being sent at this moment.", retry_after_seconds=5)
_BELOW_MIN_SPEED = Problem(
    TOO_SLOW, f"The body arrived at less than {_MIN_BYTES_PER_SECOND} bytes a second."
)


class _Kind(Enum):
    """How a body is received."""

    SMALL = "small"
    LARGE = "large"
    UNREAD = "unread"


# How many bodies that are not prompt one caller, and all callers, may have.
_MAX_OF_CALLER = {_Kind.SMALL: 256, _Kind.LARGE: 64, _Kind.UNREAD: 64}
_MAX_OF_ALL = {_Kind.SMALL: 2048, _Kind.LARGE: 512, _Kind.UNREAD: 512}


@dataclass(eq=False, slots=True)
class _Body:
    """One body that is being received, by the task of its request."""

    kind: _Kind
    caller: str
    task: asyncio.Task[Any]
    since: float
    received_bytes: int = 0
    last_bytes_at: float = 0.0
    problem: Problem | None = None  # why it was given up

    def overdue(self, now: float) -> Problem | None:
        """Why it has taken too long; None while it has not."""
        age = now - self.since
        if self.kind is _Kind.SMALL:
            return _too_slow(_SMALL_SECONDS) if age > _SMALL_SECONDS else None
        if self.kind is _Kind.UNREAD:
            is_over = (
                age > _UNREAD_SECONDS
                or now - max(self.since, self.last_bytes_at) > _UNREAD_QUIET_SECONDS
            )
            return _too_slow(_UNREAD_SECONDS) if is_over else None
        if age > _LARGE_SECONDS:
            return _too_slow(_LARGE_SECONDS)
        if age > _SPEED_GRACE_SECONDS and self.received_bytes < age * _MIN_BYTES_PER_SECOND:
            return _BELOW_MIN_SPEED
        return None


class BodyBuffer:
    """The bodies of one service, all received in one event loop.

    Args:
        max_bytes: the largest body that is kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bodies: dict[_Body, None] = {}  # oldest first
        self._collected = 0
        self._received_bytes = 0
        self._received_of: Counter[str] = Counter()

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give up what is too slow or too much, from now on."""
        loop.call_later(_SWEEP_SECONDS, self._sweep_again, loop)

    async def receive(
        self, protocol: Any, address: str, announced_bytes: int | None
    ) -> bytes | Problem:
        """Receive a body, or return why it was given up.

        408 too slow, 413 too large, 429 or 503 when its caller, or all together, send too much. Nothing of this is
        raised: a traceback would keep granian's object, and with it the connection, until the next garbage collection.

        Args:
            protocol: granian's.
            address: the caller's.
            announced_bytes: the Content-Length; None for a chunked body.

        Raises:
            ProtocolClosed: the client closed the connection.
            EOFError: the client closed the connection within a large body.
        """
        if (
            announced_bytes is None
            or announced_bytes > MAX_SMALL_BYTES
            or self._collected >= _MAX_COLLECTED
        ):
            return await self._receive_chunks(protocol, address, announced_bytes)
        body = self._begin(_Kind.SMALL, address)
        self._collected += 1
        try:
            return cast(bytes, await protocol())
        except asyncio.CancelledError:
            if body.problem is None:
                raise  # granian's own cancellation
            return body.problem
        finally:
            self._collected -= 1
            self._bodies.pop(body, None)

    async def discard(self, protocol: Any, address: str) -> None:
        """Read and drop what is left of a body, within narrow bounds."""
        body = self._begin(_Kind.UNREAD, address)
        try:
            async for chunk in _chunks_of(protocol):
                body.received_bytes += len(chunk)
                body.last_bytes_at = time.monotonic()
                if body.received_bytes > _MAX_UNREAD_BYTES:
                    return
        except asyncio.CancelledError:
            if body.problem is None:
                raise
        finally:
            self._bodies.pop(body, None)

    def give_up_all(self, problem: Problem) -> None:
        """Answer `problem` to every request whose body is being received."""
        for body in [*self._bodies]:
            self._give_up(body, problem)

    async def _receive_chunks(
        self, protocol: Any, address: str, announced_bytes: int | None
    ) -> bytes | Problem:
        body = self._begin(_Kind.LARGE, address)
        content = bytearray()
        try:
            async for chunk in _chunks_of(protocol):
                if len(content) + len(chunk) > self._max_bytes:
                    return Problem(TOO_LARGE, f"The body is larger than {self._max_bytes} bytes.")
                refusal = self._make_room(body, len(chunk))
                if refusal is not None:
                    return refusal
                self._count(body, len(chunk))
                content += chunk
        except asyncio.CancelledError:
            if body.problem is None:
                raise  # granian's own cancellation
            return body.problem
        finally:
            self._count(body, -body.received_bytes)
            self._bodies.pop(body, None)
        if announced_bytes is not None and len(content) < announced_bytes:
            raise EOFError  # granian ends a broken body as it ends a complete one
        return bytes(content)

    def _begin(self, kind: _Kind, address: str) -> _Body:
        task = asyncio.current_task()
        assert task is not None
        body = _Body(kind, caller_of(address), task, time.monotonic())
        self._bodies[body] = None
        return body

    def _count(self, body: _Body, size_bytes: int) -> None:
        body.received_bytes += size_bytes
        self._received_bytes += size_bytes
        self._received_of[body.caller] += size_bytes
        if not self._received_of[body.caller]:
            del self._received_of[body.caller]

    def _make_room(self, body: _Body, size_bytes: int) -> Problem | None:
        """Give up other large bodies until `size_bytes` more of `body` fit; return why not, when it is the one to give up."""
        while self._received_of[body.caller] + size_bytes > _MAX_BYTES_OF_CALLER:
            if not self._give_up_oldest(body.caller, body, _TOO_MANY):
                return _TOO_MANY
        while self._received_bytes + size_bytes > _MAX_BYTES:
            [(largest, _)] = self._received_of.most_common(1) or [(body.caller, 0)]
            if not self._give_up_oldest(largest, body, _TOO_MUCH):
                return _TOO_MUCH
        return None

    def _give_up_oldest(self, caller: str, for_body: _Body, problem: Problem) -> bool:
        oldest = next(
            (body for body in self._bodies if body.caller == caller and body.received_bytes),
            for_body,
        )
        if oldest is for_body:
            return False
        self._give_up(oldest, problem)
        return True

    def _give_up(self, body: _Body, problem: Problem) -> None:
        body.problem = problem
        self._bodies.pop(body, None)
        if body.kind is _Kind.LARGE:
            self._count(body, -body.received_bytes)
        body.task.cancel()

    def _sweep_again(self, loop: asyncio.AbstractEventLoop) -> None:
        is_done = self._sweep(time.monotonic())
        loop.call_later(_SWEEP_SECONDS if is_done else _SWEEP_ON_SECONDS, self._sweep_again, loop)

    def _sweep(self, now: float) -> bool:
        """Give up some of what has to be given up; return whether that was all of it."""
        given_up: list[tuple[_Body, Problem]] = []
        slow: dict[_Kind, dict[str, list[_Body]]] = {kind: defaultdict(list) for kind in _Kind}
        for body in self._bodies:
            problem = body.overdue(now)
            if problem is not None:
                given_up.append((body, problem))
            elif now - body.since > _PROMPT_SECONDS:
                slow[body.kind][body.caller].append(body)
        for kind, by_caller in slow.items():
            given_up += _too_many_of(kind, by_caller)
        for body, problem in given_up[:_MAX_GIVEN_UP_AT_ONCE]:
            self._give_up(body, problem)
        return len(given_up) <= _MAX_GIVEN_UP_AT_ONCE


@cache
def _too_slow(seconds: float) -> Problem:
    """The answer to a body that did not arrive in time."""
    return Problem(TOO_SLOW, f"The body did not arrive within {seconds:g} seconds.")


def _too_many_of(kind: _Kind, by_caller: dict[str, list[_Body]]) -> list[tuple[_Body, Problem]]:
    """The bodies beyond each caller's limit, then beyond its share of the limit of all, each caller's oldest first."""
    max_of_caller, max_of_all = _MAX_OF_CALLER[kind], _MAX_OF_ALL[kind]
    given_up: list[tuple[_Body, Problem]] = []
    counts = [min(len(bodies), max_of_caller) for bodies in by_caller.values()]
    share = fair_share(counts, max_of_all)
    kept: list[_Body] = []
    for bodies in by_caller.values():
        first_fitting, first_kept = (
            max(0, len(bodies) - limit) for limit in (max_of_caller, share)
        )
        given_up += [(body, _TOO_MANY) for body in bodies[:first_fitting]]
        given_up += [(body, _TOO_MUCH) for body in bodies[first_fitting:first_kept]]
        kept += bodies[max(first_fitting, first_kept) :]
    if len(kept) > max_of_all:  # more callers than bodies that are allowed
        kept.sort(key=lambda body: body.since)
        given_up += [(body, _TOO_MUCH) for body in kept[:-max_of_all]]
    return given_up


def _chunks_of(protocol: Any) -> AsyncIterable[bytes]:
    """The body's chunks; the rest of them, where some were read before."""
    try:
        return _Chunks(protocol.__aiter__())
    except ProtocolError:  # granian gives out a body once
        return _Chunks(protocol)


class _Chunks:
    """Chunks that more than one loop may read."""

    def __init__(self, chunks: Any) -> None:
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    def __anext__(self) -> Awaitable[bytes]:
        return cast("Awaitable[bytes]", self._chunks.__anext__())
