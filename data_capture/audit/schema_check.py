"""Compare our objects with schema.sql, and find foreign objects on them.

Someone who can write the database can also change its schema: a view that hides records, a trigger
that alters them, a table without our constraints. An object is correct if it has the SQL of
schema.sql or of the baseline, which is outside the database (schema_baseline.py): before the
adoption, another program may have made a table with one of our names.

White space, comments, IF NOT EXISTS, the case of words and quotes around our own names make no
difference. Everything else does. The statistics of ANALYZE (sqlite_stat…) are not compared: they
say nothing about content.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from data_capture.audit.schema_comparison import SchemaComparison
from data_capture.audit.schema_forgery import find_forged_rows
from data_capture.audit.schema_objects import (
    SchemaState,
    find_reachable_tables,
    index_by_key,
    load_earlier_schemas,
    load_our_objects,
    read_schema_rows,
    select_relevant_objects,
)


@dataclass(frozen=True)
class SchemaReport:
    """The result of a comparison.

    Args:
        findings: the differences that tampering may have made, each a sentence.
        information: the differences from schema.sql that existed when the database was adopted,
            each a sentence.
    """

    findings: tuple[str, ...]
    information: tuple[str, ...] = ()


def check_schema(connection: sqlite3.Connection, baseline: Sequence[SchemaState]) -> SchemaReport:
    """Compare the schema that `connection` sees with schema.sql and with the baseline.

    Args:
        connection: in a read transaction.
        baseline: the states of the schema after the adoption and after each change of ours, the
            latest last; empty if there is no baseline.

    Raises:
        sqlite3.Error: the schema cannot be read.
    """
    rows = read_schema_rows(connection)
    actual, reachable = select_relevant_objects(rows), find_reachable_tables(rows)
    latest = baseline[-1] if baseline else load_our_objects().state
    users = next((item for item in latest if item.name == "users"), None) if baseline else None

    def compare(expected: SchemaState, *, accepts_ours: bool) -> SchemaReport:
        comparison = SchemaComparison(actual, reachable, expected, users, accepts_ours=accepts_ours)
        comparison.run()
        return SchemaReport(tuple(comparison.findings), tuple(comparison.information))

    report = compare(latest, accepts_ours=True)
    forged = tuple(find_forged_rows(rows))
    if report.findings and not forged:
        # The database of an earlier version, or a backup of one, is valid in its state of then.
        for earlier in (*reversed(baseline[:-1]), *load_earlier_schemas()):
            earlier_report = compare(earlier, accepts_ours=False)
            if not earlier_report.findings:
                return earlier_report
    return SchemaReport((*report.findings, *forged), report.information)


def merge_our_changes(before: SchemaState, now: SchemaState) -> SchemaState:
    """Return the baseline's state after a start of ours has changed the schema.

    It takes over only objects that now equal those of schema.sql. Changes that others have made
    meanwhile are not taken over: a start must not make them valid.

    Args:
        before: the latest state of the baseline.
        now: the state of the database.
    """
    ours, state = index_by_key(load_our_objects().state), index_by_key(before)
    for item in now:
        if item.equals(ours.get(item.key)):
            state[item.key] = item
    existing = {item.key for item in now}
    # Objects of an earlier schema.sql that a start of ours has removed are left out.
    return tuple(item for key, item in state.items() if key in existing or key in ours)


def read_schema_state(connection: sqlite3.Connection) -> SchemaState:
    """Return the relevant objects that `connection` sees.

    Raises:
        sqlite3.Error: the schema cannot be read.
    """
    return select_relevant_objects(read_schema_rows(connection))


def find_counted_tables(connection: sqlite3.Connection) -> list[str]:
    """Return our AUTOINCREMENT tables that equal those of schema.sql, without `users`."""
    ours = index_by_key(load_our_objects().state)
    return [
        item.name
        for item in read_schema_state(connection)
        if item.kind == "table"
        and item.name != "users"
        and "autoincrement" in (item.sql or "").lower()
        and item.equals(ours.get(item.key))
    ]
