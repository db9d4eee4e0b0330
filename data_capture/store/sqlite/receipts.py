"""Receipts: what became of each capture_id of a user, what was recorded of each row, and which rows are confirmed.

The digests in them are keyed, under a key that lies outside the database: who has the table alone can't find out by trying
what a payload was. Where that key is lost, receipts under the old one can't be compared any more, and are believed.
"""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Capture
from data_capture.key_files import keys_beside, load_or_make_key
from data_capture.problems import UNUSABLE, FieldError, Problem

STORED = "stored"
UNCHANGED = "unchanged"

_KEY_FILE_NAME = "receipts.key"
_DIGEST_BYTES, _CONTENT_BYTES, _KEY_ID_BYTES = 32, 16, 4
_OF_CONTENT = b"content"

_ROW_OF = " ".join(
    f"WHEN '{kind.name}' THEN EXISTS (SELECT 1 FROM {kind.table} AS row "  # noqa: S608
    "WHERE row.id = capture_receipts.row_id AND row.user_email = capture_receipts.user_email)"
    for kind in KINDS.values()
)

# The names come from the table of kinds.
HAS_ROW = f"CASE capture_type {_ROW_OF} ELSE 0 END"
"""Whether a receipt's row is there; where a hand in the database removed it, the receipt counts for nothing."""

FIND_RECEIPTS = f"""
WITH looked_for (person, wanted) AS (VALUES {{}})
SELECT user_email, capture_id, row_id, outcome, payload_digest, capture_type, key_id, confirmed
FROM looked_for CROSS JOIN capture_receipts ON capture_id = wanted AND user_email = person
WHERE {HAS_ROW}
"""  # noqa: S608

_FIND_RECEIPT = f"""
SELECT row_id, outcome, payload_digest, capture_type, key_id, confirmed
FROM capture_receipts
WHERE capture_id = ? AND user_email = ? AND {HAS_ROW}
"""  # noqa: S608

# One that is there without its row is replaced.
INSERT_RECEIPT = """
INSERT OR REPLACE INTO capture_receipts
    (user_email, capture_id, capture_type, row_id, outcome, payload_digest, content_digest, key_id, confirmed, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_FIND_CONTENT = """
SELECT 1
FROM capture_receipts
WHERE row_id = ? AND content_digest = ? AND capture_type = ? AND user_email = ?
LIMIT 1
"""

_FIND_CONFIRMED = """
SELECT 1 FROM capture_receipts WHERE confirmed = 1 AND user_email = ? AND capture_type = ? AND row_id = ? LIMIT 1
"""


class Receipt(NamedTuple):
    """What became of a capture.

    `outcome` is STORED, or UNCHANGED when it repeats a row that was there already. `replayed` says that this very
    capture had been taken before and added nothing now.
    """

    row_id: int
    outcome: str
    replayed: bool


class FoundReceipt(NamedTuple):
    """What a user's capture_id was answered with before."""

    row_id: int
    outcome: str
    payload_digest: bytes
    capture_type: str
    key_id: bytes | None
    confirmed: int


class ReceiptKey:
    """The key of the digests, ready to hash with: copying a hash costs a fifth of making one with a key."""

    def __init__(self, key: bytes) -> None:
        self.key_id = blake2b(key, digest_size=_KEY_ID_BYTES).digest()
        self._of_payload = blake2b(key=key, digest_size=_DIGEST_BYTES)
        self._of_content = blake2b(key=key, digest_size=_CONTENT_BYTES, person=_OF_CONTENT)

    def digest(self, digest: bytes) -> bytes:
        """The keyed digest of `Capture.digest`."""
        hashed = self._of_payload.copy()
        hashed.update(digest)
        return hashed.digest()

    def content(self, digest: bytes) -> bytes:
        """The keyed digest of `Capture.content_digest`."""
        hashed = self._of_content.copy()
        hashed.update(digest)
        return hashed.digest()

    def is_of(self, capture: Capture, found: FoundReceipt) -> bool:
        """Whether a receipt is of this capture, as far as that can be known."""
        if found.capture_type != capture.kind.name:
            return False
        return found.key_id != self.key_id or found.payload_digest == self.digest(capture.digest)

    def found(self, capture: Capture, receipt: Receipt) -> FoundReceipt:
        """A receipt as it is found again."""
        digest = self.digest(capture.digest)
        return FoundReceipt(
            receipt.row_id,
            receipt.outcome,
            digest,
            capture.kind.name,
            self.key_id,
            int(capture.is_confirmed),
        )

    def row(
        self, capture: Capture, user_email: str, row_id: int, outcome: str, content: bytes | None
    ) -> tuple[object, ...]:
        """A capture's receipt, for `INSERT_RECEIPT`; `content` only where it is new about the row."""
        return (
            user_email, capture.capture_id, capture.kind.name, row_id, outcome, self.digest(capture.digest), content,
            self.key_id, int(capture.is_confirmed), capture.received_at,
        )  # fmt: skip


def receipts_key_file(database: Path) -> Path:
    """Where the key is."""
    return keys_beside(database.resolve()) / _KEY_FILE_NAME


def find_receipt(
    connection: sqlite3.Connection, user_email: str, capture_id: str
) -> FoundReceipt | None:
    """The receipt of a user's capture_id; `user_email` as `users.email` spells it."""
    found = connection.execute(_FIND_RECEIPT, (capture_id, user_email)).fetchone()
    return None if found is None else FoundReceipt(*found)


def replayed(key: ReceiptKey, capture: Capture, found: FoundReceipt) -> Receipt:
    """What is answered to a capture whose capture_id has a receipt.

    Raises:
        Problem: 422, when that is another capture's.
    """
    if not key.is_of(capture, found):
        message = "was used before, for a different capture"
        raise Problem(
            UNUSABLE, f"The capture_id {message}.", errors=[FieldError("capture_id", message)]
        )
    return Receipt(found.row_id, found.outcome, replayed=True)


def has_content(
    connection: sqlite3.Connection, capture_type: str, row_id: int, user_email: str, content: bytes
) -> bool:
    """Whether this content of the row is recorded in the audit trail already."""
    return (
        connection.execute(_FIND_CONTENT, (row_id, content, capture_type, user_email)).fetchone()
        is not None
    )


def is_confirmed(
    connection: sqlite3.Connection, capture_type: str, row_id: int, user_email: str
) -> bool:
    """Whether a confirmed capture made the row or repeated it."""
    return (
        connection.execute(_FIND_CONFIRMED, (user_email, capture_type, row_id)).fetchone()
        is not None
    )


# One connection a process writes, so that the latest is nearly always the one that is asked for.
_latest: tuple[sqlite3.Connection, ReceiptKey] | None = None


def receipt_key_of(connection: sqlite3.Connection) -> ReceiptKey:
    """The key for the database that `connection` has open; made when it is missing.

    Raises:
        sqlite3.OperationalError: it can't be read.
    """
    global _latest
    latest = _latest
    if latest is not None and latest[0] is connection:
        return latest[1]
    (_, _, file) = connection.execute("PRAGMA database_list").fetchone()
    try:
        key = ReceiptKey(load_or_make_key(receipts_key_file(Path(file))))
    except (OSError, ValueError) as error:
        raise sqlite3.OperationalError(f"the key of the receipts can't be read: {error}") from error
    _latest = (connection, key)
    return key
