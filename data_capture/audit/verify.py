"""Checks every audit record against the chain, and names the first that was changed, removed, inserted or moved.

Everything is read in the order of ids, in one transaction, each record and entry once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from data_capture.audit.append import highest_number_given
from data_capture.audit.attestations import read_attestations
from data_capture.audit.format import (
    RECORD_COLUMNS,
    SALT_BYTES,
    VOID,
    ChainKey,
    compute_commitment,
    encode_record,
)
from data_capture.audit.head import EMPTY_HEAD, Head, is_in_chain

_ROWS_AT_A_TIME = 2000
_MAX_NUMBERS_TRIED = 10_000
_MAX_NAME_CHARACTERS = 40

# The names come from the format. The record's own id, to see whether it is there, stands after its entry.
_EVERYTHING = f"""
SELECT chain.audit_id, adopted, salt, commitment, link, audit.id, {", ".join(f"audit.{name}" for name in RECORD_COLUMNS[1:])}
FROM data_capture_audit_chain AS chain
LEFT JOIN data_capture_audit AS audit ON audit.id = chain.audit_id
ORDER BY chain.audit_id
"""  # noqa: S608

# `NOT INDEXED`: an index can be made to hide rows. Ids that are no integers come first, whatever they compare as.
_COUNT = "SELECT count(*) FROM data_capture_audit NOT INDEXED"

_WITHOUT_ENTRY = """
SELECT id FROM data_capture_audit NOT INDEXED
WHERE typeof(id) <> 'integer'
   OR NOT EXISTS (SELECT 1 FROM data_capture_audit_chain AS chain WHERE chain.audit_id = data_capture_audit.id)
ORDER BY typeof(id) = 'integer', id LIMIT 1
"""

_OTHER_TYPES = "has an entry in the chain that is not of the types that ours are of"

_NEXT_ENTRY = """
SELECT audit_id, adopted, commitment, link FROM data_capture_audit_chain WHERE audit_id > ? ORDER BY audit_id LIMIT 1
"""


@dataclass(frozen=True)
class Tampering:
    """The first record that is not as it was written, and what is the matter with it, as the rest of a sentence.

    `by_external_evidence`: the chain itself is good, and only what lies outside of it tells.
    """

    record: Any
    what: str
    by_external_evidence: bool = False

    @property
    def name(self) -> str:
        """The record's id as a word; what is no number, which only a tamperer writes, as SQL spells it."""
        if self.record is None:
            return "NULL"
        if isinstance(self.record, bytes):
            return f"x'{self.record.hex()[:_MAX_NAME_CHARACTERS]}'"
        text = repr(self.record) if isinstance(self.record, str) else str(self.record)
        return "".join(
            character if character.isprintable() else "?"
            for character in text[:_MAX_NAME_CHARACTERS]
        )

    @property
    def order(self) -> tuple[bool, int]:
        """What is no number comes before all numbers."""
        return (True, self.record) if self.record.__class__ is int else (False, 0)


@dataclass(frozen=True)
class Verification:
    """What was found.

    Args:
        records: how many records were checked.
        adopted: how many of them were there before the chain began.
        erased: how many of them an erasure has taken the content of.
        expired: how many of the others the retention has taken something of.
        head: the newest entry.
        tampering: what was found first, by the records' order; None when every record is as it was written.
    """

    records: int
    adopted: int
    erased: int
    expired: int
    head: Head
    tampering: Tampering | None


def verify(
    connection: sqlite3.Connection, key: bytes, noted: Head, on_progress: Callable[[int, int], None]
) -> Verification:
    """Checks what `connection` sees.

    Args:
        connection: in a read transaction, on a database with our tables.
        key: the installation's.
        noted: an entry that was the newest once, as something that SQL does not reach tells; `EMPTY_HEAD` when nothing does.
        on_progress: is told how many entries of how many are done.

    Raises:
        sqlite3.Error: the file can't be read.
    """
    connection.text_factory = str
    try:
        return _verify(connection, ChainKey(key), noted, on_progress)
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
    # A text that is none, which only a tamperer writes, is compared by its bytes. Decoding all of them so takes a quarter longer.
    connection.text_factory = lambda text: text.decode(errors="surrogateescape")
    return _verify(connection, ChainKey(key), noted, on_progress)


def _verify(
    connection: sqlite3.Connection,
    key: ChainKey,
    noted: Head,
    on_progress: Callable[[int, int], None],
) -> Verification:
    walk = _Walk(connection, key, noted)
    tampering = walk.to_the_end(on_progress)
    # Each entry of a good chain has one record at most: where the numbers agree, no record is without an entry.
    if tampering is not None or connection.execute(_COUNT).fetchone() != (walk.records,):
        stray = _stray_record(connection)
        if stray is not None and (tampering is None or stray.order <= tampering.order):
            tampering = stray
    head = Head(walk.number, walk.link)
    return Verification(
        walk.records, walk.adopted, walk.erased, walk.expired, head, tampering or walk.shortened()
    )


