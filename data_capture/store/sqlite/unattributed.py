"""Keep updates whose user is not known, until a capture says whose they are: see `schema.sql`.

Such a capture changes no other table. Its audit record has no data of it, because nobody could find
the record to erase it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from data_capture.audit import AuditRecord, record_audits
from data_capture.capture.page_ids import USER, PageId
from data_capture.capture.parse import Capture
from data_capture.json_codec import decode_json, encode_json
from data_capture.problems import UNUSABLE, FieldError, Problem
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.page_ids import hash_of
from data_capture.store.sqlite.receipts import UNATTRIBUTED, Receipt
from data_capture.store.sqlite.users import ensure_user

UNATTRIBUTED_USER = "unattributed@data-capture.invalid"
"""The user of the audit records of captures whose user is not known."""

MAX_ROWS = 5_000
MAX_PAYLOAD_CHARACTERS = 64 * 1024
"""Of a longer payload, only the members that are no objects and no lists are kept."""

OMITTED = "_omitted"
"""The member of a kept payload that lists the members that are not kept."""

_INSERT = """
INSERT INTO unattributed_captures
    (capture_id, capture_type, target, payload, reason, user_email, id_hash, payload_digest, key_id,
     happened_at, received_at, source_endpoint, ip_address, user_agent)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# AUTOINCREMENT: ids grow by 1.
_DELETE_OLDEST = "DELETE FROM unattributed_captures WHERE id <= ?"

_FIND = """
SELECT id, capture_type, payload_digest, key_id FROM unattributed_captures WHERE capture_id = ?
"""


def find_unattributed(connection: StoreConnection, capture: Capture) -> Receipt | None:
    """Return the receipt of a capture that was stored before without a user, or None.

    Raises:
        Problem: 422, the capture_id belongs to a different capture.
    """
    found = connection.execute(_FIND, (capture.capture_id,)).fetchone()
    if found is None:
        return None
    row_id, capture_type, digest, key_id = found
    key = connection.receipt_key
    is_same = key_id != key.key_id or digest == key.payload_digest(capture.digest)
    if capture_type != capture.kind.name or not is_same:
        message = "was used before, for a different capture"
        raise Problem(
            UNUSABLE, f"The capture_id {message}.", errors=[FieldError("capture_id", message)]
        )
    return Receipt(row_id, UNATTRIBUTED, replayed=True)


def store_unattributed(
    connection: StoreConnection, capture: Capture, record: Sequence[PageId], reason: str
) -> Receipt:
    """Store a capture whose user is not known, with an audit record.

    Args:
        connection: in a write transaction.
        capture: has a target.
        record: the ids of the record that it names; may be empty.
        reason: why the user is not known.

    Raises:
        Problem: what `Capture.admission` raises: it counts as a user who is not known yet.
    """
    assert capture.target is not None
    if capture.admission is not None:
        capture.admission.check()
    target, key = capture.target, connection.receipt_key
    own_ids = (one for one in capture.page_ids if one.role == USER)
    wanted = next(iter((*record, *target.users, *own_ids)), None)
    email = capture.user_email or next(iter(target.emails), None)
    values = (
        capture.capture_id, capture.kind.name, target.text, _shorten(capture.snapshot), reason,
        email, None if wanted is None else hash_of_any_role(connection, capture, wanted),
        key.payload_digest(capture.digest), key.key_id, capture.happened_at, capture.received_at,
        capture.source_endpoint, capture.ip_address, capture.user_agent,
    )  # fmt: skip
    row_id = connection.execute(_INSERT, values).lastrowid
    assert row_id is not None
    connection.execute(_DELETE_OLDEST, (row_id - MAX_ROWS,))
    record_audits(connection, [_make_record(connection, capture, row_id, reason)])
    return Receipt(row_id, UNATTRIBUTED, replayed=False)


def hash_of_any_role(connection: StoreConnection, capture: Capture, page_id: PageId) -> bytes:
    """Return the hash of an id that is the same for a record's id and a payment's number."""
    role = USER if page_id.role == USER else "any"
    return hash_of(connection.receipt_key, capture.kind, page_id._replace(role=role))


def delete_unattributed_of(connection: sqlite3.Connection, email: str) -> int:
    """Delete the captures that name an address anywhere; return their number."""
    delete = """
        DELETE FROM unattributed_captures
        WHERE instr(lower(coalesce(payload, '') || ' ' || target), ?)
    """
    return connection.execute(delete, (email.lower(),)).rowcount


def _make_record(
    connection: StoreConnection, capture: Capture, row_id: int, reason: str
) -> AuditRecord:
    return AuditRecord(
        ensure_user(connection, UNATTRIBUTED_USER, None, capture.received_at),
        UNATTRIBUTED,
        encode_json({
            "capture_type": capture.kind.name,
            "unattributed_id": row_id,
            "capture_id": capture.capture_id,
        }),
        capture.source_endpoint,
        capture.received_at,
        None,
        None,
        "partial",
        reason,
    )  # fmt: skip


def _shorten(snapshot: str) -> str:
    if len(snapshot) <= MAX_PAYLOAD_CHARACTERS:
        return snapshot
    payload: dict[str, Any] = decode_json(snapshot)
    kept = {
        name: member for name, member in payload.items() if not isinstance(member, (dict, list))
    }
    names = [name for name in payload if name not in kept]
    shortened = encode_json({**kept, OMITTED: names})
    return shortened if len(shortened) <= MAX_PAYLOAD_CHARACTERS else encode_json({OMITTED: True})
