"""Admission: a request is judged by its head before its body is read.

The app is called with a body that raises `BodyNeeded` when it is read. Whatever the app answers without reading the body
(another host's or page's request, no such address, a body that is too large or of another type, a caller over the rate)
is answered at once. Only then the body is read and the app is called again, and the request is not counted again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

IS_COUNTED = "edc.is_counted"
"""The WSGI variable that says: this request has been counted against its caller's rate."""


class BodyNeeded(BaseException):
    """The app read a body that has not been received. No `Exception`, which the app would answer with an error."""


def is_counted(environ: Mapping[str, Any]) -> bool:
    """Whether the request has been counted against its caller's rate, and must not be counted again."""
    return IS_COUNTED in environ
