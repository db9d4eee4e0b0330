"""Asks SQLite what a database consists of, by PRAGMA statements.

Not by the table-valued functions `pragma_…`: a table of such a name in the file would be read in their place.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple


class Column(NamedTuple):
    """A column, as PRAGMA table_info has it; `key` is its place in the primary key, or 0."""

    name: str
    declared_type: str
    not_null: bool
    default: str | None
    key: int


class ForeignKey(NamedTuple):
    """One column of a foreign key; those with the same `number` belong together."""

    number: int
    place: int
    parent: str
    column: str
    parent_column: str | None
    on_delete: str


def quoted(name: str) -> str:
    """Return a name as SQL takes it, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def columns_of(connection: sqlite3.Connection, table: str) -> list[Column]:
    """Return the columns of a table or view that `SELECT *` shows; none where there is no such table."""
    rows = connection.execute(f"PRAGMA table_info({quoted(table)})").fetchall()
    return [
        Column(name, kind, bool(not_null), default, key)
        for _, name, kind, not_null, default, key in rows
    ]


def has_generated_columns(connection: sqlite3.Connection, table: str) -> bool:
    """Whether reading the table computes something."""
    return any(
        row[6] > 1 for row in connection.execute(f"PRAGMA table_xinfo({quoted(table)})").fetchall()
    )


def foreign_keys_of(connection: sqlite3.Connection, table: str) -> list[ForeignKey]:
    """Return what a table refers to, in the order of the keys and their columns."""
    rows = connection.execute(f"PRAGMA foreign_key_list({quoted(table)})").fetchall()
    found = [
        ForeignKey(number, place, parent, column, parent_column, on_delete)
        for number, place, parent, column, parent_column, _, on_delete, _ in rows
    ]
    return sorted(found, key=lambda one: one[:2])


def unique_columns_of(connection: sqlite3.Connection, table: str) -> list[list[str | None]]:
    """Return the columns of each index that keeps all rows unique; None stands for an expression."""
    indexes = connection.execute(f"PRAGMA index_list({quoted(table)})").fetchall()
    return [
        [
            column
            for _, _, column in connection.execute(f"PRAGMA index_info({quoted(index)})").fetchall()
        ]
        for _, index, unique, _, partial in indexes
        if unique and not partial
    ]


def size_bytes_of(connection: sqlite3.Connection) -> int:
    """Return how large the database is that the connection sees."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(page_bytes)
