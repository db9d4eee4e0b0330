"""Add the facts of payments that have none, and delete facts and events without a payment.

A payment without facts was written by an earlier version or by hand. Some hundred rows are done per
commit, so that other writes go on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from data_capture.capture.timestamps import timestamp
from data_capture.store import Store
from data_capture.store.sqlite.payment_facts import (
    INSERT_FACTS,
    ROW_COLUMNS,
    values_of_row,
)

_ROWS_PER_COMMIT = 500

_SELECT_WITHOUT_FACTS = f"""
SELECT {ROW_COLUMNS}
FROM payment_data AS payment
WHERE payment.id > ? AND typeof(payment.id) = 'integer'
  AND NOT EXISTS (SELECT 1 FROM payment_facts
                  WHERE payment_id = payment.id AND user_email = payment.user_email)
ORDER BY payment.id
LIMIT {_ROWS_PER_COMMIT}
"""  # noqa: S608

_DELETE_ORPHANED = f"""
DELETE FROM payment_facts
WHERE payment_id IN (SELECT payment_id
                     FROM payment_facts AS facts
                     WHERE NOT EXISTS (SELECT 1 FROM payment_data AS payment
                                       WHERE payment.id = facts.payment_id
                                         AND payment.user_email = facts.user_email)
                     LIMIT {_ROWS_PER_COMMIT})
"""  # noqa: S608


EVENT_DAYS = 90
"""How long an event without a payment is kept. Pages keep unsent captures for days."""

_DELETE_STALE_EVENTS = """
DELETE FROM payment_events
WHERE (payment_id IS NULL AND received_at < ?)
   OR (payment_id IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM payment_data WHERE id = payment_events.payment_id))
"""


class FactsBackfill:
    """Add the facts of payments that have none.

    Ids only grow, so that a pass begins behind the last payment of the one before; `restart` begins
    with the first again.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last_id = 0

    def restart(self) -> None:
        """Begin the next pass with the first payment."""
        self._last_id = 0

    def run(self, is_due: Callable[[], bool] = lambda: False) -> int:
        """Add facts until all payments have them, and return the number of payments.

        Args:
            is_due: whether to stop after a commit; the next call continues.

        Raises:
            Problem: 503 if the database cannot be used. Earlier facts are committed.
        """
        number, last_id = 0, self._store.read(_read_last_id)
        while self._store.read(self._select_some):
            number += self._store.write(self._add_some)
            if is_due():
                return number
        self._last_id = max(self._last_id, last_id)
        return number

    def _select_some(self, connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
        return connection.execute(_SELECT_WITHOUT_FACTS, (self._last_id,)).fetchall()

    def _add_some(self, connection: sqlite3.Connection) -> int:
        rows = self._select_some(connection)
        connection.executemany(INSERT_FACTS, [values_of_row(*row) for row in rows])
        if rows:
            self._last_id = rows[-1][0]
        return len(rows)


def delete_orphaned_facts(store: Store) -> int:
    """Delete facts whose payment was deleted by hand, and return their number.

    Raises:
        Problem: 503 if the database cannot be used. Earlier deletions are committed.
    """
    number = 0
    while deleted := store.write(
        lambda connection: connection.execute(_DELETE_ORPHANED).rowcount  # one page of them
    ):
        number += deleted
    return number


def delete_stale_events(store: Store, now: datetime, payment_days: int | None) -> int:
    """Delete events that found no payment, and those whose payment was deleted by hand.

    Args:
        store: the database.
        now: the server's time.
        payment_days: the retention period of payments; a longer one than EVENT_DAYS, or None, makes
            no difference.

    Raises:
        Problem: 503 if the database cannot be used.
    """
    days = EVENT_DAYS if payment_days is None else min(EVENT_DAYS, payment_days)
    before = timestamp(now - timedelta(days=days))
    return store.write(
        lambda connection: connection.execute(_DELETE_STALE_EVENTS, (before,)).rowcount
    )


def _read_last_id(connection: sqlite3.Connection) -> int:
    (last_id,) = connection.execute("SELECT max(id) FROM payment_data").fetchone()
    return last_id if isinstance(last_id, int) else 0
