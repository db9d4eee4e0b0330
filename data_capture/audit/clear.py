"""Clear audit records for erasures and retention, and add their attestations.

Each record is verified before it is cleared: it must match its commitment, or the last attestation
that lists it. A record that fails is cleared too, but not attested, so that verify-audit keeps
naming it. Otherwise, someone could change a record with SQL and wait for the next erasure to make
the change valid.

The commitments themselves are not verified here. The links of the chain prove them, and clearing
changes neither.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from data_capture.audit.append import audit_trail_of
from data_capture.audit.attestations import (
    RetentionAttestations,
    is_attestation_snapshot,
    is_attestation_type,
    matches_commitment,
)
from data_capture.audit.format import ERASURE, RECORD_COLUMNS, RETENTION, ChainKey, encode_record
from data_capture.audit.records import record_audit
from data_capture.json_codec import encode_json
from data_capture.sql.bulk import tolerate_invalid_utf8

log = logging.getLogger("data_capture.audit")

CLEARABLE_COLUMNS = ("data_snapshot", "error_details", "ip_address", "user_agent")
"""The columns that retention may clear."""

# An attestation is read into memory as a whole. It has about 75 bytes per record.
_MAX_RECORDS_PER_ATTESTATION = 1000
_MAX_RECORDS_NAMED = 20

# The column names are constants of the format.
_SELECT = f"""
SELECT chain.salt, chain.commitment, {", ".join(f"audit.{name}" for name in RECORD_COLUMNS)}
FROM data_capture_audit AS audit
LEFT JOIN data_capture_audit_chain AS chain ON chain.audit_id = audit.id
WHERE audit.id = ?
"""  # noqa: S608
# A tampered index on user_email may name records of others. The + makes SQLite read the record.
_SELECT_OF_USER = f"{_SELECT} AND +audit.user_email = ?"

_SELECT_IDS_OF_USER = "SELECT id FROM data_capture_audit WHERE user_email = ? ORDER BY id"

_ERASE = """
UPDATE data_capture_audit
SET user_email = ?, data_snapshot = NULL, ip_address = NULL, user_agent = NULL, error_details = NULL
WHERE id = ?
"""
_ERASE_ALL_BUT_SNAPSHOT = _ERASE.replace("data_snapshot = NULL, ", "")

_DELETE_SALT = "UPDATE data_capture_audit_chain SET salt = NULL WHERE audit_id = ?"

_CAPTURE_TYPE = RECORD_COLUMNS.index("capture_type")
_SNAPSHOT = RECORD_COLUMNS.index("data_snapshot")

_Change = Callable[[list[Any]], "list[Any] | None"]
"""Takes a record in the order of `RECORD_COLUMNS`, and returns it cleared; None if unchanged."""


class _Cleared(NamedTuple):
    """A record to clear.

    Args:
        audit_id: its id.
        keeps_snapshot: it looks like an attestation. It keeps its snapshot and salt, and is not
            attested.
        matches_commitment: whether it is as written.
        hash_before: its remainder hash before, if it was cleared before; otherwise None.
        hash_after: its remainder hash after.
    """

    audit_id: int
    keeps_snapshot: bool
    matches_commitment: bool
    hash_before: bytes | None
    hash_after: bytes


def pseudonymise_audit(
    connection: sqlite3.Connection,
    user_email: str,
    pseudonym: str,
    *,
    timestamp: str,
    source_endpoint: str,
) -> int:
    """Move a user's audit records to a pseudonym, without their personal data.

    The address, the snapshot, the caller's address and user agent, the error details and the salt
    are removed. Kind, status, endpoint and time remain. An attestation, which belongs to the
    pseudonym, is added, so that the chain still verifies, and later changes are detected.

    Args:
        connection: in a write transaction.
        user_email: the address as spelled in `users.email`.
        pseudonym: an address in `users` that identifies nobody.
        timestamp: the server's time.
        source_endpoint: the route or command that asked for the erasure.

    Returns:
        The number of the user's records.

    Raises:
        sqlite3.Error: the records cannot be written, or the database's audit key is missing.
    """

    def erase(record: list[Any]) -> list[Any]:
        audit_id, _, kind, _, endpoint, time, _, _, status, _ = record
        return [audit_id, pseudonym, kind, None, endpoint, time, None, None, status, None]

    key, attestations = audit_trail_of(connection).key, RetentionAttestations()
    rows = connection.execute(_SELECT_IDS_OF_USER, (user_email,)).fetchall()
    audit_ids = [audit_id for (audit_id,) in rows]
    erased_records = 0
    # An erasure without records has an attestation too, as its own audit record.
    for start in range(0, max(1, len(audit_ids)), _MAX_RECORDS_PER_ATTESTATION):
        chunk = audit_ids[start : start + _MAX_RECORDS_PER_ATTESTATION]
        cleared = _read_records(connection, key, chunk, erase, user_email)
        attestable = _select_attestable(connection, key, cleared, attestations)
        for update, keeps_snapshot in ((_ERASE, False), (_ERASE_ALL_BUT_SNAPSHOT, True)):
            connection.executemany(
                update,
                [(pseudonym, one.audit_id) for one in cleared
                 if one.keeps_snapshot == keeps_snapshot],
            )  # fmt: skip
        _delete_salts(connection, cleared)
        if attestable or not start:
            record_audit(connection, user_email=pseudonym, capture_type=ERASURE,
                         timestamp=timestamp, source_endpoint=source_endpoint,
                         snapshot=_encode_attestation(attestable))  # fmt: skip
        erased_records += len(cleared)
    return erased_records


def clear_columns(
    connection: sqlite3.Connection,
    ids_by_column: Mapping[str, Sequence[int]],
    user_email: str,
    *,
    timestamp: str,
    source_endpoint: str,
    attestations: RetentionAttestations | None = None,
) -> int:
    """Clear columns of old audit records, and add their attestation.

    Args:
        connection: in a write transaction.
        ids_by_column: the ids of the records to clear, for each of `CLEARABLE_COLUMNS`.
        user_email: the spelling of `RETENTION_USER` in `users`, which the attestation belongs to.
        timestamp: the server's time.
        source_endpoint: the route or command that asked for it.
        attestations: those that the same run has read before, so that they are not read again.

    Returns:
        The number of records that were cleared.

    Raises:
        sqlite3.Error: the records cannot be written, or the database's audit key is missing.
    """
    places = _find_places_to_clear(ids_by_column)

    def clear(record: list[Any]) -> list[Any] | None:
        due = places[record[0]]
        if all(record[place] is None for place in due):
            return None  # another process has cleared it meanwhile
        for place in due:
            record[place] = None
        return record

    key, all_ids = audit_trail_of(connection).key, sorted(places)
    cleared_records = 0
    for start in range(0, len(all_ids), _MAX_RECORDS_PER_ATTESTATION):
        chunk = all_ids[start : start + _MAX_RECORDS_PER_ATTESTATION]
        cleared = _read_records(connection, key, chunk, clear)
        attestable = _select_attestable(
            connection, key, cleared, attestations or RetentionAttestations()
        )
        _update_columns(connection, ids_by_column, cleared)
        _delete_salts(connection, cleared)
        if attestable:
            record_audit(connection, user_email=user_email, capture_type=RETENTION,
                         timestamp=timestamp, source_endpoint=source_endpoint,
                         snapshot=_encode_attestation(attestable))  # fmt: skip
        cleared_records += len(cleared)
    return cleared_records


def _find_places_to_clear(ids_by_column: Mapping[str, Sequence[int]]) -> dict[int, list[int]]:
    """Return for each record the places in `RECORD_COLUMNS` to clear."""
    places: dict[int, list[int]] = {}
    for column, audit_ids in ids_by_column.items():
        if column not in CLEARABLE_COLUMNS:
            raise ValueError(f"{column} cannot be cleared")
        for audit_id in audit_ids:
            places.setdefault(audit_id, []).append(RECORD_COLUMNS.index(column))
    return places


def _update_columns(
    connection: sqlite3.Connection,
    ids_by_column: Mapping[str, Sequence[int]],
    cleared: Sequence[_Cleared],
) -> None:
    for column, audit_ids in ids_by_column.items():
        is_snapshot = column == "data_snapshot"
        clearable = {one.audit_id for one in cleared if not (is_snapshot and one.keeps_snapshot)}
        # The column is one of CLEARABLE_COLUMNS.
        update = f"UPDATE data_capture_audit SET {column} = NULL WHERE id = ?"  # noqa: S608
        connection.executemany(
            update, [(audit_id,) for audit_id in audit_ids if audit_id in clearable]
        )


def _read_records(
    connection: sqlite3.Connection,
    key: ChainKey,
    audit_ids: Sequence[int],
    change: _Change,
    user_email: str | None = None,
) -> list[_Cleared]:
    """Read records and hash them before and after the change.

    They are read one by one and not kept, because a snapshot may have a megabyte.
    """
    select, parameters = (_SELECT, ()) if user_email is None else (_SELECT_OF_USER, (user_email,))
    records = []
    with tolerate_invalid_utf8(connection):
        for audit_id in audit_ids:
            row = connection.execute(select, (audit_id, *parameters)).fetchone()
            if row is None:
                log.error(
                    "Audit record %s does not belong to the user that an index of "
                    "data_capture_audit names: the index is damaged",
                    audit_id,
                )
                continue
            cleared = _hash_before_and_after(key, audit_id, row, change)
            if cleared is not None:
                records.append(cleared)
    return records


def _hash_before_and_after(
    key: ChainKey, audit_id: int, row: Sequence[Any], change: _Change
) -> _Cleared | None:
    salt, commitment, *record = row
    # The change may alter the list, so all that concerns the record before it comes first.
    keeps_snapshot = is_attestation_type(record[_CAPTURE_TYPE]) and is_attestation_snapshot(
        record[_SNAPSHOT]
    )
    is_as_written = matches_commitment(salt, commitment, record)
    hash_before = key.hash_remainder(encode_record(*record)) if salt is None else None
    changed = change(record)
    if changed is None:
        return None
    hash_after = key.hash_remainder(encode_record(*changed))
    return _Cleared(audit_id, keeps_snapshot, is_as_written, hash_before, hash_after)


def _select_attestable(
    connection: sqlite3.Connection,
    key: ChainKey,
    cleared: Sequence[_Cleared],
    attestations: RetentionAttestations,
) -> list[_Cleared]:
    """Return the records that may be attested; log those that were tampered with."""
    cleared_before = (one.audit_id for one in cleared if one.hash_before is not None)
    attested = attestations.find_remainder_hashes(connection, key, cleared_before)
    attestable = [
        one
        for one in cleared
        if not one.keeps_snapshot
        and (
            one.matches_commitment
            if one.hash_before is None
            else one.hash_before == attested.get(one.audit_id)
        )
    ]
    if len(attestable) < len(cleared):
        good = {one.audit_id for one in attestable}
        _log_tampered([one.audit_id for one in cleared if one.audit_id not in good])
    return attestable


def _log_tampered(audit_ids: Sequence[int]) -> None:
    more = len(audit_ids) - _MAX_RECORDS_NAMED
    log.error(
        "The audit trail was tampered with: record %s%s had been changed before it was cleared, "
        "and counts as changed from now on. Details: python3 -m data_capture verify-audit",
        ", ".join(map(str, audit_ids[:_MAX_RECORDS_NAMED])),
        f" and {more} more" if more > 0 else "",
    )


def _encode_attestation(attestable: Sequence[_Cleared]) -> str:
    return encode_json({"left": {str(one.audit_id): one.hash_after.hex() for one in attestable}})


def _delete_salts(connection: sqlite3.Connection, cleared: Sequence[_Cleared]) -> None:
    """Delete the salts, so that nobody can test guesses of the removed data."""
    connection.executemany(
        _DELETE_SALT, [(one.audit_id,) for one in cleared if not one.keeps_snapshot]
    )
