"""Email addresses in URL paths."""

from __future__ import annotations

import re

from werkzeug.routing import PathConverter

from data_capture.capture.email import normalise_email
from data_capture.problems import UNUSABLE, FieldError, Problem


class EmailConverter(PathConverter):
    """Match an address, also with slashes before its @, but not an export's path."""

    regex = r"(?!.*/export\Z)[^/].*?"


def parse_email_in_path(text: str) -> str:
    """Return the address in a path, normalised.

    Raises:
        Problem: 422, the text is not an address, or continues after one.
    """
    email = normalise_email(text)
    if email is None or re.search(r"[/\\]", email.partition("@")[2]):
        message = "is not an email address"
        raise Problem(UNUSABLE, f"The address {message}.", errors=[FieldError("email", message)])
    return email
