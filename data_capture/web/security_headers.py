"""Security headers: browsers guess no types, and run no unexpected content."""

from __future__ import annotations

from flask import Flask, Response

NOSNIFF = ("X-Content-Type-Options", "nosniff")

# For HTML that sets no policy of its own, such as the text of a redirect.
_DEFAULT_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def init_app(app: Flask) -> None:
    """Add the headers to every response of `app`."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers[NOSNIFF[0]] = NOSNIFF[1]
        if response.mimetype == "text/html":
            response.headers.setdefault("Content-Security-Policy", _DEFAULT_POLICY)
        return response
