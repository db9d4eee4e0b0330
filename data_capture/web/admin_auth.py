"""Authentication with the admin token, and with write tokens where captures are sent."""

from __future__ import annotations

from flask import Request

from data_capture.problems import NOT_AUTHENTICATED, Problem
from data_capture.settings import Settings
from data_capture.web.admin_token import bearer_token_in, is_admin_token
from data_capture.web.write_tokens import is_write_token


def require_admin(caller: Request, settings: Settings) -> None:
    """Lets in who sends the admin token in the header Authorization, and nobody else; a token in a URL opens nothing.

    Raises:
        Problem: 401, without the token and with a wrong one.
    """
    token = bearer_token_in(caller.headers.get("Authorization", ""))
    if not token:
        raise Problem(
            NOT_AUTHENTICATED,
            "This needs the admin token: send the header 'Authorization: Bearer' with it.",
        )
    if not is_admin_token(token, settings):
        raise Problem(NOT_AUTHENTICATED, "The admin token is not valid.")


def is_confirmed_caller(authorization: str | None, settings: Settings) -> bool:
    """Tell whether a capture is sent with a credential of the owner's, the admin token or a write token.

    Args:
        authorization: the header, None where it is missing.
        settings: the service's.

    Raises:
        Problem: 401, for a Bearer token that is not valid: its sender relies on being confirmed.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        return False
    token = token.strip()
    if not token or not (is_admin_token(token, settings) or is_write_token(token, settings)):
        raise Problem(
            NOT_AUTHENTICATED,
            "The token is not valid, or was revoked. Without a token the capture is stored as a claim.",
        )
    return True
