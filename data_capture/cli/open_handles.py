"""Find the services and the programs that use a database."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from data_capture.settings import Settings
from data_capture.supervisor.services import SERVICES, ask_health

HEALTH_TIMEOUT_SECONDS = 3.0


def find_services_using(settings: Settings) -> list[str]:
    """Describe the running services that use, or may use, the database of `settings`.

    A service that other machines can reach names its database only to callers who have its keys;
    it counts as one that uses this database.
    """
    running = []
    for service in SERVICES:
        health = ask_health(service, settings, HEALTH_TIMEOUT_SECONDS)
        if health.uses_database(settings.database) or (health.healthy and health.database is None):
            process = f", process {health.pid}" if health.pid else ""
            running.append(f"the {service.name} service ({service.url(settings)}{process})")
    return running


def find_programs_using(database: Path) -> list[str]:
    """Describe the other programs that have the file open: `sqlite3 (process 42)`."""
    return sorted(f"{name} (process {process})" for process, name in find_processes_using(database))


def find_processes_using(database: Path) -> list[tuple[int, str]]:
    """Return the numbers and the names of the other processes that have the file open.

    Linux shows a user the open files of that user's processes, and the superuser all of them. Other
    systems show none.
    """
    try:
        wanted = database.stat()
    except OSError:
        return []
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        with suppress(OSError):  # the process has ended, or belongs to another user
            if _has_open(process, wanted):
                name = (process / "comm").read_text().strip()
                found.append((int(process.name), name))
    return sorted(found)


def _has_open(process: Path, wanted: os.stat_result) -> bool:
    """Tell whether a process, named by its folder in /proc, has the file open."""
    for descriptor in (process / "fd").iterdir():
        with suppress(OSError):  # the process has closed it since
            if os.path.samestat(descriptor.stat(), wanted):
                return True
    return False
