"""Serve a Flask route that only parses the body and returns 201: the upper limit.

It is served exactly as the capture service is.
"""

from __future__ import annotations

from flask import Flask, Response, jsonify, request

from data_capture.json_codec import MAX_BYTES
from data_capture.server import serve
from data_capture.settings import Settings, settings_from_command_line


def create_app(_settings: Settings) -> Flask:
    """Return an app with the one route."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES

    @app.post("/api/data-capture/payment")
    def payment() -> tuple[Response, int]:
        payload = request.get_json()
        return jsonify(
            success=True,
            payment_id=1,
            capture_id=payload["capture_id"],
            message="Payment data captured",
        ), 201

    return app


if __name__ == "__main__":
    serve(
        "capture",
        create_app,
        settings_from_command_line(
            "capture", "A bare Flask route, to compare the capture service with."
        ),
    )
