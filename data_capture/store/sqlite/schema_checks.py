"""Check that our tables can be added, and that they accept our rows."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from data_capture.sql.pragmas import columns_of, unique_columns_of
from data_capture.sql.reports import is_lock_error
from data_capture.sql.schema_file import open_in_memory
from data_capture.store.sqlite.file_checks import DatabaseRefused
from data_capture.store.sqlite.schema_history import find_earlier_objects
from data_capture.store.sqlite.user_passwords import set_password_hash
from data_capture.store.sqlite.user_rows import find_unfillable_columns
from data_capture.store.sqlite.users import ensure_user

_REHEARSAL_TIME = "2000-01-01T00:00:00.000Z"
_REHEARSAL_HASH = "$argon2id$v=19$m=19456,t=2,p=1$" + "-" * 66  # as long as a real one


class _Column(NamedTuple):
    declared_type: str
    is_required: bool  # a row without a value for it is rejected


_Columns = Mapping[str, _Column]  # by their names


def lacks_our_objects(connection: sqlite3.Connection) -> bool:
    """Return whether a table, view or index of schema.sql is missing."""
    return not _our_objects() <= set(_types_by_name(connection))


def check_conflicts(connection: sqlite3.Connection, database: Path) -> None:
    """Check that our tables can be added, and that they can refer to `users`.

    Raises:
        DatabaseRefused: a table with one of our names is another program's, or `users` can't be
            referred to.
    """
    types = _types_by_name(connection)
    complaints, conflicting = _find_conflicts(connection, types)
    if conflicting:
        complaints.append(
            "This sets the old table aside, with its rows (whatever program uses it will no longer "
            f"find it): {_rename_command(database, conflicting, types)}"
        )
    if "users" in types:
        complaints += _find_users_conflicts(connection, types["users"])
    if complaints:
        raise DatabaseRefused(
            f"{database} can't be used: our tables can't be added. {' '.join(complaints)} "
            "Nothing was changed."
        )


def rehearse(connection: sqlite3.Connection, database: Path) -> None:
    """Write two users with two rows in each table, sign them up, and undo it all.

    A rule that the schema does not show, such as a trigger or a CHECK, then stops the start, not
    the first visitor's payment.

    Raises:
        DatabaseRefused: a table rejects the rows.
        sqlite3.OperationalError: the database is locked.
    """
    connection.execute("SAVEPOINT rehearsal")
    table = "users"  # the table that is being written, for the error
    try:
        for turn in (1, 2):
            table = "users"
            email = f"rehearsal-{turn}@data-capture.invalid"
            user = ensure_user(connection, email, None, _REHEARSAL_TIME)
            for table, columns in _our_tables().items():
                if table != "user_credentials":  # written by the users' functions if it is used
                    _insert_rehearsal_rows(connection, table, columns, user, turn)
            table = "users"
            set_password_hash(connection, user, _REHEARSAL_HASH, _REHEARSAL_TIME)
    except Exception as error:
        if isinstance(error, sqlite3.OperationalError) and is_lock_error(error):
            raise
        reason = str(error.__cause__ or error).rstrip(".")  # SQLite's text, for the operator
        raise DatabaseRefused(
            f"{database} can't be used: its table {table} rejects our rows ({reason}). "
            "Nothing was changed."
        ) from error
    finally:
        if connection.in_transaction:  # a trigger may have ended it
            connection.execute("ROLLBACK TO rehearsal")
            connection.execute("RELEASE rehearsal")


def _find_conflicts(
    connection: sqlite3.Connection, types: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Return complaints about our tables' names, and the tables to set aside."""
    earlier = find_earlier_objects(connection)
    complaints, conflicting = [], []
    for table, wanted in _our_tables().items():
        if table not in types or table in earlier:
            continue
        if types[table] != "table":
            complaints.append(f"{table} is a {types[table]}, and has to be a table.")
            continue
        found = _read_columns(connection, table)
        missing = [column for column in wanted if column not in found]
        unknown = [name for name in found if found[name].is_required and name not in wanted]
        if missing:
            complaints.append(
                f"The table {table} is another program's: it lacks {_name_columns(missing)}."
            )
        elif unknown:
            complaints.append(
                f"The table {table} is another program's: it requires {_name_columns(unknown)}."
            )
        if missing or unknown:
            conflicting.append(table)
    return complaints, conflicting


