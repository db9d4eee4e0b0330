"""A capture's row, its audit record and its receipt, written together inside one transaction."""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import NamedTuple

from data_capture.audit import AuditRecord, record_audits
from data_capture.captures import Capture, Kind
from data_capture.problems import UNUSABLE, FieldError, Problem
from data_capture.store.erasures import refuse_what_was_erased
from data_capture.store.people import ensure_person
from data_capture.values import ColumnValue, earlier

STORED = "stored"
UNCHANGED = "unchanged"

FIND_RECEIPTS = """
SELECT capture_id, row_id, outcome, payload_digest, capture_type FROM capture_receipts WHERE capture_id IN (VALUES {})
"""

_FIND_RECEIPT = """
SELECT capture_id, row_id, outcome, payload_digest, capture_type FROM capture_receipts WHERE capture_id = ?
"""

INSERT_RECEIPT = """
INSERT INTO capture_receipts (capture_id, capture_type, row_id, outcome, payload_digest, created_at)
VALUES (?, ?, ?, ?, ?, ?)
"""


class Receipt(NamedTuple):
    """What became of a capture.

    `outcome` is STORED, or UNCHANGED when it repeats a row that was there already. `replayed` says that this very
    capture had been taken before and added nothing now.
    """

    row_id: int
    outcome: str
    replayed: bool


class RecordCapture:
    """The work of storing one capture, which can be done together with others (`store.groups`)."""

    __slots__ = ("capture",)

    def __init__(self, capture: Capture) -> None:
        self.capture = capture

    def __call__(self, connection: sqlite3.Connection) -> Receipt:
        """As `record_capture`."""
        return record_capture(connection, self.capture)


def record_capture(connection: sqlite3.Connection, capture: Capture) -> Receipt:
    """Stores `capture`, once: sent again it is answered from its receipt.

    Raises:
        Problem: 422, when its capture_id belongs to another capture; 410, when it is of the time before its person was erased.
    """
    found = connection.execute(_FIND_RECEIPT, (capture.capture_id,)).fetchone()
    if found is not None:
        return replayed(capture, *found[1:])
    refuse_what_was_erased(connection, capture)
    user_email = ensure_person(connection, capture.user_email, capture.user_name, capture.received_at)
    row_id, outcome = repeated_row(connection, capture, user_email), UNCHANGED
    if row_id is None:
        row_id, outcome = connection.execute(insert_statement(capture.kind), row_of(capture, user_email)).lastrowid, STORED
        assert row_id is not None
        record_audits(connection, [audit_record_of(capture, user_email)])
    connection.execute(INSERT_RECEIPT, receipt_row(capture, row_id, outcome))
    return Receipt(row_id, outcome, replayed=False)


def replayed(capture: Capture, row_id: int, outcome: str, digest: bytes, capture_type: str) -> Receipt:
    """What is answered to a capture whose capture_id has a receipt.

    Raises:
        Problem: 422, when that is another capture's.
    """
    if digest != capture.digest or capture_type != capture.kind.name:
        message = "was used before, for a different capture"
        raise Problem(UNUSABLE, f"The capture_id {message}.", errors=[FieldError("capture_id", message)])
    return Receipt(row_id, outcome, replayed=True)


def row_of(capture: Capture, user_email: str) -> tuple[ColumnValue, ...]:
    """A capture's row, for `insert_statement`; `user_email` as `users.email` spells it."""
    times = (capture.happened_at,) * len(capture.kind.time_columns)
    return (user_email, *capture.values, capture.ip_address, capture.user_agent, *times)


def audit_record_of(capture: Capture, user_email: str) -> AuditRecord:
    """What the audit trail holds of a capture that is stored."""
    return AuditRecord(
        user_email,
        capture.kind.name,
        capture.snapshot,
        capture.source_endpoint,
        capture.received_at,
        capture.ip_address,
        capture.user_agent,
        "partial" if capture.warnings else "success",
        "; ".join(f"{one.field} {one.message}" for one in capture.warnings) or None,
    )


def receipt_row(capture: Capture, row_id: int, outcome: str) -> tuple[object, ...]:
    """A capture's receipt, for `INSERT_RECEIPT`."""
    return (capture.capture_id, capture.kind.name, row_id, outcome, capture.digest, capture.received_at)


def about_of(capture: Capture) -> ColumnValue:
    """What a capture's row is about, for a kind whose rule of repetition asks for it."""
    assert capture.kind.repetition is not None
    return capture.values[_place_of(capture.kind, capture.kind.repetition.about)]


def repeated_row(connection: sqlite3.Connection, capture: Capture, user_email: str) -> int | None:
    """The row that `capture` repeats, by its kind's rule; None when it has something new to say."""
    repetition = capture.kind.repetition
    if repetition is None:
        return None
    looked_for: list[ColumnValue] = [user_email]
    if repetition.about is not None:
        about = about_of(capture)
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
def _place_of(kind: Kind, column: str | None) -> int:
    return [one.column for one in kind.fields].index(column or "")


@cache
def insert_statement(kind: Kind) -> str:
    """What inserts a row of this kind."""
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
