"""Verify that the audit records and the schema are as they were written.

The schema matters because a changed view can hide records, and a trigger can change what is
written.
"""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from data_capture.audit.append import audit_key_file
from data_capture.audit.head import EMPTY_HEAD, Head, head_file, is_in_chain, read_head_file
from data_capture.audit.schema_baseline import baseline_file
from data_capture.audit.schema_check import SchemaReport
from data_capture.audit.schema_objects import is_plain_table, make_printable
from data_capture.audit.verify import verify
from data_capture.cli.audit_report import AuditReport, print_audit_report
from data_capture.cli.errors import CommandError
from data_capture.cli.integrity_report import open_snapshot, require_database_file
from data_capture.cli.progress import Progress
from data_capture.cli.schema_report import (
    create_schema_report,
    create_unreadable_schema_report,
    find_audit_damage,
)
from data_capture.key_files import load_key
from data_capture.sql.reports import is_lock_error

_TRAIL_TABLES = ("data_capture_audit", "data_capture_audit_chain")


def verify_audit(
    database: Path,
    key_file: Path | None,
    since: Head | None,
    *,
    print_head: bool,
    progress: Progress,
) -> bool:
    """Verify the audit trail and the schema, and print the findings.

    Args:
        database: the database; it is only read.
        key_file: the key, if it is not next to the database, as for a backup. A backup is not
            compared with the head in the file next to the database. The recorded schema is
            expected next to the key.
        since: an earlier head; its entry must still be in the chain.
        print_head: if everything is as it was written, print the head and nothing else.
        progress: shows how far the verification is.

    Returns:
        Whether every record and the schema are as they were written.

    Raises:
        CommandError: there is no key or no audit trail.
    """
    require_database_file(database)
    schema_key = key_file or audit_key_file(database)
    key = _load_key(schema_key)
    began_at = time.monotonic()
    # Read before the snapshot begins: the snapshot then contains the commit of this head.
    recorded_head = _read_recorded_head(database) if key_file is None else EMPTY_HEAD
    try:
        report = _create_report(database, schema_key, key, recorded_head, since, progress)
    finally:
        progress.clear()
    if report.is_good and print_head:
        assert report.records is not None
        print(report.records.head, flush=True)
        return True
    print_audit_report(report, database, schema_key, since, time.monotonic() - began_at)
    return report.is_good


def _create_report(
    database: Path,
    key_file: Path,
    key: bytes,
    recorded_head: Head,
    since: Head | None,
    progress: Progress,
) -> AuditReport:
    schema = SchemaReport(())
    try:
        with open_snapshot(database) as connection, ThreadPoolExecutor(1) as executor:
            schema = create_schema_report(connection, key_file, key)
            _require_trail(connection, database, has_baseline=baseline_file(key_file).exists())
            damage = executor.submit(find_audit_damage, database)
            report = _verify_records(connection, key, recorded_head, since, progress)
            reports = (
                f"SQLite's check of the tables reports: {make_printable(one)}."
                for one in damage.result()
            )
            schema = SchemaReport((*schema.findings, *reports), schema.information)
            return replace(report, schema=schema)
    except sqlite3.DatabaseError as error:
        if is_lock_error(error):
            raise CommandError(
                f"Another program locks {database}. Try again when it has finished."
            ) from error
        if not schema.findings:
            schema = create_unreadable_schema_report(database, key_file, key)
        if not schema.findings:
            raise CommandError(f"{database} can't be read: {error}.") from error
        return AuditReport(None, make_printable(str(error)), schema)


def _verify_records(
    connection: sqlite3.Connection,
    key: bytes,
    recorded_head: Head,
    since: Head | None,
    progress: Progress,
) -> AuditReport:
    replaced = [table for table in _TRAIL_TABLES if not is_plain_table(connection, table)]
    if replaced:
        unreadable = f"{' and '.join(replaced)} can't be read as our tables"
        return AuditReport(None, unreadable, SchemaReport(()))
    records = verify(
        connection,
        key,
        recorded_head,
        lambda done, total: progress.bar("Verifying", done, total, unit="records"),
    )
    is_head_kept = since is None or is_in_chain(connection, since)
    return AuditReport(records, "", SchemaReport(()), is_head_kept)


def _load_key(key_file: Path) -> bytes:
    try:
        return load_key(key_file)
    except FileNotFoundError:
        raise CommandError(
            f"There is no key {key_file}, and without it the audit trail can't be verified. "
            "The services' first start creates it. For a backup, or a copy on another machine, "
            "name the key of its installation with --key."
        ) from None
    except ValueError as error:
        raise CommandError(f"{key_file} holds no key.") from error


def _read_recorded_head(database: Path) -> Head:
    try:
        return read_head_file(database)
    except ValueError as error:
        raise CommandError(
            f"{head_file(database)} can't be read as the audit trail's head: "
            f"it should hold {error}."
        ) from error


def _require_trail(connection: sqlite3.Connection, database: Path, *, has_baseline: bool) -> None:
    tables = {
        name.lower()
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type <> 'trigger'")
    }
    if "data_capture_audit" not in tables and has_baseline:
        raise CommandError(
            f"The table data_capture_audit of {database} is gone, with all audit records."
        )
    if "data_capture_audit" not in tables:
        raise CommandError(
            f"{database} is not a database of Enhanced Data Capture: it has no data_capture_audit."
        )
    if "data_capture_audit_chain" not in tables:
        raise CommandError(
            f"The chain of {database} is gone: its key exists, and the table "
            "data_capture_audit_chain does not. If this is a backup from before there was a chain, "
            f"remove {audit_key_file(database)}; the next start then takes its records into a new "
            "chain."
        )
