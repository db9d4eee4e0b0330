"""Find how `users` and the other tables spell an address.

An older program's table may spell an address with capitals or spaces, or several times. The other
tables refer to the spelling in `users.email`: the stored email.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from data_capture.capture.email import (
    is_spelling_of,
    list_earlier_spellings,
    normalise_email,
    with_unicode_domain,
)
from data_capture.capture.email_text import is_unseen
from data_capture.sql.bulk import select_matching, tolerate_invalid_utf8
from data_capture.store.sqlite.user_rows import UsersTable

_IS_TEXT = "typeof(email) = 'text'"

# What no spelling of an address has that is normalised but for its case.
_UNUSUAL = """(
    length(email) <> length(CAST(email AS BLOB))  -- a character outside ASCII, or behind a NUL
    OR email GLOB '*[^A-Za-z0-9!#$&*+=^_{|}~.@-]*' OR email GLOB '*.' OR typeof(email) <> 'text'
)"""

# Most users are known. Selecting them would take 1.6 times as long as selecting the others.
_FIND_UNKNOWN = """
WITH looked_for (email) AS (VALUES {})
SELECT email FROM looked_for
WHERE NOT EXISTS (SELECT 1 FROM users
                  WHERE users.email = looked_for.email
                    AND users.email = looked_for.email COLLATE BINARY)
"""


def find_stored_email(connection: sqlite3.Connection, email: str) -> str | None:
    """Find the spelling of an address (normalised) in `users.email`, or None."""
    found = connection.execute("SELECT email FROM users WHERE email = ?", (email,)).fetchone()
    if found is None:
        # Another case is the most common spelling. Looking for that first halves the time.
        for candidates in ([email], list_earlier_spellings(email)):
            similar = _select_similar(connection, "users", "email", candidates)
            # "strasse" has the same capitals as "straße", and is another address.
            found = next(((row,) for row in similar if is_spelling_of(row, email)), found)
            if found is not None:
                break
    if found is None and "normalized_email" in UsersTable.read(connection).unique:
        # Its program allows one user per value, by a rule of its own (such as a mailbox's dots).
        same = f"SELECT email FROM users WHERE normalized_email = ? AND {_IS_TEXT}"  # noqa: S608
        spellings = with_unicode_domain(email)
        rows = (connection.execute(same, (spelling,)).fetchone() for spelling in spellings)
        found = next(filter(None, rows), None)
    return None if found is None else str(found[0])


def find_stored_emails(connection: sqlite3.Connection, email: str) -> list[str]:
    """Find the spellings of an address (normalised) in `users.email` that an index finds."""
    found = _select_similar(connection, "users", "email", list_earlier_spellings(email))
    same = [stored for stored in found if is_spelling_of(stored, email)]
    return list(dict.fromkeys([*same, *filter(None, [find_stored_email(connection, email)])]))


def find_all_stored_emails(connection: sqlite3.Connection, email: str) -> list[str]:
    """Find every spelling of an address (normalised) in `users.email`, also without an index.

    Takes about 60 ms per 100,000 rows.
    """
    with tolerate_invalid_utf8(connection, "replace"):
        unusual = connection.execute(
            f"SELECT email FROM users WHERE {_UNUSUAL} AND {_IS_TEXT}"  # noqa: S608
        ).fetchall()
    same = [str(text) for (text,) in unusual if is_spelling_of(text, email)]
    return list(dict.fromkeys([*find_stored_emails(connection, email), *same]))


def find_stored_emails_in(connection: sqlite3.Connection, table: str, email: str) -> list[str]:
    """Find the spellings of an address (normalised) in one of our tables, by an index.

    The column is `user_email`.
    """
    found = _select_similar(connection, table, "user_email", list_earlier_spellings(email))
    return [stored for stored in found if is_spelling_of(stored, email)]


def find_known_emails(connection: sqlite3.Connection, emails: Collection[str]) -> set[str]:
    """Find which addresses (normalised, at least one) `users.email` spells exactly so."""
    unknown = {email for (email,) in select_matching(connection, _FIND_UNKNOWN, [*zip(emails)])}
    return set(emails) - unknown


def find_unindexed_emails(connection: sqlite3.Connection, email: str) -> set[str]:
    """Find spellings of an address (normalised) that no index finds.

    These have something around the address, decomposed letters or capitals outside ASCII. Also
    finds rows whose own program has this address in `normalized_email`. Takes about 60 ms per
    100,000 rows.
    """
    with tolerate_invalid_utf8(connection, "replace"):
        unusual = connection.execute(f"SELECT email FROM users WHERE {_UNUSUAL}")  # noqa: S608
        texts = [as_text(value) for (value,) in unusual]
        found = {text for text in texts if text and _is_spelling_of(text, email)}
        if "normalized_email" in UsersTable.read(connection).columns:
            same = "SELECT email FROM users WHERE normalized_email = ? COLLATE NOCASE"
            for spelling in with_unicode_domain(email):
                found |= {as_text(row[0]) or "" for row in connection.execute(same, (spelling,))}
    return found


def as_text(value: object) -> str | None:
    """Return a column's value as text; bytes that are not UTF-8 are replaced."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None if value is None else str(value)


def _is_spelling_of(text: str, email: str) -> bool:
    if is_spelling_of(text, email):
        return True
    # Not an address by our rules, but maybe by another program's.
    return normalise_email("".join(char for char in text if not is_unseen(char))) == email


def _select_similar(
    connection: sqlite3.Connection, table: str, column: str, spellings: Collection[str]
) -> list[str]:
    """Return the values that equal a spelling in another case, the shortest first."""
    lower = _list_lower_forms(spellings)
    select = (
        f"SELECT DISTINCT {column} FROM {table} "  # noqa: S608
        f"WHERE lower({column}) IN ({', '.join('?' * len(lower))}) AND typeof({column}) = 'text' "
        f"ORDER BY length({column}), {column}"
    )
    return [str(value) for (value,) in connection.execute(select, lower)]


def _list_lower_forms(spellings: Collection[str]) -> list[str]:
    """List what SQLite's lower(), which changes ASCII letters only, may make of spellings."""
    return [
        form
        for spelling in spellings
        for form in (
            (spelling,)
            if spelling.isascii()
            else (spelling, _ascii_lower(spelling.upper()), _ascii_lower(spelling.capitalize()))
        )
    ]


def _ascii_lower(text: str) -> str:
    return "".join(chr(ord(letter) + 32) if "A" <= letter <= "Z" else letter for letter in text)
