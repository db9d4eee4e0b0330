"""`export`, `erase` and `retention`: what is held on people, for whoever answers for it; with the services running or not."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from data_capture.capture.email import normalise_email
from data_capture.cli import CommandError
from data_capture.cli.files import PARTIAL_SUFFIX, give_to_owner_of, remove_partial, sync
from data_capture.cli.formatting import Progress, count
from data_capture.key_files import open_new_file
from data_capture.privacy.erasure_completion import Erasures
from data_capture.privacy.erasure_log import entries_of, erase_again, erasure_log_file
from data_capture.privacy.export import export_user
from data_capture.privacy.retention import apply_retention
from data_capture.problems import Problem
from data_capture.settings import Settings
from data_capture.store import Store
from data_capture.store.sqlite.lock import WriterLockTimeout
from data_capture.store.sqlite.receipts import receipts_key_file
from data_capture.store.sqlite.schema import DatabaseRefused, prepare
from data_capture.store.sqlite.tombstones import erasures_key_file

_ROUTE = "python3 -m data_capture "


def export(email: str, settings: Settings, form: str, target: Path | None) -> None:
    """Writes everything that is held on a person to `target`, or to standard output.

    Raises:
        CommandError: there is nothing, or it can't be written.
    """
    address = read_address(email)
    if target is None and form == "zip" and sys.stdout.isatty():
        raise CommandError("An archive is nothing for a terminal: name a file with --to.")
    if target is not None and target.exists():
        raise CommandError(f"There is a file {target} already.")
    with opened_store(settings) as store:
        pieces = export_user(store, address, form, source_endpoint=f"{_ROUTE}export")
        if target is None:
            _write(pieces, sys.stdout.buffer)
            return
        partial = target.with_name(target.name + PARTIAL_SUFFIX)
        remove_partial(partial)
        try:
            with os.fdopen(open_new_file(partial), "wb") as file:
                _write(pieces, file)
            sync(partial)
            partial.rename(target)
        finally:
            remove_partial(partial)
    print(
        f"{target}: everything that is held on this person. It is recorded in the audit trail.",
        flush=True,
    )


def erase(email: str, settings: Settings, confirm: Callable[[Callable[[], str]], bool]) -> None:
    """Erases a person, and says what was done.

    Args:
        email: the address, in any spelling.
        settings: whose database.
        confirm: gets what says what is about to happen; nothing does happen if it returns False.

    Raises:
        CommandError: nothing was erased.
    """
    address = read_address(email)
    with opened_store(settings) as store:
        if not confirm(
            lambda: f"Everything that is held on {address} will be erased. It can't be undone."
        ):
            raise CommandError("Nothing was erased.")
        erased, is_complete = Erasures(store).erase(address, f"{_ROUTE}erase")
        _keep_ownership(settings.database)
    if not any(erased.rows.values()) and not erased.audit_records:
        print(
            "Nothing was held on this address. What browsers may still hold of it is refused from now on."
        )
    else:
        rows = ", ".join(f"{table} {number:,}" for table, number in erased.rows.items() if number)
        print(
            f"Erased: {rows or 'no rows'}. {count(erased.audit_records, 'audit record')} kept, of {erased.pseudonym}."
        )
    if erased.emptied_for:
        print(
            f"The row in users was emptied, not deleted: {', '.join(erased.emptied_for)} of another program refers to it."
        )
    if not is_complete:
        print(
            "A program still reads an older state, or the file can't be written anew yet: until it lets go, bytes of it remain. "
            "The capture service, or the next erase, then removes them."
        )
    print(
        "Backups made before still hold it; delete them when you need them no longer.", flush=True
    )


def retention(settings: Settings, progress: Progress, *, dry_run: bool) -> None:
    """Applies `EDC_RETENTION_DAYS`, and says what was done.

    Raises:
        CommandError: there is no rule, or it can't be applied.
    """
    if not settings.retention_days:
        raise CommandError(
            "Everything is kept: EDC_RETENTION_DAYS (or --retention-days) names nothing."
        )
    with opened_store(settings) as store:
        progress.step("Looking for what is old …")
        now = datetime.now(timezone.utc)
        steps = apply_retention(
            store,
            settings.retention_days,
            now,
            source_endpoint=f"{_ROUTE}retention",
            dry_run=dry_run,
        )
        _keep_ownership(settings.database)
        progress.clear()
    would = "would be " if dry_run else ""
    for step in steps:
        print(f"{step.table}: {count(step.rows, 'row')} {would}{step.what}")
    if not steps:
        print("Nothing is that old.")
    sys.stdout.flush()


def erase_again_after_restore(settings: Settings) -> None:
    """Erases those again who were erased after the database, which was just put in place, was copied; says so.

    Raises:
        CommandError: it can't be done now; the capture service does it at its next start.
    """
    if not entries_of(settings.database):
        return
    with opened_store(settings) as store:
        users = store.write(lambda connection: erase_again(connection, settings.database))
        Erasures(store).finish()
        _keep_ownership(settings.database)
    if users:
        print(f"Erased again, since it was asked for after this copy was made: {users:,} people.")


@contextmanager
def opened_store(settings: Settings) -> Iterator[Store]:
    """Open the database, with every table of ours in it.

    Raises:
        CommandError: it can't be used, or refuses what is done with it.
    """
    if not settings.database.exists():
        raise CommandError(f"There is no database {settings.database}.")
    try:
        prepare(settings.database, settings.request_seconds)
        _keep_ownership(settings.database)
        store = Store(settings.database, settings.request_seconds)
    except DatabaseRefused as error:
        raise CommandError(str(error)) from error
    except WriterLockTimeout:
        raise CommandError(
            f"Another process is writing to {settings.database}. Nothing was changed."
        ) from None
    try:
        yield store
    except Problem as problem:
        raise CommandError(problem.detail) from problem
    finally:
        store.close()


def read_address(email: str) -> str:
    """Return an address that was given to a command, normalised.

    Raises:
        CommandError: it is none.
    """
    address = normalise_email(email)
    if address is None:
        raise CommandError("That is not an email address.")
    return address


def _keep_ownership(database: Path) -> None:
    files = (erasure_log_file(database), erasures_key_file(database), receipts_key_file(database))
    give_to_owner_of(database, *(path for path in files if path.exists()))


def _write(pieces: Iterator[bytes], file: BinaryIO) -> None:
    for piece in pieces:
        file.write(piece)
    file.flush()
