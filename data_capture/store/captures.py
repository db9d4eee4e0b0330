"""A capture's row, its audit record and its receipt, written together inside one transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from functools import cache

from data_capture.audit import record_audit
from data_capture.captures import Capture, Kind
from data_capture.problems import UNUSABLE, FieldError, Problem
from data_capture.store.people import ensure_person

STORED = "stored"
UNCHANGED = "unchanged"

_FIND_RECEIPT = "SELECT row_id, outcome, payload_digest, capture_type FROM capture_receipts WHERE capture_id = ?"

_INSERT_RECEIPT = """
INSERT INTO capture_receipts (capture_id, capture_type, row_id, outcome, payload_digest, created_at)
VALUES (?, ?, ?, ?, ?, ?)
"""


@dataclass(frozen=True)
class Receipt:
    """What became of a capture.

    `outcome` is STORED, or UNCHANGED when its state was there already. `replayed` says that this very capture had been
    taken before and added nothing now.
    """

    row_id: int
    outcome: str
    replayed: bool


def record_capture(connection: sqlite3.Connection, capture: Capture) -> Receipt:
    """Stores `capture`, once: sent again it is answered from its receipt.

    Raises:
        Problem: 422, when its capture_id belongs to another capture.
    """
    earlier = connection.execute(_FIND_RECEIPT, (capture.capture_id,)).fetchone()
    if earlier is not None:
        row_id, outcome, digest, capture_type = earlier
        if digest != capture.digest or capture_type != capture.kind.name:
            message = "was used before, for a different capture"
            raise Problem(UNUSABLE, f"The capture_id {message}.", errors=[FieldError("capture_id", message)])
        return Receipt(row_id, outcome, replayed=True)

    user_email = ensure_person(connection, capture.user_email, capture.user_name, capture.received_at)
    row_id, outcome = _row_of_same_state(connection, capture, user_email), UNCHANGED
    if row_id is None:
        row_id, outcome = _insert(connection, capture, user_email), STORED
        record_audit(
            connection,
            user_email=user_email,
            capture_type=capture.kind.name,
            timestamp=capture.received_at,
            source_endpoint=capture.source_endpoint,
            snapshot=capture.snapshot,
            ip_address=capture.ip_address,
            user_agent=capture.user_agent,
            status="partial" if capture.warnings else "success",
            error_details="; ".join(f"{one.field} {one.message}" for one in capture.warnings) or None,
        )
    receipt = (capture.capture_id, capture.kind.name, row_id, outcome, capture.digest, capture.received_at)
    connection.execute(_INSERT_RECEIPT, receipt)
    return Receipt(row_id, outcome, replayed=False)


def _insert(connection: sqlite3.Connection, capture: Capture, user_email: str) -> int:
    times = (capture.happened_at,) * len(capture.kind.time_columns)
    row = (user_email, *capture.values, capture.ip_address, capture.user_agent, *times)
    row_id = connection.execute(_insert_statement(capture.kind), row).lastrowid
    assert row_id is not None
    return row_id


def _row_of_same_state(connection: sqlite3.Connection, capture: Capture, user_email: str) -> int | None:
    """The person's latest row of a kind whose rows are states, when it says the same; it now also held at this time."""
    if not capture.kind.is_state:
        return None
    same = connection.execute(_same_state_statement(capture.kind), (user_email, *capture.values)).fetchone()
    if same is None:
        return None
    update = f"UPDATE {capture.kind.table} SET updated_at = max(updated_at, ?) WHERE id = ?"  # noqa: S608
    connection.execute(update, (capture.happened_at, same[0]))
    return int(same[0])


# Table and column names below come from the table of kinds alone, never from a request.


@cache
def _insert_statement(kind: Kind) -> str:
    columns = ("user_email", *(one.column for one in kind.fields), "ip_address", "user_agent", *kind.time_columns)
    return f"INSERT INTO {kind.table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


@cache
def _same_state_statement(kind: Kind) -> str:
    return f"""
        SELECT id FROM (SELECT * FROM {kind.table} WHERE user_email = ? ORDER BY created_at DESC, id DESC LIMIT 1)
        WHERE {" AND ".join(f"{one.column} IS ?" for one in kind.fields)}
    """  # noqa: S608
