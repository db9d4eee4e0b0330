"""Test killed and suspended services, and killed managers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from tests.support.managed import (
    DEADLINE_SECONDS,
    RunningManager,
    StartManager,
    is_running,
    ports_of,
)
from tests.support.services import eventually


class Poller(threading.Thread):
    """Polls the health of a service, and counts responses and failures."""

    def __init__(self, manager: RunningManager, service: str) -> None:
        super().__init__(daemon=True)
        self.responses, self.failures = 0, 0
        self._is_healthy = lambda: manager.is_healthy(service, DEADLINE_SECONDS)
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.01):
            if self._is_healthy():
                self.responses += 1
            else:
                self.failures += 1

    def __enter__(self) -> Poller:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()


@pytest.mark.parametrize("process_of", [RunningManager.main_process, RunningManager.worker_process])
@pytest.mark.parametrize(("killed", "other"), [("capture", "signup"), ("signup", "capture")])
def test_a_killed_service_is_restarted_and_the_other_keeps_responding(
    manager: RunningManager,
    killed: str,
    other: str,
    process_of: Callable[[RunningManager, str], int],
) -> None:
    eventually(lambda: manager.is_healthy(killed), "the service is healthy", DEADLINE_SECONDS)
    output_before = manager.output
    process = process_of(manager, killed)
    with Poller(manager, other) as poller:
        killed_at = time.monotonic()
        os.kill(process, signal.SIGKILL)
        eventually(lambda: not is_running(process), "the process has ended", DEADLINE_SECONDS)
        eventually(
            lambda: (
                f"The {killed} service is healthy again" in manager.output[len(output_before) :]
            ),
            "the manager reports that the service is healthy again",
            DEADLINE_SECONDS,
        )
        seconds = time.monotonic() - killed_at
        eventually(lambda: poller.responses > 10, "the other service responds", DEADLINE_SECONDS)
    assert poller.failures == 0
    assert manager.is_healthy(killed)
    # The first start, of both services, took about as long as this restart of one.
    assert seconds < 5 * manager.start_seconds
    assert "starting it again in" in manager.output[len(output_before) :]
    manager.all_processes()


@pytest.mark.slow
def test_a_suspended_service_is_replaced_after_15_seconds(start: StartManager) -> None:
    manager = start().wait_until_running()
    os.kill(manager.worker_process("capture"), signal.SIGSTOP)
    eventually(
        lambda: "was not healthy for 15 s (it does not respond within 2 s)" in manager.output,
        "the manager reports it",
        DEADLINE_SECONDS,
    )
    eventually(lambda: manager.is_healthy("capture"), "a new service responds", DEADLINE_SECONDS)
    assert manager.is_healthy("signup")
    manager.all_processes()
    assert manager.stop() == 0
    assert manager.leftovers() == []


@pytest.mark.slow
@pytest.mark.parametrize("process_of", [RunningManager.main_process, RunningManager.worker_process])
def test_a_suspended_process_does_not_prevent_the_stop(
    start: StartManager, process_of: Callable[[RunningManager, str], int]
) -> None:
    manager = start().wait_until_running()
    os.kill(process_of(manager, "capture"), signal.SIGSTOP)
    manager.process.send_signal(signal.SIGTERM)
    assert manager.process.wait(timeout=DEADLINE_SECONDS) == 0
    assert manager.leftovers() == []


@pytest.mark.slow
def test_no_process_outlives_a_killed_manager(start: StartManager) -> None:
    manager = start().wait_until_running()
    manager.process.kill()
    manager.process.wait()
    eventually(lambda: manager.leftovers() == [], "all processes have ended", DEADLINE_SECONDS)
    manager.assert_database_is_intact()


@pytest.mark.slow
def test_no_process_outlives_a_manager_killed_with_its_services(start: StartManager) -> None:
    manager = start().wait_until_running()
    services = [manager.main_process("capture"), manager.main_process("signup")]
    for process in (*services, manager.process.pid):
        os.kill(process, signal.SIGKILL)
    manager.process.wait()
    eventually(lambda: manager.leftovers() == [], "all processes have ended", DEADLINE_SECONDS)
    assert start(ports=ports_of(manager)).wait_until_running().stop() == 0


@pytest.mark.slow
def test_no_process_outlives_a_manager_killed_while_starting(start: StartManager) -> None:
    manager = start()
    eventually(
        lambda: len(manager.all_processes()) > 1, "a service is being started", DEADLINE_SECONDS
    )
    manager.all_processes()
    manager.process.kill()
    manager.process.wait()
    eventually(lambda: manager.leftovers() == [], "all processes have ended", DEADLINE_SECONDS)
    assert not manager.is_healthy("capture")
    assert not manager.is_healthy("signup")
