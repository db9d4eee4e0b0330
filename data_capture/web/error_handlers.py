"""Flask's error handlers: every error is a problem response (RFC 9457)."""

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

_TYPES_BY_STATUS = {
    problem_type.status: problem_type
    for problem_type in (
        NOT_JSON, NOT_AUTHENTICATED, NOT_ALLOWED, NOT_FOUND, METHOD_NOT_ALLOWED, TOO_LARGE,
        NOT_JSON_TYPE, MISDIRECTED, UNUSABLE, TOO_MANY, INTERNAL, UNAVAILABLE,
    )
}  # fmt: skip

_DETAILS = {
    HTTPStatus.BAD_REQUEST: "The request could not be read.",
    HTTPStatus.NOT_FOUND: (
        "There is nothing at this address. docs/http-api.md lists the endpoints."
    ),
    HTTPStatus.METHOD_NOT_ALLOWED: (
        "This address does not accept this method. The header Allow names the methods it accepts."
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than this address accepts.",
}


def problem_response(problem: Problem) -> Response:
    """Return a Flask response for a problem."""
    status, headers, content = problem.response()
    return Response(content, status, headers)


def init_app(app: Flask) -> None:
    """Turn every error of `app` into a problem response; log unexpected exceptions."""
    app.register_error_handler(Problem, problem_response)
    app.register_error_handler(HTTPException, _handle_http_exception)
    app.register_error_handler(Exception, _handle_unexpected_exception)


def _handle_http_exception(error: HTTPException) -> Response | werkzeug.Response:
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    if status < HTTPStatus.BAD_REQUEST:  # a redirect, which werkzeug raises too
        return error.get_response()
    problem_type = _TYPES_BY_STATUS.get(status) or ProblemType(
        status.name.lower().replace("_", "-"), status, status.phrase
    )
    detail = _DETAILS.get(status, status.description or status.phrase)
    response = problem_response(Problem(problem_type, detail))
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        methods = getattr(error, "valid_methods", None) or ()
        response.headers["Allow"] = ", ".join(sorted(methods))
    return response


def _handle_unexpected_exception(_error: Exception) -> Response:
    return problem_response(unexpected_error())
