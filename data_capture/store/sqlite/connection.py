"""Open connections to the database with the settings that the promises depend on."""

from __future__ import annotations

import os
import sqlite3
from functools import cached_property
from pathlib import Path

from data_capture.audit.append import AuditedConnection
from data_capture.store.sqlite.keys import (
    AddressHasher,
    ReceiptKey,
    load_address_hasher,
    load_receipt_key,
)

# The WAL is checkpointed at a sixteenth of the database's size. In a large database each capture
# changes different pages, and some pages again and again; a late checkpoint writes those once. All
# writers wait for a checkpoint, so that a small database is checkpointed early.
_WAL_PART = 16
_MIN_WAL_BYTES = 8 * 1024 * 1024
_MAX_WAL_BYTES = 64 * 1024 * 1024
_CACHE_KIBIBYTES = 16 * 1024  # holds the pages that change again and again
# While a reader holds an old snapshot, the WAL grows. Afterwards it is cut to this multiple of its
# usual size, not to the usual size: to cut and extend it each time costs more than the disk space.
_MAX_IDLE_WAL = 1.5


class StoreConnection(AuditedConnection):
    """Connect to the store's database, and keep its keys once they are needed.

    Attributes:
        database: the path of the file; `open_connection` sets it.
    """

    database: Path

    @cached_property
    def receipt_key(self) -> ReceiptKey:
        """Load the receipts' key.

        Raises:
            sqlite3.OperationalError: the key can't be read.
        """
        return load_receipt_key(self.database)

    @cached_property
    def address_hasher(self) -> AddressHasher:
        """Load the tombstones' key.

        Raises:
            sqlite3.OperationalError: the key can't be read.
        """
        return load_address_hasher(self.database)


def create_private_file(path: Path) -> None:
    """Create `path` if it is missing, readable by its owner only.

    The file will contain personal data or a secret.
    """
    # O_NOFOLLOW: in a folder that others may write to, their symbolic link would be followed.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))


def open_connection(
    database: Path, busy_seconds: float, *, read_only: bool = False
) -> StoreConnection:
    """Open a connection with the settings that the promises depend on.

    It is in autocommit mode.

    WAL lets readers continue while a writer commits. synchronous=FULL syncs the WAL at each commit.
    secure_delete overwrites deleted data with zeros. trusted_schema=OFF keeps the schema of an
    unknown database from running code here.

    Raises:
        sqlite3.Error: the file is missing, can't be opened or isn't a database.
    """
    mode = "ro" if read_only else "rw"
    connection = sqlite3.connect(
        f"{database.as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=busy_seconds,
        factory=StoreConnection,
    )
    connection.database = database
    try:
        # Before the journal mode: switching an existing file to WAL needs its lock.
        connection.execute(f"PRAGMA busy_timeout = {int(busy_seconds * 1000)}")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA foreign_keys = ON")
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
            set_checkpoint_size(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def checkpoint_size_bytes(database_bytes: int) -> int:
    """Return the WAL size at which a database of this size is checkpointed."""
    return min(max(database_bytes // _WAL_PART, _MIN_WAL_BYTES), _MAX_WAL_BYTES)


def set_checkpoint_size(connection: sqlite3.Connection) -> None:
    """Set the WAL size of automatic checkpoints to fit the database's current size."""
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    wal_bytes = checkpoint_size_bytes(pages * page_bytes)
    connection.execute(f"PRAGMA wal_autocheckpoint = {wal_bytes // page_bytes}")
    connection.execute(f"PRAGMA journal_size_limit = {round(wal_bytes * _MAX_IDLE_WAL)}")
