"""What tests share: real services on free ports over temporary files, and waiting for things instead of sleeping."""

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

CALIBRATION_STEPS = 1_500_000  # 50 ms of work on an idle machine here, 90 to 130 ms where the processor is slowed down

MAX_PROCESSES = 2  # that share the suite, with `-n 2`

Answer = TypeVar("Answer")


class PatientServer(ThreadingHTTPServer):
    """Python's server, with room for the burst of connections that a browser begins with.

    Of more than 5 that wait, Python's default, Linux drops what comes. The browser tries again after 1, 3, 7, 15 and 31
    seconds, so that a page of 17 frames may take half a minute on a busy machine.
    """

    request_queue_size = 128


def eventually(look: Callable[[], Answer], what: str, seconds: float = 10.0) -> Answer:
    """What `look` returns, once that is true; fails with `what` was waited for when it isn't within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {seconds:g} s: {what}")
        time.sleep(0.02)
    return seen


def free_port() -> int:
    """A port on loopback that nothing listens on at this moment, and that nothing takes before the caller does.

    Linux gives connections ports above 32767, so those are left to them. Tests that run in another process of the suite
    take every second one, and this process never takes one twice.
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
    """How long a fixed amount of Python work takes now, on this machine, which others may keep busy."""
    began = clock()
    total = 0
    for number in range(CALIBRATION_STEPS):
        total += number
    return clock() - began


def rows(database: Path, statement: str, *parameters: Any) -> list[dict[str, Any]]:
    """What a SELECT finds in the file, as people with the sqlite3 shell would see it."""
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(statement, parameters)]
    finally:
        connection.close()


class RunningService:
    """One of the two services as a real process over a real file; `stop` and `start` keep its port and database."""

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

    def start(self, seconds: float = 20) -> None:
        """Starts it and waits until it is healthy, for `seconds` at most; does nothing when it runs."""
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
            f"{self._script} is healthy; it said: {self.output.read_text()}",
            seconds,
        )

    def stop(self) -> None:
        """Stops it as an operator would and waits for its end."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            raise
        finally:
            self._process = None

    def kill(self) -> None:
        """Ends it and its worker at once, as a power cut would, and waits for that."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)  # a group of its own: start_new_session
        self._process.wait(timeout=15)
        self._process = None

    def capture(self, kind: str, payload: Any, **headers: str) -> requests.Response:
        """Sends a capture as a server would, without an Origin."""
        return requests.post(
            f"{self.url}/api/data-capture/{kind}", json=payload, headers=headers, timeout=30
        )

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """What a SELECT finds in this service's database."""
        return rows(self.database, statement, *parameters)

    def _is_healthy(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(
                f"{self._script} ended with status {self._process.returncode}: {self.output.read_text()}"
            )
        try:
            return requests.get(self._health_url, timeout=2).status_code == 200
        except requests.ConnectionError:
            return False


def capture_service_in(directory: Path, **environment: str) -> RunningService:
    """A capture service over `directory`/trading_bots.db, not started yet."""
    return RunningService(
        "enhanced_data_capture_system.py", "/api/data-capture/health", directory, **environment
    )


def signup_service_in(directory: Path, **environment: str) -> RunningService:
    """A signup service over `directory`/trading_bots.db, not started yet."""
    return RunningService("enhanced_signup_handler.py", "/api/health", directory, **environment)
