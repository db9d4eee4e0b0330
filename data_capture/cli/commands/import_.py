"""`import`: bring history into the database."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from data_capture.cli.arguments import parse_path
from data_capture.cli.progress import Progress
from data_capture.settings import Settings, add_flags

KIND_NAMES = ("payment", "questionnaire", "dashboard", "activity")

SUMMARY = "brings history from a CSV or JSON lines file into the database"

DESCRIPTION = """\
Import captures of one kind from a CSV file, or from a file with one JSON object
per line. Columns that have the names of fields are understood; map the others:

  python3 -m data_capture import payments.csv --kind payment \\
    --map Amount=final_price --map Customer=user_email --map Date=capture_timestamp

Each line goes the same way as a capture with the admin token: its secrets are
masked, it is confirmed, it keeps its past time, and it gets an audit record. A
line is stored once, however often the command runs, so that an interrupted
import is continued by the same command. Lines that can't be used are reported
and left out; the exit status is then 1. Try --dry-run first. The command works
while the services run.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("file", metavar="FILE", type=parse_path, help="the file to import")
    parser.add_argument(
        "--kind", choices=KIND_NAMES, required=True, help="what a line of the file is"
    )
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="COLUMN=FIELD",
        help="what a column is, such as Amount=final_price (repeatable)",
    )
    parser.add_argument(
        "--mapping",
        type=parse_path,
        metavar="JSON",
        help='a file with a JSON object of columns and fields: {"Amount": "final_price"}',
    )
    parser.add_argument(
        "--key",
        metavar="COLUMN",
        help="the column that identifies a line (default: all columns together)",
    )
    parser.add_argument(
        "--format", choices=("csv", "jsonl"), help="the file's format (default: by its content)"
    )
    parser.add_argument(
        "--delimiter", metavar="CHARACTER", help="of a CSV file (default: by its header)"
    )
    parser.add_argument(
        "--encoding", default="utf-8", metavar="NAME", help="the file's encoding (default: utf-8)"
    )
    parser.add_argument(
        "--time-format",
        metavar="FORMAT",
        help="the notation of times, such as '%%d.%%m.%%Y %%H:%%M' (default: the usual notations)",
    )
    parser.add_argument(
        "--time-zone",
        metavar="NAME",
        help="the zone of times that state none, such as Europe/Berlin (default: UTC)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only report what would be stored; change nothing"
    )
    add_flags(parser, {"database", "request_seconds"})


def run(arguments: Namespace, settings: Settings, progress: Progress) -> int:
    """Import the file."""
    from data_capture.capture.kinds import KINDS
    from data_capture.cli.import_file import import_file
    from data_capture.cli.import_lines import FileFormat
    from data_capture.cli.import_rows import RowReader

    reader = RowReader(
        KINDS[arguments.kind],
        arguments.map,
        arguments.mapping,
        key=arguments.key,
        time_format=arguments.time_format,
        time_zone=arguments.time_zone,
    )
    file_format = FileFormat(arguments.format, arguments.delimiter, arguments.encoding)
    return import_file(
        arguments.file, file_format, reader, settings, progress, dry_run=arguments.dry_run
    )
