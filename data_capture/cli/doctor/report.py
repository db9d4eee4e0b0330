"""Run all checks and print their findings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from data_capture.cli.doctor.audit_checks import check_audit_head
from data_capture.cli.doctor.backup_checks import check_backups, check_leftovers
from data_capture.cli.doctor.database_checks import (
    check_integrity,
    check_lock,
    check_references,
    check_sqlite_version,
    check_wal,
)
from data_capture.cli.doctor.file_checks import (
    check_disk_space,
    check_file,
    check_folder,
    check_keys,
    check_log_file,
)
from data_capture.cli.doctor.findings import Finding, Level, Result, problem
from data_capture.cli.doctor.service_checks import check_access, check_service
from data_capture.cli.formatting import format_count
from data_capture.cli.progress import Progress
from data_capture.settings import Settings
from data_capture.supervisor.services import CAPTURE, SIGNUP


@dataclass(frozen=True)
class Options:
    """What the operator asks for, apart from the settings."""

    quick: bool
    """Leave out whether indexes and tables agree."""
    expect_running: bool
    """A service that does not run is a problem."""
    backup_folder: Path
    """The folder of the backups."""


def print_findings(
    settings: Settings, options: Options, *, as_json: bool, progress: Progress
) -> bool:
    """Print the findings as text or JSON; return whether there is no problem."""
    findings = []
    for finding in find_all(settings, options, progress):
        progress.clear()
        findings.append(finding)
        if not as_json:
            _print_finding(finding)
    worst = [level for level in Level if any(finding.level is level for finding in findings)][-1]
    if as_json:
        document = {"status": worst, "findings": [asdict(finding) for finding in findings]}
        print(json.dumps(document, indent=2))
    else:
        _print_counts(findings)
    return worst is not Level.PROBLEM


def find_all(settings: Settings, options: Options, progress: Progress) -> Iterator[Finding]:
    """Run the checks in order and yield each finding."""
    for question, check in _checks(settings, options, progress).items():
        try:
            result = check()
        except OSError as error:
            result = problem(
                f"{error.filename} can't be examined: {error.strerror}",
                "run this as the user who runs the services",
            )
        yield Finding(question, result.level, result.answer, result.advice)


def _checks(
    settings: Settings, options: Options, progress: Progress
) -> dict[str, Callable[[], Result]]:
    database, is_expected = settings.database, options.expect_running
    return {
        "capture port": lambda: check_service(CAPTURE, settings, expect_running=is_expected),
        "signup port": lambda: check_service(SIGNUP, settings, expect_running=is_expected),
        "access": lambda: check_access(settings),
        "database file": lambda: check_file(database),
        "database folder": lambda: check_folder(database.parent),
        "keys": lambda: check_keys(settings.keys_directory, settings.database),
        "integrity": lambda: check_integrity(settings, quick=options.quick, progress=progress),
        "foreign keys": lambda: check_references(settings),
        "audit trail": lambda: check_audit_head(settings),
        "lock": lambda: check_lock(settings),
        "SQLite version": check_sqlite_version,
        "write-ahead log": lambda: check_wal(database),
        "disk space": lambda: check_disk_space(database, settings.min_free_disk),
        "log file": lambda: check_log_file(settings.log_file),
        "leftovers": lambda: check_leftovers(database, options.backup_folder),
        "backups": lambda: check_backups(database, options.backup_folder),
    }


def _print_finding(finding: Finding) -> None:
    print(f"{finding.level.value:8} {finding.question:18} {finding.answer}", flush=True)
    if finding.advice:
        print(f"{'':8} {'':18} → {finding.advice}", flush=True)


def _print_counts(findings: Sequence[Finding]) -> None:
    counts = [
        format_count(sum(finding.level is level for finding in findings), level.value)
        for level in (Level.PROBLEM, Level.WARNING, Level.NOTE)
    ]
    print(f"\n{', '.join(counts)}")
