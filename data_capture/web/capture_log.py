"""Log one line a minute with the numbers of captures that were stored and refused, and why.

    captures in the last minute: 312 stored (payment 3, questionnaire 1, dashboard 308),
    12 repeated, 4 refused (422 unusable 3, 429 over a rate 1)

The signup service logs its sign-ups and log-ins in the same way. The lines contain no personal
data. A minute without requests has no line, except the first one after a busy minute.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from logging import getLogger
from typing import Any

from flask import Flask, Response, request

from data_capture.capture.kinds import KINDS
from data_capture.problems import Problem
from data_capture.store.sqlite.receipts import (
    COMPLETED,
    STORED,
    UNATTRIBUTED,
    UPDATED,
    Receipt,
)

log = getLogger("data_capture.activity")

INTERVAL_SECONDS = 60.0

REFUSED = "refused"
CAPTURE_OUTCOMES = ("stored", "updated", "repeated", UNATTRIBUTED, REFUSED)
"""The outcomes of captures, in the order of a line."""

_REASONS = {
    400: "unreadable",
    401: "wrong credential",
    403: "not allowed",
    408: "too slow",
    409: "exists already",
    410: "erased",
    413: "too large",
    415: "not JSON",
    421: "wrong host",
    422: "unusable",
    429: "over a rate",
    500: "internal error",
    503: "database unavailable",
}
_KIND_PLACES = {name: place for place, name in enumerate(KINDS)}

_SIGN_UP_PATHS = ("/api/auth/register", "/auth/register", "/api/user/register")
_LOGIN_PATH, _VERIFY_PATH = "/api/auth/login", "/api/auth/verify"
_RECOVER_PATH = "/api/auth/recover"
_CREATED, _MAILED, _CONFIRMED = "created", "mails requested", "confirmed by a link"
_LOGGED_IN, _LOGIN_FAILED = "log-ins", "log-ins failed"

_Counts = dict[tuple[str, str], int]
"""By outcome and detail, such as the kind of a capture; the detail may be empty."""


class CaptureLog:
    """Count outcomes, and log their sums in a thread.

    Each thread has counters of its own, so that the event loop waits for no lock.

    Args:
        subject: what is counted, for the line.
        outcomes: in the order of the line.
        paths: of the POST requests whose responses are counted.
        outcome_by_response: by path and status, the outcome of such a response. Other responses
            from 400 are REFUSED, and the others are not counted.
        interval_seconds: between two lines.
    """

    def __init__(
        self,
        subject: str,
        outcomes: Sequence[str],
        paths: Iterable[str],
        outcome_by_response: Mapping[tuple[str, int], str],
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        self._subject = subject
        self._outcomes = outcomes
        self._paths = frozenset(paths)
        self._outcome_by_response = outcome_by_response
        self._interval_seconds = interval_seconds
        self._local = threading.local()
        self._counts_of_threads: list[_Counts] = []
        self._logged: Counter[tuple[str, str]] = Counter()
        self._logged_at = time.monotonic()
        self._was_busy = False
        self._logging = threading.Lock()
        self._closing = threading.Event()

    def start(self) -> None:
        """Log the sums every `interval_seconds` from now on, in a thread."""
        threading.Thread(target=self._run, name="capture log", daemon=True).start()

    def close(self) -> None:
        """Log what has not been logged, and end the thread."""
        self._closing.set()
        seconds = time.monotonic() - self._logged_at
        self._log_sums(f"{seconds:.0f} s", is_last=True)

    def count_results(
        self, members: Sequence[object], results: Sequence[Receipt | Exception], *, is_batch: bool
    ) -> None:
        """Count the results of one request's captures.

        Args:
            members: the captures, or a Problem in the place of each invalid one.
            results: of the valid captures, in their order.
            is_batch: whether each member counts; the Problem of a single capture is its response,
                which `count_response` counts.
        """
        counts = self._own_counts()
        remaining = iter(results)
        for member in members:
            result = member if isinstance(member, Problem) else next(remaining)
            if isinstance(result, Receipt):
                key = _key_of(result, member)
            elif is_batch:
                status = result.problem_type.status if isinstance(result, Problem) else 500
                key = (REFUSED, _describe(status))
            else:
                return
            counts[key] = counts.get(key, 0) + 1

    def count_response(self, path: str, status: int) -> None:
        """Count the response to a POST request, if its path is counted and it has an outcome."""
        if path not in self._paths:
            return
        outcome = self._outcome_by_response.get((path, status))
        key = (outcome, "") if outcome is not None else (REFUSED, _describe(status))
        if outcome is not None or status >= HTTPStatus.BAD_REQUEST:
            counts = self._own_counts()
            counts[key] = counts.get(key, 0) + 1

    def _own_counts(self) -> _Counts:
        try:
            return self._local.counts  # type: ignore[no-any-return]
        except AttributeError:
            counts: _Counts = {}
            self._local.counts = counts
            self._counts_of_threads.append(counts)
            return counts

    def _run(self) -> None:
        while not self._closing.wait(self._interval_seconds):
            is_minute = self._interval_seconds == INTERVAL_SECONDS
            self._log_sums("minute" if is_minute else f"{self._interval_seconds:g} s")

    def _log_sums(self, period: str, *, is_last: bool = False) -> None:
        with self._logging:
            sums: Counter[tuple[str, str]] = Counter()
            for counts in [*self._counts_of_threads]:
                sums.update(counts.copy())  # the copy is atomic: its thread continues to count
            new = sums - self._logged
            self._logged, self._logged_at = sums, time.monotonic()
            if new:
                log.info("%s in the last %s: %s", self._subject, period, self._format(new))
            elif self._was_busy and not is_last:
                log.info("%s in the last %s: none", self._subject, period)
            self._was_busy = bool(new)

    def _format(self, counts: Counter[tuple[str, str]]) -> str:
        parts = []
        for outcome in self._outcomes:
            details = {detail: n for (name, detail), n in counts.items() if name == outcome}
            if details:
                listed = ", ".join(
                    f"{detail} {details[detail]:,}"
                    for detail in sorted(details, key=lambda one: (_KIND_PLACES.get(one, 0), one))
                    if detail
                )
                suffix = f" ({listed})" if listed else ""
                parts.append(f"{sum(details.values()):,} {outcome}{suffix}")
        return ", ".join(parts)


_STORED = {kind: ("stored", kind) for kind in KINDS}
_UPDATED = ("updated", "")
_REPEATED = ("repeated", "")
_UNATTRIBUTED = (UNATTRIBUTED, "")


def _key_of(receipt: Receipt, capture: Any) -> tuple[str, str]:
    if receipt.replayed:
        return _REPEATED
    if receipt.outcome == UNATTRIBUTED:
        return _UNATTRIBUTED
    if receipt.outcome == STORED:
        return _STORED[capture.kind.name]
    return _UPDATED if receipt.outcome in (COMPLETED, UPDATED) else _REPEATED


def _describe(status: int) -> str:
    reason = _REASONS.get(status)
    return str(int(status)) if reason is None else f"{int(status)} {reason}"


def create_account_log() -> CaptureLog:
    """Return the log of the signup service."""
    sign_up = {
        (path, status): outcome
        for path in _SIGN_UP_PATHS
        for status, outcome in ((201, _CREATED), (202, _MAILED))
    }
    others = {
        (_VERIFY_PATH, 201): _CREATED,
        (_VERIFY_PATH, 200): _CONFIRMED,
        (_RECOVER_PATH, 202): _MAILED,
        (_LOGIN_PATH, 200): _LOGGED_IN,
        (_LOGIN_PATH, 401): _LOGIN_FAILED,
    }
    outcomes = (_CREATED, _MAILED, _CONFIRMED, _LOGGED_IN, _LOGIN_FAILED, REFUSED)
    paths = (*_SIGN_UP_PATHS, _VERIFY_PATH, _RECOVER_PATH, _LOGIN_PATH)
    return CaptureLog("accounts", outcomes, paths, {**sign_up, **others})


def init_app(app: Flask, capture_log: CaptureLog) -> None:
    """Count the responses of `app`, and log the sums."""
    app.extensions["capture_log"] = capture_log

    @app.after_request
    def count(response: Response) -> Response:
        if request.method == "POST":
            capture_log.count_response(request.path, response.status_code)
        return response

    capture_log.start()
