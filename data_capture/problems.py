"""Every error that a caller can get, as one table from error to status and title (RFC 9457 problem details).

    Problem
    ├── 400  not-json             the body is not JSON, or not the JSON that this service takes
    ├── 400  unusable-account     a field of a sign-up or login can't be used; existing pages read 400 for it
    ├── 401  not-authenticated    no credential, or one that is not valid
    ├── 403  not-allowed          this caller may not do this
    ├── 404  not-found            there is nothing at this address
    ├── 405  method-not-allowed   there is something, but not for this method
    ├── 408  request-timeout      the body arrived too slowly
    ├── 409  already-exists       the address has an account
    ├── 410  gone                 it is of the time before its person was erased, and is not taken any more
    ├── 410  link-void            a link from a mail that was used, or is too old
    ├── 413  too-large            the body is over the limit
    ├── 415  not-json-type        the content type is not one that holds JSON
    ├── 421  misdirected          meant for a host that this is not
    ├── 422  unusable             understood, but it can't be used: the member `errors` says which fields and why
    ├── 429  too-many             slow down; `Retry-After` says for how long
    ├── 500  internal             a fault of ours; never the answer to something that a client sent
    └── 503  unavailable          the database can't take this now; `Retry-After` says when to try again

Raise `Problem`; `answer_with_problems` turns it, and whatever else goes wrong in a request, into the answer and, for
faults of ours, one log line with the cause.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

log = logging.getLogger("data_capture.problems")

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:enhanced-data-capture:problem:"


@dataclass(frozen=True)
class ProblemType:
    """A kind of error: the last part of its `type` URI, its HTTP status and its title."""

    name: str
    status: HTTPStatus
    title: str


NOT_JSON = ProblemType("not-json", HTTPStatus.BAD_REQUEST, "The body is not usable JSON")
UNUSABLE_ACCOUNT = ProblemType(
    "unusable-account", HTTPStatus.BAD_REQUEST, "The account's fields can't be used"
)
NOT_AUTHENTICATED = ProblemType(
    "not-authenticated", HTTPStatus.UNAUTHORIZED, "A valid credential is needed"
)
NOT_ALLOWED = ProblemType("not-allowed", HTTPStatus.FORBIDDEN, "Not allowed")
NOT_FOUND = ProblemType("not-found", HTTPStatus.NOT_FOUND, "Not found")
METHOD_NOT_ALLOWED = ProblemType(
    "method-not-allowed", HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed"
)
TOO_SLOW = ProblemType("request-timeout", HTTPStatus.REQUEST_TIMEOUT, "Request Timeout")
ALREADY_EXISTS = ProblemType("already-exists", HTTPStatus.CONFLICT, "This account already exists")
GONE = ProblemType("gone", HTTPStatus.GONE, "This was erased")
LINK_VOID = ProblemType("link-void", HTTPStatus.GONE, "This link is not valid any more")
TOO_LARGE = ProblemType("too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large")
NOT_JSON_TYPE = ProblemType(
    "not-json-type", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The content type is not JSON"
)
MISDIRECTED = ProblemType("misdirected", HTTPStatus.MISDIRECTED_REQUEST, "This is not that host")
UNUSABLE = ProblemType("unusable", HTTPStatus.UNPROCESSABLE_ENTITY, "The content can't be used")
TOO_MANY = ProblemType("too-many", HTTPStatus.TOO_MANY_REQUESTS, "Too many requests")
INTERNAL = ProblemType("internal", HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error")
UNAVAILABLE = ProblemType(
    "unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "The database can't take this now"
)


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field, by the name that the caller gave it."""

    field: str
    message: str


class Problem(Exception):
    """An error to answer with.

    Args:
        problem_type: one of the table above.
        detail: one sentence, for a person: what was wrong with this request. It never repeats what the caller sent.
        errors: what is wrong with which field.
        retry_after_seconds: how long to wait before sending the same again.
        members: further members of the answer.
    """

    def __init__(
        self,
        problem_type: ProblemType,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        retry_after_seconds: int | None = None,
        members: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.problem_type = problem_type
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after_seconds = retry_after_seconds
        self.members = members or {}

    def as_json(self) -> dict[str, Any]:
        """The answer's members: RFC 9457's, and `success`, `error`, `message` and `msg`, which existing pages read."""
        answer: dict[str, Any] = {
            "type": TYPE_PREFIX + self.problem_type.name,
            "title": self.problem_type.title,
            "status": int(self.problem_type.status),
            "detail": self.detail,
            "success": False,
            "error": self.detail,
            "message": self.detail,
            "msg": self.detail,
            **self.members,
        }
        if self.errors:
            answer["errors"] = [
                {"field": error.field, "message": error.message} for error in self.errors
            ]
        return answer

    def answer(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, headers and body of the answer, as application/problem+json."""
        # Caches may keep a 404 or a 410 by default (RFC 9110 section 15.1).
        headers = [("Content-Type", MEDIA_TYPE), ("Cache-Control", "no-store")]
        if self.retry_after_seconds is not None:
            headers.append(("Retry-After", str(self.retry_after_seconds)))
        if self.problem_type.status == HTTPStatus.UNAUTHORIZED:
            headers.append(
                ("WWW-Authenticate", "Bearer")
            )  # RFC 9110 section 15.5.2 requires it; browsers ask nobody for it
        return (
            int(self.problem_type.status),
            headers,
            json.dumps(self.as_json(), separators=(",", ":")).encode(),
        )


def unexpected_error() -> Problem:
    """Log the exception that is being handled, with its traceback, and return the Problem for its caller."""
    log.exception("Unexpected exception while a request was handled")
    return Problem(INTERNAL, "Something went wrong here; the service's log has the cause.")
