"""The signup service, port 5001: creates accounts in trading_bots.db, and logs in.

python3 enhanced_signup_handler.py [--port 5001] [--debug] [--help]
"""

from data_capture.bootstrap import ensure_environment

ensure_environment(__file__, __name__)

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from flask import Flask, Response, jsonify, request

from data_capture import __version__, openapi
from data_capture.accounts.access_tokens import AccessTokens
from data_capture.accounts.login import Login
from data_capture.accounts.passwords import Passwords, reject_late_request
from data_capture.accounts.signup import Registration
from data_capture.accounts.verification import Verification, mail_disabled_problem
from data_capture.accounts.verification_links import parse_origin
from data_capture.accounts.verification_page import page_file_response, page_response
from data_capture.capture.parse import Caller
from data_capture.json_codec import MAX_BYTES_WITH_SCREENSHOT
from data_capture.limits.disk_space import DiskSpace
from data_capture.limits.rates import Rates
from data_capture.problems import UNAVAILABLE, Problem
from data_capture.server import serve
from data_capture.server.ports import service_url
from data_capture.server.wsgi import QUEUED_AT
from data_capture.setting_types import FILE_PAGES
from data_capture.settings import Settings, settings_from_command_line
from data_capture.store import Store
from data_capture.web import (
    capture_log,
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

LimitRoute = Callable[[Callable[..., Any]], Callable[..., Any]]
"""A decorator that limits a route."""

log = logging.getLogger("data_capture.signup")


def create_app(settings: Settings) -> Flask:
    """Create the signup service.

    Args:
        settings: its database must have its tables (`store.sqlite.schema.prepare`).
    """
    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES_WITH_SCREENSHOT
    base_url = settings.signup_url or service_url("signup", settings)
    settings = _allow_own_pages(settings, base_url)
    _warn_of_file_pages(settings)
    store = Store(settings.database, settings.request_seconds)
    guard = RequestGuard(settings)
    rates, passwords, tokens = Rates(settings), Passwords(), AccessTokens(settings)
    registration = Registration(store, settings.placeholder_emails, rates, passwords, tokens)
    login = Login(store, rates, passwords, tokens)
    verification = None
    if settings.mail_url:
        verification = Verification(store, settings, rates, passwords, tokens, base_url)
    disk_space = DiskSpace(
        settings.database, settings.min_free_disk, store.note_refused_before_write
    )
    app.extensions |= {"store": store, "request_guard": guard}

    def caller_address() -> str | None:
        return guard.caller_address(request.remote_addr, request.headers.get)

    request_log.init_app(app)
    capture_log.init_app(app, capture_log.create_account_log())
    error_handlers.init_app(app)
    request_guard.init_app(app, guard)
    security_headers.init_app(app)
    _reject_late_requests(app)
    limiter = rate_limits.init_app(app, settings, caller_address)
    limit_logins = rate_limits.limit_logins(limiter, settings, caller_address)
    _add_registration(app, registration, verification, disk_space, guard, limit_logins)
    _add_login(app, login, guard, limit_logins)
    _add_verification(app, verification, guard, limit_logins)
    _add_health(app, settings, store, disk_space)
    openapi.init_app(app, "Enhanced Data Capture: the signup service")
    _disable_caching(app)
    return app


def _allow_own_pages(settings: Settings, base_url: str) -> Settings:
    """Allow the origin of the verification page, if mails are sent."""
    if not settings.mail_url:
        return settings
    return replace(settings, allowed_origins=(*settings.allowed_origins, parse_origin(base_url)))


def _warn_of_file_pages(settings: Settings) -> None:
    if FILE_PAGES in settings.allowed_origins:
        log.warning(
            "Pages opened from disk can't sign up: 'file' in EDC_ALLOWED_ORIGINS is for the "
            "capture service alone"
        )


def _current_caller(guard: RequestGuard) -> Caller:
    return Caller(
        request.path,
        guard.caller_address(request.remote_addr, request.headers.get),
        request.headers.get("User-Agent"),
        datetime.now(timezone.utc),
    )


def _reject_late_requests(app: Flask) -> None:
    @app.before_request
    def reject_late() -> None:
        if request.method == "POST":
            reject_late_request(request.environ.get(QUEUED_AT))


def _add_registration(
    app: Flask,
    registration: Registration,
    verification: Verification | None,
    disk_space: DiskSpace,
    guard: RequestGuard,
    limit_logins: LimitRoute,
) -> None:
    @app.post("/api/auth/register")
    @app.post("/auth/register")
    @app.post("/api/user/register")
    @limit_logins
    def register() -> tuple[Response, int]:
        disk_space.refuse_if_short()
        payload = read_json_object(request, MAX_BYTES_WITH_SCREENSHOT)
        if verification is not None:
            return jsonify(verification.register(payload, _current_caller(guard))), 202
        return jsonify(registration.register(payload, _current_caller(guard))), 201


def _add_login(app: Flask, login: Login, guard: RequestGuard, limit_logins: LimitRoute) -> None:
    @app.post("/api/auth/login")
    @limit_logins
    def log_in() -> Response:
        return jsonify(login.log_in(read_json_object(request), _current_caller(guard)))


def _add_verification(
    app: Flask,
    verification: Verification | None,
    guard: RequestGuard,
    limit_logins: LimitRoute,
) -> None:
    def enabled() -> Verification:
        if verification is None:
            raise mail_disabled_problem()
        return verification

    @app.post("/api/auth/recover")
    @limit_logins
    def recover() -> tuple[Response, int]:
        payload = read_json_object(request)
        return jsonify(enabled().recover(payload, _current_caller(guard))), 202

    @app.post("/api/auth/verify")
    @limit_logins
    def verify() -> tuple[Response, int]:
        payload = read_json_object(request)
        members, status = enabled().verify(payload, _current_caller(guard))
        return jsonify(members), status

    @app.get("/verify")
    def verification_page() -> Response:
        enabled()
        return page_response()

    @app.get("/verify/<name>")
    def verification_page_file(name: str) -> Response:
        enabled()
        return page_file_response(name)


def _add_health(app: Flask, settings: Settings, store: Store, disk_space: DiskSpace) -> None:
    probe_key = load_or_make_probe_key(settings)

    @app.get("/api/health")
    def health() -> Response:
        fault = store.find_fault() or disk_space.fault()
        members: dict[str, Any] = {
            "status": "healthy" if fault is None else "unhealthy",
            "service": SERVICE_NAME,
        }
        may_read_details = may_read_health_details(request, settings, probe_key)
        if may_read_details:
            members |= {
                "version": __version__,
                "database": str(settings.database),
                "pid": os.getpid(),
                "wal_bytes": store.wal_bytes(),
            }
        if fault is not None:
            detail = fault if may_read_details else "The service cannot store sign-ups now."
            raise Problem(UNAVAILABLE, detail, retry_after_seconds=1, members=members)
        return jsonify(members)


def _disable_caching(app: Flask) -> None:
    @app.after_request
    def forbid_caching(response: Response) -> Response:
        # A response may contain a token (RFC 6749 section 5.1).
        response.headers["Cache-Control"] = "no-store"
        return response


def main() -> None:
    """Serve until a signal stops the service."""
    settings = settings_from_command_line("signup", "The signup service of Enhanced Data Capture.")
    serve("signup", create_app, settings)


if __name__ == "__main__":
    main()
