"""The capture service, port 5003: stores captures from pages in trading_bots.db.

python3 enhanced_data_capture_system.py [--port 5003] [--debug] [--help]
"""

from data_capture.bootstrap import ensure_environment

ensure_environment(__file__, __name__)

import os
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, jsonify, request, send_from_directory

from data_capture import __version__, openapi
from data_capture.json_codec import MAX_BYTES_WITH_SCREENSHOT
from data_capture.limits.disk_space import DiskSpace
from data_capture.limits.rates import Rates
from data_capture.privacy.erasure_completion import UserEraser
from data_capture.privacy.export import MEDIA_TYPES, export_user
from data_capture.privacy.housekeeping import Housekeeping
from data_capture.privacy.statistics import read_statistics
from data_capture.privacy.unattributed import count_unattributed
from data_capture.problems import UNAVAILABLE, UNUSABLE, FieldError, Problem
from data_capture.server import serve
from data_capture.settings import REPOSITORY, Settings, settings_from_command_line
from data_capture.store import Store
from data_capture.web import (
    capture_log,
    capture_service,
    error_handlers,
    rate_limits,
    request_guard,
    request_log,
    security_headers,
    webhooks,
)
from data_capture.web.admin_auth import require_admin
from data_capture.web.admin_token import ensure_admin_token
from data_capture.web.capture_log import CAPTURE_OUTCOMES, CaptureLog
from data_capture.web.capture_service import (
    ADMITTED,
    CAPTURE_PATHS,
    CaptureService,
    ThreadExecution,
    run_synchronously,
)
from data_capture.web.email_paths import EmailConverter, parse_email_in_path
from data_capture.web.health_probe import load_or_make_probe_key
from data_capture.web.read_access import may_read_health_details, require_statistics_access
from data_capture.web.request_guard import RequestGuard
from data_capture.web.requests import read_body

SERVICE_NAME = "enhanced-data-capture"
SCRIPT_NAME = "frontend_data_capture_integration.js"

_SCRIPT_MAX_AGE_SECONDS = 3600  # then browsers ask whether there is a newer script
_EXAMPLES_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


def create_app(settings: Settings) -> Flask:
    """Create the capture service.

    Args:
        settings: its database must have its tables (`store.sqlite.schema.prepare`).
    """
    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.merge_slashes = False  # a//b@example.com is not a/b@example.com
    app.url_map.converters["person"] = EmailConverter
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES_WITH_SCREENSHOT
    ensure_admin_token(settings)
    store = Store(settings.database, settings.request_seconds)
    eraser = UserEraser(store)
    guard = RequestGuard(
        settings,
        public_paths=(f"/{SCRIPT_NAME}",),
        readable_refusals=CAPTURE_PATHS,
        allow_file_pages=True,
    )
    disk_space = DiskSpace(
        settings.database, settings.min_free_disk, store.note_refused_before_write
    )
    log = CaptureLog("captures", CAPTURE_OUTCOMES, CAPTURE_PATHS, {})
    service = CaptureService(store, settings, guard, Rates(settings), disk_space, log)
    app.extensions |= {"store": store, "request_guard": guard, "capture_service": service}

    def caller_address() -> str | None:
        return guard.caller_address(request.remote_addr, request.headers.get)

    request_log.init_app(app)
    capture_log.init_app(app, log)
    error_handlers.init_app(app)
    request_guard.init_app(app, guard)
    security_headers.init_app(app)
    rate_limits.init_app(app, settings, caller_address, exempt_prefix="capture_")
    _add_captures(app, service)
    _add_user_data(app, settings, store, eraser, caller_address)
    webhooks.init_app(app, settings, store, caller_address)
    _add_health(app, settings, store, disk_space, eraser)
    _add_files(app)
    openapi.init_app(app, "Enhanced Data Capture: the capture service")
    Housekeeping(store, settings, eraser).start()
    return app


