"""The room that has to be left on the database's disk, so that a flood of captures cannot fill it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from data_capture.problems import UNAVAILABLE, Problem

_LOOK_SECONDS = 1.0  # a capture takes less than a millisecond; a second's captures are far below any sensible minimum
_RETRY_AFTER_SECONDS = 60


class DiskSpace:
    """The free room of one database's disk, looked at once a second at most.

    Args:
        database: the file.
        min_free_bytes: how much has to be left; 0 for no minimum.
    """

    def __init__(self, database: Path, min_free_bytes: int) -> None:
        self._directory = database.parent
        self._min_free_bytes = min_free_bytes
        self._looked_at = -_LOOK_SECONDS
        self._is_short = False

    @property
    def is_short(self) -> bool:
        """Whether less is left than has to be."""
        now = time.monotonic()
        if self._min_free_bytes and now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            self._is_short = self._free_bytes() < self._min_free_bytes
        return self._is_short

    def fault(self) -> str | None:
        """Return what is wrong, in a sentence, or None."""
        if not self.is_short:
            return None
        return (
            f"The disk of the database has less than {self._min_free_bytes:,} bytes left (EDC_MIN_FREE_DISK). "
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

    def _free_bytes(self) -> int:
        try:
            status = os.statvfs(self._directory)
        except OSError:
            return self._min_free_bytes  # the folder is gone: the store says so, and knows better
        return status.f_bavail * status.f_frsize
