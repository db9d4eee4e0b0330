"""Read and insert rows of the `users` table.

The table may be an older program's. So columns are looked up before they are written. The column
names in statements come from `_FILLERS`, a fixed table, or from the database, never from a request.
"""

from __future__ import annotations

import secrets
import sqlite3
import string
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from data_capture.sql.bulk import tolerate_invalid_utf8
from data_capture.sql.pragmas import columns_of, quote_identifier, unique_columns_of
from data_capture.store.sqlite.credentials import (
    NO_PASSWORD,
    PASSWORD_HASH,
    PROVISIONAL,
    UsersColumns,
)

UNIQUE_ID_CHARACTERS = 6
"""The length of `random_id`: that of the column `unique_id` of older programs."""

_UNIQUE_ID_ALPHABET = string.ascii_uppercase + string.digits


@dataclass(frozen=True)
class _Column:
    name: str
    declared_type: str
    is_required: bool  # NOT NULL without a default
    is_row_id: bool


@dataclass(frozen=True)
class UsersTable:
    """Describe the current `users` table.

    Args:
        columns: by their names in lower case, since SQLite ignores case.
        unique: the columns that alone identify a row, by a constraint or an index.
    """

    columns: Mapping[str, _Column]
    unique: frozenset[str]

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> UsersTable:
        """Read the columns from the database."""
        found = columns_of(connection, "users")
        keys = [column for column in found if column.key]
        columns = {
            column.name.lower(): _Column(
                column.name,
                column.declared_type.upper(),
                is_required=column.not_null and column.default is None,
                is_row_id=keys == [column] and column.declared_type.upper() == "INTEGER",
            )
            for column in found
        }
        unique = [names[0] for names in unique_columns_of(connection, "users") if len(names) == 1]
        return cls(columns, frozenset(name.lower() for name in unique if name))

    def format_time(self, column: str, now: str) -> str:
        """Format a time as the column's own program reads it.

        The ORMs and drivers that declare DATETIME or TIMESTAMP write and parse
        `2024-01-15 10:30:00.000000` (SQLAlchemy's `dialects.sqlite.DATETIME`, Python's own sqlite3
        converter). A `T` or a `Z` makes their whole query fail.
        """
        declared_type = self.columns[column].declared_type
        if "DATETIME" not in declared_type and "TIMESTAMP" not in declared_type:
            return now
        moment = datetime.fromisoformat(now.replace("Z", "+00:00")).astimezone(timezone.utc)
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


@dataclass(frozen=True)
class NewUser:
    """Hold what is known of a user to add."""

    email: str
    name: str | None
    now: str
    username: str

    @property
    def first_name(self) -> str | None:
        """Return the name before the first space."""
        return self.name and self.name.partition(" ")[0]

    @property
    def last_name(self) -> str | None:
        """Return the name after the first space."""
        return self.name and self.name.partition(" ")[2]


_Filler = Callable[[sqlite3.Connection, UsersTable, NewUser], Any]


def _make_id(connection: sqlite3.Connection, table: UsersTable, _user: NewUser) -> Any:
    declared_type = table.columns["id"].declared_type
    if "CHAR" in declared_type or "TEXT" in declared_type or "UUID" in declared_type:
        return str(uuid.uuid4())
    return connection.execute("SELECT coalesce(max(id), 0) + 1 FROM users").fetchone()[0]


def _make_uuid(_connection: sqlite3.Connection, table: UsersTable, _user: NewUser) -> str:
    identifier = uuid.uuid4()
    return identifier.hex if "(32)" in table.columns["uuid"].declared_type else str(identifier)


def _make_unique_id(connection: sqlite3.Connection, table: UsersTable, _user: NewUser) -> str:
    unique_id = random_id()
    while "unique_id" in table.unique and _is_taken(connection, "unique_id", unique_id):
        unique_id = random_id()
    return unique_id


def _make_username(connection: sqlite3.Connection, table: UsersTable, user: NewUser) -> str:
    return make_unique(connection, table, "username", user.username)


def _always(value: Any) -> _Filler:
    return lambda _connection, _table, _user: value


def _time_of(column: str) -> _Filler:
    return lambda _connection, table, user: table.format_time(column, user.now)


FULL_NAME_COLUMNS = ("full_name", "fullname", "name", "names")

