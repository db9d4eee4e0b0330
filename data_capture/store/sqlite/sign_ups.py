"""Write sign-ups and logins to the `users` table."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from data_capture.store.sqlite.user_passwords import set_password_hash
from data_capture.store.sqlite.user_rows import (
    FULL_NAME_COLUMNS,
    UNIQUE_ID_CHARACTERS,
    UsersTable,
    make_unique,
    update_with_first_accepted,
)
from data_capture.store.sqlite.users import UserRow


@dataclass(frozen=True)
class SignUpDetails:
    """Hold what a user entered when signing up; None for what they left out."""

    username: str | None = None
    full_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    company: str | None = None
    country: str | None = None
    plan_type: str | None = None
    consent_accepted: bool = False


def complete_user(
    connection: sqlite3.Connection,
    user: UserRow,
    details: SignUpDetails,
    password_hash: str,
    now: str,
) -> None:
    """Make a provisional user an account, with the details of the sign-up.

    Details for which the table has no column are left out.

    Names from captures, which anyone may send, are cleared: the user must not read them in their
    account.

    Args:
        connection: in a write transaction.
        user: from `find_completable_user`, or just added.
        details: what the user entered.
        password_hash: of the password that they chose.
        now: the current time, ISO 8601 in UTC.
    """
    table = UsersTable.read(connection)
    values = _account_values(details, now)
    requested = requested_username(details, user.email)
    if "username" in table.columns and not is_username_for(user.username, requested):
        values["username"] = make_unique(connection, table, "username", requested)
    writable = {
        column for column in table.columns if column not in table.unique or column == "username"
    }
    for column, name in _names(details).items():
        if column in writable:
            update_with_first_accepted(connection, column, [name, ""], user.email)
    for column, value in values.items():
        # A unique phone number may be taken; that is no reason to reject a sign-up.
        if value is not None and column in writable:
            stored = table.format_time(column, now) if column == "consent_timestamp" else value
            update_with_first_accepted(connection, column, [stored], user.email)
    set_password_hash(connection, user.email, password_hash, now)


def requested_username(details: SignUpDetails, email: str) -> str:
    """Return the name that was entered, or the part of the address before the @."""
    return details.username or email.partition("@")[0]


def is_username_for(username: str, requested: str) -> bool:
    """Return whether a name is the requested one, or made from it.

    A name that was taken gets a random end.
    """
    return username == requested or (
        username.startswith(f"{requested}_")
        and len(username) == len(requested) + 1 + UNIQUE_ID_CHARACTERS
    )


def update_last_login(connection: sqlite3.Connection, stored_email: str, now: str) -> None:
    """Set a user's `last_login`, if the table has the column."""
    table = UsersTable.read(connection)
    if "last_login" in table.columns:
        values = (table.format_time("last_login", now), stored_email)
        connection.execute("UPDATE users SET last_login = ? WHERE email = ?", values)


def _names(details: SignUpDetails) -> dict[str, str | None]:
    return {
        "first_name": details.first_name,
        "last_name": details.last_name,
        **dict.fromkeys(FULL_NAME_COLUMNS, details.full_name),
    }


def _account_values(details: SignUpDetails, now: str) -> dict[str, Any]:
    values: dict[str, Any] = {
        "phone": details.phone,
        "company": details.company,
        "country": details.country,
        "plan_type": details.plan_type,
        "status": "active",
    }
    if details.consent_accepted:
        values |= {"consent_accepted": 1, "consent_timestamp": now}
    return values
