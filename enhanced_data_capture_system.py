"""The capture service: takes what pages save and keeps a second copy of it in trading_bots.db. Port 5003.

python enhanced_data_capture_system.py [--port 5003] [--debug] [--help]
"""

from data_capture.bootstrap import ensure_environment

ensure_environment(__file__, __name__)

import os
import sqlite3
import time
from datetime import datetime, timezone
from typing import Any

from flask import Flask, Response, jsonify, request, send_from_directory

from data_capture import __version__
from data_capture.access import (
    Doors,
    PersonConverter,
    email_in_path,
    harden_answers,
    is_confirmed_caller,
    keep_doors,
    require_admin,
)
from data_capture.admin_token import ensure_admin_token
from data_capture.admission import are_bytes_counted, is_counted
from data_capture.answers import BATCH, answer_to, read_request
from data_capture.captures import Caller, Capture
from data_capture.disk_space import DiskSpace
from data_capture.exposure import may_read_details, require_reader
from data_capture.health_probe import load_or_make_probe_key
from data_capture.intake import Intake, most_body_bytes
from data_capture.openapi import serve_description
from data_capture.payloads import (
    CAPTURE_MEDIA_TYPES,
    MAX_BYTES,
    MAX_BYTES_OF_A_BATCH,
    MAX_BYTES_WITH_SCREENSHOT,
    read_json_object,
)
from data_capture.problems import UNAVAILABLE, UNUSABLE, FieldError, Problem, answer_with_problems
from data_capture.rates import Rates, limit_requests
from data_capture.request_log import log_requests
from data_capture.serving import serve
from data_capture.settings import REPOSITORY, Settings, settings_from_command_line
from data_capture.store import Store
from data_capture.subjects.counts import statistics
from data_capture.subjects.daily import Housekeeping
from data_capture.subjects.export import MEDIA_TYPES, export_person
from data_capture.subjects.finishing import Erasures

SERVICE_NAME = "enhanced-data-capture"
SCRIPT_NAME = "frontend_data_capture_integration.js"

_SCRIPT_SECONDS = 3600  # how long browsers may use the script without asking whether there is a newer one
_EXAMPLES_POLICY = "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"


