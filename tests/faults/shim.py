"""Disks that fail and clocks that jump, below a service that runs unchanged: `shim.c`, compiled and preloaded."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
import sys
from pathlib import Path

_NUMBERS = struct.Struct("=qqq")


class NoShim(Exception):
    """It can't be had on this machine; the text says why, as the reason for which a test is skipped."""


class Shim:
    """What the services that are started with its `environment` meet; it may change while they run."""

    def __init__(self, directory: Path) -> None:
        """Raises NoShim where it can't be compiled."""
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if sys.platform != "linux":
            raise NoShim("preloading works this way on Linux only")
        if compiler is None:
            raise NoShim("there is no C compiler (cc) on this machine")
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
            raise NoShim(f"the C compiler does not compile {source.name}: {built.stderr[-500:]}")
        control, self.record = directory / "shim.control", directory / "shim.record"
        control.write_bytes(_NUMBERS.pack(0, 0, 0))
        with control.open("r+b") as file:
            self._numbers = mmap.mmap(file.fileno(), _NUMBERS.size)
        self.environment = {"LD_PRELOAD": str(library), "FAULTS_CONTROL": str(control)}

    def set(self, *, clock_seconds: int = 0, write_errno: int = 0, sync_errno: int = 0) -> None:
        """From now on: what is added to the wall clock, and how writing and syncing a database fails; 0 is as it should be."""
        self._numbers[:] = _NUMBERS.pack(clock_seconds, write_errno, sync_errno)
