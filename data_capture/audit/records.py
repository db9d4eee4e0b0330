"""Add audit records, each with its entry in the chain."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from data_capture.audit.append import audit_trail_of
from data_capture.audit.format import encode_record
from data_capture.sql.bulk import insert_consecutive_rows

_INSERT = """
INSERT INTO data_capture_audit
    (user_email, capture_type, data_snapshot, source_endpoint, timestamp, ip_address, user_agent,
     status, error_details)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


class AuditRecord(NamedTuple):
    """An audit record without its id; `record_audit` describes the members."""

    user_email: str
    capture_type: str
    snapshot: str | None
    source_endpoint: str
    timestamp: str
    ip_address: str | None
    user_agent: str | None
    status: str
    error_details: str | None


def record_audits(connection: sqlite3.Connection, records: Sequence[AuditRecord]) -> None:
    """Add audit records in their order, each with its entry in the chain.

    Args:
        connection: as for `record_audit`.
        records: at least one.

    Raises:
        sqlite3.Error: as for `record_audit`. Also if several records get ids with gaps; they can
            still be added one by one.
    """
    trail = audit_trail_of(connection)
    first_id = insert_consecutive_rows(connection, _INSERT, records)
    encoded = [
        encode_record(audit_id, *record) for audit_id, record in enumerate(records, first_id)
    ]
    trail.append(connection, first_id, encoded)


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
    """Add one audit record with its entry in the chain, in the caller's transaction.

    Args:
        connection: in a write transaction (BEGIN IMMEDIATE), on a prepared database.
        user_email: the address as spelled in `users.email`.
        capture_type: the kind of the capture, or an event such as 'signup'.
        timestamp: the server's time, in the format of `converters.timestamp`.
        source_endpoint: the route of the request. It outlives an erasure, so it must not
            contain anything that identifies the user.
        snapshot: JSON with all secrets masked.
        ip_address: the caller's address.
        user_agent: the caller's user agent.
        status: 'success', 'partial' or 'failed'.
        error_details: the fields that could not be read, as text for people.

    Raises:
        sqlite3.Error: the record cannot be written, or the database's audit key is missing.
    """
    record = AuditRecord(
        user_email,
        capture_type,
        snapshot,
        source_endpoint,
        timestamp,
        ip_address,
        user_agent,
        status,
        error_details,
    )
    record_audits(connection, [record])
