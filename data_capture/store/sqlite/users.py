"""The people of the `users` table: who an address belongs to, adding a person, completing one who signs up.

The table may be an older program's. So columns are looked up before they are written, and no row that is there is
changed beyond what a sign-up or a login is for.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from data_capture.capture.email import is_unseen, normalise_any_email, normalise_email
from data_capture.problems import UNAVAILABLE, Problem
from data_capture.sql.bulk import select_matching, tolerate_invalid_utf8
from data_capture.sql.pragmas import ForeignKey, columns_of, foreign_keys_of, quote_identifier
from data_capture.store.sqlite.credentials import (
    NO_PASSWORD as NO_PASSWORD,
)
from data_capture.store.sqlite.credentials import (
    PASSWORD_HASH,
    Account,
    Beside,
    Columns,
    Credential,
    is_for_hashes,
    read_account,
)
from data_capture.store.sqlite.row_marks import mark_of_account, mark_of_provisional, read_mark
from data_capture.store.sqlite.user_rows import (
    FULL_NAME_COLUMNS,
    UNIQUE_ID_CHARACTERS,
    Newcomer,
    UsersTable,
    add_row,
    free_value,
    random_id,
    write_first,
)

log = logging.getLogger("data_capture.store")

_OUR_HASHES = "$argon2id$"
_OUR_PLACES = (PASSWORD_HASH, "user_credentials")
_MAX_NAME_CHARACTERS = 200
# Tables in which programs keep how a user of `users` signs in.
_OF_ACCOUNTS = re.compile(
    r"auth|credential|account|identit|login|session|passw|passkey|oauth|provider|otp|mfa|2fa"
)


@dataclass(frozen=True)
class UserRow:
    """A row of `users`. `email` is the address as it is spelled there, which is what the other tables refer to.

    `id` is whatever that table holds, mostly a number; the rest is None where the table has no column for it.
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
        """What a password has to agree with."""
        return self.account.credentials


class AccountExists(Exception):
    """An address belongs to an account, or to a row that another program made: no sign-up completes it."""


def find_user(connection: sqlite3.Connection, email: str) -> UserRow | None:
    """Who `email` (normalised) belongs to, however the row spells it; None for nobody."""
    spelling = _spelling_of(connection, email)
    if spelling is None:
        return None
    named = _row_of(connection, spelling)
    columns = _columns(connection)
    account = read_account(
        named,
        columns,
        _beside(connection, spelling, columns.said_by(named)),
        datetime.now(timezone.utc),
    )
    row = {column.lower(): value for column, value in named}
    names = [_text(row.get(column)) for column in FULL_NAME_COLUMNS]
    names.append(
        " ".join(filter(None, (_text(row.get("first_name")), _text(row.get("last_name")))))
    )
    return UserRow(
        id=row["id"].hex() if isinstance(row.get("id"), bytes) else row.get("id"),
        email=spelling,
        username=_text(row.get("username")) or spelling.partition("@")[0],
        full_name=next(filter(None, names), None),
        plan_type=_text(row.get("plan_type")),
        unique_id=_text(row.get("unique_id")),
        status=_text(row.get("status")),
        account=account,
    )


def _row_of(connection: sqlite3.Connection, spelling: str) -> list[tuple[str, Any]]:
    """The whole row, generated columns too."""
    with tolerate_invalid_utf8(connection, "replace"):
        cursor = connection.execute("SELECT * FROM users WHERE email = ?", (spelling,))
        values = cursor.fetchone()
    return [*zip((str(column[0]) for column in cursor.description), values, strict=True)]


def _written_row(connection: sqlite3.Connection, spelling: str) -> list[tuple[str, Any]]:
    return _columns(connection).said_by(_row_of(connection, spelling))


def _beside(connection: sqlite3.Connection, spelling: str, row: list[tuple[str, Any]]) -> Beside:
    select = "SELECT password_hash FROM user_credentials WHERE user_email = ?"
    (stored,) = connection.execute(select, (spelling,)).fetchone() or (None,)
    mark = read_mark(stored)
    if mark is not None:
        password_hash = mark.hash_for(row)
        return Beside(
            password_hash,
            is_marked=password_hash is not None,
            is_untouched=mark.is_of_untouched(row),
        )
    return Beside() if stored is None or stored.startswith(NO_PASSWORD) else Beside(stored)


