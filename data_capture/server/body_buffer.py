"""Buffer request bodies while they arrive, within the limits of `body_limits`.

When a limit is reached, the caller that uses the most loses its oldest body. A request that has
just arrived is never rejected because of the bodies of others.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from typing import Any, cast

from granian.rsgi import ProtocolClosed, ProtocolError  # type: ignore[attr-defined]

from data_capture.limits.callers import caller_of
from data_capture.problems import NOT_JSON, TOO_LARGE, Problem
from data_capture.server.body_limits import (
    OVERLOADED,
    TOO_MANY_BODIES,
    Body,
    BodyKind,
    select_bodies_over_limit,
)

MAX_SMALL_BYTES = 64 * 1024

_MAX_BYTES = 256 * 1024 * 1024  # received bytes of all large bodies
_MAX_BYTES_PER_CALLER = _MAX_BYTES // 2
_MAX_UNREAD_BYTES = 64 * 1024 * 1024  # of one body
# Small bodies that granian collects at a time: 256 MB. Others are read chunk by chunk.
_MAX_COLLECTED = 4096

# Younger bodies are not counted: thousands of honest requests may begin in the same moment.
_PROMPT_SECONDS = 1.0
_SWEEP_SECONDS, _NEXT_SWEEP_SECONDS = 1.0, 0.1
# Each aborted body needs a response, and other requests must not wait for all of them.
_MAX_ABORTED_PER_SWEEP = 100

# One instance each, which is never raised: see `receive`.
_BELOW_CONTENT_LENGTH = Problem(NOT_JSON, "The body ended before its Content-Length.")
_WITHOUT_LAST_CHUNK = Problem(
    NOT_JSON,
    "The chunked body ended before its last chunk, or has trailers without a Trailer header.",
)


class BodyBuffer:
    """Buffer the bodies of one service, all on the same event loop.

    Args:
        max_bytes: the size limit of a body.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bodies: dict[Body, None] = {}  # oldest first
        self._collected = 0
        self._received_bytes = 0
        self._received_by_caller: Counter[str] = Counter()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start to abort bodies that are too slow or too many."""
        loop.call_later(_SWEEP_SECONDS, self._sweep_and_reschedule, loop)

    async def receive(
        self,
        protocol: Any,
        address: str,
        content_length: int | None,
        *,
        has_trailers: bool = False,
    ) -> bytes | Problem:
        """Receive a body.

        Args:
            protocol: granian's protocol object of the request.
            address: the caller's.
            content_length: in bytes; None for a chunked body.
            has_trailers: whether a Trailer header announces trailers of a chunked body.

        Returns:
            The body, or the Problem for which it was aborted: 400 incomplete, 408 too slow, 413 too
            large, 429 or 503 when its caller, or all callers together, send too much. The Problem
            is not raised, because a traceback would keep granian's object, and with it the
            connection, until the next garbage collection.
        """
        if (
            content_length is None
            or content_length > MAX_SMALL_BYTES
            or self._collected >= _MAX_COLLECTED
        ):
            return await self._receive_chunks(
                protocol, address, content_length, has_trailers=has_trailers
            )
        body = self._add(BodyKind.SMALL, address)
        self._collected += 1
        try:
            return cast(bytes, await protocol())
        except ProtocolClosed:  # granian raises it for a body that ends early
            return _BELOW_CONTENT_LENGTH
        except asyncio.CancelledError:
            if body.problem is None:
                raise  # granian cancelled the task
            return body.problem
        finally:
            self._collected -= 1
            self._bodies.pop(body, None)

    async def discard(self, protocol: Any, address: str) -> None:
        """Read and drop the rest of a body, within narrow limits."""
        body = self._add(BodyKind.UNREAD, address)
        try:
            async for chunk in _iterate_chunks(protocol):
                body.received_bytes += len(chunk)
                body.last_chunk_at = time.monotonic()
                if body.received_bytes > _MAX_UNREAD_BYTES:
                    return
        except asyncio.CancelledError:
            if body.problem is None:
                raise  # granian cancelled the task
        finally:
            self._bodies.pop(body, None)

    def abort_all(self, problem: Problem) -> None:
        """Abort all bodies; their requests get `problem`."""
        for body in [*self._bodies]:
            self._abort(body, problem)

    async def _receive_chunks(
        self, protocol: Any, address: str, content_length: int | None, *, has_trailers: bool
    ) -> bytes | Problem:
        body = self._add(BodyKind.LARGE, address)
        content = bytearray()
        empty_chunks = 0
        try:
            async for chunk in _iterate_chunks(protocol):
                empty_chunks += not chunk
                if len(content) + len(chunk) > self._max_bytes:
                    return Problem(TOO_LARGE, f"The body is larger than {self._max_bytes} bytes.")
                problem = self._make_room(body, len(chunk))
                if problem is not None:
                    return problem
                self._count_bytes(body, len(chunk))
                content += chunk
        except asyncio.CancelledError:
            if body.problem is None:
                raise  # granian cancelled the task
            return body.problem
        finally:
            self._count_bytes(body, -body.received_bytes)
            self._bodies.pop(body, None)
        if content_length is not None and len(content) < content_length:
            return _BELOW_CONTENT_LENGTH
        # granian ends each body with an empty chunk. One more stands for trailers or for an error.
        if content_length is None and empty_chunks > 1 and not has_trailers:
            return _WITHOUT_LAST_CHUNK
        return bytes(content)

    def _add(self, kind: BodyKind, address: str) -> Body:
        task = asyncio.current_task()
        assert task is not None
        body = Body(kind, caller_of(address), task, time.monotonic())
        self._bodies[body] = None
        return body

    def _count_bytes(self, body: Body, size_bytes: int) -> None:
        body.received_bytes += size_bytes
        self._received_bytes += size_bytes
        self._received_by_caller[body.caller] += size_bytes
        if not self._received_by_caller[body.caller]:
            del self._received_by_caller[body.caller]

    def _make_room(self, body: Body, size_bytes: int) -> Problem | None:
        """Abort other large bodies until `size_bytes` more of `body` fit.

        Returns:
            None, or the Problem for `body` if it is itself the one to abort.
        """
        while self._received_by_caller[body.caller] + size_bytes > _MAX_BYTES_PER_CALLER:
            if not self._abort_oldest(body.caller, body, TOO_MANY_BODIES):
                return TOO_MANY_BODIES
        while self._received_bytes + size_bytes > _MAX_BYTES:
            [(largest, _)] = self._received_by_caller.most_common(1) or [(body.caller, 0)]
            if not self._abort_oldest(largest, body, OVERLOADED):
                return OVERLOADED
        return None

    def _abort_oldest(self, caller: str, spared: Body, problem: Problem) -> bool:
        """Abort the caller's oldest body.

        Returns:
            False if the caller has none, or if it is `spared`.
        """
        with_bytes = (one for one in self._bodies if one.caller == caller and one.received_bytes)
        oldest = next(with_bytes, spared)
        if oldest is spared:
            return False
        self._abort(oldest, problem)
        return True

    def _abort(self, body: Body, problem: Problem) -> None:
        body.problem = problem
        self._bodies.pop(body, None)
        if body.kind is BodyKind.LARGE:
            self._count_bytes(body, -body.received_bytes)
        body.task.cancel()

    def _sweep_and_reschedule(self, loop: asyncio.AbstractEventLoop) -> None:
        is_done = self._sweep(time.monotonic())
        seconds = _SWEEP_SECONDS if is_done else _NEXT_SWEEP_SECONDS
        loop.call_later(seconds, self._sweep_and_reschedule, loop)

    def _sweep(self, now: float) -> bool:
        """Abort bodies over a limit; return False if more of them remain."""
        aborted: list[tuple[Body, Problem]] = []
        counted: dict[BodyKind, dict[str, list[Body]]] = {
            kind: defaultdict(list) for kind in BodyKind
        }
        for body in self._bodies:
            problem = body.find_timeout(now)
            if problem is not None:
                aborted.append((body, problem))
            elif now - body.started_at > _PROMPT_SECONDS:
                counted[body.kind][body.caller].append(body)
        for kind, by_caller in counted.items():
            aborted += select_bodies_over_limit(kind, by_caller)
        for body, problem in aborted[:_MAX_ABORTED_PER_SWEEP]:
            self._abort(body, problem)
        return len(aborted) <= _MAX_ABORTED_PER_SWEEP


def _iterate_chunks(protocol: Any) -> AsyncIterable[bytes]:
    """Return the chunks of a body, or the rest of them if some were read before."""
    try:
        return _Chunks(protocol.__aiter__())
    except ProtocolError:  # granian returns the iterator of a body only once
        return _Chunks(protocol)


class _Chunks:
    """An iterator that more than one loop may use."""

    def __init__(self, chunks: Any) -> None:
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    def __anext__(self) -> Awaitable[bytes]:
        return cast("Awaitable[bytes]", self._chunks.__anext__())
