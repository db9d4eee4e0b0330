"""Check a database file and the keys next to it, before anything is written."""

from __future__ import annotations

import logging
import os
import shlex
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path

from data_capture.audit.append import audit_key_file
from data_capture.key_files import UntrustedKeysError, check_keys_directory, load_key
from data_capture.sql.database_file import DATABASE_HEADER, read_header
from data_capture.sql.reports import is_damage, is_lock_error
from data_capture.store.sqlite.keys import receipts_key_file
from data_capture.store.sqlite.lock import writer_lock_file

log = logging.getLogger("data_capture.store")

_RESTORE = "python3 -m data_capture restore FILE"
_MAX_REPORTS_NAMED = 3
_MODE_OF_OTHERS = 0o077
_MODE_OF_WRITERS = 0o222


class DatabaseRefused(Exception):
    """Report that a file can't be used and was left unchanged.

    The text is for the operator.
    """


def warn_of_other_readers(database: Path) -> None:
    """Log a warning if other users of this machine can open the database.

    The mode is the owner's to change.
    """
    mode = stat.S_IMODE(database.stat().st_mode)
    if mode & _MODE_OF_OTHERS:
        log.warning(
            "Other users of this machine can open the database (mode %04o): chmod 600 %s",
            mode,
            database,
        )


def check_file(database: Path) -> bool:
    """Return whether the file exists and has content.

    Raises:
        DatabaseRefused: it is not a database that can be written.
    """
    _check_folder(database.parent)
    try:
        status = database.stat()
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(status.st_mode):
        raise DatabaseRefused(f"{database} is a folder; the database has to be a file.")
    if not stat.S_ISREG(status.st_mode):
        raise DatabaseRefused(f"{database} is not a regular file; the database has to be one.")
    # The superuser may write to every file; one without any write permission is so on purpose.
    if not os.access(database, os.R_OK | os.W_OK) or not status.st_mode & _MODE_OF_WRITERS:
        raise DatabaseRefused(
            f"{database} is read-only for this program, which has to read and write it. "
            "Nothing was changed."
        )
    if status.st_size == 0:
        return False
    if read_header(database) != DATABASE_HEADER:
        raise DatabaseRefused(
            f"{database} is not an SQLite database (or an encrypted one). Nothing was changed. "
            "Name another file with --database or EDC_DATABASE."
        )
    return True


def check_not_lost(database: Path, *, may_create: bool) -> None:
    """Check that an empty database would not hide the loss of one with content.

    Logs a warning if only the writer lock's file of an older database is left.

    Raises:
        DatabaseRefused: there was a database.
    """
    wal = database.with_name(database.name + "-wal")
    with suppress(OSError):
        if wal.stat().st_size > 0:
            raise DatabaseRefused(
                f"{database} is missing or empty, but {wal.name} next to it holds the latest "
                "captures of the file that was there. Nothing was changed. Put that file back, or "
                f"a backup of it: {_RESTORE}. To begin with an empty database, move {wal.name} "
                "away."
            )
    if not may_create:
        raise DatabaseRefused(
            f"{database} is gone, or empty: it was deleted, moved away or cut off while the "
            "services ran. No new database was made. Put the file back, or a backup of it: "
            f"{_RESTORE}. To begin with an empty database, stop everything and start again."
        )
    # In this order: a process that makes a database makes the file before its lock's file.
    if writer_lock_file(database).exists() and not database.exists():
        log.warning(
            "There was a database before, and it is gone: a new, empty one is made. File: %s",
            database,
        )


def check_audit_key(database: Path) -> bool:
    """Return whether there is an audit key.

    Raises:
        DatabaseRefused: the key can't be read, or its folder can't be written to or trusted.
    """
    key_file = audit_key_file(database)
    folder = key_file.parent
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        has_key = key_file.exists()
        if has_key:
            load_key(key_file)
        check_keys_directory(database.resolve())
        if has_key:
            return True
        if os.access(folder, os.W_OK | os.X_OK):
            return False
    except UntrustedKeysError as error:
        raise DatabaseRefused(f"{error} Nothing was changed.") from error
    except ValueError as error:
        raise DatabaseRefused(
            f"{error} The audit trail then begins a new chain, and earlier heads are void."
        ) from error
    except OSError as error:
        raise DatabaseRefused(
            f"{error.filename} can't be used: {error.strerror}. Nothing was changed."
        ) from error
    raise DatabaseRefused(
        f"The folder {folder} can't be written to; the audit trail's key has to be in it. "
        "Nothing was changed."
    )


def check_receipts_key(database: Path) -> None:
    """Check the receipts' key, if there is one.

    Raises:
        DatabaseRefused: the key can't be read.
    """
    key_file = receipts_key_file(database)
    try:
        if key_file.exists():
            load_key(key_file)
    except ValueError as error:
        raise DatabaseRefused(
            f"{error} Receipts made with the old key can't be compared then. Nothing was changed."
        ) from error
    except OSError as error:
        raise DatabaseRefused(
            f"{key_file} can't be used: {error.strerror}. Nothing was changed."
        ) from error


def check_integrity(connection: sqlite3.Connection, database: Path) -> None:
    """Run SQLite's quick_check.

    Raises:
        DatabaseRefused: the file is damaged.
        sqlite3.OperationalError: it is locked.
    """
    try:
        reports = _quick_check(connection, 100)
    except sqlite3.OperationalError as error:
        if is_lock_error(error):
            raise
        return  # another program's table needs a collation or a module that only it has
    except sqlite3.DatabaseError:
        # After the first reports the check met damaged rows, and Python dropped all reports.
        reports = _quick_check(connection, 1)
    damage = [report.replace("\n", " ") for report in reports if is_damage(report)]
    if damage:
        raise DatabaseRefused(describe_damage(database, "; ".join(damage[:_MAX_REPORTS_NAMED])))


def describe_damage(database: Path, report: str) -> str:
    """Return the error text for a damaged file, with the commands that may help."""
    recovered = database.with_name(f"{database.stem}-recovered{database.suffix}")
    return (
        f"{database} is damaged: {report}. Nothing was changed. Put a backup in its place "
        f"({_RESTORE}; one is made with python3 -m data_capture backup), or save what can be read "
        f"with: sqlite3 {shlex.quote(str(database))} .recover | "
        f"sqlite3 {shlex.quote(str(recovered))}"
    )


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise DatabaseRefused(
            f"The folder {folder} does not exist. Create it, or name another file with --database "
            "or EDC_DATABASE."
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DatabaseRefused(
            f"The folder {folder} can't be written to; the database's WAL has to be in it."
        )


def _quick_check(connection: sqlite3.Connection, max_reports: int) -> list[str]:
    rows = connection.execute(f"PRAGMA quick_check({max_reports})")
    return [str(report) for (report,) in rows]
