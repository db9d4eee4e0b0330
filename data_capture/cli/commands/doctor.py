"""`doctor`: check an installation."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from data_capture.cli.arguments import parse_path
from data_capture.cli.progress import Progress
from data_capture.settings import Settings, add_flags

SUMMARY = "checks services, permissions, the database, the disk and the log, and gives advice"

DESCRIPTION = """\
Check the services, permissions, the database, the disk and the log. Each check
prints one line: ok, note, warning or problem, and what to do. The command
changes nothing, works whether the services run or not, and prints no personal
data. On Linux it finds the services of the database at whatever port they
listen. The status is 1 if there is a problem, otherwise 0.
"""

_SETTINGS_OF_ACCESS = {"host", "allowed_origins", "allowed_hosts", "trusted_proxies"}


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--quick",
        action="store_true",
        help="check the database's pages, but not whether its indexes agree with its tables",
    )
    parser.add_argument(
        "--expect-running",
        action="store_true",
        help="report a service that does not run as a problem, and not as a note",
    )
    parser.add_argument(
        "--backups",
        type=parse_path,
        metavar="DIR",
        help="the folder of the backups (default: backups/ next to the database)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    add_flags(
        parser,
        {"database", "capture_port", "signup_port", "log_file", "request_seconds", "min_free_disk"}
        | _SETTINGS_OF_ACCESS,
    )


def run(arguments: Namespace, settings: Settings, progress: Progress) -> int:
    """Check the installation; the status is 1 if there is a problem."""
    from data_capture.cli.backup import default_backup_folder
    from data_capture.cli.doctor.report import Options, print_findings

    backup_folder = arguments.backups or default_backup_folder(settings.database)
    options = Options(arguments.quick, arguments.expect_running, backup_folder)
    is_healthy = print_findings(settings, options, as_json=arguments.json, progress=progress)
    return 0 if is_healthy else 1