def _add_captures(app: Flask, service: CaptureService) -> None:
    def capture() -> Response:
        get_header = request.headers.get
        admitted = request.environ.get(ADMITTED) or service.admit(
            request.path, get_header, request.remote_addr, request.content_length
        )
        decoded = service.decode(admitted, read_body(request, admitted.max_bytes), get_header)
        execution = ThreadExecution(service.store)
        operation = capture_service.receive_capture(decoded, service, execution)
        status, headers, content = run_synchronously(operation).response()
        return Response(content, status, headers)

    @app.post("/api/data-capture/payment")
    def capture_payment() -> Response:
        return capture()

    @app.post("/api/data-capture/questionnaire")
    def capture_questionnaire() -> Response:
        return capture()

    @app.post("/api/data-capture/dashboard")
    def capture_dashboard() -> Response:
        return capture()

    @app.post("/api/data-capture/activity")
    def capture_activity() -> Response:
        return capture()

    @app.post("/api/data-capture/batch")
    def capture_batch() -> Response:
        return capture()


def _add_user_data(
    app: Flask,
    settings: Settings,
    store: Store,
    eraser: UserEraser,
    caller_address: Callable[[], str | None],
) -> None:
    @app.get("/api/data-capture/stats/<path:email>")
    def user_statistics(email: str) -> Response:
        require_statistics_access(request, settings)
        address = parse_email_in_path(email)
        return _without_caching(
            jsonify(store.read(lambda connection: read_statistics(connection, address)))
        )

    @app.get("/api/data-capture/users/<path:email>/export")
    def export(email: str) -> Response:
        require_admin(request, settings)
        form = request.args.get("format", "json")
        if form not in MEDIA_TYPES:
            message = f"must be one of {', '.join(MEDIA_TYPES)}"
            raise Problem(
                UNUSABLE, f"The format {message}.", errors=[FieldError("format", message)]
            )
        chunks = export_user(
            store, parse_email_in_path(email), form, source_endpoint=str(request.url_rule),
            ip_address=caller_address(), user_agent=request.headers.get("User-Agent"),
        )  # fmt: skip
        response = Response(chunks, content_type=MEDIA_TYPES[form])
        response.headers["Content-Disposition"] = f'attachment; filename="export.{form}"'
        return _without_caching(response)

    @app.delete("/api/data-capture/users/<person:email>")
    def erase(email: str) -> tuple[Response, int]:
        require_admin(request, settings)
        erased, is_complete = eraser.erase(parse_email_in_path(email), str(request.url_rule))
        response = jsonify(erased.to_json(is_complete=is_complete))
        return _without_caching(response), 200 if is_complete else 202


def _add_health(
    app: Flask, settings: Settings, store: Store, disk_space: DiskSpace, eraser: UserEraser
) -> None:
    probe_key = load_or_make_probe_key(settings)
    started_at = time.monotonic()

    @app.get("/api/data-capture/health")
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
                "uptime_seconds": round(time.monotonic() - started_at, 1),
                "sqlite_version": sqlite3.sqlite_version,
                "wal_bytes": store.wal_bytes(),
            }
            if fault is None:
                try:
                    members["erasures_pending"] = eraser.count_pending()
                    members["unattributed_captures"] = count_unattributed(store)
                except Problem as problem:  # a part of the file that is damaged
                    fault, members["status"] = problem.detail, "unhealthy"
        if fault is not None:
            detail = fault if may_read_details else "The service cannot store captures now."
            raise Problem(UNAVAILABLE, detail, retry_after_seconds=1, members=members)
        return _without_caching(jsonify(members))


def _add_files(app: Flask) -> None:
    @app.get(f"/{SCRIPT_NAME}")
    def script() -> Response:
        response = send_from_directory(
            REPOSITORY, SCRIPT_NAME, mimetype="text/javascript", max_age=_SCRIPT_MAX_AGE_SECONDS
        )
        response.headers["Access-Control-Allow-Origin"] = "*"
        # By these two, the script recognises its origin as a capture service without a request.
        response.headers["Server-Timing"] = SERVICE_NAME
        response.headers["Timing-Allow-Origin"] = "*"
        return response

    @app.get("/examples/")
    @app.get("/examples/<path:name>")
    def examples(name: str = "index.html") -> Response:
        response = send_from_directory(REPOSITORY / "examples", name, max_age=0)
        response.headers["Content-Security-Policy"] = _EXAMPLES_POLICY
        return response


def _without_caching(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def main() -> None:
    """Serve until a signal stops the service."""
    settings = settings_from_command_line(
        "capture", "The capture service of Enhanced Data Capture."
    )
    serve("capture", create_app, settings)


if __name__ == "__main__":
    main()
