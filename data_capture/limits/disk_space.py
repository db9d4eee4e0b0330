"""The room that has to be left on the database's disk, so that a flood of captures cannot fill it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from data_capture.problems import UNAVAILABLE, Problem

_LOOK_SECONDS = 1.0  # a capture takes less than a millisecond; a second's captures are far below any sensible minimum
_RETRY_AFTER_SECONDS = 1  # as for every other fault of the database
_DEFAULT_MIN_FREE_BYTES = 100_000_000
_DEFAULT_PART = 20  # of a disk that is small itself


class DiskSpace:
    """The free room of one database's disk, looked at once a second at most.

    Args:
        database: the file.
        min_free_bytes: how much has to be left; 0 for no minimum, None for 100 MB, or a twentieth of a smaller disk.
    """

    def __init__(self, database: Path, min_free_bytes: int | None) -> None:
        self._directory = database.parent
        self._min_free_bytes = min_free_bytes
        self._looked_at = -_LOOK_SECONDS
        self._is_short = False

    @property
    def is_short(self) -> bool:
        """Whether less is left than has to be."""
        now = time.monotonic()
        if self._min_free_bytes != 0 and now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            self._is_short = self._look()
        return self._is_short

    def fault(self) -> str | None:
        """Return what is wrong, in a sentence, or None."""
        if not self.is_short:
            return None
        return (
            "The database can't be used by everyone: its disk is almost full (EDC_MIN_FREE_DISK). "
            "Only captures with the admin token or a write token are stored."
        )

    def refuse_if_short(self) -> None:
        """Refuse what anyone may send.

        Raises:
            Problem: 503, while less is left than has to be.
        """
        if self.is_short:
            raise Problem(
                UNAVAILABLE,
                "The disk is almost full, so this was not stored. Send it again later.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            )

    def _look(self) -> bool:
        try:
            disk = os.statvfs(self._directory)
        except OSError:
            return False  # the folder is gone: the store says so, and knows better
        wanted = self._min_free_bytes
        if wanted is None:
            wanted = min(_DEFAULT_MIN_FREE_BYTES, disk.f_blocks * disk.f_frsize // _DEFAULT_PART)
        return disk.f_bavail * disk.f_frsize < wanted
