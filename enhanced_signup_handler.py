"""The signup service: makes accounts in trading_bots.db and lets people log in. Port 5001.

python3 enhanced_signup_handler.py [--port 5001] [--debug] [--help]
"""

from data_capture.bootstrap import ensure_environment

ensure_environment(__file__, __name__)

import logging
import os
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from flask import Flask, Response, jsonify, request

from data_capture import __version__, openapi
from data_capture.accounts.accounts import Accounts
from data_capture.accounts.passwords import refuse_after_waiting
from data_capture.accounts.verification import Verification, mail_is_off, own_origin
from data_capture.accounts.verification_page import page_file_response, page_response
from data_capture.capture.kinds import Caller
from data_capture.json_codec import MAX_BYTES_WITH_SCREENSHOT
from data_capture.limits.disk_space import DiskSpace
from data_capture.problems import UNAVAILABLE, Problem
from data_capture.server import serve
from data_capture.server.ports import service_url
from data_capture.settings import FILE_PAGES, Settings, settings_from_command_line
from data_capture.store import Store
from data_capture.web import (
    error_handlers,
    rate_limits,
    request_guard,
    request_log,
    security_headers,
)
from data_capture.web.health_probe import load_or_make_probe_key
from data_capture.web.read_access import may_read_health_details
from data_capture.web.request_guard import RequestGuard
from data_capture.web.requests import read_json_object

SERVICE_NAME = "enhanced-signup"

log = logging.getLogger("data_capture.signup")


def create_app(settings: Settings) -> Flask:
    """The signup service over the database of `settings`, whose tables are there (`store.takeover.prepare`)."""
    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES_WITH_SCREENSHOT
    base_url = settings.signup_url or service_url("signup", settings)
    if (
        settings.mail_url
    ):  # the page that links in mails open sends to this service, under the links' own name
        settings = replace(
            settings, allowed_origins=(*settings.allowed_origins, own_origin(base_url))
        )
    store = Store(settings.database, settings.request_seconds)
    app.extensions["store"] = store
    request_log.init_app(app)
    error_handlers.init_app(app)
    probe_key = load_or_make_probe_key(settings)
    guard = app.extensions["request_guard"] = RequestGuard(settings)
    if FILE_PAGES in settings.allowed_origins:
        log.warning(
            "Pages opened from disk can't sign up: 'file' in EDC_ALLOWED_ORIGINS is for the capture service alone"
        )
    request_guard.init_app(app, guard)
    security_headers.init_app(app)

    def caller_address() -> str | None:
        return guard.caller_address(request.remote_addr, request.headers.get)

    @app.before_request
    def refuse_what_waited() -> None:
        if request.method == "POST":
            refuse_after_waiting(request.environ.get("data_capture.complete_at"))

    throttled = rate_limits.limit_logins(
        rate_limits.init_app(app, settings, caller_address), settings, caller_address
    )
    accounts = Accounts(store, settings)
    disk_space = DiskSpace(settings.database, settings.min_free_disk)
    mailing = Verification(store, settings, accounts, base_url) if settings.mail_url else None

    def verification() -> Verification:
        if mailing is None:
            raise mail_is_off()
        return mailing

    def caller() -> Caller:
        return Caller(
            request.path,
            caller_address(),
            request.headers.get("User-Agent"),
            datetime.now(timezone.utc),
        )

    @app.post("/api/auth/register")
    @app.post("/auth/register")
    @app.post("/api/user/register")
    @throttled
    def register() -> tuple[Response, int]:
        disk_space.refuse_if_short()
        payload = read_json_object(request, MAX_BYTES_WITH_SCREENSHOT)
        if mailing is not None:
            return jsonify(mailing.register(payload, caller())), 202
        return jsonify(accounts.register(payload, caller())), 201

    @app.post("/api/auth/login")
    @throttled
    def login() -> Response:
        payload = read_json_object(request)
        return jsonify(accounts.login(payload, caller()))

    @app.post("/api/auth/recover")
    @throttled
    def recover() -> tuple[Response, int]:
        payload = read_json_object(request)
        return jsonify(verification().recover(payload, caller())), 202

    @app.post("/api/auth/verify")
    @throttled
    def verify() -> tuple[Response, int]:
        payload = read_json_object(request)
        answer, status = verification().verify(payload, caller())
        return jsonify(answer), status

    @app.get("/verify")
    def verification_page() -> Response:
        verification()
        return page_response()

    @app.get("/verify/<name>")
    def verification_page_file(name: str) -> Response:
        verification()
        return page_file_response(name)

    @app.get("/api/health")
    def health() -> Response:
        fault = store.fault()
        details: dict[str, Any] = {}
        if may_read_health_details(request, settings, probe_key):
            details = {
                "version": __version__,
                "database": str(settings.database),
                "pid": os.getpid(),
                "wal_bytes": store.log_bytes(),
            }
        if fault is not None:
            raise Problem(UNAVAILABLE, fault if details else "The service can't take sign-ups now.", retry_after_seconds=1,
                          members={"status": "unhealthy", "service": SERVICE_NAME, **details})  # fmt: skip
        return jsonify({"status": "healthy", "service": SERVICE_NAME, **details})

    openapi.init_app(app, "Enhanced Data Capture: the signup service")

    @app.after_request
    def keep_nothing(response: Response) -> Response:
        response.headers["Cache-Control"] = (
            "no-store"  # RFC 6749 section 5.1: an answer may hold a token
        )
        return response

    return app


def main() -> None:
    """Serves until it is told to stop."""
    settings = settings_from_command_line("signup", "The signup service of Enhanced Data Capture.")
    serve("signup", create_app, settings)


if __name__ == "__main__":
    main()
