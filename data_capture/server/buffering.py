"""A Flask app behind granian, where no thread of the app waits for a request's body to arrive.

Behind a plain WSGI interface a thread waits with every body that is still on its way: eight visitors with a slow
uplink, or eight half-sent requests, and nobody else is served. Here a request is first judged by its head
(`data_capture.web.admission`), bodies arrive in the event loop within bounds (`serving.bodies`), and answers are handed over
whole, so that a slow reader holds no thread either.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import io
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Protocol

from flask import Flask
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

from data_capture.json_codec import MAX_BYTES_WITH_SCREENSHOT
from data_capture.problems import NOT_JSON, UNAVAILABLE, Problem
from data_capture.server.body_buffer import BodyBuffer
from data_capture.web.admission import IS_COUNTED, BodyNeeded
from data_capture.web.capture_service import (
    ADMITTED,
    CAPTURE_PATHS,
    AdmittedRequest,
    CaptureService,
)
from data_capture.web.fast_path import FastPath, fits, header_of
from data_capture.web.local_access import HEADER_NAMES
from data_capture.web.request_guard import HeaderOf, RequestGuard
from data_capture.web.request_log import log_request
from data_capture.web.security_headers import NOSNIFF

log = logging.getLogger("data_capture.server")

# Threads that write spend their time waiting for the disk, and those that wait together share one commit.
_WRITING_THREADS = 8
# Health, statistics and the script never queue behind writes that wait for a locked database.
_READING_THREADS = 4
_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_PART_SECONDS = 30.0  # for a reader to take one part of a long answer; it holds a thread meanwhile
_LAST_BODIES_SECONDS = 1.0  # for bodies that are on their way when the service is told to stop
_TURN_SECONDS = 5.0
# The services never read cookies, and a page's own cookie may hold any byte.
_NEVER_READ = frozenset({"cookie"})
_UNREADABLE = "A header's value holds bytes outside of visible ASCII."
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


class BufferingAdapter:
    """What granian calls: `__rsgi_init__` once, `__rsgi__` for each request, `__rsgi_del__` after the last.

    Args:
        app: the application.
        patience_seconds: a request that waited longer than this for a thread is answered 503; its caller has gone.
        opened: called before the first request.
        closed: called after the last answer.
    """

    def __init__(
        self,
        app: Flask,
        *,
        patience_seconds: float,
        opened: Callable[[], None],
        closed: Callable[[], None],
    ) -> None:
        self._app = app
        self._patience_seconds = patience_seconds
        self._opened, self._closed = opened, closed
        self._guard: RequestGuard | None = app.extensions.get("request_guard")
        self._bodies = BodyBuffer(app.config["MAX_CONTENT_LENGTH"] or MAX_BYTES_WITH_SCREENSHOT)
        # By the caller's address and port: one request, or for a moment two.
        self._answering: dict[str, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writing = ThreadPoolExecutor(_WRITING_THREADS, "write")
        self._reading = ThreadPoolExecutor(_READING_THREADS, "read")
        self._captures: CaptureService | None = app.extensions.get("capture_service")
        if self._captures is not None and self._guard is not None:
            self._fast_path = FastPath(self._captures, self._guard, self._writing)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        sys.setswitchinterval(_SWITCH_SECONDS)

        def end(_number: int, _frame: Any) -> None:
            loop.call_soon_threadsafe(loop.call_later, _LAST_BODIES_SECONDS, self._give_up_bodies)

        self._bodies.begin(loop)
        # asyncio hears of signals through a descriptor: this comes beside granian's own handling, not in its place.
        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        self._opened()

    def __rsgi_del__(self, _loop: asyncio.AbstractEventLoop) -> None:
        self._writing.shutdown()
        self._reading.shutdown()
        self._closed()

    def clients_being_answered(self) -> set[str]:
        """The addresses and ports, as granian writes them, of all whose requests are being answered; for other threads.

        It takes a turn of the event loop, so that requests that have arrived are among them.

        Raises:
            TimeoutError: the event loop has been held up for seconds.
        """
        has_come_round = threading.Event()
        assert self._loop is not None
        self._loop.call_soon_threadsafe(has_come_round.set)
        if not has_come_round.wait(_TURN_SECONDS):
            raise TimeoutError
        return {*self._answering}

    async def __rsgi__(self, scope: Scope, protocol: Any) -> None:
        client = scope.client
        answering = self._answering
        answering[client] = answering.get(client, 0) + 1
        try:
            await self._serve(scope, protocol, client)
        except (ProtocolClosed, EOFError):
            pass  # the caller went away before it had sent everything, or did not wait for the answer
        finally:
            answering[client] -= 1
            if not answering[client]:
                del answering[client]

    async def _serve(self, scope: Scope, protocol: Any, client: str) -> None:
        headers = _joined_lines(scope.headers)
        remote_address = client.rpartition(":")[0].strip("[]")
        if headers is None:
            await self._refuse_by_head(
                scope, protocol, Problem(NOT_JSON, _UNREADABLE), remote_address
            )
            return
        method, path = scope.method, scope.path
        if method in _READING_METHODS:
            await self._ask_app(_environ(scope, client, io.BytesIO()), protocol)
            return
        header = header_of(headers)
        refusal = self._guard.refusal(path, header) if self._guard is not None else None
        if refusal is not None:
            await self._refuse_by_head(scope, protocol, refusal, remote_address)
        elif self._captures is not None and method == "POST" and path in CAPTURE_PATHS:
            await self._capture(self._captures, scope, header, protocol, client, remote_address)
        else:
            await self._serve_by_app(scope, protocol, client, remote_address)

    async def _capture(
        self,
        captures: CaptureService,
        scope: Scope,
        header: HeaderOf,
        protocol: Any,
        client: str,
        remote_address: str,
    ) -> None:
        """Admit a capture, receive its body, and hand both to the fast path or to the app."""
        announced_bytes = _announced_bytes(scope.headers)
        admitted = _admitted(captures, scope.path, header, remote_address, announced_bytes)
        if isinstance(admitted, Problem):
            await self._refuse_by_head(scope, protocol, admitted, remote_address)
            return
        address = admitted.address or remote_address
        body = await self._bodies.receive(protocol, address, announced_bytes)
        if isinstance(body, Problem):
            await self._give_up(scope, protocol, body, address)
        elif fits(body):
            protocol.response_bytes(*await self._fast_path.respond(admitted, header, body))
        else:
            await self._ask_app(
                _environ(scope, client, io.BytesIO(body), {ADMITTED: admitted}), protocol
            )

    async def _serve_by_app(
        self, scope: Scope, protocol: Any, client: str, remote_address: str
    ) -> None:
        """Have the app answer by the request's head, and only where it can't by all of the request."""
        announced_bytes = _announced_bytes(scope.headers)
        if announced_bytes == 0:
            await self._ask_app(_environ(scope, client, io.BytesIO()), protocol)
        elif await self._ask_app(_environ(scope, client, _NoBody(BodyNeeded())), protocol):
            await self._bodies.discard(protocol, remote_address)
        else:
            address = self._caller_address(remote_address, scope.headers)
            body = await self._bodies.receive(protocol, address, announced_bytes)
            if isinstance(body, Problem):
                await self._give_up(scope, protocol, body, address)
            else:
                await self._ask_app(
                    _environ(scope, client, io.BytesIO(body), {IS_COUNTED: True}), protocol
                )

    async def _ask_app(self, environ: dict[str, Any], protocol: Any) -> bool:
        """Run the app in one of its threads; return False where it has not answered, because it needs the body."""
        threads = self._reading if environ["REQUEST_METHOD"] in _READING_METHODS else self._writing
        exchange = _Exchange(protocol)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                threads, self._answer, environ, exchange, time.monotonic()
            )
        finally:
            exchange.protocol = None

    async def _give_up(self, scope: Scope, protocol: Any, problem: Problem, address: str) -> None:
        """Answer a request whose body can't be received."""
        self._refuse(scope, protocol, problem)
        # The rest of a body that was given up is not awaited: its caller is slow, or sends too much.
        if problem.problem_type.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            await self._bodies.discard(protocol, address)

    async def _refuse_by_head(
        self, scope: Scope, protocol: Any, problem: Problem, remote_address: str
    ) -> None:
        self._refuse(scope, protocol, problem)
        if _announced_bytes(scope.headers) != 0:
            await self._bodies.discard(protocol, remote_address)

    def _refuse(self, scope: Scope, protocol: Any, problem: Problem) -> None:
        """Answer in the event loop: thousands of bodies may be given up in the same second."""
        status, headers, content = problem.response()
        headers.append(NOSNIFF)
        if self._guard is not None:
            headers += self._guard.cors_headers(scope.path, scope.headers.get("origin"))
        log_request(scope.method, "(not read)", status, time.perf_counter())
        protocol.response_bytes(status, headers, content)

    def _caller_address(self, remote_address: str, headers: Any) -> str:
        if self._guard is None:
            return remote_address
        return self._guard.caller_address(remote_address, header_of(headers)) or remote_address

    def _give_up_bodies(self) -> None:
        self._bodies.give_up_all(
            Problem(UNAVAILABLE, "The service is stopping.", retry_after_seconds=1)
        )

    def _answer(self, environ: dict[str, Any], exchange: _Exchange, complete_at: float) -> bool:
        """Run the app, in one of its threads; return False where it has not answered, because it needs the body."""
        environ["data_capture.complete_at"] = (
            complete_at  # how long it has waited for the thread, for whoever cares
        )
        if time.monotonic() - complete_at > self._patience_seconds:
            environ["wsgi.input"] = _NoBody(
                Problem(UNAVAILABLE, "Too many requests are waiting.", retry_after_seconds=1)
            )
        status, headers = 500, [("Content-Type", "text/plain")]

        def start_response(
            line: str, header_list: list[tuple[str, str]], _error: Any = None
        ) -> Callable[[bytes], Any]:
            nonlocal status, headers
            status, headers = int(line[:3]), header_list
            return _no_write

        with suppress(ProtocolClosed):  # the caller did not wait for the answer
            try:
                parts = self._app(environ, start_response)
                try:
                    if not any(name.lower() == "content-length" for name, _ in headers):
                        self._send_in_parts(exchange, status, headers, parts)
                        return True
                    content = b"".join(parts)
                finally:
                    close = getattr(parts, "close", None)
                    if close is not None:
                        close()
            except BodyNeeded:
                return False
            except ProtocolClosed:
                raise
            except Exception:
                log.exception("The app failed on a request, past its own handling of errors")
                status, headers, content = (
                    500,
                    [("Content-Type", "text/plain")],
                    b"Internal error\n",
                )
            exchange.protocol.response_bytes(status, headers, content)
        return True

    def _send_in_parts(
        self,
        exchange: _Exchange,
        status: int,
        headers: list[tuple[str, str]],
        parts: Iterable[bytes],
    ) -> None:
        """Sends an answer of unknown length as it is made; the next part once the one before was taken.

        When it can't be completed it just ends: what is sent so, JSON and archives, is then not whole, and can't be read.
        """
        assert self._loop is not None
        waiting = filter(None, iter(parts))
        part = next(waiting, None)  # until there is something, a failure can still be answered
        if part is None:
            exchange.protocol.response_empty(status, headers)
            return
        transport = exchange.protocol.response_stream(status, headers)
        try:
            while part is not None:
                asyncio.run_coroutine_threadsafe(_send(transport, part), self._loop).result(
                    _PART_SECONDS
                )
                part = next(waiting, None)
        except concurrent.futures.TimeoutError:
            log.warning("An answer was broken off: its reader took nothing for %s s", _PART_SECONDS)
        except ProtocolClosed:
            pass  # the reader has gone
        except Exception:
            log.exception("An answer was broken off: the rest of it could not be made")


