"""List the tables with users' data, from schema.sql: no table can be forgotten."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache

from data_capture.settings import REPOSITORY
from data_capture.sql.pragmas import columns_of
from data_capture.store.sqlite.stored_emails import (
    find_all_stored_emails,
    find_stored_emails_in,
)

USERS = "users"
RECEIPTS = "capture_receipts"
AUDIT = "data_capture_audit"
PAYMENT_EVENTS = "payment_events"
UNATTRIBUTED = "unattributed_captures"
EVENT_NUMBERS = "payment_event_numbers"
"""Has no column for the user: its rows are deleted with those of `payment_events`."""

TABLES_WITHOUT_USER_DATA = frozenset(
    {"data_capture_audit_chain", "data_capture_erasures", EVENT_NUMBERS}
)
"""Tables of hashes and times, and of numbers that are deleted with the user's rows.

Without the keys, nobody can tell which users the hashes concern.
"""

IS_OF_USER = "user_email = :email"
"""SQL condition for the rows of a user, with the address as spelled in `users.email`."""


def find_spellings(connection: sqlite3.Connection, email: str) -> list[str]:
    """Return every spelling of an address in the database; usually there is only one.

    Args:
        connection: a connection to read from.
        email: the address, normalised.

    Returns:
        The spellings, those in `users` first.
    """
    found = find_all_stored_emails(connection, email)
    for table in (*list_user_tables(), RECEIPTS):
        found += find_stored_emails_in(connection, table, email)
    return list(dict.fromkeys(found))


@cache
def list_user_tables() -> tuple[str, ...]:
    """Return the tables of schema.sql with a column `user_email`, except receipts.

    Receipts are treated separately, because they belong to the rows of these tables.
    """
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript((REPOSITORY / "schema.sql").read_text(encoding="utf-8"))
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid"
        ).fetchall()
        return tuple(
            name
            for (name,) in tables
            if name != RECEIPTS
            and any(column.name == "user_email" for column in columns_of(connection, name))
        )
