"""Fast path: store small captures on the event loop, bypassing Flask and its threads.

`python3 -m bench` measures what that saves: a capture costs a third of the time that a bare
Flask route takes. Large bodies go to the Flask routes, whose threads may take their time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Protocol

from data_capture.deadlines import Deadline, DeadlinePassed
from data_capture.problems import Problem, unexpected_error
from data_capture.store import Store
from data_capture.store.sqlite.captures import RecordCapture
from data_capture.store.sqlite.receipts import Receipt
from data_capture.web import capture_service
from data_capture.web.capture_service import AdmittedRequest, CaptureService
from data_capture.web.request_guard import HeaderOf, RequestGuard
from data_capture.web.request_log import log_request
from data_capture.web.requests import CaptureRequest
from data_capture.web.responses import RawResponse
from data_capture.web.security_headers import NOSNIFF

# Decoding more would delay other requests: some texts take 1 ms a KB. A batch of 50 is 26 KB.
MAX_BYTES = 32 * 1024
MAX_VALUES = 1_500  # commas and opening brackets, for the same reason
_BEFORE_VALUES = (b",", b"{", b"[")
# Parsing that takes longer restarts in a thread. A batch of 50 ordinary captures takes half of it.
MAX_PARSING_SECONDS = 0.01


class Headers(Protocol):
    """A request's headers as granian has them, with lower-case names."""

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of a name."""

    def get_all(self, name: str) -> list[str]:
        """Return all values of a name."""


def header_of(headers: Headers | dict[str, str]) -> HeaderOf:
    """Return the function that looks up a request's headers; a dictionary holds joined lines."""
    return headers.get if isinstance(headers, dict) else partial(_header, headers)


def _header(headers: Headers, name: str) -> str | None:
    lines = headers.get_all(name)
    return lines[0] if len(lines) == 1 else ", ".join(lines) or None


def fits(body: bytes) -> bool:
    """Tell whether a body is small enough for the event loop."""
    if len(body) > MAX_BYTES:
        return False
    return len(body) <= MAX_VALUES or sum(map(body.count, _BEFORE_VALUES)) <= MAX_VALUES


class FastPath:
    """The adapter between the event loop and the capture operation.

    Args:
        service: the capture service.
        doors: gives the CORS headers.
        threads: run the parsing that takes too long for the event loop.
    """

    def __init__(self, service: CaptureService, guard: RequestGuard, threads: Executor) -> None:
        self._service = service
        self._guard = guard
        self._execution = OnEventLoop(service.store, threads)

    async def respond(
        self, admitted: AdmittedRequest, header: HeaderOf, body: bytes
    ) -> RawResponse:
        """Store the captures in the body of an admitted request, and return the response.

        Args:
            admitted: the request.
            header: looks up its headers.
            body: its body, which `fits`.
        """
        started_at = time.perf_counter()
        try:
            request = self._service.decode(admitted, body, header)
            result = await capture_service.receive_capture(request, self._service, self._execution)
            status, headers, content = result.response()
        except Problem as problem:
            status, headers, content = problem.response()
        except Exception:  # noqa: BLE001  (logged there, with its traceback)
            status, headers, content = unexpected_error().response()
        log_request("POST", admitted.path, status, started_at)
        cors_headers = self._guard.cors_headers(admitted.path, header("origin"))
        return status, [*headers, NOSNIFF, *cors_headers], content


class OnEventLoop:
    """Run the operation on the event loop, which it must not block.

    Args:
        store: receives the captures.
        threads: run the parsing that takes too long for the event loop.
    """

    def __init__(self, store: Store, threads: Executor) -> None:
        self._store = store
        self._threads = threads

    async def parse(self, parse: Callable[[Deadline | None], CaptureRequest]) -> CaptureRequest:
        """Call `parse` with a deadline, and where that passes once more in a thread without one."""
        try:
            return parse(Deadline(MAX_PARSING_SECONDS))
        except DeadlinePassed:
            return await asyncio.get_running_loop().run_in_executor(self._threads, parse, None)

    async def write(
        self, jobs: Sequence[RecordCapture], size_bytes: int
    ) -> Sequence[Receipt | Exception]:
        """Write, and resume after the commit."""
        return await self._store.write_together_in_loop(jobs, size_bytes)
