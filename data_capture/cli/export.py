"""Write a user's data to a file or to standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from data_capture.cli.errors import CommandError
from data_capture.cli.files import PARTIAL_SUFFIX, remove_partial, sync_to_disk
from data_capture.cli.opened_store import open_store, parse_email
from data_capture.key_files import open_new_file
from data_capture.privacy.export import export_user
from data_capture.settings import Settings

_SOURCE = "python3 -m data_capture export"


def write_export(email: str, settings: Settings, form: str, target: Path | None) -> None:
    """Write all of a user's data.

    Args:
        email: the user's address, in any spelling.
        settings: name the database.
        form: "json" or "zip".
        target: the file to create; None writes to standard output.

    Raises:
        CommandError: the user has no data, or the export can't be written.
    """
    address = parse_email(email)
    if target is None and form == "zip" and sys.stdout.isatty():
        raise CommandError("A terminal can't show an archive. Name a file with --to.")
    if target is not None and target.exists():
        raise CommandError(f"There is a file {target} already. Name another with --to.")
    with open_store(settings) as store:
        pieces = export_user(store, address, form, source_endpoint=_SOURCE)
        if target is None:
            _write(pieces, sys.stdout.buffer)
            return
        _write_file(pieces, target)
    print(f"{target}: all data of this user. The audit trail records the export.", flush=True)


def _write_file(pieces: Iterator[bytes], target: Path) -> None:
    partial = target.with_name(target.name + PARTIAL_SUFFIX)
    remove_partial(partial)
    try:
        with os.fdopen(open_new_file(partial), "wb") as file:
            _write(pieces, file)
        sync_to_disk(partial)
        partial.rename(target)
    finally:
        remove_partial(partial)


def _write(pieces: Iterator[bytes], file: BinaryIO) -> None:
    for piece in pieces:
        file.write(piece)
    file.flush()
