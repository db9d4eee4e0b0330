"""Count and delete captures that are kept without a user, and ids of deleted payments."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta

from data_capture.capture.kinds import KINDS
from data_capture.capture.timestamps import timestamp
from data_capture.store import Store

UNATTRIBUTED_DAYS = 90
"""How long they are kept. EDC_RETENTION_DAYS can make it shorter."""

_COUNT = "SELECT count(*) FROM unattributed_captures WHERE attributed_at IS NULL"
_DELETE = "DELETE FROM unattributed_captures WHERE capture_type = ? AND received_at < ?"
_CLEAR = "UPDATE unattributed_captures SET {0} = NULL WHERE {0} IS NOT NULL AND received_at < ?"
_IDS_PER_DELETE = 500
_FIND_ORPHANED_IDS = """
SELECT id_hash, user_email FROM page_ids
WHERE row_id > 0 AND NOT EXISTS (SELECT 1 FROM payment_data WHERE id = page_ids.row_id)
"""
_DELETE_ID = "DELETE FROM page_ids WHERE id_hash = ? AND user_email = ?"
_COLUMNS = ("ip_address", "user_agent")  # have periods of their own


def count_unattributed(store: Store) -> int:
    """Return the number of captures whose user is still not known.

    Raises:
        Problem: 503 if the database cannot be read.
    """
    return int(store.read(lambda connection: connection.execute(_COUNT).fetchone()[0]))


def delete_old_unattributed(store: Store, now: datetime, days: Mapping[str, int]) -> int:
    """Delete old captures and clear old columns; return the number of deleted captures.

    Args:
        store: the database.
        now: the server's time.
        days: the periods of EDC_RETENTION_DAYS.

    Raises:
        Problem: 503 if the database cannot be written.
    """

    def before(name: str, at_most: int | None) -> str:
        periods = [*filter(None, (days.get(name), at_most))]
        return timestamp(now - timedelta(days=min(periods)))

    def work(connection: sqlite3.Connection) -> int:
        deleted = sum(
            connection.execute(_DELETE, (kind, before(kind, UNATTRIBUTED_DAYS))).rowcount
            for kind in KINDS
        )
        for column in _COLUMNS:
            if column in days:
                connection.execute(_CLEAR.format(column), (before(column, None),))
        return deleted

    return store.write(work)


def delete_orphaned_ids(store: Store) -> None:
    """Delete the ids of payments whose rows are gone.

    Raises:
        Problem: 503 if the database cannot be written. Earlier deletions are committed.
    """
    keys = store.read(lambda connection: connection.execute(_FIND_ORPHANED_IDS).fetchall())
    for start in range(0, len(keys), _IDS_PER_DELETE):
        page = keys[start : start + _IDS_PER_DELETE]
        store.write(lambda connection, page=page: connection.executemany(_DELETE_ID, page).rowcount)  # type: ignore[misc]
