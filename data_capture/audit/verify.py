"""Check every audit record against the chain, and find the first tampering.

A record may have been changed, removed, inserted or moved. All records and entries are read once,
in the order of their ids, in one transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from data_capture.audit.append import read_highest_id
from data_capture.audit.attestations import read_attestations
from data_capture.audit.format import (
    GAP_COMMITMENT,
    RECORD_COLUMNS,
    SALT_BYTES,
    ChainKey,
    compute_commitment,
    encode_record,
)
from data_capture.audit.head import EMPTY_HEAD, Head, is_in_chain
from data_capture.audit.tampering import Tampering

_ROWS_PER_READ = 2000
_MAX_IDS_TRIED = 10_000

# The column names are constants of the format. `audit.id` is NULL if an entry has no record.
_SELECT_ALL = f"""
SELECT chain.audit_id, adopted, salt, commitment, link, audit.id,
       {", ".join(f"audit.{name}" for name in RECORD_COLUMNS[1:])}
FROM data_capture_audit_chain AS chain
LEFT JOIN data_capture_audit AS audit ON audit.id = chain.audit_id
ORDER BY chain.audit_id
"""  # noqa: S608

# NOT INDEXED: a tampered index can hide rows.
_COUNT_RECORDS = "SELECT count(*) FROM data_capture_audit NOT INDEXED"
_COUNT_ENTRIES = "SELECT count(*) FROM data_capture_audit_chain"

# Ids that are not integers come first, whatever their order in SQLite.
_SELECT_WITHOUT_ENTRY = """
SELECT id FROM data_capture_audit NOT INDEXED
WHERE typeof(id) <> 'integer'
   OR NOT EXISTS (SELECT 1 FROM data_capture_audit_chain AS chain
                  WHERE chain.audit_id = data_capture_audit.id)
ORDER BY typeof(id) = 'integer', id LIMIT 1
"""

_SELECT_NEXT_ENTRY = """
SELECT audit_id, adopted, commitment, link FROM data_capture_audit_chain
WHERE audit_id > ? ORDER BY audit_id LIMIT 1
"""

_SELECT_TABLE_SQL = """
SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'data_capture_audit'
"""

_WRONG_TYPES = "has an entry in the chain with values of the wrong type"


@dataclass(frozen=True)
class Verification:
    """The result of a verification.

    Args:
        records: the number of verified records.
        adopted: the number of these that existed before the chain began.
        erased: the number of these that an erasure cleared.
        expired: the number of the others from which retention removed data.
        head: the newest entry.
        tampering: the first tampering, in the order of the records; None if there is none.
    """

    records: int
    adopted: int
    erased: int
    expired: int
    head: Head
    tampering: Tampering | None


def verify(
    connection: sqlite3.Connection,
    key: bytes,
    recorded_head: Head,
    on_progress: Callable[[int, int], None],
) -> Verification:
    """Verify the records that `connection` sees.

    Args:
        connection: in a read transaction, on a database with our tables.
        key: the installation's key.
        recorded_head: an earlier head from a place that SQL cannot reach; `EMPTY_HEAD` if none
            is known.
        on_progress: is called with the number of verified entries and of all entries.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    connection.text_factory = str
    try:
        return _verify(connection, ChainKey(key), recorded_head, on_progress)
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
    # Only tampering stores text that is not UTF-8. Its bytes are then compared. This is not the
    # default, because it makes the verification a quarter slower.
    connection.text_factory = lambda text: text.decode(errors="surrogateescape")
    return _verify(connection, ChainKey(key), recorded_head, on_progress)


def _verify(
    connection: sqlite3.Connection,
    key: ChainKey,
    recorded_head: Head,
    on_progress: Callable[[int, int], None],
) -> Verification:
    chain = _ChainVerifier(connection, key, recorded_head)
    tampering = chain.run(on_progress)
    # In a valid chain, each entry has at most one record. If the counts agree, each record has an
    # entry.
    if tampering is not None or connection.execute(_COUNT_RECORDS).fetchone() != (chain.records,):
        stray = _find_record_without_entry(connection)
        if stray is not None and (tampering is None or stray.sort_key <= tampering.sort_key):
            tampering = stray
    return Verification(
        chain.records,
        chain.adopted,
        chain.erased,
        chain.expired,
        Head(chain.audit_id, chain.link),
        tampering or chain.find_truncation(),
    )


