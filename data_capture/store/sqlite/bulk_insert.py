"""Insert rows, audit records and receipts of many captures together.

Two captures may repeat each other if they have the same user, kind and subject (the column `about`
of the kind's repetition rule). Before the second is compared with the rows, the pending rows of its
kind and all pending receipts are inserted.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from data_capture.audit import AuditRecord, record_audits
from data_capture.capture.conversion import ColumnValue
from data_capture.capture.kinds import Kind
from data_capture.capture.parse import Capture
from data_capture.sql.bulk import insert_consecutive_rows, select_matching
from data_capture.store.sqlite.capture_rows import (
    find_repeated_row,
    insert_statement,
    row_values,
    subject_of,
)
from data_capture.store.sqlite.captures import (
    confirm_repeated_row,
    content_digest_of,
    has_new_content,
    make_audit_record,
)
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.payment_facts import INSERT_FACTS, values_of_capture
from data_capture.store.sqlite.receipts import (
    INSERT_RECEIPT,
    STORED,
    UNCHANGED,
    UPDATED,
    Receipt,
    receipt_values,
)

_RepetitionKey = tuple[str, str, ColumnValue]  # the kind's name, the stored address, the subject


class AcceptedCapture(NamedTuple):
    """Pair a capture to store with its user's stored email."""

    capture: Capture
    stored_email: str

    @property
    def repetition_key(self) -> _RepetitionKey | None:
        """Return what two captures share if one may repeat the other; None if none can."""
        repetition = self.capture.kind.repetition
        if repetition is None:
            return None
        subject = subject_of(self.capture) if repetition.about is not None else None
        if repetition.about is not None and subject is None:
            return None
        return self.capture.kind.name, self.stored_email, subject


class _Repetition(NamedTuple):
    """Describe a capture that repeats a row: the row, its outcome, the audit records to add."""

    row_id: int
    outcome: str
    records: list[AuditRecord]


