"""Store and find the hashes of users' passwords.

They are in `users.password_hash`, or, if another program's `users` has no such column, in our table
`user_credentials`, with a mark of the row that they belong to (`row_marks`).
"""

from __future__ import annotations

import sqlite3

from data_capture.store.sqlite.credentials import (
    NO_PASSWORD,
    PASSWORD_HASH,
    OwnCredentials,
    Row,
)
from data_capture.store.sqlite.row_marks import mark_of_account, mark_of_provisional, read_mark
from data_capture.store.sqlite.user_rows import UsersTable, read_user_row, read_users_columns

_SET_OWN_CREDENTIALS = """
INSERT INTO user_credentials (user_email, password_hash, updated_at) VALUES (?, ?, ?)
ON CONFLICT (user_email) DO UPDATE
SET password_hash = excluded.password_hash, updated_at = excluded.updated_at
"""


def set_password_hash(
    connection: sqlite3.Connection, stored_email: str, password_hash: str, now: str
) -> None:
    """Store the hash of a user's password where this database keeps them."""
    if PASSWORD_HASH in UsersTable.read(connection).columns:
        update = "UPDATE users SET password_hash = ? WHERE email = ?"
        connection.execute(update, (password_hash, stored_email))
    else:
        mark = mark_of_account(_written_row(connection, stored_email), password_hash)
        connection.execute(_SET_OWN_CREDENTIALS, (stored_email, mark, now))


def mark_provisional_row(connection: sqlite3.Connection, stored_email: str, now: str) -> None:
    """Note that this product made a row of `users`, so that a sign-up may complete it."""
    mark = mark_of_provisional(_written_row(connection, stored_email))
    connection.execute(_SET_OWN_CREDENTIALS, (stored_email, mark, now))


def read_own_credentials(
    connection: sqlite3.Connection, stored_email: str, row: Row
) -> OwnCredentials:
    """Read what `user_credentials` has for a row of `users`.

    Args:
        connection: to read from.
        stored_email: of the row.
        row: its written values.
    """
    select = "SELECT password_hash FROM user_credentials WHERE user_email = ?"
    (stored,) = connection.execute(select, (stored_email,)).fetchone() or (None,)
    mark = read_mark(stored)
    if mark is None:
        is_hash = stored is not None and not stored.startswith(NO_PASSWORD)
        return OwnCredentials(stored if is_hash else None)
    password_hash = mark.hash_for(row)
    return OwnCredentials(
        password_hash,
        is_for_this_row=password_hash is not None,
        is_untouched=mark.is_of_untouched(row),
    )


def _written_row(connection: sqlite3.Connection, stored_email: str) -> Row:
    row = read_user_row(connection, stored_email)
    return read_users_columns(connection).written_values(row)
