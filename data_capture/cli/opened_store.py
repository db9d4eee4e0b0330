"""Open the store for a command, whether the services run or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_capture.capture.email import normalise_known_email
from data_capture.cli.errors import CommandError
from data_capture.cli.files import give_to_owner_of
from data_capture.privacy.erasure_log import erasure_log_file
from data_capture.problems import Problem
from data_capture.settings import Settings
from data_capture.store import Store
from data_capture.store.sqlite.keys import erasures_key_file, receipts_key_file
from data_capture.store.sqlite.lock import WriterLockTimeout
from data_capture.store.sqlite.schema import DatabaseRefused, prepare


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """Open the database, and add missing tables of schema.sql.

    Raises:
        CommandError: the database is missing, can't be used, or rejects the block's write.
    """
    if not settings.database.exists():
        raise CommandError(
            f"There is no database {settings.database}. Name it with --database or EDC_DATABASE."
        )
    try:
        prepare(settings.database, settings.request_seconds)
        give_keys_to_owner_of(settings.database)
        store = Store(settings.database, settings.request_seconds)
    except DatabaseRefused as error:
        raise CommandError(str(error)) from error
    except WriterLockTimeout:
        raise CommandError(
            f"Another process is writing to {settings.database}. Nothing was changed; try again."
        ) from None
    try:
        yield store
    except Problem as problem:
        raise CommandError(problem.detail) from problem
    finally:
        store.close()


def parse_email(text: str) -> str:
    """Return the normalised email address.

    An address that only an earlier version accepted is normalised as that version did, so that its
    user can be exported and erased.

    Raises:
        CommandError: the text is not an email address.
    """
    address = normalise_known_email(text)
    if address is None:
        raise CommandError("That is not an email address.")
    return address


def give_keys_to_owner_of(database: Path) -> None:
    """Give the key files, which a superuser's command may create, to the owner."""
    files = (erasure_log_file(database), erasures_key_file(database), receipts_key_file(database))
    give_to_owner_of(database, *(path for path in files if path.exists()))
