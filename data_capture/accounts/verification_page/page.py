"""The page that a link in a mail opens: it asks for a new password and sends it with the token.

Nothing on it comes from elsewhere, and nothing runs on it but its own script.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from flask import Response

from data_capture.problems import NOT_FOUND, Problem

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
PAGE_FILES = {"page.css": "text/css", "page.js": "text/javascript"}
"""What the page loads, and the media types."""

_FOLDER = Path(__file__).parent


def page_response() -> Response:
    """Return the page, with the headers that keep its token from getting anywhere else."""
    headers = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
    return Response(_read("page.html"), headers=headers, mimetype="text/html")


def page_file_response(name: str) -> Response:
    """Return a file that the page loads.

    Raises:
        Problem: 404, for any other name.
    """
    if name not in PAGE_FILES:
        raise Problem(NOT_FOUND, "The page has no such file.")
    return Response(_read(name), mimetype=PAGE_FILES[name])


@cache
def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
