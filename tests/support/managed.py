"""Run the startup manager as a process, and inspect the processes below it."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import requests

from tests.support.services import REPOSITORY, eventually, free_port

DEADLINE_SECONDS = 120  # only ends a hang

HEALTH = {"capture": "/api/data-capture/health", "signup": "/api/health"}


class RunningManager:
    """`python3 start_enhanced_data_capture.py` as a process, with a database in `directory`.

    It uses free ports unless `ports` are given. `start_seconds` is the duration of its start, after
    `wait_until_running`.
    """

    def __init__(self, directory: Path, *flags: str, ports: tuple[int, int] | None = None) -> None:
        self.start_seconds = 0.0
        self.database = directory / "trading_bots.db"
        self.log_file = directory / "enhanced_data_capture.log"
        capture_port, signup_port = ports or (free_port(), free_port())
        self.urls = {
            "capture": f"http://127.0.0.1:{capture_port}",
            "signup": f"http://127.0.0.1:{signup_port}",
        }
        self._output = directory / f"manager-{uuid.uuid4().hex}.output"
        self._seen: set[int] = set()
        arguments = [
            *("--database", str(self.database)),
            *("--log-file", str(self.log_file)),
            *("--capture-port", str(capture_port)),
            *("--signup-port", str(signup_port)),
            *flags,
        ]
        self._started_at = time.monotonic()
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(REPOSITORY / "start_enhanced_data_capture.py"), *arguments],
                env={
                    name: value for name, value in os.environ.items() if not name.startswith("EDC_")
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """Its output so far."""
        return self._output.read_text()

    def wait_until_running(self) -> RunningManager:
        """Wait until it reports that both services run."""

        def reports_running() -> bool:
            assert self.process.poll() is None, self.output
            return "Ctrl-C stops it." in self.output

        eventually(reports_running, "the manager reports that it runs", DEADLINE_SECONDS)
        self.start_seconds = time.monotonic() - self._started_at
        self.all_processes()
        return self

    def is_healthy(self, service: str, timeout_seconds: float = 2.0) -> bool:
        """Tell whether the service responds that it is healthy."""
        url = self.urls[service] + HEALTH[service]
        try:
            return requests.get(url, timeout=timeout_seconds).status_code == 200
        except requests.RequestException:
            return False

    def main_process(self, service: str) -> int:
        """Return the process of the service that the manager started."""
        script = {
            "capture": "enhanced_data_capture_system.py",
            "signup": "enhanced_signup_handler.py",
        }[service]
        (process,) = (one for one in children_of(self.process.pid) if script in command_of(one))
        return process

    def worker_process(self, service: str) -> int:
        """Return the process that handles the service's requests."""
        return worker_of(self.main_process(service))

    def all_processes(self) -> set[int]:
        """Record the manager's processes, and return all that were recorded so far."""
        found = [self.process.pid]
        while found:
            process = found.pop()
            self._seen.add(process)
            found += children_of(process)
        return self._seen

    def leftovers(self) -> list[int]:
        """Return the recorded processes that still run."""
        return [process for process in self._seen if is_running(process)]

    def stop(self) -> int:
        """Stop it as Ctrl-C does, and return its exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=DEADLINE_SECONDS)

    def clean_up(self) -> None:
        """Kill the manager and all recorded processes."""
        if self.process.poll() is None:
            self.all_processes()
            self.process.kill()
            self.process.wait()
        for process in self.leftovers():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def assert_database_is_intact(self) -> None:
        """Run SQLite's integrity and foreign key checks."""
        with closing(sqlite3.connect(self.database)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


StartManager = Callable[..., RunningManager]


def ports_of(manager: RunningManager) -> tuple[int, int]:
    """Return the ports of the capture service and the signup service."""
    capture, signup = (int(url.rsplit(":", 1)[1]) for url in manager.urls.values())
    return capture, signup


def children_of(process: int) -> list[int]:
    """Return the running processes that a process started."""
    return [one.number for one in _processes() if one.parent == process and not one.is_zombie]


def worker_of(main_process: int) -> int:
    """Return the process that handles a service's requests.

    Where Python spawns processes instead of forking, a resource tracker is another child.
    """
    (process,) = (
        one for one in children_of(main_process) if "resource_tracker" not in command_of(one)
    )
    return process


def is_running(process: int) -> bool:
    """Tell whether a process runs. A zombie, whose parent has not waited for it, does not."""
    return any(one.number == process and not one.is_zombie for one in _processes())


def command_of(process: int) -> str:
    """Return a process's command line."""
    return next((one.command for one in _processes() if one.number == process), "")


class _Process(NamedTuple):
    number: int
    parent: int
    is_zombie: bool
    command: str


def _processes() -> Iterator[_Process]:
    """Yield all processes, from /proc (a small Linux has no `ps`) or from `ps` (macOS)."""
    if Path("/proc/self/stat").exists():
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has just ended
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                command = (folder / "cmdline").read_text(errors="replace").replace("\0", " ")
                yield _Process(int(folder.name), int(parent), state == "Z", command)
        return
    listing = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,args="],
        capture_output=True,
        text=True,
        check=True,
    )
    for line in listing.stdout.splitlines():
        number, parent, state, *command = line.split(maxsplit=3)
        yield _Process(int(number), int(parent), state.startswith("Z"), " ".join(command))


LOG_LINE = re.compile(
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) "
    r"(capture|signup|manager) \S"
)