def _find_users_conflicts(connection: sqlite3.Connection, object_type: str) -> list[str]:
    """Return complaints about a `users` table.

    Our tables refer to it, and users are added to it.
    """
    if object_type != "table":
        return [f"users is a {object_type}, and has to be a table that others can refer to."]
    if "email" not in _read_columns(connection, "users"):
        return ["The table users has no column email, which says whose a capture is."]
    complaints = []
    keys = [[column.name for column in columns_of(connection, "users") if column.key]]
    if all(
        [(name or "").lower() for name in names] != ["email"]
        for names in keys + unique_columns_of(connection, "users")
    ):
        complaints.append(
            "The column email of the table users is not unique, so that no table can refer to a "
            "user by it. If no address is there twice, this makes it unique: CREATE UNIQUE INDEX "
            "users_email ON users (email)"
        )
    unfillable = find_unfillable_columns(connection)
    if unfillable:
        complaints.append(
            f"The table users requires {_name_columns(unfillable)}, for which this product has no "
            "value. Give it a default value."
        )
    return complaints


def _rename_command(database: Path, tables: list[str], types: Mapping[str, str]) -> str:
    """Return the shell command that renames tables to free names."""
    renames = []
    for table in tables:
        aside, number = f"{table}_old", 2
        while aside in types:
            aside, number = f"{table}_old{number}", number + 1
        renames.append(f"ALTER TABLE {table} RENAME TO {aside}")
    return f"sqlite3 {shlex.quote(str(database))} {shlex.quote('; '.join(renames))}"


def _name_columns(names: list[str]) -> str:
    if len(names) == 1:
        return f"the column {names[0]}"
    return f"the columns {', '.join(names[:-1])} and {names[-1]}"


def _insert_rehearsal_rows(
    connection: sqlite3.Connection, table: str, columns: _Columns, user: str, turn: int
) -> None:
    """Insert a user's rows into a table: two, or one if it has no id to tell them apart."""
    for number in (1, 2) if "id" in columns else (1,):
        row = _rehearsal_row(columns, user, f"rehearsal-{turn}-{number}")
        names, placeholders = ", ".join(row), ", ".join("?" * len(row))
        # The names come from schema.sql.
        connection.execute(
            f"INSERT INTO {table} ({names}) VALUES ({placeholders})",  # noqa: S608
            tuple(row.values()),
        )


def _rehearsal_row(columns: _Columns, user: str, text: str) -> dict[str, Any]:
    values: dict[str, Any] = {"INTEGER": 0, "BLOB": b""}
    row = {
        name: values.get(column.declared_type, text)
        for name, column in columns.items()
        if column.is_required
    }
    if "user_email" in columns:
        row["user_email"] = user
    return row


@cache
def _our_tables() -> Mapping[str, _Columns]:
    """Return the tables of schema.sql but `users`, with their columns."""
    with closing(open_in_memory()) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        return {table: _read_columns(connection, table) for (table,) in tables if table != "users"}


@cache
def _our_objects() -> frozenset[str]:
    with closing(open_in_memory()) as connection:
        return frozenset(_types_by_name(connection))


def _read_columns(connection: sqlite3.Connection, table: str) -> _Columns:
    return {
        column.name.lower(): _Column(
            column.declared_type.upper(),
            (column.not_null and column.default is None)
            or (bool(column.key) and column.declared_type.upper() != "INTEGER"),
        )
        for column in columns_of(connection, table)
    }


def _types_by_name(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the types of all objects but triggers, by their names in lower case.

    A type is "table", "virtual table", "view" or "index".
    """
    rows = connection.execute(
        "SELECT type, lower(name), sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    ).fetchall()
    return {
        name: "virtual table" if str(sql).upper().startswith("CREATE VIRTUAL") else object_type
        for object_type, name, sql in rows
        if object_type != "trigger"
    }
