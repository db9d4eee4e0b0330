"""Check the database: integrity, foreign keys, lock, SQLite's version and the WAL."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from data_capture.audit.append import audit_key_file
from data_capture.cli.doctor.file_checks import is_read_only
from data_capture.cli.doctor.findings import Level, Result, ok, problem, warning
from data_capture.cli.errors import CommandError
from data_capture.cli.files import wal_file
from data_capture.cli.formatting import format_count, format_size
from data_capture.cli.integrity_report import (
    find_broken_references,
    find_damage,
    open_snapshot,
    require_database_file,
    schema_tables,
)
from data_capture.cli.open_handles import find_programs_using
from data_capture.cli.progress import Progress
from data_capture.cli.schema_report import create_schema_report
from data_capture.key_files import load_key
from data_capture.settings import Settings
from data_capture.sql.database_file import is_database_file
from data_capture.sql.reports import is_lock_error
from data_capture.store.sqlite.connection import checkpoint_size_bytes
from data_capture.store.sqlite.lock import WriterLock, WriterLockTimeout, writer_lock_file

_FIXED_SQLITE = (3, 51, 3)  # the first without the WAL-reset bug (sqlite.org/wal.html)
_OLDEST_SQLITE = (3, 24, 0)  # the first with ON CONFLICT … DO UPDATE, which the store uses

# A WAL beyond 4 times its usual size has grown during a long read; SQLite reuses it afterwards.
_LARGE_WAL_FACTOR = 4
_MAX_SCHEMA_FINDINGS = 5

_RESTORE = "stop the services and restore a backup: python3 -m data_capture restore FILE"
_UNREADABLE = "see the lines above; if nothing is wrong there, restore a backup"
_NOT_OPENED = "not checked, because SQLite can't write its files in the folder"
_VERIFY = (
    "python3 -m data_capture verify-audit explains it, and what to do if it was done on purpose"
)


def check_integrity(settings: Settings, *, quick: bool, progress: Progress) -> Result:
    """Run SQLite's integrity check, and compare the schema with the recorded one."""
    database = settings.database
    if _is_empty(database):
        return ok("there is nothing to check yet")
    if not os.access(database, os.R_OK):
        return problem("not checked, because this user can't read the file", "see database file")
    if _cannot_be_opened(database):
        return warning(_NOT_OPENED, "see database folder")
    began_at = time.monotonic()
    try:
        require_database_file(database)
        progress.step("Checking the database …")
        with open_snapshot(database, settings.request_seconds) as connection:
            damage = find_damage(connection, quick=quick)
            changes = _find_schema_changes(connection, database, is_damaged=bool(damage))
    except CommandError as error:
        return problem(str(error).rstrip("."), _RESTORE)
    except sqlite3.Error as error:
        # SQLite reports "malformed" when it can't even read the schema.
        state = "damaged" if "malformed" in str(error) else "it can't be read"
        if "malformed" not in str(error):
            return problem(f"{state}: {error}", "see lock" if is_lock_error(error) else _UNREADABLE)
        return problem(f"{state}: {error}", _RESTORE)
    if changes:
        state = f"damaged: {'; '.join(damage)}; and" if damage else "intact, but"
        answer = f"{state} its schema was changed: {' '.join(changes)}"
        return problem(answer, _RESTORE if damage else _VERIFY)
    if damage:
        return problem(f"damaged: {'; '.join(damage)}", _RESTORE)
    check = "quick check, without indexes" if quick else "full check"
    size = format_size(database.stat().st_size)
    return ok(f"intact ({check} of {size} in {time.monotonic() - began_at:.1f} s)")


def _find_schema_changes(
    connection: sqlite3.Connection, database: Path, *, is_damaged: bool
) -> list[str]:
    """Return `verify-audit`'s findings on the schema; none before the first start."""
    try:
        key_file = audit_key_file(database)
        findings = create_schema_report(connection, key_file, load_key(key_file)).findings
    except (OSError, ValueError):
        return []  # without a key the schema can't be compared; the check of the keys reports that
    except sqlite3.DatabaseError as error:
        if not is_damaged or is_lock_error(error):
            raise
        return []  # the damage that was found makes the schema unreadable
    shown = [*findings[:_MAX_SCHEMA_FINDINGS]]
    if len(findings) > len(shown):
        shown.append(f"And {format_count(len(findings) - len(shown), 'finding')} more.")
    return shown


