"""Servers as processes: started on a free port in a group of their own, weighed, and ended with all their children."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_STARTING_SECONDS = 20.0
_ENDING_SECONDS = 12.0
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """What a server's processes hold and have used; both 0 where there is no /proc."""

    resident_megabytes: float
    cpu_seconds: float


class Server:
    """One server. `command` may hold `{port}`.

    Args:
        name: for messages.
        command: starts it in the foreground.
        directory: for what it prints.
        environment: on top of this process's, without the services' own variables.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        directory: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.port = _free_port()
        self._output = directory / f"{name.replace(' ', '-')}.output"
        inherited = {
            variable: value
            for variable, value in os.environ.items()
            if not variable.startswith("EDC_")
        }
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [part.replace("{port}", str(self.port)) for part in command],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
                cwd=Path(__file__).resolve().parent.parent, env={**inherited, **(environment or {})},
            )  # fmt: skip

    def wait_until_ready(self) -> None:
        """Returns once it takes connections.

        Raises:
            RuntimeError: it ended, or took none in time.
        """
        deadline = time.monotonic() + _STARTING_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)
        raise RuntimeError(
            f"{self.name} did not start; it said: {self._output.read_text(errors='replace').strip()[-500:]}"
        )

    def usage(self) -> Usage:
        """Of all its processes, at this moment."""
        pages = ticks = 0
        for fields in _processes_of_group(self._process.pid):
            # proc(5): fields 14 to 17 are user and system time, its own and of children that have ended; 24 is the RSS.
            ticks += sum(int(field) for field in fields[11:15])
            pages += int(fields[21])
        return Usage(pages * _PAGE_BYTES / 1e6, ticks / _TICKS_A_SECOND)

    def stop(self) -> None:
        """Ends it, gracefully if it does that in time, and whatever it has left behind."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_ENDING_SECONDS)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _processes_of_group(group: int) -> Iterator[list[str]]:
    """/proc/PID/stat of each process of the group, from its third field on: the second, the name, may hold spaces."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(") ")[2].split()
            if int(fields[2]) == group:
                yield fields
