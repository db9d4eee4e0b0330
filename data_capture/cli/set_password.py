"""`set-password`: gives an account a new password, for the owner, with the services running or not.

It is the remedy where a stranger signed up with someone else's address, and for a forgotten password
where no mail is set up.
"""

from __future__ import annotations

import getpass
import sqlite3
import sys
from contextlib import closing
from datetime import datetime, timezone
from typing import NamedTuple

from data_capture.accounts.accounts import password_fault
from data_capture.accounts.passwords import Passwords
from data_capture.audit import record_audit
from data_capture.capture.converters import timestamp
from data_capture.capture.email import normalise_email
from data_capture.cli import CommandError
from data_capture.cli.users import opened_store, read_address
from data_capture.password_formats import is_plain_sha_256
from data_capture.settings import Settings
from data_capture.store.sqlite.users import (
    NO_PASSWORD,
    Details,
    UserRow,
    complete_user,
    find_user,
    foreign_password_column,
    set_password_hash,
)

_MAX_LINE_CHARACTERS = (
    2000  # more than the longest password; what is longer is refused for its length
)
_SOURCE = "python3 -m data_capture set-password"


class _Outcome(NamedTuple):
    was_provisional: bool
    is_disabled: bool
    replaced_foreign_hash: bool


def set_password(email: str, settings: Settings) -> None:
    """Ask for a password and store its hash; says what was done.

    Raises:
        CommandError: nothing was changed.
    """
    address = read_address(email)
    with opened_store(settings) as store:
        store.read(
            lambda connection: _account(connection, address)
        )  # before anyone types a password
        password = _read_password()
        password_hash = Passwords().hash(password)
        now = timestamp(datetime.now(timezone.utc))

        def change(connection: sqlite3.Connection) -> _Outcome:
            user = _account(connection, address)
            if user.account.is_provisional:
                complete_user(connection, user, Details(), password_hash, now)
            else:
                set_password_hash(connection, user.email, password_hash, now)
            record_audit(
                connection,
                user_email=user.email,
                capture_type="password_set",
                timestamp=now,
                source_endpoint=_SOURCE,
            )
            is_foreign = any(
                not _is_of_a_kind_of_ours(one.stored or "") for one in user.credentials
            )
            return _Outcome(user.account.is_provisional, user.account.is_disabled, is_foreign)

        outcome = store.write(change)
    print(
        "The password is set." + (" The account is active now." if outcome.was_provisional else "")
    )
    if outcome.is_disabled:
        print("The account is still disabled: its row in users says so, and no password opens it.")
    if outcome.replaced_foreign_hash:
        print(
            "The hash that was there was of another kind: the program that wrote it may not be able to "
            "read the new one."
        )
    sys.stdout.flush()


def _is_of_a_kind_of_ours(stored: str) -> bool:
    return stored == NO_PASSWORD or stored.startswith("$argon2id$") or is_plain_sha_256(stored)


def _account(connection: sqlite3.Connection, address: str) -> UserRow:
    """The account whose password can be set.

    Raises:
        CommandError: there is none, or another program keeps its password.
    """
    user = find_user(connection, address)
    if user is None or normalise_email(user.email) != address:
        raise CommandError("No user has this address. Nothing was changed.")
    column = foreign_password_column(user)
    if column is not None:
        raise CommandError(
            f"Another program keeps this user's password, in the column {column} of the table users. "
            "Set it with that program; nothing was changed."
        )
    return user


def _read_password() -> str:
    """The new password: typed twice at a terminal, or the first line of standard input.

    Raises:
        CommandError: it can't be used.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        password = getpass.getpass("New password: ")
        if getpass.getpass("The same again: ") != password:
            raise CommandError("The two passwords are not the same. Nothing was changed.")
    else:
        password = _first_line()
    fault = password_fault(password)
    if fault is not None:
        raise CommandError(f"The password {fault}. Nothing was changed.")
    return password


def _first_line() -> str:
    with closing(
        open(0, encoding="utf-8", newline="", closefd=False)
    ) as line_input:  # however this machine's locale is set
        try:
            line = line_input.readline(_MAX_LINE_CHARACTERS)
        except UnicodeDecodeError:
            raise CommandError("The password is not UTF-8. Nothing was changed.") from None
    if not line:
        raise CommandError("There is no password on standard input. Nothing was changed.")
    return line.removesuffix("\n").removesuffix("\r")
