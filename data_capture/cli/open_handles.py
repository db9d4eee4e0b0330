"""Who uses a database: the two services, by what they answer, and programs that have the file open."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from data_capture.settings import Settings
from data_capture.supervisor.services import SERVICES, ask_health

ANSWER_SECONDS = 3.0
"""How long a service may take to say how it is."""


def services_using(settings: Settings) -> list[str]:
    """The services that answer and may use the database of `settings`, as words for people."""
    running = []
    for service in SERVICES:
        health = ask_health(service, settings, ANSWER_SECONDS)
        # One that other machines can reach doesn't say what it uses to those who don't have its keys.
        if health.uses_database(settings.database) or (health.healthy and health.database is None):
            process = f", process {health.pid}" if health.pid else ""
            running.append(f"the {service.name} service ({service.url(settings)}{process})")
    return running


def programs_using(database: Path) -> list[str]:
    """The other programs that have the file open, as `sqlite3 (process 4242)`, as far as this system lets us see them.

    Linux shows the open files of one's own processes, and the superuser those of all; elsewhere nothing is seen.
    """
    try:
        wanted = database.stat()
    except OSError:
        return []
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        with suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with suppress(OSError):
                    status = descriptor.stat()
                    if (status.st_dev, status.st_ino) == (wanted.st_dev, wanted.st_ino):
                        name = (process / "comm").read_text().strip()
                        found.append(f"{name} (process {process.name})")
                        break
    return sorted(found)
