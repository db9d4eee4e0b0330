"""Add entries to the chain, and begin the chain of a database."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from data_capture.audit.format import (
    GAP_COMMITMENT,
    GENESIS_LINK,
    RECORD_COLUMNS,
    SALT_BYTES,
    ChainKey,
    compute_commitment,
    encode_record,
)
from data_capture.audit.head import HeadFileUpdater
from data_capture.key_files import keys_beside, load_key
from data_capture.sql.bulk import insert_rows

log = logging.getLogger("data_capture.audit")

_KEY_FILE_NAME = "audit.key"
_ROWS_PER_READ = 1000

_SELECT_LINK_BEFORE = """
SELECT link FROM data_capture_audit_chain WHERE audit_id < ? ORDER BY audit_id DESC LIMIT 1
"""

_SELECT_LINK = "SELECT link FROM data_capture_audit_chain WHERE audit_id = ?"

_INSERT_ENTRIES = """
INSERT INTO data_capture_audit_chain (audit_id, adopted, salt, commitment, link)
VALUES {}
"""
_INSERT = _INSERT_ENTRIES.format("(?, ?, ?, ?, ?)")

_REPLACE = """
UPDATE data_capture_audit_chain SET adopted = 0, salt = ?, commitment = ?, link = ?
WHERE audit_id = ?
"""

# The column names are constants of the format.
_SELECT_RECORDS = f"SELECT {', '.join(RECORD_COLUMNS)} FROM data_capture_audit ORDER BY id"  # noqa: S608


def audit_key_file(database: Path) -> Path:
    """Return the path of the audit key of `database`."""
    return keys_beside(database.resolve()) / _KEY_FILE_NAME


class AuditTrail:
    """Append to the chain of one database."""

    def __init__(self, database: Path) -> None:
        """Read the key.

        Raises:
            OSError, ValueError: as for `load_key`.
        """
        self.key = ChainKey(load_key(audit_key_file(database)))
        self._head_file = HeadFileUpdater(database, self.key)

    def append(
        self, connection: sqlite3.Connection, first_id: int, records: Sequence[bytes]
    ) -> None:
        """Add the entries of new records, in the transaction that adds the records.

        The link to follow is read in the same transaction, because other processes write too.

        Args:
            connection: in a write transaction.
            first_id: the id of the first record. The others follow without a gap.
            records: in canonical JSON.

        Raises:
            sqlite3.IntegrityError: an entry exists already, so the chain was tampered with. A
                single record gets its entry all the same.
        """
        row = connection.execute(_SELECT_LINK_BEFORE, (first_id,)).fetchone()
        # Only a tampered entry has a link of another type.
        link = row[0] if row is not None and isinstance(row[0], bytes) else GENESIS_LINK
        salts = os.urandom(SALT_BYTES * len(records))
        entries: list[tuple[int, int, bytes, bytes, bytes]] = []
        for place, record in enumerate(records):
            salt = salts[place * SALT_BYTES : (place + 1) * SALT_BYTES]
            commitment = compute_commitment(record, salt)
            link = self.key.compute_link(link, commitment, first_id + place, 0)
            entries.append((first_id + place, 0, salt, commitment, link))
        if len(entries) > 1:
            insert_rows(connection, _INSERT_ENTRIES, entries)
        else:
            try:
                connection.execute(_INSERT, entries[0])
            except sqlite3.IntegrityError:
                self._replace_forged_entry(connection, first_id, salt, commitment)
        self._head_file.schedule()

    def _replace_forged_entry(
        self, connection: sqlite3.Connection, audit_id: int, salt: bytes, commitment: bytes
    ) -> None:
        """Replace a forged entry in a way that verification still finds the forgery.

        Records are accepted even after tampering.
        """
        log.error(
            "The audit trail was tampered with at record %s. Details: "
            "python3 -m data_capture verify-audit",
            audit_id,
        )
        (forged_link,) = connection.execute(_SELECT_LINK, (audit_id,)).fetchone()
        # Not linked to the entry before: that would repair the chain without the removed records.
        link = self.key.compute_link(
            forged_link if isinstance(forged_link, bytes) else GENESIS_LINK, commitment, audit_id, 0
        )
        connection.execute(_REPLACE, (salt, commitment, link, audit_id))


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
    """Begin a chain under a new key, and return the number of records that it adopts.

    The chain proves only that adopted records have not changed since. Entries under a lost key
    prove nothing and are replaced.

    Args:
        connection: in a write transaction.
        key: the installation's key from now on.
    """
    chain_key = ChainKey(key)
    if connection.execute("DELETE FROM data_capture_audit_chain").rowcount > 0:
        log.warning(
            "The audit trail's key is gone: the existing records begin a new chain, under a new key"
        )
    records = connection.execute(_SELECT_RECORDS)
    link, adopted_records, last_id = GENESIS_LINK, 0, 0
    while rows := records.fetchmany(_ROWS_PER_READ):
        for row in rows:
            audit_id, salt = row[0], os.urandom(SALT_BYTES)
            if audit_id > last_id + 1:
                link = _insert_gap(connection, chain_key, link, audit_id - 1)
            commitment = compute_commitment(encode_record(*row), salt)
            link = chain_key.compute_link(link, commitment, audit_id, 1)
            connection.execute(_INSERT, (audit_id, 1, salt, commitment, link))
            last_id = audit_id
        adopted_records += len(rows)
    highest_id = read_highest_id(connection)
    if highest_id is not None and highest_id > last_id:
        _insert_gap(connection, chain_key, link, highest_id)
    return adopted_records


def read_highest_id(connection: sqlite3.Connection) -> int | None:
    """Return the highest id that an audit record ever had, by SQLite's counter.

    None if SQLite does not count the ids of this table: an older program may have created it
    without AUTOINCREMENT.
    """
    select = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'sqlite_sequence'"
    if connection.execute(select).fetchone() is None:
        return None
    row = connection.execute(
        "SELECT seq FROM sqlite_sequence WHERE name = 'data_capture_audit'"
    ).fetchone()
    return int(row[0]) if row is not None and isinstance(row[0], int) else None


def _insert_gap(
    connection: sqlite3.Connection, chain_key: ChainKey, previous: bytes, last_free_id: int
) -> bytes:
    """Insert a gap entry, which says that all ids up to `last_free_id` are free."""
    link = chain_key.compute_link(previous, GAP_COMMITMENT, last_free_id, 1)
    connection.execute(_INSERT, (last_free_id, 1, None, GAP_COMMITMENT, link))
    return link
