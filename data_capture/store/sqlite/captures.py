"""A capture's row, its audit record and its receipt, written together inside one transaction."""

from __future__ import annotations

import sqlite3
from functools import cache

from data_capture.audit import AuditRecord, record_audits
from data_capture.capture.conversion import ColumnValue
from data_capture.capture.kinds import Kind
from data_capture.capture.parse import Capture
from data_capture.capture.timestamps import earlier
from data_capture.json_codec import encode_json
from data_capture.store.sqlite.receipts import (
    INSERT_RECEIPT,
    STORED,
    UNCHANGED,
    FoundReceipt,
    Receipt,
    ReceiptKey,
    find_receipt,
    has_content,
    is_confirmed,
    receipt_key_of,
    replayed,
)
from data_capture.store.sqlite.tombstones import refuse_what_was_erased
from data_capture.store.sqlite.users import add_user, spelling_of

CONFIRMATION = "confirmation"
"""The `capture_type` of the audit record which says that a claimed row was confirmed."""

_FORGET_RECEIPT = "DELETE FROM capture_receipts WHERE capture_id = ? AND user_email = ?"

_CONFIRM_RECEIPT = (
    "UPDATE capture_receipts SET confirmed = 1 WHERE capture_id = ? AND user_email = ?"
)


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
        Problem: 422, when its user's capture_id belongs to another capture; 410, when it is of the time before its user was
            erased; what `Capture.admission` raises, when its user is new. Nothing was written then.
    """
    key = receipt_key_of(connection)
    user_email = spelling_of(connection, capture.user_email)
    if user_email is not None:
        found = find_receipt(connection, user_email, capture.capture_id)
        if found is not None and overrides(capture, found):
            confirmed = _confirm_claim(connection, key, capture, user_email, found)
            if confirmed is not None:
                return confirmed
        elif found is not None:
            return replayed(key, capture, found)
    refuse_what_was_erased(connection, capture)
    if user_email is None:
        user_email = add_user_of(connection, capture)
    row_id, content = repeated_row(connection, capture, user_email), content_of(key, capture)
    if row_id is None:
        row_id, outcome = (
            connection.execute(
                insert_statement(capture.kind), row_of(capture, user_email)
            ).lastrowid,
            STORED,
        )
        assert row_id is not None
        records = [audit_record_of(capture, user_email)]
    else:
        outcome = UNCHANGED
        is_new = is_new_about(connection, capture, row_id, user_email, content)
        records = records_of_repetition(connection, capture, row_id, user_email, is_new=is_new)
        content = content if is_new else None
    if records:
        record_audits(connection, records)
    connection.execute(INSERT_RECEIPT, key.row(capture, user_email, row_id, outcome, content))
    return Receipt(row_id, outcome, replayed=False)


def overrides(capture: Capture, found: FoundReceipt) -> bool:
    """Whether a capture_id's receipt does not bind this capture: a claim must not keep a confirmed capture out."""
    return capture.is_confirmed and not found.confirmed


def add_user_of(connection: sqlite3.Connection, capture: Capture) -> str:
    """Adds the user of a capture, who is not there yet, and returns the address as `users.email` spells it.

    Raises:
        Problem: the user may not be added, or the table refuses the row.
    """
    if capture.admission is not None:
        capture.admission.check()
    return add_user(connection, capture.user_email, capture.user_name, capture.received_at)


def content_of(key: ReceiptKey, capture: Capture) -> bytes | None:
    """The keyed digest of a capture's content, where another may repeat it; else None."""
    repetition = capture.kind.repetition
    if repetition is None or (repetition.about is not None and about_of(capture) is None):
        return None
    return key.content(capture.content_digest)


def is_new_about(
    connection: sqlite3.Connection,
    capture: Capture,
    row_id: int,
    user_email: str,
    content: bytes | None,
) -> bool:
    """Whether a capture that repeats a row says something that no audit record has: something that is in no column."""
    return content is None or not has_content(
        connection, capture.kind.name, row_id, user_email, content
    )


def records_of_repetition(
    connection: sqlite3.Connection, capture: Capture, row_id: int, user_email: str, *, is_new: bool
) -> list[AuditRecord]:
    """The audit records of a capture that repeats a row: of its content, if that is new, and of a confirmation."""
    records = [audit_record_of(capture, user_email)] if is_new else []
    if capture.is_confirmed and not is_confirmed(connection, capture.kind.name, row_id, user_email):
        records.append(_confirm_row(connection, capture, row_id, user_email))
    return records


def _confirm_claim(
    connection: sqlite3.Connection,
    key: ReceiptKey,
    capture: Capture,
    user_email: str,
    found: FoundReceipt,
) -> Receipt | None:
    """Confirms what was claimed under the same capture_id, if it is the same.

    If not, the claim's receipt goes, None is returned, and the capture is stored as if it were the first of its id.
    """
    if not key.is_of(capture, found) or not _is_exactly(
        connection, capture, found.row_id, user_email
    ):
        refuse_what_was_erased(connection, capture)
        connection.execute(_FORGET_RECEIPT, (capture.capture_id, user_email))
        return None
    if not is_confirmed(connection, capture.kind.name, found.row_id, user_email):
        record_audits(connection, [_confirm_row(connection, capture, found.row_id, user_email)])
    connection.execute(_CONFIRM_RECEIPT, (capture.capture_id, user_email))
    return Receipt(found.row_id, found.outcome, replayed=True)


