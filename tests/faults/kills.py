"""SIGKILL at random moments, of the service's processes, the manager, or both, under load."""

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

from tests.faults.report import Verdict, examine
from tests.faults.senders import Sender
from tests.support.managed import HEALTH, RunningManager
from tests.support.services import eventually

_SENDERS = 5
_HURRY_SECONDS = 0.2
# The manager waits longer and longer for a service that dies within a second of its start, as one does that can't start.
_MIN_HEALTHY_SECONDS = 1.25
_BACK_SECONDS = 20.0

_Killed = Sequence[str]
_WHOM: Sequence[tuple[_Killed, int]] = (
    (("capture",), 3),
    (("worker of capture",), 3),
    (("manager",), 3),
    (("manager", "capture", "signup"), 2),
    (("manager", "worker of capture"), 1),
    (("capture", "signup"), 1),
)


@dataclass(frozen=True)
class Outcome:
    """What came of all the kills. `start_seconds` is what a first start took, on this machine in this run."""

    start_seconds: float
    kills: int
    acknowledged: int
    resent: int
    times: list[tuple[float, _Killed]]
    verdict: Verdict
    broken: list[str]

    @property
    def seconds(self) -> list[float]:
        """From each kill until what was killed served again, the shortest first."""
        return sorted(seconds for seconds, _ in self.times)

    @property
    def all_held(self) -> bool:
        """Nothing lost, nothing twice, nothing else wrong; how long it took is another matter."""
        return self.verdict.all_held and not self.broken

    def __str__(self) -> str:
        seconds = self.seconds or [0.0]
        slowest = [
            f"{taken:.2f} s ({', '.join(whom)})"
            for taken, whom in sorted(self.times, reverse=True)[:3]
        ]
        lines = [
            f"{self.kills} kills, {self.acknowledged:,} captures acknowledged, {self.resent:,} sent again",
            f"{len(self.verdict.lost)} lost, {len(self.verdict.twice)} twice",
            f"first start in {self.start_seconds:.2f} s; serving again after {statistics.median(seconds):.2f} s (median), "
            f"{seconds[int(len(seconds) * 0.99)]:.2f} s (99 %), "
            f"{seconds[-1]:.2f} s (longest)",
            f"slowest after the killing of: {'; '.join(slowest)}",
        ]
        return "\n".join([*lines, *self.verdict.unsound, *self.broken[:10]])


class Campaign:
    """A manager with both services over a database of its own, under load from its start to `finish`."""

    def __init__(self, directory: Path, seed: int | None = None) -> None:
        self._directory = directory
        self._chance = random.Random(seed)
        started_at = time.monotonic()
        self._manager = RunningManager(directory).wait_until_running()
        self._start_seconds = time.monotonic() - started_at
        self._managers = [self._manager]
        self._ports: tuple[int, int] = tuple(
            int(url.rpartition(":")[2]) for url in self._manager.urls.values()
        )  # type: ignore[assignment]
        self._session = requests.Session()
        self._hurry, self._done = threading.Event(), threading.Event()
        self._senders = [
            Sender(number, self._ports[0], self._hurry, self._done)
            for number in range(1, _SENDERS + 1)
        ]
        self._times: list[tuple[float, _Killed]] = []
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
        """How many captures have been, up to now."""
        return sum(len(sender.acknowledged) for sender in self._senders)

    def kill_once(self) -> None:
        """Kills some of the processes and waits until everything is healthy again."""
        [whom] = self._chance.choices([whom for whom, _ in _WHOM], [weight for _, weight in _WHOM])
        least_seconds = _MIN_HEALTHY_SECONDS if "manager" not in whom else 0.05
        time.sleep(least_seconds + self._chance.random() * 0.4)
        self._hurry.set()
        time.sleep(_HURRY_SECONDS * self._chance.random())
        before = self._processes()
        targets = [self._process_of(name) for name in whom]
        killed_at = time.monotonic()
        for target in targets:
            with suppress(ProcessLookupError):
                os.kill(target, signal.SIGKILL)
        if "manager" in whom:
            self._manager.process.wait()
            self._start_manager()
        self._wait_until_back(
            before if "manager" in whom else {name: before[name] for name in _services(whom)},
            killed_at,
        )
        self._times.append((time.monotonic() - killed_at, whom))
        self._hurry.clear()

    def finish(self) -> Outcome:
        """Ends the load when all is acknowledged, sends some of it again, stops everything and looks into the file."""
        self._done.set()
        for sender in self._senders:
            sender.join(timeout=60)
        broken = [
            f"{sender.name} never got its acknowledgements"
            for sender in self._senders
            if sender.is_alive()
        ]
        status = self._manager.stop()
        if status != 0:
            broken.append(f"the manager ended with status {status}")
        acknowledged: dict[str, tuple[str, int]] = {}
        sent: set[str] = set()
        for sender in self._senders:
            acknowledged |= sender.acknowledged
            sent |= sender.sent
            broken += sender.broken
        if len(acknowledged) != len(sent):
            broken.append(f"{len(sent) - len(acknowledged)} captures were never acknowledged")
        verdict = examine(self._manager.database, acknowledged, sent)
        resent = sum(sender.resent for sender in self._senders)
        return Outcome(
            self._start_seconds,
            len(self._times),
            len(acknowledged),
            resent,
            self._times,
            verdict,
            broken,
        )

    def _process_of(self, name: str) -> int:
        if name == "manager":
            return self._manager.process.pid
        if name.startswith("worker of "):
            return self._manager.worker_process(name.removeprefix("worker of "))
        return self._manager.main_process(name)

    def _processes(self) -> dict[str, Any]:
        """The process that answers for each service."""
        self._manager.all_processes()

        def processes() -> dict[str, Any]:
            answers = {name: self._health(name).get("pid") for name in HEALTH}
            return answers if all(answers.values()) else {}

        return eventually(processes, "both services are healthy", _BACK_SECONDS)

    def _start_manager(self) -> None:
        self._manager = RunningManager(self._directory, ports=self._ports)
        self._managers.append(self._manager)

    def _wait_until_back(self, before: dict[str, Any], killed_at: float) -> None:
        """Returns when other processes than those `before` answer that they are healthy."""
        deadline = killed_at + _BACK_SECONDS
        waiting = dict(before)
        while waiting:
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"Not back within {_BACK_SECONDS:g} s: {', '.join(waiting)}\n{self._manager.output[-2000:]}"
                )
            if self._manager.process.poll() is not None:
                self._start_manager()  # the port was not free yet; who keeps it running would do the same
            for name, process in list(waiting.items()):
                health = self._health(name)
                if health and health["pid"] != process:
                    del waiting[name]
            time.sleep(0.01)

    def _health(self, name: str) -> dict[str, Any]:
        """What it says, when it is healthy; else nothing."""
        try:
            answer = self._session.get(self._manager.urls[name] + HEALTH[name], timeout=2)
            said: dict[str, Any] = answer.json()
        except requests.RequestException:
            return {}
        return said if answer.status_code == 200 else {}


def _services(whom: _Killed) -> set[str]:
    return {name.removeprefix("worker of ") for name in whom if name != "manager"}
