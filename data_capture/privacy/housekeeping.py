"""Complete erasures, apply retention and add facts, in a thread of the capture service."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

from data_capture.capture.timestamps import timestamp
from data_capture.privacy.erasure_completion import UserEraser
from data_capture.privacy.erasure_log import read_erasure_log, repeat_erasures
from data_capture.privacy.payment_facts import (
    FactsBackfill,
    delete_orphaned_facts,
    delete_stale_events,
)
from data_capture.privacy.receipts import delete_orphaned_receipts
from data_capture.privacy.retention import apply_retention
from data_capture.privacy.unattributed import delete_old_unattributed, delete_orphaned_ids
from data_capture.problems import Problem
from data_capture.settings import Settings
from data_capture.store import Store
from data_capture.store.sqlite.tombstones import delete_expired_tombstones

log = logging.getLogger("data_capture.privacy")

_INTERVAL_SECONDS = 1.0
_INTERVAL_AFTER_FAILURE_SECONDS = 30.0
_DAY_SECONDS = 86400.0
_FACTS_INTERVAL_SECONDS = 10.0
# An earlier version's payments, at the first start: 20,000 take about a second.
_MAX_FACTS_SECONDS_AT_START = 5.0


class Housekeeping:
    """Run housekeeping from the start of the service until its store closes."""

    def __init__(self, store: Store, settings: Settings, eraser: UserEraser) -> None:
        self._store = store
        self._settings = settings
        self._eraser = eraser
        self._facts = FactsBackfill(store)
        self._facts_due_at = self._daily_due_at = 0.0  # in time.monotonic()
        self._last_failure: str | None = None
        self._may_be_older_copy = True

    def start(self) -> None:
        """Repeat erasures that an older copy of the database lacks, then start the thread.

        The erasures come first, so that no response contains an erased user's data. The facts of an
        earlier version's payments follow: until a payment has them, its status is unknown.
        """
        deadline = time.monotonic() + _MAX_FACTS_SECONDS_AT_START
        with self._logging_failures():
            self._repeat_erasures()
            self._add_facts(lambda: time.monotonic() >= deadline)
        threading.Thread(target=self._run, name="housekeeping", daemon=True).start()

    def _run(self) -> None:
        while not self._store.closing.wait(
            _INTERVAL_AFTER_FAILURE_SECONDS if self._last_failure else _INTERVAL_SECONDS
        ):
            with self._logging_failures():
                if self._may_be_older_copy:
                    self._repeat_erasures()
                if self._eraser.count_pending() and self._eraser.complete():
                    log.info("An erasure is complete")
                if time.monotonic() >= self._facts_due_at:
                    self._add_facts(self._store.closing.is_set)
                    self._facts_due_at = time.monotonic() + _FACTS_INTERVAL_SECONDS
                if time.monotonic() >= self._daily_due_at:
                    self._run_daily()
                    self._daily_due_at = time.monotonic() + _DAY_SECONDS

    @contextmanager
    def _logging_failures(self) -> Iterator[None]:
        """Log a failure once. The work is tried again later."""
        try:
            yield
        except (Problem, sqlite3.Error, OSError, ValueError) as error:
            if str(error) != self._last_failure and not self._store.closing.is_set():
                log.warning("Erasures and retention are delayed: %s", error)
            self._last_failure = str(error)
        else:
            self._last_failure = None

    def _repeat_erasures(self) -> None:
        if read_erasure_log(self._store.database):
            users = self._store.write(
                lambda connection: repeat_erasures(connection, self._store.database)
            )
            if users:
                log.warning(
                    "The database was an older copy; users erased since then were erased again: %d",
                    users,
                )
        self._may_be_older_copy = False

    def _add_facts(self, is_due: Callable[[], bool]) -> None:
        added = self._facts.run(is_due)
        if added:
            log.info("Added the facts of payments that had none: %d", added)

    def _run_daily(self) -> None:
        now = datetime.now(timezone.utc)
        self._store.write(lambda connection: delete_expired_tombstones(connection, timestamp(now)))
        orphaned = delete_orphaned_receipts(self._store)
        if orphaned:
            log.info("Deleted receipts whose row or user was removed by hand: %d", orphaned)
        apply_retention(self._store, self._settings.retention_days, now)
        delete_orphaned_facts(self._store)
        rules = dict(rule.split("=") for rule in self._settings.retention_days)
        days = {name: int(period) for name, period in rules.items()}
        delete_stale_events(self._store, now, days.get("payment"))
        delete_old_unattributed(self._store, now, days)
        delete_orphaned_ids(self._store)
        self._facts.restart()
