"""Receipts that have outlived what they are of, found without keeping anybody from writing.

An orphan is a receipt whose row or user is gone: a hand in the database removed it. One that is spare only says that a
capture added nothing: its capture_id may be forgotten when the retention says so, although its row is kept.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from data_capture.privacy.tables import RECEIPTS, USERS
from data_capture.store import Store
from data_capture.store.sqlite.receipts import HAS_ROW

_RECEIPTS_A_READ = 1000  # takes about a millisecond
_BEFORE_ALL = ("", "")

# The names come from schema.sql and from the table of kinds.
_IS_HELD = f"({HAS_ROW} AND EXISTS (SELECT 1 FROM {USERS} WHERE email = {RECEIPTS}.user_email))"  # noqa: S608

IS_SPARE = "(outcome = 'unchanged' AND content_digest IS NULL AND confirmed = 0)"
"""Which receipts are spare."""

_PAGE = f"""
SELECT capture_id, user_email, capture_type, NOT {_IS_HELD}, {IS_SPARE}, created_at
FROM {RECEIPTS}
WHERE (capture_id, user_email) > (?, ?)
ORDER BY capture_id, user_email
LIMIT {_RECEIPTS_A_READ}
"""  # noqa: S608

_DELETE = f"DELETE FROM {RECEIPTS} WHERE capture_id = ? AND user_email = ?"  # noqa: S608

_Id = tuple[str, str]


def purge_orphans(store: Store) -> int:
    """Deletes receipts whose row or user is gone, and returns how many there were.

    Raises:
        Problem: 503, when the database can't be used; what was done by then is.
    """
    number = 0
    for page in _pages(store):
        orphans = [(row[0], row[1]) for row in page if row[3]]
        number += _delete(
            store, orphans, f"{_DELETE} AND NOT {_IS_HELD}"
        )  # a user may have come back meanwhile
    return number


def delete_spare(store: Store, before: Mapping[str, str]) -> Counter[str]:
    """Deletes spare receipts that are old, and returns how many there were of each kind.

    Args:
        store: the database.
        before: for each kind the time before which a receipt is old.

    Raises:
        Problem: as `purge_orphans`.
    """
    deleted: Counter[str] = Counter()
    for page in _pages(store):
        for kind, since in before.items():
            old = [(row[0], row[1]) for row in page if row[2] == kind and row[4] and row[5] < since]
            deleted[kind] += _delete(store, old, f"{_DELETE} AND {IS_SPARE}")
    return deleted


def _pages(store: Store) -> Iterator[list[tuple[Any, ...]]]:
    after = _BEFORE_ALL
    while page := store.read(
        lambda connection, after=after: connection.execute(_PAGE, after).fetchall()  # type: ignore[misc]
    ):
        yield page
        after = page[-1][:2]


def _delete(store: Store, ids: list[_Id], delete: str) -> int:
    def work(connection: sqlite3.Connection) -> int:
        return connection.executemany(delete, ids).rowcount

    return store.write(work) if ids else 0
