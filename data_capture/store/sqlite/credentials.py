"""Read from a row of `users` what account it is.

That is whether the account is open or closed, and the hashes of its passwords.

The table may be another program's: `account_columns` recognises its columns by their names, and
`column_values` reads its values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from data_capture.capture.email import is_reserved
from data_capture.store.sqlite.account_columns import (
    CLAIMED_NAME,
    CLOSED_AT_NAME,
    CLOSED_UNTIL_NAME,
    DISABLED_NAME,
    DISABLED_SWITCH_NAME,
    ENABLED_NAMES,
    ID_NAMES,
    OPEN_UNTIL_NAME,
    STATUS_NAMES,
    is_for_hashes,
    simple_name,
)
from data_capture.store.sqlite.column_values import (
    CLOSED_CODES,
    as_text,
    as_word,
    equals_default,
    has_closed_word,
    is_constant,
    is_empty,
    is_false,
    is_number,
    is_past,
    is_switched_on,
    is_time,
    is_true,
    looks_like_hash,
)

PROVISIONAL = "provisional"
"""The status of a user who was captured before signing up."""

NO_PASSWORD = "!"  # noqa: S105  (the opposite of a password: no hash looks like this)
"""The `password_hash` of a user without a password."""

PASSWORD_HASH = "password_hash"  # noqa: S105  (the name of our own column)

Row = Sequence[tuple[str, Any]]  # names and values, in the table's order


@dataclass(frozen=True)
class Credential:
    """Hold the value of a column for password hashes.

    `stored` is None if the value is not text.
    """

    column: str
    stored: str | None = field(repr=False)


@dataclass(frozen=True)
class Account:
    """Describe the account of a row.

    Args:
        credentials: a password must agree with all of them; without any, none opens the account.
        is_disabled: whether the row says that the account is closed.
        is_provisional: whether this product made the row and no program has used it since, so that
            a sign-up may complete it.
    """

    credentials: tuple[Credential, ...]
    is_disabled: bool
    is_provisional: bool


@dataclass(frozen=True)
class OwnCredentials:
    """Describe the row of our table `user_credentials` for a row of `users`.

    Args:
        password_hash: of a password that was chosen in this product.
        is_for_this_row: whether it was chosen for this very row of `users`.
        is_untouched: whether this product made the row, and no program has changed it since.
    """

    password_hash: str | None = field(default=None, repr=False)
    is_for_this_row: bool = False
    is_untouched: bool = False


@dataclass(frozen=True)
class UsersColumns:
    """Describe the columns of `users`.

    Args:
        defaults: by the columns' names, the default in SQL, or None.
        written: the columns that can be written, in lower case: all but the generated ones.
    """

    defaults: Mapping[str, str | None]
    written: frozenset[str]

    @property
    def show_provisional_rows(self) -> bool:
        """Return whether a row alone shows that it is provisional.

        If not, `user_credentials` does.
        """
        return {PASSWORD_HASH, "status"} <= self.written

    def written_values(self, row: Row) -> list[tuple[str, Any]]:
        """Return the values that were written into a row.

        Generated values and defaults are left out.
        """
        return [
            (column, value)
            for column, value in row
            if column.lower() in self.written and not self.is_default(column, value)
        ]

    def is_default(self, column: str, value: Any) -> bool:
        """Return whether a value is empty, or the column's default."""
        default = self.defaults.get(column)
        return is_empty(value) or (default is not None and equals_default(value, default))

    def has_computed_default(self, column: str) -> bool:
        """Return whether the column's default is an expression, whose value may vary."""
        default = self.defaults.get(column)
        return default is not None and not is_constant(default)


