"""The mark of a row of `users` that this product made, kept in `user_credentials` where the table has no place for it.

A table with the columns `status` and `password_hash` tells by itself who made a row. For every other table the mark stands
beside it. An address alone proves nothing: another program may delete the row, or take it over, and the next row of the same
address is another account. So the mark holds a digest of the row:

    !<digest>          a provisional row, as this product made it: any change by another program ends the mark
    !<digest><hash>    an account that signed up here: the digest is of what stays the same for as long as the row lives
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from data_capture.store.sqlite.credentials import NO_PASSWORD, simple_name

Row = Sequence[tuple[str, Any]]  # names and values, in the table's order

_MARK = re.compile(rf"{NO_PASSWORD}([0-9a-f]{{32}})(\$.+)?", re.DOTALL)
_DIGEST_BYTES = 16
# What a program gives a row once. The row's number (rowid) is not among them: VACUUM gives rows other numbers.
_LASTING = re.compile(
    r"(?:user|account|public)?(?:id|uid|uuid|guid|uniqueid)|email|(?:created|registered|joined|signedup)(?:at|on|date|time)?"
)


@dataclass(frozen=True)
class RowMark:
    """What stands in `user_credentials` for a row: its digest, and the password's hash if it is an account."""

    digest: str
    password_hash: str | None = field(repr=False)

    def is_of_untouched(self, row: Row) -> bool:
        """Whether the row is provisional and still as this product made it."""
        return self.password_hash is None and self.digest == _digest(row)

    def hash_for(self, row: Row) -> str | None:
        """Return the password's hash, if it was chosen for this row and not for an earlier one of the same address."""
        return self.password_hash if self.digest == _digest(_lasting(row)) else None


def read_mark(stored: str | None) -> RowMark | None:
    """Read a value of `user_credentials.password_hash`; None for one that is no mark."""
    match = _MARK.fullmatch(stored or "")
    return None if match is None else RowMark(match[1], match[2])


def mark_of_provisional(row: Row) -> str:
    """Return the mark of a row that this product has just made."""
    return NO_PASSWORD + _digest(row)


def mark_of_account(row: Row, password_hash: str) -> str:
    """Return the mark of a row whose password has this hash."""
    return NO_PASSWORD + _digest(_lasting(row)) + password_hash


def _lasting(row: Row) -> Row:
    return [(name, value) for name, value in row if _LASTING.fullmatch(simple_name(name))]


def _digest(row: Row) -> str:
    text = repr([(name.lower(), value) for name, value in row])
    return hashlib.blake2b(
        text.encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES
    ).hexdigest()
