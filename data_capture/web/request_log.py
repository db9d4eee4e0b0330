"""With `--debug`: one line a request, with its kind, outcome and time, and nothing of whom it was about."""

from __future__ import annotations

import logging
import time

from flask import Flask, Response, g, request

log = logging.getLogger("data_capture.requests")


def init_app(app: Flask) -> None:
    """Logs each request of `app` at DEBUG, if that is logged at all: method, the route that took it, status, milliseconds.

    The route is logged and not the path, which may hold an address: `GET /api/data-capture/stats/<email>`.
    """

    if not log.isEnabledFor(logging.DEBUG):
        return

    @app.before_request
    def note_start() -> None:
        g.started_at = time.perf_counter()

    @app.after_request
    def log_outcome(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule is not None else "(no such address)"
        log_request(
            request.method, route, response.status_code, g.get("started_at", time.perf_counter())
        )
        return response


def log_request(method: str, route: str, status: int, started_at: float) -> None:
    """Logs one request, begun at `started_at` of `time.perf_counter()`."""
    if log.isEnabledFor(logging.DEBUG):
        log.debug(
            "%s %s -> %d in %.1f ms",
            method,
            route,
            status,
            (time.perf_counter() - started_at) * 1000,
        )
