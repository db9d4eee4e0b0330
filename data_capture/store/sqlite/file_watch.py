"""Whether the files that were opened are still the ones at their paths, and whether there is room for more in them.

A program that deletes or replaces the database leaves its users with a file that has no name: writing it succeeds, is
synced, and is gone when they end.
"""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

# SQLite reports some of what a full disk does as an I/O error: the log's index grows in steps of half of this, and a
# write past the process's limit on a file's size ends within a page of it.
_ROOM_BYTES = 64 * 1024

_Identity = tuple[int, int]  # device and inode


class FileWatch:
    """A database and its log as they were when this was made, with both open."""

    def __init__(self, database: Path) -> None:
        """Raises OSError when one of them isn't there."""
        self._database = database
        # SQLite puts the log beside the file that a link leads to.
        real = database.resolve()
        self._log = real.with_name(real.name + "-wal")
        self._index = real.with_name(real.name + "-shm")
        self._paths = os.fspath(database), os.fspath(self._log)
        self._identity, self._log_identity = _identity(self._paths[0]), _identity(self._paths[1])

    def loss(self) -> str | None:
        """What has become of the files, in a sentence, or None while they are where they were; takes microseconds."""
        try:
            if _identity(self._paths[0]) != self._identity:
                return "The database file was replaced by another one while it was in use."
        except OSError:
            return "The database file was deleted or moved away while it was in use."
        with suppress(OSError):
            if _identity(self._paths[1]) == self._log_identity:
                return None
        return "The database's log (-wal) was deleted or replaced while it was in use."

    def set_log_aside(self) -> Path | None:
        """Takes the log away from beside a file that it does not belong to; where it is now, or None.

        SQLite would write it into the file that came in the database's place, and damage it. Beside a file that was only
        deleted it stays, for whoever puts that file back. Called with the gate held.
        """
        with suppress(OSError):
            if (
                _identity(self._paths[0]) != self._identity
                and _identity(self._paths[1]) == self._log_identity
            ):
                moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S")
                aside = self._log.with_name(f"{self._database.name}-wal.of-replaced-file-{moment}")
                self._log.rename(aside)
                self._index.unlink(missing_ok=True)
                return aside
        return None

    def log_bytes(self) -> int:
        """The size of the log."""
        return _size(self._log)

    def lack_room(self) -> bool:
        """Whether their disk, or this process's limit on a file's size, leaves no room to write more."""
        with suppress(OSError):  # the folder may be gone too, which is no lack of room
            status = os.statvfs(self._log.parent)
            if status.f_bavail * status.f_frsize < _ROOM_BYTES:
                return True
        most_bytes, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        return (
            most_bytes != resource.RLIM_INFINITY
            and max(map(_size, self._paths)) + _ROOM_BYTES > most_bytes
        )


def identity_of(database: Path) -> _Identity:
    """What tells the file from any other that had or will have its name.

    Raises:
        OSError: it isn't there.
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