class _Exchange:
    """Holds granian's object of a request while the app answers it.

    Tracebacks in the app keep the frames above it until the next garbage collection. Were the object itself in one of
    them, granian would wait as long for the body that nobody reads, and keep the connection.
    """

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol


class _NoBody(io.RawIOBase):
    """In a body's place: reading it raises `reason`, so that the app words the answer, CORS headers and all."""

    def __init__(self, reason: BaseException) -> None:
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


def _joined_lines(headers: Any) -> dict[str, str] | None:
    """A request's headers by name, the lines of one name joined; None where a header has no readable value.

    granian leaves out values that hold other than visible ASCII, and each look-up of its own costs as much as this does
    in all. Where a readable line of the same name comes before an unreadable one, granian tells nothing of the second. No
    proxy hides an address so: those that add a line of their own add it at the end, the others join all lines to one.
    """
    lines: list[tuple[str, str]] = headers.items()
    joined = dict(lines)
    if len(joined) != len(headers):
        unreadable = {*headers.keys()} - joined.keys()
        if not unreadable <= _NEVER_READ:
            return None
    if len(joined) != len(lines):
        joined = {}
        for name, value in lines:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _admitted(
    captures: CaptureService,
    path: str,
    header: HeaderOf,
    remote_address: str,
    announced_bytes: int | None,
) -> AdmittedRequest | Problem:
    """Admit a request, or return the Problem to respond with."""
    try:
        return captures.admit(path, header, remote_address, announced_bytes)
    except Problem as problem:
        # Its traceback reaches the caller's frame, and granian's object there: the connection would stay open.
        return problem.with_traceback(None)


def _announced_bytes(headers: Any) -> int | None:
    """The length of the body by the head; None for a chunked one."""
    if headers.get("transfer-encoding") is not None:
        return None
    return int(headers.get("content-length") or 0)  # hyper refuses what is no number


def _no_write(_content: bytes) -> None:
    raise NotImplementedError("start_response's write() is not offered")


def _environ(
    scope: Scope, client: str, body: io.IOBase, variables: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """The request as PEP 3333 wants it."""
    server_name, _, server_port = scope.server.rpartition(":")
    client_address, _, client_port = client.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string.encode().decode("latin-1"),
        "SERVER_NAME": server_name.strip("[]"),
        "SERVER_PORT": server_port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": client_address.strip("[]"),
        "REMOTE_PORT": client_port,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        HEADER_NAMES: [str(name).lower() for name in scope.headers.keys()],  # noqa: SIM118  (not a dict)
    }
    environ.update(variables)
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
