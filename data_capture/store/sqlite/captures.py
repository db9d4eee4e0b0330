"""Store a capture: its row, its audit record and its receipt, inside one transaction."""

from __future__ import annotations

import sqlite3

from data_capture.audit import record_audits
from data_capture.capture.parse import Capture
from data_capture.store.sqlite.capture_rows import (
    equals_row,
    identify_subject,
    insert_row,
)
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.late_attribution import attribute_waiting
from data_capture.store.sqlite.page_ids import store_page_ids
from data_capture.store.sqlite.payment_events import attach_events
from data_capture.store.sqlite.placement import confirm_row, place_capture
from data_capture.store.sqlite.receipts import (
    INSERT_RECEIPT,
    FoundReceipt,
    Receipt,
    belongs_to,
    find_receipt,
    is_row_confirmed,
    receipt_values,
    replay_receipt,
)
from data_capture.store.sqlite.stored_emails import find_stored_email
from data_capture.store.sqlite.targeted_captures import record_targeted
from data_capture.store.sqlite.tombstones import reject_erased_capture
from data_capture.store.sqlite.users import add_user

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
    if capture.target is not None:
        return record_targeted(connection, capture, _record_of_user)
    return _record_of_user(connection, capture)


def _record_of_user(connection: StoreConnection, capture: Capture) -> Receipt:
    """Store a capture whose user is known."""
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
    placement = place_capture(connection, capture, stored_email)
    row_id, outcome = placement.row_id, placement.outcome
    if row_id is None:
        row_id = insert_row(connection, placement.capture, stored_email)
    if placement.records:
        record_audits(connection, placement.records)
    values = receipt_values(key, capture, stored_email, row_id, outcome, placement.content_digest)
    connection.execute(INSERT_RECEIPT, values)
    attach_events(connection, [(placement.capture, row_id)])
    if capture.page_ids:
        store_page_ids(connection, [(capture, stored_email, row_id, outcome)])
        attribute_waiting(connection, [capture], _record_of_user)
    return Receipt(row_id, outcome, replayed=False, copied_bytes=placement.copied_bytes)


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
        record_audits(connection, [confirm_row(connection, capture, found.row_id, stored_email)])
    connection.execute(_CONFIRM_RECEIPT, (capture.capture_id, stored_email))
    return Receipt(found.row_id, found.outcome, replayed=True)
