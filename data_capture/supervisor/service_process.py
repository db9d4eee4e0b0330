"""The process of a service: start it, forward its output, stop it."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from data_capture.server.parent_watch import SUPERVISED_VARIABLE
from data_capture.settings import REPOSITORY, Settings
from data_capture.supervisor.services import Health, Service

log = logging.getLogger("data_capture.manager")

_POLL_SECONDS = 0.025
_TERMINATE_INTERVAL_SECONDS = 1.0
# With a response that is still awaited, everything has stopped within 10 s.
_STOP_SECONDS = 7.5
_KEPT_LINES = 20
_LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


class ServiceProcess:
    """One process of a service, with its worker process.

    Args:
        service: the service.
        settings: passed to it as environment variables.
        print_line: prints a line of its output.
    """

    def __init__(
        self, service: Service, settings: Settings, print_line: Callable[[str], None]
    ) -> None:
        self._service = service
        self._print_line = print_line
        self._last_lines: deque[str] = deque(maxlen=_KEPT_LINES)
        # In a session of its own, Ctrl-C in the terminal reaches only the manager, and the whole
        # group can be killed. The service stops when the manager's end of the standard input
        # closes.
        self._process = subprocess.Popen(
            [sys.executable, str(REPOSITORY / service.script)],
            env={
                **os.environ,
                **settings.as_environment(),
                SUPERVISED_VARIABLE: "1",
                "PYTHONUNBUFFERED": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._forwarder = threading.Thread(target=self._forward_output, daemon=True)
        self._forwarder.start()

    def describe_exit(self) -> str | None:
        """Return how the process ended, as the rest of a sentence; None while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        if status >= 0:
            return f"ended with exit status {status}"
        try:
            return f"was killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"was killed by signal {-status}"

    def has_sent(self, health: Health) -> bool:
        """Tell whether this process sent the health, and not another service on its port."""
        if health.pid is None:
            return True  # it has another key or a different clock, so that it reports no details
        try:
            return os.getpgid(health.pid) == self._process.pid
        except ProcessLookupError:
            return False

    def stop(self, stop_now: threading.Event) -> None:
        """Stop the process gracefully, or at once when `stop_now` is set.

        Whatever is left of its group is killed.
        """
        process = self._process
        if process.poll() is None and not stop_now.is_set():
            self._terminate(stop_now)
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
        # As the first process of a container, the manager inherits the service's worker.
        with suppress(ChildProcessError):
            while os.waitpid(-process.pid, os.WNOHANG) != (0, 0):
                pass
        self._forwarder.join(timeout=1)

    def last_output(self) -> str:
        """Return its last lines that are not in the log file, such as a traceback."""
        lines = [line for line in self._last_lines if not _LOG_LINE.match(line)]
        return "".join(f"\n    {line}" for line in lines)

    def _terminate(self, stop_now: threading.Event) -> None:
        process = self._process
        _signal_group(process.pid, signal.SIGCONT)  # a suspended process handles no signal
        deadline = time.monotonic() + _STOP_SECONDS
        while process.poll() is None and time.monotonic() < deadline and not stop_now.is_set():
            # SIGTERM again and again: in a process that has just resumed, another thread may get
            # the signal while Python's main thread, which must handle it, sleeps on.
            process.terminate()
            self._wait_for_exit(_TERMINATE_INTERVAL_SECONDS, stop_now)
        if process.poll() is None and not stop_now.is_set():
            log.warning(
                "The %s service did not stop within %g s and was killed",
                self._service.name,
                _STOP_SECONDS,
            )

    def _wait_for_exit(self, seconds: float, stop_now: threading.Event) -> None:
        """Wait until the process has ended, the time is over, or `stop_now` is set."""
        deadline = time.monotonic() + seconds
        while self._process.poll() is None and time.monotonic() < deadline:
            if stop_now.wait(_POLL_SECONDS):
                return

    def _forward_output(self) -> None:
        assert self._process.stdout is not None
        for content in self._process.stdout:
            line = content.decode(errors="replace").rstrip()
            self._last_lines.append(line)
            self._print_line(f"[{self._service.name}] {line}")


def _signal_group(group: int, number: signal.Signals) -> None:
    # macOS raises PermissionError for a group of zombies.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
