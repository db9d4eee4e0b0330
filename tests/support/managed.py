"""A running startup manager, and the processes below it."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import requests

from tests.support.services import REPOSITORY, eventually, free_port

HEALTH = {"capture": "/api/data-capture/health", "signup": "/api/health"}


class RunningManager:
    """`python3 start_enhanced_data_capture.py` as a real process, over a database of its own and on free ports."""

    def __init__(self, directory: Path, *flags: str, ports: tuple[int, int] | None = None) -> None:
        self.database = directory / "trading_bots.db"
        self.log_file = directory / "enhanced_data_capture.log"
        capture_port, signup_port = ports or (free_port(), free_port())
        self.urls = {
            "capture": f"http://127.0.0.1:{capture_port}",
            "signup": f"http://127.0.0.1:{signup_port}",
        }
        self._output = directory / f"manager-{uuid.uuid4().hex}.output"
        self._seen: set[int] = set()
        arguments = ["--database", str(self.database), "--log-file", str(self.log_file),
                     "--capture-port", str(capture_port), "--signup-port", str(signup_port), *flags]  # fmt: skip
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
        """What it has printed up to now."""
        return self._output.read_text()

    def wait_until_running(self) -> RunningManager:
        """Waits until it says so."""

        def says_so() -> bool:
            assert self.process.poll() is None, self.output
            return "Ctrl-C stops it." in self.output

        eventually(says_so, "the manager says that everything runs", 20)
        self.all_processes()
        return self

    def is_healthy(self, service: str, timeout_seconds: float = 2.0) -> bool:
        """Whether the service answers that it is."""
        try:
            return (
                requests.get(
                    self.urls[service] + HEALTH[service], timeout=timeout_seconds
                ).status_code
                == 200
            )
        except requests.RequestException:
            return False

    def main_process(self, service: str) -> int:
        """The process of the service that the manager started."""
        script = {
            "capture": "enhanced_data_capture_system.py",
            "signup": "enhanced_signup_handler.py",
        }[service]
        (process,) = (one for one in children_of(self.process.pid) if script in command_of(one))
        return process

    def worker_process(self, service: str) -> int:
        """The process that answers the service's requests."""
        return worker_of(self.main_process(service))

    def all_processes(self) -> set[int]:
        """The manager and everything that it was ever seen to have started."""
        below = [self.process.pid]
        while below:
            process = below.pop()
            self._seen.add(process)
            below += children_of(process)
        return self._seen

    def leftovers(self) -> list[int]:
        """Which of all its processes are still there."""
        return [process for process in self._seen if is_running(process)]

    def stop(self) -> int:
        """Stops it as Ctrl-C does; its exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=12)

    def clean_up(self) -> None:
        """Whatever the test has left is gone after this."""
        if self.process.poll() is None:
            self.all_processes()
            self.process.kill()
            self.process.wait()
        for process in self.leftovers():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def assert_database_is_sound(self) -> None:
        """What SQLite's own checks say."""
        with closing(sqlite3.connect(self.database)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def children_of(process: int) -> list[int]:
    """The processes that it started and that have not ended."""
    return [one.number for one in _processes() if one.parent == process and not one.is_zombie]


def worker_of(main_process: int) -> int:
    """The process that answers a service's requests; where Python spawns and doesn't fork, its resource tracker is beside it."""
    (process,) = (
        one for one in children_of(main_process) if "resource_tracker" not in command_of(one)
    )
    return process


def is_running(process: int) -> bool:
    """Whether it has not ended; one that only waits for its parent to notice (a zombie) has."""
    return any(one.number == process and not one.is_zombie for one in _processes())


def command_of(process: int) -> str:
    """Its command line."""
    return next((one.command for one in _processes() if one.number == process), "")


class _Process(NamedTuple):
    number: int
    parent: int
    is_zombie: bool
    command: str


def _processes() -> Iterator[_Process]:
    """All that there are: from /proc, since a small Linux has no `ps`, or from `ps`, since macOS has no /proc."""
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
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) (capture|signup|manager) \S"
)
