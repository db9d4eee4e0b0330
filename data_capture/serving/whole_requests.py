"""A Flask app behind granian, where a request gets one of the app's threads only once all of it has arrived.

Behind a plain WSGI interface a thread waits with every body that is still on its way: eight visitors with a slow
uplink, or eight half-sent requests, and nobody else is served. Here bodies arrive in the event loop, bounded in size and
in time, and answers are handed over whole, so that a slow reader holds no thread either.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import io
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol, cast

from flask import Flask
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]
from werkzeug.exceptions import RequestTimeout

from data_capture.exposure import HEADER_NAMES
from data_capture.intake import Intake
from data_capture.payloads import MOST_BYTES_WITH_SCREENSHOT
from data_capture.problems import TOO_LARGE, UNAVAILABLE, Problem

log = logging.getLogger("data_capture.serving")

# Threads that write spend their time waiting for the disk, and those that wait together share one commit.
_WRITING_THREADS = 8
# Health, statistics and the script never queue behind writes that wait for a locked database.
_READING_THREADS = 4
_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_BODY_SECONDS = 120.0  # the largest questionnaire, 20 MB, at 1.4 Mbit/s
_SWEEP_SECONDS = 5.0
_PART_SECONDS = 30.0  # for a reader to take one part of a long answer; it holds a thread meanwhile
_LAST_BODIES_SECONDS = 1.0  # for bodies that are on their way when the service is told to stop
_MOST_DISCARDED_BYTES = 64 * 1024 * 1024  # read past the limit: a browser that is cut off sees no 413, only a broken network
_MOST_ARRIVING_BYTES = 256 * 1024 * 1024  # of all bodies that are on their way at one time
# For how long a thread may keep the interpreter while another waits for it; Python's own is 5 ms. The thread that commits
# needs it twice a commit, beside an event loop that is busy, and all who wait for that commit wait with it.
_SWITCH_SECONDS = 0.0001


class Scope(Protocol):
    """What granian says of a request (its RSGI specification, "HTTP Scope")."""

    http_version: str
    server: str
    client: str
    scheme: str
    method: str
    path: str
    query_string: str
    headers: Any


class WholeRequests:
    """What granian calls: `__rsgi_init__` once, `__rsgi__` for each request, `__rsgi_del__` after the last.

    Args:
        app: the application.
        patience_seconds: a request that waited longer than this for a thread is answered 503; its caller has gone.
        opened: called before the first request.
        closed: called after the last answer.
    """

    def __init__(
        self, app: Flask, *, patience_seconds: float, opened: Callable[[], None], closed: Callable[[], None]
    ) -> None:
        self._app = app
        self._patience_seconds = patience_seconds
        self._opened, self._closed = opened, closed
        self._intake: Intake | None = app.extensions.get("intake")
        self._most_body_bytes: int = app.config["MAX_CONTENT_LENGTH"] or MOST_BYTES_WITH_SCREENSHOT
        self._arriving: set[asyncio.Task[Problem | None]] = set()
        self._arriving_small: dict[asyncio.Task[Any], float] = {}
        self._arriving_bytes = 0
        self._is_stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writing = ThreadPoolExecutor(_WRITING_THREADS, "write")
        self._reading = ThreadPoolExecutor(_READING_THREADS, "read")

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        sys.setswitchinterval(_SWITCH_SECONDS)

        def end(_number: int, _frame: Any) -> None:
            loop.call_soon_threadsafe(loop.call_later, _LAST_BODIES_SECONDS, self._give_up_bodies)

        loop.call_later(_SWEEP_SECONDS, self._give_up_late_bodies, loop)
        # asyncio hears of signals through a descriptor: this comes beside granian's own handling, not in its place.
        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        self._opened()

    def __rsgi_del__(self, _loop: asyncio.AbstractEventLoop) -> None:
        self._writing.shutdown()
        self._reading.shutdown()
        self._closed()

    async def __rsgi__(self, scope: Scope, protocol: Any) -> None:
        reads = scope.method in _READING_METHODS
        try:
            small_body_bytes = self._intake.body_bytes(scope.method, scope.path, scope.headers) if self._intake else None
            if self._intake and small_body_bytes is not None:
                body = await self._small_body(protocol, small_body_bytes)
                if isinstance(body, bytes):
                    address = scope.client.rpartition(":")[0].strip("[]")
                    reply = await self._intake.reply(scope.path, scope.headers, address, body)
                    if reply is not None:
                        protocol.response_bytes(*reply)
                        return
                    body = io.BytesIO(body)
            else:
                body = io.BytesIO() if reads else await self._body(protocol)
        except ProtocolClosed:
            return  # the caller went away before it had sent everything, or did not wait for the answer
        environ = _environ(scope)
        environ["wsgi.input"] = body
        threads = self._reading if reads else self._writing
        complete_at = time.monotonic()
        await asyncio.get_running_loop().run_in_executor(threads, self._answer, environ, protocol, complete_at)

    async def _small_body(self, protocol: Any, size_bytes: int) -> bytes | io.IOBase:
        """As `_body`, for one of announced size that is kept at once; it costs a third of that."""
        if self._arriving_bytes + size_bytes > _MOST_ARRIVING_BYTES:
            return await self._body(protocol)
        task = asyncio.current_task()
        assert task is not None
        self._arriving_bytes += size_bytes
        self._arriving_small[task] = time.monotonic()
        try:
            return cast(bytes, await protocol())
        except asyncio.CancelledError:
            return _stopping() if self._is_stopping else _too_slow()
        finally:
            del self._arriving_small[task]
            self._arriving_bytes -= size_bytes

    async def _body(self, protocol: Any) -> io.IOBase:
        """The body, or what raises in the app, at its first look, why there is none."""
        received = bytearray()
        arriving = asyncio.ensure_future(self._receive(protocol, received))
        self._arriving.add(arriving)
        try:
            refusal = await asyncio.wait_for(arriving, _BODY_SECONDS)
        except asyncio.TimeoutError:
            return _too_slow()
        except asyncio.CancelledError:
            return _stopping()
        finally:
            self._arriving.discard(arriving)
            self._arriving_bytes -= len(received)
        return io.BytesIO(received) if refusal is None else _NoBody(refusal)

    def _give_up_bodies(self) -> None:
        self._is_stopping = True
        for arriving in (*self._arriving, *self._arriving_small):
            arriving.cancel()

    def _give_up_late_bodies(self, loop: asyncio.AbstractEventLoop) -> None:
        oldest = time.monotonic() - _BODY_SECONDS
        for arriving, since in self._arriving_small.items():
            if since < oldest:
                arriving.cancel()
        loop.call_later(_SWEEP_SECONDS, self._give_up_late_bodies, loop)

    async def _receive(self, protocol: Any, received: bytearray) -> Problem | None:
        """Collects the body; reads a too large one to its end without keeping it."""
        refusal: Problem | None = None
        discarded_bytes = 0
        async for chunk in protocol:
            if refusal is not None:
                discarded_bytes += len(chunk)
                if discarded_bytes > _MOST_DISCARDED_BYTES:
                    break
            elif len(received) + len(chunk) > self._most_body_bytes:
                refusal = Problem(TOO_LARGE, f"The body is larger than {self._most_body_bytes} bytes.")
            elif self._arriving_bytes + len(chunk) > _MOST_ARRIVING_BYTES:
                refusal = Problem(UNAVAILABLE, "Too much is being sent at this moment.", retry_after_seconds=5)
            else:
                self._arriving_bytes += len(chunk)
                received += chunk
        return refusal

    def _answer(self, environ: dict[str, Any], protocol: Any, complete_at: float) -> None:
        """Runs the app, in one of its threads."""
        if time.monotonic() - complete_at > self._patience_seconds:
            environ["wsgi.input"] = _NoBody(Problem(UNAVAILABLE, "Too many requests are waiting.", retry_after_seconds=1))
        status, headers = 500, [("Content-Type", "text/plain")]

        def start_response(line: str, header_list: list[tuple[str, str]], _error: Any = None) -> Callable[[bytes], Any]:
            nonlocal status, headers
            status, headers = int(line[:3]), header_list
            return _no_write

        with suppress(ProtocolClosed):  # the caller did not wait for the answer
            try:
                parts = self._app(environ, start_response)
                try:
                    if not any(name.lower() == "content-length" for name, _ in headers):
                        self._send_in_parts(protocol, status, headers, parts)
                        return
                    content = b"".join(parts)
                finally:
                    close = getattr(parts, "close", None)
                    if close is not None:
                        close()
            except ProtocolClosed:
                raise
            except Exception:
                log.exception("The app failed on a request, past its own handling of errors")
                status, headers, content = 500, [("Content-Type", "text/plain")], b"Internal error\n"
            protocol.response_bytes(status, headers, content)

    def _send_in_parts(self, protocol: Any, status: int, headers: list[tuple[str, str]], parts: Iterable[bytes]) -> None:
        """Sends an answer of unknown length as it is made; the next part once the one before was taken.

        When it can't be completed it just ends: what is sent so, JSON and archives, is then not whole, and can't be read.
        """
        assert self._loop is not None
        waiting = filter(None, iter(parts))
        part = next(waiting, None)  # until there is something, a failure can still be answered
        if part is None:
            protocol.response_empty(status, headers)
            return
        transport = protocol.response_stream(status, headers)
        try:
            while part is not None:
                asyncio.run_coroutine_threadsafe(_send(transport, part), self._loop).result(_PART_SECONDS)
                part = next(waiting, None)
        except concurrent.futures.TimeoutError:
            log.warning("An answer was broken off: its reader took nothing for %s s", _PART_SECONDS)
        except ProtocolClosed:
            pass  # the reader has gone
        except Exception:
            log.exception("An answer was broken off: the rest of it could not be made")


class _NoBody(io.RawIOBase):
    """In a body's place: reading it raises `reason`, so that the app words the answer, CORS headers and all."""

    def __init__(self, reason: Exception) -> None:
        self._reason = reason

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: Any) -> int:
        raise self._reason

    def read(self, _size: int = -1) -> bytes:
        raise self._reason

    def readline(self, _size: int | None = -1) -> bytes:
        raise self._reason