def find_to_complete(connection: sqlite3.Connection, email: str) -> UserRow | None:
    """The provisional row that a sign-up with `email` (normalised) completes; None where it adds a user.

    Raises:
        AccountExists: there is an account of this address, or a row of another program's, however it spells it.
    """
    user = find_user(connection, email)
    if user is not None and not (
        user.account.is_provisional and normalise_email(user.email) == email
    ):
        raise AccountExists  # also a row that is found by an index's notion of capitals alone: "strasse" for "straße"
    others = set(spellings_of(connection, email)) | _odd_spellings_of(connection, email)
    if others - {user.email if user is not None else None}:
        raise AccountExists
    if user is not None and _has_credentials_elsewhere(connection, user.email):
        raise AccountExists
    return user


def _has_credentials_elsewhere(connection: sqlite3.Connection, spelling: str) -> bool:
    """Whether another program's table of accounts refers to this row of `users`: its password, say, is there."""
    tables = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND lower(name) <> 'user_credentials'"
    )
    return any(
        _refers_to(connection, table, reference, spelling)
        for (table,) in tables.fetchall()
        for reference in foreign_keys_of(connection, table)
        if reference.parent.lower() == "users" and _is_for_accounts(connection, table)
    )


def _is_for_accounts(connection: sqlite3.Connection, table: str) -> bool:
    has_hashes = any(is_for_hashes(column.name) for column in columns_of(connection, table))
    return has_hashes or _OF_ACCOUNTS.search(table.lower()) is not None


def _refers_to(
    connection: sqlite3.Connection, table: str, reference: ForeignKey, spelling: str
) -> bool:
    keys = [column.name for column in columns_of(connection, "users") if column.key]
    key = reference.parent_column or next(iter(keys), None)
    if key is None:
        return False  # SQLite calls that a mismatch: nothing can refer to a table without a key
    find = (
        f"SELECT 1 FROM {quote_identifier(table)} AS other JOIN users ON other.{quote_identifier(reference.column)} = users.{quote_identifier(key)} "  # noqa: S608
        "WHERE users.email = ? LIMIT 1"
    )
    return connection.execute(find, (spelling,)).fetchone() is not None


def spellings_of(connection: sqlite3.Connection, email: str) -> list[str]:
    """Every spelling of `email` (normalised) in `users.email`: an older program's table may have several."""
    found = connection.execute(
        "SELECT email FROM users WHERE (email = ? OR lower(email) IN (?, ?, ?)) AND typeof(email) = 'text'",
        (email, *_lowered_spellings(email)),
    ).fetchall()
    same = [str(spelling) for (spelling,) in found if normalise_email(spelling) == email]
    return list(dict.fromkeys([*same, *filter(None, [_spelling_of(connection, email)])]))


def spellings_in(connection: sqlite3.Connection, table: str, email: str) -> list[str]:
    """Likewise in the column `user_email` of one of our tables."""
    select = f"SELECT DISTINCT user_email FROM {table} WHERE lower(user_email) IN (?, ?, ?)"  # noqa: S608
    found = connection.execute(select, _lowered_spellings(email))
    return [str(spelling) for (spelling,) in found if normalise_email(spelling) == email]


def addresses_known(connection: sqlite3.Connection, emails: Collection[str]) -> set[str]:
    """Those of at least one address (normalised) that `users.email` spells exactly so."""
    find = "SELECT email FROM users WHERE email IN (VALUES {})"
    return {
        str(spelling) for (spelling,) in select_matching(connection, find, [*zip(emails)])
    } & set(emails)


def ensure_user(connection: sqlite3.Connection, email: str, name: str | None, now: str) -> str:
    """The spelling of `email` in `users.email`; adds a provisional row where there is no such person.

    Call it in the transaction that writes what refers to the person.

    Args:
        connection: the writer, in its transaction.
        email: as `normalise_email` gives it.
        name: the person's full name, if known. A person who is there keeps theirs.
        now: the time of storing, ISO 8601 in UTC.

    Raises:
        Problem: 503, when the table refuses the row: another program has changed it since the start.
    """
    return spelling_of(connection, email) or add_user(connection, email, name, now)


def spelling_of(connection: sqlite3.Connection, email: str) -> str | None:
    """The spelling of `email` (normalised) in `users.email`; None when there is no such user."""
    return _spelling_of(connection, email)


