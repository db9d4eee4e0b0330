"""Find how `users` and the other tables spell an address.

An older program's table may spell an address with capitals or spaces, or several times. The other
tables refer to the spelling in `users.email`: the stored email.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from data_capture.capture.email import is_unseen, normalise_any_email, normalise_email
from data_capture.sql.bulk import select_matching, tolerate_invalid_utf8
from data_capture.store.sqlite.user_rows import UsersTable

_IN_ANY_CASE = "lower(email) IN (?, ?, ?)"
_IS_TEXT = "typeof(email) = 'text'"


def find_stored_email(connection: sqlite3.Connection, email: str) -> str | None:
    """Find the spelling of an address (normalised) in `users.email`, or None."""
    found = connection.execute("SELECT email FROM users WHERE email = ?", (email,)).fetchone()
    if found is None:
        similar = connection.execute(
            f"SELECT email FROM users WHERE {_IN_ANY_CASE} AND {_IS_TEXT} ORDER BY email",  # noqa: S608
            _lower_spellings(email),
        )
        # "strasse" has the same capitals as "straße", and is another address.
        found = next((row for row in similar if normalise_any_email(row[0]) == email), None)
    if found is None and "normalized_email" in UsersTable.read(connection).unique:
        # Its program allows one user per value, by a rule of its own (such as a mailbox's dots).
        same = f"SELECT email FROM users WHERE normalized_email = ? AND {_IS_TEXT}"  # noqa: S608
        found = connection.execute(same, (email,)).fetchone()
    return None if found is None else str(found[0])


def find_stored_emails(connection: sqlite3.Connection, email: str) -> list[str]:
    """Find every spelling of an address (normalised) in `users.email`."""
    rows = connection.execute(
        f"SELECT email FROM users WHERE (email = ? OR {_IN_ANY_CASE}) AND {_IS_TEXT}",  # noqa: S608
        (email, *_lower_spellings(email)),
    ).fetchall()
    same = [str(stored) for (stored,) in rows if normalise_email(stored) == email]
    return list(dict.fromkeys([*same, *filter(None, [find_stored_email(connection, email)])]))


def find_stored_emails_in(connection: sqlite3.Connection, table: str, email: str) -> list[str]:
    """Find every spelling of an address (normalised) in one of our tables.

    The column is `user_email`.
    """
    select = f"SELECT DISTINCT user_email FROM {table} WHERE lower(user_email) IN (?, ?, ?)"  # noqa: S608
    rows = connection.execute(select, _lower_spellings(email))
    return [str(stored) for (stored,) in rows if normalise_email(stored) == email]


def find_known_emails(connection: sqlite3.Connection, emails: Collection[str]) -> set[str]:
    """Find which addresses (normalised, at least one) `users.email` spells exactly so."""
    select = "SELECT email FROM users WHERE email IN (VALUES {})"
    rows = select_matching(connection, select, [*zip(emails)])
    return {str(stored) for (stored,) in rows} & set(emails)


def find_unindexed_emails(connection: sqlite3.Connection, email: str) -> set[str]:
    """Find spellings of an address (normalised) that no index finds.

    These have surrounding spaces, decomposed letters or capitals outside ASCII. Also finds rows
    whose own program has this address in `normalized_email`. Takes about 60 ms per 100,000 rows.
    """
    # The lengths differ if a character is outside ASCII, or behind a NUL.
    unusual = (
        "SELECT email FROM users WHERE length(email) <> length(CAST(email AS BLOB)) "
        "OR email GLOB '*[^!-~]*' OR typeof(email) <> 'text'"
    )
    with tolerate_invalid_utf8(connection, "replace"):
        texts = [as_text(value) for (value,) in connection.execute(unusual)]
        found = {text for text in texts if text and _is_spelling_of(text, email)}
        if "normalized_email" in UsersTable.read(connection).columns:
            same = "SELECT email FROM users WHERE normalized_email = ? COLLATE NOCASE"
            found |= {as_text(value) or "" for (value,) in connection.execute(same, (email,))}
    return found


def as_text(value: object) -> str | None:
    """Return a column's value as text; bytes that are not UTF-8 are replaced."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None if value is None else str(value)


def _is_spelling_of(text: str, email: str) -> bool:
    normalised = normalise_email(text)
    if normalised is None:  # not an address by our rules, but maybe by another program's
        visible = (character for character in text if not is_unseen(character))
        normalised = normalise_email("".join(visible))
    return normalised == email


def _lower_spellings(email: str) -> tuple[str, str, str]:
    """Return what SQLite's lower() may make of an address in capitals.

    It changes ASCII letters only.
    """
    return email, _ascii_lower(email.upper()), _ascii_lower(email.capitalize())


def _ascii_lower(text: str) -> str:
    return "".join(chr(ord(letter) + 32) if "A" <= letter <= "Z" else letter for letter in text)
