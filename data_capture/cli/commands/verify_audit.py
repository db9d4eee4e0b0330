"""`verify-audit`: verify the audit trail."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from data_capture.cli.progress import Progress
from data_capture.settings import Settings, add_flags

SUMMARY = "proves that no audit record was changed, removed or inserted"

DESCRIPTION = """\
Check every audit record against the chain. If a record was changed, removed,
inserted or moved, name the first one and end with status 1. The command works
while the services write, and changes nothing.

The key in trading_bots.keys/audit.key makes the chain. Whoever can write the
database but not read that file can't change a record unnoticed, nor remove the
newest ones: the services record the newest entry next to the database within a
second or two. Whoever can read the key can forge the whole trail; only a head
that was kept elsewhere shows that.

  python3 -m data_capture verify-audit --head          prints the head: keep it on another machine
  python3 -m data_capture verify-audit --since HEAD    proves that nothing before it has changed
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--head",
        action="store_true",
        help="if everything is as it was written, print the head and nothing else",
    )
    parser.add_argument(
        "--since",
        type=_parse_head,
        metavar="HEAD",
        help="an earlier head, which must still be in the chain",
    )
    parser.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="the key, if it is not next to the database (for a backup)",
    )
    add_flags(parser, {"database"})


def run(arguments: Namespace, settings: Settings, progress: Progress) -> int:
    """Verify the trail; the status is 1 if something was changed."""
    from data_capture.cli.verify_audit import verify_audit

    is_good = verify_audit(
        settings.database,
        arguments.key,
        arguments.since,
        print_head=arguments.head,
        progress=progress,
    )
    return 0 if is_good else 1


def _parse_head(text: str) -> object:
    from data_capture.audit.head import parse_head

    try:
        return parse_head(text)
    except ValueError as error:
        raise ArgumentTypeError(f"it takes {error}") from error
