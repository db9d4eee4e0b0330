"""The head: the newest entry of the chain, noted in a file beside the database.

A chain from which the newest entries were cut off is still a chain. What SQL can't reach says how long it was: a file, for
this machine's own checks, and whatever people keep elsewhere of what `verify-audit --head` prints.
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

from data_capture.audit.format import GENESIS, HASH_BYTES, ChainKey
from data_capture.key_files import open_new_file

log = logging.getLogger("data_capture.audit")

_NOTED_EVERY_SECONDS = 1.0
_BUSY_SECONDS = 5.0
_MAX_ID = 2**63 - 1
_HEAD = re.compile(rf"(0|[1-9][0-9]{{0,18}}):([0-9a-f]{{{2 * HASH_BYTES}}})")


@dataclass(frozen=True)
class Head:
    """The newest entry: its record's id, 0 where there is none, and its link."""

    audit_id: int
    link: bytes

    def __str__(self) -> str:
        return f"{self.audit_id}:{self.link.hex()}"


EMPTY_HEAD = Head(0, GENESIS)


def parse_head(text: str) -> Head:
    """What `str(head)` has written.

    Raises:
        ValueError: it is something else.
    """
    found = _HEAD.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            "a head as verify-audit --head prints it: a number, a colon, 64 hexadecimal digits"
        )
    return Head(int(found[1]), bytes.fromhex(found[2]))


def head_file(database: Path) -> Path:
    """Where the head of `database` is noted."""
    return database.with_name(database.name + "-audit-head")


def read_head_file(database: Path) -> Head:
    """What is noted; `EMPTY_HEAD` where nothing is.

    Raises:
        OSError: the file can't be read.
        ValueError: it holds something else.
    """
    try:
        text = head_file(database).read_text(encoding="ascii")
    except FileNotFoundError:
        return EMPTY_HEAD
    return parse_head(text)


def read_newest_head(connection: sqlite3.Connection, key: ChainKey) -> Head | None:
    """The newest entry that `connection` sees; None if it does not follow from the one before."""
    newest_first = "SELECT audit_id, adopted, commitment, link FROM data_capture_audit_chain ORDER BY audit_id DESC LIMIT 2"
    entries = connection.execute(newest_first).fetchall()
    if not entries:
        return EMPTY_HEAD
    number, adopted, commitment, link = entries[0]
    before = entries[1][3] if len(entries) > 1 else GENESIS
    return Head(number, link) if key.follows(before, number, adopted, commitment, link) else None


def is_in_chain(connection: sqlite3.Connection, head: Head) -> bool:
    """Whether the chain still has the entry that was its newest once."""
    if head == EMPTY_HEAD:
        return True
    if head.audit_id > _MAX_ID:
        return False
    found = connection.execute(
        "SELECT link FROM data_capture_audit_chain WHERE audit_id = ?", (head.audit_id,)
    ).fetchone()
    return found is not None and found[0] == head.link


def update_head_file(connection: sqlite3.Connection, database: Path, key: ChainKey) -> None:
    """Notes the newest committed entry, unless the chain has lost the one that is noted: that stays, as the proof of it.

    Args:
        connection: to read from, in no transaction.
        database: what it has open.
        key: of the chain.

    Raises:
        OSError, ValueError, sqlite3.Error: it can't be done.
    """
    noted = read_head_file(database)
    newest = read_newest_head(connection, key)
    if newest is None or not is_in_chain(connection, noted):
        log.error(
            "The audit trail was tampered with: python3 -m data_capture verify-audit tells more"
        )
        return
    if newest.audit_id <= noted.audit_id:
        return
    path = head_file(database)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = open_new_file(draft)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{newest}\n")
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def delete_head_file(database: Path) -> None:
    """For a file that was put in the database's place on purpose: what was noted is another one's head."""
    head_file(database).unlink(missing_ok=True)


class HeadFileUpdater:
    """Notes the head of one database soon after it has moved, beside the thread that writes."""

    def __init__(self, database: Path, key: ChainKey) -> None:
        self._database, self._key = database, key
        self._due = False
        self._failed = False

    def moved(self) -> None:
        """Something was added, in a transaction that is not committed yet."""
        if not self._due:
            self._due = True
            timer = threading.Timer(_NOTED_EVERY_SECONDS, self._note)
            timer.daemon = True
            timer.start()

    def _note(self) -> None:
        self._due = False
        uri = f"{self._database.as_uri()}?mode=ro"  # it sees what is committed, which the connection that writes need not be
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as connection:
                update_head_file(connection, self._database, self._key)
        except (OSError, ValueError, sqlite3.Error) as error:
            if not self._failed:
                log.warning(
                    "The audit trail's head can't be noted beside %s: %s", self._database, error
                )
            self._failed = True
        else:
            self._failed = False
