"""What the sender of captures is answered: for one capture alone, and for each of a batch."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from data_capture.captures import KINDS, Caller, Capture, parse_capture
from data_capture.payloads import MOST_BYTES, JsonObject, encode_json
from data_capture.problems import INTERNAL, NOT_JSON, TOO_LARGE, UNUSABLE, FieldError, Problem
from data_capture.store import Store
from data_capture.store.captures import UNCHANGED, Receipt, record_capture

log = logging.getLogger("data_capture.answers")

MOST_CAPTURES_IN_A_BATCH = 100


@dataclass(frozen=True)
class Answer:
    """The members of an answer, its status, and whether the capture had been answered before."""

    members: dict[str, Any]
    status: HTTPStatus
    replayed: bool = False


def answer_capture(store: Store, capture: Capture) -> Answer:
    """Stores one capture and says what became of it.

    Raises:
        Problem: 422 or 503, as `record_capture` and `Store.write` say.
    """
    return _answer(capture, store.write(lambda connection: record_capture(connection, capture)))


def answer_batch(store: Store, payload: JsonObject, caller: Caller, placeholder_emails: tuple[str, ...]) -> Answer:
    """Stores the captures of a batch in one commit; each is answered, in order, what it would have got alone.

    Args:
        store: where to.
        payload: `{"captures": [{"type": "payment", …}, …]}`.
        caller: who sent the batch.
        placeholder_emails: addresses that are nobody's.

    Raises:
        Problem: 422, when there is no such list of captures.
    """
    parsed = [_parsed(member, caller, placeholder_emails) for member in _captures_of(payload)]
    captures = [one for one in parsed if isinstance(one, Capture)]
    receipts = iter(store.write_together([_recording(capture) for capture in captures]))
    answers = [_member_answer(one, next(receipts)) if isinstance(one, Capture) else one.as_json() for one in parsed]
    taken = sum(1 for answer in answers if answer["success"])
    members = {
        "success": taken == len(answers),
        "message": f"{taken} of {len(answers)} captures taken",
        "answers": answers,
    }
    return Answer(members, HTTPStatus.OK if taken == len(answers) else HTTPStatus.MULTI_STATUS)


def _answer(capture: Capture, receipt: Receipt) -> Answer:
    members: dict[str, Any] = {
        "success": True,
        capture.kind.id_name: receipt.row_id,
        "capture_id": capture.capture_id,
        "message": f"{capture.kind.title} data captured",
    }
    status = HTTPStatus.CREATED
    if receipt.outcome == UNCHANGED:
        members |= {"message": f"{capture.kind.title} data unchanged since the last capture", "duplicate": True}
        status = HTTPStatus.OK
    if capture.warnings:
        members["warnings"] = [{"field": warning.field, "message": warning.message} for warning in capture.warnings]
    return Answer(members, status, receipt.replayed)


def _member_answer(capture: Capture, receipt: Receipt | Exception) -> dict[str, Any]:
    if not isinstance(receipt, Receipt):
        return _as_problem(receipt).as_json()
    answer = _answer(capture, receipt)
    return {"status": int(answer.status), **answer.members}


def _captures_of(payload: JsonObject) -> list[Any]:
    captures = payload.get("captures")
    if not isinstance(captures, list) or not captures:
        message = "must be a list of captures, each an object with its type"
    elif len(captures) > MOST_CAPTURES_IN_A_BATCH:
        message = f"holds more than {MOST_CAPTURES_IN_A_BATCH} captures; send them in several batches"
    else:
        return captures
    raise Problem(UNUSABLE, f"The member captures {message}.", errors=[FieldError("captures", message)])


def _parsed(member: Any, caller: Caller, placeholder_emails: tuple[str, ...]) -> Capture | Problem:
    """One member of a batch as a capture, or what would have been answered to it alone."""
    if not isinstance(member, dict):
        return Problem(NOT_JSON, "This member of captures is not an object.")
    kind = KINDS.get(member["type"]) if isinstance(member.get("type"), str) else None
    if kind is None:
        message = f"must be one of {', '.join(KINDS)}"
        return Problem(UNUSABLE, f"The type {message}.", errors=[FieldError("type", message)])
    payload = {key: value for key, value in member.items() if key != "type"}
    try:
        capture = parse_capture(kind, payload, caller, placeholder_emails)
    except Problem as problem:
        return problem
    if len(capture.snapshot) > MOST_BYTES and len(encode_json(capture.snapshot).encode()) > MOST_BYTES:
        return Problem(TOO_LARGE, f"This capture is larger than {MOST_BYTES:,} bytes without the pictures in it.")
    return capture


def _recording(capture: Capture) -> Callable[[sqlite3.Connection], Receipt]:
    return lambda connection: record_capture(connection, capture)


def _as_problem(error: Receipt | Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    cause = error if isinstance(error, Exception) else None
    log.error("A capture of a batch ended with an error that nobody expected", exc_info=cause)
    return Problem(INTERNAL, "Something went wrong here with this capture; the service's log has the cause.")
