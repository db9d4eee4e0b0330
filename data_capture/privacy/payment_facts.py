"""Add the facts of payments that have none, and delete facts whose payment is gone.

A payment without facts was written by an earlier version or by hand. Some hundred rows are done per
commit, so that other writes go on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from data_capture.capture.payments.facts import PaymentFacts, amount_in_minor_units
from data_capture.capture.payments.statuses import UNKNOWN, normalise_status
from data_capture.store import Store
from data_capture.store.sqlite.payment_facts import INSERT_FACTS, facts_values

_ROWS_PER_COMMIT = 500
_MAX_INTEGER = 2**63 - 1  # of SQLite

# The receipt says when a sender with a token confirmed the payment.
_SELECT_WITHOUT_FACTS = f"""
SELECT payment.id, payment.user_email, payment.payment_status, CAST(payment.final_price AS TEXT),
       (SELECT min(receipt.created_at)
        FROM capture_receipts AS receipt
        WHERE receipt.confirmed = 1 AND receipt.user_email = payment.user_email
          AND receipt.capture_type = 'payment' AND receipt.row_id = payment.id)
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
        connection.executemany(INSERT_FACTS, [_values_of_row(*row) for row in rows])
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


def _read_last_id(connection: sqlite3.Connection) -> int:
    (last_id,) = connection.execute("SELECT max(id) FROM payment_data").fetchone()
    return last_id if isinstance(last_id, int) else 0


def _values_of_row(
    payment_id: int, user_email: str, status: Any, price: str | None, confirmed_at: str | None
) -> tuple[object, ...]:
    """Return the values of `INSERT_FACTS` for a row; its currency is not in the table."""
    known = UNKNOWN if status is None else normalise_status(str(status))
    facts = PaymentFacts(None, known, _read_amount(price))
    return facts_values(facts, payment_id, user_email, confirmed_at)


def _read_amount(price: str | None) -> int | None:
    """Return a price in hundredths; None for what is no price, which was written by hand."""
    try:
        amount = None if price is None else amount_in_minor_units(Decimal(price), None)
    except (InvalidOperation, OverflowError, ValueError):
        return None
    return amount if amount is not None and abs(amount) <= _MAX_INTEGER else None
