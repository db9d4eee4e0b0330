"""Set the old database aside and move the new one into its place."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from data_capture.audit.head import delete_head_file
from data_capture.cli.errors import CommandError
from data_capture.cli.exclusive_access import hold_exclusive_access
from data_capture.cli.files import give_to_owner_of, sync_to_disk, timestamp_for_name
from data_capture.settings import Settings
from data_capture.store.sqlite.lock import WriterLock, WriterLockTimeout, writer_lock_file

_WRITER_LOCK_SECONDS = 5.0
_JOURNAL_SUFFIXES = ("-wal", "-journal")


def staged_file(database: Path) -> Path:
    """Return the name of the new database until it replaces the old one."""
    return database.with_name(f"{database.stem}.restoring.partial")


def find_second_names(database: Path) -> list[Path]:
    """Find the names that a killed restore gave to the present database.

    A name next to which a WAL was set aside does not count: the two belong together.
    """
    names = []
    for path in database.parent.glob(f"{database.stem}.before-restore-*{database.suffix}"):
        with suppress(OSError):
            if not _has_journal(path) and os.path.samefile(path, database):
                names.append(path)
    return names


def remove_second_names(database: Path) -> None:
    """Remove the names that a killed restore gave to the present database."""
    for name in find_second_names(database):
        name.unlink()


def replace_database(staged: Path, settings: Settings) -> Path | None:
    """Move `staged` into the database's place.

    Returns:
        Where the old database is now; None if there was none.

    Raises:
        CommandError: another program uses the database; nothing was changed.
    """
    database = settings.database.resolve()
    writer_lock = WriterLock(settings.database)
    give_to_owner_of(staged, writer_lock_file(settings.database))  # this may have created the file
    try:
        # The services open and write the database under the writer lock, so none can begin now.
        with writer_lock.hold(_WRITER_LOCK_SECONDS), hold_exclusive_access(database):
            set_aside = _set_aside(database)
            delete_head_file(database)  # it is the head of the replaced audit trail
            staged.replace(database)
            sync_to_disk(database.parent)
            return set_aside
    except WriterLockTimeout:
        raise CommandError(
            f"Another process is writing to {database}. Nothing was changed; try again."
        ) from None
    finally:
        writer_lock.close()


def _set_aside(database: Path) -> Path | None:
    """Give the database a second name, and its WAL too if it still exists."""
    aside = _choose_name(database)
    existed = database.exists()
    if existed:
        _link(database, aside)
        sync_to_disk(database.parent)
    for suffix in _JOURNAL_SUFFIXES:
        with suppress(FileNotFoundError):
            database.with_name(database.name + suffix).rename(aside.with_name(aside.name + suffix))
    with suppress(FileNotFoundError):
        database.with_name(database.name + "-shm").unlink()  # SQLite rebuilds it from the WAL
    sync_to_disk(database.parent)
    return aside if existed else None


def _link(database: Path, aside: Path) -> None:
    try:
        os.link(database, aside)
    except OSError as error:
        raise CommandError(
            f"The file system of {database} can't give a file a second name ({error.strerror}), "
            "and without one the replacement is not safe. Nothing was changed. With the services "
            "stopped, move the database and its -wal away by hand, and restore again."
        ) from error


def _choose_name(database: Path) -> Path:
    while True:
        path = database.with_name(
            f"{database.stem}.before-restore-{timestamp_for_name()}{database.suffix}"
        )
        if not path.exists() and not _has_journal(path):
            return path


def _has_journal(database: Path) -> bool:
    return any(database.with_name(database.name + suffix).exists() for suffix in _JOURNAL_SUFFIXES)
