"""Checks the counters of AUTOINCREMENT: whether they can be what SQLite has counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from data_capture.audit.schema_check import our_counted_tables
from data_capture.audit.schema_objects import is_plain_table

_MAX_COUNTER = 2**62  # no installation comes near it; at 2**63 - 1 a table takes no more rows


def counter_findings(connection: sqlite3.Connection) -> Iterator[str]:
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
        elif counters and not max(newest or 0, 0) <= counters[0][0] < _MAX_COUNTER:
            yield (
                f"The counter of {table} in sqlite_sequence was set to {counters[0][0]}, "
                f"and the newest id is {newest or 0}."
            )