def create_app(settings: Settings) -> Flask:
    """The capture service over the database of `settings`, whose tables are there (`store.takeover.prepare`)."""
    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.merge_slashes = False  # a//b@example.com is not a/b@example.com
    app.url_map.converters["person"] = PersonConverter
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES_WITH_SCREENSHOT
    store = Store(settings.database, settings.request_seconds)
    app.extensions["store"] = store
    ensure_admin_token(settings)
    probe_key = load_or_make_probe_key(settings)
    erasures = Erasures(store)
    Housekeeping(store, settings, erasures).begin()
    started_at = time.monotonic()
    log_requests(app)
    answer_with_problems(app)
    doors = app.extensions["doors"] = Doors(settings, public_paths=(f"/{SCRIPT_NAME}",), takes_file_pages=True)
    keep_doors(app, doors)
    harden_answers(app)

    def caller_address() -> str | None:
        return doors.caller_address(request.remote_addr, request.headers.get)

    rates = app.extensions["rates"] = Rates(settings)
    disk_space = DiskSpace(settings.database, settings.min_free_disk)
    app.extensions["intake"] = Intake(store, settings, doors, rates, disk_space)
    limit_requests(app, settings, caller_address, apart_from="capture_")

    def capture(kind_name: str) -> Response:
        address = caller_address()
        is_confirmed = is_confirmed_caller(request.headers.get("Authorization"), settings)
        counted_address = None if is_confirmed else address  # the owner's own servers have no rate
        if not is_confirmed:
            disk_space.refuse_if_short()
        if not is_counted(request.environ):
            rates.take(counted_address)

        def admit_bytes(size_bytes: int) -> None:
            if not are_bytes_counted(request.environ):
                rates.take_bytes(counted_address, size_bytes)

        most_bytes_but_pictures = MAX_BYTES_OF_A_BATCH if kind_name == BATCH else MAX_BYTES
        payload = read_json_object(
            request, CAPTURE_MEDIA_TYPES, most_body_bytes(kind_name), most_bytes_but_pictures, admit_bytes
        )
        if "Idempotency-Key" in request.headers and kind_name != BATCH:
            payload = {"capture_id": request.headers["Idempotency-Key"].strip('"'), **payload}
        caller = Caller(
            request.path, address, request.headers.get("User-Agent"), datetime.now(timezone.utc),
            is_confirmed=is_confirmed, admit_new_user=lambda: rates.take_new_user(counted_address),
        )  # fmt: skip
        is_large = request.content_length is None or request.content_length > MAX_BYTES
        asked = read_request(kind_name, payload, caller, settings.placeholder_emails, is_large=is_large)
        for one in asked.members:
            if isinstance(one, Capture):
                rates.take_person(counted_address, one.user_email)
        answer = answer_to(asked, store.write_together(asked.works, asked.size_bytes))
        return Response(answer.content(), answer.status, answer.headers, content_type="application/json")

    @app.post("/api/data-capture/payment")
    def capture_payment() -> Response:
        return capture("payment")

    @app.post("/api/data-capture/questionnaire")
    def capture_questionnaire() -> Response:
        return capture("questionnaire")

    @app.post("/api/data-capture/dashboard")
    def capture_dashboard() -> Response:
        return capture("dashboard")

    @app.post("/api/data-capture/activity")
    def capture_activity() -> Response:
        return capture("activity")

    @app.post("/api/data-capture/batch")
    def capture_batch() -> Response:
        return capture(BATCH)

    @app.get("/api/data-capture/stats/<path:email>")
    def person_statistics(email: str) -> Response:
        require_reader(request, settings)
        address = email_in_path(email)
        response = jsonify(store.read(lambda connection: statistics(connection, address)))
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.get("/api/data-capture/users/<path:email>/export")
    def export(email: str) -> Response:
        require_admin(request, settings)
        form = request.args.get("format", "json")
        if form not in MEDIA_TYPES:
            message = f"must be one of {', '.join(MEDIA_TYPES)}"
            raise Problem(UNUSABLE, f"The format {message}.", errors=[FieldError("format", message)])
        pieces = export_person(store, email_in_path(email), form, source_endpoint=str(request.url_rule),
                               ip_address=caller_address(), user_agent=request.headers.get("User-Agent"))  # fmt: skip
        response = Response(pieces, content_type=MEDIA_TYPES[form])
        response.headers["Content-Disposition"] = f'attachment; filename="export.{form}"'
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.delete("/api/data-capture/users/<person:email>")
    def erase(email: str) -> tuple[Response, int]:
        require_admin(request, settings)
        erased, is_complete = erasures.erase(email_in_path(email), str(request.url_rule))
        response = jsonify(erased.answer(is_complete=is_complete))
        response.headers["Cache-Control"] = "no-store"
        return response, 200 if is_complete else 202

    @app.get("/api/data-capture/health")
    def health() -> tuple[Response, int]:
        fault = store.fault() or disk_space.fault()
        details: dict[str, Any] = {}
        if may_read_details(request, settings, probe_key):
            details = {
                "version": __version__,
                "database": str(settings.database),
                "pid": os.getpid(),
                "uptime_seconds": round(time.monotonic() - started_at, 1),
                "sqlite_version": sqlite3.sqlite_version,
                "wal_bytes": store.log_bytes(),
            }
            if fault is None:
                details["erasures_pending"] = erasures.pending()
        if fault is not None:
            raise Problem(UNAVAILABLE, fault if details else "The service can't take captures now.", retry_after_seconds=1,
                          members={"status": "unhealthy", "service": SERVICE_NAME, **details})  # fmt: skip
        response = jsonify({"status": "healthy", "service": SERVICE_NAME, **details})
        response.headers["Cache-Control"] = "no-store"
        return response, 200

    @app.get(f"/{SCRIPT_NAME}")
    def script() -> Response:
        response = send_from_directory(REPOSITORY, SCRIPT_NAME, mimetype="text/javascript", max_age=_SCRIPT_SECONDS)
        response.headers["Access-Control-Allow-Origin"] = "*"
        # These two tell the script, without a request, that where it came from is a capture service.
        response.headers["Server-Timing"] = SERVICE_NAME
        response.headers["Timing-Allow-Origin"] = "*"
        return response

    @app.get("/examples/")
    @app.get("/examples/<path:name>")
    def examples(name: str = "index.html") -> Response:
        response = send_from_directory(REPOSITORY / "examples", name, max_age=0)
        response.headers["Content-Security-Policy"] = _EXAMPLES_POLICY
        return response

    serve_description(app, "Enhanced Data Capture: the capture service")

    return app


def main() -> None:
    """Serves until it is told to stop."""
    settings = settings_from_command_line("capture", "The capture service of Enhanced Data Capture.")
    serve("capture", create_app, settings)


if __name__ == "__main__":
    main()
