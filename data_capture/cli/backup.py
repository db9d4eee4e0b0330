"""`backup`: a checked copy of the database, made while everything runs.

The copy is of one moment: every capture that was acknowledged before the command began is in it. It has its name only
once it is complete, checked and on disk.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from data_capture.cli import CommandError
from data_capture.cli.files import (
    PARTIAL_SUFFIX,
    copy_database,
    give_to_owner_of,
    one_at_a_time,
    refuse_lack_of_space,
    remove_partial,
    sync,
    time_for_name,
)
from data_capture.cli.formatting import Progress, count, size
from data_capture.cli.integrity_report import (
    IntegrityReport,
    examine,
    is_lock,
    refuse_what_is_no_database,
    snapshot,
)
from data_capture.sql.pragmas import size_bytes_of

_TIME = r"\d{8}T\d{6}\.\d{3}Z"


@dataclass(frozen=True)
class Backup:
    """A backup that was made."""

    path: Path
    size_bytes: int
    examination: IntegrityReport
    seconds: float


def backup_folder(database: Path) -> Path:
    """Where backups go when nobody says where."""
    return database.parent / "backups"


def backups_in(folder: Path, database: Path) -> list[Path]:
    """The backups of `database` in `folder`, by their names, oldest first."""
    return sorted(
        path for path in _named_in(folder, database, "") if path.is_file() and not path.is_symlink()
    )


def unfinished_in(folder: Path, database: Path) -> list[Path]:
    """What backups of `database` left in `folder` when they were killed."""
    return _named_in(folder, database, re.escape(PARTIAL_SUFFIX))


def back_up(database: Path, folder: Path | None, keep: int | None, progress: Progress) -> None:
    """Makes a backup and says so.

    Args:
        database: what to copy.
        folder: where to put it; by default into `backups/` beside the database, which is made.
        keep: how many backups to leave there, this one included; None for all.
        progress: shows how far it is.

    Raises:
        CommandError: there is no backup, and nothing half of one. If old ones could not be deleted, there is, and they are there.
    """
    if not database.exists():
        raise CommandError(
            f"There is no database {database}; it is made when the services are started for the first time."
        )
    refuse_what_is_no_database(database)
    if folder is None:
        folder = backup_folder(database)
        try:
            folder.mkdir(mode=0o700)
            give_to_owner_of(database, folder)
        except FileExistsError:
            pass
        except OSError as error:
            raise CommandError(f"The folder {folder} can't be made: {error.strerror}.") from error
    _refuse_unusable_folder(folder)
    with one_at_a_time(database):
        for leftover in unfinished_in(folder, database):
            remove_partial(leftover)
        backup = _make(database, folder, progress)
        _announce(backup)
        if keep is not None:
            _delete_oldest(folder, database, backup.path, keep)


def _make(database: Path, folder: Path, progress: Progress) -> Backup:
    began_at = time.monotonic()
    path = _new_name(folder, database)
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    try:
        _copy(database, partial, progress)
        progress.step("Checking the copy …")
        examination = _examine_copy(database, partial)
        give_to_owner_of(database, partial)
        size_bytes = partial.stat().st_size
        partial.rename(path)
        sync(folder)
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CommandError(
            f"The copy can't be written to {folder}: {reason}. No backup was made."
        ) from error
    finally:
        remove_partial(partial)
        progress.clear()
    return Backup(path, size_bytes, examination, time.monotonic() - began_at)


def _copy(database: Path, partial: Path, progress: Progress) -> None:
    try:
        with snapshot(database) as source:
            size_bytes = size_bytes_of(source)
            refuse_lack_of_space(partial.parent, size_bytes)
            copy_database(source, partial, lambda done, total: progress.bar("Copying", done, total))
    except sqlite3.OperationalError as error:
        if is_lock(error):
            raise CommandError(
                f"Another program holds the lock of {database}; try again when it has finished."
            ) from error
        if "full" in str(error) or partial.exists():
            raise CommandError(
                f"The copy can't be written to {partial.parent}: {error}. No backup was made."
            ) from error
        raise CommandError(f"{database} can't be read: {error}. No backup was made.") from error
    except sqlite3.DatabaseError as error:
        raise _damaged(database, str(error)) from error


def _examine_copy(database: Path, partial: Path) -> IntegrityReport:
    with snapshot(partial) as connection:
        examination = examine(connection)
    if examination.damage:
        raise _damaged(database, "; ".join(examination.damage))
    if examination.missing_tables:
        missing = ", ".join(examination.missing_tables)
        raise CommandError(
            f"{database} is not a database of Enhanced Data Capture: it has no {missing}. No backup was made."
        )
    return examination


def _damaged(database: Path, report: str) -> CommandError:
    return CommandError(
        f"{database} is damaged: {report.rstrip('.')}. No backup was made, and earlier ones were left as they are. "
        "The way back to one of them: python3 -m data_capture restore FILE"
    )


def _announce(backup: Backup) -> None:
    contents = f"{count(backup.examination.captures, 'capture')} in {count(backup.examination.rows, 'row')}"
    print(
        f"{backup.path}: {size(backup.size_bytes)}, {contents}, checked, {backup.seconds:.1f} s",
        flush=True,
    )
    if backup.examination.broken_references:
        # A copy is no worse than its original; without one, whoever has to repair that has nothing to fall back to.
        broken = ", ".join(backup.examination.broken_references.values())
        print(
            f"As in the database itself, there are rows that refer to someone who isn't there: {broken}.",
            flush=True,
        )


def _delete_oldest(folder: Path, database: Path, newest: Path, keep: int) -> None:
    others = [path for path in backups_in(folder, database) if path != newest]
    surplus = others[: max(0, len(others) - (keep - 1))]
    for path in surplus:
        try:
            path.unlink()
        except OSError as error:
            raise CommandError(
                f"The backup was made, but the old one {path} can't be deleted: {error.strerror}."
            ) from error
    if surplus:
        print(
            f"Deleted {count(len(surplus), 'older backup')}, kept {len(others) + 1 - len(surplus)}.",
            flush=True,
        )


def _refuse_unusable_folder(folder: Path) -> None:
    if not folder.exists():
        # Not made: a drive that isn't mounted would look just like that, and its mount point's disk be filled instead.
        raise CommandError(
            f"There is no folder {folder}. Make it (mkdir), or mount the drive that it is on, and try again."
        )
    if not folder.is_dir():
        raise CommandError(f"{folder} is not a folder.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CommandError(f"The folder {folder} can't be written to.")


def _new_name(folder: Path, database: Path) -> Path:
    while True:
        path = folder / f"{database.stem}-{time_for_name()}{database.suffix}"
        if not path.exists():
            return path
        time.sleep(0.001)


def _named_in(folder: Path, database: Path, more: str) -> list[Path]:
    name = re.compile(f"{re.escape(database.stem)}-{_TIME}{re.escape(database.suffix)}{more}")
    return [path for path in folder.iterdir() if name.fullmatch(path.name)]
