"""The audit trail: one record for each thing that happened to a person's data, in the same transaction."""

from __future__ import annotations

import sqlite3

_INSERT = """
INSERT INTO data_capture_audit
    (user_email, capture_type, data_snapshot, source_endpoint, timestamp, ip_address, user_agent, status, error_details)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def record_audit(
    connection: sqlite3.Connection,
    *,
    user_email: str,
    capture_type: str,
    timestamp: str,
    source_endpoint: str,
    snapshot: str | None = None,
    ip_address: str | None = None,
    user_agent: str | None = None,
    status: str = "success",
    error_details: str | None = None,
) -> None:
    """Adds one audit record inside the caller's transaction.

    Args:
        connection: in a write transaction.
        user_email: the address as `users.email` spells it.
        capture_type: what happened: a capture's kind, or an event such as 'signup'.
        timestamp: the server's time, as `values.timestamp` gives it.
        source_endpoint: the address that took the request.
        snapshot: JSON, with everything secret in it masked.
        ip_address: the caller's.
        user_agent: the caller's.
        status: 'success', 'partial' or 'failed'.
        error_details: what was not understood, for a person.
    """
    connection.execute(
        _INSERT,
        (user_email, capture_type, snapshot, source_endpoint, timestamp, ip_address, user_agent, status, error_details),
    )
