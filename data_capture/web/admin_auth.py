"""Authenticate requests by the admin token, and captures also by write tokens."""

from __future__ import annotations

from enum import Enum

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


class Sender(Enum):
    """Who sends a capture, by its token.

    Attributes:
        is_confirmed: whether the sender's captures are confirmed, not claims.
        may_backdate: whether the sender's captures may have any past time.
    """

    VISITOR = (False, False)
    WRITE_TOKEN = (True, False)
    ADMIN = (True, True)

    def __init__(self, is_confirmed: bool, may_backdate: bool) -> None:
        self.is_confirmed = is_confirmed
        self.may_backdate = may_backdate


def identify_sender(authorization: str | None, settings: Settings) -> Sender:
    """Identify the sender of a capture by the admin token or a write token.

    Args:
        authorization: the header's value; None if it is missing.
        settings: of the service.

    Raises:
        Problem: 401, a Bearer token is not valid. Storing the capture as a claim instead would
            mislead a sender who relies on confirmation.
    """
    token = parse_bearer_token(authorization)
    if token is None:
        return Sender.VISITOR
    if token and is_admin_token(token, settings):
        return Sender.ADMIN
    if token and is_write_token(token, settings):
        return Sender.WRITE_TOKEN
    raise Problem(
        NOT_AUTHENTICATED,
        "The token is invalid or revoked. A capture without a token is stored as a claim.",
    )
