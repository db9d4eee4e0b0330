"""The page that a link in a mail opens. It asks for a password and sends it with the token.

It loads nothing from other sites, and runs only its own script.
"""

from __future__ import annotations

from pathlib import Path

from flask import Response

from data_capture.problems import NOT_FOUND, Problem

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
PAGE_FILES = {"page.css": "text/css", "page.js": "text/javascript"}
"""The files that the page loads, with their media types."""

_FOLDER = Path(__file__).parent


def page_response() -> Response:
    """Return the page, with headers that keep its token from reaching other sites."""
    headers = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
    return Response(_read_file("page.html"), headers=headers, mimetype="text/html")


def page_file_response(name: str) -> Response:
    """Return a file that the page loads.

    Raises:
        Problem: 404, the page loads no file of this name.
    """
    if name not in PAGE_FILES:
        raise Problem(NOT_FOUND, "The page has no such file.")
    return Response(_read_file(name), mimetype=PAGE_FILES[name])


def _read_file(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
