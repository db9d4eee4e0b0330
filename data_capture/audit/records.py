"""Adds audit records, each with its entry in the chain."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from data_capture.audit.append import audit_trail_of
from data_capture.audit.format import encode_record
from data_capture.sql.bulk import insert_in_order

_INSERT = """
INSERT INTO data_capture_audit
    (user_email, capture_type, data_snapshot, source_endpoint, timestamp, ip_address, user_agent, status, error_details)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


class AuditRecord(NamedTuple):
    """A record without its id; what each of these is, `record_audit` says."""

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
    """Adds audit records, at least one, in their order, and their entries in the chain, as `record_audit` does.

    Raises:
        sqlite3.Error: as `record_audit`, and when several records get no consecutive ids; they can be added one by one.
    """
    trail = audit_trail_of(connection)
    first = insert_in_order(connection, _INSERT, records)
    trail.append(
        connection,
        first,
        [encode_record(number, *record) for number, record in enumerate(records, first)],
    )


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
    """Adds one audit record, and its entry in the chain, inside the caller's transaction.

    Args:
        connection: in a write transaction (BEGIN IMMEDIATE), on a database that `store.takeover.prepare` has seen.
        user_email: the address as `users.email` spells it.
        capture_type: what happened: a capture's kind, or an event such as 'signup'.
        timestamp: the server's time, as `values.timestamp` gives it.
        source_endpoint: the route that took the request, with nothing in it that says whose it was: it outlives an erasure.
        snapshot: JSON, with everything secret in it masked.
        ip_address: the caller's.
        user_agent: the caller's.
        status: 'success', 'partial' or 'failed'.
        error_details: what was not understood, for a person.

    Raises:
        sqlite3.Error: it can't be written, or the database's audit key is missing.
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
