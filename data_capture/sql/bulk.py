"""Select and insert many rows at a time, and read invalid UTF-8."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain
from typing import Any

_MAX_ROWS = 64  # of at most 15 values
_MAX_KEYS = 256  # of two values each: SQLite before 3.32 takes at most 999 parameters


def select_matching(
    connection: sqlite3.Connection, select: str, keys: Sequence[tuple[Any, ...]]
) -> Iterator[tuple[Any, ...]]:
    """Select the rows that match any of `keys`. A row may be yielded more than once.

    Args:
        connection: to read from.
        select: with `{}` in place of the keys, as in `IN (VALUES {})`.
        keys: at least one; all have the same length.
    """
    for start in range(0, len(keys), _MAX_KEYS):
        batch = [*keys[start : start + _MAX_KEYS]]
        # Padded to a power of two: few distinct statements, which sqlite3 keeps prepared.
        batch += batch[-1:] * ((1 << (len(batch) - 1).bit_length()) - len(batch))
        statement = _with_placeholders(select, len(batch[0]), len(batch))
        yield from connection.execute(statement, [*chain.from_iterable(batch)])


@cache
def _with_placeholders(select: str, values: int, rows: int) -> str:
    return select.format(", ".join([f"({', '.join('?' * values)})"] * rows))


def insert_rows(
    connection: sqlite3.Connection, insert: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows with few statements.

    Use it for tables without foreign keys and without a counter of ids: for the others,
    `executemany` is faster. The facts, receipt and chain entry of a payment take 5.8 µs, and 7.5 µs
    with `executemany` (`timeit`, groups of 50).

    Args:
        connection: to write to.
        insert: with `{}` in place of the rows, as in `INSERT INTO … VALUES {}`.
        rows: all have the same length.
    """
    start = 0
    while start < len(rows):
        # Powers of two: few distinct statements, which sqlite3 keeps prepared.
        end = start + min(_MAX_ROWS, 1 << ((len(rows) - start).bit_length() - 1))
        batch = rows[start:end]
        statement = _with_placeholders(insert, len(batch[0]), len(batch))
        connection.execute(statement, [*chain.from_iterable(batch)])
        start = end


def insert_consecutive_rows(
    connection: sqlite3.Connection, insert: str, rows: Sequence[tuple[Any, ...]]
) -> int:
    """Insert at least one row and return the id of the first; the ids have no gaps.

    Raises:
        sqlite3.IntegrityError: the ids have gaps, because a trigger of another program inserted
            rows between them.
    """
    first = connection.execute(insert, rows[0]).lastrowid
    assert first is not None
    if len(rows) > 1:
        connection.executemany(insert, rows[1:])
        (last,) = connection.execute("SELECT last_insert_rowid()").fetchone()
        if last != first + len(rows) - 1:
            raise sqlite3.IntegrityError("consecutively inserted rows have no consecutive ids")
    return first


@contextmanager
def tolerate_invalid_utf8(
    connection: sqlite3.Connection, errors: str = "surrogateescape"
) -> Iterator[None]:
    """Read text that is not UTF-8 too, for the duration of the block.

    Args:
        connection: to read with.
        errors: how to decode invalid bytes, as for `bytes.decode`. "surrogateescape" allows the
            text to be encoded to the same bytes; "replace" allows it to be shown and sent.
    """
    before = connection.text_factory
    connection.text_factory = lambda text: text.decode(errors=errors)
    try:
        yield
    finally:
        connection.text_factory = before
