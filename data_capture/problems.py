"""All errors that a client can receive, as one table: status, type and title (RFC 9457).

    Problem
    ├── 400  not-json             the body is not JSON, or breaks a limit of this service
    ├── 400  unusable-account     an unusable field of a sign-up or login; existing pages expect 400
    ├── 401  not-authenticated    the credential is missing or not valid
    ├── 403  not-allowed          the caller may not do this
    ├── 404  not-found            there is no such resource
    ├── 405  method-not-allowed   the resource does not support this method
    ├── 408  request-timeout      the body arrived too slowly
    ├── 409  already-exists       the email address has an account
    ├── 410  gone                 the capture predates the user's erasure
    ├── 410  link-void            the link from a mail was used before, or is too old
    ├── 413  too-large            the body is larger than the limit
    ├── 415  not-json-type        the content type does not allow JSON
    ├── 421  misdirected          the request names a host that this service does not serve
    ├── 422  unusable             the JSON cannot be used; `errors` names the fields and reasons
    ├── 429  too-many             over a rate; `Retry-After` says how long to wait
    ├── 500  internal             a fault of the service, never caused by what a client sent
    └── 503  unavailable          the database cannot store this now; `Retry-After` says when it may

Raise `Problem`. `web/error_handlers.py` turns it, and any other exception, into the response, and
logs the cause of the service's own faults.
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
    """A field's error, under the name that the client sent."""

    field: str
    message: str


class Problem(Exception):
    """An error that becomes the response.

    Args:
        problem_type: one of the constants above.
        detail: one sentence about this request for its developer. It never repeats what was sent.
        errors: the errors of single fields.
        retry_after_seconds: how long the client should wait before it sends the request again.
        members: more members of the response.
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
        """Return the response's members.

        Besides RFC 9457's, these are `success`, `error`, `message` and `msg`, which existing pages
        read.
        """
        members: dict[str, Any] = {
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
            members["errors"] = [
                {"field": error.field, "message": error.message} for error in self.errors
            ]
        return members

    def response(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return the response's status, headers and body (application/problem+json)."""
        # Caches may store a 404 or 410 by default (RFC 9110 section 15.1).
        headers = [("Content-Type", MEDIA_TYPE), ("Cache-Control", "no-store")]
        if self.retry_after_seconds is not None:
            headers.append(("Retry-After", str(self.retry_after_seconds)))
        if self.problem_type.status == HTTPStatus.UNAUTHORIZED:
            # RFC 9110 section 15.5.2 requires it. Browsers show no login dialog for Bearer.
            headers.append(("WWW-Authenticate", "Bearer"))
        body = json.dumps(self.as_json(), separators=(",", ":")).encode()
        return int(self.problem_type.status), headers, body


def unexpected_error() -> Problem:
    """Log the exception being handled, and return the client's Problem."""
    log.exception("Unexpected exception while a request was handled")
    return Problem(INTERNAL, "Something went wrong here; the service's log has the cause.")
