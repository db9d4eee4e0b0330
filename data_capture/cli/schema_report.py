"""Check a database's schema, for `verify-audit` and `doctor`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from data_capture.audit.counter_check import check_counters
from data_capture.audit.schema_baseline import read_baseline
from data_capture.audit.schema_check import SchemaReport, check_schema
from data_capture.cli.integrity_report import find_damage, open_snapshot
from data_capture.sql.pragmas import size_bytes_of

# Checking 16 MB takes 50 ms. In a larger file, verify-audit checks only the tables of schema.sql;
# doctor checks all.
_MAX_WHOLE_CHECK_BYTES = 16 * 1024 * 1024


def create_schema_report(
    connection: sqlite3.Connection, key_file: Path, key: bytes
) -> SchemaReport:
    """Compare the schema with schema.sql and the recorded one, and check the counters.

    Args:
        connection: in a read transaction.
        key_file: the file of the audit key; the recorded schema is next to it.
        key: the audit key.

    Raises:
        sqlite3.Error: the schema can't be read.
    """
    baseline, complaint = read_baseline(key_file, key)
    report = check_schema(connection, baseline)
    findings = [*report.findings, *check_counters(connection)]
    if complaint is not None:
        findings.append(complaint)
    elif report.findings and not baseline:
        findings.append(
            f"There is no record of this database's schema next to {key_file}: "
            "it was compared with schema.sql alone."
        )
    return SchemaReport(tuple(findings), report.information)


def create_unreadable_schema_report(database: Path, key_file: Path, key: bytes) -> SchemaReport:
    """Check a schema that SQLite refuses to read, as far as possible."""
    uri = f"{database.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA trusted_schema = OFF")
            # SQLite then skips the entries that it can't read.
            connection.execute("PRAGMA writable_schema = ON")
            return check_schema(connection, read_baseline(key_file, key)[0])
        except sqlite3.Error:
            return SchemaReport(())


def find_audit_damage(database: Path) -> list[str]:
    """Return SQLite's reports, such as an index that hides records, or a shared page.

    Uses its own connection, so that it can run in a thread next to the verification: SQLite
    releases the GIL.

    Raises:
        sqlite3.Error: another program locks the file, or it can't be read.
    """
    with open_snapshot(database) as connection:
        is_large = size_bytes_of(connection) > _MAX_WHOLE_CHECK_BYTES
        return find_damage(connection, only_schema_tables=is_large)
