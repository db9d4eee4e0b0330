"""Complete erasures: no byte of the user remains in the database's files.

    erased ──▶ logged ──▶ WAL truncated ──▶ file rebuilt (VACUUM) ──▶ WAL truncated ──▶ complete
                              ▲ waits while another program reads an older state

SQLite's secure_delete overwrites deleted rows. It does not overwrite the copies that stay in a
page's free space when rows move to another page: only VACUUM removes these. The remaining steps of
each erasure are in `data_capture_erasures`, so that any process can continue, also after a restart.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from datetime import datetime, timezone

from data_capture.capture.timestamps import timestamp
from data_capture.privacy.erasure import ErasureResult, erase_user
from data_capture.privacy.erasure_log import LogEntry, append_to_erasure_log
from data_capture.problems import UNAVAILABLE, Problem
from data_capture.store import Store
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.tombstones import (
    COMPLETE,
    NEEDS_CHECKPOINT,
    NEEDS_VACUUM,
    count_pending_erasures,
)

log = logging.getLogger("data_capture.privacy")

# Short reads end within this time. For longer ones, the caller does not wait.
_MAX_WAIT_SECONDS = 1.0
_RETRY_SECONDS = 0.05

_SELECT_ERASURES = "SELECT address_hash, erased_at FROM data_capture_erasures"
_SELECT_REMAINING = f"{_SELECT_ERASURES} WHERE remaining = ?"
_SET_REMAINING = """
UPDATE data_capture_erasures SET remaining = ?
WHERE address_hash = ? AND erased_at = ? AND remaining = ?
"""


class UserEraser:
    """Erase users of one database, and complete the erasures."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._completing = threading.Lock()

    def erase(self, email: str, source_endpoint: str) -> tuple[ErasureResult, bool]:
        """Erase a user.

        Args:
            email: the address, normalised.
            source_endpoint: the route or command that asked for it, without the user's address.

        Returns:
            The result, and whether the erasure is complete. If not, call `complete` until it
            returns True.

        Raises:
            Problem: 422 or 503, as for `erase_user` and `Store.write`. Nothing was erased.
        """

        def work(connection: StoreConnection) -> ErasureResult:
            # Taken here, so that captures that were committed while this waited are older.
            now = timestamp(datetime.now(timezone.utc))
            return erase_user(connection, email, erased_at=now, source_endpoint=source_endpoint)

        result = self._store.write(work)
        deadline = time.monotonic() + _MAX_WAIT_SECONDS
        try:
            while not self.complete():
                if time.monotonic() >= deadline:
                    return result, False
                time.sleep(_RETRY_SECONDS)
        except Problem as problem:
            log.warning("An erasure is not complete yet: %s", problem.detail)
            return result, False
        return result, True

    def count_pending(self) -> int:
        """Return the number of erased addresses whose bytes may still be in the files.

        Raises:
            Problem: 503 if the database cannot be read.
        """
        return self._store.read(count_pending_erasures)

    def complete(self) -> bool:
        """Do the remaining steps; return False while another program prevents it.

        Raises:
            Problem: 503 if the database or the erasure log cannot be written, or if the disk has
                no room to rebuild the file.
        """
        with self._completing:
            if not self.count_pending():
                return True
            self._write_log()
            # VACUUM first would make the WAL as large as the database.
            if not self._store.checkpoint():
                return False
            erasures = self._read_erasures(NEEDS_VACUUM)
            if erasures:
                if not self._store.vacuum():
                    return False
                self._set_remaining(erasures, NEEDS_VACUUM, NEEDS_CHECKPOINT)
            erasures = self._read_erasures(NEEDS_CHECKPOINT)
            if not self._store.checkpoint():
                return False
            self._set_remaining(erasures, NEEDS_CHECKPOINT, COMPLETE)
            return not self.count_pending()

    def _write_log(self) -> None:
        try:
            erasures = self._store.read(
                lambda connection: connection.execute(_SELECT_ERASURES).fetchall()
            )
            append_to_erasure_log(self._store.database, set(erasures))
        except OSError as error:
            raise Problem(
                UNAVAILABLE, f"The erasure cannot be logged: {error}.", retry_after_seconds=1
            ) from error

    def _read_erasures(self, remaining: int) -> list[LogEntry]:
        return self._store.read(
            lambda connection: connection.execute(_SELECT_REMAINING, (remaining,)).fetchall()
        )

    def _set_remaining(self, erasures: Iterable[LogEntry], from_state: int, to_state: int) -> None:
        """Move these erasures to the next state. Newer ones still need all steps."""
        updates = [(to_state, *erasure, from_state) for erasure in erasures]
        self._store.write(
            lambda connection: connection.executemany(_SET_REMAINING, updates) and None
        )
