"""Store a capture: its row, its audit record and its receipt, inside one transaction."""

from __future__ import annotations

import sqlite3

from data_capture.audit import AuditRecord, record_audits
from data_capture.capture.parse import Capture
from data_capture.json_codec import encode_json
from data_capture.store.sqlite.capture_rows import (
    equals_row,
    find_repeated_row,
    identify_subject,
    insert_row,
    set_row_origin,
    subject_of,
)
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.keys import ReceiptKey
from data_capture.store.sqlite.payment_facts import confirm_facts
from data_capture.store.sqlite.receipts import (
    INSERT_RECEIPT,
    STORED,
    UNCHANGED,
    UPDATED,
    FoundReceipt,
    Receipt,
    belongs_to,
    find_receipt,
    is_content_recorded,
    is_row_confirmed,
    receipt_values,
    replay_receipt,
)
from data_capture.store.sqlite.stored_emails import find_stored_email
from data_capture.store.sqlite.tombstones import reject_erased_capture
from data_capture.store.sqlite.users import add_user

CONFIRMATION = "confirmation"
"""The `capture_type` of the audit record that says that a claimed row was confirmed."""

_DELETE_RECEIPT = "DELETE FROM capture_receipts WHERE capture_id = ? AND user_email = ?"

_CONFIRM_RECEIPT = (
    "UPDATE capture_receipts SET confirmed = 1 WHERE capture_id = ? AND user_email = ?"
)


class RecordCapture:
    """Store one capture as a write job.

    `bulk.record_captures` can do many of them together.
    """

    __slots__ = ("capture",)

    def __init__(self, capture: Capture) -> None:
        self.capture = capture

    def __call__(self, connection: StoreConnection) -> Receipt:
        """Do what `record_capture` does."""
        return record_capture(connection, self.capture)


def record_capture(connection: StoreConnection, capture: Capture) -> Receipt:
    """Store a capture once; if it was stored before, return its receipt.

    Raises:
        Problem: nothing was written. 422, the user's capture_id belongs to another capture; 410,
            the capture predates the user's erasure; for a new user, what `Capture.admission`
            raises.
    """
    key = connection.receipt_key
    capture = identify_subject(capture, key)
    stored_email = find_stored_email(connection, capture.user_email)
    if stored_email is not None:
        found = find_receipt(connection, stored_email, capture.capture_id)
        if found is not None and overrides_receipt(capture, found):
            confirmed = _confirm_claim(connection, capture, stored_email, found)
            if confirmed is not None:
                return confirmed
        elif found is not None:
            return replay_receipt(found, capture, key)
    reject_erased_capture(connection, capture)
    if stored_email is None:
        stored_email = add_capture_user(connection, capture)
    content_digest = content_digest_of(capture, key)
    row_id = find_repeated_row(connection, capture, stored_email, content_digest)
    if row_id is None:
        row_id, outcome = insert_row(connection, capture, stored_email), STORED
        records = [make_audit_record(capture, stored_email)]
    else:
        is_new = has_new_content(connection, capture, row_id, stored_email, content_digest)
        outcome = UPDATED if is_new else UNCHANGED
        records = confirm_repeated_row(connection, capture, row_id, stored_email, is_new=is_new)
        content_digest = content_digest if is_new else None
    if records:
        record_audits(connection, records)
    values = receipt_values(key, capture, stored_email, row_id, outcome, content_digest)
    connection.execute(INSERT_RECEIPT, values)
    return Receipt(row_id, outcome, replayed=False)


def overrides_receipt(capture: Capture, found: FoundReceipt) -> bool:
    """Return whether a capture is not bound by the receipt of its capture_id.

    A claim must not keep a confirmed capture out.
    """
    return capture.is_confirmed and not found.confirmed


def add_capture_user(connection: sqlite3.Connection, capture: Capture) -> str:
    """Add the new user of a capture; return the address as spelled in `users.email`.

    Raises:
        Problem: the user may not be added, or the table rejects the row.
    """
    if capture.admission is not None:
        capture.admission.check()
    return add_user(connection, capture.user_email, capture.user_name, capture.received_at)


def content_digest_of(capture: Capture, key: ReceiptKey) -> bytes | None:
    """Return the keyed digest of a capture's content.

    Returns None if no capture can repeat it.
    """
    repetition = capture.kind.repetition
    if repetition is None or (repetition.about is not None and subject_of(capture) is None):
        return None
    return key.content_digest(capture.content_digest)


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
        records.append(_confirm_row(connection, capture, row_id, stored_email))
    return records


def make_audit_record(capture: Capture, stored_email: str) -> AuditRecord:
    """Return the audit record of a stored capture."""
    return AuditRecord(
        stored_email,
        capture.kind.name,
        capture.snapshot,
        capture.source_endpoint,
        capture.received_at,
        capture.ip_address,
        capture.user_agent,
        "partial" if capture.warnings else "success",
        "; ".join(f"{warning.field} {warning.message}" for warning in capture.warnings) or None,
    )


def _confirm_claim(
    connection: StoreConnection, capture: Capture, stored_email: str, found: FoundReceipt
) -> Receipt | None:
    """Confirm the claim with the same capture_id, if its row equals the capture.

    If it differs, delete the claim's receipt and return None: the capture is stored as the first
    of its capture_id.
    """
    if not belongs_to(found, capture, connection.receipt_key) or not equals_row(
        connection, capture, found.row_id, stored_email
    ):
        reject_erased_capture(connection, capture)
        connection.execute(_DELETE_RECEIPT, (capture.capture_id, stored_email))
        return None
    if not is_row_confirmed(connection, capture.kind.name, found.row_id, stored_email):
        record_audits(connection, [_confirm_row(connection, capture, found.row_id, stored_email)])
    connection.execute(_CONFIRM_RECEIPT, (capture.capture_id, stored_email))
    return Receipt(found.row_id, found.outcome, replayed=True)


def _confirm_row(
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
