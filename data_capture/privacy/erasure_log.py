"""Who was erased and when, noted outside the database, so that an older copy of it does not bring anyone back.

    trading_bots.keys/erasures     a line an address: its keyed hash, as in `data_capture_erasures`, and the time

Lines are only ever added. One may be removed when no copy of the database is left that is older than it.
"""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path

from data_capture.audit.format import ERASURE
from data_capture.capture.email import normalise_email
from data_capture.key_files import keys_beside, load_or_make_key
from data_capture.privacy.erasure import PSEUDONYMS, erase_user
from data_capture.privacy.tables import RECEIPTS, list_user_tables
from data_capture.sql.pragmas import columns_of
from data_capture.store.sqlite.tombstones import (
    NOTHING,
    erasures_key_file,
    hash_of_address,
    note_hashes,
)

_LINE = re.compile(r"([0-9a-f]{64}) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)")

LogEntry = tuple[str, str]
"""An address's keyed hash, and when it was erased."""


def erasure_log_file(database: Path) -> Path:
    """Where the erasures of `database` are noted."""
    return keys_beside(database.resolve()) / "erasures"


def read_erasure_log(database: Path) -> set[LogEntry]:
    """What is noted; a line that a crash cut off is none.

    Raises:
        OSError: the file can't be read.
    """
    try:
        lines = (
            erasure_log_file(database).read_text(encoding="ascii", errors="replace").splitlines()
        )
    except FileNotFoundError:
        return set()
    return {(found[1], found[2]) for found in map(_LINE.fullmatch, lines) if found is not None}


def append_to_erasure_log(database: Path, erasures: set[LogEntry]) -> None:
    """Notes those of the database's erasures that are not noted yet; they are on disk when this returns.

    Raises:
        OSError: it can't be written.
    """
    missing = erasures - read_erasure_log(database)
    if not missing:
        return
    path = erasure_log_file(database)
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        # It begins a line of its own, whatever a crash has left of the one before.
        file.write(
            "".join(
                f"\n{address_hash} {erased_at}\n" for address_hash, erased_at in sorted(missing)
            )
        )
        file.flush()
        os.fsync(file.fileno())


def repeat_erasures(connection: sqlite3.Connection, database: Path) -> int:
    """Erases those whose erasure is noted and that this database, an older copy, knows nothing of; how many they were.

    Whether a database knows of an erasure is told by the record in its audit trail, which has the same time.

    Args:
        connection: in a write transaction.
        database: what it has open.

    Raises:
        OSError, ValueError: the journal or the key can't be read.
        Problem, sqlite3.Error: as `erase_person` says.
    """
    unknown = _unknown_to(connection, read_erasure_log(database))
    if not unknown:
        return 0
    key = load_or_make_key(erasures_key_file(database))
    users, gone = 0, set[str]()
    for email in sorted(_addresses(connection)):
        erased_at = unknown.get(hash_of_address(key, email))
        if erased_at is not None and email not in gone:
            gone |= erase_user(
                connection, email, erased_at=erased_at, source_endpoint="restore"
            ).addresses
            users += 1
    note_hashes(
        connection, unknown.items(), NOTHING
    )  # also those of whom nothing is here: pages may hold something
    return users


def _unknown_to(connection: sqlite3.Connection, entries: set[LogEntry]) -> dict[str, str]:
    if not entries:
        return {}
    records = connection.execute(
        # The index by person finds them without reading everybody's.
        "SELECT DISTINCT timestamp FROM data_capture_audit WHERE user_email >= ? AND user_email < ? AND capture_type = ?",
        (PSEUDONYMS, PSEUDONYMS[:-1] + chr(ord(PSEUDONYMS[-1]) + 1), ERASURE),
    )
    known = {erased_at for (erased_at,) in records}
    return {address_hash: erased_at for address_hash, erased_at in sorted(entries, key=lambda entry: entry[1])
            if erased_at not in known}  # fmt: skip


def _addresses(connection: sqlite3.Connection) -> set[str]:
    """Everybody in the database, each by the spelling that is hashed."""
    columns = {column.name.lower() for column in columns_of(connection, "users")}
    found = {spelling for name in columns & {"email", "normalized_email"}
             for (spelling,) in connection.execute(f"SELECT {name} FROM users")}  # noqa: S608  # fmt: skip
    for table in (*list_user_tables(), RECEIPTS):
        found.update(
            spelling
            for (spelling,) in connection.execute(f"SELECT DISTINCT user_email FROM {table}")  # noqa: S608
        )
    return {email for email in map(normalise_email, found) if email is not None}
