"""Find and add users in the `users` table.

The table may be an older program's. So columns are looked up before they are written, and no
existing row is changed beyond what a sign-up or a login is for.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from data_capture.capture.email import is_spelling_of
from data_capture.problems import UNAVAILABLE, Problem
from data_capture.sql.pragmas import ForeignKey, columns_of, foreign_keys_of, quote_identifier
from data_capture.store.sqlite.account_columns import is_for_hashes
from data_capture.store.sqlite.credentials import (
    PASSWORD_HASH,
    Account,
    Credential,
    read_account,
)
from data_capture.store.sqlite.stored_emails import (
    as_text,
    find_stored_email,
    find_stored_emails,
    find_unindexed_emails,
)
from data_capture.store.sqlite.user_passwords import mark_provisional_row, read_own_credentials
from data_capture.store.sqlite.user_rows import (
    FULL_NAME_COLUMNS,
    NewUser,
    insert_user_row,
    random_id,
    read_user_row,
    read_users_columns,
)

log = logging.getLogger("data_capture.store")

_MAX_NAME_CHARACTERS = 200
# Names of tables in which programs keep how a user of `users` signs in.
_ACCOUNT_TABLE = re.compile(
    r"auth|credential|account|identit|login|session|passw|passkey|oauth|provider|otp|mfa|2fa"
)

_OUR_HASHES = "$argon2id$"
_OUR_PLACES = (PASSWORD_HASH, "user_credentials")

_FIND_EVIDENCE = """
SELECT 1 FROM data_capture_audit
WHERE user_email = ? AND capture_type IN ('signup', 'password_set')
LIMIT 1
"""


@dataclass(frozen=True)
class UserRow:
    """Hold a row of `users`.

    `email` is spelled as in the table; the other tables refer to it. `id` is whatever the table
    has, mostly a number. The rest is None where the table has no such column.
    """

    id: Any
    email: str
    username: str
    full_name: str | None
    plan_type: str | None
    unique_id: str | None
    status: str | None
    account: Account

    @property
    def credentials(self) -> tuple[Credential, ...]:
        """Return the hashes that a password must agree with."""
        return self.account.credentials


class AccountExists(Exception):
    """Report that an address has an account, or a row that no sign-up completes."""


def find_user(connection: sqlite3.Connection, email: str) -> UserRow | None:
    """Find the user of an address (normalised), however the row spells it."""
    stored_email = find_stored_email(connection, email)
    if stored_email is None:
        return None
    named = read_user_row(connection, stored_email)
    columns = read_users_columns(connection)
    own = read_own_credentials(connection, stored_email, columns.written_values(named))
    row = {column.lower(): value for column, value in named}
    return UserRow(
        id=row["id"].hex() if isinstance(row.get("id"), bytes) else row.get("id"),
        email=stored_email,
        username=as_text(row.get("username")) or stored_email.partition("@")[0],
        full_name=_full_name_in(row),
        plan_type=as_text(row.get("plan_type")),
        unique_id=as_text(row.get("unique_id")),
        status=as_text(row.get("status")),
        account=read_account(named, columns, own, datetime.now(timezone.utc)),
    )


def find_completable_user(connection: sqlite3.Connection, email: str) -> UserRow | None:
    """Find the provisional user that a sign-up with an address (normalised) completes.

    Returns:
        None if there is no such user, and the sign-up adds one.

    Raises:
        AccountExists: the address has an account, or a row of another program, in any spelling.
    """
    user = find_user(connection, email)
    if user is not None and not (user.account.is_provisional and is_spelling_of(user.email, email)):
        raise AccountExists  # also a row that an index finds by its rules: "strasse" for "straße"
    stored = {*find_stored_emails(connection, email), *find_unindexed_emails(connection, email)}
    if stored - {user.email if user is not None else None}:
        raise AccountExists
    if user is not None and _has_credentials_elsewhere(connection, user.email):
        raise AccountExists
    return user


def ensure_user(connection: sqlite3.Connection, email: str, name: str | None, now: str) -> str:
    """Return the stored email of a user, and add a provisional user if there is none.

    Call it in the transaction that writes rows that refer to the user.

    Args:
        connection: in a write transaction.
        email: normalised.
        name: the user's full name, if known; an existing user keeps theirs.
        now: the current time, ISO 8601 in UTC.

    Raises:
        Problem: 503, the table rejects the row: another program changed it since the start.
    """
    return find_stored_email(connection, email) or add_user(connection, email, name, now)


def add_user(connection: sqlite3.Connection, email: str, name: str | None, now: str) -> str:
    """Add a provisional user and return the stored email.

    Call it if `find_stored_email` finds none. Arguments and exceptions are those of
    `ensure_user`.

    Arguments and exceptions are those of `ensure_user`.
    """
    user = NewUser(email, clean_name(name), now, email.partition("@")[0])
    try:
        insert_user_row(connection, user)
    except sqlite3.IntegrityError:  # maybe the table compares user names by a rule of its own
        try:
            insert_user_row(connection, replace(user, username=f"{user.username}_{random_id()}"))
        except sqlite3.IntegrityError as error:
            # Only logged: the text may quote another program's rule.
            log.error("The table users refuses a new user: %s", error)
            raise Problem(
                UNAVAILABLE, "The table users refuses a new user.", retry_after_seconds=60
            ) from error
    # Another program's trigger may have changed the spelling.
    stored_email = find_stored_email(connection, email) or email
    if not read_users_columns(connection).show_provisional_rows:
        mark_provisional_row(connection, stored_email, now)
    return stored_email


def clean_name(text: object) -> str | None:
    """Return a name, trimmed and cut; None if it is empty, not text, or unreadable."""
    if not isinstance(text, str):
        return None
    name = text.strip()[:_MAX_NAME_CHARACTERS].strip()
    is_unreadable = any(unicodedata.category(character) in ("Cc", "Cs") for character in name)
    return None if not name or is_unreadable else name


def has_our_password(connection: sqlite3.Connection, user: UserRow) -> bool:
    """Return whether the account's password was chosen here: no other program needs its hash.

    The hash's format is not enough, since another program may use Argon2id too. The audit trail
    tells.
    """
    ours = [
        credential
        for credential in user.credentials
        if credential.column in _OUR_PLACES and (credential.stored or "").startswith(_OUR_HASHES)
    ]
    if len(ours) != 1 or len(user.credentials) != 1:
        return False
    return connection.execute(_FIND_EVIDENCE, (user.email,)).fetchone() is not None


def find_foreign_password_column(user: UserRow) -> str | None:
    """Return the column with another program's password hash, or None."""
    columns = (credential.column for credential in user.credentials)
    return next((column for column in columns if column not in _OUR_PLACES), None)


