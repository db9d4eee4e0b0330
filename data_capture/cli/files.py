"""Copies, names and locks: what makes that no file that bears a database's name is ever half there."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from data_capture.cli import CommandError
from data_capture.cli.formatting import size
from data_capture.key_files import open_new_file

PARTIAL_SUFFIX = ".partial"
"""What a file's name ends with while it is being made."""

# A step is 4 MB with SQLite's usual pages: many a second, and the time between them does not count.
_PAGES_A_STEP = 1000


def copy_database(
    source: sqlite3.Connection, copy: Path, on_progress: Callable[[int, int], None]
) -> None:
    """Copies what the read transaction of `source` sees to the new file `copy`: one file, without a log beside it.

    The transaction stays open between the steps. Without one, SQLite starts from the beginning each time that another
    process has written, and with captures arriving all the time would never get to the end.

    Args:
        source: a connection in a read transaction.
        copy: the file to make, readable by its owner only.
        on_progress: is told how many pages of how many are done.

    Raises:
        FileExistsError: there is such a file.
        OSError: it can't be made.
        sqlite3.Error: reading or writing failed; an incomplete file may be left.
    """
    os.close(open_new_file(copy))
    with closing(sqlite3.connect(copy, isolation_level=None)) as target:
        target.execute("PRAGMA synchronous = OFF")  # it is synced below, all at once
        target.execute("PRAGMA journal_mode = MEMORY")
        source.backup(
            target,
            pages=_PAGES_A_STEP,
            progress=lambda _, left, total: on_progress(total - left, total),
        )
        # The copy has the original's header, which asks for a log; this way it can be read from a read-only medium too.
        target.execute("PRAGMA journal_mode = DELETE")
    sync(copy)


def writer_lock_file(database: Path) -> Path:
    """The file of the store's gate (`store.connection.WriterLock`)."""
    return database.with_name(database.name + "-gate")


def log_beside(database: Path) -> Path:
    """The file of SQLite's write-ahead log, which lies beside the file that a link leads to."""
    real = database.resolve()
    return real.with_name(real.name + "-wal")


def remove_partial(path: Path) -> None:
    """Removes a file that was being made, with what SQLite puts beside it."""
    for each in (
        path,
        *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal")),
    ):
        with suppress(FileNotFoundError):
            each.unlink()


def sync(path: Path) -> None:
    """Returns when the file, or the folder's list of names, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def give_to_owner_of(model: Path, *paths: Path) -> None:
    """Under sudo, makes `paths` belong to whom `model` belongs to, who could not use the superuser's files."""
    if os.geteuid() == 0:
        status = model.stat()
        for path in paths:
            os.chown(path, status.st_uid, status.st_gid)


def time_for_name() -> str:
    """This moment as it stands in a file's name, such that the order of names is the order of time."""
    now = datetime.now(timezone.utc)
    return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z"


def refuse_lack_of_space(folder: Path, needed_bytes: int) -> None:
    """Refuses to begin a copy that has no room.

    Raises:
        CommandError: with how much is needed and how much there is.
    """
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise CommandError(
            f"The copy needs {size(needed_bytes)}, and the disk of {folder} has {size(free_bytes)} left."
        )


@contextmanager
def one_at_a_time(database: Path) -> Iterator[None]:
    """Lets one backup or restore of a database's folder run after the other. The lock leaves no file behind."""
    descriptor = os.open(database.resolve().parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(
                "Another backup or restore is under way here; waiting for its end …",
                file=sys.stderr,
                flush=True,
            )
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
