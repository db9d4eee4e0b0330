"""`erase`: erase a user."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from data_capture.cli.arguments import add_email, add_yes
from data_capture.cli.confirmation import choose_confirmation
from data_capture.cli.progress import Progress
from data_capture.settings import Settings, add_flags

SUMMARY = "erases a user: rows, contents of audit records, bytes in the file"

DESCRIPTION = """\
Erase a user: rows, receipts, addresses, the email address itself. Audit records
remain under a pseudonym and without their contents; the audit trail still
verifies. Afterwards the database's files contain no byte of the data. If
another program prevents that now, the capture service does it later. Captures
from before the erasure that browsers still keep are rejected for 30 days, and
after a restore the user is erased from the restored backup too. The command
works while the services run.

Existing backups keep the data: delete those that you no longer need (backup
--keep).
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    add_email(parser)
    add_yes(parser)
    add_flags(parser, {"database", "request_seconds"})


def run(arguments: Namespace, settings: Settings, _progress: Progress) -> int:
    """Erase the user."""
    from data_capture.cli.erase import erase

    erase(arguments.email, settings, choose_confirmation(assume_yes=arguments.yes))
    return 0
