"""An RSGI adapter that buffers bodies, so that no thread waits for one.

Behind a plain WSGI interface a thread waits for each body that is still arriving. Eight visitors
with a slow uplink, or eight half-sent requests, would then block everyone else. This adapter checks
a request's head first (`web.deferred_body`), receives the body on the event loop within limits
(`body_buffer`), and then runs the app in a thread. The response is handed to granian at once, so
that a slow reader occupies no thread either.
"""

from __future__ import annotations

import asyncio
import io
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NamedTuple

from flask import Flask
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

from data_capture.json_codec import MAX_BYTES_WITH_SCREENSHOT
from data_capture.problems import NOT_JSON, UNAVAILABLE, Problem
from data_capture.server.body_buffer import BodyBuffer
from data_capture.server.headers import (
    has_unreadable_header,
    join_header_lines,
    parse_content_length,
)
from data_capture.server.large_dashboards import LargeDashboards
from data_capture.server.wsgi import AppRunner, ProtocolHolder, RaisingBody, Scope, build_environ
from data_capture.web.capture_log import CaptureLog
from data_capture.web.capture_service import (
    ADMITTED,
    CAPTURE_PATHS,
    AdmittedRequest,
    CaptureService,
)
from data_capture.web.deferred_body import RATE_COUNTED, BodyNotReceived
from data_capture.web.fast_path import FastPath, fits_event_loop
from data_capture.web.request_guard import RequestGuard
from data_capture.web.request_log import log_request
from data_capture.web.requests import is_large_dashboard
from data_capture.web.security_headers import NOSNIFF

# Threads that write mostly wait for the disk; writes that wait together share one commit.
_WRITING_THREADS = 8
# Threads of their own: health, statistics and the script do not wait behind a locked database.
_READING_THREADS = 4
_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# How long bodies that are arriving when the service stops may take to complete.
_STOPPING_BODY_SECONDS = 1.0
_EVENT_LOOP_SECONDS = 5.0
_UNREADABLE = "A header's value has bytes other than visible ASCII."
# Python's default is 5 ms. The committing thread needs the interpreter twice for each commit while
# the event loop is busy, and every caller of that commit waits with it.
_SWITCH_INTERVAL_SECONDS = 0.0001
_NO_VARIABLES: Mapping[str, Any] = MappingProxyType({})


class _Request(NamedTuple):
    """One request, with the two objects that granian passes for it."""

    scope: Scope
    protocol: Any
    headers: Mapping[str, str]
    remote_address: str

    @property
    def content_length(self) -> int | None:
        """The length of the body in bytes; None for a chunked body."""
        return parse_content_length(self.headers)


