"""The capture operation: the only way from a request to stored captures.

    head ─▶ admit ─▶ AdmittedRequest ─▶ decode ─▶ DecodedRequest ─▶ receive_capture ─▶ CaptureResult
                              (the body arrives)

Two thin adapters use it: the Flask routes, which run in a thread, and the fast path
(`web.fast_path`), which runs on the event loop. They differ in how bytes arrive, where the work
runs and how the response leaves. The order of checks, the rates and the errors are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timezone
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller
from data_capture.deadlines import Deadline
from data_capture.json_codec import MAX_BYTES, JsonObject
from data_capture.limits.disk_space import DiskSpace
from data_capture.limits.rates import Rates
from data_capture.settings import Settings
from data_capture.store import Store
from data_capture.store.sqlite.captures import RecordCapture
from data_capture.store.sqlite.receipts import Receipt
from data_capture.web.admin_auth import Sender, identify_sender
from data_capture.web.capture_log import CaptureLog
from data_capture.web.request_guard import GetHeader, RequestGuard
from data_capture.web.requests import (
    BATCH,
    CAPTURE_MEDIA_TYPES,
    CaptureRequest,
    check_head,
    check_size,
    decode_capture,
    max_body_bytes,
    parse_request,
)
from data_capture.web.responses import CaptureResult, build_result

ADMITTED = "data_capture.admitted_request"
"""The WSGI variable with the AdmittedRequest, if the server has admitted the request."""

CAPTURE_PATHS = {f"/api/data-capture/{name}": name for name in (*KINDS, BATCH)}

Result = TypeVar("Result")


class AdmittedRequest(NamedTuple):
    """A request whose head was checked and counted, so that its body may be read."""

    path: str
    kind_name: str
    """One of KINDS, or BATCH."""
    address: str | None
    """The caller's address."""
    sender: Sender
    content_length: int | None
    """In bytes; None for a chunked body."""

    @property
    def counted_address(self) -> str | None:
        """The address whose rates apply; None for the owner's servers, without limit."""
        return None if self.sender.is_confirmed else self.address

    @property
    def max_bytes(self) -> int:
        """The size limit of the body."""
        return max_body_bytes(self.kind_name)


class DecodedRequest(NamedTuple):
    """A request with its body decoded."""

    admitted: AdmittedRequest
    payload: JsonObject
    body_bytes: int
    user_agent: str | None
    idempotency_key: str | None
    received_at: datetime


class Execution(Protocol):
    """Run the steps of the operation, in a thread or on the event loop."""

    async def parse(self, parse: Callable[[Deadline | None], CaptureRequest]) -> CaptureRequest:
        """Call `parse`, with a deadline if other requests have to wait for it."""

    async def write(
        self, jobs: Sequence[RecordCapture], size_bytes: int
    ) -> Sequence[Receipt | Exception]:
        """Write in one transaction, and return the results once it is committed."""