def _full_name_in(row: dict[str, Any]) -> str | None:
    names = [as_text(row.get(column)) for column in FULL_NAME_COLUMNS]
    parts = [as_text(row.get("first_name")), as_text(row.get("last_name"))]
    return next(filter(None, [*names, " ".join(filter(None, parts))]), None)


def _has_credentials_elsewhere(connection: sqlite3.Connection, stored_email: str) -> bool:
    """Return whether another program's table of accounts refers to this user.

    The user's password, for example, may be there.
    """
    tables = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND lower(name) <> 'user_credentials'"
    )
    return any(
        _refers_to(connection, table, reference, stored_email)
        for (table,) in tables.fetchall()
        for reference in foreign_keys_of(connection, table)
        if reference.parent.lower() == "users" and _is_for_accounts(connection, table)
    )


def _is_for_accounts(connection: sqlite3.Connection, table: str) -> bool:
    has_hashes = any(is_for_hashes(column.name) for column in columns_of(connection, table))
    return has_hashes or _ACCOUNT_TABLE.search(table.lower()) is not None


def _refers_to(
    connection: sqlite3.Connection, table: str, reference: ForeignKey, stored_email: str
) -> bool:
    keys = [column.name for column in columns_of(connection, "users") if column.key]
    key = reference.parent_column or next(iter(keys), None)
    if key is None:
        return False  # a foreign key mismatch: nothing can refer to a table without a key
    column, parent_column = quote_identifier(reference.column), quote_identifier(key)
    find = (
        f"SELECT 1 FROM {quote_identifier(table)} AS other "  # noqa: S608
        f"JOIN users ON other.{column} = users.{parent_column} WHERE users.email = ? LIMIT 1"
    )
    return connection.execute(find, (stored_email,)).fetchone() is not None
