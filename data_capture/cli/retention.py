"""Delete data that is older than its retention period."""

from __future__ import annotations

import sys
from datetime import datetime, timezone

from data_capture.cli.errors import CommandError
from data_capture.cli.formatting import format_count
from data_capture.cli.opened_store import give_keys_to_owner_of, open_store
from data_capture.cli.progress import Progress
from data_capture.privacy.retention import apply_retention
from data_capture.settings import Settings

_SOURCE = "python3 -m data_capture retention"


def delete_old_data(settings: Settings, progress: Progress, *, dry_run: bool) -> None:
    """Apply `EDC_RETENTION_DAYS` and print what was done.

    Raises:
        CommandError: no period is set, or the data can't be deleted.
    """
    if not settings.retention_days:
        raise CommandError(
            "All data is kept, because no retention period is set. "
            "Set one with EDC_RETENTION_DAYS or --retention-days."
        )
    with open_store(settings) as store:
        progress.step("Looking for old data …")
        steps = apply_retention(
            store,
            settings.retention_days,
            datetime.now(timezone.utc),
            source_endpoint=_SOURCE,
            dry_run=dry_run,
        )
        give_keys_to_owner_of(settings.database)
        progress.clear()
    would = "would be " if dry_run else ""
    for step in steps:
        print(f"{step.table}: {format_count(step.rows, 'row')} {would}{step.change}")
    if not steps:
        print("No data is that old.")
    sys.stdout.flush()