def read_account(row: Row, columns: UsersColumns, own: OwnCredentials, now: datetime) -> Account:
    """Read the account of a row.

    Args:
        row: all of it.
        columns: of the table.
        own: what `user_credentials` has for the row.
        now: the time, which a lock may end at.
    """
    credentials = _find_credentials(row, columns)
    if not credentials and own.password_hash is not None:
        has_columns = any(is_for_hashes(column) for column, _ in row)
        # If the table has a column for passwords, a hash that was not chosen for this row may be a
        # stranger's: an older version stored it for users without a password.
        if own.is_for_this_row or not has_columns:
            credentials = (Credential("user_credentials", own.password_hash),)
    is_disabled = any(_is_closed(column, value, columns, now) for column, value in row)
    is_ours = columns.show_provisional_rows or own.is_untouched
    return Account(
        credentials,
        is_disabled,
        is_provisional=is_ours and not is_disabled and _is_unused(row, columns),
    )


def _find_credentials(row: Row, columns: UsersColumns) -> tuple[Credential, ...]:
    """Return the values of the columns for hashes, our own column's first.

    Another column's default is no credential. The mark for "no password" is one in all columns: no
    password agrees with it.
    """
    email = next((as_word(value) for column, value in row if column.lower() == "email"), "")
    found = [
        Credential(column.lower(), as_text(value))
        for column, value in row
        if is_for_hashes(column)
        and not is_empty(value)
        and not _is_digest_of_address(value, email)
        and (column.lower() == PASSWORD_HASH or not columns.is_default(column, value))
    ]
    return tuple(sorted(found, key=lambda credential: credential.column != PASSWORD_HASH))


def _is_digest_of_address(value: Any, email: str) -> bool:
    """Return whether a value is a digest by which picture services, say, know a user.

    Taken for a password's hash, it would make the address the password.
    """
    return as_word(value) == hashlib.sha256(email.encode(errors="surrogatepass")).hexdigest()


def _is_unused(row: Row, columns: UsersColumns) -> bool:
    """Return whether no other program has made a row an account.

    The row has our provisional values, and none that an account of another program has.
    """
    ours = {PASSWORD_HASH: NO_PASSWORD, "status": PROVISIONAL}
    for column, value in row:
        wanted = ours.get(column.lower()) if column.lower() in columns.written else None
        if wanted is not None:
            if value != wanted:
                return False
        elif is_for_hashes(column):
            if not columns.is_default(column, value):
                return False
        elif _is_claimed(column, value, columns):
            return False
    return True


def _is_claimed(column: str, value: Any, columns: UsersColumns) -> bool:
    """Return whether a value says that a row is an account, or no user at all."""
    if column.lower() == "email":
        return is_reserved(str(value))
    name = simple_name(column)
    is_credential = name not in ID_NAMES and looks_like_hash(value)
    if (
        not (is_credential or CLAIMED_NAME.fullmatch(name))
        or is_false(value)
        or columns.has_computed_default(column)
    ):
        return False
    return not columns.is_default(column, value)


def _is_closed(column: str, value: Any, columns: UsersColumns, now: datetime) -> bool:
    """Return whether a value says that the account is closed."""
    if is_empty(value):
        return False
    name = simple_name(column)
    if name in STATUS_NAMES:
        return _is_closed_status(column, value, columns)
    if name in ENABLED_NAMES:
        return is_false(value)
    if DISABLED_NAME.fullmatch(name):
        return is_true(value)
    if DISABLED_SWITCH_NAME.fullmatch(name):
        return is_switched_on(value)
    if OPEN_UNTIL_NAME.fullmatch(name):
        return is_past(value, now)
    if CLOSED_UNTIL_NAME.fullmatch(name):
        return is_time(value) and not is_past(value, now)
    return bool(CLOSED_AT_NAME.fullmatch(name)) and is_time(value)


def _is_closed_status(column: str, value: Any, columns: UsersColumns) -> bool:
    word = as_word(value)
    if is_number(word):  # in most programs, 0 is an account that is not active
        return float(word) < 0 or (float(word) == 0 and not columns.is_default(column, value))
    # A column `state` may hold the code of a country's state.
    return has_closed_word(word) or (word in CLOSED_CODES and simple_name(column) != "state")
