"""Which tables hold something of a person, taken from schema.sql: a new one can't be forgotten."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache

from data_capture.sql.pragmas import columns_of
from data_capture.sql.schema_file import open_in_memory
from data_capture.store.sqlite.stored_emails import find_stored_emails, find_stored_emails_in

USERS = "users"
RECEIPTS = "capture_receipts"
AUDIT = "data_capture_audit"

OF_NOBODY = frozenset({"data_capture_audit_chain", "data_capture_erasures"})
"""What is kept beside the audit trail to prove it, and of whom no table says: neither tells anything of a person."""

OF_USER = "user_email = :email"
"""Which rows of a table are of a person, as `users.email` spells the address."""


def spellings_everywhere(connection: sqlite3.Connection, email: str) -> list[str]:
    """Every spelling of an address (normalised) under which something is held: that of `users` first, mostly the only one."""
    found = find_stored_emails(connection, email)
    for table in (*tables_of_users(), RECEIPTS):
        found += find_stored_emails_in(connection, table, email)
    return list(dict.fromkeys(found))


@cache
def tables_of_users() -> tuple[str, ...]:
    """The tables of schema.sql whose rows say in `user_email` whose they are, but for the receipts of the rows in them."""
    with closing(open_in_memory()) as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid"
            )
        ]
        return tuple(
            name
            for name in tables
            if name != RECEIPTS
            and any(column.name == "user_email" for column in columns_of(connection, name))
        )
