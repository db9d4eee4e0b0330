"""Respond before a request's body has arrived, where its head decides.

The server first calls the Flask app with a body that raises `BodyNotReceived` when it is read. If
the app responds without reading the body (the wrong host or origin, an unknown address, a body
that is too large or of another type, a caller over the rate limit), that response is sent at once.
Otherwise the server receives the body and calls the app once more. `RATE_COUNTED` tells the second
call that the request has been counted already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RATE_COUNTED = "edc.is_counted"
"""The WSGI variable that marks a request that its caller's rate has counted."""


class BodyNotReceived(BaseException):
    """The app read a body that has not arrived.

    It is not an `Exception`, because the app would respond to an `Exception` with an error.
    """


def is_rate_counted(environ: Mapping[str, Any]) -> bool:
    """Tell whether the caller's rate has counted the request already."""
    return RATE_COUNTED in environ
