"""A database's audit key, and the entries of the chain that are added with it."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from data_capture.audit.format import (
    GENESIS,
    RECORD_COLUMNS,
    SALT_BYTES,
    VOID,
    ChainKey,
    compute_commitment,
    encode_record,
)
from data_capture.audit.head import HeadFileUpdater
from data_capture.key_files import keys_beside, load_key

log = logging.getLogger("data_capture.audit")

_KEY_FILE_NAME = "audit.key"
_ROWS_AT_A_TIME = 1000

_LAST = (
    "SELECT link FROM data_capture_audit_chain WHERE audit_id < ? ORDER BY audit_id DESC LIMIT 1"
)

_INSERT = "INSERT INTO data_capture_audit_chain (audit_id, adopted, salt, commitment, link) VALUES (?, ?, ?, ?, ?)"

_LINK_OF = "SELECT link FROM data_capture_audit_chain WHERE audit_id = ?"

_REPLACE = "UPDATE data_capture_audit_chain SET adopted = 0, salt = ?, commitment = ?, link = ? WHERE audit_id = ?"


def audit_key_file(database: Path) -> Path:
    """Where the audit key of `database` is."""
    return keys_beside(database.resolve()) / _KEY_FILE_NAME


class AuditTrail:
    """The chain of one database, to be added to."""

    def __init__(self, database: Path) -> None:
        """Reads the key.

        Raises:
            OSError, ValueError: as `load_key` says.
        """
        self.key = ChainKey(load_key(audit_key_file(database)))
        self._head = HeadFileUpdater(database, self.key)

    def append(self, connection: sqlite3.Connection, first: int, records: Sequence[bytes]) -> None:
        """Adds the entries of canonical records, the newest, numbered from `first` on, in the transaction that added them.

        What they are linked to is read in that same transaction: other processes write as well.

        Raises:
            sqlite3.IntegrityError: someone has tampered, and there are several; one alone is added all the same.
        """
        last = connection.execute(_LAST, (first,)).fetchone()
        link = (
            last[0] if last is not None and isinstance(last[0], bytes) else GENESIS
        )  # of another type: someone has tampered
        salts = os.urandom(SALT_BYTES * len(records))
        entries: list[tuple[int, int, bytes, bytes, bytes]] = []
        for place, record in enumerate(records):
            salt = salts[place * SALT_BYTES : (place + 1) * SALT_BYTES]
            commitment = compute_commitment(record, salt)
            link = self.key.link(link, commitment, first + place, 0)
            entries.append((first + place, 0, salt, commitment, link))
        if len(entries) > 1:
            connection.executemany(_INSERT, entries)
        else:
            try:
                connection.execute(_INSERT, entries[0])
            except sqlite3.IntegrityError:
                self._replace_foreign_entry(connection, first, *entries[0][2:4])
        self._head.moved()

    def _replace_foreign_entry(
        self, connection: sqlite3.Connection, number: int, salt: bytes, commitment: bytes
    ) -> None:
        """Records are taken on, also where someone has tampered; but never so that this could not be found any more."""
        log.error(
            "The audit trail was tampered with at record %s: python3 -m data_capture verify-audit tells more",
            number,
        )
        (foreign_link,) = connection.execute(_LINK_OF, (number,)).fetchone()
        # Not linked to the entry before: that would make the chain good again, without the records that were removed.
        link = self.key.link(
            foreign_link if isinstance(foreign_link, bytes) else GENESIS, commitment, number, 0
        )
        connection.execute(_REPLACE, (salt, commitment, link, number))


class AuditedConnection(sqlite3.Connection):
    """Hold the audit trail of a database with the connection that writes to it.

    The key is read once per connection, and all records of a connection schedule the same
    update of the head file.
    """

    audit_trail: AuditTrail | None = None


def audit_trail_of(connection: sqlite3.Connection) -> AuditTrail:
    """Return the audit trail of the database that `connection` has open.

    Args:
        connection: an `AuditedConnection`, which keeps the trail. Another connection is
            accepted, but reads the key each time.

    Raises:
        sqlite3.OperationalError: the key is missing or cannot be read.
    """
    if not isinstance(connection, AuditedConnection):
        return _open_trail(connection)
    if connection.audit_trail is None:
        connection.audit_trail = _open_trail(connection)
    return connection.audit_trail


def _open_trail(connection: sqlite3.Connection) -> AuditTrail:
    (_, _, file) = connection.execute("PRAGMA database_list").fetchone()
    try:
        return AuditTrail(Path(file))
    except (OSError, ValueError) as error:
        raise sqlite3.OperationalError(f"The audit key cannot be read: {error}") from error


def begin_chain(connection: sqlite3.Connection, key: bytes) -> int:
    """Makes a chain, under a new key, of the records that are there: from now on they can't be changed unnoticed either.

    That is not said of the time before: their entries are marked as adopted. Entries under a key that was lost are
    worth nothing any more, and are replaced.

    Args:
        connection: in a write transaction.
        key: of this installation from now on.

    Returns:
        How many records there are.
    """
    chain_key = ChainKey(key)
    if connection.execute("DELETE FROM data_capture_audit_chain").rowcount > 0:
        log.warning(
            "The audit trail's key is gone: the records that are there begin a new chain, under a new key"
        )
    # The names come from the format.
    records = connection.execute(
        f"SELECT {', '.join(RECORD_COLUMNS)} FROM data_capture_audit ORDER BY id"  # noqa: S608
    )
    link, records_there, last = GENESIS, 0, 0
    while rows := records.fetchmany(_ROWS_AT_A_TIME):
        for row in rows:
            number, salt = row[0], os.urandom(SALT_BYTES)
            if number > last + 1:
                link = _add_gap(connection, chain_key, link, number - 1)
            commitment = compute_commitment(encode_record(*row), salt)
            link = chain_key.link(link, commitment, number, 1)
            connection.execute(_INSERT, (number, 1, salt, commitment, link))
            last = number
        records_there += len(rows)
    given_away = highest_number_given(connection)
    if given_away is not None and given_away > last:
        _add_gap(connection, chain_key, link, given_away)
    return records_there


def highest_number_given(connection: sqlite3.Connection) -> int | None:
    """The highest id that a record ever had; None where SQLite does not keep it, as an older program's table may have it."""
    counts = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'sqlite_sequence'"
    if connection.execute(counts).fetchone() is None:
        return None
    row = connection.execute(
        "SELECT seq FROM sqlite_sequence WHERE name = 'data_capture_audit'"
    ).fetchone()
    return int(row[0]) if row is not None and isinstance(row[0], int) else None


def _add_gap(
    connection: sqlite3.Connection, chain_key: ChainKey, previous: bytes, number: int
) -> bytes:
    link = chain_key.link(previous, VOID, number, 1)
    connection.execute(_INSERT, (number, 1, None, VOID, link))
    return link
