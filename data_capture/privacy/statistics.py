"""Count a user's data."""

from __future__ import annotations

import sqlite3
from typing import Any

from data_capture.store.sqlite.stored_emails import find_stored_emails

_SELECT = """
SELECT
    (SELECT count(*)        FROM payment_data         WHERE user_email = :email),
    (SELECT count(*)        FROM questionnaire_data   WHERE user_email = :email),
    (SELECT count(*)        FROM dashboard_data       WHERE user_email = :email),
    (SELECT count(*)        FROM trading_activity_log WHERE user_email = :email),
    (SELECT count(*)        FROM data_capture_audit   WHERE user_email = :email),
    (SELECT max(created_at) FROM payment_data         WHERE user_email = :email),
    (SELECT max(created_at) FROM questionnaire_data   WHERE user_email = :email),
    (SELECT max(updated_at) FROM dashboard_data       WHERE user_email = :email)
"""


def read_statistics(connection: sqlite3.Connection, email: str) -> dict[str, Any]:
    """Return the counts and latest times of a user's data, as JSON of the response.

    An unknown user has zeros and nulls.

    Args:
        connection: a connection to read from.
        email: the address, normalised.
    """
    # Earlier versions may have stored several spellings.
    spellings = find_stored_emails(connection, email) or [email]
    rows = [connection.execute(_SELECT, {"email": one}).fetchone() for one in spellings]
    columns = [*zip(*rows, strict=True)]
    payments, questionnaires, dashboards, activities, audit_records = map(sum, columns[:5])
    latest = [max(filter(None, times), default=None) for times in columns[5:]]
    return {
        "user_email": email,
        "data_counts": {
            "payments": payments,
            "questionnaires": questionnaires,
            "dashboard_updates": dashboards,
            "activities": activities,
            "audit_records": audit_records,
        },
        "latest_timestamps": dict(
            zip(("payment", "questionnaire", "dashboard"), latest, strict=True)
        ),
        "total_data_points": payments + questionnaires + dashboards + activities,
    }
