"""Ask SQLite for the structure of a database with PRAGMA statements.

The table-valued functions `pragma_…` are not used: if the file has a table of such a name, SQLite
reads that table instead.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple


class Column(NamedTuple):
    """Describe a column as PRAGMA table_info does.

    `key` is the column's position in the primary key, from 1, or 0 if it is not part of it.
    """

    name: str
    declared_type: str
    not_null: bool
    default: str | None
    key: int


class ForeignKey(NamedTuple):
    """Describe one column of a foreign key.

    Columns of the same key have the same `number`.
    """

    number: int
    place: int
    parent: str
    column: str
    parent_column: str | None
    on_delete: str


def quote_identifier(name: str) -> str:
    """Quote a table's or column's name for SQL, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def columns_of(connection: sqlite3.Connection, table: str) -> list[Column]:
    """Return the columns that `SELECT *` shows.

    There are none if there is no such table or view.
    """
    rows = connection.execute(f"PRAGMA table_info({quote_identifier(table)})").fetchall()
    return [
        Column(name, declared_type, bool(not_null), default, key)
        for _, name, declared_type, not_null, default, key in rows
    ]


def has_generated_columns(connection: sqlite3.Connection, table: str) -> bool:
    """Return whether reading the table computes generated columns."""
    rows = connection.execute(f"PRAGMA table_xinfo({quote_identifier(table)})").fetchall()
    return any(hidden > 1 for *_, hidden in rows)


def foreign_keys_of(connection: sqlite3.Connection, table: str) -> list[ForeignKey]:
    """Return the foreign keys of a table, in the order of the keys and their columns."""
    rows = connection.execute(f"PRAGMA foreign_key_list({quote_identifier(table)})").fetchall()
    keys = [
        ForeignKey(number, place, parent, column, parent_column, on_delete)
        for number, place, parent, column, parent_column, _, on_delete, _ in rows
    ]
    return sorted(keys, key=lambda key: key[:2])


def unique_columns_of(connection: sqlite3.Connection, table: str) -> list[list[str | None]]:
    """Return the columns of each unique index over all rows; None is an expression."""
    indexes = connection.execute(f"PRAGMA index_list({quote_identifier(table)})").fetchall()
    return [
        _index_columns(connection, index)
        for _, index, unique, _, partial in indexes
        if unique and not partial
    ]


def _index_columns(connection: sqlite3.Connection, index: str) -> list[str | None]:
    rows = connection.execute(f"PRAGMA index_info({quote_identifier(index)})").fetchall()
    return [column for _, _, column in rows]


def size_bytes_of(connection: sqlite3.Connection) -> int:
    """Return the size of the database that the connection has open."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(page_bytes)
