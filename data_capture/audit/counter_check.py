"""Check the counters of AUTOINCREMENT: can SQLite have counted to these numbers?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from data_capture.audit.schema_check import find_counted_tables
from data_capture.audit.schema_objects import is_plain_table

# Ids are JSON numbers: pages read larger ones inexactly. At 2**63 - 1, a table accepts no more
# rows.
_MAX_COUNTER = 2**53

# SQLite gives the next id after the newest. Gaps come from deleted rows, and from a row that was
# inserted with an id of its own. At 1,000 rows per second, 2**40 rows take 35 years.
_MAX_GAP = 2**40


def check_counters(connection: sqlite3.Connection) -> Iterator[str]:
    """Find the counters of our tables that were tampered with, each as a sentence.

    verify.py also compares the counter of the audit trail with the chain.

    Args:
        connection: in a read transaction.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    if not is_plain_table(connection, "sqlite_sequence"):
        return
    for table in find_counted_tables(connection):
        finding = _check_counter(connection, table)
        if finding is not None:
            yield finding


def _check_counter(connection: sqlite3.Connection, table: str) -> str | None:
    counters = connection.execute(
        "SELECT seq FROM sqlite_sequence WHERE name = ? COLLATE NOCASE", (table,)
    ).fetchall()
    # The table name comes from schema.sql.
    (newest_id,) = connection.execute(f"SELECT max(id) FROM {table}").fetchone()  # noqa: S608
    if len(counters) > 1:
        return f"The table {table} has {len(counters)} counters in sqlite_sequence."
    if not counters:
        if newest_id is None:
            return None
        return f"The counter of {table} was removed from sqlite_sequence."
    (counter,) = counters[0]
    if not isinstance(counter, int):
        return f"The counter of {table} in sqlite_sequence is not a number."
    if not _is_plausible(counter, newest_id):
        return (
            f"The counter of {table} in sqlite_sequence was set to {counter}, "
            f"and the newest id is {newest_id or 0}."
        )
    return None


def _is_plausible(counter: int, newest_id: Any) -> bool:
    """Return whether SQLite can have counted to `counter` by the newest id."""
    highest_id = newest_id if isinstance(newest_id, int) and newest_id > 0 else 0
    return highest_id <= counter < _MAX_COUNTER and counter - highest_id <= _MAX_GAP
