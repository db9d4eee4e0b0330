"""A capture's row, its audit record and its receipt, written together inside one transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from functools import cache

from data_capture.audit import record_audit
from data_capture.captures import Capture, Kind
from data_capture.problems import UNUSABLE, FieldError, Problem
from data_capture.store.erasures import refuse_what_was_erased
from data_capture.store.people import ensure_person
from data_capture.values import ColumnValue, earlier

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

    `outcome` is STORED, or UNCHANGED when it repeats a row that was there already. `replayed` says that this very
    capture had been taken before and added nothing now.
    """

    row_id: int
    outcome: str
    replayed: bool


def record_capture(connection: sqlite3.Connection, capture: Capture) -> Receipt:
    """Stores `capture`, once: sent again it is answered from its receipt.

    Raises:
        Problem: 422, when its capture_id belongs to another capture; 410, when it is of the time before its person was erased.
    """
    earlier = connection.execute(_FIND_RECEIPT, (capture.capture_id,)).fetchone()
    if earlier is not None:
        row_id, outcome, digest, capture_type = earlier
        if digest != capture.digest or capture_type != capture.kind.name:
            message = "was used before, for a different capture"
            raise Problem(UNUSABLE, f"The capture_id {message}.", errors=[FieldError("capture_id", message)])
        return Receipt(row_id, outcome, replayed=True)

    refuse_what_was_erased(connection, capture)
    user_email = ensure_person(connection, capture.user_email, capture.user_name, capture.received_at)
    row_id, outcome = _repeated_row(connection, capture, user_email), UNCHANGED
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


def _repeated_row(connection: sqlite3.Connection, capture: Capture, user_email: str) -> int | None:
    """The row that `capture` repeats, by its kind's rule; None when it has something new to say."""
    repetition = capture.kind.repetition
    if repetition is None:
        return None
    looked_for: list[ColumnValue] = [user_email]
    if repetition.about is not None:
        about = capture.values[[one.column for one in capture.kind.fields].index(repetition.about)]
        if about is None:
            return None
        looked_for.append(about)
    if repetition.within_seconds is not None:
        looked_for.append(earlier(capture.happened_at, repetition.within_seconds))
    repeated = connection.execute(_repeated_row_statement(capture.kind), (*looked_for, *capture.values)).fetchone()
    if repeated is None:
        return None
    if repetition.moves_updated_at:
        update = f"UPDATE {capture.kind.table} SET updated_at = max(updated_at, ?) WHERE id = ?"  # noqa: S608
        connection.execute(update, (capture.happened_at, repeated[0]))
    return int(repeated[0])


# Table and column names below come from the table of kinds alone, never from a request.


@cache
def _insert_statement(kind: Kind) -> str:
    columns = ("user_email", *(one.column for one in kind.fields), "ip_address", "user_agent", *kind.time_columns)
    return f"INSERT INTO {kind.table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


@cache
def _repeated_row_statement(kind: Kind) -> str:
    repetition = kind.repetition
    assert repetition is not None
    about = f"AND {repetition.about} = ?" if repetition.about is not None else ""
    since = "AND created_at >= ?" if repetition.within_seconds is not None else ""
    # What is left out is compared as if it were what the row has. A column's affinity makes '99.80' equal 99.8.
    said = "coalesce(?, {0}) IS {0}" if repetition.omissions_repeat else "{0} IS ?"
    return f"""
        SELECT id
        FROM (SELECT * FROM {kind.table} WHERE user_email = ? {about} {since} ORDER BY created_at DESC, id DESC LIMIT 1)
        WHERE {" AND ".join(said.format(one.column) for one in kind.fields)}
    """  # noqa: S608
