"""Find where a capture belongs: to a new row, or to one that it repeats or completes."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from data_capture.audit import AuditRecord
from data_capture.capture.parse import Capture
from data_capture.json_codec import encode_json
from data_capture.store.sqlite.capture_rows import find_repeated_row, set_row_origin
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.growth import grow_row
from data_capture.store.sqlite.keys import ReceiptKey
from data_capture.store.sqlite.partial import complete_partial
from data_capture.store.sqlite.payment_comparison import PAYMENT
from data_capture.store.sqlite.payment_facts import confirm_facts
from data_capture.store.sqlite.payment_updates import as_update, find_settled_row
from data_capture.store.sqlite.payments import PaymentMatch, match_payment
from data_capture.store.sqlite.receipts import (
    COMPLETED,
    STORED,
    UNCHANGED,
    UPDATED,
    is_content_recorded,
    is_row_confirmed,
)
from data_capture.store.sqlite.target_rows import change_row, take_number

CONFIRMATION = "confirmation"
"""The `capture_type` of the audit record that says that a claimed row was confirmed."""


class Placement(NamedTuple):
    """Where a capture belongs, and what is to be written beside its row and its receipt.

    Attributes:
        capture: the capture, with the values of its row.
        row_id: the existing row; None: it adds a row.
        outcome: for its receipt.
        content_digest: for its receipt; None if an earlier receipt of the row has it.
        records: the audit records.
        copied_bytes: for its receipt.
    """

    capture: Capture
    row_id: int | None
    outcome: str
    content_digest: bytes | None
    records: list[AuditRecord]
    copied_bytes: int = 0


def place_capture(connection: StoreConnection, capture: Capture, stored_email: str) -> Placement:
    """Find the row of a capture, complete and confirm it, and return what is left to write.

    A partial update is laid over the user's latest state first.
    """
    digest = content_digest_of(capture, connection.receipt_key)
    if capture.target_row is not None:
        capture = take_number(connection, capture, stored_email)
    if capture.target_row is not None:
        is_changed = change_row(connection, capture, stored_email)
        match = PaymentMatch(capture, capture.target_row, is_changed)
        return _place_on_row(connection, match, stored_email, digest)
    if capture.kind is PAYMENT:
        settled = find_settled_row(connection, capture, stored_email)
        if settled is not None:
            return _place_on_row(connection, PaymentMatch(*settled), stored_email, digest)
        capture = as_update(connection, capture, stored_email)
    capture, copied_bytes = complete_partial(connection, capture, stored_email)
    match = PaymentMatch(capture, find_repeated_row(connection, capture, stored_email, digest))
    if match.row_id is None and capture.kind is PAYMENT:
        match = match_payment(connection, capture, stored_email, digest)
    if match.row_id is None:
        grown = grow_row(connection, capture, stored_email)
        match = match if grown is None else PaymentMatch(capture, *grown)
    if match.row_id is None:
        return new_row_placement(match.capture, stored_email, digest, copied_bytes)
    return _place_on_row(connection, match, stored_email, digest)


def _place_on_row(
    connection: sqlite3.Connection,
    match: PaymentMatch,
    stored_email: str,
    digest: bytes | None,
) -> Placement:
    """Confirm the row that a capture repeats or completes, and return what is left to write."""
    capture, row_id, is_completed = match
    assert row_id is not None
    is_new = is_completed or has_new_content(connection, capture, row_id, stored_email, digest)
    outcome = COMPLETED if is_completed else UPDATED if is_new else UNCHANGED
    records = confirm_repeated_row(connection, capture, row_id, stored_email, is_new=is_new)
    return Placement(capture, row_id, outcome, digest if is_new else None, records)


def new_row_placement(
    capture: Capture, stored_email: str, content_digest: bytes | None, copied_bytes: int = 0
) -> Placement:
    """Return the placement of a capture that adds a row."""
    records = [make_audit_record(capture, stored_email)]
    return Placement(capture, None, STORED, content_digest, records, copied_bytes)


def content_digest_of(capture: Capture, key: ReceiptKey) -> bytes | None:
    """Return the keyed digest of a capture's content.

    Returns None if no capture can repeat it.
    """
    return None if capture.kind.repetition is None else key.content_digest(capture.content_digest)


def has_new_content(
    connection: sqlite3.Connection,
    capture: Capture,
    row_id: int,
    stored_email: str,
    content_digest: bytes | None,
) -> bool:
    """Return whether a repetition has content that no audit record of the row has.

    Such content is in fields without a column.
    """
    return content_digest is None or not is_content_recorded(
        connection, capture.kind.name, row_id, stored_email, content_digest
    )


def confirm_repeated_row(
    connection: sqlite3.Connection,
    capture: Capture,
    row_id: int,
    stored_email: str,
    *,
    is_new: bool,
) -> list[AuditRecord]:
    """Confirm a repeated row if the capture is confirmed; return audit records.

    One record has the capture's content, if that is new; one says that the row was confirmed.
    """
    records = [make_audit_record(capture, stored_email)] if is_new else []
    if capture.is_confirmed and not is_row_confirmed(
        connection, capture.kind.name, row_id, stored_email
    ):
        records.append(confirm_row(connection, capture, row_id, stored_email))
    return records


def make_audit_record(capture: Capture, stored_email: str) -> AuditRecord:
    """Return the audit record of a stored capture."""
    status, details = "success", None
    if capture.warnings:
        status = "partial"
        details = "; ".join([f"{warning.field} {warning.message}" for warning in capture.warnings])
    return AuditRecord(
        stored_email,
        capture.kind.name,
        capture.snapshot,
        capture.source_endpoint,
        capture.received_at,
        capture.ip_address,
        capture.user_agent,
        status,
        details,
    )


def confirm_row(
    connection: sqlite3.Connection, capture: Capture, row_id: int, stored_email: str
) -> AuditRecord:
    """Give a claim's row the origin of the capture; return the audit record.

    Otherwise a stranger who guessed a payment could date it. The claim's own origin stays in its
    audit record.
    """
    set_row_origin(connection, capture, row_id)
    confirm_facts(connection, capture, row_id, stored_email)
    snapshot = encode_json(
        {"capture_type": capture.kind.name, "row_id": row_id, "capture_id": capture.capture_id}
    )
    return make_audit_record(capture, stored_email)._replace(
        capture_type=CONFIRMATION, snapshot=snapshot, status="success", error_details=None
    )
