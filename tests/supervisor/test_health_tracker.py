"""Test when the manager replaces a process, and when it lets an unhealthy one run."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from data_capture.supervisor import health_tracker
from data_capture.supervisor.health_tracker import HealthTracker
from data_capture.supervisor.services import CAPTURE, Health

HEALTHY = Health(True, True, "responds with 200: healthy", None, 1, True, True)
UNHEALTHY = Health(
    True,
    False,
    "responds with 503: the disk is full",
    Path("/t.db"),
    1,
    True,
    True,
)
SILENT = Health(True, False, "does not respond within 2 s")
OTHER = Health(True, False, "is another program", has_responded=True)


class OwnProcess:
    def has_sent(self, _health: Health) -> bool:
        return True


class Watched:
    """A process whose health and clock a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, is_first_start: bool) -> None:
        self.now = 1000.0
        self.health = SILENT
        self.is_decided = threading.Event()
        if not is_first_start:
            self.is_decided.set()
        monkeypatch.setattr(health_tracker, "time", self)
        monkeypatch.setattr(health_tracker, "ask_health", lambda *_: self.health)
        settings: Any = None
        process: Any = OwnProcess()
        self.tracker = HealthTracker(CAPTURE, settings, process, self.is_decided)

    def monotonic(self) -> float:
        return self.now

    def check_for(self, seconds: int, health: Health) -> str | None:
        """Check once a second; return why the process must be replaced, or None."""
        self.health = health
        for _ in range(seconds):
            self.now += 1
            reason = self.tracker.check()
            if reason is not None:
                return reason
        return None


@pytest.mark.parametrize("is_first_start", [True, False])
def test_an_unhealthy_process_that_was_healthy_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, is_first_start: bool
) -> None:
    watched = Watched(monkeypatch, is_first_start=is_first_start)
    assert watched.check_for(3, HEALTHY) is None
    assert watched.check_for(3600, UNHEALTHY) is None
    assert watched.check_for(3, HEALTHY) is None


def test_a_process_that_replaced_another_one_may_be_unhealthy_from_its_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch, is_first_start=False)
    assert watched.check_for(5, SILENT) is None
    assert watched.check_for(3600, UNHEALTHY) is None


@pytest.mark.parametrize("health", [SILENT, UNHEALTHY, OTHER])
def test_a_first_start_that_never_becomes_healthy_fails_after_30_seconds(
    monkeypatch: pytest.MonkeyPatch, health: Health
) -> None:
    watched = Watched(monkeypatch, is_first_start=True)
    assert watched.check_for(30, health) is None
    reason = watched.check_for(2, health)
    assert reason == f"was not healthy for 30 s (it {health.description})"


@pytest.mark.parametrize("health", [SILENT, OTHER])
def test_a_process_that_does_not_respond_is_replaced_after_15_seconds(
    monkeypatch: pytest.MonkeyPatch, health: Health
) -> None:
    watched = Watched(monkeypatch, is_first_start=False)
    assert watched.check_for(3, HEALTHY) is None
    assert watched.check_for(100, UNHEALTHY) is None
    assert watched.check_for(15, health) is None
    assert watched.check_for(2, health) is not None