def add_user(connection: sqlite3.Connection, email: str, name: str | None, now: str) -> str:
    """Adds a provisional user, whom `spelling_of` does not find, and returns the spelling of the address in `users.email`.

    Arguments and exceptions are those of `ensure_person`.
    """
    newcomer = Newcomer(email, presentable(name), now, email.partition("@")[0])
    try:
        add_row(connection, newcomer)
    except (
        sqlite3.IntegrityError
    ):  # also where names are compared in a way that only the table knows
        try:
            add_row(connection, replace(newcomer, username=f"{newcomer.username}_{random_id()}"))
        except sqlite3.IntegrityError as error:
            # Not in the answer: the text is a rule of another program's, which is no stranger's business.
            log.error("The table users refuses a new user: %s", error)
            raise Problem(
                UNAVAILABLE, "The table users refuses a new user.", retry_after_seconds=60
            ) from error
    spelling = (
        _spelling_of(connection, email) or email
    )  # a trigger of another program may have respelled it
    if not _columns(
        connection
    ).tell_what_is_ours:  # that the row is ours, so that a sign-up may complete it
        _note_beside(
            connection, spelling, mark_of_provisional(_written_row(connection, spelling)), now
        )
    return spelling


def _spelling_of(connection: sqlite3.Connection, email: str) -> str | None:
    found = connection.execute("SELECT email FROM users WHERE email = ?", (email,)).fetchone()
    if found is None:
        similar = connection.execute(
            "SELECT email FROM users WHERE lower(email) IN (?, ?, ?) AND typeof(email) = 'text' ORDER BY email",
            _lowered_spellings(email),
        )
        # "strasse" has the same capitals as "straße", and is another address.
        found = next((row for row in similar if normalise_any_email(row[0]) == email), None)
    if found is None and "normalized_email" in UsersTable.read(connection).unique:
        # Its program allows one person for each of these, by a rule of its own (a mailbox's dots, say).
        same = "SELECT email FROM users WHERE normalized_email = ? AND typeof(email) = 'text'"
        found = connection.execute(same, (email,)).fetchone()
    return None if found is None else str(found[0])


def _odd_spellings_of(connection: sqlite3.Connection, email: str) -> set[str]:
    """Spellings of `email` that no index finds: with spaces around them, letters taken apart, capitals outside ASCII.

    Also the addresses of rows whose own program keeps `email` as what they are known by. Reads the whole table, which
    takes some 60 ms for each 100,000 rows.
    """
    # Its length in bytes is another where a letter is outside ASCII, or behind a NUL.
    odd = (
        "SELECT email FROM users WHERE length(email) <> length(CAST(email AS BLOB)) "
        "OR email GLOB '*[^!-~]*' OR typeof(email) <> 'text'"
    )
    rows = connection.execute
    with tolerate_invalid_utf8(connection, "replace"):
        found = {
            text
            for (value,) in rows(odd)
            if (text := _text(value)) and _is_spelling_of(text, email)
        }
        if "normalized_email" in UsersTable.read(connection).columns:
            same = "SELECT email FROM users WHERE normalized_email = ? COLLATE NOCASE"
            found |= {_text(value) or "" for (value,) in rows(same, (email,))}
    return found


def _is_spelling_of(text: str, email: str) -> bool:
    normalised = normalise_email(text)
    if normalised is None:  # no address of ours; another program may still take it for one
        normalised = normalise_email("".join(one for one in text if not is_unseen(one)))
    return normalised == email


@dataclass(frozen=True)
class Details:
    """What a person said of themselves when signing up; None for what they didn't say."""

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
    connection: sqlite3.Connection, user: UserRow, details: Details, password_hash: str, now: str
) -> None:
    """Makes the row of a provisional user an account, and writes what they said where the table has room for it.

    What a capture said of them, which anyone may send, goes: whoever signs up must not read it in their account.

    Args:
        connection: the writer, in its transaction.
        person: who signs up, of `find_to_complete` or just added.
        details: what they said.
        password_hash: of the password they chose.
        now: the time of storing, ISO 8601 in UTC.
    """
    table = UsersTable.read(connection)
    names: dict[str, Any] = {
        "first_name": details.first_name,
        "last_name": details.last_name,
        **dict.fromkeys(FULL_NAME_COLUMNS, details.full_name),
    }
    said: dict[str, Any] = {
        "phone": details.phone,
        "company": details.company,
        "country": details.country,
        "plan_type": details.plan_type,
        "status": "active",
    }
    if details.consent_accepted:
        said |= {"consent_accepted": 1, "consent_timestamp": now}
    wished = wished_username(details, user.email)
    if "username" in table.columns and not is_username_for(user.username, wished):
        said["username"] = free_value(connection, table, "username", wished)
    writable = {
        column for column in table.columns if column not in table.unique or column == "username"
    }
    for column, name in names.items():
        if column in writable:
            write_first(connection, column, [name, ""], user.email)
    for column, value in said.items():
        # A unique phone number may be somebody else's already; that is no reason to refuse a sign-up.
        if value is not None and column in writable:
            write_first(
                connection,
                column,
                [table.time(column, now) if column == "consent_timestamp" else value],
                user.email,
            )
    set_password_hash(connection, user.email, password_hash, now)


