"""Lay an update over the payment's row that its target names: see `target_resolution.py`.

A payment with a number gets the update as its next state. The row of one without a number is
changed, since a second row would be a second payment.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from data_capture.capture.parse import Capture
from data_capture.store.sqlite.page_ids import Owner, number_of_row
from data_capture.store.sqlite.partial import complete_facts_of_update
from data_capture.store.sqlite.payment_comparison import COLUMNS, NUMBER, STATUS, values_of
from data_capture.store.sqlite.payment_facts import find_facts_of, insert_facts
from data_capture.store.sqlite.payment_updates import keeps_status, without_status
from data_capture.store.sqlite.receipts import is_row_confirmed

_MAY_CHANGE = tuple(column for column in COLUMNS if column not in ("user_id", "user_name"))


def take_number(connection: sqlite3.Connection, capture: Capture, stored_email: str) -> Capture:
    """Give an update the number of its row; without one, return it unchanged."""
    found = number_of_row(connection, Owner(stored_email, capture.target_row))
    if found is None or found[0] is None:
        return capture
    values = {**values_of(capture), NUMBER: found[0]}
    return capture._replace(values=tuple(values.values()), target_row=None)


def change_row(connection: sqlite3.Connection, capture: Capture, stored_email: str) -> bool:
    """Change the row of a payment without a number; return whether its columns have changed.

    A claim changes no confirmed row.
    """
    row_id = capture.target_row
    assert row_id is not None
    if not capture.is_confirmed and is_payment_confirmed(connection, row_id, stored_email):
        return False
    select = f"SELECT {', '.join(COLUMNS)} FROM payment_data WHERE id = ?"  # noqa: S608
    stored = dict(zip(COLUMNS, connection.execute(select, (row_id,)).fetchone(), strict=True))
    if keeps_status(capture, stored[STATUS]):
        capture = without_status(capture)
    new: dict[str, Any] = {
        column: value
        for column, value in values_of(capture).items()
        if value is not None and column in _MAY_CHANGE and str(value) != str(stored[column])
    }
    if capture.facts is not None:
        facts = complete_facts_of_update(connection, capture, capture.facts, row_id, stored_email)
        insert_facts(connection, capture._replace(facts=facts), row_id, stored_email)
    if not new:
        return False
    # The names come from the table of kinds.
    assignments = ", ".join(f"{column} = ?" for column in new)
    update = f"UPDATE payment_data SET {assignments}, updated_at = max(updated_at, ?) WHERE id = ?"  # noqa: S608
    connection.execute(update, (*new.values(), capture.happened_at, row_id))
    return True


def is_payment_confirmed(connection: sqlite3.Connection, row_id: int, stored_email: str) -> bool:
    """Return whether a token or a provider's event has confirmed a payment's row."""
    facts = find_facts_of(connection, row_id, stored_email)
    if facts is not None and facts.confirmed_at is not None:
        return True
    return is_row_confirmed(connection, "payment", row_id, stored_email)
