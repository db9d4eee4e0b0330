"""Delete orphaned and redundant receipts, in pages, so that other writes go on.

An orphaned receipt has lost its row or its user, which was deleted with SQL. A redundant receipt
only says that a capture added nothing. Retention may delete it although its row stays.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from data_capture.privacy.tables import RECEIPTS, USERS
from data_capture.store import Store
from data_capture.store.sqlite.receipts import HAS_ROW

_RECEIPTS_PER_READ = 1000  # takes about a millisecond
_FIRST_KEY = ("", "")

# The table names come from schema.sql and from the table of kinds.
_IS_NEEDED = f"({HAS_ROW} AND EXISTS (SELECT 1 FROM {USERS} WHERE email = {RECEIPTS}.user_email))"  # noqa: S608

IS_REDUNDANT = "(outcome = 'unchanged' AND content_digest IS NULL AND confirmed = 0)"
"""SQL condition for redundant receipts."""

_SELECT_PAGE = f"""
SELECT capture_id, user_email, capture_type, NOT {_IS_NEEDED}, {IS_REDUNDANT}, created_at
FROM {RECEIPTS}
WHERE (capture_id, user_email) > (?, ?)
ORDER BY capture_id, user_email
LIMIT {_RECEIPTS_PER_READ}
"""  # noqa: S608

_DELETE = f"DELETE FROM {RECEIPTS} WHERE capture_id = ? AND user_email = ?"  # noqa: S608

_Key = tuple[str, str]


def delete_orphaned_receipts(store: Store) -> int:
    """Delete receipts whose row or user is gone, and return their number.

    Raises:
        Problem: 503 if the database cannot be used. Earlier deletions are committed.
    """
    number = 0
    for page in _read_pages(store):
        keys = [(capture_id, user) for capture_id, user, _, is_orphaned, *_ in page if is_orphaned]
        # Checked again: the user may have come back meanwhile.
        number += _delete(store, keys, f"{_DELETE} AND NOT {_IS_NEEDED}")
    return number


def delete_redundant_receipts(store: Store, before: Mapping[str, str]) -> Counter[str]:
    """Delete old redundant receipts, and return their number by kind.

    Args:
        store: the database.
        before: for each kind, the time before which receipts are old.

    Raises:
        Problem: as for `delete_orphaned_receipts`.
    """
    deleted: Counter[str] = Counter()
    for page in _read_pages(store):
        for kind, since in before.items():
            keys = [
                (capture_id, user)
                for capture_id, user, capture_type, _, is_redundant, created_at in page
                if capture_type == kind and is_redundant and created_at < since
            ]
            deleted[kind] += _delete(store, keys, f"{_DELETE} AND {IS_REDUNDANT}")
    return deleted


def _read_pages(store: Store) -> Iterator[list[tuple[Any, ...]]]:
    last_key = _FIRST_KEY
    while page := store.read(
        lambda connection, key=last_key: connection.execute(_SELECT_PAGE, key).fetchall()  # type: ignore[misc]
    ):
        yield page
        last_key = page[-1][:2]


def _delete(store: Store, keys: list[_Key], delete: str) -> int:
    def work(connection: sqlite3.Connection) -> int:
        return connection.executemany(delete, keys).rowcount

    return store.write(work) if keys else 0
