"""Write and find receipts: the first response to each capture_id of a user.

A receipt also records which content of a row is in the audit trail, and whether the row is
confirmed. The digests in receipts are keyed (`keys.ReceiptKey`).
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Capture
from data_capture.problems import UNUSABLE, FieldError, Problem
from data_capture.store.sqlite.keys import ReceiptKey

STORED = "stored"
COMPLETED = "completed"
UPDATED = "updated"
UNCHANGED = "unchanged"
UNATTRIBUTED = "unattributed"

_ROW_EXISTS = " ".join(
    f"WHEN '{kind.name}' THEN EXISTS (SELECT 1 FROM {kind.table} AS row "  # noqa: S608
    "WHERE row.id = capture_receipts.row_id AND row.user_email = capture_receipts.user_email)"
    for kind in KINDS.values()
)

# The names come from the table of kinds.
HAS_ROW = f"CASE capture_type {_ROW_EXISTS} ELSE 0 END"
"""Whether a receipt's row exists. A receipt whose row was deleted by hand does not count."""

FIND_RECEIPTS = f"""
WITH looked_for (user, id) AS (VALUES {{}})
SELECT user_email, capture_id, row_id, outcome, payload_digest, capture_type, key_id, confirmed
FROM looked_for CROSS JOIN capture_receipts
     ON capture_id = looked_for.id AND user_email = looked_for.user
WHERE {HAS_ROW}
"""  # noqa: S608
"""Selects the receipts of pairs of a user's address and a capture_id, for `select_matching`."""

_FIND_RECEIPT = f"""
SELECT row_id, outcome, payload_digest, capture_type, key_id, confirmed
FROM capture_receipts
WHERE capture_id = ? AND user_email = ? AND {HAS_ROW}
"""  # noqa: S608

# OR REPLACE: a receipt whose row was deleted is replaced.
INSERT_RECEIPTS = """
INSERT OR REPLACE INTO capture_receipts
    (user_email, capture_id, capture_type, row_id, outcome, payload_digest, content_digest, key_id,
     confirmed, created_at)
VALUES {}
"""
INSERT_RECEIPT = INSERT_RECEIPTS.format("(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")

_FIND_CONTENT = """
SELECT 1
FROM capture_receipts
WHERE row_id = ? AND content_digest = ? AND capture_type = ? AND user_email = ?
LIMIT 1
"""

_FIND_CONFIRMED = """
SELECT 1
FROM capture_receipts
WHERE confirmed = 1 AND user_email = ? AND capture_type = ? AND row_id = ?
LIMIT 1
"""


class Receipt(NamedTuple):
    """Describe the result of a capture.

    `outcome` is STORED if the capture added a row, and COMPLETED if it filled columns of a row. If
    it repeats the columns of a row, it is UPDATED if an audit record with its other content was
    added, and UNCHANGED otherwise. UNATTRIBUTED: it is in `unattributed_captures`, under `row_id`.
    `replayed` is true if the same capture was stored before and this time added nothing.
    """

    row_id: int
    outcome: str
    replayed: bool
    copied_bytes: int = 0
    """The size of what a partial update left out and its row contains nevertheless."""


class FoundReceipt(NamedTuple):
    """Hold the columns of a receipt that is in the database."""

    row_id: int
    outcome: str
    payload_digest: bytes
    capture_type: str
    key_id: bytes | None
    confirmed: int


def find_receipt(
    connection: sqlite3.Connection, stored_email: str, capture_id: str
) -> FoundReceipt | None:
    """Find the receipt of a user's capture_id, or None.

    The address is spelled as in `users.email`.
    """
    found = connection.execute(_FIND_RECEIPT, (capture_id, stored_email)).fetchone()
    return None if found is None else FoundReceipt(*found)


def belongs_to(found: FoundReceipt, capture: Capture, key: ReceiptKey) -> bool:
    """Return whether a receipt belongs to this capture.

    Another capture may have its capture_id.

    A receipt made with another key can't be compared and is believed.
    """
    if found.capture_type != capture.kind.name:
        return False
    if found.key_id != key.key_id:
        return True
    return found.payload_digest == key.payload_digest(capture.digest)


def replay_receipt(found: FoundReceipt, capture: Capture, key: ReceiptKey) -> Receipt:
    """Return the receipt of a capture that was stored before.

    Raises:
        Problem: 422, the capture_id belongs to a different capture.
    """
    if not belongs_to(found, capture, key):
        message = "was used before, for a different capture"
        raise Problem(
            UNUSABLE, f"The capture_id {message}.", errors=[FieldError("capture_id", message)]
        )
    return Receipt(found.row_id, found.outcome, replayed=True)


def as_found(receipt: Receipt, capture: Capture, key: ReceiptKey) -> FoundReceipt:
    """Return a new receipt in the form in which `find_receipt` will return it."""
    return FoundReceipt(
        receipt.row_id,
        receipt.outcome,
        key.payload_digest(capture.digest),
        capture.kind.name,
        key.key_id,
        int(capture.is_confirmed),
    )


def receipt_values(
    key: ReceiptKey,
    capture: Capture,
    stored_email: str,
    row_id: int,
    outcome: str,
    content_digest: bytes | None,
) -> tuple[object, ...]:
    """Return the values of `INSERT_RECEIPT` for a capture.

    Args:
        key: of the receipts.
        capture: the capture.
        stored_email: its user's address, spelled as in `users.email`.
        row_id: the row that it made or repeats.
        outcome: STORED, COMPLETED, UPDATED or UNCHANGED.
        content_digest: of its content, or None if an earlier receipt of the row has the same.
    """
    return (
        stored_email,
        capture.capture_id,
        capture.kind.name,
        row_id,
        outcome,
        key.payload_digest(capture.digest),
        content_digest,
        key.key_id,
        int(capture.is_confirmed),
        capture.received_at,
    )


def is_content_recorded(
    connection: sqlite3.Connection,
    capture_type: str,
    row_id: int,
    stored_email: str,
    content_digest: bytes,
) -> bool:
    """Return whether the audit trail already has this content of the row."""
    values = (row_id, content_digest, capture_type, stored_email)
    return connection.execute(_FIND_CONTENT, values).fetchone() is not None


def is_row_confirmed(
    connection: sqlite3.Connection, capture_type: str, row_id: int, stored_email: str
) -> bool:
    """Return whether a confirmed capture made or repeated the row."""
    values = (stored_email, capture_type, row_id)
    return connection.execute(_FIND_CONFIRMED, values).fetchone() is not None
