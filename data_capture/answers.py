"""What a request asks to be stored, one capture or a batch of them, and what its sender is answered."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from data_capture.captures import KINDS, Caller, Capture, parse_capture
from data_capture.payloads import MAX_BYTES, JsonObject, text_characters
from data_capture.problems import INTERNAL, NOT_JSON, TOO_LARGE, UNUSABLE, FieldError, Problem
from data_capture.scanning import pause
from data_capture.store.captures import RecordCapture
from data_capture.store.receipts import UNCHANGED, Receipt

log = logging.getLogger("data_capture.answers")

BATCH = "batch"
MAX_CAPTURES_IN_A_BATCH = 100

_ENCODER = json.JSONEncoder(separators=(",", ":"))  # made once: json.dumps would make it anew at each call


class Answer(NamedTuple):
    """The members of an answer, its status, and whether the capture had been answered before."""

    members: dict[str, Any]
    status: HTTPStatus
    replayed: bool = False

    @property
    def headers(self) -> list[tuple[str, str]]:
        """What the answer has beside its content type."""
        return [("Idempotency-Replayed", "true")] if self.replayed else []

    def content(self) -> bytes:
        """The answer's body."""
        return _ENCODER.encode(self.members).encode() + b"\n"


class CaptureRequest(NamedTuple):
    """What one request asks for: its captures in order, a Problem in the place of each that can't be stored."""

    members: tuple[Capture | Problem, ...]
    is_batch: bool

    @property
    def works(self) -> list[RecordCapture]:
        """What `Store.write_together` is to do for it."""
        return [RecordCapture(one) for one in self.members if isinstance(one, Capture)]

    @property
    def size_bytes(self) -> int:
        """About how much memory it holds while it waits."""
        return sum([_size_bytes(one) for one in self.members if isinstance(one, Capture)])


def _size_bytes(capture: Capture) -> int:
    if capture.kind.picture is None:  # what is in the columns is in the snapshot, too
        return 2 * len(capture.snapshot)
    return len(capture.snapshot) + sum(len(value) for value in capture.values if isinstance(value, str))


def read_request(
    kind_name: str, payload: JsonObject, caller: Caller, placeholder_emails: tuple[str, ...], *, is_large: bool = False
) -> CaptureRequest:
    """What a request to the address of `kind_name` asks for.

    Args:
        kind_name: one of KINDS, or BATCH.
        payload: one capture; of a batch, `{"captures": [{"type": "payment", …}, …]}`.
        caller: who sent it.
        placeholder_emails: addresses that are nobody's.
        is_large: whether one capture of a batch may be larger than a capture may be.

    Raises:
        Problem: 422, when it is one capture that can't be used, or no list of captures.
    """
    if kind_name == BATCH:
        parsed = _parsed_in_turns if is_large else _parsed
        return CaptureRequest(tuple(parsed(one, caller, placeholder_emails) for one in _captures_of(payload)), is_batch=True)
    return CaptureRequest((parse_capture(KINDS[kind_name], payload, caller, placeholder_emails),), is_batch=False)


def answer_to(asked: CaptureRequest, outcomes: Sequence[Receipt | Exception]) -> Answer:
    """What is answered to `asked`, whose `works` had these outcomes: in a batch, to each what it would have got alone.

    Raises:
        Problem: what is answered to one capture that was not stored.
    """
    if not asked.is_batch:
        [capture], [outcome] = asked.members, outcomes
        assert isinstance(capture, Capture)
        if isinstance(outcome, Receipt):
            return _answer(capture, outcome)
        raise _as_problem(outcome)
    remaining = iter(outcomes)
    answers = [_member_answer(one, next(remaining)) if isinstance(one, Capture) else one.as_json() for one in asked.members]
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


def _member_answer(capture: Capture, outcome: Receipt | Exception) -> dict[str, Any]:
    if not isinstance(outcome, Receipt):
        return _as_problem(outcome).as_json()
    answer = _answer(capture, outcome)
    return {"status": int(answer.status), **answer.members}


def _captures_of(payload: JsonObject) -> list[Any]:
    captures = payload.get("captures")
    if not isinstance(captures, list) or not captures:
        message = "must be a list of captures, each an object with its type"
    elif len(captures) > MAX_CAPTURES_IN_A_BATCH:
        message = f"holds more than {MAX_CAPTURES_IN_A_BATCH} captures; send them in several batches"
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
    return _too_large() if len(capture.snapshot) > MAX_BYTES else capture


def _parsed_in_turns(member: Any, caller: Caller, placeholder_emails: tuple[str, ...]) -> Capture | Problem:
    """The same of a large batch: others have their turn between two members, and one that is too large is not looked through."""
    pause()
    return _too_large() if text_characters(member) > MAX_BYTES else _parsed(member, caller, placeholder_emails)


def _too_large() -> Problem:
    return Problem(TOO_LARGE, f"This capture is larger than {MAX_BYTES:,} bytes without the pictures in it.")


def _as_problem(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    log.error("A capture ended with an error that nobody expected", exc_info=error)
    return Problem(INTERNAL, "Something went wrong here with this capture; the service's log has the cause.")
