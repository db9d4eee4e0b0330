"""Copy databases, name files and lock folders; no file is ever incomplete."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from data_capture.cli.errors import CommandError
from data_capture.cli.formatting import format_size
from data_capture.cli.progress import Progress
from data_capture.key_files import open_new_file
from data_capture.sql.pragmas import size_bytes_of

PARTIAL_SUFFIX = ".partial"
"""The end of a file's name while the file is incomplete."""

# 4 MB with SQLite's usual pages: short enough for many steps a second.
_PAGES_PER_STEP = 1000


def copy_database(source: sqlite3.Connection, copy: Path, progress: Progress) -> None:
    """Copy the snapshot of `source` to the new file `copy`: one file without a WAL.

    The read transaction stays open between the steps. Without it, SQLite starts from the beginning
    each time that another process has written, and would never finish while captures arrive.

    Args:
        source: a connection in a read transaction.
        copy: the file to create; only its owner can read it.
        progress: shows the number of bytes copied.

    Raises:
        CommandError: the disk has too little space.
        FileExistsError: the file exists.
        OSError: the file can't be created.
        sqlite3.Error: reading or writing failed; an incomplete file may remain.
    """
    _require_free_space(copy.parent, size_bytes_of(source))
    (page_bytes,) = source.execute("PRAGMA page_size").fetchone()
    os.close(open_new_file(copy))
    with closing(sqlite3.connect(copy, isolation_level=None)) as target:
        target.execute("PRAGMA synchronous = OFF")  # the whole file is synced below
        target.execute("PRAGMA journal_mode = MEMORY")
        source.backup(
            target,
            pages=_PAGES_PER_STEP,
            progress=lambda _, left, total: progress.bar(
                "Copying", (total - left) * page_bytes, total * page_bytes, unit="bytes"
            ),
        )
        # The original's header asks for WAL mode, which a read-only medium does not allow.
        target.execute("PRAGMA journal_mode = DELETE")
    sync_to_disk(copy)


def wal_file(database: Path) -> Path:
    """Return the path of SQLite's WAL: next to the database that a link points to."""
    real = database.resolve()
    return real.with_name(real.name + "-wal")


def remove_partial(path: Path) -> None:
    """Remove an incomplete file, and the files that SQLite puts next to it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).unlink()


def sync_to_disk(path: Path) -> None:
    """Return when a file's contents, or a folder's list of names, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def give_to_owner_of(model: Path, *paths: Path) -> None:
    """Give `paths` to the owner of `model` when the superuser runs the command.

    With sudo, the services could not use the new files otherwise.
    """
    if os.geteuid() == 0:
        status = model.stat()
        for path in paths:
            os.chown(path, status.st_uid, status.st_gid)


def timestamp_for_name() -> str:
    """Return the present time for a file's name; text order is time order."""
    now = datetime.now(timezone.utc)
    return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z"


def _require_free_space(folder: Path, needed_bytes: int) -> None:
    """Raise CommandError if the disk has no room for a copy of `needed_bytes`."""
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise CommandError(
            f"The copy needs {format_size(needed_bytes)}, and the disk of {folder} has only "
            f"{format_size(free_bytes)} left. Free some space and try again."
        )


@contextmanager
def lock_folder_of(database: Path) -> Iterator[None]:
    """Let one backup or restore at a time work in the database's folder; others wait.

    The folder itself is locked, so that no lock file remains.
    """
    descriptor = os.open(database.resolve().parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(
                "Waiting for another backup or restore of this folder to end …",
                file=sys.stderr,
                flush=True,
            )
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
