"""Make a checked copy of the database while everything runs.

The copy is a snapshot: it contains every capture that was acknowledged before the command began.
The file gets its name only when it is complete, checked and on disk.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from data_capture.cli.errors import CommandError
from data_capture.cli.files import (
    PARTIAL_SUFFIX,
    copy_database,
    give_to_owner_of,
    lock_folder_of,
    remove_partial,
    sync_to_disk,
    timestamp_for_name,
)
from data_capture.cli.formatting import format_count, format_size
from data_capture.cli.integrity_report import (
    IntegrityReport,
    create_integrity_report,
    open_snapshot,
    require_database_file,
)
from data_capture.cli.progress import Progress
from data_capture.sql.reports import is_lock_error

_TIMESTAMP_PATTERN = r"\d{8}T\d{6}\.\d{3}Z"


@dataclass(frozen=True)
class Backup:
    """A finished backup, and how long it took."""

    path: Path
    size_bytes: int
    report: IntegrityReport
    seconds: float


def default_backup_folder(database: Path) -> Path:
    """Return the folder of the backups if the operator names none."""
    return database.parent / "backups"


def find_backups(folder: Path, database: Path) -> list[Path]:
    """Return the backups of `database` in `folder`, oldest first."""
    return sorted(
        path for path in _find_named(folder, database) if path.is_file() and not path.is_symlink()
    )


def find_unfinished_backups(folder: Path, database: Path) -> list[Path]:
    """Return the incomplete files of backups that were killed."""
    return _find_named(folder, database, PARTIAL_SUFFIX)


def time_of_backup(backup: Path) -> float:
    """Return when a backup was made, in seconds since 1970.

    A copied backup has a later modification time, and the time in its name.
    """
    [moment] = re.findall(_TIMESTAMP_PATTERN, backup.name)[-1:]
    named = datetime.strptime(moment, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=timezone.utc)
    return min(named.timestamp(), backup.stat().st_mtime)


def back_up(database: Path, folder: Path | None, keep: int | None, progress: Progress) -> None:
    """Make a backup and print its path and contents.

    Args:
        database: the file to copy.
        folder: the folder for the copy; None creates and uses `backups/` next to the database.
        keep: how many backups remain in the folder, this one included; None keeps all.
        progress: shows how far the copy is.

    Raises:
        CommandError: no backup was made; or one was made and an older one can't be deleted.
    """
    if not database.exists():
        raise CommandError(
            f"There is no database {database}. The first start of the services creates it."
        )
    require_database_file(database)
    if folder is None:
        folder = _create_default_folder(database)
    _require_usable_folder(folder)
    with lock_folder_of(database):
        for leftover in find_unfinished_backups(folder, database):
            remove_partial(leftover)
        backup = _make_backup(database, folder, progress)
        _print_backup(backup)
        if keep is not None:
            _delete_oldest(folder, database, backup.path, keep)


def _create_default_folder(database: Path) -> Path:
    folder = default_backup_folder(database)
    try:
        folder.mkdir(mode=0o700)
        give_to_owner_of(database, folder)
    except FileExistsError:
        pass
    except OSError as error:
        raise CommandError(f"The folder {folder} can't be made: {error.strerror}.") from error
    return folder


def _require_usable_folder(folder: Path) -> None:
    if not folder.exists():
        # Not created: if a drive is not mounted, its mount point's disk would fill up instead.
        raise CommandError(
            f"There is no folder {folder}. Create it (mkdir) or mount its drive, and try again."
        )
    if not folder.is_dir():
        raise CommandError(f"{folder} is not a folder.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CommandError(f"The folder {folder} can't be written to.")


def _make_backup(database: Path, folder: Path, progress: Progress) -> Backup:
    began_at = time.monotonic()
    path = _choose_name(folder, database)
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    try:
        _copy(database, partial, progress)
        progress.step("Checking the copy …")
        report = _check_copy(database, partial)
        give_to_owner_of(database, partial)
        size_bytes = partial.stat().st_size
        partial.rename(path)
        sync_to_disk(folder)
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CommandError(
            f"The copy can't be written to {folder}: {reason}. No backup was made."
        ) from error
    finally:
        remove_partial(partial)
        progress.clear()
    return Backup(path, size_bytes, report, time.monotonic() - began_at)


def _copy(database: Path, partial: Path, progress: Progress) -> None:
    try:
        with open_snapshot(database) as source:
            copy_database(source, partial, progress)
    except sqlite3.OperationalError as error:
        if is_lock_error(error):
            raise CommandError(
                f"Another program locks {database}. Try again when it has finished."
            ) from error
        if "full" in str(error) or partial.exists():
            raise CommandError(
                f"The copy can't be written to {partial.parent}: {error}. No backup was made."
            ) from error
        raise CommandError(f"{database} can't be read: {error}. No backup was made.") from error
    except sqlite3.DatabaseError as error:
        raise _damage_error(database, str(error)) from error


def _check_copy(database: Path, partial: Path) -> IntegrityReport:
    with open_snapshot(partial) as connection:
        report = create_integrity_report(connection)
    if report.damage:
        raise _damage_error(database, "; ".join(report.damage))
    if report.missing_tables:
        missing = ", ".join(report.missing_tables)
        raise CommandError(
            f"{database} is not a database of Enhanced Data Capture: it has no {missing}. "
            "No backup was made."
        )
    return report


def _damage_error(database: Path, report: str) -> CommandError:
    return CommandError(
        f"{database} is damaged: {report.rstrip('.')}. No backup was made, and no older one was "
        "deleted. To return to an older one: python3 -m data_capture restore FILE"
    )


def _print_backup(backup: Backup) -> None:
    captures = format_count(backup.report.captures, "capture")
    rows = format_count(backup.report.rows, "row")
    print(
        f"{backup.path}: {format_size(backup.size_bytes)}, {captures} in {rows}, checked, "
        f"{backup.seconds:.1f} s",
        flush=True,
    )
    if backup.report.broken_references:
        # Not an error: without a backup, whoever repairs the database could not go back.
        broken = ", ".join(backup.report.broken_references.values())
        print(
            f"As in the database itself, some rows refer to a row that does not exist: {broken}.",
            flush=True,
        )


def _delete_oldest(folder: Path, database: Path, newest: Path, keep: int) -> None:
    others = [path for path in find_backups(folder, database) if path != newest]
    surplus = others[: max(0, len(others) - (keep - 1))]
    for path in surplus:
        try:
            path.unlink()
        except OSError as error:
            raise CommandError(
                f"The backup was made, but the older one {path} can't be deleted: {error.strerror}."
            ) from error
    if surplus:
        deleted = format_count(len(surplus), "older backup")
        print(f"Deleted {deleted}, kept {len(others) + 1 - len(surplus)}.", flush=True)


def _choose_name(folder: Path, database: Path) -> Path:
    while True:
        path = folder / f"{database.stem}-{timestamp_for_name()}{database.suffix}"
        if not path.exists():
            return path
        time.sleep(0.001)  # the name has milliseconds


def _find_named(folder: Path, database: Path, suffix: str = "") -> list[Path]:
    end = re.escape(database.suffix + suffix)
    name = re.compile(f"{re.escape(database.stem)}-{_TIMESTAMP_PATTERN}{end}")
    return [path for path in folder.iterdir() if name.fullmatch(path.name)]