class _Walk:
    """From the first entry to the last, or to the first that is not as it was written."""

    def __init__(self, connection: sqlite3.Connection, key: ChainKey, noted: Head) -> None:
        self._connection, self._key, self._noted = connection, key, noted
        self._covers = read_attestations(connection, key)
        self.records = self.adopted = self.erased = self.expired = 0
        self.number, self.link = EMPTY_HEAD.audit_id, EMPTY_HEAD.link

    def to_the_end(self, on_progress: Callable[[int, int], None]) -> Tampering | None:
        (total,) = self._connection.execute(
            "SELECT count(*) FROM data_capture_audit_chain"
        ).fetchone()
        done = 0
        rows = self._connection.execute(_EVERYTHING)
        while chunk := rows.fetchmany(_ROWS_AT_A_TIME):
            tampering = self._check(chunk)
            if tampering is not None:
                return tampering
            done += len(chunk)
            on_progress(done, total)
        return None

    def shortened(self) -> Tampering | None:
        """Whether there were newer records once than the last one that is there."""
        given = highest_number_given(self._connection)
        newest = max(given or 0, self._noted.audit_id)
        if newest > self.number:
            return replace(_removed(self.number + 1, newest), by_external_evidence=True)
        if not is_in_chain(self._connection, self._noted):
            return Tampering(
                self._noted.audit_id,
                "is not the one that was noted when it was the newest: it was replaced",
                True,
            )
        if _counts_numbers(self._connection) and (given or 0) < self.number:
            return Tampering(
                self.number + 1,
                "may have been removed: the counter in sqlite_sequence was set back",
                True,
            )
        return None

    def _check(self, chunk: list[tuple[Any, ...]]) -> Tampering | None:
        covers, link_of = self._covers.of_records, self._key.link
        for number, adopted, salt, commitment, link, there, *values in chunk:
            if number.__class__ is not int or adopted.__class__ is not int:
                return Tampering(number, _OTHER_TYPES)
            try:
                if link_of(self.link, commitment, number, adopted) != link:
                    return self._explain_break(number, adopted, commitment, link)
            except (KeyError, TypeError):
                return Tampering(number, _OTHER_TYPES)
            if there.__class__ is not int and there is not None:
                return Tampering(number, "has an id of another type than ours have")
            if commitment == VOID and adopted:
                if there is not None or salt is not None:
                    return Tampering(number, "was inserted: it was not there when the chain began")
            elif number != self.number + 1 and number > 0:
                return _removed(self.number + 1, number - 1)
            elif there is None:
                return Tampering(number, "was removed")
            elif salt is None or number in covers:
                tampering = self._what_is_wrong_after_erasure(
                    number, salt, encode_record(number, *values)
                )
                if tampering is not None:
                    return tampering
                by_retention = covers[number].by_retention
                self.expired += by_retention
                self.erased += not by_retention
            elif salt.__class__ is not bytes or len(salt) != SALT_BYTES:
                return Tampering(number, "has another salt in the chain than it was written with")
            elif compute_commitment(encode_record(number, *values), salt) != commitment:
                return Tampering(number, "was changed, or its salt in the chain was")
            self.number, self.link = number, link
            if there is not None:
                self.records += 1
                self.adopted += adopted
        return None

    def _what_is_wrong_after_erasure(
        self, number: int, salt: Any, record: bytes
    ) -> Tampering | None:
        cover = self._covers.of_records.get(number)
        if cover is None:
            changed = self._covers.by_changed.get(number)
            if changed is None:
                return Tampering(number, "has no salt in the chain, and no erasure covers it")
            return Tampering(
                changed,
                f"was changed, so that it does not cover record {number}, which has no salt in the chain",
            )
        if salt is not None:
            return Tampering(number, "was put back after its erasure")
        return (
            None
            if cover.left == self._key.left(record)
            else Tampering(number, "was changed after its erasure")
        )

    def _explain_break(self, number: int, adopted: Any, commitment: Any, link: Any) -> Tampering:
        """What became of the chain between the last good entry and that of `number`, which is not linked to it."""
        missing = range(self.number + 1, number)
        for tried in missing[:_MAX_NUMBERS_TRIED]:
            if self._key.follows(self.link, tried, adopted, commitment, link):
                return Tampering(tried, f"was renumbered: it is {number} now")
        if missing and (self._noted.audit_id in missing or self._was_ours(number, link)):
            return _removed(missing[0], missing[-1])
        return Tampering(
            number,
            "was inserted or changed, with its entry in the chain: that is not linked to the one before",
        )

    def _was_ours(self, number: int, link: Any) -> bool:
        """Whether an entry that does not follow from the one before was once: what comes after it says so."""
        if (number, link) == (self._noted.audit_id, self._noted.link):
            return True
        after = self._connection.execute(_NEXT_ENTRY, (number,)).fetchone()
        return after is not None and self._key.follows(link, *after)


def _removed(first: int, last: int) -> Tampering:
    return Tampering(
        first, "was removed" if first == last else f"was removed, with all up to {last}"
    )


def _stray_record(connection: sqlite3.Connection) -> Tampering | None:
    found = connection.execute(_WITHOUT_ENTRY).fetchone()
    if found is None:
        return None
    return Tampering(
        found[0],
        "has no entry in the chain: it was inserted by other means, or its entry was removed",
    )


def _counts_numbers(connection: sqlite3.Connection) -> bool:
    """Whether SQLite keeps the highest id ever given for this table, as schema.sql has it."""
    table = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'data_capture_audit'"
    return "AUTOINCREMENT" in str(connection.execute(table).fetchone()).upper()
