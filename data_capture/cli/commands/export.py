"""`export`: write a user's data."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from data_capture.cli.arguments import add_email, parse_path
from data_capture.cli.progress import Progress
from data_capture.settings import Settings, add_flags

SUMMARY = "writes a user's data as JSON or as an archive"

DESCRIPTION = """\
Write all data of a user, from every table: as a JSON document, or with --format
zip as an archive of that document, one CSV file per table, and the screenshots
as files. The command works while the services run. The audit trail records the
export.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    add_email(parser)
    parser.add_argument(
        "--to", type=parse_path, metavar="FILE", help="the new file (default: standard output)"
    )
    parser.add_argument(
        "--format", choices=("json", "zip"), default="json", help="the format (default: json)"
    )
    add_flags(parser, {"database", "request_seconds"})


def run(arguments: Namespace, settings: Settings, _progress: Progress) -> int:
    """Write the export."""
    from data_capture.cli.export import write_export

    write_export(arguments.email, settings, arguments.format, arguments.to)
    return 0
