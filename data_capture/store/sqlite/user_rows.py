"""Rows of the `users` table: what its columns are, and how a new row is filled.

The table may be an older program's. So columns are looked up before they are written.

Every column name in a statement below comes from `_FILLERS`, a fixed table, never from a caller.
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

from data_capture.sql.pragmas import columns_of, unique_columns_of
from data_capture.store.sqlite.credentials import NO_PASSWORD, PASSWORD_HASH, PROVISIONAL

UNIQUE_ID_CHARACTERS = 6
"""How long an end that makes a name unique is: what the column `unique_id` of older programs holds."""

_UNIQUE_ID_ALPHABET = string.ascii_uppercase + string.digits


@dataclass(frozen=True)
class _Column:
    name: str
    declared_type: str
    required: bool  # NOT NULL without a default
    is_row_id: bool


@dataclass(frozen=True)
class UsersTable:
    """What the `users` table of this file looks like now; names in lower case, as SQLite compares them."""

    columns: Mapping[str, _Column]
    unique: frozenset[str]
    """The columns that alone identify a row, by a constraint or an index."""

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> UsersTable:
        """Look the columns up."""
        found = columns_of(connection, "users")
        keys = [column for column in found if column.key]
        columns = {
            column.name.lower(): _Column(
                column.name,
                column.declared_type.upper(),
                required=column.not_null and column.default is None,
                is_row_id=keys == [column] and column.declared_type.upper() == "INTEGER",
            )
            for column in found
        }
        unique = [names[0] for names in unique_columns_of(connection, "users") if len(names) == 1]
        return cls(columns, frozenset(name.lower() for name in unique if name))

    def time(self, column: str, now: str) -> str:
        """`now` as this column's own program reads it.

        The ORMs and drivers that declare DATETIME or TIMESTAMP write and parse `2024-01-15 10:30:00.000000` (SQLAlchemy's
        `dialects.sqlite.DATETIME`, Python's own sqlite3 converter) and fail, for the whole query, at a `T` or a `Z`.
        """
        declared_type = self.columns[column].declared_type
        if "DATETIME" not in declared_type and "TIMESTAMP" not in declared_type:
            return now
        moment = datetime.fromisoformat(now.replace("Z", "+00:00")).astimezone(timezone.utc)
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


@dataclass(frozen=True)
class Newcomer:
    """A user to add, with what is known of them."""

    email: str
    name: str | None
    now: str
    username: str

    @property
    def first_name(self) -> str | None:
        """What stands before the first blank of the name."""
        return self.name and self.name.partition(" ")[0]

    @property
    def last_name(self) -> str | None:
        """What stands behind it."""
        return self.name and self.name.partition(" ")[2]


_Filler = Callable[[sqlite3.Connection, UsersTable, Newcomer], Any]


def _id(connection: sqlite3.Connection, table: UsersTable, _newcomer: Newcomer) -> Any:
    declared_type = table.columns["id"].declared_type
    if "CHAR" in declared_type or "TEXT" in declared_type or "UUID" in declared_type:
        return str(uuid.uuid4())
    return connection.execute("SELECT coalesce(max(id), 0) + 1 FROM users").fetchone()[0]


def _uuid(_connection: sqlite3.Connection, table: UsersTable, _newcomer: Newcomer) -> str:
    identifier = uuid.uuid4()
    return identifier.hex if "(32)" in table.columns["uuid"].declared_type else str(identifier)


def _unique_id(connection: sqlite3.Connection, table: UsersTable, _newcomer: Newcomer) -> str:
    unique_id = random_id()
    while "unique_id" in table.unique and _is_taken(connection, "unique_id", unique_id):
        unique_id = random_id()
    return unique_id


def _username(connection: sqlite3.Connection, table: UsersTable, newcomer: Newcomer) -> str:
    return free_value(connection, table, "username", newcomer.username)


def _always(value: Any) -> _Filler:
    return lambda _connection, _table, _newcomer: value


def _time_of(column: str) -> _Filler:
    return lambda _connection, table, newcomer: table.time(column, newcomer.now)


FULL_NAME_COLUMNS = ("full_name", "fullname", "name", "names")

# How each known column of a new person's row is filled. None leaves it to the column's default.
_FILLERS: dict[str, _Filler] = {
    "id": _id,
    "unique_id": _unique_id,
    "uuid": _uuid,
    "username": _username,
    "email": lambda _connection, _table, newcomer: newcomer.email,
    "normalized_email": lambda _connection, _table, newcomer: newcomer.email,
    PASSWORD_HASH: _always(NO_PASSWORD),
    "plan_type": _always("free"),
    "status": _always(PROVISIONAL),
    "consent_accepted": _always(0),
    "created_at": _time_of("created_at"),
    "updated_at": _time_of("updated_at"),
    "first_name": lambda _connection, _table, newcomer: newcomer.first_name,
    "last_name": lambda _connection, _table, newcomer: newcomer.last_name,
    **dict.fromkeys(FULL_NAME_COLUMNS, lambda _connection, _table, newcomer: newcomer.name),
    "phone": _always(None),
    "company": _always(None),
    "country": _always(None),
}


def add_row(connection: sqlite3.Connection, newcomer: Newcomer) -> None:
    """Add a provisional user's row.

    Raises:
        sqlite3.IntegrityError: the table refuses it.
    """
    table = UsersTable.read(connection)
    row: dict[str, Any] = {}
    for column, filler in _FILLERS.items():
        if column not in table.columns or table.columns[column].is_row_id:
            continue
        value = filler(connection, table, newcomer)
        if value is None and table.columns[column].required:
            value = ""
        if value is not None:
            row[column] = value
    names, marks = ", ".join(f'"{column}"' for column in row), ", ".join("?" * len(row))
    # OR ABORT: a table of another program may be made so that a new row replaces one with the same name.
    connection.execute(
        f"INSERT OR ABORT INTO users ({names}) VALUES ({marks})",  # noqa: S608
        tuple(row.values()),
    )


def write_first(
    connection: sqlite3.Connection, column: str, values: list[Any], spelling: str
) -> None:
    """Writes the first of `values` that the table takes; it may have a rule for them, such as a list of plans."""
    for value in values:
        with suppress(sqlite3.IntegrityError):
            update = f'UPDATE OR ABORT users SET "{column}" = ? WHERE email = ?'  # noqa: S608
            connection.execute(update, (value, spelling))
            return


def free_value(connection: sqlite3.Connection, table: UsersTable, column: str, wished: str) -> str:
    """What is wished for, or where that has to be unique and is taken, the same with a random end to it."""
    candidate = wished
    while column in table.unique and _is_taken(connection, column, candidate):
        candidate = f"{wished}_{random_id()}"
    return candidate


def _is_taken(connection: sqlite3.Connection, column: str, value: str) -> bool:
    return (
        connection.execute(f'SELECT 1 FROM users WHERE "{column}" = ?', (value,)).fetchone()  # noqa: S608
        is not None
    )


def random_id() -> str:
    """Return an id that another user hardly has."""
    return "".join(secrets.choice(_UNIQUE_ID_ALPHABET) for _ in range(UNIQUE_ID_CHARACTERS))


def unfillable_columns(connection: sqlite3.Connection) -> list[str]:
    """The columns of `users` that must have a value, have no default, and that nothing here knows how to fill."""
    columns = UsersTable.read(connection).columns.values()
    return [
        column.name for column in columns if column.required and column.name.lower() not in _FILLERS
    ]