class CaptureService:
    """Admit and decode the requests of the capture operation.

    Args:
        store: receives the captures.
        settings: of the service.
        guard: finds the caller's address.
        rates: limit callers and users.
        disk_space: rejects captures while the disk is almost full.
        capture_log: counts the results.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        guard: RequestGuard,
        rates: Rates,
        disk_space: DiskSpace,
        capture_log: CaptureLog,
    ) -> None:
        self.store = store
        self.capture_log = capture_log
        self.settings = settings
        self.rates = rates
        self._guard = guard
        self._disk_space = disk_space

    def admit(
        self,
        path: str,
        get_header: GetHeader,
        remote_address: str | None,
        content_length: int | None,
    ) -> AdmittedRequest:
        """Check the head of a POST request to one of CAPTURE_PATHS, and count the request.

        Args:
            path: of the request.
            get_header: looks up its headers.
            remote_address: of the connection.
            content_length: of the body in bytes; None for a chunked body.

        Raises:
            Problem: 401 invalid token, 413 too large, 415 not JSON, 429 over a rate, 503 the disk
                is almost full.
        """
        address = self._guard.caller_address(remote_address, get_header)
        sender = identify_sender(get_header("authorization"), self.settings)
        admitted = AdmittedRequest(path, CAPTURE_PATHS[path], address, sender, content_length)
        if not sender.is_confirmed:
            self._disk_space.refuse_if_short()
        self.rates.take(admitted.counted_address)
        check_head(
            get_header("content-type"), get_header("content-encoding"), content_length,
            CAPTURE_MEDIA_TYPES, admitted.max_bytes,
        )  # fmt: skip
        if content_length is not None:
            self.rates.take_bytes(admitted.counted_address, content_length)
        return admitted

    def decode(
        self, admitted: AdmittedRequest, body: bytes, get_header: GetHeader
    ) -> DecodedRequest:
        """Decode the body of an admitted request.

        Raises:
            Problem: 400 not a JSON object, 413 too large, 429 a chunked body exceeds a rate.
        """
        if admitted.content_length is None:
            check_size(len(body), admitted.max_bytes)
            self.rates.take_bytes(admitted.counted_address, len(body))
        return DecodedRequest(
            admitted,
            decode_capture(admitted.kind_name, body),
            len(body),
            get_header("user-agent"),
            get_header("idempotency-key"),
            datetime.now(timezone.utc),
        )


async def receive_capture(
    request: DecodedRequest, service: CaptureService, execution: Execution
) -> CaptureResult:
    """Parse, redact, count and store the captures of one request.

    Args:
        request: one capture or a batch.
        service: has the store and the rates.
        execution: runs the steps.

    Returns:
        The result, after everything is committed and synced to disk.

    Raises:
        Problem: the error to respond with.
    """
    captures = await execution.parse(partial(_parse, request, service))
    for capture in captures.captures:
        service.rates.take_user(request.admitted.counted_address, capture.user_email)
    results = await execution.write(captures.jobs, captures.size_bytes)
    copied_bytes = sum([one.copied_bytes for one in results if isinstance(one, Receipt)])
    if copied_bytes:
        service.rates.count_bytes(request.admitted.counted_address, copied_bytes)
    service.capture_log.count_results(captures.members, results, is_batch=captures.is_batch)
    return build_result(captures, results)


class ThreadExecution:
    """Run the operation in the calling thread, which blocks until the commit.

    Args:
        store: receives the captures.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def parse(self, parse: Callable[[Deadline | None], CaptureRequest]) -> CaptureRequest:
        """Call `parse` without a deadline."""
        return parse(None)

    async def write(
        self, jobs: Sequence[RecordCapture], size_bytes: int
    ) -> Sequence[Receipt | Exception]:
        """Write, and block until the commit."""
        return self._store.write_together(jobs, size_bytes)


def run_synchronously(operation: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that never suspends, such as one with `ThreadExecution`.

    Raises:
        RuntimeError: the coroutine suspended.
    """
    try:
        operation.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    operation.close()
    raise RuntimeError("The coroutine suspended, but no event loop would resume it.")


def _parse(
    request: DecodedRequest, service: CaptureService, deadline: Deadline | None
) -> CaptureRequest:
    admitted, payload = request.admitted, request.payload
    if request.idempotency_key is not None and admitted.kind_name != BATCH:
        payload = {"capture_id": request.idempotency_key.strip('"'), **payload}
    caller = Caller(
        admitted.path, admitted.address, request.user_agent, request.received_at,
        deadline=deadline, is_confirmed=admitted.sender.is_confirmed,
        may_backdate=admitted.sender.may_backdate,
        admit_new_user=partial(service.rates.take_new_user, admitted.counted_address),
        body_bytes=0 if admitted.kind_name == BATCH else request.body_bytes,
    )  # fmt: skip
    is_large = request.body_bytes > MAX_BYTES
    return parse_request(
        admitted.kind_name, payload, caller, service.settings.placeholder_emails, is_large=is_large
    )
