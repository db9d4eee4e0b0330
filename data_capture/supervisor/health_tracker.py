"""Track the health of one process of a service, and decide when it hangs."""

from __future__ import annotations

import logging
import threading
import time

from data_capture.settings import Settings
from data_capture.supervisor.service_process import ServiceProcess
from data_capture.supervisor.services import Health, Service, ask_health

log = logging.getLogger("data_capture.manager")

CHECK_SECONDS = 1.0
HEALTH_TIMEOUT_SECONDS = 2.0
START_SECONDS = 30.0
_HANG_SECONDS = 15.0


class HealthTracker:
    """Check the health of a process.

    Args:
        service: the service.
        settings: of the service.
        process: the process.
        is_decided: set when the process becomes healthy.
    """

    def __init__(
        self,
        service: Service,
        settings: Settings,
        process: ServiceProcess,
        is_decided: threading.Event,
    ) -> None:
        self._service = service
        self._settings = settings
        self._process = process
        self._is_decided = is_decided
        self._healthy_since: float | None = None
        self._failing_since: float | None = time.monotonic()
        self._next_check_at = time.monotonic()
        self._reported = ""

    @property
    def healthy_seconds(self) -> float:
        """The time since the process became healthy; 0 if it never did."""
        return 0.0 if self._healthy_since is None else time.monotonic() - self._healthy_since

    @property
    def _has_started(self) -> bool:
        """Whether a health that is not good may last: not at the manager's first start.

        A process that replaces an earlier one may meet the same full disk.
        """
        return self._healthy_since is not None or self._is_decided.is_set()

    def check(self) -> str | None:
        """Ask for the health, if it is time.

        Returns:
            Why the process must be replaced, as the rest of a sentence; None if it need not be.
        """
        now = time.monotonic()
        if now < self._next_check_at:
            return None
        health = ask_health(self._service, self._settings, HEALTH_TIMEOUT_SECONDS)
        is_own = self._process.has_sent(health)
        if health.healthy and is_own:
            self._note_healthy(now)
        elif self._has_started and health.is_expected_service and is_own:
            self._note_unhealthy(health, now)
        else:
            return self._note_failure(health, now)
        return None

    def _note_healthy(self, now: float) -> None:
        self._failing_since = None
        self._next_check_at = now + CHECK_SECONDS
        is_restarted = self._healthy_since is None and self._is_decided.is_set()
        if is_restarted or self._reported:
            log.info("The %s service is healthy again", self._service.name)
        if self._healthy_since is None:
            self._healthy_since = now
            self._is_decided.set()
        self._reported = ""

    def _note_unhealthy(self, health: Health, now: float) -> None:
        """Report a service that responds that it is unhealthy, such as with a full disk.

        It keeps running: a restart frees no disk space, and would interrupt reading. Where a
        restart helps, the service exits by itself.
        """
        self._failing_since = None
        self._next_check_at = now + CHECK_SECONDS
        if self._reported != health.description:
            self._reported = health.description
            log.warning("The %s service %s", self._service.name, health.description)

    def _note_failure(self, health: Health, now: float) -> str | None:
        self._failing_since = self._failing_since or now
        max_seconds = START_SECONDS if self._healthy_since is None else _HANG_SECONDS
        if time.monotonic() - self._failing_since <= max_seconds:
            return None
        return f"was not healthy for {max_seconds:g} s (it {health.description})"
