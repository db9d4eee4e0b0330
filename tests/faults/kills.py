"""Kill the processes of the services and the manager at random moments, under load."""

from __future__ import annotations

import os
import random
import signal
import statistics
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.faults.report import Report, check_database
from tests.faults.senders import Sender
from tests.support.managed import HEALTH, RunningManager
from tests.support.services import eventually

_SENDERS = 5
_MAX_BURST_SECONDS = 0.2
# The manager takes a service that ends within a second of its start for one that cannot start, and
# restarts it with longer and longer delays.
_MIN_HEALTHY_SECONDS = 1.25
_RECOVERY_DEADLINE_SECONDS = 60.0  # only ends a hang

_Targets = Sequence[str]
_TARGETS_AND_WEIGHTS: Sequence[tuple[_Targets, int]] = (
    (("capture",), 3),
    (("worker of capture",), 3),
    (("manager",), 3),
    (("manager", "capture", "signup"), 2),
    (("manager", "worker of capture"), 1),
    (("capture", "signup"), 1),
)


@dataclass(frozen=True)
class Outcome:
    """The result of a campaign.

    `start_seconds` is the duration of the first start in this run. `recoveries` has, for each kill,
    the seconds until the killed processes' successors were healthy, and the killed processes.
    """

    start_seconds: float
    kills: int
    acknowledged: int
    resent: int
    recoveries: list[tuple[float, _Targets]]
    report: Report
    errors: list[str]

    @property
    def recovery_seconds(self) -> list[float]:
        """The durations of the recoveries, the shortest first."""
        return sorted(seconds for seconds, _ in self.recoveries)

    @property
    def passed(self) -> bool:
        """Whether the database is correct and no error occurred, however long it took."""
        return self.report.passed and not self.errors

    def __str__(self) -> str:
        seconds = self.recovery_seconds or [0.0]
        slowest = [
            f"{taken:.2f} s ({', '.join(targets)})"
            for taken, targets in sorted(self.recoveries, reverse=True)[:3]
        ]
        lines = [
            f"{self.kills} kills, {self.acknowledged:,} captures acknowledged, "
            f"{self.resent:,} sent again",
            f"{len(self.report.lost)} lost, {len(self.report.duplicated)} duplicated",
            f"first start in {self.start_seconds:.2f} s; healthy again after "
            f"{statistics.median(seconds):.2f} s (median), "
            f"{seconds[int(len(seconds) * 0.99)]:.2f} s (99 %), "
            f"{seconds[-1]:.2f} s (longest)",
            f"slowest after a kill of: {'; '.join(slowest)}",
        ]
        return "\n".join([*lines, *self.report.faults, *self.errors[:10]])


class Campaign:
    """A manager with both services over a new database, under load until `finish`."""

    def __init__(self, directory: Path, seed: int | None = None) -> None:
        self._directory = directory
        self._random = random.Random(seed)
        self._manager = RunningManager(directory).wait_until_running()
        self._start_seconds = self._manager.start_seconds
        self._managers = [self._manager]
        self._ports: tuple[int, int] = tuple(
            int(url.rpartition(":")[2]) for url in self._manager.urls.values()
        )  # type: ignore[assignment]
        self._session = requests.Session()
        self._is_burst, self._done = threading.Event(), threading.Event()
        self._senders = [
            Sender(number, self._ports[0], self._is_burst, self._done)
            for number in range(1, _SENDERS + 1)
        ]
        self._recoveries: list[tuple[float, _Targets]] = []
        for sender in self._senders:
            sender.start()

    def __enter__(self) -> Campaign:
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for manager in self._managers:
            manager.clean_up()

    @property
    def acknowledged(self) -> int:
        """The number of captures acknowledged so far."""
        return sum(len(sender.acknowledged) for sender in self._senders)

    def kill_once(self) -> None:
        """Kill random processes, and wait until all services are healthy again."""
        choices, weights = zip(*_TARGETS_AND_WEIGHTS, strict=True)
        [targets] = self._random.choices(choices, weights)
        min_seconds = _MIN_HEALTHY_SECONDS if "manager" not in targets else 0.05
        time.sleep(min_seconds + self._random.random() * 0.4)
        self._is_burst.set()
        time.sleep(_MAX_BURST_SECONDS * self._random.random())
        before = self._processes()
        processes = [self._process_of(name) for name in targets]
        killed_at = time.monotonic()
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if "manager" in targets:
            self._manager.process.wait()
            self._start_manager()
        if "manager" not in targets:
            before = {name: before[name] for name in _services_of(targets)}
        self._wait_until_recovered(before, killed_at)
        self._recoveries.append((time.monotonic() - killed_at, targets))
        self._is_burst.clear()

    def finish(self) -> Outcome:
        """Wait for all acknowledgements, stop all processes, and check the database."""
        self._done.set()
        for sender in self._senders:
            sender.join(timeout=60)
        errors = [
            f"{sender.name} did not get its acknowledgements"
            for sender in self._senders
            if sender.is_alive()
        ]
        status = self._manager.stop()
        if status != 0:
            errors.append(f"the manager ended with status {status}")
        acknowledged: dict[str, tuple[str, int]] = {}
        sent: set[str] = set()
        for sender in self._senders:
            acknowledged |= sender.acknowledged
            sent |= sender.sent
            errors += sender.errors
        if len(acknowledged) != len(sent):
            errors.append(f"{len(sent) - len(acknowledged)} captures were never acknowledged")
        report = check_database(self._manager.database, acknowledged, sent)
        resent = sum(sender.resent for sender in self._senders)
        return Outcome(
            self._start_seconds,
            len(self._recoveries),
            len(acknowledged),
            resent,
            self._recoveries,
            report,
            errors,
        )

    def _process_of(self, name: str) -> int:
        if name == "manager":
            return self._manager.process.pid
        if name.startswith("worker of "):
            return self._manager.worker_process(name.removeprefix("worker of "))
        return self._manager.main_process(name)

    def _processes(self) -> dict[str, Any]:
        """Return the process that responds for each service."""
        self._manager.all_processes()

        def processes() -> dict[str, Any]:
            found = {name: self._health(name).get("pid") for name in HEALTH}
            return found if all(found.values()) else {}

        return eventually(processes, "both services are healthy", _RECOVERY_DEADLINE_SECONDS)

    def _start_manager(self) -> None:
        self._manager = RunningManager(self._directory, ports=self._ports)
        self._managers.append(self._manager)

    def _wait_until_recovered(self, before: dict[str, Any], killed_at: float) -> None:
        """Wait until other processes than those in `before` are healthy."""
        deadline = killed_at + _RECOVERY_DEADLINE_SECONDS
        waiting = dict(before)
        while waiting:
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"Not healthy within {_RECOVERY_DEADLINE_SECONDS:g} s: {', '.join(waiting)}\n"
                    f"{self._manager.output[-2000:]}"
                )
            if self._manager.process.poll() is not None:
                # The port was still in use. An init system would also start the manager again.
                self._start_manager()
            for name, process in list(waiting.items()):
                health = self._health(name)
                if health and health["pid"] != process:
                    del waiting[name]
            time.sleep(0.01)

    def _health(self, name: str) -> dict[str, Any]:
        """Return the health response of a healthy service; otherwise an empty dict."""
        try:
            response = self._session.get(self._manager.urls[name] + HEALTH[name], timeout=2)
            health: dict[str, Any] = response.json()
        except requests.RequestException:
            return {}
        return health if response.status_code == 200 else {}


def _services_of(targets: _Targets) -> set[str]:
    return {name.removeprefix("worker of ") for name in targets if name != "manager"}
