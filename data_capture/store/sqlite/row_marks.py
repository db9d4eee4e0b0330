"""Mark the rows of `users` that this product made, in `user_credentials`.

A table with the columns `status` and `password_hash` shows by itself which rows this product made.
For other tables a mark is stored in `user_credentials.password_hash`. An address alone proves
nothing: another program may delete the row or take it over, and the next row of the same address is
another account. So the mark contains a digest of the row:

    !<digest>          a provisional row: any change by another program invalidates the mark
    !<digest><hash>    an account that signed up here: the digest covers the columns that stay the
                       same for as long as the row exists
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from data_capture.store.sqlite.account_columns import simple_name
from data_capture.store.sqlite.credentials import NO_PASSWORD, Row

_MARK = re.compile(rf"{NO_PASSWORD}([0-9a-f]{{32}})(\$.+)?", re.DOTALL)
_DIGEST_BYTES = 16
# Columns that a program sets once. The rowid is not among them: VACUUM changes it.
_LASTING = re.compile(
    r"(?:user|account|public)?(?:id|uid|uuid|guid|uniqueid)|email"
    r"|(?:created|registered|joined|signedup)(?:at|on|date|time)?"
)


@dataclass(frozen=True)
class RowMark:
    """Hold the digest of a row, and the password's hash if the row is an account."""

    digest: str
    password_hash: str | None = field(repr=False)

    def is_of_untouched(self, row: Row) -> bool:
        """Return whether the row is provisional and unchanged since this product made it."""
        return self.password_hash is None and self.digest == _digest(row)

    def hash_for(self, row: Row) -> str | None:
        """Return the password's hash if it was chosen for this row, not an earlier one."""
        return self.password_hash if self.digest == _digest(_lasting_values(row)) else None


def read_mark(stored: str | None) -> RowMark | None:
    """Parse a value of `user_credentials.password_hash`; None if it is not a mark."""
    match = _MARK.fullmatch(stored or "")
    return None if match is None else RowMark(match[1], match[2])


def mark_of_provisional(row: Row) -> str:
    """Return the mark of a row that this product has just made."""
    return NO_PASSWORD + _digest(row)


def mark_of_account(row: Row, password_hash: str) -> str:
    """Return the mark of a row whose password has this hash."""
    return NO_PASSWORD + _digest(_lasting_values(row)) + password_hash


def _lasting_values(row: Row) -> Row:
    return [(name, value) for name, value in row if _LASTING.fullmatch(simple_name(name))]


def _digest(row: Row) -> str:
    text = repr([(name.lower(), value) for name, value in row])
    return hashlib.blake2b(
        text.encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES
    ).hexdigest()
