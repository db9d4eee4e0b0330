"""Keep one service running: start it, replace it if it exits or hangs, stop it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from data_capture.server.ports import is_reserved
from data_capture.settings import Settings
from data_capture.supervisor.health_tracker import (
    CHECK_SECONDS,
    HEALTH_TIMEOUT_SECONDS,
    START_SECONDS,
    HealthTracker,
)
from data_capture.supervisor.service_process import ServiceProcess
from data_capture.supervisor.services import Health, Service, ask_health

log = logging.getLogger("data_capture.manager")

_POLL_SECONDS = 0.1
_OTHER_MANAGER_SECONDS = 2.0

_FIRST_DELAY_SECONDS = 0.5
_MAX_DELAY_SECONDS = 30.0
# A service that was healthy for this long can start, so that its next delay is short again. Only
# one that cannot start needs longer and longer delays.
_RECOVERED_SECONDS = 1.0


class _Run(NamedTuple):
    """One run of a service that ended or was stopped."""

    healthy_seconds: float
    reason: str
    """Why it ended, as the rest of a sentence that begins with the service."""
    output: str
    """Its last output that is not in the log file."""


class SupervisedService(threading.Thread):
    """Keep a service running in a thread, until `stopping` is set.

    Args:
        service: the service.
        settings: of the service.
        print_line: prints a line.
        stopping: the manager sets it; then the service is stopped gracefully.
        stop_now: the manager sets it; then the service is killed.
    """

    def __init__(
        self,
        service: Service,
        settings: Settings,
        print_line: Callable[[str], None],
        stopping: threading.Event,
        stop_now: threading.Event,
    ) -> None:
        super().__init__(name=service.name, daemon=True)
        self.service = service
        self.is_decided = threading.Event()
        """Set when the first start has succeeded or failed."""
        self.has_failed = False
        """Whether the first start failed; the log has the reason."""
        self.uses_running_service = False
        """Whether a service that was running already is used instead of a new process."""
        self._settings = settings
        self._print_line = print_line
        self._stopping, self._stop_now = stopping, stop_now

    def run(self) -> None:
        """Keep the service running; the body of the thread."""
        try:
            self._keep_running()
        except Exception:
            log.exception("Watching the %s service failed", self.service.name)
            self.has_failed = True
        finally:
            self.is_decided.set()

    def _keep_running(self) -> None:
        name = self.service.name
        delay_seconds = _FIRST_DELAY_SECONDS
        while not self._stopping.is_set():
            if self._is_usable(self._ask_health()):
                self._watch_running_service()
                continue
            run = self._run_once()
            if self._stopping.is_set():
                return
            if not self.is_decided.is_set():
                if self._becomes_usable():
                    continue  # another manager that started in the same moment was faster
                self.has_failed = True
                log.error("The %s service did not start: it %s%s", name, run.reason, run.output)
                return
            if run.healthy_seconds >= _RECOVERED_SECONDS:
                delay_seconds = _FIRST_DELAY_SECONDS
            log.warning(
                "The %s service %s; starting it again in %g s%s",
                name, run.reason, delay_seconds, run.output,
            )  # fmt: skip
            self._stopping.wait(delay_seconds)
            delay_seconds = min(delay_seconds * 2, _MAX_DELAY_SECONDS)

    def _run_once(self) -> _Run:
        """Start the service, watch it until it ends or hangs, and stop what is left of it."""
        process = ServiceProcess(self.service, self._settings, self._print_line)
        tracker = HealthTracker(self.service, self._settings, process, self.is_decided)
        reason: str | None = None
        while reason is None and not self._stopping.wait(_POLL_SECONDS):
            reason = process.describe_exit() or tracker.check()
        process.stop(self._stop_now)
        return _Run(tracker.healthy_seconds, reason or "", process.last_output())

    def _watch_running_service(self) -> None:
        """Wait until a service that someone else started has exited."""
        name = self.service.name
        self.uses_running_service = True
        self.is_decided.set()
        has_warned = False
        while not self._stopping.wait(CHECK_SECONDS):
            health = self._ask_health()
            if not health.listening:
                log.warning(
                    "The %s service that was running already has exited; starting one", name
                )
                self.uses_running_service = False
                return
            if not health.healthy and not has_warned:
                log.warning(
                    "The %s service that was running already %s; this command did not start it, "
                    "and does not restart it",
                    name, health.description,
                )  # fmt: skip
            has_warned = not health.healthy

    def _becomes_usable(self) -> bool:
        """Wait for a service that someone else is starting; return whether there is one."""
        started_at = time.monotonic()
        while not self._is_usable(self._ask_health()):
            is_starting = is_reserved(self._settings.host, self.service.port(self._settings))
            max_seconds = START_SECONDS if is_starting else _OTHER_MANAGER_SECONDS
            is_over = time.monotonic() - started_at > max_seconds
            if is_over or self._stopping.wait(_POLL_SECONDS):
                return False
        return True

    def _ask_health(self) -> Health:
        return ask_health(self.service, self._settings, HEALTH_TIMEOUT_SECONDS)

    def _is_usable(self, health: Health) -> bool:
        return health.healthy and health.uses_database(self._settings.database)
