"""Erase a user."""

from __future__ import annotations

from data_capture.cli.confirmation import Confirm
from data_capture.cli.errors import CommandError
from data_capture.cli.formatting import format_count
from data_capture.cli.opened_store import give_keys_to_owner_of, open_store, parse_email
from data_capture.privacy.erasure import ErasureResult
from data_capture.privacy.erasure_completion import UserEraser
from data_capture.privacy.erasure_log import read_erasure_log, repeat_erasures
from data_capture.settings import Settings

_SOURCE = "python3 -m data_capture erase"


def erase(email: str, settings: Settings, confirm: Confirm) -> None:
    """Erase a user and print what was done.

    Args:
        email: the user's address, in any spelling.
        settings: name the database.
        confirm: nothing is erased if it returns False.

    Raises:
        CommandError: nothing was erased.
    """
    address = parse_email(email)
    with open_store(settings) as store:
        if not confirm(lambda: f"All data of {address} will be erased. This can't be undone."):
            raise CommandError("Nothing was erased.")
        erased, is_complete = UserEraser(store).erase(address, _SOURCE)
        give_keys_to_owner_of(settings.database)
    _print_result(erased, is_complete=is_complete)


def _print_result(erased: ErasureResult, *, is_complete: bool) -> None:
    if not any(erased.rows.values()) and not erased.audit_records:
        print(
            "The database had no data of this address. Captures of it that browsers still keep "
            "are rejected from now on."
        )
    else:
        rows = ", ".join(f"{table} {number:,}" for table, number in erased.rows.items() if number)
        kept = format_count(erased.audit_records, "audit record")
        print(f"Erased: {rows or 'no rows'}. {kept} kept, of {erased.pseudonym}.")
    if erased.emptied_for:
        tables = ", ".join(erased.emptied_for)
        print(
            "The row in users was emptied, not deleted, because rows of another program refer to "
            f"it: {tables}."
        )
    if not is_complete:
        print(
            "Another program still reads an older state of the database, or the file can't be "
            "rebuilt yet, so bytes of the data remain in the file. The capture service removes "
            "them later, or the next erase does."
        )
    print(
        "Older backups still contain the data. Delete them when you no longer need them.",
        flush=True,
    )


def erase_again_after_restore(settings: Settings) -> None:
    """Erase users again who were erased after a restored backup was made.

    Raises:
        CommandError: it is not possible now; the capture service does it at its next start.
    """
    if not read_erasure_log(settings.database):
        return
    with open_store(settings) as store:
        users = store.write(lambda connection: repeat_erasures(connection, settings.database))
        UserEraser(store).complete()
        give_keys_to_owner_of(settings.database)
    if users:
        print(f"Erased again, as they were erased after the backup: {format_count(users, 'user')}.")
