"""Check the backups, and the files that an unfinished backup or restore left."""

from __future__ import annotations

import time
from pathlib import Path

from data_capture.cli.backup import default_backup_folder, find_backups, find_unfinished_backups
from data_capture.cli.doctor.findings import Result, ok, warning
from data_capture.cli.formatting import format_age
from data_capture.cli.replacement import find_second_names, staged_file


def check_leftovers(database: Path) -> Result:
    """Check that no backup or restore was left unfinished."""
    folder = default_backup_folder(database)
    leftovers = find_unfinished_backups(folder, database) if folder.is_dir() else []
    staged = staged_file(database.resolve())
    if staged.exists():
        leftovers.append(staged)
    leftovers += find_second_names(database.resolve())
    if leftovers:
        listed = ", ".join(map(str, leftovers))
        return warning(
            f"files of a backup or restore that runs or was killed: {listed}",
            "if none runs: the next one removes them",
        )
    return ok("no backup or restore was left unfinished")


def check_backups(database: Path) -> Result:
    """Report how many backups there are, and how old the newest is."""
    folder = default_backup_folder(database)
    backups = find_backups(folder, database) if folder.is_dir() else []
    if not backups:
        return ok(
            f"none in {folder}; python3 -m data_capture backup makes one while everything runs"
        )
    age = format_age(time.time() - backups[-1].stat().st_mtime)
    return ok(f"{len(backups)} in {folder}, the newest made {age} ago")