def wished_username(details: Details, email: str) -> str:
    """The name that a sign-up asks for: the one that was sent, or what stands before the address's @."""
    return details.username or email.partition("@")[0]


def is_username_for(username: str, wished: str) -> bool:
    """Whether a name is the one that was asked for, or that with the random end of one that was taken."""
    return username == wished or (
        username.startswith(f"{wished}_")
        and len(username) == len(wished) + 1 + UNIQUE_ID_CHARACTERS
    )


def set_password_hash(
    connection: sqlite3.Connection, spelling: str, password_hash: str, now: str
) -> None:
    """Stores a password's hash where this database keeps them: `users`, or our own table beside it."""
    if PASSWORD_HASH in UsersTable.read(connection).columns:
        connection.execute(
            "UPDATE users SET password_hash = ? WHERE email = ?", (password_hash, spelling)
        )
    else:
        _note_beside(
            connection,
            spelling,
            mark_of_account(_written_row(connection, spelling), password_hash),
            now,
        )


def _note_beside(connection: sqlite3.Connection, spelling: str, value: str, now: str) -> None:
    connection.execute(
        "INSERT INTO user_credentials (user_email, password_hash, updated_at) VALUES (?, ?, ?) "
        "ON CONFLICT (user_email) DO UPDATE SET password_hash = excluded.password_hash, updated_at = excluded.updated_at",
        (spelling, value, now),
    )


def has_our_password(connection: sqlite3.Connection, user: UserRow) -> bool:
    """Return whether the account's password was chosen here, so that no other program needs its hash.

    The format alone does not tell: another program may use Argon2id, too. The audit trail does.
    """
    ours = [
        one
        for one in user.credentials
        if one.column in _OUR_PLACES and (one.stored or "").startswith(_OUR_HASHES)
    ]
    if len(ours) != 1 or len(user.credentials) != 1:
        return False
    evidence = "SELECT 1 FROM data_capture_audit WHERE user_email = ? AND capture_type IN ('signup', 'password_set') LIMIT 1"
    return connection.execute(evidence, (user.email,)).fetchone() is not None


def foreign_password_column(user: UserRow) -> str | None:
    """Return the column of `users` in which another program keeps this person's password; None where none does."""
    return next((one.column for one in user.credentials if one.column not in _OUR_PLACES), None)


def note_login(connection: sqlite3.Connection, spelling: str, now: str) -> None:
    """Moves a person's `last_login`, where the table has one."""
    table = UsersTable.read(connection)
    if "last_login" in table.columns:
        connection.execute(
            "UPDATE users SET last_login = ? WHERE email = ?",
            (table.time("last_login", now), spelling),
        )


def presentable(text: object) -> str | None:
    """A name to store: trimmed and not too long; None for what is empty, not text, or can't be read."""
    if not isinstance(text, str):
        return None
    name = text.strip()[:_MAX_NAME_CHARACTERS].strip()
    unreadable = any(unicodedata.category(character) in ("Cc", "Cs") for character in name)
    return None if not name or unreadable else name


def _columns(connection: sqlite3.Connection) -> Columns:
    """What `credentials` has to know of the table; unlike `UsersTable` with generated columns."""
    rows = connection.execute("PRAGMA table_xinfo(users)").fetchall()
    return Columns(
        defaults={name: default for _, name, _, _, default, _, _ in rows},
        written=frozenset(name.lower() for _, name, _, _, _, _, hidden in rows if not hidden),
    )


def _lowered_spellings(email: str) -> tuple[str, str, str]:
    """What SQLite's lower(), which knows only ASCII, may have made of `email` written with capitals."""

    def lowered(spelling: str) -> str:
        return "".join(
            chr(ord(letter) + 32) if "A" <= letter <= "Z" else letter for letter in spelling
        )

    return email, lowered(email.upper()), lowered(email.capitalize())


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None if value is None else str(value)
