"""Fast path: store small captures on the event loop, bypassing Flask.

`python3 -m bench` measures the saving: a capture costs a third of the time that a bare Flask
route takes. Large bodies go to the Flask routes, which run in threads and delay no other request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from http import HTTPStatus

from data_capture.deadlines import Deadline, DeadlinePassed
from data_capture.problems import Problem, unexpected_error
from data_capture.store import Store
from data_capture.store.sqlite.captures import RecordCapture
from data_capture.store.sqlite.receipts import Receipt
from data_capture.web import capture_service
from data_capture.web.capture_service import AdmittedRequest, CaptureService
from data_capture.web.request_guard import GetHeader, RequestGuard
from data_capture.web.request_log import log_request
from data_capture.web.requests import CaptureRequest
from data_capture.web.responses import RawResponse
from data_capture.web.security_headers import NOSNIFF

# Larger bodies would delay other requests: some texts take 1 ms per KB to decode. A batch of 50
# ordinary captures has 26 KB.
MAX_BYTES = 32 * 1024
MAX_VALUES = 1_500  # for the same reason; commas and opening brackets are counted
_VALUE_SEPARATORS = (b",", b"{", b"[")
# Parsing that takes longer restarts in a thread. A batch of 50 ordinary captures takes half of it.
MAX_PARSING_SECONDS = 0.01


def fits_event_loop(body: bytes) -> bool:
    """Tell whether a body is small enough to be processed on the event loop."""
    if len(body) > MAX_BYTES:
        return False
    return len(body) <= MAX_VALUES or sum(map(body.count, _VALUE_SEPARATORS)) <= MAX_VALUES


class FastPath:
    """Adapt the capture operation to the event loop.

    Args:
        service: the capture service.
        guard: makes the CORS headers.
        threads: run the parsing that takes too long for the event loop.
    """

    def __init__(self, service: CaptureService, guard: RequestGuard, threads: Executor) -> None:
        self._service = service
        self._guard = guard
        self._execution = EventLoopExecution(service.store, threads)

    async def respond(
        self, admitted: AdmittedRequest, get_header: GetHeader, body: bytes
    ) -> RawResponse:
        """Store the captures in the body of an admitted request, and return the response.

        Args:
            admitted: the request.
            get_header: looks up its headers.
            body: its body, for which `fits_event_loop` is true.
        """
        started_at = time.perf_counter()
        try:
            request = self._service.decode(admitted, body, get_header)
            result = await capture_service.receive_capture(request, self._service, self._execution)
            status, headers, content = result.response()
        except Problem as problem:
            status, headers, content = problem.response()
        except Exception:  # noqa: BLE001  (`unexpected_error` logs it with its traceback)
            status, headers, content = unexpected_error().response()
        if status >= HTTPStatus.BAD_REQUEST:
            self._service.capture_log.count_response(admitted.path, status)
        log_request("POST", admitted.path, status, started_at)
        cors_headers = self._guard.cors_headers(admitted.path, get_header("origin"))
        return status, [*headers, NOSNIFF, *cors_headers], content


class EventLoopExecution:
    """Run the operation on the event loop, which it must not block.

    Args:
        store: receives the captures.
        threads: run the parsing that takes too long for the event loop.
    """

    def __init__(self, store: Store, threads: Executor) -> None:
        self._store = store
        self._threads = threads

    async def parse(self, parse: Callable[[Deadline | None], CaptureRequest]) -> CaptureRequest:
        """Call `parse` with a deadline; if that passes, call it again in a thread."""
        try:
            return parse(Deadline(MAX_PARSING_SECONDS))
        except DeadlinePassed:
            return await asyncio.get_running_loop().run_in_executor(self._threads, parse, None)

    async def write(
        self, jobs: Sequence[RecordCapture], size_bytes: int
    ) -> Sequence[Receipt | Exception]:
        """Write, and resume after the commit."""
        return await self._store.write_together_in_loop(jobs, size_bytes)
