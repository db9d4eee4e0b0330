"""Insert rows, audit records and receipts of many captures together.

Two captures may repeat each other if they have the same user, kind and subject (the column `about`
of the kind's repetition rule). Two payments of a user may also be one payment if one of them has no
number. Before the second is compared with the rows, the pending rows of its kind and all pending
receipts are inserted.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Container, Sequence
from functools import cache
from typing import NamedTuple

from data_capture.audit import record_audits
from data_capture.capture.conversion import ColumnValue
from data_capture.capture.kinds import Kind
from data_capture.capture.parse import Capture
from data_capture.sql.bulk import insert_consecutive_rows, insert_rows, select_matching
from data_capture.store.sqlite.capture_rows import insert_statement, row_values, subject_of
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.payment_comparison import PAYMENT
from data_capture.store.sqlite.payment_facts import INSERT_FACTS_OF_MANY, values_of_capture
from data_capture.store.sqlite.payments import find_users_with_unnumbered, is_unnumbered
from data_capture.store.sqlite.placement import (
    Placement,
    content_digest_of,
    new_row_placement,
    place_capture,
)
from data_capture.store.sqlite.receipts import INSERT_RECEIPTS, Receipt, receipt_values

_InsertedRow = tuple[Placement, str, int]  # the stored address, the row's id
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

    def depends_on_rows(self, payers: Container[str]) -> bool:
        """Tell whether a capture may belong to a row without its repetition key.

        Args:
            payers: the users who have a payment without a number.
        """
        return self.capture.is_partial or (
            self.capture.kind is PAYMENT
            and (self.stored_email in payers or is_unnumbered(self.capture))
        )


class BulkInsert:
    """Insert captures: for each a row or none, audit records or none, and a receipt.

    `stored` has the captures after that, with the values of their rows.
    """

    def __init__(self, connection: StoreConnection) -> None:
        self.stored: list[Capture] = []
        self._connection = connection
        self._key = connection.receipt_key
        self._rows = _PendingRows(connection)
        self._pending_receipts: list[tuple[object, ...]] = []

    def store(self, accepted: Sequence[AcceptedCapture]) -> list[Receipt]:
        """Store the captures in their order and return their receipts."""
        placements = self._insert_rows(accepted)
        self.stored = [placement.capture for placement in placements]
        records = [record for placement in placements for record in placement.records]
        if records:
            record_audits(self._connection, records)
        self._insert_receipts()
        return [
            Receipt(
                self._rows.row_ids[index] if placement.row_id is None else placement.row_id,
                placement.outcome,
                replayed=False,
                copied_bytes=placement.copied_bytes,
            )
            for index, placement in enumerate(placements)
        ]

    def _insert_rows(self, accepted: Sequence[AcceptedCapture]) -> list[Placement]:
        """Insert the rows of all captures that add one, and return all placements."""
        keys = [item.repetition_key for item in accepted]
        new_keys = _find_new_keys(self._connection, accepted, keys)
        payers = _find_payers_with_unnumbered(self._connection, accepted)
        placements: list[Placement] = []
        for index, (item, key) in enumerate(zip(accepted, keys, strict=True)):
            if (key is None or key in new_keys) and not item.depends_on_rows(payers):
                new_keys.discard(key)
                digest = content_digest_of(item.capture, self._key)
                placement = new_row_placement(*item, digest)
            else:
                self._insert_rows_of_user(item)
                placement = place_capture(self._connection, *item)
                new_keys -= {key, item._replace(capture=placement.capture).repetition_key}
                if placement.row_id is None and is_unnumbered(placement.capture):
                    payers.add(item.stored_email)
            placements.append(placement)
            if placement.row_id is None:
                self._rows.add(index, placement, item.stored_email)
            else:
                self._add_receipt(placement, item.stored_email, placement.row_id)
        self._add_receipts(self._rows.insert_all())
        return placements

    def _insert_rows_of_user(self, item: AcceptedCapture) -> None:
        """Insert the pending rows with which a capture is to be compared, and all receipts."""
        kind = item.capture.kind
        if self._rows.has_any(kind, item.stored_email):
            self._add_receipts(self._rows.insert(kind))
        self._insert_receipts()

    def _add_receipts(self, inserted: Sequence[_InsertedRow]) -> None:
        """Add receipts for inserted rows; they are inserted later."""
        for placement, stored_email, row_id in inserted:
            self._add_receipt(placement, stored_email, row_id)

    def _add_receipt(self, placement: Placement, stored_email: str, row_id: int) -> None:
        capture, outcome, digest = placement.capture, placement.outcome, placement.content_digest
        self._pending_receipts.append(
            receipt_values(self._key, capture, stored_email, row_id, outcome, digest)
        )

    def _insert_receipts(self) -> None:
        if self._pending_receipts:
            insert_rows(self._connection, INSERT_RECEIPTS, self._pending_receipts)
            self._pending_receipts.clear()


class _PendingRows:
    """Collect rows by kind, in their order, until they are inserted.

    `row_ids` has the ids of the inserted rows by their captures' indexes.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.row_ids: dict[int, int] = {}
        self._connection = connection
        # The captures' indexes, placements and stored emails.
        self._pending: defaultdict[Kind, list[tuple[int, Placement, str]]] = defaultdict(list)
        self._users: defaultdict[Kind, set[str]] = defaultdict(set)

    def add(self, index: int, placement: Placement, stored_email: str) -> None:
        """Add the row of a capture."""
        kind = placement.capture.kind
        self._pending[kind].append((index, placement, stored_email))
        self._users[kind].add(stored_email)

    def has_any(self, kind: Kind, stored_email: str) -> bool:
        """Tell whether a row of a user is pending."""
        return stored_email in self._users[kind]

    def insert(self, kind: Kind) -> list[_InsertedRow]:
        """Insert the pending rows of a kind, and their facts."""
        pending = self._pending.pop(kind)
        self._users[kind].clear()
        rows = [row_values(placement.capture, email) for _, placement, email in pending]
        first = insert_consecutive_rows(self._connection, insert_statement(kind), rows)
        inserted: list[_InsertedRow] = []
        for row_id, (index, placement, email) in enumerate(pending, first):
            inserted.append((placement, email, row_id))
            self.row_ids[index] = row_id
        if kind.facts_table is not None:
            facts = [
                values_of_capture(placement.capture, row_id, email)
                for placement, email, row_id in inserted
            ]
            insert_rows(self._connection, INSERT_FACTS_OF_MANY, [*filter(None, facts)])
        return inserted

    def insert_all(self) -> list[_InsertedRow]:
        """Insert all pending rows."""
        return [row for kind in [*self._pending] for row in self.insert(kind)]


def _find_payers_with_unnumbered(
    connection: sqlite3.Connection, accepted: Sequence[AcceptedCapture]
) -> set[str]:
    """Find the users of captured payments who have a payment without a number."""
    payers = {item.stored_email for item in accepted if item.capture.kind is PAYMENT}
    return find_users_with_unnumbered(connection, [*payers])


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
