"""Give an account a new password.

The owner needs this where a stranger signed up with another user's address first, and for a
forgotten password where no mail server is configured.
"""

from __future__ import annotations

import getpass
import sqlite3
import sys
from contextlib import closing
from datetime import datetime, timezone
from typing import NamedTuple

from data_capture.accounts.fields import MAX_SENT_PASSWORD_CHARACTERS, find_password_error
from data_capture.accounts.passwords import Passwords, normalise_password
from data_capture.audit import record_audit
from data_capture.capture.email import is_spelling_of
from data_capture.capture.timestamps import timestamp
from data_capture.cli.errors import CommandError
from data_capture.cli.opened_store import open_store, parse_email
from data_capture.password_formats import is_plain_sha_256
from data_capture.settings import Settings
from data_capture.store.sqlite.credentials import NO_PASSWORD
from data_capture.store.sqlite.sign_ups import SignUpDetails, complete_user
from data_capture.store.sqlite.user_passwords import set_password_hash
from data_capture.store.sqlite.users import (
    UserRow,
    find_foreign_password_column,
    find_user,
)

# More than the longest password: a longer line is rejected for its length.
_MAX_LINE_CHARACTERS = MAX_SENT_PASSWORD_CHARACTERS + 3
_SOURCE = "python3 -m data_capture set-password"


class _Outcome(NamedTuple):
    was_provisional: bool
    is_disabled: bool
    replaced_foreign_hash: bool


def set_password(email: str, settings: Settings) -> None:
    """Ask for a password, store its hash, and print what was done.

    Raises:
        CommandError: nothing was changed.
    """
    address = parse_email(email)
    with open_store(settings) as store:
        # Fail before the operator types a password.
        store.read(lambda connection: _find_account(connection, address))
        password_hash = Passwords().hash(_read_password())
        outcome = store.write(
            lambda connection: _store_password(connection, address, password_hash)
        )
    print(
        "The password is set." + (" The account is active now." if outcome.was_provisional else "")
    )
    if outcome.is_disabled:
        print(
            "The account is still disabled in the table users, so that no password logs in to it."
        )
    if outcome.replaced_foreign_hash:
        print(
            "The replaced hash was of another kind. The program that wrote it may be unable to "
            "read the new one."
        )
    sys.stdout.flush()


def _store_password(connection: sqlite3.Connection, address: str, password_hash: str) -> _Outcome:
    now = timestamp(datetime.now(timezone.utc))
    user = _find_account(connection, address)
    if user.account.is_provisional:
        complete_user(connection, user, SignUpDetails(), password_hash, now)
    else:
        set_password_hash(connection, user.email, password_hash, now)
    record_audit(
        connection,
        user_email=user.email,
        capture_type="password_set",
        timestamp=now,
        source_endpoint=_SOURCE,
    )
    replaced_foreign_hash = any(not _is_own_format(one.stored or "") for one in user.credentials)
    return _Outcome(user.account.is_provisional, user.account.is_disabled, replaced_foreign_hash)


def _is_own_format(stored: str) -> bool:
    return stored == NO_PASSWORD or stored.startswith("$argon2id$") or is_plain_sha_256(stored)


def _find_account(connection: sqlite3.Connection, address: str) -> UserRow:
    """Return the account with this address.

    Raises:
        CommandError: there is none, or another program keeps its password.
    """
    user = find_user(connection, address)
    if user is None or not is_spelling_of(user.email, address):
        raise CommandError("No user has this address. Nothing was changed.")
    column = find_foreign_password_column(user)
    if column is not None:
        raise CommandError(
            f"Another program keeps this user's password, in the column {column} of the table "
            "users. Set it with that program. Nothing was changed."
        )
    return user


def _read_password() -> str:
    """Read the new password: twice from a terminal, or the first line of standard input.

    Raises:
        CommandError: the password can't be used.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        password = getpass.getpass("New password: ")
        again = getpass.getpass("The same again: ")
        if normalise_password(again) != normalise_password(password):
            raise CommandError("The two passwords are not the same. Nothing was changed.")
    else:
        password = _read_first_line()
    fault = find_password_error(password)
    if fault is not None:
        raise CommandError(f"The password {fault}. Nothing was changed.")
    return password


def _read_first_line() -> str:
    # Standard input is read as UTF-8, whatever the locale is.
    with closing(open(0, encoding="utf-8", newline="", closefd=False)) as stdin:
        try:
            line = stdin.readline(_MAX_LINE_CHARACTERS)
        except UnicodeDecodeError:
            raise CommandError("The password is not UTF-8. Nothing was changed.") from None
    if not line:
        raise CommandError("There is no password on standard input. Nothing was changed.")
    return line.removesuffix("\n").removesuffix("\r")
