"""`retention`: delete data that is older than its retention period."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from data_capture.cli.progress import Progress
from data_capture.settings import Settings, add_flags

SUMMARY = "deletes data that is older than its retention period"

DESCRIPTION = """\
Delete data that is older than its retention period in EDC_RETENTION_DAYS. The
capture service does the same once a day. Audit records remain without the
deleted data; the audit trail still verifies, and records the deletion.

  EDC_RETENTION_DAYS=payment=3650,dashboard=90,ip_address=30,user_agent=30 \\
    python3 -m data_capture retention --dry-run
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--dry-run", action="store_true", help="only show what would be deleted; change nothing"
    )
    add_flags(parser, {"database", "request_seconds", "retention_days"})


def run(arguments: Namespace, settings: Settings, progress: Progress) -> int:
    """Apply the retention periods."""
    from data_capture.cli.retention import delete_old_data

    delete_old_data(settings, progress, dry_run=arguments.dry_run)
    return 0
