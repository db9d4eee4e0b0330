"""The thread of the capture service that ends what erasures began, and applies the retention once a day."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

from data_capture.capture.timestamps import timestamp
from data_capture.privacy.erasure_completion import Erasures
from data_capture.privacy.erasure_log import entries_of, erase_again
from data_capture.privacy.receipts import purge_orphans
from data_capture.privacy.retention import apply_retention
from data_capture.problems import Problem
from data_capture.settings import Settings
from data_capture.store import Store
from data_capture.store.sqlite.tombstones import forget_old_erasures

log = logging.getLogger("data_capture.privacy")

_LOOK_SECONDS = 1.0
_AFTER_TROUBLE_SECONDS = 30.0
_DAY_SECONDS = 86400.0


class Housekeeping:
    """What the capture service does by itself about people's data, from its start to the closing of its store."""

    def __init__(self, store: Store, settings: Settings, erasures: Erasures) -> None:
        self._store = store
        self._settings = settings
        self._erasures = erasures
        self._due_at = 0.0  # of time.monotonic()
        self._trouble: str | None = None
        self._may_be_older_copy = True

    def begin(self) -> None:
        """Erases again whom an older copy of the database has brought back, before anything is answered; goes on in a thread."""
        with self._noting_trouble():
            self._erase_again()
        threading.Thread(target=self._go_on, name="housekeeping", daemon=True).start()

    def _go_on(self) -> None:
        while not self._store.closing.wait(
            _AFTER_TROUBLE_SECONDS if self._trouble else _LOOK_SECONDS
        ):
            with self._noting_trouble():
                if self._may_be_older_copy:
                    self._erase_again()
                if self._erasures.pending() and self._erasures.finish():
                    log.info("An erasure is complete")
                if time.monotonic() >= self._due_at:
                    self._do_daily()
                    self._due_at = time.monotonic() + _DAY_SECONDS

    @contextmanager
    def _noting_trouble(self) -> Iterator[None]:
        """Logs once why something has to wait; it is tried again."""
        try:
            yield
        except (Problem, sqlite3.Error, OSError, ValueError) as error:
            if str(error) != self._trouble and not self._store.closing.is_set():
                log.warning("Erasures and retention have to wait: %s", error)
            self._trouble = str(error)
        else:
            self._trouble = None

    def _erase_again(self) -> None:
        if entries_of(self._store.database):
            users = self._store.write(
                lambda connection: erase_again(connection, self._store.database)
            )
            if users:
                log.warning(
                    "The database was an older copy; people who were erased since were erased again: %d",
                    users,
                )
        self._may_be_older_copy = False

    def _do_daily(self) -> None:
        now = datetime.now(timezone.utc)
        self._store.write(lambda connection: forget_old_erasures(connection, timestamp(now)))
        orphans = purge_orphans(self._store)
        if orphans:
            log.info("Receipts whose row or user was removed by hand: %d deleted", orphans)
        apply_retention(self._store, self._settings.retention_days, now)
