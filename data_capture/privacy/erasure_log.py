"""Record erasures outside the database, and repeat them in an older copy of it.

    trading_bots.keys/erasures     one line per address: its keyed hash, as in
                                   `data_capture_erasures`, and the time

Lines are only added. A line may be removed when no older copy of the database exists.
"""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path

from data_capture.audit.format import ERASURE
from data_capture.capture.email import normalise_as_before, normalise_email, with_unicode_domain
from data_capture.key_files import keys_beside, load_or_make_key
from data_capture.privacy.erasure import erase_user
from data_capture.privacy.pseudonyms import PSEUDONYM_PREFIX
from data_capture.privacy.tables import RECEIPTS, USERS, list_user_tables
from data_capture.sql.pragmas import columns_of
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.keys import erasures_key_file, hash_address
from data_capture.store.sqlite.tombstones import COMPLETE, add_hashed_tombstones

_LINE = re.compile(r"([0-9a-f]{64}) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)")

# By the index on user_email: the records of pseudonyms only, not those of all users.
_SELECT_ERASURE_TIMES = """
SELECT DISTINCT timestamp FROM data_capture_audit
WHERE user_email >= ? AND user_email < ? AND capture_type = ?
"""
_AFTER_PSEUDONYMS = PSEUDONYM_PREFIX[:-1] + chr(ord(PSEUDONYM_PREFIX[-1]) + 1)

LogEntry = tuple[str, str]
"""The keyed hash of an address, and the time of its erasure."""


def erasure_log_file(database: Path) -> Path:
    """Return the path of the erasure log of `database`."""
    return keys_beside(database.resolve()) / "erasures"


def read_erasure_log(database: Path) -> set[LogEntry]:
    """Return the entries of the log, without a line that a crash cut off.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        text = erasure_log_file(database).read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return set()
    matches = map(_LINE.fullmatch, text.splitlines())
    return {(match[1], match[2]) for match in matches if match is not None}


def append_to_erasure_log(database: Path, erasures: set[LogEntry]) -> None:
    """Add the entries that the log lacks, and sync them to disk.

    Raises:
        OSError: the file cannot be written.
    """
    missing = erasures - read_erasure_log(database)
    if not missing:
        return
    path = erasure_log_file(database)
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        # Each entry begins with a line break, because a crash may have cut off the last line.
        file.write(
            "".join(
                f"\n{address_hash} {erased_at}\n" for address_hash, erased_at in sorted(missing)
            )
        )
        file.flush()
        os.fsync(file.fileno())


def repeat_erasures(connection: StoreConnection, database: Path) -> int:
    """Erase the users of the log whose erasure this database does not know.

    The database is then an older copy. It knows an erasure if its audit trail has a record of it,
    with the same time.

    Args:
        connection: in a write transaction.
        database: the file that the connection has open.

    Returns:
        The number of users that were erased.

    Raises:
        OSError, ValueError: the log or the key cannot be read.
        Problem, sqlite3.Error: as for `erase_user`.
    """
    unknown = _select_unknown(connection, read_erasure_log(database))
    if not unknown:
        return 0
    key = load_or_make_key(erasures_key_file(database))
    erased_users, erased_addresses = 0, set[str]()
    for email, spellings in sorted(_read_addresses(connection).items()):
        hashes = (hash_address(key, spelling) for spelling in sorted(spellings))
        erased_at = max((unknown[one] for one in hashes if one in unknown), default=None)
        if erased_at is not None and email not in erased_addresses:
            erased_addresses |= erase_user(
                connection, email, erased_at=erased_at, source_endpoint="restore"
            ).addresses
            erased_users += 1
    # Users without data here get tombstones too: browsers may still hold captures of theirs.
    add_hashed_tombstones(connection, unknown.items(), COMPLETE)
    return erased_users


def _select_unknown(connection: sqlite3.Connection, entries: set[LogEntry]) -> dict[str, str]:
    """Return the entries that the database does not know, the last of each address."""
    if not entries:
        return {}
    parameters = (PSEUDONYM_PREFIX, _AFTER_PSEUDONYMS, ERASURE)
    known = {time for (time,) in connection.execute(_SELECT_ERASURE_TIMES, parameters)}
    return {
        address_hash: erased_at
        for address_hash, erased_at in sorted(entries, key=lambda entry: entry[1])
        if erased_at not in known
    }


def _read_addresses(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """Return all addresses in the database, normalised, and the spellings that may be hashed.

    Earlier versions normalised an address in another way.
    """
    user_columns = {column.name.lower() for column in columns_of(connection, USERS)}
    columns = [(USERS, name) for name in user_columns & {"email", "normalized_email"}]
    columns += [(table, "user_email") for table in (*list_user_tables(), RECEIPTS)]
    spellings = {
        spelling
        for table, column in columns
        for (spelling,) in connection.execute(f"SELECT DISTINCT {column} FROM {table}")  # noqa: S608
    }
    addresses: dict[str, set[str]] = {}
    for spelling in spellings:
        earlier = normalise_as_before(spelling)
        email = normalise_email(spelling) or earlier
        if email is not None:
            hashed = addresses.setdefault(email, set(with_unicode_domain(email)))
            hashed.update(filter(None, [earlier]))
    return addresses
