"""Run a Flask app by WSGI (PEP 3333), and pass its response to granian."""

from __future__ import annotations

import asyncio
import concurrent.futures
import io
import logging
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from flask import Flask
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

from data_capture.problems import UNAVAILABLE, Problem
from data_capture.web.deferred_body import BodyNotReceived
from data_capture.web.read_access import HEADER_NAMES

log = logging.getLogger("data_capture.server")

QUEUED_AT = "data_capture.complete_at"
"""The WSGI variable with the time, of `time.monotonic`, since when a request waits for a thread."""

# The time that a client may take to read one chunk of a response, which occupies a thread.
_CHUNK_SECONDS = 30.0


class Scope(Protocol):
    """A request as granian describes it (RSGI specification, "HTTP Scope")."""

    http_version: str
    server: str
    client: str
    scheme: str
    method: str
    path: str
    query_string: str
    headers: Any


class ProtocolHolder:
    """Hold granian's protocol object of a request while the app responds to it.

    A traceback in the app keeps the frames above it until the next garbage collection. If a frame
    had the object itself, granian would wait that long for a body that nobody reads, and would
    keep the connection open.
    """

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol


class RaisingBody(io.RawIOBase):
    """A body that raises `error` when it is read, so that the app makes the response."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def readable(self) -> bool:
        """Return True, as an input stream does."""
        return True

    def readinto(self, _buffer: Any) -> int:
        """Raise the error."""
        raise self._error

    def read(self, _size: int = -1) -> bytes:
        """Raise the error."""
        raise self._error

    def readline(self, _size: int | None = -1) -> bytes:
        """Raise the error."""
        raise self._error


class AppRunner:
    """Run the app for one request after the other, each in the calling thread.

    Args:
        app: the application.
        max_wait_seconds: a request that waited longer for a thread gets 503, since its caller has
            given up.
    """

    def __init__(self, app: Flask, max_wait_seconds: float) -> None:
        self._app = app
        self._max_wait_seconds = max_wait_seconds

    def run(
        self,
        environ: dict[str, Any],
        holder: ProtocolHolder,
        loop: asyncio.AbstractEventLoop,
        queued_at: float,
    ) -> bool:
        """Run the app and send its response.

        Args:
            environ: the request.
            holder: holds granian's protocol object.
            loop: granian's event loop.
            queued_at: the time, of `time.monotonic`, since when the request waits for a thread.

        Returns:
            False if the app did not respond, because it needs the body.
        """
        environ[QUEUED_AT] = queued_at
        if time.monotonic() - queued_at > self._max_wait_seconds:
            environ["wsgi.input"] = RaisingBody(
                Problem(UNAVAILABLE, "Too many requests are waiting.", retry_after_seconds=1)
            )
        with suppress(ProtocolClosed):  # the client did not wait for the response
            try:
                self._respond(environ, holder, loop)
            except BodyNotReceived:
                return False
        return True

    def _respond(
        self, environ: dict[str, Any], holder: ProtocolHolder, loop: asyncio.AbstractEventLoop
    ) -> None:
        response = _ResponseHead()
        try:
            chunks = self._app(environ, response.start)
            try:
                if not response.has_content_length:
                    _send_chunks(holder, loop, response, chunks)
                    return
                content = b"".join(chunks)
            finally:
                close = getattr(chunks, "close", None)
                if close is not None:
                    close()
        except ProtocolClosed:
            raise
        except Exception:
            log.exception("The app raised an exception that its error handlers did not handle")
            response, content = _ResponseHead(), b"Internal error\n"
        holder.protocol.response_bytes(response.status, response.headers, content)


class _ResponseHead:
    """The status and headers that the app passes to `start_response`."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[str, str]] = [("Content-Type", "text/plain")]

    @property
    def has_content_length(self) -> bool:
        return any(name.lower() == "content-length" for name, _ in self.headers)

    def start(
        self, status_line: str, headers: list[tuple[str, str]], _exc_info: Any = None
    ) -> Callable[[bytes], Any]:
        """Take the head, as WSGI's `start_response`."""
        self.status, self.headers = int(status_line[:3]), headers
        return _reject_write


def _reject_write(_content: bytes) -> None:
    raise NotImplementedError("The write() of start_response is not supported.")


def _send_chunks(
    holder: ProtocolHolder,
    loop: asyncio.AbstractEventLoop,
    head: _ResponseHead,
    chunks: Iterable[bytes],
) -> None:
    """Send a response of unknown length, as fast as the client reads it.

    A response that cannot be completed just ends. Its client notices: JSON and archives that end
    early cannot be read.
    """
    remaining = filter(None, iter(chunks))
    chunk = next(remaining, None)  # an exception in here still gets a response with status 500
    if chunk is None:
        holder.protocol.response_empty(head.status, head.headers)
        return
    transport = holder.protocol.response_stream(head.status, head.headers)
    try:
        while chunk is not None:
            sending = asyncio.run_coroutine_threadsafe(_send(transport, chunk), loop)
            sending.result(_CHUNK_SECONDS)
            chunk = next(remaining, None)
    except concurrent.futures.TimeoutError:
        log.warning("Response aborted: its client read nothing for %s s", _CHUNK_SECONDS)
    except ProtocolClosed:
        pass  # the client has disconnected
    except Exception:
        log.exception("Response aborted: the app raised an exception while making it")


async def _send(transport: Any, chunk: bytes) -> None:
    await transport.send_bytes(chunk)


def build_environ(
    scope: Scope, headers: Mapping[str, str], body: io.IOBase, variables: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the environ of a request (PEP 3333).

    Args:
        scope: granian's description of the request.
        headers: the result of `join_header_lines`.
        body: the input.
        variables: additional variables.
    """
    server_name, _, server_port = scope.server.rpartition(":")
    client_address, _, client_port = scope.client.rpartition(":")
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
        **variables,
    }
    for name, value in headers.items():
        if "_" in name:
            continue  # X_Forwarded_For would become the same variable as X-Forwarded-For
        variable = name.upper().replace("-", "_")
        if variable not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            variable = f"HTTP_{variable}"
        environ[variable] = value
    return environ
