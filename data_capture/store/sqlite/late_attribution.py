"""Attribute captures that were kept without a user, once a capture says whose id they name.

The capture that makes the id known may be newer than the update, and then its state has the
update's content already. Only an update that is not older is laid over the row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from data_capture.audit import record_audits
from data_capture.capture.capture_target import TARGET
from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, Capture, parse_capture
from data_capture.capture.timestamps import parse_stored
from data_capture.json_codec import JsonObject, decode_json
from data_capture.problems import Problem
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.placement import make_audit_record
from data_capture.store.sqlite.target_resolution import Resolution, resolve
from data_capture.store.sqlite.targeted_captures import RecordCapture, attribute
from data_capture.store.sqlite.tombstones import reject_erased_capture
from data_capture.store.sqlite.unattributed import OMITTED, hash_of_any_role

_MAX_CAPTURES = 20  # by one capture

_HAS_ANY = "SELECT 1 FROM unattributed_captures WHERE attributed_at IS NULL LIMIT 1"

_FIND = f"""
SELECT id, capture_id, capture_type, target, payload, source_endpoint, ip_address, user_agent,
       received_at
FROM unattributed_captures
WHERE id_hash = ? AND attributed_at IS NULL AND payload IS NOT NULL
ORDER BY id LIMIT {_MAX_CAPTURES}
"""  # noqa: S608  (a constant)

_SET_ATTRIBUTED = """
UPDATE unattributed_captures
SET attributed_at = ?, user_email = ?, payload = NULL, ip_address = NULL, user_agent = NULL
WHERE id = ?
"""
_SET_ROW = "UPDATE unattributed_captures SET row_id = ? WHERE id = ?"


class _Waiting(NamedTuple):
    """A row of `unattributed_captures`."""

    id: int
    capture_id: str
    capture_type: str
    target: str
    payload: str
    source_endpoint: str
    ip_address: str | None
    user_agent: str | None
    received_at: str


def attribute_waiting(
    connection: StoreConnection, stored: Iterable[Capture], record: RecordCapture
) -> None:
    """Attribute the captures that name an id of captures that were just stored.

    Args:
        connection: in a write transaction.
        stored: the captures.
        record: stores the capture of a known user.
    """
    if connection.execute(_HAS_ANY).fetchone() is None:
        return
    for capture in stored:
        for page_id in capture.page_ids:
            hashed = hash_of_any_role(connection, capture, page_id)
            for row in connection.execute(_FIND, (hashed,)).fetchall():
                _attribute_one(connection, _Waiting(*row), capture, record)


def _attribute_one(
    connection: StoreConnection, waiting: _Waiting, known: Capture, record: RecordCapture
) -> None:
    payload: JsonObject = decode_json(waiting.payload)
    is_whole = payload.pop(OMITTED, None) is None
    payload.pop("_masked", None)  # what it lists is masked already
    capture = _parse(waiting, payload)
    target = capture.target
    if target is None:
        return
    resolution = Resolution(None)
    for ids in target.records or ((),):
        resolution = resolve(connection, capture, ids)
        if resolution.stored_email is not None:
            break
    if resolution.stored_email is None:
        return
    capture = attribute(capture, resolution)
    with suppress(Problem):  # its user was erased since; retention deletes it
        reject_erased_capture(connection, capture)
        # First, so that the capture does not attribute itself.
        values = (known.received_at, resolution.stored_email, waiting.id)
        connection.execute(_SET_ATTRIBUTED, values)
        if is_whole and capture.happened_at >= known.happened_at:
            row_id: int | None = record(connection, capture).row_id
        else:
            row_id = resolution.row_id
            _record_content(connection, capture, resolution.stored_email)
        connection.execute(_SET_ROW, (row_id, waiting.id))


def _parse(waiting: _Waiting, payload: JsonObject) -> Capture:
    caller = Caller(
        waiting.source_endpoint, waiting.ip_address, waiting.user_agent,
        parse_stored(waiting.received_at),
    )  # fmt: skip
    members = {
        **payload, "capture_id": waiting.capture_id.replace("/", "."), TARGET: waiting.target,
    }  # fmt: skip
    return parse_capture(KINDS[waiting.capture_type], members, caller, ())


def _record_content(connection: sqlite3.Connection, capture: Capture, stored_email: str) -> None:
    """Add the audit record of an update that a newer state made needless."""
    record = make_audit_record(capture, stored_email)
    details = "older than the state that made its user known, so it changed no column"
    record_audits(connection, [record._replace(status="partial", error_details=details)])
