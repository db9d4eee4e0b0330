"""`set-password`: give an account a new password."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from data_capture.cli.progress import Progress
from data_capture.settings import Settings, add_flags

SUMMARY = "gives an account a new password"

DESCRIPTION = """\
Give the account with this address a new password: if a stranger signed up with
the address first, or if the password was forgotten. The command asks for the
password twice, or reads the first line of standard input where that is no
terminal. It takes no password as an argument, because other users of the
machine can see arguments. The command works while the services run. The audit
trail records it.

The previous password no longer works. Login tokens remain valid until they
expire (EDC_TOKEN_HOURS).
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("email", metavar="EMAIL", help="the account's email address")
    add_flags(parser, {"database", "request_seconds"})


def run(arguments: Namespace, settings: Settings, _progress: Progress) -> int:
    """Set the password."""
    from data_capture.cli.set_password import set_password

    set_password(arguments.email, settings)
    return 0
