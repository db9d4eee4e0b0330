"""`restore`: replace the database with a backup."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from data_capture.cli.arguments import add_yes
from data_capture.cli.confirmation import choose_confirmation
from data_capture.cli.progress import Progress
from data_capture.settings import Settings, add_flags

SUMMARY = "replaces the database with a backup, while the services are stopped"

DESCRIPTION = """\
Check FILE (integrity, foreign keys, required tables) and put a copy of it in
the place of the database. The command refuses to run while a service uses the
database or another program has it open. The present database is set aside next
to it and never deleted, so the same command undoes the restore. You can kill
the command at any moment: the database is then either the old one or the new
one.

Users who were erased after FILE was made are erased again:
trading_bots.keys/erasures identifies them without their addresses. FILE itself
and the file that is set aside still contain their data.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a backup; it is only read")
    add_yes(parser)
    parser.add_argument(
        "--accept-broken-references",
        action="store_true",
        help="restore FILE even if rows in it refer to a row that does not exist",
    )
    add_flags(parser, {"database", "host", "capture_port", "signup_port"})


def run(arguments: Namespace, settings: Settings, progress: Progress) -> int:
    """Restore the file."""
    from data_capture.cli.restore import restore

    restore(
        arguments.file.absolute(),
        settings,
        accept_broken_references=arguments.accept_broken_references,
        confirm=choose_confirmation(assume_yes=arguments.yes),
        progress=progress,
    )
    return 0
