"""Delete a user's row in `users`, or empty it if other programs refer to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from data_capture.privacy.pseudonyms import make_pseudonym
from data_capture.privacy.tables import USERS, list_user_tables
from data_capture.problems import UNUSABLE, Problem
from data_capture.sql.pragmas import Column, columns_of, foreign_keys_of, quote_identifier
from data_capture.store.sqlite.credentials import NO_PASSWORD

# With one of these, SQLite changes the referring rows itself when the row in users is deleted.
_ACTIONS = ("CASCADE", "SET NULL", "SET DEFAULT")


@dataclass(frozen=True)
class _Reference:
    """A foreign key of another program's table that refers to `users`.

    Args:
        table: the other table.
        columns: pairs of its column and the column of `users`.
        has_action: whether SQLite changes the referring rows itself.
    """

    table: str
    columns: tuple[tuple[str, str], ...]
    has_action: bool


def remove_from_users(connection: sqlite3.Connection, spelling: str) -> tuple[str, ...]:
    """Delete a row of `users`, or remove its personal data.

    Args:
        connection: in a write transaction.
        spelling: the address as spelled in `users.email`.

    Returns:
        The tables whose references prevent the deletion; none if the row was deleted.

    Raises:
        Problem: 422 if the row can be neither deleted nor emptied.
    """
    blocking = [
        reference
        for reference in _read_references(connection)
        if not reference.has_action and _refers_to(connection, reference, spelling)
    ]
    if not blocking and _try_to_delete(connection, spelling):
        return ()
    tables = tuple(reference.table for reference in blocking)
    referenced = {column.lower() for reference in blocking for _, column in reference.columns}
    if "email" in referenced:
        raise Problem(
            UNUSABLE,
            f"Rows of another program ({', '.join(tables)}) contain this address. Remove them "
            "there first.",
        )
    _empty_row(connection, spelling, referenced)
    return tables or (USERS,)


def _try_to_delete(connection: sqlite3.Connection, spelling: str) -> bool:
    """Delete the row; return False if a trigger or an indirect reference prevents it."""
    connection.execute("SAVEPOINT removal")
    try:
        connection.execute("DELETE FROM users WHERE email = ?", (spelling,))
    except sqlite3.IntegrityError:
        connection.execute("ROLLBACK TO removal")
        return False
    else:
        return True
    finally:
        connection.execute("RELEASE removal")


def _read_references(connection: sqlite3.Connection) -> Iterator[_Reference]:
    primary_key = [
        column.name
        for column in sorted(columns_of(connection, USERS), key=lambda column: column.key)
        if column.key
    ]
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    ).fetchall()
    for (table,) in tables:
        if table in list_user_tables():
            continue
        keys = [key for key in foreign_keys_of(connection, table) if key.parent.lower() == USERS]
        for _, group in groupby(keys, key=lambda key: key.number):
            parts = list(group)
            columns = tuple(
                (part.column, part.parent_column or primary_key[part.place]) for part in parts
            )
            yield _Reference(table, columns, parts[0].on_delete in _ACTIONS)


def _refers_to(connection: sqlite3.Connection, reference: _Reference, spelling: str) -> bool:
    is_same = " AND ".join(
        f"theirs.{quote_identifier(column)} = users.{quote_identifier(key)}"
        for column, key in reference.columns
    )
    select = (
        f"SELECT 1 FROM users JOIN {quote_identifier(reference.table)} AS theirs ON {is_same} "  # noqa: S608
        "WHERE users.email = ? LIMIT 1"
    )
    return connection.execute(select, (spelling,)).fetchone() is not None


def _empty_row(connection: sqlite3.Connection, spelling: str, referenced: set[str]) -> None:
    """Clear all columns of a row except keys and referenced columns.

    A column that cannot be NULL gets a value that says nothing about the user.
    """
    pseudonym = make_pseudonym()
    for column in columns_of(connection, USERS):
        if not column.key and column.name.lower() not in referenced | {"email"}:
            values = _list_values_to_try(connection, column, pseudonym)
            _set_first_accepted(connection, column.name, values, spelling)
    _set_first_accepted(connection, "email", [pseudonym], spelling)


def _list_values_to_try(
    connection: sqlite3.Connection, column: Column, pseudonym: str
) -> list[Any]:
    """Return the values for an emptied column, the best first."""
    special = {"normalized_email": pseudonym, "password_hash": NO_PASSWORD}
    return [
        *([] if column.not_null else [None]),
        special.get(column.name.lower()),
        _evaluate_default(connection, column.default),
        _choose_neutral_value(column.declared_type.upper()),
        pseudonym.partition("@")[0],
    ]


def _evaluate_default(connection: sqlite3.Connection, default: str | None) -> Any:
    # A default is an expression of the database's own schema.
    return None if default is None else connection.execute(f"SELECT {default}").fetchone()[0]


def _choose_neutral_value(declared_type: str) -> Any:
    if "DATETIME" in declared_type or "TIMESTAMP" in declared_type:
        return "1970-01-01 00:00:00.000000"  # the format of ORMs that declare these types
    numeric = ("INT", "BOOL", "REAL", "NUM", "DEC", "FLOA", "DOUB")
    return 0 if any(word in declared_type for word in numeric) else ""


def _set_first_accepted(
    connection: sqlite3.Connection, column: str, values: Sequence[Any], spelling: str
) -> None:
    """Store the first of the values that the table's constraints accept."""
    reason: sqlite3.IntegrityError | None = None
    for value in values:
        try:
            connection.execute(
                f"UPDATE users SET {quote_identifier(column)} = ? WHERE email = ?",  # noqa: S608
                (value, spelling),
            )
        except sqlite3.IntegrityError as error:
            reason = error
        else:
            return
    raise Problem(
        UNUSABLE, f"The user's row in users can be neither deleted nor emptied: {reason}."
    )