class BulkInsert:
    """Insert captures: for each a row or none, audit records or none, and a receipt."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection
        self._key = connection.receipt_key
        self._rows = _PendingRows(connection)
        self._pending_receipts: list[tuple[object, ...]] = []

    def store(self, accepted: Sequence[AcceptedCapture]) -> list[Receipt]:
        """Store the captures in their order and return their receipts."""
        repetitions = self._insert_rows(accepted)
        records: list[AuditRecord] = []
        for index, item in enumerate(accepted):
            if index in repetitions:
                records += repetitions[index].records
            else:
                records.append(make_audit_record(*item))
        if records:
            record_audits(self._connection, records)
        self._insert_receipts()
        return [
            Receipt(repetitions[index].row_id, repetitions[index].outcome, replayed=False)
            if index in repetitions
            else Receipt(self._rows.row_ids[index], STORED, replayed=False)
            for index in range(len(accepted))
        ]

    def _insert_rows(self, accepted: Sequence[AcceptedCapture]) -> dict[int, _Repetition]:
        """Insert the rows of all captures but repetitions.

        Returns the repetitions by index.
        """
        keys = [item.repetition_key for item in accepted]
        new_keys = _find_new_keys(self._connection, accepted, keys)
        repetitions: dict[int, _Repetition] = {}
        for index, (item, key) in enumerate(zip(accepted, keys, strict=True)):
            if key is not None and key not in new_keys:
                if key in self._rows.pending_keys:
                    self._add_receipts(accepted, self._rows.insert(item.capture.kind))
                self._insert_receipts()
                repetition = self._find_repetition(item)
                if repetition is not None:
                    repetitions[index] = repetition
                    continue
            new_keys.discard(key)
            self._rows.add(index, item, key)
        self._add_receipts(accepted, self._rows.insert_all())
        return repetitions

    def _find_repetition(self, item: AcceptedCapture) -> _Repetition | None:
        """Find the row that a capture repeats, or None, and add its receipt."""
        capture, stored_email = item
        digest = content_digest_of(capture, self._key)
        row_id = find_repeated_row(self._connection, capture, stored_email, digest)
        if row_id is None:
            return None
        is_new = has_new_content(self._connection, capture, row_id, stored_email, digest)
        records = confirm_repeated_row(
            self._connection, capture, row_id, stored_email, is_new=is_new
        )
        outcome = UPDATED if is_new else UNCHANGED
        self._pending_receipts.append(
            receipt_values(
                self._key, capture, stored_email, row_id, outcome, digest if is_new else None
            )
        )
        return _Repetition(row_id, outcome, records)

    def _add_receipts(self, accepted: Sequence[AcceptedCapture], indexes: Sequence[int]) -> None:
        """Add receipts for inserted rows; they are inserted later."""
        for index in indexes:
            capture, stored_email = accepted[index]
            row_id, digest = self._rows.row_ids[index], content_digest_of(capture, self._key)
            self._pending_receipts.append(
                receipt_values(self._key, capture, stored_email, row_id, STORED, digest)
            )

    def _insert_receipts(self) -> None:
        if self._pending_receipts:
            self._connection.executemany(INSERT_RECEIPT, self._pending_receipts)
            self._pending_receipts.clear()


class _PendingRows:
    """Collect rows by kind, in their order, until they are inserted.

    `row_ids` has the ids of the inserted rows by their captures' indexes. `pending_keys` has the
    repetition keys of the rows that are not inserted yet.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.pending_keys: set[_RepetitionKey | None] = set()
        self.row_ids: dict[int, int] = {}
        self._connection = connection
        self._pending: defaultdict[Kind, list[tuple[int, AcceptedCapture]]] = defaultdict(list)

    def add(self, index: int, item: AcceptedCapture, key: _RepetitionKey | None) -> None:
        """Add the row of a capture."""
        self.pending_keys.add(key)
        self._pending[item.capture.kind].append((index, item))

    def insert(self, kind: Kind) -> list[int]:
        """Insert the pending rows of a kind, and their facts; return their indexes."""
        pending = self._pending.pop(kind)
        rows = [row_values(*item) for _, item in pending]
        first = insert_consecutive_rows(self._connection, insert_statement(kind), rows)
        self.row_ids.update((index, row_id) for row_id, (index, _) in enumerate(pending, first))
        if kind.facts_table is not None:
            facts = [
                values_of_capture(item.capture, row_id, item.stored_email)
                for row_id, (_, item) in enumerate(pending, first)
            ]
            self._connection.executemany(INSERT_FACTS, filter(None, facts))
        self.pending_keys = {key for key in self.pending_keys if key and key[0] != kind.name}
        return [index for index, _ in pending]

    def insert_all(self) -> list[int]:
        """Insert all pending rows and return their indexes."""
        return [index for kind in [*self._pending] for index in self.insert(kind)]


def _find_new_keys(
    connection: sqlite3.Connection,
    accepted: Sequence[AcceptedCapture],
    keys: Sequence[_RepetitionKey | None],
) -> set[_RepetitionKey | None]:
    """Find the keys with a subject that no row in the database has.

    Captures without a subject are about one thing per user; `_insert_rows` compares each of them.
    """
    subjects: defaultdict[Kind, list[tuple[str, ColumnValue]]] = defaultdict(list)
    for item, key in zip(accepted, keys, strict=True):
        if key is not None and key[2] is not None:
            subjects[item.capture.kind].append(key[1:])
    new_keys: set[_RepetitionKey | None] = set()
    for kind, wanted in subjects.items():
        new_keys |= {(kind.name, *one) for one in wanted}
        found = select_matching(connection, _find_subjects_statement(kind), wanted)
        new_keys -= {(kind.name, *one) for one in found}
    return new_keys


@cache
def _find_subjects_statement(kind: Kind) -> str:
    assert kind.repetition is not None
    # The names come from the table of kinds.
    return f"""
        WITH looked_for (user, subject) AS (VALUES {{}})
        SELECT user, subject FROM looked_for
        WHERE EXISTS (SELECT 1 FROM {kind.table}
                      WHERE user_email = looked_for.user
                        AND {kind.repetition.about} = looked_for.subject)
    """  # noqa: S608
