"""Checks the counters of AUTOINCREMENT: whether they can be what SQLite has counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from data_capture.audit.schema_check import our_counted_tables
from data_capture.audit.schema_objects import is_plain_table

_MAX_COUNTER = (
    2**53
)  # ids are numbers in JSON: pages read larger ones as others; at 2**63 - 1 a table takes no more rows
# SQLite gives the next id after the newest: a gap is what was deleted, and what one insertion with an id of its own has left.
# At 1,000 rows a second, 2**40 rows take 35 years.
_MAX_GAP = 2**40


def check_counters(connection: sqlite3.Connection) -> Iterator[str]:
    """Find what is wrong with the counters of our tables, each a sentence.

    That of the audit trail is compared with the chain too (verification.py). Here it is whether
    each is a counter at all.

    Args:
        connection: in a read transaction.

    Raises:
        sqlite3.Error: the file can't be read.
    """
    if not is_plain_table(connection, "sqlite_sequence"):
        return
    for table in our_counted_tables(connection):
        counters = connection.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = ? COLLATE NOCASE", (table,)
        ).fetchall()
        # The name comes from schema.sql.
        (newest,) = connection.execute(f"SELECT max(id) FROM {table}").fetchone()  # noqa: S608
        if len(counters) > 1:
            yield f"The table {table} has {len(counters)} counters in sqlite_sequence."
        elif not counters and newest is not None:
            yield f"The counter of {table} was removed from sqlite_sequence."
        elif counters and not isinstance(counters[0][0], int):
            yield f"The counter of {table} in sqlite_sequence is no number."
        elif counters and not _is_plausible(counters[0][0], newest):
            yield (
                f"The counter of {table} in sqlite_sequence was set to {counters[0][0]}, "
                f"and the newest id is {newest or 0}."
            )


def _is_plausible(counter: int, newest: Any) -> bool:
    """Whether SQLite can have counted so far, with `newest` as the highest id that is there."""
    highest = newest if isinstance(newest, int) and newest > 0 else 0
    return highest <= counter < _MAX_COUNTER and counter - highest <= _MAX_GAP
