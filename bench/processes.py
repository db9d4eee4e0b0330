"""Start servers on free ports, measure their memory and CPU time, and stop them."""

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

_START_TIMEOUT_SECONDS = 20.0
_STOP_TIMEOUT_SECONDS = 12.0
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_MAX_SHOWN_CHARACTERS = 500
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """The memory and CPU time of a server's processes; both 0 without /proc."""

    resident_megabytes: float
    cpu_seconds: float


class Server:
    """One server, with its child processes in one process group.

    Args:
        name: its name in messages.
        command: starts it in the foreground; `{port}` is replaced by a free port.
        directory: the folder for its output.
        environment: variables in addition to this process's; those of the services are left out.
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
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=Path(__file__).resolve().parent.parent,
                env={**inherited, **(environment or {})},
            )

    def wait_until_ready(self) -> None:
        """Return when it takes connections.

        Raises:
            RuntimeError: it ended, or takes no connections in time.
        """
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)
        raise RuntimeError(
            f"{self.name} did not start. Its output ends with: "
            f"{self._output.read_text(errors='replace').strip()[-_MAX_SHOWN_CHARACTERS:]}"
        )

    def usage(self) -> Usage:
        """Return the present memory and CPU time of all its processes."""
        pages = ticks = 0
        for fields in _processes_of_group(self._process.pid):
            # proc(5): fields 14 to 17 are the user and system time of the process and of its ended
            # children; field 24 is the resident set size.
            ticks += sum(int(field) for field in fields[11:15])
            pages += int(fields[21])
        return Usage(pages * _PAGE_BYTES / 1e6, ticks / _TICKS_PER_SECOND)

    def stop(self) -> None:
        """Stop it: with SIGTERM first, then with SIGKILL for all processes that remain."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_TIMEOUT_SECONDS)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _processes_of_group(group: int) -> Iterator[list[str]]:
    """Yield /proc/PID/stat of each process of the group, from the third field on.

    The second field, the name, may contain spaces.
    """
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(") ")[2].split()
            if int(fields[2]) == group:
                yield fields
