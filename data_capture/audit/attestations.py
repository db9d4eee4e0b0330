"""Read attestations: the audit records that prove what remains of cleared records.

An erasure or retention clears audit records. Its own audit record is the attestation. It lists the
cleared records by id, each with the hash of its remainder (format.py).

An attestation is valid only while it is as written: linked, with its own salt, which is never
removed, and with the commitment to its content. It attests only older records. A tampered
attestation attests nothing.
"""

from __future__ import annotations

import json
import re
import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from data_capture.audit.format import (
    ERASURE,
    GENESIS_LINK,
    RECORD_COLUMNS,
    RETENTION,
    SALT_BYTES,
    ChainKey,
    compute_commitment,
    encode_record,
)
from data_capture.sql.bulk import tolerate_invalid_utf8

RETENTION_USER = "retention@data-capture.invalid"
"""The address in `users` that the audit records of retention belong to. It is no real user."""

_SNAPSHOT = RECORD_COLUMNS.index("data_snapshot")
_CAPTURE_TYPE = RECORD_COLUMNS.index("capture_type")

# The first and the last id of a snapshot are within these lengths: an id has at most 19 digits,
# a hash has 64.
_START_CHARACTERS, _END_CHARACTERS = 40, 100
_START = re.compile(r'\{"left":\{"([0-9]{1,19})":"')
_END = re.compile(r'"([0-9]{1,19})":"[0-9a-f]{64}"\}\}\Z')
_WHOLE_SNAPSHOT = re.compile(r'\{"left":\{(?:"[0-9]{1,19}":"[0-9a-f]{64}"(?:,(?!\})|(?=\})))*\}\}')

_SELECT_ATTESTATIONS = f"""
SELECT chain.audit_id, adopted, salt, commitment, link,
       (SELECT previous.link FROM data_capture_audit_chain AS previous
        WHERE previous.audit_id = chain.audit_id - 1),
       {", ".join(f"audit.{name}" for name in RECORD_COLUMNS)}
FROM data_capture_audit AS audit {{}}
JOIN data_capture_audit_chain AS chain ON chain.audit_id = audit.id
WHERE {{}}
ORDER BY chain.audit_id
"""  # noqa: S608

# NOT INDEXED: a tampered index can hide rows.
_SELECT_ALL = _SELECT_ATTESTATIONS.format(
    "NOT INDEXED", f"audit.capture_type IN ('{ERASURE}', '{RETENTION}')"
)
_SELECT_ONE = _SELECT_ATTESTATIONS.format("", "audit.id = ?")

_SELECT_RANGES = f"""
SELECT id, substr(data_snapshot, 1, {_START_CHARACTERS}), substr(data_snapshot, -{_END_CHARACTERS})
FROM data_capture_audit WHERE capture_type = '{RETENTION}' AND {{}} ORDER BY id
"""  # noqa: S608
# By the index on user_email, since retention has few records. Another program's trigger may have
# changed the spelling of the address when the user was added.
_SELECT_ALL_RANGES = _SELECT_RANGES.format(
    "user_email IN (SELECT ?1 UNION SELECT email FROM users WHERE lower(email) = ?1)"
)
_SELECT_NEW_RANGES = _SELECT_RANGES.format("id > ?")


class AttestedRecord(NamedTuple):
    """An attestation's statement about one record.

    Args:
        remainder_hash: the hash of what remains of the record.
        by_retention: True if retention cleared it, False if an erasure did.
    """

    remainder_hash: bytes
    by_retention: bool


@dataclass
class Attestations:
    """All attestations of a database. If several list a record, the last one counts.

    Args:
        valid: the statement about each attested record, by the record's id.
        by_tampered: the id of the tampered attestation that lists a record, by the record's id.
    """

    valid: dict[int, AttestedRecord] = field(default_factory=dict)
    by_tampered: dict[int, int] = field(default_factory=dict)


def read_attestations(connection: sqlite3.Connection, key: ChainKey) -> Attestations:
    """Read all attestations that are linked in the chain."""
    attestations = Attestations()
    for row in connection.execute(_SELECT_ALL):
        if not _is_linked(row, key):
            continue  # either the verification names it, or it is adopted and attests nothing
        if matches_commitment(row[2], row[3], row[6:]):
            attestations.valid.update(_parse_statements(row))
        else:
            attestations.by_tampered.update(
                (audit_id, row[0]) for audit_id, _ in _parse_statements(row)
            )
    return attestations


