"""Whether the schema of a database is as it should be, for `verify-audit` and `doctor`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from data_capture.audit.counter_check import check_counters
from data_capture.audit.schema_baseline import read_baseline
from data_capture.audit.schema_check import SchemaReport, check_schema
from data_capture.cli.integrity_report import find_damage, snapshot
from data_capture.sql.pragmas import size_bytes_of

# Takes 50 ms. Of a larger file our tables are checked here, and all by doctor.
_CHECKED_WHOLE_BYTES = 16 * 1024 * 1024


def examine_schema(connection: sqlite3.Connection, key_file: Path, key: bytes) -> SchemaReport:
    """Compare the schema with schema.sql and with the note beside the key; check the counters.

    Args:
        connection: in a read transaction.
        key_file: where the audit key is, beside which the note lies.
        key: the audit key.

    Raises:
        sqlite3.Error: the schema can't be read.
    """
    noted, complaint = read_baseline(key_file, key)
    report = check_schema(connection, noted)
    findings = [*report.findings, *check_counters(connection)]
    if complaint is not None:
        findings.append(complaint)
    elif report.findings and not noted:
        findings.append(
            f"There is no note of this database's schema beside {key_file}: "
            "it was compared with schema.sql alone."
        )
    return SchemaReport(tuple(findings), report.information)


def examine_unreadable_schema(database: Path, key_file: Path, key: bytes) -> SchemaReport:
    """Find what is wrong with a schema that SQLite refuses to read, as far as that can be said."""
    uri = f"{database.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute(
                "PRAGMA writable_schema = ON"
            )  # SQLite then passes over what it can't read
            return check_schema(connection, read_baseline(key_file, key)[0])
        except sqlite3.Error:
            return SchemaReport(())


def audit_damage(database: Path) -> list[str]:
    """Return what SQLite's integrity check reports: an index that hides records, a shared page.

    It has a connection of its own, so that it can run beside the verification: SQLite needs no GIL.

    Raises:
        sqlite3.Error: the file is locked by another program, or can't be read.
    """
    with snapshot(database) as connection:
        if size_bytes_of(connection) <= _CHECKED_WHOLE_BYTES:
            return find_damage(connection)
        return find_damage(connection, ours_alone=True)
