"""Which tables hold something of a person, taken from schema.sql: a new one can't be forgotten."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache

from data_capture.settings import REPOSITORY
from data_capture.sql.pragmas import columns_of
from data_capture.store.sqlite.users import spellings_in, spellings_of

USERS = "users"
RECEIPTS = "capture_receipts"
AUDIT = "data_capture_audit"

TABLES_WITHOUT_USER_DATA = frozenset({"data_capture_audit_chain", "data_capture_erasures"})
"""What is kept beside the audit trail to prove it, and of whom no table says: neither tells anything of a person."""

IS_OF_USER = "user_email = :email"
"""Which rows of a table are of a person, as `users.email` spells the address."""


def find_spellings(connection: sqlite3.Connection, email: str) -> list[str]:
    """Every spelling of an address (normalised) under which something is held: that of `users` first, mostly the only one."""
    found = spellings_of(connection, email)
    for table in (*list_user_tables(), RECEIPTS):
        found += spellings_in(connection, table, email)
    return list(dict.fromkeys(found))


@cache
def list_user_tables() -> tuple[str, ...]:
    """The tables of schema.sql whose rows say in `user_email` whose they are, but for the receipts of the rows in them."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript((REPOSITORY / "schema.sql").read_text(encoding="utf-8"))
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