def matches_commitment(salt: Any, commitment: Any, record: Sequence[Any]) -> bool:
    """Return whether the commitment is the one of this record with this salt."""
    if salt.__class__ is not bytes or len(salt) != SALT_BYTES:
        return False
    return bool(compute_commitment(encode_record(*record), salt) == commitment)


def is_attestation_type(capture_type: Any) -> bool:
    """Return whether records with this `capture_type` are attestations."""
    return capture_type in (ERASURE, RETENTION)


def is_attestation_snapshot(snapshot: Any) -> bool:
    """Return whether a snapshot has ids and hashes only, and no personal data."""
    return isinstance(snapshot, str) and _WHOLE_SNAPSHOT.fullmatch(snapshot) is not None


class RetentionAttestations:
    """Find the attestations of given records among those of retention.

    The range of ids in each attestation is kept, so that not all attestations are read each time.
    The range only says where to look: each attestation is
    verified before it counts.
    """

    def __init__(self) -> None:
        # The first and the last id that an attestation lists, and its own id.
        self._ranges: list[tuple[int, int, int]] = []
        self._read_up_to: int | None = None

    def find_remainder_hashes(
        self, connection: sqlite3.Connection, key: ChainKey, audit_ids: Iterable[int]
    ) -> dict[int, bytes]:
        """Return the remainder hashes of those of these records that are attested.

        Raises:
            sqlite3.Error: the file cannot be read.
        """
        wanted = sorted(audit_ids)
        if not wanted:
            return {}
        with tolerate_invalid_utf8(connection):
            self._read_new_ranges(connection)
            hashes: dict[int, bytes] = {}
            for first_id, last_id, attestation_id in self._ranges:
                place = bisect_left(wanted, first_id)
                if place < len(wanted) and wanted[place] <= last_id:
                    row = connection.execute(_SELECT_ONE, (attestation_id,)).fetchone()
                    if row is not None and _is_valid(row, key):
                        hashes.update(
                            (audit_id, attested.remainder_hash)
                            for audit_id, attested in _parse_statements(row)
                        )
        return {audit_id: hashes[audit_id] for audit_id in wanted if audit_id in hashes}

    def _read_new_ranges(self, connection: sqlite3.Connection) -> None:
        (newest_id,) = connection.execute(
            "SELECT coalesce(max(id), 0) FROM data_capture_audit"
        ).fetchone()
        if self._read_up_to is None:
            rows = connection.execute(_SELECT_ALL_RANGES, (RETENTION_USER,))
        else:
            rows = connection.execute(_SELECT_NEW_RANGES, (self._read_up_to,))
        for attestation_id, start, end in rows.fetchall():
            first, last = _START.match(str(start)), _END.search(str(end))
            if first and last:
                self._ranges.append((int(first[1]), int(last[1]), attestation_id))
        self._read_up_to = newest_id


def _is_valid(row: Sequence[Any], key: ChainKey) -> bool:
    return _is_linked(row, key) and matches_commitment(row[2], row[3], row[6:])


def _is_linked(row: Sequence[Any], key: ChainKey) -> bool:
    audit_id, adopted, _, commitment, link, previous = row[:6]
    return (
        adopted.__class__ is int
        and adopted == 0
        and key.is_linked(
            GENESIS_LINK if previous is None else previous, audit_id, adopted, commitment, link
        )
    )


def _parse_statements(row: Sequence[Any]) -> Iterator[tuple[int, AttestedRecord]]:
    """Parse an attestation's statements about records that are older than itself."""
    attestation_id, record = row[0], row[6:]
    if not is_attestation_type(record[_CAPTURE_TYPE]):
        return
    by_retention = record[_CAPTURE_TYPE] == RETENTION
    try:
        statements = [
            (int(audit_id), AttestedRecord(bytes.fromhex(remainder_hash), by_retention))
            for audit_id, remainder_hash in json.loads(record[_SNAPSHOT])["left"].items()
        ]
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return  # the summary of a retention run is of the same type, and attests nothing
    yield from (statement for statement in statements if statement[0] < attestation_id)
