"""Build the responses to captures, from the results of their writes."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from data_capture.capture.parse import Capture
from data_capture.problems import INTERNAL, Problem
from data_capture.store.sqlite.receipts import (
    COMPLETED,
    UNATTRIBUTED,
    UNCHANGED,
    UPDATED,
    Receipt,
)
from data_capture.web.requests import CaptureRequest

log = logging.getLogger("data_capture.web")

_ENCODER = json.JSONEncoder(separators=(",", ":"))  # json.dumps would make one for each response

RawResponse = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers and body."""


class CaptureResult(NamedTuple):
    """The outcome of a request, from which its response is made."""

    members: dict[str, Any]
    """The members of the response's JSON object."""
    status: HTTPStatus
    replayed: bool = False
    """Whether it repeats the response to an earlier request with the same `capture_id`."""

    def response(self) -> RawResponse:
        """Encode the members as JSON, and return status, headers and body."""
        headers = [("Content-Type", "application/json")]
        if self.replayed:
            headers.append(("Idempotency-Replayed", "true"))
        content = _ENCODER.encode(self.members).encode() + b"\n"
        return int(self.status), headers, content


def build_result(request: CaptureRequest, results: Sequence[Receipt | Exception]) -> CaptureResult:
    """Build the result of a request from the results of its writes.

    Args:
        request: the captures.
        results: of `request.jobs`, in their order. In a batch, each member gets the response
            that it would get as a single capture.

    Raises:
        Problem: a single capture was not stored.
    """
    if not request.is_batch:
        [capture], [result] = request.captures, results
        if isinstance(result, Receipt):
            status, members = _describe_stored(capture, result)
            return CaptureResult(members, status, result.replayed)
        raise _as_problem(result)
    remaining = iter(results)
    member_results = [
        _build_member(member, next(remaining)) if isinstance(member, Capture) else member.as_json()
        for member in request.members
    ]
    stored = sum(1 for result in member_results if result["success"])
    is_complete = stored == len(member_results)
    members = {
        "success": is_complete,
        "message": f"{stored} of {len(member_results)} captures stored",
        "answers": member_results,
    }
    return CaptureResult(members, HTTPStatus.OK if is_complete else HTTPStatus.MULTI_STATUS)


def _describe_stored(capture: Capture, receipt: Receipt) -> tuple[HTTPStatus, dict[str, Any]]:
    """Return the status and the members of the response to a stored capture."""
    title = capture.kind.title
    if receipt.outcome == UNATTRIBUTED:
        message = f"{title} data kept without a user: no capture says whose row it changes"
        return HTTPStatus.ACCEPTED, {
            "success": True,
            "unattributed": True,
            "capture_id": capture.capture_id,
            "message": message,
        }
    members: dict[str, Any] = {
        "success": True,
        capture.kind.id_name: receipt.row_id,
        "capture_id": capture.capture_id,
        "message": f"{title} data captured",
    }
    status = HTTPStatus.CREATED
    if receipt.outcome == COMPLETED:
        members["message"] = f"{title} data completed; one row has both captures"
        members["updated"] = True
        status = HTTPStatus.OK
    elif receipt.outcome == UPDATED:
        members["message"] = f"{title} data updated; its columns are unchanged"
        members["updated"] = True
        status = HTTPStatus.OK
    elif receipt.outcome == UNCHANGED:
        members["message"] = f"{title} data unchanged since the last capture"
        members["duplicate"] = True
        status = HTTPStatus.OK
    if capture.warnings:
        members["warnings"] = [
            {"field": warning.field, "message": warning.message} for warning in capture.warnings
        ]
    return status, members


def _build_member(capture: Capture, result: Receipt | Exception) -> dict[str, Any]:
    if not isinstance(result, Receipt):
        return _as_problem(result).as_json()
    status, members = _describe_stored(capture, result)
    return {"status": int(status), **members}


def _as_problem(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    log.error("Unexpected exception while a capture was stored", exc_info=error)
    detail = "The service failed to store this capture. Its log has the cause."
    return Problem(INTERNAL, detail)
