"""Build the responses to captures, from the results of their writes."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from data_capture.capture.parse import Capture
from data_capture.problems import INTERNAL, Problem
from data_capture.store.sqlite.receipts import UNCHANGED, Receipt
from data_capture.web.requests import CaptureRequest

log = logging.getLogger("data_capture.web")

RawResponse = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers and body."""

_ENCODER = json.JSONEncoder(separators=(",", ":"))  # json.dumps would construct one at each call


class CaptureResult(NamedTuple):
    """The members and the status of a response, and whether it repeats an earlier one."""

    members: dict[str, Any]
    status: HTTPStatus
    replayed: bool = False

    def response(self) -> RawResponse:
        """Return the response."""
        headers = [("Content-Type", "application/json")]
        if self.replayed:
            headers.append(("Idempotency-Replayed", "true"))
        return int(self.status), headers, _ENCODER.encode(self.members).encode() + b"\n"


def result_of(request: CaptureRequest, results: Sequence[Receipt | Exception]) -> CaptureResult:
    """Return the result of a request.

    Args:
        request: the captures.
        results: of `request.works`, in their order. In a batch, each member gets the response
            that it would get as a single capture.

    Raises:
        Problem: a single capture was not stored.
    """
    if not request.is_batch:
        [capture], [result] = request.captures, results
        if isinstance(result, Receipt):
            return _stored(capture, result)
        raise _as_problem(result)
    remaining = iter(results)
    answers = [
        _member(member, next(remaining)) if isinstance(member, Capture) else member.as_json()
        for member in request.members
    ]
    taken = sum(1 for answer in answers if answer["success"])
    members = {
        "success": taken == len(answers),
        "message": f"{taken} of {len(answers)} captures taken",
        "answers": answers,
    }
    is_complete = taken == len(answers)
    return CaptureResult(members, HTTPStatus.OK if is_complete else HTTPStatus.MULTI_STATUS)


def _stored(capture: Capture, receipt: Receipt) -> CaptureResult:
    title = capture.kind.title
    members: dict[str, Any] = {
        "success": True,
        capture.kind.id_name: receipt.row_id,
        "capture_id": capture.capture_id,
        "message": f"{title} data captured",
    }
    status = HTTPStatus.CREATED
    if receipt.outcome == UNCHANGED:
        members |= {
            "message": f"{title} data unchanged since the last capture",
            "duplicate": True,
        }
        status = HTTPStatus.OK
    if capture.warnings:
        members["warnings"] = [
            {"field": warning.field, "message": warning.message} for warning in capture.warnings
        ]
    return CaptureResult(members, status, receipt.replayed)


def _member(capture: Capture, result: Receipt | Exception) -> dict[str, Any]:
    if not isinstance(result, Receipt):
        return _as_problem(result).as_json()
    stored = _stored(capture, result)
    return {"status": int(stored.status), **stored.members}


def _as_problem(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    log.error("Unexpected exception while a capture was stored", exc_info=error)
    detail = "Something went wrong here with this capture; the service's log has the cause."
    return Problem(INTERNAL, detail)
