"""Connections to the database file, with the settings that the promises depend on."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from data_capture.audit.append import AuditedConnection

# How much log is written before it is brought into the database, as a part of what that holds. In a large file each
# capture changes other pages, and those that are changed again and again, each person's latest ones, are then written there
# once in a while, and not always. Everybody who writes waits for it meanwhile: over a small file that is to be short.
_LOG_PART = 16
_MIN_LOG_BYTES = 8 * 1024 * 1024
_MAX_LOG_BYTES = 64 * 1024 * 1024
_CACHE_KIBIBYTES = 16 * 1024  # holds those pages
# The log grows while a reader holds an old state; once it can start again, what is beyond this is given back. Without such
# a reader it is smaller, and giving back and taking again at every turn would cost more than the disk space.
_LARGEST_IDLE_LOG = 1.5  # times that


def create_private_file(path: Path) -> None:
    """Makes `path` where it is missing, readable by its owner only: it will hold personal data or a secret."""
    # O_NOFOLLOW: in a folder that others may write to, a link of theirs would have their file opened in its place.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))


def open_connection(
    database: Path, busy_seconds: float, *, read_only: bool = False
) -> sqlite3.Connection:
    """A connection in autocommit mode, with the settings that the promises rest on.

    WAL lets readers go on while a writer commits; synchronous=FULL syncs the log at each commit; secure_delete zeroes
    what is deleted; an unknown database file may not bring schema code that runs here (trusted_schema).

    Raises:
        sqlite3.Error: the file isn't there, can't be opened or isn't a database.
    """
    mode = "ro" if read_only else "rw"
    connection = sqlite3.connect(
        f"{database.as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=busy_seconds,
        factory=AuditedConnection,
    )
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
            fit_log(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def usual_log_bytes(database_bytes: int) -> int:
    """At which size the log of a database of this size is brought into it."""
    return min(max(database_bytes // _LOG_PART, _MIN_LOG_BYTES), _MAX_LOG_BYTES)


def fit_log(connection: sqlite3.Connection) -> None:
    """Has the log brought into the database at the size that is right for the database's size at this moment."""
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    log_bytes = usual_log_bytes(pages * page_bytes)
    connection.execute(f"PRAGMA wal_autocheckpoint = {log_bytes // page_bytes}")
    connection.execute(f"PRAGMA journal_size_limit = {round(log_bytes * _LARGEST_IDLE_LOG)}")
