"""Store captures as a first version would: with Flask's own server.

Each request opens a connection to the database.

python3 -m bench.servers.plain_flask PORT DATABASE
"""

from __future__ import annotations

import json
import logging
import sqlite3
import sys
from contextlib import closing

from flask import Flask, Response, jsonify, request

COLUMNS = (
    "user_email", "user_name", "plan_name", "original_price", "discount_amount", "final_price",
    "coupon_code", "payment_method", "transaction_id", "payment_status", "payment_processor",
    "crypto_transaction_hash", "crypto_from_address", "crypto_amount",
)  # fmt: skip

INSERT_PAYMENT = (
    f"INSERT INTO payment_data ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
)
INSERT_AUDIT = (
    "INSERT INTO data_capture_audit (user_email, capture_type, data_snapshot) "
    "VALUES (?, 'payment', ?)"
)


def create_app(database: str) -> Flask:
    """Return an app that writes the tables of `simple_tables.sql`."""
    app = Flask(__name__, static_folder=None)

    @app.post("/api/data-capture/payment")
    def payment() -> tuple[Response, int]:
        payload = request.get_json()
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            row_id = connection.execute(
                INSERT_PAYMENT, [payload.get(column) for column in COLUMNS]
            ).lastrowid
            connection.execute(INSERT_AUDIT, (payload["user_email"], json.dumps(payload)))
            connection.commit()
        return jsonify(success=True, payment_id=row_id, capture_id=payload["capture_id"]), 201

    return app


if __name__ == "__main__":
    # One log line per request would be most of the server's work.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    create_app(sys.argv[2]).run(port=int(sys.argv[1]))
