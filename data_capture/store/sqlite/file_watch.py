"""Detect lost database files, and a full disk.

A program that deletes or replaces the database leaves its users with a file without a name: writes
to it succeed and are synced, and are gone when the users close it.
"""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

# SQLite reports some effects of a full disk as I/O errors: the WAL's index grows in steps of half
# of this, and a write past the process's limit on file sizes ends within a page of the limit.
_SPACE_BYTES = 64 * 1024

_Identity = tuple[int, int]  # device and inode


class FileWatch:
    """Remember the identity of a database and its WAL, both of them open."""

    def __init__(self, database: Path) -> None:
        """Raise OSError if one of the files is missing."""
        self._database = database
        # SQLite puts the WAL beside the file that a symbolic link leads to.
        real = database.resolve()
        self._wal = real.with_name(real.name + "-wal")
        self._wal_index = real.with_name(real.name + "-shm")
        self._paths = os.fspath(database), os.fspath(self._wal)
        self._identity, self._wal_identity = _identity(self._paths[0]), _identity(self._paths[1])

    def find_loss(self) -> str | None:
        """Return what happened to the files, as a sentence, or None if they are in place.

        Takes a few microseconds.
        """
        try:
            if _identity(self._paths[0]) != self._identity:
                return "The database file was replaced by another one while it was in use."
        except OSError:
            return "The database file was deleted or moved away while it was in use."
        with suppress(OSError):
            if _identity(self._paths[1]) == self._wal_identity:
                return None
        return "The database's WAL (-wal) was deleted or replaced while it was in use."

    def set_wal_aside(self) -> Path | None:
        """Rename the WAL of a replaced database; return its new path, or None.

        SQLite would apply the WAL to the new file and damage it. If the database was only deleted,
        the WAL stays for whoever puts the file back. The caller holds the writer lock.
        """
        with suppress(OSError):
            if (
                _identity(self._paths[0]) != self._identity
                and _identity(self._paths[1]) == self._wal_identity
            ):
                moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S")
                aside = self._wal.with_name(f"{self._database.name}-wal.of-replaced-file-{moment}")
                self._wal.rename(aside)
                self._wal_index.unlink(missing_ok=True)
                return aside
        return None

    def wal_bytes(self) -> int:
        """Return the size of the WAL."""
        return _size(self._wal)

    def lacks_space(self, space_bytes: int = _SPACE_BYTES) -> bool:
        """Return whether the disk, or the limit on file sizes, allows only smaller writes."""
        with suppress(OSError):  # a missing folder is not a full disk
            status = os.statvfs(self._wal.parent)
            if status.f_bavail * status.f_frsize < space_bytes:
                return True
        max_bytes, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        return (
            max_bytes != resource.RLIM_INFINITY
            and max(map(_size, self._paths)) + space_bytes > max_bytes
        )


def identity_of(database: Path) -> _Identity:
    """Return what distinguishes the file from others that have or had its name.

    Raises:
        OSError: the file is missing.
    """
    return _identity(os.fspath(database))


def _identity(path: str) -> _Identity:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _size(path: str | Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
