"""Check the backups, and the files that an unfinished backup or restore left."""

from __future__ import annotations

import time
from pathlib import Path

from data_capture.cli.backup import find_backups, find_unfinished_backups, time_of_backup
from data_capture.cli.doctor.findings import Result, ok, warning
from data_capture.cli.formatting import format_age
from data_capture.cli.replacement import find_second_names, staged_file

_OLD_SECONDS = 2 * 86400  # the documented backup is made every night

_MAKE_BACKUP = (
    "python3 -m data_capture backup makes one while everything runs; docs/operations.md makes one "
    "every night. If they are in another folder: --backups DIR"
)


def check_leftovers(database: Path, folder: Path) -> Result:
    """Check that no backup or restore was left unfinished."""
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


def check_backups(database: Path, folder: Path) -> Result:
    """Check that there is a backup, and that the newest is not old."""
    backups = find_backups(folder, database) if folder.is_dir() else []
    if not backups and not database.exists():
        return ok("there is nothing to back up yet")
    if not backups:
        return warning(f"there is no backup in {folder}", _MAKE_BACKUP)
    age_seconds = time.time() - max(map(time_of_backup, backups))
    answer = f"{len(backups)} in {folder}, the newest made {format_age(age_seconds)} ago"
    return warning(answer, _MAKE_BACKUP) if age_seconds > _OLD_SECONDS else ok(answer)
