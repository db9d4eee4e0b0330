"""The quick way for captures: from a request's bytes to its answer's in the event loop, without a thread and without Flask.

Only ordinary requests go this way. Whatever is unusual about one, and nearly all that is refused, is left to the app,
whose answers to the same request are the same: the tests send each both ways.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timezone
from functools import partial
from typing import Any, NamedTuple, Protocol

from data_capture.access import Doors, HeaderOf
from data_capture.answers import BATCH, answer_to, read_request
from data_capture.captures import KINDS, Caller, Capture
from data_capture.deadlines import Deadline
from data_capture.disk_space import DiskSpace
from data_capture.payloads import MAX_BYTES, MAX_BYTES_WITH_SCREENSHOT, decode_json_object
from data_capture.problems import Problem
from data_capture.rates import Rates
from data_capture.request_log import log_request
from data_capture.settings import Settings
from data_capture.store import Store

# Parsing more than this would keep others waiting: some texts take 1 ms a KB. A batch of 50 captures is 26 KB.
MAX_QUICK_BYTES = 32 * 1024
MAX_QUICK_VALUES = 1_500  # and so would more than this; counted as `MAX_VALUES` is, but together with the brackets
_BEFORE_VALUES = (b",", b"{", b"[")
# What takes longer is begun again in a thread. A batch of 50 ordinary captures takes half of it.
MAX_PARSING_SECONDS = 0.01

_MEDIA_TYPES = frozenset({
    f"{media_type}{parameter}"
    for media_type in ("application/json", "text/plain")
    for parameter in ("", ";charset=utf-8", "; charset=utf-8")
})  # fmt: skip
_MAX_LENGTH_DIGITS = 8
_UNUSUAL_HEADERS = ("transfer-encoding", "content-encoding", "idempotency-key", "expect", "authorization")
NEVER_SNIFF = ("X-Content-Type-Options", "nosniff")
_JSON = ("Content-Type", "application/json")

Reply = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers and body of an answer."""


class Headers(Protocol):
    """A request's headers, their names in lower case, as granian gives them."""

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first one of that name."""

    def get_all(self, name: str) -> list[str]:
        """All of that name."""


class Admitted(NamedTuple):
    """A request whose body may be read."""

    size_bytes: int
    address: str
    """The caller's."""
    is_quick: bool
    """Whether `Intake.reply` takes it; the app does otherwise."""


def most_body_bytes(name: str) -> int:
    """The size of the largest body that the address of a kind, or that of batches, takes."""
    return MAX_BYTES_WITH_SCREENSHOT if name in ("questionnaire", BATCH) else MAX_BYTES


def header_of(headers: Headers | dict[str, str]) -> HeaderOf:
    """Return the function that looks up a request's headers; a dictionary holds the lines of one name joined."""
    return headers.get if isinstance(headers, dict) else partial(_header, headers)


def _header(headers: Headers, name: str) -> str | None:
    lines = headers.get_all(name)
    return lines[0] if len(lines) == 1 else ", ".join(lines) or None


class Intake:
    """The addresses that take captures.

    Args:
        store: where to.
        settings: of the service.
        doors: what each request has to pass.
        rates: how many may.
        disk_space: what has to be left.
    """

    def __init__(
        self, store: Store, settings: Settings, doors: Doors, rates: Rates, disk_space: DiskSpace
    ) -> None:
        self._store = store
        self._placeholder_emails = settings.placeholder_emails
        self._doors = doors
        self._rates = rates
        self._disk_space = disk_space
        self._paths = {f"/api/data-capture/{name}": name for name in (*KINDS, BATCH)}
        self._max_bytes = {path: most_body_bytes(name) for path, name in self._paths.items()}

    def admit(self, path: str, headers: Headers | dict[str, str], remote_address: str) -> Admitted | Problem | None:
        """Judge a POST request by its head, and count it and its bytes against its caller's rates.

        None for a request that is not an ordinary one and so the app's; it is not counted then.
        """
        max_bytes = self._max_bytes.get(path)
        header = header_of(headers)
        length = headers.get("content-length") or ""
        if max_bytes is None or not length.isdecimal() or len(length) > _MAX_LENGTH_DIGITS:
            return None
        if self._disk_space.is_short:
            return None
        size_bytes = int(length)
        if size_bytes > max_bytes or (header("content-type") or "").lower() not in _MEDIA_TYPES:
            return None
        for name in _UNUSUAL_HEADERS:
            if headers.get(name) is not None:
                return None
        address = self._doors.caller_address(remote_address, header) or remote_address
        try:
            self._rates.take(address)
            self._rates.take_bytes(address, size_bytes)
        except Problem as problem:
            return problem
        return Admitted(size_bytes, address, size_bytes <= MAX_QUICK_BYTES)

    async def reply(self, path: str, headers: Headers | dict[str, str], address: str, body: bytes) -> Reply | None:
        """Store what `body` of an admitted request holds and give the answer; None, and nothing is done, when that is the app's.

        Args:
            path: of the request.
            headers: of the request.
            address: the caller's, as `admit` gave it.
            body: the request's.
        """
        started_at = time.perf_counter()
        if len(body) > MAX_QUICK_VALUES and sum(map(body.count, _BEFORE_VALUES)) > MAX_QUICK_VALUES:
            return None
        header = header_of(headers)
        now = datetime.now(timezone.utc)
        caller = Caller(
            path, address, header("user-agent"), now, deadline=Deadline(MAX_PARSING_SECONDS),
            admit_new_user=partial(self._rates.take_new_user, address),
        )  # fmt: skip
        try:
            asked = read_request(self._paths[path], decode_json_object(body), caller, self._placeholder_emails)
        except Exception:  # noqa: BLE001  (the app meets it again, and answers it or logs it with its cause)
            return None
        try:
            for one in asked.members:
                if isinstance(one, Capture):
                    self._rates.take_person(address, one.user_email)
        except Problem as problem:  # which is not left to the app, that would count those before it again
            return self._reply(path, header("origin"), problem.answer(), started_at)
        outcomes: Sequence[Any] = await self._store.write_together_in_loop(asked.works, asked.size_bytes)
        try:
            answer = answer_to(asked, outcomes)
        except Problem as problem:
            reply = problem.answer()
        else:
            reply = int(answer.status), [_JSON, *answer.headers], answer.content()
        return self._reply(path, header("origin"), reply, started_at)

    def _reply(self, path: str, origin: str | None, reply: Reply, started_at: float) -> Reply:
        """Log an answer, and give it with the headers that all answers have."""
        status, headers, content = reply
        log_request("POST", path, status, started_at)
        return status, [*headers, NEVER_SNIFF, *self._doors.cors_headers(path, origin)], content
