"""`doctor`: check an installation."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from data_capture.cli.progress import Progress
from data_capture.settings import Settings, add_flags

SUMMARY = "checks ports, permissions, the database, the disk and the log, and gives advice"

DESCRIPTION = """\
Check ports, permissions, the database, the disk and the log. Each check prints
one line: ok, warning or problem, and what to do. The command changes nothing,
works whether the services run or not, and prints no personal data. The status
is 1 if there is a problem.
"""

_SETTINGS_OF_ACCESS = {"host", "allowed_origins", "allowed_hosts", "trusted_proxies"}


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--quick",
        action="store_true",
        help="check the database's pages, but not whether its indexes agree with its tables",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    add_flags(
        parser,
        {"database", "capture_port", "signup_port", "log_file", "request_seconds"}
        | _SETTINGS_OF_ACCESS,
    )


def run(arguments: Namespace, settings: Settings, progress: Progress) -> int:
    """Check the installation; the status is 1 if there is a problem."""
    from data_capture.cli.doctor.report import print_findings

    is_healthy = print_findings(
        settings, quick=arguments.quick, as_json=arguments.json, progress=progress
    )
    return 0 if is_healthy else 1
