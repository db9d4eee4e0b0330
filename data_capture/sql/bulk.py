"""Rows that are looked for, or inserted, many at a time: each statement once, and not once a row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

_MAX_AT_A_TIME = 256  # of two values each: SQLite before 3.32 takes 999 in a statement


def find_among(
    connection: sqlite3.Connection, select: str, looked_for: Sequence[tuple[Any, ...]]
) -> Iterator[tuple[Any, ...]]:
    """The rows that `select` finds for `looked_for`, of which the same row may come twice.

    Args:
        connection: to read from.
        select: with `{}` where the list of what is looked for stands, as `IN (VALUES {})` has it.
        looked_for: at least one; all of the same length.
    """
    for start in range(0, len(looked_for), _MAX_AT_A_TIME):
        some = [*looked_for[start : start + _MAX_AT_A_TIME]]
        # Filled up to a power of two, so that there are few statements, which stay prepared.
        some += some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))
        statement = _with_marks(select, len(some[0]), len(some))
        yield from connection.execute(statement, [value for values in some for value in values])


@cache
def _with_marks(select: str, values: int, rows: int) -> str:
    return select.format(", ".join([f"({', '.join('?' * values)})"] * rows))


def insert_in_order(
    connection: sqlite3.Connection, insert: str, rows: Sequence[tuple[Any, ...]]
) -> int:
    """Inserts at least one row and returns the id that the first was given; those of the others follow it without a gap.

    Raises:
        sqlite3.IntegrityError: they don't, since a trigger of another program inserted rows between them.
    """
    first = connection.execute(insert, rows[0]).lastrowid
    assert first is not None
    if len(rows) > 1:
        connection.executemany(insert, rows[1:])
        (last,) = connection.execute("SELECT last_insert_rowid()").fetchone()
        if last != first + len(rows) - 1:
            raise sqlite3.IntegrityError(
                "rows that were inserted one after the other have no ids in order"
            )
    return first


@contextmanager
def any_text(connection: sqlite3.Connection, errors: str = "surrogateescape") -> Iterator[None]:
    """Read also texts that are not UTF-8.

    Args:
        connection: to read with.
        errors: what becomes of bytes that are not UTF-8, as for `bytes.decode`. With "surrogateescape" the text can be turned
            into the same bytes again; with "replace" it can be shown and sent.
    """
    before = connection.text_factory
    connection.text_factory = lambda text: text.decode(errors=errors)
    try:
        yield
    finally:
        connection.text_factory = before
