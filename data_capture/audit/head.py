"""The head: the newest entry of the chain, written to a file next to the database.

A chain without its newest entries is still a valid chain. So its length must be known from a place
that SQL cannot reach: the head file, for checks on this machine, and the heads that people keep
elsewhere (`verify-audit --head` prints them).
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from data_capture.audit.format import GENESIS_LINK, HASH_BYTES, ChainKey
from data_capture.key_files import open_new_file

log = logging.getLogger("data_capture.audit")

_UPDATE_DELAY_SECONDS = 1.0
_BUSY_SECONDS = 5.0
_MAX_ID = 2**63 - 1
_HEAD = re.compile(rf"(0|[1-9][0-9]{{0,18}}):([0-9a-f]{{{2 * HASH_BYTES}}})")

_SELECT_NEWEST_TWO = """
SELECT audit_id, adopted, commitment, link FROM data_capture_audit_chain
ORDER BY audit_id DESC LIMIT 2
"""


@dataclass(frozen=True)
class Head:
    """The newest entry: the id of its record (0 if the chain is empty) and its link."""

    audit_id: int
    link: bytes

    def __str__(self) -> str:
        return f"{self.audit_id}:{self.link.hex()}"


EMPTY_HEAD = Head(0, GENESIS_LINK)


def parse_head(text: str) -> Head:
    """Parse the text of `str(head)`.

    Raises:
        ValueError: the text is not a head. Its message names the expected format.
    """
    match = _HEAD.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            "a head as verify-audit --head prints it: a number, a colon, 64 hexadecimal digits"
        )
    return Head(int(match[1]), bytes.fromhex(match[2]))


def head_file(database: Path) -> Path:
    """Return the path of the head file of `database`."""
    return database.with_name(database.name + "-audit-head")


def read_head_file(database: Path) -> Head:
    """Return the head in the head file; `EMPTY_HEAD` if there is no file.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file does not contain a head.
    """
    try:
        text = head_file(database).read_text(encoding="ascii")
    except FileNotFoundError:
        return EMPTY_HEAD
    return parse_head(text)


def read_newest_head(connection: sqlite3.Connection, key: ChainKey) -> Head | None:
    """Return the head of the chain; None if its entry is not linked to the one before."""
    entries = connection.execute(_SELECT_NEWEST_TWO).fetchall()
    if not entries:
        return EMPTY_HEAD
    audit_id, adopted, commitment, link = entries[0]
    previous = entries[1][3] if len(entries) > 1 else GENESIS_LINK
    is_linked = key.is_linked(previous, audit_id, adopted, commitment, link)
    return Head(audit_id, link) if is_linked else None


def is_in_chain(connection: sqlite3.Connection, head: Head) -> bool:
    """Return whether the chain still has the entry of an earlier head."""
    if head == EMPTY_HEAD:
        return True
    if head.audit_id > _MAX_ID:
        return False
    row = connection.execute(
        "SELECT link FROM data_capture_audit_chain WHERE audit_id = ?", (head.audit_id,)
    ).fetchone()
    return row is not None and row[0] == head.link


def update_head_file(connection: sqlite3.Connection, database: Path, key: ChainKey) -> None:
    """Write the newest committed entry to the head file.

    If the chain has lost the entry in the file, the file stays as evidence.

    Args:
        connection: a connection to read from, not in a transaction.
        database: the file that the connection has open.
        key: the key of the chain.

    Raises:
        OSError, ValueError, sqlite3.Error: the head cannot be read or written.
    """
    newest = _find_unrecorded_head(connection, database, key)
    if newest is not None:
        _write_head_file(database, newest)


def _find_unrecorded_head(
    connection: sqlite3.Connection, database: Path, key: ChainKey
) -> Head | None:
    """Return the head if it is newer than the one in the head file."""
    recorded = read_head_file(database)
    newest = read_newest_head(connection, key)
    if newest is None or not is_in_chain(connection, recorded):
        log.error(
            "The audit trail was tampered with. Details: python3 -m data_capture verify-audit"
        )
        return None
    return newest if newest.audit_id > recorded.audit_id else None


def _write_head_file(database: Path, head: Head) -> None:
    path = head_file(database)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = open_new_file(draft)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{head}\n")
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def delete_head_file(database: Path) -> None:
    """Delete the head file after the database was replaced on purpose.

    The file contains the head of the replaced database.
    """
    head_file(database).unlink(missing_ok=True)


class HeadFileUpdater:
    """Update the head file of one database soon after each change, in another thread."""

    def __init__(self, database: Path, key: ChainKey) -> None:
        self._database, self._key = database, key
        self._is_scheduled = False
        self._has_failed = False

    def schedule(self) -> None:
        """Update the file in a second, when the caller's transaction is committed."""
        if not self._is_scheduled:
            self._is_scheduled = True
            timer = threading.Timer(_UPDATE_DELAY_SECONDS, self._update)
            timer.daemon = True
            timer.start()

    def _update(self) -> None:
        self._is_scheduled = False
        # A connection of its own sees only committed entries.
        uri = f"{self._database.as_uri()}?mode=ro"
        try:
            opened = self._database.stat()
            with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as connection:
                newest = _find_unrecorded_head(connection, self._database, self._key)
                # A connection that waited for a restore's lock has read the replaced file.
                if newest is not None and os.path.samestat(opened, self._database.stat()):
                    _write_head_file(self._database, newest)
        except (OSError, ValueError, sqlite3.Error) as error:
            if not self._has_failed:
                log.warning(
                    "The head of the audit trail cannot be written next to %s: %s",
                    self._database,
                    error,
                )
            self._has_failed = True
        else:
            self._has_failed = False
