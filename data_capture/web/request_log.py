"""With `--debug`, log one line for each request: route, status and time."""

from __future__ import annotations

import logging
import time

from flask import Flask, Response, g, request

log = logging.getLogger("data_capture.requests")


def init_app(app: Flask) -> None:
    """Log each request of `app`, if the level is DEBUG.

    The line has the route instead of the path, because a path may contain an email address:
    `GET /api/data-capture/stats/<email>`.
    """
    if not log.isEnabledFor(logging.DEBUG):
        return

    @app.before_request
    def note_start() -> None:
        g.started_at = time.perf_counter()

    @app.after_request
    def log_response(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule is not None else "(no such address)"
        log_request(
            request.method, route, response.status_code, g.get("started_at", time.perf_counter())
        )
        return response


def log_request(method: str, route: str, status: int, started_at: float) -> None:
    """Log one request; `started_at` is a time of `time.perf_counter()`."""
    if log.isEnabledFor(logging.DEBUG):
        milliseconds = (time.perf_counter() - started_at) * 1000
        log.debug("%s %s -> %d in %.1f ms", method, route, status, milliseconds)
