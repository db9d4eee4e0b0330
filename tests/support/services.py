"""Run real services on free ports and temporary files, and wait for conditions."""

from __future__ import annotations

import itertools
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import requests

REPOSITORY = Path(__file__).resolve().parents[2]

# About 50 ms of work on the idle reference machine, 90 to 130 ms on a throttled processor.
CALIBRATION_STEPS = 1_500_000

MAX_PROCESSES = 2  # of one run of the suite, with `-n 2`

Result = TypeVar("Result")


class PatientServer(ThreadingHTTPServer):
    """Python's HTTP server, with a backlog for the burst of connections of a browser.

    Linux drops connections over the backlog, which is 5 by default. The browser tries again after
    1, 3, 7, 15 and 31 seconds, so a page of 17 frames could take half a minute on a busy machine.
    """

    request_queue_size = 128


def eventually(check: Callable[[], Result], what: str, seconds: float = 60.0) -> Result:
    """Wait until `check` returns a true value, and return it.

    Args:
        check: called every 20 ms.
        what: the expected condition, for the error message.
        seconds: a deadline that only ends a hang; no promise of the product.

    Raises:
        AssertionError: the deadline has passed.
    """
    deadline = time.monotonic() + seconds
    while not (result := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {seconds:g} s: {what}")
        time.sleep(0.02)
    return result


def free_port() -> int:
    """Return a port on loopback that is free, and that no other test takes.

    Linux uses ports above 32767 for outgoing connections, so these are avoided. The processes of a
    suite use alternate ports, and a process reuses a port only after all others.
    """
    while True:
        port = next(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _ports() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % MAX_PROCESSES
    ports = [port for port in range(12_000, 32_768) if port % MAX_PROCESSES == worker]
    random.shuffle(ports)
    return itertools.cycle(ports)


_PORTS = _ports()


def seconds_of_a_calibration(clock: Callable[[], float] = time.perf_counter) -> float:
    """Measure a fixed amount of Python work, as a unit for times on a busy machine."""
    began = clock()
    total = 0
    for number in range(CALIBRATION_STEPS):
        total += number
    return clock() - began


def process_cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rows(database: Path, statement: str, *parameters: Any) -> list[dict[str, Any]]:
    """Return the rows of a SELECT, read from the file as by the sqlite3 shell."""
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(statement, parameters)]
    finally:
        connection.close()


class RunningService:
    """One of the two services as a process; a restart keeps its port and database."""

    def __init__(self, script: str, health_path: str, directory: Path, **environment: str) -> None:
        self.database = directory / "trading_bots.db"
        self.log_file = directory / "enhanced_data_capture.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._script = script
        self._health_url = self.url + health_path
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("EDC_")},
            "EDC_DATABASE": str(self.database),
            "EDC_LOG_FILE": str(self.log_file),
            **environment,
        }
        self._process: subprocess.Popen[str] | None = None
        self.output = directory / f"{script}.output"

    def start(self, seconds: float = 60) -> None:
        """Start the service and wait until it is healthy; do nothing if it runs."""
        if self._process is not None and self._process.poll() is None:
            return
        with self.output.open("a") as output:
            self._process = subprocess.Popen(
                [sys.executable, str(REPOSITORY / self._script), "--port", str(self.port)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        eventually(
            self._is_healthy,
            f"{self._script} is healthy; its output: {self.output.read_text()}",
            seconds,
        )

    def stop(self) -> None:
        """Stop the service with SIGTERM, as an operator would, and wait for its end."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            raise
        finally:
            self._process = None

    def kill(self) -> None:
        """Kill the service and its worker, as a power cut would, and wait for their end."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)  # a group of its own: start_new_session
        self._process.wait(timeout=30)
        self._process = None

    def capture(self, kind: str, payload: Any, **headers: str) -> requests.Response:
        """Send a capture as a server would, without an Origin."""
        return requests.post(
            f"{self.url}/api/data-capture/{kind}", json=payload, headers=headers, timeout=30
        )

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """Return the rows of a SELECT in this service's database."""
        return rows(self.database, statement, *parameters)

    def _is_healthy(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(
                f"{self._script} ended with status {self._process.returncode}: "
                f"{self.output.read_text()}"
            )
        try:
            return requests.get(self._health_url, timeout=2).status_code == 200
        except requests.ConnectionError:
            return False


def capture_service_in(directory: Path, **environment: str) -> RunningService:
    """Return a capture service over `directory`/trading_bots.db, not started yet."""
    return RunningService(
        "enhanced_data_capture_system.py", "/api/data-capture/health", directory, **environment
    )


def signup_service_in(directory: Path, **environment: str) -> RunningService:
    """Return a signup service over `directory`/trading_bots.db, not started yet."""
    return RunningService("enhanced_signup_handler.py", "/api/health", directory, **environment)