class _ChainVerifier:
    """Verify the entries in their order, up to the last or to the first tampering."""

    def __init__(self, connection: sqlite3.Connection, key: ChainKey, recorded_head: Head) -> None:
        self._connection, self._key, self._recorded_head = connection, key, recorded_head
        self._attestations = read_attestations(connection, key)
        self.records = self.adopted = self.erased = self.expired = 0
        self.audit_id, self.link = EMPTY_HEAD.audit_id, EMPTY_HEAD.link

    def run(self, on_progress: Callable[[int, int], None]) -> Tampering | None:
        (total,) = self._connection.execute(_COUNT_ENTRIES).fetchone()
        done = 0
        cursor = self._connection.execute(_SELECT_ALL)
        while rows := cursor.fetchmany(_ROWS_PER_READ):
            tampering = self._verify_rows(rows)
            if tampering is not None:
                return tampering
            done += len(rows)
            on_progress(done, total)
        return None

    def find_truncation(self) -> Tampering | None:
        """Return a tampering if the chain once had newer entries than it has now."""
        highest_id = read_highest_id(self._connection)
        newest_id = max(highest_id or 0, self._recorded_head.audit_id)
        if newest_id > self.audit_id:
            return replace(
                _describe_removal(self.audit_id + 1, newest_id), by_external_evidence=True
            )
        if not is_in_chain(self._connection, self._recorded_head):
            return Tampering(
                self._recorded_head.audit_id,
                "was replaced: the head file has another link for it",
                by_external_evidence=True,
            )
        if _has_id_counter(self._connection) and (highest_id or 0) < self.audit_id:
            return Tampering(
                self.audit_id + 1,
                "may have been removed: the counter in sqlite_sequence was set back",
                by_external_evidence=True,
            )
        return None

    def _verify_rows(self, rows: list[tuple[Any, ...]]) -> Tampering | None:
        compute_link = self._key.compute_link
        for audit_id, adopted, salt, commitment, link, record_id, *values in rows:
            if audit_id.__class__ is not int or adopted.__class__ is not int:
                return Tampering(audit_id, _WRONG_TYPES)
            try:
                if compute_link(self.link, commitment, audit_id, adopted) != link:
                    return self._explain_break(audit_id, adopted, commitment, link)
            except (KeyError, TypeError):
                return Tampering(audit_id, _WRONG_TYPES)
            tampering = self._verify_record(audit_id, adopted, salt, commitment, record_id, values)
            if tampering is not None:
                return tampering
            self.audit_id, self.link = audit_id, link
            if record_id is not None:
                self.records += 1
                self.adopted += adopted
        return None

    def _verify_record(
        self,
        audit_id: int,
        adopted: int,
        salt: Any,
        commitment: bytes,
        record_id: Any,
        values: list[Any],
    ) -> Tampering | None:
        """Verify the record of an entry that is linked to the entry before."""
        if record_id.__class__ is not int and record_id is not None:
            return Tampering(audit_id, "has an id of the wrong type")
        if commitment == GAP_COMMITMENT and adopted:
            if record_id is not None or salt is not None:
                return Tampering(audit_id, "was inserted: it did not exist when the chain began")
            return None
        if audit_id != self.audit_id + 1 and audit_id > 0:
            return _describe_removal(self.audit_id + 1, audit_id - 1)
        if record_id is None:
            return Tampering(audit_id, "was removed")
        if salt is None or audit_id in self._attestations.valid:
            return self._verify_cleared(audit_id, salt, encode_record(audit_id, *values))
        if salt.__class__ is not bytes or len(salt) != SALT_BYTES:
            return Tampering(audit_id, "has an invalid salt in the chain")
        if compute_commitment(encode_record(audit_id, *values), salt) != commitment:
            return Tampering(audit_id, "was changed, or its salt in the chain was")
        return None

    def _verify_cleared(self, audit_id: int, salt: Any, record: bytes) -> Tampering | None:
        """Verify a record from which an erasure or retention removed data."""
        attested = self._attestations.valid.get(audit_id)
        if attested is None:
            tampered_id = self._attestations.by_tampered.get(audit_id)
            if tampered_id is None:
                return Tampering(
                    audit_id, "has no salt in the chain, and no erasure or retention attests it"
                )
            return Tampering(
                tampered_id,
                f"was changed, so that it no longer attests record {audit_id}, which has no salt "
                "in the chain",
            )
        if salt is not None:
            return Tampering(audit_id, "was restored after its erasure")
        if attested.remainder_hash != self._key.hash_remainder(record):
            return Tampering(audit_id, "was changed after its erasure")
        self.expired += attested.by_retention
        self.erased += not attested.by_retention
        return None

    def _explain_break(self, audit_id: int, adopted: Any, commitment: Any, link: Any) -> Tampering:
        """Find out why an entry is not linked to the last valid one."""
        missing = range(self.audit_id + 1, audit_id)
        for tried_id in missing[:_MAX_IDS_TRIED]:
            if self._key.is_linked(self.link, tried_id, adopted, commitment, link):
                return Tampering(tried_id, f"was renumbered: it is {audit_id} now")
        if missing and (
            self._recorded_head.audit_id in missing or self._is_genuine(audit_id, link)
        ):
            return _describe_removal(missing[0], missing[-1])
        return Tampering(
            audit_id,
            "was inserted or changed, with its entry in the chain, which is not linked to the "
            "entry before",
        )

    def _is_genuine(self, audit_id: int, link: Any) -> bool:
        """Return whether the recorded head or the next entry proves this entry."""
        if (audit_id, link) == (self._recorded_head.audit_id, self._recorded_head.link):
            return True
        next_entry = self._connection.execute(_SELECT_NEXT_ENTRY, (audit_id,)).fetchone()
        return next_entry is not None and self._key.is_linked(link, *next_entry)


def _describe_removal(first_id: int, last_id: int) -> Tampering:
    if first_id == last_id:
        return Tampering(first_id, "was removed")
    return Tampering(first_id, f"was removed, with all records up to {last_id}")


def _find_record_without_entry(connection: sqlite3.Connection) -> Tampering | None:
    row = connection.execute(_SELECT_WITHOUT_ENTRY).fetchone()
    if row is None:
        return None
    return Tampering(
        row[0],
        "has no entry in the chain: another program inserted it, or its entry was removed",
    )


def _has_id_counter(connection: sqlite3.Connection) -> bool:
    """Return whether SQLite counts the ids, as with the AUTOINCREMENT of schema.sql."""
    return "AUTOINCREMENT" in str(connection.execute(_SELECT_TABLE_SQL).fetchone()).upper()
