"""Store and find the page's own ids of users, records and payments: `page_ids`.

An id that two users have identifies neither: anyone can send a capture, and one service can have
the captures of several sites.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from data_capture.capture.kinds import Kind
from data_capture.capture.page_ids import USER, PageId
from data_capture.capture.parse import Capture
from data_capture.sql.bulk import insert_rows
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.keys import ReceiptKey
from data_capture.store.sqlite.payment_comparison import NUMBER, PAYMENT
from data_capture.store.sqlite.receipts import UNCHANGED

SEVERAL_ROWS = 0
"""The `row_id` of an id that several payments of one user have."""

# The latest row of a payment counts. Two numbers are two payments.
_INSERT = f"""
INSERT INTO page_ids (id_hash, user_email, row_id, created_at)
VALUES {{}}
ON CONFLICT (id_hash, user_email) DO UPDATE
SET row_id = CASE
        WHEN page_ids.row_id = {SEVERAL_ROWS}
          OR (SELECT transaction_id FROM payment_data WHERE id = page_ids.row_id)
             <> (SELECT transaction_id FROM payment_data WHERE id = excluded.row_id)
        THEN {SEVERAL_ROWS} ELSE max(page_ids.row_id, excluded.row_id) END
WHERE page_ids.row_id IS NOT excluded.row_id
"""  # noqa: S608  (a constant)

_FIND = """
SELECT user_email, row_id FROM page_ids
WHERE id_hash = ? AND user_email IN (SELECT email FROM users)
LIMIT 3
"""

_FIND_PAYERS = """
SELECT DISTINCT user_email FROM payment_data WHERE transaction_id = ? LIMIT 3
"""


class Owner(NamedTuple):
    """The user of an id, as spelled in `users.email`, and the payment's row, if it has one."""

    stored_email: str
    row_id: int | None


def store_page_ids(
    connection: StoreConnection, stored: Iterable[tuple[Capture, str, int, str]]
) -> None:
    """Store the ids that captures have made known.

    Args:
        connection: in a write transaction.
        stored: the captures, their users' stored emails, their rows and their outcomes.
    """
    rows: list[tuple[object, ...]] = []
    key = connection.receipt_key
    for capture, stored_email, row_id, outcome in stored:
        # Some pages give each save of a dashboard an id.
        only_user = capture.kind is not PAYMENT and outcome == UNCHANGED
        for page_id in capture.page_ids:
            if only_user and page_id.role != USER:
                continue
            hashed = hash_of(key, capture.kind, page_id)
            row = row_id if capture.kind is PAYMENT and page_id.role != USER else None
            rows.append((hashed, stored_email, row, capture.received_at))
    if rows:
        insert_rows(connection, _INSERT, rows)


def hash_of(key: ReceiptKey, kind: Kind, page_id: PageId) -> bytes:
    """Return the hash of an id: a user's is the same for all kinds."""
    role = page_id.role
    return key.page_id_hash(role if role == USER else f"{kind.name} {role}", page_id.value)


def find_owners(connection: StoreConnection, kind: Kind, page_id: PageId) -> list[Owner]:
    """Find the users, at most 3, of whom a capture had this id."""
    hashed = hash_of(connection.receipt_key, kind, page_id)
    return [Owner(*row) for row in connection.execute(_FIND, (hashed,))]


def find_payers(connection: sqlite3.Connection, number: str) -> list[str]:
    """Find the users, at most 3, who have a payment with this number."""
    return [user for (user,) in connection.execute(_FIND_PAYERS, (number,))]


def number_of_row(connection: sqlite3.Connection, owner: Owner) -> tuple[str | None] | None:
    """Return the number of an id's payment in a tuple; None if the row is gone."""
    statement = f"SELECT {NUMBER} FROM payment_data WHERE id = ? AND user_email = ?"  # noqa: S608
    found: tuple[str | None] | None = connection.execute(
        statement, (owner.row_id, owner.stored_email)
    ).fetchone()
    return found