def _confirm_row(
    connection: sqlite3.Connection, capture: Capture, row_id: int, user_email: str
) -> AuditRecord:
    """Give a claim's row the time, the address and the user agent of who confirms it; return the audit record of that.

    A stranger who guessed what is confirmed would otherwise date it. What the claim said stays in its own audit record.
    """
    connection.execute(_confirm_statement(capture.kind), (*_origin_of(capture), row_id))
    return _confirmation_of(capture, row_id, user_email)


def _confirmation_of(capture: Capture, row_id: int, user_email: str) -> AuditRecord:
    said = encode_json(
        {"capture_type": capture.kind.name, "row_id": row_id, "capture_id": capture.capture_id}
    )
    record = audit_record_of(capture, user_email)
    return record._replace(
        capture_type=CONFIRMATION, snapshot=said, status="success", error_details=None
    )


def row_of(capture: Capture, user_email: str) -> tuple[ColumnValue, ...]:
    """A capture's row, for `insert_statement`; `user_email` as `users.email` spells it."""
    return (user_email, *capture.values, *_origin_of(capture))


def _origin_of(capture: Capture) -> tuple[ColumnValue, ...]:
    """The values of `_origin_columns`."""
    return (
        capture.ip_address,
        capture.user_agent,
        *(capture.happened_at,) * len(capture.kind.time_columns),
    )


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


def about_of(capture: Capture) -> ColumnValue:
    """What a capture's row is about, for a kind whose rule of repetition asks for it."""
    assert capture.kind.repetition is not None
    return capture.values[capture.kind.field_indexes[capture.kind.repetition.about or ""]]


def repeated_row(connection: sqlite3.Connection, capture: Capture, user_email: str) -> int | None:
    """The row that `capture` repeats, by its kind's rule; None when it has something new to say.

    Only the row that arrived last is compared, whatever times the rows say.
    """
    repetition = capture.kind.repetition
    if repetition is None:
        return None
    looked_for: list[ColumnValue] = [user_email]
    if repetition.about is not None:
        about = about_of(capture)
        if about is None:
            return None
        looked_for.append(about)
    since = (
        ()
        if repetition.within_seconds is None
        else (earlier(capture.happened_at, repetition.within_seconds),)
    )
    statement = _repeated_row_statement(capture.kind)
    repeated = connection.execute(statement, (*looked_for, *since, *capture.values)).fetchone()
    if repeated is None or (
        capture.is_confirmed and not _may_confirm(connection, capture, repeated[0], user_email)
    ):
        return None
    if repetition.touches_updated_at and _may_move(connection, capture, repeated[0], user_email):
        update = f"UPDATE {capture.kind.table} SET updated_at = max(updated_at, ?) WHERE id = ?"  # noqa: S608
        connection.execute(update, (capture.happened_at, repeated[0]))
    return int(repeated[0])


def _may_move(
    connection: sqlite3.Connection, capture: Capture, row_id: int, user_email: str
) -> bool:
    """Whether a capture may say that a row still holds: a claim says nothing of a confirmed one."""
    return capture.is_confirmed or not is_confirmed(
        connection, capture.kind.name, row_id, user_email
    )


def _may_confirm(
    connection: sqlite3.Connection, capture: Capture, row_id: int, user_email: str
) -> bool:
    """Whether a confirmed capture may repeat a row: it must not confirm what a claim says and it leaves out."""
    return is_confirmed(connection, capture.kind.name, row_id, user_email) or _is_exactly(
        connection, capture, row_id, user_email
    )


def _is_exactly(
    connection: sqlite3.Connection, capture: Capture, row_id: int, user_email: str
) -> bool:
    """Whether a row has what the capture says in every column, and nothing where it says nothing."""
    statement = _exact_row_statement(capture.kind)
    return (
        connection.execute(statement, (row_id, user_email, *capture.values)).fetchone() is not None
    )


# Table and column names below come from the table of kinds alone, never from a request.


@cache
def insert_statement(kind: Kind) -> str:
    """What inserts a row of this kind."""
    columns = ("user_email", *(one.column for one in kind.fields), *_origin_columns(kind))
    return (
        f"INSERT INTO {kind.table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
    )


def _origin_columns(kind: Kind) -> tuple[str, ...]:
    """The columns that say where and when a row comes from."""
    return ("ip_address", "user_agent", *kind.time_columns)


@cache
def _confirm_statement(kind: Kind) -> str:
    return f"UPDATE {kind.table} SET {', '.join(f'{column} = ?' for column in _origin_columns(kind))} WHERE id = ?"  # noqa: S608


@cache
def _repeated_row_statement(kind: Kind) -> str:
    repetition = kind.repetition
    assert repetition is not None
    about = f"AND {repetition.about} = ?" if repetition.about is not None else ""
    since = "created_at >= ? AND " if repetition.within_seconds is not None else ""
    # What is left out is compared as if it were what the row has. A column's affinity makes '99.80' equal 99.8.
    said = "coalesce(?, {0}) IS {0}" if repetition.ignores_omitted_fields else "{0} IS ?"
    return f"""
        SELECT id
        FROM (SELECT * FROM {kind.table} WHERE user_email = ? {about} ORDER BY id DESC LIMIT 1)
        WHERE {since}{" AND ".join(said.format(one.column) for one in kind.fields)}
    """  # noqa: S608


@cache
def _exact_row_statement(kind: Kind) -> str:
    same = " AND ".join(f"{one.column} IS ?" for one in kind.fields)
    return f"SELECT 1 FROM {kind.table} WHERE id = ? AND user_email = ? AND {same}"  # noqa: S608
