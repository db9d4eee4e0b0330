"""Erasing a person to the end: until no byte of theirs is left in the database's files, however long that takes.

    erased ──▶ noted in the journal ──▶ log emptied ──▶ file written anew ──▶ log emptied ──▶ done
                                            ▲ waits while somebody still reads an older state

SQLite's secure_delete overwrites what is deleted, but not the copies that it leaves in a page's free room when it moves rows
to another page: only writing the file anew (VACUUM) removes these. What is left to do is in `data_capture_erasures`, so that
any process, and the next start, can go on with it.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterable
from datetime import datetime, timezone

from data_capture.capture.timestamps import timestamp
from data_capture.privacy.erasure import Erased, erase_user
from data_capture.privacy.erasure_log import Entry, note_in_erasure_log
from data_capture.problems import UNAVAILABLE, Problem
from data_capture.store import Store
from data_capture.store.sqlite.tombstones import EMPTY_LOG, NOTHING, REWRITE, erasures_pending

log = logging.getLogger("data_capture.privacy")

_PATIENCE_SECONDS = (
    1.0  # for readers of a moment; whoever reads longer is waited for without keeping the caller
)
_PAUSE_SECONDS = 0.05

_MOVE_ON = "UPDATE data_capture_erasures SET remaining = ? WHERE address_hash = ? AND erased_at = ? AND remaining = ?"


class Erasures:
    """The erasures of one database, by one process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._one_at_a_time = threading.Lock()

    def erase(self, email: str, source_endpoint: str) -> tuple[Erased, bool]:
        """Erases a person, and whether it is complete: if not, `finish` has to be called until it is.

        Args:
            email: the address, normalised.
            source_endpoint: what asked for it, with nothing in it that says for whom.

        Raises:
            Problem: 422 or 503, as `erase_person` and `Store.write` say; nothing was erased.
        """

        def work(connection: sqlite3.Connection) -> Erased:
            # Not before: what was captured while this waited for its turn is of the time before.
            now = timestamp(datetime.now(timezone.utc))
            return erase_user(connection, email, erased_at=now, source_endpoint=source_endpoint)

        erased = self._store.write(work)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        try:
            while not self.finish():
                if time.monotonic() >= deadline:
                    return erased, False
                time.sleep(_PAUSE_SECONDS)
        except Problem as problem:
            log.warning("An erasure is not complete yet: %s", problem.detail)
            return erased, False
        return erased, True

    def pending(self) -> int:
        """How many erased addresses may still be found in the files' bytes.

        Raises:
            Problem: 503, when the database can't be read.
        """
        return self._store.read(erasures_pending)

    def finish(self) -> bool:
        """Does what is left to do; False while a reader of an older state, or a writer, is in the way.

        Raises:
            Problem: 503, when the database or the journal can't be written, or there is no room to write the file anew.
        """
        with self._one_at_a_time:
            if not self.pending():
                return True
            self._note_all()
            if (
                not self._store.checkpoint()
            ):  # before the file is written anew, which would only make the log as large as it
                return False
            waiting = self._waiting(REWRITE)
            if waiting:
                if not self._store.rewrite():
                    return False
                self._move_on(waiting, REWRITE, EMPTY_LOG)
            waiting = self._waiting(EMPTY_LOG)
            if not self._store.checkpoint():
                return False
            self._move_on(waiting, EMPTY_LOG, NOTHING)
            return not self.pending()

    def _note_all(self) -> None:
        noted = "SELECT address_hash, erased_at FROM data_capture_erasures"
        try:
            erasures = self._store.read(lambda connection: connection.execute(noted).fetchall())
            note_in_erasure_log(self._store.database, set(erasures))
        except OSError as error:
            raise Problem(
                UNAVAILABLE, f"The erasure can't be noted: {error}.", retry_after_seconds=1
            ) from error

    def _waiting(self, remaining: int) -> list[Entry]:
        waiting = "SELECT address_hash, erased_at FROM data_capture_erasures WHERE remaining = ?"
        return self._store.read(
            lambda connection: connection.execute(waiting, (remaining,)).fetchall()
        )

    def _move_on(self, erasures: Iterable[Entry], from_state: int, to_state: int) -> None:
        """Only those: one that has come since still has all before it."""
        moved = [(to_state, *erasure, from_state) for erasure in erasures]
        self._store.write(lambda connection: connection.executemany(_MOVE_ON, moved) and None)
