"""Find out when refused writes can succeed again, although no client sends one."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import suppress

from data_capture.problems import Problem
from data_capture.store.sqlite.file_watch import FileWatch
from data_capture.store.write_queue import QueuedWrite, WriteQueue
from data_capture.store.write_refusals import WriteRefusals

_INTERVAL_SECONDS = 1.0
_WRITE_SECONDS = 0.2  # the wait is short: the next probe finds out too
# A probe is one page, which may fit where no capture does.
_MIN_FREE_BYTES = 1_000_000


class RecoveryProbe:
    """Write once a second while writes are refused, and never otherwise.

    Args:
        refusals: end when a probe is committed.
        files: of the database.
        write_queue: takes the probes.
        closing: set when the store is being closed.
    """

    def __init__(
        self,
        refusals: WriteRefusals,
        files: FileWatch,
        write_queue: WriteQueue,
        closing: threading.Event,
    ) -> None:
        self._refusals = refusals
        self._files = files
        self._queue = write_queue
        self._closing = closing
        threading.Thread(target=self._run, name="recovery probe", daemon=True).start()

    def _run(self) -> None:
        """Probe until the store is being closed; runs in a thread."""
        while True:
            self._refusals.has_begun.wait()
            if self._closing.wait(_INTERVAL_SECONDS):
                return
            if self._is_useful():
                self._write()

    def _is_useful(self) -> bool:
        refusal = self._refusals.current
        return (
            refusal is not None
            and refusal.may_pass
            and not (refusal.holds is not None and refusal.holds())
            and not self._files.lacks_space(_MIN_FREE_BYTES)
        )

    def _write(self) -> None:
        """Rewrite the file's header unchanged, which writes and syncs one page of the WAL."""
        deadline = time.monotonic() + _WRITE_SECONDS
        probe: QueuedWrite[None] = QueuedWrite([rewrite_header], deadline, is_probe=True)
        with suppress(Problem):
            self._queue.admit(probe)
            self._queue.put(probe)
            probe.wait()


def rewrite_header(connection: sqlite3.Connection) -> None:
    """Write the header's page as it is.

    SQLite writes the page although the version stays the same. The file does not grow.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version}")
