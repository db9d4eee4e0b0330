"""Describe the machine that the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
from importlib.metadata import version
from pathlib import Path


def describe_machine(directory: Path, others: dict[str, str]) -> dict[str, str]:
    """Return the machine and the versions, by name.

    Args:
        directory: the folder of the databases.
        others: further versions.
    """
    return {
        "processor": f"{_processor()}, {len(_usable_processors())} of {os.cpu_count()} cores",
        "kernel": f"{platform.system()} {platform.release()}",
        "file system": describe_file_system(directory),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in ("flask", "granian", "uvloop")},
        **others,
    }


def describe_file_system(directory: Path) -> str:
    """Return the file system's type and device; 'unknown' without /proc."""
    try:
        mounts = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return "unknown"
    place = str(directory.resolve())
    best, found = "", "unknown"
    for device, point, kind, *_ in map(str.split, mounts):
        inside = point == "/" or place == point or place.startswith(point + "/")
        if inside and len(point) >= len(best):
            best, found = point, f"{kind} ({device})"
    return found


def _processor() -> str:
    try:
        about = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    model = re.search(r"^model name\s*:\s*(.+)$", about, re.MULTILINE)
    return model[1] if model else platform.machine()


def _usable_processors() -> set[int]:
    # macOS has no sched_getaffinity.
    return (
        os.sched_getaffinity(0)
        if hasattr(os, "sched_getaffinity")
        else set(range(os.cpu_count() or 1))
    )