# How each known column of a new user's row is filled; None leaves it to the column's default.
_FILLERS: dict[str, _Filler] = {
    "id": _make_id,
    "unique_id": _make_unique_id,
    "uuid": _make_uuid,
    "username": _make_username,
    "email": lambda _connection, _table, user: user.email,
    "normalized_email": lambda _connection, _table, user: user.email,
    PASSWORD_HASH: _always(NO_PASSWORD),
    "plan_type": _always("free"),
    "status": _always(PROVISIONAL),
    "consent_accepted": _always(0),
    "created_at": _time_of("created_at"),
    "updated_at": _time_of("updated_at"),
    "first_name": lambda _connection, _table, user: user.first_name,
    "last_name": lambda _connection, _table, user: user.last_name,
    **dict.fromkeys(FULL_NAME_COLUMNS, lambda _connection, _table, user: user.name),
    "phone": _always(None),
    "company": _always(None),
    "country": _always(None),
}


def insert_user_row(connection: sqlite3.Connection, user: NewUser) -> None:
    """Insert the row of a provisional user.

    Raises:
        sqlite3.IntegrityError: the table rejects it.
    """
    table = UsersTable.read(connection)
    row: dict[str, Any] = {}
    for column, filler in _FILLERS.items():
        if column not in table.columns or table.columns[column].is_row_id:
            continue
        value = filler(connection, table, user)
        if value is None and table.columns[column].is_required:
            value = ""
        if value is not None:
            row[column] = value
    names, placeholders = ", ".join(map(quote_identifier, row)), ", ".join("?" * len(row))
    # OR ABORT: another program's table may be declared to replace a row with the same name.
    connection.execute(
        f"INSERT OR ABORT INTO users ({names}) VALUES ({placeholders})",  # noqa: S608
        tuple(row.values()),
    )


def update_with_first_accepted(
    connection: sqlite3.Connection, column: str, values: list[Any], stored_email: str
) -> None:
    """Set a column to the first of `values` that the table's rules accept, if any."""
    for value in values:
        with suppress(sqlite3.IntegrityError):
            connection.execute(
                f"UPDATE OR ABORT users SET {quote_identifier(column)} = ? WHERE email = ?",  # noqa: S608
                (value, stored_email),
            )
            return


def make_unique(connection: sqlite3.Connection, table: UsersTable, column: str, value: str) -> str:
    """Return the value, with a random end if it must be unique and is taken."""
    candidate = value
    while column in table.unique and _is_taken(connection, column, candidate):
        candidate = f"{value}_{random_id()}"
    return candidate


def random_id() -> str:
    """Return a random id of capital letters and digits."""
    return "".join(secrets.choice(_UNIQUE_ID_ALPHABET) for _ in range(UNIQUE_ID_CHARACTERS))


def find_unfillable_columns(connection: sqlite3.Connection) -> list[str]:
    """Find the required columns of `users` for which this product has no value."""
    columns = UsersTable.read(connection).columns.values()
    return [
        column.name
        for column in columns
        if column.is_required and column.name.lower() not in _FILLERS
    ]


def read_user_row(connection: sqlite3.Connection, stored_email: str) -> list[tuple[str, Any]]:
    """Read a whole row: names and values, in the table's order.

    Generated columns are included.
    """
    with tolerate_invalid_utf8(connection, "replace"):
        cursor = connection.execute("SELECT * FROM users WHERE email = ?", (stored_email,))
        values = cursor.fetchone()
    return [*zip((str(column[0]) for column in cursor.description), values, strict=True)]


def read_users_columns(connection: sqlite3.Connection) -> UsersColumns:
    """Read what `credentials` needs to know of the columns.

    Generated columns are included.
    """
    rows = connection.execute("PRAGMA table_xinfo(users)").fetchall()
    return UsersColumns(
        defaults={name: default for _, name, _, _, default, _, _ in rows},
        written=frozenset(name.lower() for _, name, _, _, _, _, hidden in rows if not hidden),
    )


def _is_taken(connection: sqlite3.Connection, column: str, value: str) -> bool:
    select = f"SELECT 1 FROM users WHERE {quote_identifier(column)} = ?"  # noqa: S608
    return connection.execute(select, (value,)).fetchone() is not None