def check_references(settings: Settings) -> Result:
    """Check that every row's foreign keys find their rows."""
    database = settings.database
    if _is_empty(database):
        return ok("there is nothing to check yet")
    if _cannot_be_opened(database):
        return warning(_NOT_OPENED, "see database folder")
    try:
        with open_snapshot(database, settings.request_seconds) as connection:
            broken = find_broken_references(connection)
    except sqlite3.Error as error:
        return warning(f"not checked, because the file can't be read: {error}", "see integrity")
    if not broken:
        return ok("every row refers to a row that exists")
    # Another program is responsible for the rows of its own tables.
    return Result(
        Level.PROBLEM if schema_tables() & set(broken) else Level.WARNING,
        f"rows refer to a row that does not exist: {', '.join(broken.values())}",
        "someone has changed the file by hand, without PRAGMA foreign_keys = ON; "
        "PRAGMA foreign_key_check names the rows",
    )


def check_lock(settings: Settings) -> Result:
    """Check that a write could begin; no write is made.

    As the services do, this waits up to `request_seconds` for the lock.
    """
    database, path = settings.database, writer_lock_file(settings.database)
    if not database.exists() or not path.exists():
        # The lock's file is not created here: if sudo created it, the services could not open it.
        return ok("no service has run yet, so no service holds a lock")
    if not is_database_file(database):  # SQLite would delete the WAL of an empty file
        return warning("not checked, because the file is no database", "see integrity")
    if is_read_only(path):
        return warning(
            "not checked: a write can't begin on a read-only disk", "see database folder"
        )
    if not os.access(path, os.R_OK | os.W_OK):
        return problem(
            f"{path} can't be read and written by this user", f"chmod 600 {path}, as its owner"
        )
    seconds = settings.request_seconds
    writer_lock = WriterLock(database)
    try:
        with writer_lock.hold(seconds):
            _begin_and_roll_back(database, seconds)
    except WriterLockTimeout:
        return problem(
            f"{path} is held for longer than {seconds:g} s",
            "a process of the services hangs: restart the services",
        )
    except sqlite3.Error as error:
        if not is_lock_error(error):
            return problem(f"a write can't begin: {error}", "see the lines above")
        programs = ", ".join(find_programs_using(database)) or "another program"
        return problem(
            f"another program holds the lock; the file is open in {programs}",
            "let that program commit or end; until then captures get status 503 and wait in the "
            "browsers",
        )
    finally:
        writer_lock.close()
    return ok("a write can begin")


def _begin_and_roll_back(database: Path, busy_seconds: float) -> None:
    uri = f"{database.resolve().as_uri()}?mode=rw"
    # The snapshot's connection keeps this one from checkpointing when it closes: doctor changes
    # nothing.
    with (
        open_snapshot(database, busy_seconds),
        closing(
            sqlite3.connect(uri, uri=True, isolation_level=None, timeout=busy_seconds)
        ) as connection,
    ):
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def check_sqlite_version() -> Result:
    """Check that SQLite is new enough, and whether it has the WAL-reset bug."""
    version = sqlite3.sqlite_version
    numbers = tuple(int(part) for part in version.split("."))
    if numbers < _OLDEST_SQLITE:
        return problem(f"{version} is too old", "use a Python with SQLite 3.24 or newer")
    if numbers < _FIXED_SQLITE:
        return ok(
            f"{version}; the services' writer lock avoids its WAL-reset bug (fixed in 3.51.3), "
            "but other programs that write to the file do not use that lock"
        )
    return ok(f"{version}, without the WAL-reset bug")


def check_wal(database: Path) -> Result:
    """Check that the WAL belongs to a database, and that it is not too large."""
    wal = wal_file(database)
    if not wal.exists():
        return ok("there is none, so all data is in the database file")
    wal_bytes = wal.stat().st_size
    if wal_bytes > 0 and _is_empty(database):
        return problem(
            f"{wal} ({format_size(wal_bytes)}) exists without its database",
            "do not start the services: first put the database back next to it, or move it away "
            "if it is not needed",
        )
    if wal_bytes > _LARGE_WAL_FACTOR * checkpoint_size_bytes(database.stat().st_size):
        return warning(
            f"{format_size(wal_bytes)}: a program read the database for a long time during writes",
            "end the programs that have it open; a restart of the services makes it small again",
        )
    return ok(format_size(wal_bytes))


def _cannot_be_opened(database: Path) -> bool:
    """Tell whether SQLite would need to create files in a folder that can't be written to.

    It reads a file in WAL mode only with a WAL index, unless that exists already.
    """
    folder = database.resolve().parent
    if not is_read_only(folder) and os.access(folder, os.W_OK | os.X_OK):
        return False
    wal = wal_file(database)
    return not (wal.exists() and wal.with_name(f"{database.resolve().name}-shm").exists())


def _is_empty(database: Path) -> bool:
    return not database.exists() or (database.is_file() and database.stat().st_size == 0)
