"""Make disks fail and clocks jump below an unchanged service, with a preloaded `shim.c`."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
import sys
from pathlib import Path

_NUMBERS = struct.Struct("=qqq")


class ShimUnavailable(Exception):
    """The shim cannot be compiled or preloaded on this machine; the message says why."""


class Shim:
    """The faults of services that run with its `environment`; they can change at any time."""

    def __init__(self, directory: Path) -> None:
        """Compile the shim in a folder; raise ShimUnavailable if that is impossible."""
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if sys.platform != "linux":
            raise ShimUnavailable("preloading works this way on Linux only")
        if compiler is None:
            raise ShimUnavailable("there is no C compiler (cc) on this machine")
        library = directory / "shim.so"
        source = Path(__file__).with_name("shim.c")
        command = [
            compiler,
            "-shared",
            "-fPIC",
            "-O1",
            "-Wall",
            "-o",
            str(library),
            str(source),
            "-ldl",
        ]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        if built.returncode != 0:
            raise ShimUnavailable(
                f"the C compiler cannot compile {source.name}: {built.stderr[-500:]}"
            )
        control, self.record = directory / "shim.control", directory / "shim.record"
        control.write_bytes(_NUMBERS.pack(0, 0, 0))
        with control.open("r+b") as file:
            self._numbers = mmap.mmap(file.fileno(), _NUMBERS.size)
        self.environment = {"LD_PRELOAD": str(library), "FAULTS_CONTROL": str(control)}

    def set(self, *, clock_seconds: int = 0, write_errno: int = 0, sync_errno: int = 0) -> None:
        """Set the faults from now on.

        Args:
            clock_seconds: added to the wall clock.
            write_errno: the error of each write to a database or WAL; 0 for none.
            sync_errno: the error of each sync of a database or WAL; 0 for none.
        """
        self._numbers[:] = _NUMBERS.pack(clock_seconds, write_errno, sync_errno)
