"""`backup`: make a checked copy of the database."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from data_capture.cli.arguments import parse_path, parse_positive_integer
from data_capture.cli.progress import Progress
from data_capture.settings import Settings, add_flags

SUMMARY = "makes a checked copy of the database while everything runs"

DESCRIPTION = """\
Make a copy of the database, as it is at one moment, while the services continue
to write. The copy is one complete file. It is checked (integrity, foreign keys,
required tables) and written to disk before it gets its name:
trading_bots-20240115T103000.000Z.db.

The copy contains personal data, also of users who are erased later. Keep it
where only you can read it, and no longer than you need it. It does not contain
the keys (trading_bots.keys), because backups are often copied to other places.
Without the keys no data is lost: the services create new ones, and all users
log in again. Only audit.key can prove the audit trail of the time before: keep
a copy of it in another place.

To make a backup every night and keep the last 14, add this line to a crontab:
  30 3 * * *  cd /path/to/this/folder && .venv/bin/python3 -m data_capture backup --keep 14
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--to",
        type=parse_path,
        metavar="DIR",
        help="an existing folder for the copy "
        "(default: backups/ next to the database, created if it is missing)",
    )
    parser.add_argument(
        "--keep",
        type=parse_positive_integer,
        metavar="N",
        help="then delete the oldest backups of this database in DIR, until N remain "
        "(default: keep all)",
    )
    add_flags(parser, {"database"})


def run(arguments: Namespace, settings: Settings, progress: Progress) -> int:
    """Make the backup."""
    from data_capture.cli.backup import back_up

    back_up(settings.database, arguments.to, arguments.keep, progress)
    return 0
