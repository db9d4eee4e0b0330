"""Flask's error handlers: every error is an application/problem+json response (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus

import werkzeug
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from data_capture.problems import (
    INTERNAL,
    METHOD_NOT_ALLOWED,
    MISDIRECTED,
    NOT_ALLOWED,
    NOT_AUTHENTICATED,
    NOT_FOUND,
    NOT_JSON,
    NOT_JSON_TYPE,
    TOO_LARGE,
    TOO_MANY,
    UNAVAILABLE,
    UNUSABLE,
    Problem,
    ProblemType,
    unexpected_error,
)

_BY_STATUS = {
    problem_type.status: problem_type
    for problem_type in (NOT_JSON, NOT_AUTHENTICATED, NOT_ALLOWED, NOT_FOUND, METHOD_NOT_ALLOWED, TOO_LARGE, NOT_JSON_TYPE,
                         MISDIRECTED, UNUSABLE, TOO_MANY, INTERNAL, UNAVAILABLE)
}  # fmt: skip

_DETAILS = {
    HTTPStatus.BAD_REQUEST: "The request could not be read.",
    HTTPStatus.NOT_FOUND: "There is nothing at this address; docs/http-api.md lists the endpoints.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take this method; the header Allow names the ones it takes.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than this address takes.",
}


def response_of(problem: Problem) -> Response:
    """Return the response of a problem, for Flask."""
    status, headers, content = problem.response()
    return Response(content, status, headers)


def init_app(app: Flask) -> None:
    """Turn every error of `app` into a problem response; log unexpected exceptions once."""

    def from_http(error: HTTPException) -> Response | werkzeug.Response:
        status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
        if status < HTTPStatus.BAD_REQUEST:  # a redirect, which werkzeug raises too
            return error.get_response()
        known = _BY_STATUS.get(status) or ProblemType(
            status.name.lower().replace("_", "-"), status, status.phrase
        )
        problem = Problem(known, _DETAILS.get(status, status.description or status.phrase))
        response = response_of(problem)
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = ", ".join(
                sorted(getattr(error, "valid_methods", None) or ())
            )
        return response

    def from_exception(_error: Exception) -> Response:
        return response_of(unexpected_error())

    app.register_error_handler(Problem, response_of)
    app.register_error_handler(HTTPException, from_http)
    app.register_error_handler(Exception, from_exception)
