"""Check the permissions of files and folders, the disk space and the log file."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from data_capture.audit.append import audit_key_file
from data_capture.audit.head import head_file
from data_capture.cli.doctor.findings import Level, Result, ok, problem, warning
from data_capture.cli.files import wal_file
from data_capture.cli.formatting import format_count, format_size
from data_capture.limits.disk_space import required_free_bytes

_LOW_SPACE_BYTES = 1_000_000_000
_NO_SPACE_BYTES = 1_000_000  # a capture with a picture may need it
_MIN_FREE_WAL_SIZES = 10

_OTHER_USERS_MODE = 0o077
_WRITABLE_MODE = 0o222


def is_read_only(path: Path) -> bool:
    """Tell whether the disk of a file or folder is mounted read-only."""
    try:
        return bool(os.statvfs(path if path.exists() else path.parent).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def report_read_only(path: Path) -> Result:
    """Return the problem of a file or folder whose disk is mounted read-only."""
    mount_point = _find_mount_point(path.resolve())
    return problem(
        f"{path} can't be written, because {mount_point} is mounted read-only",
        f"the data is not damaged: mount it writable (mount -o remount,rw {mount_point}). If the "
        "system made it read-only after an error of the disk (dmesg says so), check the disk first",
    )


def _find_mount_point(path: Path) -> Path:
    """Return the mount point above a path; Linux lists those of folders, too."""
    listed = set()
    with suppress(OSError):
        lines = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
        # Spaces are escaped: proc_pid_mountinfo(5).
        listed = {Path(line.split()[4].replace("\\040", " ")) for line in lines}
    for folder in (path, *path.parents):
        if folder in listed or folder.is_mount():
            return folder
    return Path(path.anchor)


def check_file(path: Path, *, secret: bool = False) -> Result:
    """Check that this user alone can read and write a file.

    Args:
        path: the database or a key.
        secret: whether it is a problem, and not only a warning, if other users can read it.
    """
    if not path.exists():
        return ok(f"{path} does not exist yet; the first start creates it")
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return problem(
            f"{path} is not a regular file", "name another with --database or EDC_DATABASE"
        )
    if is_read_only(path):
        return report_read_only(path)
    mode = f"{stat.S_IMODE(status.st_mode):04o}"
    # The superuser can write every file. One without a write permission was protected on purpose.
    if not os.access(path, os.R_OK | os.W_OK) or not status.st_mode & _WRITABLE_MODE:
        return problem(
            f"{path} can't be read and written by this user (uid {os.geteuid()}, mode {mode})",
            f"if its owner (uid {status.st_uid}) runs the services: chmod u+rw {path}",
        )
    if status.st_uid != os.geteuid():
        return warning(
            f"{path} belongs to uid {status.st_uid}, and this is uid {os.geteuid()}",
            "run doctor as the user who runs the services; these answers are for you",
        )
    if status.st_mode & _OTHER_USERS_MODE:
        return Result(
            Level.PROBLEM if secret else Level.WARNING,
            f"{path} is open to other users of this machine (mode {mode})",
            f"chmod 600 {path}",
        )
    return ok(f"{path}, mode {mode}")


def check_folder(folder: Path) -> Result:
    """Check that this user can create files in the database's folder."""
    if not folder.is_dir():
        return problem(f"there is no folder {folder}", f"mkdir -p {folder}")
    if is_read_only(folder):
        return report_read_only(folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        return problem(
            f"{folder} can't be written to, and SQLite has to write the WAL there",
            f"chmod u+rwx {folder}, or name another place with --database or EDC_DATABASE",
        )
    return ok(f"{folder} can be written to")


def check_keys(folder: Path, database: Path) -> Result:
    """Check that the keys are there, and that only their owner can read them.

    Running services have the keys in memory, so that nothing else shows that their files are gone.
    """
    audit_key = audit_key_file(database)
    if head_file(database).exists() and database.exists() and not audit_key.exists():
        return problem(
            f"{audit_key} is missing, which proves the audit trail of {database}",
            f"copy {folder} back from where you keep it; otherwise the next start makes new keys, "
            "the audit trail begins a new chain, and duplicates and erasures of before are not "
            "recognised",
        )
    if not folder.exists():
        return ok(f"{folder} does not exist yet; it is created when it is needed")
    results = [check_file(path, secret=True) for path in sorted(folder.iterdir())]
    for result in results:
        if result.level is not Level.OK:
            return result
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & _OTHER_USERS_MODE:
        return problem(
            f"{folder} is open to other users of this machine (mode {mode:04o})",
            f"chmod 700 {folder}",
        )
    return ok(f"{folder}, {format_count(len(results), 'key')}, readable only by their owner")


def check_disk_space(database: Path, min_free_bytes: int | None) -> Result:
    """Check that the disk has room for the database's growth and its WAL.

    Args:
        database: the database.
        min_free_bytes: below it the services refuse captures (`EDC_MIN_FREE_DISK`).
    """
    folder = database.parent
    if not folder.is_dir():
        return warning("unknown, because the folder is missing", "see database folder")
    disk = shutil.disk_usage(folder)
    free_bytes = disk.free
    wal = wal_file(database)
    wal_bytes = wal.stat().st_size if wal.exists() else 0
    used_bytes = wal_bytes + (database.stat().st_size if database.exists() else 0)
    wanted_bytes = max(_LOW_SPACE_BYTES, _MIN_FREE_WAL_SIZES * wal_bytes)
    answer = (
        f"{format_size(free_bytes)} free in {folder}; the database has {format_size(used_bytes)}"
    )
    if free_bytes < max(required_free_bytes(disk.total, min_free_bytes), _NO_SPACE_BYTES):
        return problem(answer, "free some space: captures are refused (EDC_MIN_FREE_DISK)")
    if free_bytes < wanted_bytes:
        return warning(answer, f"free some space, at least {format_size(wanted_bytes)}")
    return ok(answer)


def check_log_file(log_file: Path) -> Result:
    """Check that this user can write the log file."""
    advice = "name another with --log-file or EDC_LOG_FILE"
    folder = log_file.parent
    if not folder.is_dir():
        return problem(f"there is no folder {folder}", f"mkdir -p {folder}, or {advice}")
    if log_file.exists() and not log_file.is_file():
        return problem(f"{log_file} is not a regular file", advice)
    if is_read_only(log_file):
        return report_read_only(log_file)
    # Rotation creates files in the folder.
    is_writable = os.access(folder, os.W_OK | os.X_OK) and (
        not log_file.exists() or os.access(log_file, os.W_OK)
    )
    if not is_writable:
        return problem(f"{log_file} can't be written by this user (uid {os.geteuid()})", advice)
    if not log_file.exists():
        return ok(f"{log_file} does not exist yet; the first start creates it")
    return ok(f"{log_file}, {format_size(log_file.stat().st_size)}")
