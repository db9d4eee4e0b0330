"""Write the audit records of accounts, or spend the same time without one."""

from __future__ import annotations

import sqlite3

from data_capture.audit import record_audit
from data_capture.capture.parse import Caller
from data_capture.capture.timestamps import timestamp
from data_capture.redaction.redact import redact_text

_MAX_USER_AGENT_CHARACTERS = 512


def record_event(
    connection: sqlite3.Connection,
    event: str,
    spelling: str,
    caller: Caller,
    *,
    snapshot: str | None = None,
    status: str = "success",
) -> None:
    """Write the audit record of an event of an account.

    Args:
        connection: in a transaction.
        event: such as `signup` or `login_failed`.
        spelling: the user's address as `users.email` has it.
        caller: the request's sender.
        snapshot: the request's payload as JSON, without secrets.
        status: `success` or `failed`.
    """
    record_audit(
        connection,
        user_email=spelling,
        capture_type=event,
        timestamp=timestamp(caller.now),
        source_endpoint=caller.source_endpoint,
        snapshot=snapshot,
        ip_address=caller.ip_address,
        user_agent=redact_text((caller.user_agent or "")[:_MAX_USER_AGENT_CHARACTERS]) or None,
        status=status,
    )


def write_without_change(connection: sqlite3.Connection) -> None:
    """Write and sync without changing anything.

    For an unknown address, it takes as long as an audit record of a known one, so that the time of
    the response does not reveal who has an account.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version}")