class BufferingAdapter:
    """Serve a Flask app as an RSGI application.

    granian calls `__rsgi_init__` once, `__rsgi__` for each request, and `__rsgi_del__` last.

    Args:
        app: the application.
        max_wait_seconds: a request that waited longer for a thread gets 503, since its caller has
            given up.
        on_open: called before the first request.
        on_close: called after the last response.
    """

    def __init__(
        self,
        app: Flask,
        *,
        max_wait_seconds: float,
        on_open: Callable[[], None],
        on_close: Callable[[], None],
    ) -> None:
        self._runner = AppRunner(app, max_wait_seconds)
        self._on_open, self._on_close = on_open, on_close
        self._guard: RequestGuard | None = app.extensions.get("request_guard")
        self._bodies = BodyBuffer(app.config["MAX_CONTENT_LENGTH"] or MAX_BYTES_WITH_SCREENSHOT)
        self._large_dashboards = LargeDashboards(max_wait_seconds)
        # Requests in progress by the client's address and port: one, or two for a moment.
        self._in_progress: dict[str, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writing = ThreadPoolExecutor(_WRITING_THREADS, "write")
        self._reading = ThreadPoolExecutor(_READING_THREADS, "read")
        self._capture_log: CaptureLog | None = app.extensions.get("capture_log")
        self._captures: CaptureService | None = app.extensions.get("capture_service")
        if self._captures is not None and self._guard is not None:
            self._fast_path = FastPath(self._captures, self._guard, self._writing)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        sys.setswitchinterval(_SWITCH_INTERVAL_SECONDS)

        def abort_bodies_soon(_number: int, _frame: Any) -> None:
            loop.call_soon_threadsafe(loop.call_later, _STOPPING_BODY_SECONDS, self._abort_bodies)

        self._bodies.start(loop)
        # asyncio gets signals through a descriptor: these handlers add to granian's own.
        signal.signal(signal.SIGTERM, abort_bodies_soon)
        signal.signal(signal.SIGINT, abort_bodies_soon)
        self._on_open()

    def __rsgi_del__(self, _loop: asyncio.AbstractEventLoop) -> None:
        self._writing.shutdown()
        self._reading.shutdown()
        self._on_close()

    def list_clients_in_progress(self) -> set[str]:
        """Return the clients whose requests are in progress, for other threads.

        The result has addresses with ports, as granian writes them. It waits for one iteration of
        the event loop, so that it includes all requests that have arrived.

        Raises:
            TimeoutError: the event loop has been blocked for seconds.
        """
        has_iterated = threading.Event()
        assert self._loop is not None
        self._loop.call_soon_threadsafe(has_iterated.set)
        if not has_iterated.wait(_EVENT_LOOP_SECONDS):
            raise TimeoutError
        return {*self._in_progress}

    async def __rsgi__(self, scope: Scope, protocol: Any) -> None:
        client = scope.client
        in_progress = self._in_progress
        in_progress[client] = in_progress.get(client, 0) + 1
        try:
            remote_address = client.rpartition(":")[0].strip("[]")
            headers = join_header_lines(scope.headers)
            await self._serve(_Request(scope, protocol, headers, remote_address))
        except ProtocolClosed:
            pass  # the client disconnected before the response
        finally:
            in_progress[client] -= 1
            if not in_progress[client]:
                del in_progress[client]

    async def _serve(self, request: _Request) -> None:
        scope = request.scope
        if has_unreadable_header(scope.headers, request.headers):
            await self._reject_by_head(request, Problem(NOT_JSON, _UNREADABLE))
            return
        if scope.method in _READING_METHODS:
            await self._run_app(request, io.BytesIO())
            return
        problem = None
        if self._guard is not None:
            problem = self._guard.check(scope.path, request.headers.get)
        if problem is not None:
            await self._reject_by_head(request, problem)
        elif self._captures is not None and scope.method == "POST" and scope.path in CAPTURE_PATHS:
            await self._serve_capture(self._captures, request)
        else:
            await self._serve_by_app(request)

    async def _serve_capture(self, captures: CaptureService, request: _Request) -> None:
        """Admit a capture, receive its body, and pass it to the fast path or to the app."""
        content_length = request.content_length
        admitted = _admit_or_reject(captures, request, content_length)
        if isinstance(admitted, Problem):
            await self._reject_by_head(request, admitted)
            return
        address = admitted.address or request.remote_address
        body = await self._receive(request, address, content_length)
        if isinstance(body, Problem):
            await self._reject_by_body(request, body, address)
        elif fits_event_loop(body):
            response = await self._fast_path.respond(admitted, request.headers.get, body)
            request.protocol.response_bytes(*response)
        elif is_large_dashboard(admitted.kind_name, len(body)):
            await self._serve_large_dashboard(request, admitted, body, address)
        else:
            await self._run_app(request, io.BytesIO(body), {ADMITTED: admitted})

    async def _serve_large_dashboard(
        self, request: _Request, admitted: AdmittedRequest, body: bytes, address: str
    ) -> None:
        problem = await self._large_dashboards.begin(address, len(body))
        if problem is not None:
            self._send_problem(request, problem)
            return
        try:
            await self._run_app(request, io.BytesIO(body), {ADMITTED: admitted})
        finally:
            self._large_dashboards.end()

    async def _serve_by_app(self, request: _Request) -> None:
        """Let the app respond to the head if it can, and otherwise to the whole request."""
        content_length = request.content_length
        if content_length == 0:
            await self._run_app(request, io.BytesIO())
            return
        if await self._run_app(request, RaisingBody(BodyNotReceived())):
            await self._bodies.discard(request.protocol, request.remote_address)
            return
        address = self._caller_address(request)
        body = await self._receive(request, address, content_length)
        if isinstance(body, Problem):
            await self._reject_by_body(request, body, address)
        else:
            await self._run_app(request, io.BytesIO(body), {RATE_COUNTED: True})

    def _receive(
        self, request: _Request, address: str, content_length: int | None
    ) -> Awaitable[bytes | Problem]:
        return self._bodies.receive(
            request.protocol, address, content_length, has_trailers="trailer" in request.headers
        )

    async def _run_app(
        self, request: _Request, body: io.IOBase, variables: Mapping[str, Any] = _NO_VARIABLES
    ) -> bool:
        """Run the app in a thread; return False if it needs the body to respond."""
        environ = build_environ(request.scope, request.headers, body, variables)
        threads = self._reading if request.scope.method in _READING_METHODS else self._writing
        holder = ProtocolHolder(request.protocol)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                threads, self._runner.run, environ, holder, loop, time.monotonic()
            )
        finally:
            holder.protocol = None

    async def _reject_by_head(self, request: _Request, problem: Problem) -> None:
        """Respond before the body is read."""
        self._send_problem(request, problem)
        if request.content_length != 0:
            await self._bodies.discard(request.protocol, request.remote_address)

    async def _reject_by_body(self, request: _Request, problem: Problem, address: str) -> None:
        """Respond to a request whose body was not received completely."""
        self._send_problem(request, problem)
        # The rest of a slow body, or of a caller who sends too much, is not worth waiting for.
        if problem.problem_type.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            await self._bodies.discard(request.protocol, address)

    def _send_problem(self, request: _Request, problem: Problem) -> None:
        """Respond with a problem, on the event loop.

        Thousands of bodies may be aborted in the same second.
        """
        scope = request.scope
        status, headers, content = problem.response()
        headers.append(NOSNIFF)
        if self._guard is not None:
            origin = request.headers.get("origin")
            headers += self._guard.cors_headers(scope.path, origin)
            headers += self._guard.refusal_headers(scope.path, origin, status)
        log_request(scope.method, "(not read)", status, time.perf_counter())
        if self._capture_log is not None and scope.method == "POST":
            self._capture_log.count_response(scope.path, status)
        request.protocol.response_bytes(status, headers, content)

    def _caller_address(self, request: _Request) -> str:
        address = None
        if self._guard is not None:
            address = self._guard.caller_address(request.remote_address, request.headers.get)
        return address or request.remote_address

    def _abort_bodies(self) -> None:
        self._bodies.abort_all(
            Problem(UNAVAILABLE, "The service is stopping.", retry_after_seconds=1)
        )


def _admit_or_reject(
    captures: CaptureService, request: _Request, content_length: int | None
) -> AdmittedRequest | Problem:
    """Admit a request, or return the Problem to respond with."""
    try:
        return captures.admit(
            request.scope.path, request.headers.get, request.remote_address, content_length
        )
    except Problem as problem:
        # The traceback would keep the caller's frame and granian's object there, and with it the
        # connection.
        return problem.with_traceback(None)
