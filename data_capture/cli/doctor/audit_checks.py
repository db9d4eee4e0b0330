"""Check that the database still has the audit records that were noted outside it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from data_capture.audit.head import EMPTY_HEAD, Head, head_file, is_in_chain, read_head_file
from data_capture.cli.doctor.findings import Result, ok, problem, warning
from data_capture.cli.formatting import format_count
from data_capture.cli.integrity_report import open_snapshot
from data_capture.settings import Settings
from data_capture.sql.database_file import is_database_file

_EXPLAIN = "python3 -m data_capture verify-audit says which one, and what to do"

_SELECT_NEWEST = """
SELECT chain.audit_id, record.timestamp FROM data_capture_audit_chain chain
LEFT JOIN data_capture_audit record ON record.id = chain.audit_id
ORDER BY chain.audit_id DESC LIMIT 1
"""


def check_audit_head(settings: Settings) -> Result:
    """Compare the audit trail with its head in the file next to the database.

    Records that were committed to a WAL are gone when someone deletes the WAL. The database is then
    intact, so that only the head shows the loss.
    """
    database = settings.database
    try:
        recorded = read_head_file(database)  # before the snapshot, which then contains it
    except ValueError as error:
        return problem(f"{head_file(database)} is damaged: it should hold {error}", _EXPLAIN)
    if recorded == EMPTY_HEAD:
        return ok("no record was noted outside the database yet")
    if not database.exists() or database.stat().st_size == 0:
        return problem(
            f"{database} is gone or empty, and it had {format_count(recorded.audit_id, 'record')}",
            "bring the file back, with its -wal, or restore a backup; otherwise the next start of "
            f"the services makes a new, empty database. If that is intended, remove "
            f"{head_file(database)}",
        )
    if not is_database_file(database):
        return warning("not checked, because the file is no database", "see integrity")
    try:
        with open_snapshot(database, settings.request_seconds) as connection:
            if is_in_chain(connection, recorded):
                return ok(f"complete up to record {recorded.audit_id:,}, which was noted outside")
            return _describe_loss(connection, database, recorded)
    except sqlite3.Error as error:
        return warning(f"not checked, because the file can't be read: {error}", "see integrity")


def _describe_loss(connection: sqlite3.Connection, database: Path, recorded: Head) -> Result:
    newest_id, timestamp = connection.execute(_SELECT_NEWEST).fetchone() or (0, None)
    if newest_id >= recorded.audit_id:
        return problem(
            f"record {recorded.audit_id:,} is not the one that was noted outside: records were "
            "lost or changed, and others have their numbers",
            _EXPLAIN,
        )
    missing = format_count(recorded.audit_id - newest_id, "record")
    are = "is" if recorded.audit_id - newest_id == 1 else "are"
    since = "" if timestamp is None else f", everything since {timestamp}"
    return problem(
        f"{missing} of {recorded.audit_id:,} {are} missing{since}, and the captures with them: "
        "the WAL (-wal) was deleted, or the file is an older copy",
        "stop the services; bring the file or its WAL back, or restore a backup that is newer. "
        f"If you put an older copy there on purpose, remove {head_file(database)}",
    )
