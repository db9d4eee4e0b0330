"""`doctor`: checks an installation, changes nothing, and says what to do.

Each question is one function here and one line of the answer. What it prints holds no personal data.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from data_capture.audit.append import audit_key_file
from data_capture.cli import CommandError
from data_capture.cli.backup import backup_folder, backups_in, unfinished_in
from data_capture.cli.files import log_beside, writer_lock_file
from data_capture.cli.formatting import Progress, age, count, size
from data_capture.cli.integrity_report import (
    begins_as_database,
    find_broken_references,
    find_damage,
    is_lock,
    our_tables,
    refuse_what_is_no_database,
    snapshot,
)
from data_capture.cli.open_handles import ANSWER_SECONDS, programs_using
from data_capture.cli.restore import second_names_of, staged_beside
from data_capture.cli.schema_report import examine_schema
from data_capture.key_files import load_key
from data_capture.server.ports import why_not_listen
from data_capture.settings import FILE_PAGES, Settings
from data_capture.store.sqlite.connection import usual_log_bytes
from data_capture.store.sqlite.lock import WriterLock, WriterLockTimeout
from data_capture.supervisor.services import CAPTURE, SIGNUP, Service, ask_health
from data_capture.web.local_access import exposing_settings

_FIXED_SQLITE = (3, 51, 3)  # the first with a remedy for the WAL-reset bug (sqlite.org/wal.html)
_OLDEST_SQLITE = (3, 24, 0)  # the first with ON CONFLICT … DO UPDATE, which the store uses

_LARGE_LOG = 4  # times the usual; it grows while someone reads for long, and is used anew after
_LITTLE_SPACE_BYTES = 1_000_000_000
_NO_SPACE_BYTES = 100_000_000
_LOG_FITS_TIMES = 10

_OTHERS_CAN_READ = 0o077
_MAX_FINDINGS = 5

_AS_WHO_RUNS = "run this as who runs the services"


class Level(str, Enum):
    """How bad it is: `PROBLEM` keeps the services from working or puts the data at risk, `WARNING` may come to that."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """The answer to one question, and what to do about it (empty when there is nothing to do)."""

    question: str
    level: Level
    answer: str
    advice: str = ""


def _ok(question: str, answer: str) -> Finding:
    return Finding(question, Level.OK, answer)


def _warning(question: str, answer: str, advice: str) -> Finding:
    return Finding(question, Level.WARNING, answer, advice)


def _problem(question: str, answer: str, advice: str) -> Finding:
    return Finding(question, Level.PROBLEM, answer, advice)


def diagnose(settings: Settings, *, quick: bool, progress: Progress) -> Iterator[Finding]:
    """The answers, one after the other."""
    database = settings.database
    questions: list[tuple[str, Callable[[str], Finding]]] = [
        ("capture port", lambda question: _port(question, CAPTURE, settings)),
        ("signup port", lambda question: _port(question, SIGNUP, settings)),
        ("access", lambda question: _access(question, settings)),
        ("database file", lambda question: _permissions(question, database)),
        ("database folder", lambda question: _folder(question, database.parent)),
        ("keys", lambda question: _keys(question, settings.keys_directory)),
        ("integrity", lambda question: _integrity(question, settings, quick, progress)),
        ("foreign keys", lambda question: _references(question, settings)),
        ("lock", lambda question: _lock(question, settings)),
        ("SQLite version", _sqlite),
        ("write-ahead log", lambda question: _write_ahead_log(question, database)),
        ("disk space", lambda question: _disk_space(question, database)),
        ("log file", lambda question: _log_file(question, settings.log_file)),
        ("leftovers", lambda question: _leftovers(question, database)),
        ("backups", lambda question: _backups(question, database)),
    ]
    for question, answer in questions:
        try:
            yield answer(question)
        except OSError as error:
            yield _problem(
                question, f"{error.filename} can't be looked at: {error.strerror}", _AS_WHO_RUNS
            )


def examine_installation(
    settings: Settings, *, quick: bool, as_json: bool, progress: Progress
) -> bool:
    """Prints the findings, as text or as JSON; whether there is no problem."""
    findings = []
    for finding in diagnose(settings, quick=quick, progress=progress):
        findings.append(finding)
        if not as_json:
            progress.clear()
            print(f"{finding.level.value:8} {finding.question:18} {finding.answer}", flush=True)
            if finding.advice:
                print(f"{'':8} {'':18} → {finding.advice}", flush=True)
    worst = [level for level in Level if any(finding.level is level for finding in findings)][-1]
    if as_json:
        print(
            json.dumps(
                {"status": worst, "findings": [asdict(finding) for finding in findings]}, indent=2
            )
        )
    else:
        numbers = [
            count(sum(finding.level is level for finding in findings), level.value)
            for level in Level
            if level != Level.OK
        ]
        print(f"\n{', '.join(reversed(numbers))}")
    return worst is not Level.PROBLEM


def _port(question: str, service: Service, settings: Settings) -> Finding:
    port = service.port(settings)
    choose = f"choose another port with --{service.name}-port or EDC_{service.name.upper()}_PORT"
    if service is SIGNUP and port == settings.capture_port:
        return _problem(question, f"{port} is the capture service's port as well", choose)
    health = ask_health(service, settings, ANSWER_SECONDS)
    if not health.healthy and health.database is None:
        reason = health.says if health.listening else why_not_listen(settings.host, port)
        if reason is None:
            return _ok(question, f"{port} is free; the {service.name} service is not running")
        return _problem(question, f"what is at {port} {reason}" if health.listening else f"{port} {reason}",
                        f"stop it (lsof -i :{port} names it), or {choose}" if health.listening else choose)  # fmt: skip
    who = f"the {service.name} service at {port}" + (
        f" (process {health.process})" if health.process else ""
    )
    if not health.healthy:
        return _problem(question, f"{who} {health.says}", "see the lines below, and the log file")
    if health.database is not None and not health.is_over(settings.database):
        return _warning(question, f"{who} is healthy, but uses another database: {health.database}",
                        "name that with --database, or the EDC_ variables that it was started with")  # fmt: skip
    return _ok(question, f"{who} is healthy")


def _access(question: str, settings: Settings) -> Finding:
    exposing = exposing_settings(settings)
    answer = "for this machine alone"
    if exposing:
        answer = f"reachable through {', '.join(exposing)}; statistics and health details need the admin token"
    if FILE_PAGES not in settings.allowed_origins:
        return _ok(question, answer)
    return _warning(
        question,
        f"{answer}; pages opened from disk may send captures, and so may sandboxed frames of any website",
        "take 'file' out of EDC_ALLOWED_ORIGINS when you need no pages from disk",
    )


def _permissions(question: str, path: Path, *, secret: bool = False) -> Finding:
    if not path.exists():
        return _ok(question, f"{path} is not there yet; it is made at the first start")
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return _problem(
            question,
            f"{path} is not a regular file",
            "name another with --database or EDC_DATABASE",
        )
    mode = f"{stat.S_IMODE(status.st_mode):04o}"
    # The superuser may write to every file; one that nobody may write to was marked so on purpose.
    if not os.access(path, os.R_OK | os.W_OK) or not status.st_mode & 0o222:
        return _problem(
            question,
            f"{path} can't be read and written by this user (uid {os.geteuid()}, mode {mode})",
            f"if uid {status.st_uid}, whose it is, runs the services: chmod u+rw {path}",
        )
    if status.st_uid != os.geteuid():
        return _warning(
            question,
            f"{path} belongs to uid {status.st_uid}, and this is uid {os.geteuid()}",
            "run the doctor as who runs the services; these answers are for you",
        )
    if status.st_mode & _OTHERS_CAN_READ:
        level = Level.PROBLEM if secret else Level.WARNING
        return Finding(
            question,
            level,
            f"{path} is open to other users of this machine (mode {mode})",
            f"chmod 600 {path}",
        )
    return _ok(question, f"{path}, mode {mode}")


def _folder(question: str, folder: Path) -> Finding:
    if not folder.is_dir():
        return _problem(question, f"there is no folder {folder}", f"mkdir -p {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        return _problem(
            question,
            f"{folder} can't be written to, where the database's log has to lie",
            f"chmod u+rwx {folder}, or name another place with --database or EDC_DATABASE",
        )
    return _ok(question, f"{folder} can be written to")


def _keys(question: str, folder: Path) -> Finding:
    if not folder.exists():
        return _ok(question, f"{folder} is not there yet; it is made when it is needed")
    findings = [_permissions(question, path, secret=True) for path in sorted(folder.iterdir())]
    mode = stat.S_IMODE(folder.stat().st_mode)
    for finding in findings:
        if finding.level is not Level.OK:
            return finding
    if mode & _OTHERS_CAN_READ:
        return _problem(
            question,
            f"{folder} is open to other users of this machine (mode {mode:04o})",
            f"chmod 700 {folder}",
        )
    return _ok(question, f"{folder}, {count(len(findings), 'key')}, only for their owner's eyes")


def _integrity(question: str, settings: Settings, quick: bool, progress: Progress) -> Finding:
    database = settings.database
    if _is_empty(database):
        return _ok(question, "there is nothing to check yet")
    if not os.access(database, os.R_OK):
        return _problem(
            question, "not checked, as this user can't read the file", "see database file"
        )
    way_back = (
        "stop the services and put a backup in its place: python3 -m data_capture restore FILE"
    )
    try:
        refuse_what_is_no_database(database)
        progress.step("Checking the database …")
        began_at = time.monotonic()
        with snapshot(database, settings.request_seconds) as connection:
            damage = find_damage(connection, quick=quick)
            changed = _schema_findings(connection, database, is_damaged=bool(damage))
    except CommandError as error:
        return _problem(question, str(error).rstrip("."), way_back)
    except sqlite3.Error as error:
        state = (
            "damaged" if "malformed" in str(error) else "it can't be read"
        )  # not even its schema
        return _problem(question, f"{state}: {error}", "see lock" if is_lock(error) else way_back)
    if damage and not changed:
        return _problem(question, f"damaged: {'; '.join(damage)}", way_back)
    if changed:
        state = f"damaged: {'; '.join(damage)}; and" if damage else "whole, but"
        return _problem(
            question,
            f"{state} its schema was changed: {' '.join(changed)}",
            way_back
            if damage
            else "python3 -m data_capture verify-audit says what that means, and what to do where it was done on purpose",
        )
    check = "quick check, which leaves out indexes" if quick else "full check"
    return _ok(
        question,
        f"whole ({check} of {size(database.stat().st_size)} in {time.monotonic() - began_at:.1f} s)",
    )


def _schema_findings(
    connection: sqlite3.Connection, database: Path, *, is_damaged: bool
) -> list[str]:
    """What `verify-audit` says of the schema; nothing where no service of ours has been here yet."""
    try:
        key_file = audit_key_file(database)
        findings = examine_schema(connection, key_file, load_key(key_file)).findings
    except (OSError, ValueError):
        return []  # without a key there is nothing to compare with; see keys
    except sqlite3.DatabaseError as error:
        if not is_damaged or is_lock(error):
            raise
        return []  # the damage has been found already, and is why this can't be read
    more = (
        [f"And {count(len(findings) - _MAX_FINDINGS, 'finding')} more."]
        if len(findings) > _MAX_FINDINGS
        else []
    )
    return [*findings[:_MAX_FINDINGS], *more]


def _references(question: str, settings: Settings) -> Finding:
    database = settings.database
    if _is_empty(database):
        return _ok(question, "there is nothing to check yet")
    try:
        with snapshot(database, settings.request_seconds) as connection:
            broken = find_broken_references(connection)
    except sqlite3.Error as error:
        return _warning(
            question, f"not checked, as the file can't be read: {error}", "see integrity"
        )
    if not broken:
        return _ok(question, "every row refers to a person who is there")
    # The rows of an older program's own tables are that program's business.
    level = Level.PROBLEM if our_tables() & set(broken) else Level.WARNING
    return Finding(
        question,
        level,
        f"rows refer to someone who isn't there: {', '.join(broken.values())}",
        "someone has changed the file by hand, without PRAGMA foreign_keys = ON; PRAGMA foreign_key_check names the rows",
    )


def _is_empty(database: Path) -> bool:
    return not database.exists() or (database.is_file() and database.stat().st_size == 0)


def _lock(question: str, settings: Settings) -> Finding:
    """Whether a write could begin now; it is not made. As the services do, this waits `request_seconds` for its turn."""
    database, path = settings.database, writer_lock_file(settings.database)
    if not database.exists() or not path.exists():
        # The gate is not made here: what is made by whoever asks, under sudo say, might be closed to the services.
        return _ok(question, "no service has been here yet; nothing holds a lock of ours")
    if not begins_as_database(
        database
    ):  # only looking at an empty file would make SQLite throw away the log beside it
        return _warning(question, "not tried, as the file is no database", "see integrity")
    if not os.access(path, os.R_OK | os.W_OK):
        return _problem(
            question,
            f"{path} can't be read and written by this user",
            f"chmod 600 {path}, as its owner",
        )
    seconds = settings.request_seconds
    writer_lock = WriterLock(database)
    try:
        with writer_lock.hold(seconds):
            _begin_a_write(database, seconds)
    except WriterLockTimeout:
        return _problem(
            question,
            f"{path} is held for longer than {seconds:g} s",
            "a process of ours hangs: start the services anew",
        )
    except sqlite3.Error as error:
        if not is_lock(error):
            return _problem(question, f"a write can't begin: {error}", "see the lines above")
        users = ", ".join(programs_using(database)) or "another program"
        return _problem(
            question,
            f"another program holds the lock; the file is open in {users}",
            "let that program commit or end; until then captures are answered 503 and wait in the browsers",
        )
    finally:
        writer_lock.close()
    return _ok(question, "a write can begin")


def _begin_a_write(database: Path, busy_seconds: float) -> None:
    uri = f"{database.resolve().as_uri()}?mode=rw"
    # While another connection is there, closing one leaves the log as it is: nothing changes because someone asked.
    with (
        snapshot(database, busy_seconds),
        closing(
            sqlite3.connect(uri, uri=True, isolation_level=None, timeout=busy_seconds)
        ) as connection,
    ):
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def _sqlite(question: str) -> Finding:
    version = sqlite3.sqlite_version
    numbers = tuple(int(part) for part in version.split("."))
    if numbers < _OLDEST_SQLITE:
        return _problem(question, f"{version} is too old", "use a Python with SQLite 3.24 or newer")
    if numbers < _FIXED_SQLITE:
        return _ok(
            question,
            f"{version}; its WAL-reset bug (fixed in 3.51.3) is kept out by the services' gate, "
            "which other programs that write to the file don't know",
        )
    return _ok(question, f"{version}, without the WAL-reset bug")


def _write_ahead_log(question: str, database: Path) -> Finding:
    log = log_beside(database)
    if not log.exists():
        return _ok(question, "there is none, so everything is in the database file")
    length = log.stat().st_size
    if length > 0 and _is_empty(database):
        return _problem(
            question,
            f"{log} ({size(length)}) is there without the database that it belongs to",
            "do not start the services: put the database back beside it first, or move it away if it is not needed",
        )
    if length > _LARGE_LOG * usual_log_bytes(database.stat().st_size):
        return _warning(
            question,
            f"{size(length)}: something read the database for a long time while it was written to",
            "end programs that have it open; starting the services anew makes the log small again",
        )
    return _ok(question, size(length))


def _disk_space(question: str, database: Path) -> Finding:
    folder = database.parent
    if not folder.is_dir():
        return _warning(question, "not known, as the folder is missing", "see database folder")
    free = shutil.disk_usage(folder).free
    log = log_beside(database)
    used = sum(path.stat().st_size for path in (database, log) if path.exists())
    wanted = max(_LITTLE_SPACE_BYTES, _LOG_FITS_TIMES * (log.stat().st_size if log.exists() else 0))
    answer = f"{size(free)} free in {folder}; the database has {size(used)}"
    if free < _NO_SPACE_BYTES:
        return _problem(question, answer, "make room: captures are refused when the disk is full")
    if free < wanted:
        return _warning(question, answer, f"make room, {size(wanted)} at least")
    return _ok(question, answer)


def _log_file(question: str, log_file: Path) -> Finding:
    advice = "name another with --log-file or EDC_LOG_FILE"
    if not log_file.parent.is_dir():
        return _problem(
            question,
            f"there is no folder {log_file.parent}",
            f"mkdir -p {log_file.parent}, or {advice}",
        )
    if log_file.exists() and not log_file.is_file():
        return _problem(question, f"{log_file} is not a regular file", advice)
    # Rotation needs the folder.
    writable = os.access(log_file.parent, os.W_OK | os.X_OK) and (
        not log_file.exists() or os.access(log_file, os.W_OK)
    )
    if not writable:
        return _problem(
            question, f"{log_file} can't be written by this user (uid {os.geteuid()})", advice
        )
    if not log_file.exists():
        return _ok(question, f"{log_file} is not there yet; it is made at the first start")
    return _ok(question, f"{log_file}, {size(log_file.stat().st_size)}")


def _leftovers(question: str, database: Path) -> Finding:
    folder = backup_folder(database)
    unfinished = unfinished_in(folder, database) if folder.is_dir() else []
    unfinished += [path for path in (staged_beside(database.resolve()),) if path.exists()]
    names = second_names_of(database.resolve())
    if unfinished or names:
        listed = ", ".join(str(path) for path in unfinished + names)
        return _warning(
            question,
            f"of a backup or restore that runs, or was killed: {listed}",
            "if none runs: the next one removes it",
        )
    return _ok(question, "no backup or restore was left half done")


def _backups(question: str, database: Path) -> Finding:
    folder = backup_folder(database)
    backups = backups_in(folder, database) if folder.is_dir() else []
    if not backups:
        return _ok(
            question,
            f"none in {folder}; python3 -m data_capture backup makes one while everything runs",
        )
    return _ok(
        question,
        f"{len(backups)} in {folder}, the newest made {age(time.time() - backups[-1].stat().st_mtime)} ago",
    )
