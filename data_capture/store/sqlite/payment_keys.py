"""Find the row of a payment by the `idempotency_key` that pages send with each part of it."""

from __future__ import annotations

import sqlite3

from data_capture.capture.page_ids import IDEMPOTENCY
from data_capture.capture.parse import Capture
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.page_ids import hash_of

KEY_SECONDS = 24 * 3600
"""How long a key names one payment, as with payment providers."""

_FIND = """
SELECT row_id FROM page_ids
WHERE id_hash = ? AND user_email = ? AND row_id > 0
"""


def has_key(capture: Capture) -> bool:
    """Tell whether a capture has an idempotency key in its data."""
    return any(one.role == IDEMPOTENCY for one in capture.page_ids)


def find_row_by_key(
    connection: sqlite3.Connection, capture: Capture, stored_email: str
) -> int | None:
    """Return the row of the user's payment with the key of a capture, or None."""
    for page_id in capture.page_ids:
        if page_id.role == IDEMPOTENCY:
            assert isinstance(connection, StoreConnection)
            hashed = hash_of(connection.receipt_key, capture.kind, page_id)
            found = connection.execute(_FIND, (hashed, stored_email)).fetchone()
            if found is not None:
                return int(found[0])
    return None