async def _send(transport: Any, part: bytes) -> None:
    await transport.send_bytes(part)


def _too_slow() -> _NoBody:
    return _NoBody(RequestTimeout(f"The body did not arrive within {_BODY_SECONDS:g} seconds."))


def _stopping() -> _NoBody:
    return _NoBody(Problem(UNAVAILABLE, "The service is stopping.", retry_after_seconds=1))


def _no_write(_content: bytes) -> None:
    raise NotImplementedError("start_response's write() is not offered")


def _environ(scope: Scope) -> dict[str, Any]:
    """The request as PEP 3333 wants it, the body apart."""
    server_name, _, server_port = scope.server.rpartition(":")
    client_address, _, client_port = scope.client.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": server_name.strip("[]"),
        "SERVER_PORT": server_port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": client_address.strip("[]"),
        "REMOTE_PORT": client_port,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        HEADER_NAMES: [str(name).lower() for name in scope.headers.keys()],  # noqa: SIM118  (not a dict)
    }
    for name, value in scope.headers.items():
        if "_" in name:
            continue  # X_Forwarded_For would pass for X-Forwarded-For
        variable = name.upper().replace("-", "_")
        if variable not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            variable = f"HTTP_{variable}"
        if variable in environ:
            environ[variable] += ("; " if variable == "HTTP_COOKIE" else ", ") + value
        else:
            environ[variable] = value
    return environ
