"""Replace the database with a backup, while the services are stopped.

    FILE ──copy, check──▶ trading_bots.restoring.partial
                                  │ rename, one step
    trading_bots.db  ◀────────────┘
          └──second name, given before──▶ trading_bots.before-restore-20240115T103000.000Z.db

There is always a complete file under the database's name: the old one up to the rename, then the
new one. Before the rename, the WAL of the old one is checkpointed, or gets the second name as
well: SQLite would apply it to whatever file has the database's name.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

from data_capture.cli.confirmation import Confirm
from data_capture.cli.erase import erase_again_after_restore
from data_capture.cli.errors import CommandError
from data_capture.cli.files import (
    copy_database,
    give_to_owner_of,
    lock_folder_of,
    remove_partial,
    sync_to_disk,
)
from data_capture.cli.formatting import format_count, format_size
from data_capture.cli.integrity_report import (
    IntegrityReport,
    create_integrity_report,
    open_snapshot,
    require_database_file,
    schema_tables,
)
from data_capture.cli.open_handles import find_services_using
from data_capture.cli.progress import Progress
from data_capture.cli.replacement import (
    remove_second_names,
    replace_database,
    staged_file,
)
from data_capture.cli.signals import block_signals
from data_capture.settings import Settings
from data_capture.sql.database_file import is_database_file


def restore(
    file: Path,
    settings: Settings,
    *,
    accept_broken_references: bool,
    confirm: Confirm,
    progress: Progress,
) -> None:
    """Restore `file` and print what was done and how to undo it.

    Args:
        file: a backup, or another database of the product; it is only read.
        settings: name the database, and where its services would listen.
        accept_broken_references: restore a file even if rows in it refer to missing rows.
        confirm: nothing is changed if it returns False; the description reads the present database.
        progress: shows how far the copy is.

    Raises:
        CommandError: nothing was changed.
    """
    database = settings.database.resolve()  # of a link, the target is replaced
    require_database_file(file)
    _require_replaceable(database)
    if database.exists() and os.path.samefile(file, database):
        raise CommandError(f"{file} is the database itself.")
    _require_stopped_services(settings)
    with lock_folder_of(database):
        remove_second_names(database)
        staged = staged_file(database)
        remove_partial(staged)
        try:
            report = _stage(file, staged, database, progress)
            _require_sound(file, report, accept_broken_references=accept_broken_references)
            _prepare_staged(staged, database)
            if not confirm(lambda: _describe_change(file, report, database)):
                raise CommandError("Nothing was changed.")
            with block_signals():
                set_aside = replace_database(staged, settings)
        except OSError as error:
            raise CommandError(
                f"{file} can't be restored: {error.strerror or error}. Nothing was changed."
            ) from error
        finally:
            remove_partial(staged)
            progress.clear()
    _print_result(file, report, database, set_aside)
    _erase_again(settings)
    print("You can start the services again.", flush=True)


def _require_replaceable(database: Path) -> None:
    folder = database.parent
    if not folder.is_dir():
        raise CommandError(f"There is no folder {folder} to restore to.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CommandError(f"The folder {folder} can't be written to.")
    if not database.exists():
        return
    status = database.stat()
    if not stat.S_ISREG(status.st_mode):
        raise CommandError(f"{database} is not a regular file, so it can't be replaced.")
    if os.geteuid() not in (0, status.st_uid):
        raise CommandError(
            f"{database} belongs to another user (uid {status.st_uid}). "
            "Restore as that user, who runs the services."
        )


def _require_stopped_services(settings: Settings) -> None:
    running = find_services_using(settings)
    if running:
        raise CommandError(
            f"These services use the database: {' and '.join(running)}. "
            "Stop them first (Ctrl-C where they were started)."
        )


def _stage(file: Path, staged: Path, database: Path, progress: Progress) -> IntegrityReport:
    """Copy `file` next to the database, and check the copy."""
    try:
        with open_snapshot(file) as source:
            copy_database(source, staged, progress)
        progress.step("Checking the copy …")
        with open_snapshot(staged) as copy:
            return create_integrity_report(copy)
    except sqlite3.OperationalError as error:
        raise CommandError(
            f"{file} can't be copied to {database.parent}: {error}. Nothing was changed."
        ) from error
    except sqlite3.DatabaseError as error:
        raise CommandError(f"{file} is damaged: {error}. Nothing was changed.") from error
    finally:
        progress.clear()


def _require_sound(file: Path, report: IntegrityReport, *, accept_broken_references: bool) -> None:
    if report.damage:
        raise CommandError(f"{file} is damaged: {'; '.join(report.damage)}. Nothing was changed.")
    if report.missing_tables:
        missing = ", ".join(report.missing_tables)
        raise CommandError(
            f"{file} is not a database of Enhanced Data Capture: it has no {missing}. "
            "Nothing was changed."
        )
    broken = [
        description
        for table, description in report.broken_references.items()
        if table in schema_tables()
    ]
    if broken and not accept_broken_references:
        raise CommandError(
            f"In {file} some rows refer to a row that does not exist: {', '.join(broken)}. "
            "Nothing was changed. To restore it anyway, add --accept-broken-references."
        )


def _prepare_staged(staged: Path, database: Path) -> None:
    """Give the copy the database's owner and mode, and sync it."""
    give_to_owner_of(database if database.exists() else database.parent, staged)
    if database.exists():
        staged.chmod(stat.S_IMODE(database.stat().st_mode) | stat.S_IRUSR | stat.S_IWUSR)
    sync_to_disk(staged)


def _print_result(
    file: Path, report: IntegrityReport, database: Path, set_aside: Path | None
) -> None:
    print(f"{database} now has the data of {file}: {_describe_contents(report)}.")
    if set_aside is not None:
        print(
            f"The previous database is now {set_aside}. "
            f"To go back: python3 -m data_capture restore {set_aside}"
        )


def _describe_change(file: Path, report: IntegrityReport, database: Path) -> str:
    lines = [f"Will be restored: {file}, {_describe_contents(report)}"]
    if database.exists():
        lines.append(
            f"It replaces:      {database}, {_describe_present(database)}; "
            "that file will be set aside, not deleted"
        )
    return "\n".join(lines)


def _describe_contents(report: IntegrityReport) -> str:
    latest = f", latest audit record {report.latest}" if report.latest else ""
    return format_count(report.captures, "capture") + latest


def _describe_present(database: Path) -> str:
    size = format_size(database.stat().st_size)
    if not is_database_file(database):  # SQLite would delete the WAL of an empty file
        return f"{size}, not a database"
    try:
        with open_snapshot(database) as connection:
            present = create_integrity_report(connection)
    except sqlite3.Error as error:
        return f"{size}, can't be read ({error})"
    if present.damage:
        return f"{size}, damaged ({present.damage[0]})"
    if present.missing_tables:
        return "a database of another program"
    return _describe_contents(present)


def _erase_again(settings: Settings) -> None:
    try:
        erase_again_after_restore(settings)
    except CommandError as error:
        print(
            "Users who were erased after this backup was made are erased again when the capture "
            f"service starts, because it is not possible now: {error}"
        )
