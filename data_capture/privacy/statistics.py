"""One person's data: how much of it there is."""

from __future__ import annotations

import sqlite3
from typing import Any

from data_capture.store.sqlite.users import spelling_of

_STATISTICS = """
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
    """How much is held on a person, and since when nothing newer; zeros and nulls for someone unknown.

    Args:
        connection: to read from.
        email: the address, normalised.
    """
    held_under = spelling_of(connection, email) or email
    row = connection.execute(_STATISTICS, {"email": held_under}).fetchone()
    (
        payments,
        questionnaires,
        dashboards,
        activities,
        audit_records,
        payment,
        questionnaire,
        dashboard,
    ) = row
    return {
        "user_email": email,
        "data_counts": {
            "payments": payments,
            "questionnaires": questionnaires,
            "dashboard_updates": dashboards,
            "activities": activities,
            "audit_records": audit_records,
        },
        "latest_timestamps": {
            "payment": payment,
            "questionnaire": questionnaire,
            "dashboard": dashboard,
        },
        "total_data_points": payments + questionnaires + dashboards + activities,
    }
