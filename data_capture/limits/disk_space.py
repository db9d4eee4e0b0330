"""The space that must remain on the database's disk, so that no flood of captures can fill it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from data_capture.problems import UNAVAILABLE, Problem

# The captures of one second take far less space than any sensible minimum.
_CHECK_SECONDS = 1.0
_RETRY_AFTER_SECONDS = 1  # as for every other fault of the database
_DEFAULT_MIN_FREE_BYTES = 100_000_000
_DEFAULT_DIVISOR = 20  # a small disk must keep a twentieth free
_FAULT = (
    "The database's disk is almost full (EDC_MIN_FREE_DISK): free some space on it. "
    "Until then, only captures with the admin token or a write token are stored."
)

NoteRefusal = Callable[[str, Callable[[], bool]], None]
"""Called with the reason of a refusal, and a function that tells whether it still holds."""


class DiskSpace:
    """The free space on one database's disk, checked once a second at most.

    Args:
        database: the database file.
        min_free_bytes: the minimum. 0: no minimum. None: 100 MB, or a twentieth of a smaller disk.
        note_refusal: called for each request that is rejected.
    """

    def __init__(
        self, database: Path, min_free_bytes: int | None, note_refusal: NoteRefusal
    ) -> None:
        self._directory = database.parent
        self._min_free_bytes = min_free_bytes
        self._note_refusal = note_refusal
        self._checked_at = -_CHECK_SECONDS
        self._is_short = False

    @property
    def is_short(self) -> bool:
        """Whether less space is free than the minimum."""
        now = time.monotonic()
        if self._min_free_bytes != 0 and now - self._checked_at >= _CHECK_SECONDS:
            self._checked_at = now
            self._is_short = self._check()
        return self._is_short

    def fault(self) -> str | None:
        """Return a sentence for the health response if space is short, otherwise None."""
        return _FAULT if self.is_short else None

    def refuse_if_short(self) -> None:
        """Reject a request that needs no token.

        Raises:
            Problem: 503, while less space is free than the minimum.
        """
        if self.is_short:
            self._note_refusal(_FAULT, lambda: self.is_short)
            raise Problem(
                UNAVAILABLE,
                "The disk is almost full, so this was not stored. Send it again later.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            )

    def _check(self) -> bool:
        try:
            disk = os.statvfs(self._directory)
        except OSError:
            return False  # the folder is missing, which the store reports
        minimum = required_free_bytes(disk.f_blocks * disk.f_frsize, self._min_free_bytes)
        return disk.f_bavail * disk.f_frsize < minimum


def required_free_bytes(disk_bytes: int, min_free_bytes: int | None) -> int:
    """Return the space that must stay free on a disk of this size; None: the default."""
    if min_free_bytes is not None:
        return min_free_bytes
    return min(_DEFAULT_MIN_FREE_BYTES, disk_bytes // _DEFAULT_DIVISOR)
