"""Authenticate requests by the admin token, and captures also by write tokens."""

from __future__ import annotations

from flask import Request

from data_capture.problems import NOT_AUTHENTICATED, Problem
from data_capture.settings import Settings
from data_capture.web.admin_token import is_admin_token, parse_bearer_token
from data_capture.web.write_tokens import is_write_token


def require_admin(request: Request, settings: Settings) -> None:
    """Check that a request sends the admin token in its Authorization header.

    A token in the URL is not accepted, because URLs end up in logs and browser histories.

    Raises:
        Problem: 401, the token is missing or wrong.
    """
    token = parse_bearer_token(request.headers.get("Authorization"))
    if not token:
        raise Problem(
            NOT_AUTHENTICATED,
            "This address needs the admin token. Send it as 'Authorization: Bearer TOKEN'.",
        )
    if not is_admin_token(token, settings):
        raise Problem(NOT_AUTHENTICATED, "The admin token is not valid.")


def is_confirmed_caller(authorization: str | None, settings: Settings) -> bool:
    """Tell whether a capture is sent with the admin token or a write token.

    Args:
        authorization: the header's value; None if it is missing.
        settings: of the service.

    Raises:
        Problem: 401, a Bearer token is not valid. Storing the capture as a claim instead would
            mislead a sender who relies on confirmation.
    """
    token = parse_bearer_token(authorization)
    if token is None:
        return False
    if not token or not (is_admin_token(token, settings) or is_write_token(token, settings)):
        raise Problem(
            NOT_AUTHENTICATED,
            "The token is invalid or revoked. A capture without a token is stored as a claim.",
        )
    return True
