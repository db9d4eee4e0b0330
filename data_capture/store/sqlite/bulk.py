"""Captures that are stored in one transaction, with a few statements for all of them instead of several for each.

What becomes of each, and every row, is exactly what `record_capture` would have made of them one after the other. Most
captures have nothing to do with each other. Those that have are found before anything is written:

- two with the same user and capture_id: the second is answered from the receipt of the first;
- two that could repeat each other (the same user and kind, and what the rule of repetition asks for): the rows of that
  kind that wait are inserted, and the receipts that wait, before the second is compared with what is there.

A group in which a confirmed capture has the capture_id of a claim, which is rare, is stored one by one.
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
from data_capture.problems import Problem
from data_capture.sql.bulk import find_among, insert_in_order
from data_capture.store.sqlite.captures import (
    about_of,
    add_user_of,
    audit_record_of,
    content_of,
    insert_statement,
    is_new_about,
    overrides,
    record_capture,
    records_of_repetition,
    repeated_row,
    row_of,
)
from data_capture.store.sqlite.receipts import (
    FIND_RECEIPTS,
    INSERT_RECEIPT,
    STORED,
    UNCHANGED,
    FoundReceipt,
    Receipt,
    ReceiptKey,
    find_receipt,
    receipt_key_of,
    replayed,
)
from data_capture.store.sqlite.tombstones import refuse_what_is_older, times_of_erasure
from data_capture.store.sqlite.users import addresses_known, spelling_of

_Id = tuple[str, str]  # a user's address, as `users.email` spells it, and a capture_id


def record_captures(
    connection: sqlite3.Connection, captures: Sequence[Capture]
) -> list[Receipt | Problem]:
    """Stores captures, at least one, in their order, and gives for each what `record_capture` returns or raises for it.

    Raises:
        Problem, sqlite3.Error: one of them can't be stored, or not together with the others. What was done is to be
            undone, and each to be stored alone.
    """
    try:
        return _record_together(connection, captures)
    except _OneByOne:  # only users were added by now, as they are added one by one
        return [_outcome(connection, one) for one in captures]


class _OneByOne(Exception):
    """What the captures of a group have to do with each other takes more than comparing their rows."""


def _outcome(connection: sqlite3.Connection, capture: Capture) -> Receipt | Problem:
    try:
        return record_capture(connection, capture)
    except Problem as problem:
        return problem


def _record_together(
    connection: sqlite3.Connection, captures: Sequence[Capture]
) -> list[Receipt | Problem]:
    key = receipt_key_of(connection)
    ids = _Ids(connection, captures)
    erasures = times_of_erasure(connection, {one.user_email for one in captures})
    outcomes: dict[int, Receipt | Problem] = {}
    taken: dict[int, _Taken] = {}
    for place, capture in enumerate(captures):
        try:
            if ids.is_taken(place, capture):
                continue
            refuse_what_is_older(capture, erasures)
            taken[place] = _Taken(capture, ids.take(place, capture))
        except Problem as problem:
            outcomes[place] = problem
    if taken:
        outcomes.update(zip(taken, _Storing(connection, key).store([*taken.values()]), strict=True))
    if len(outcomes) == len(captures):  # as nearly always: none is answered from a receipt
        return [outcomes[place] for place in range(len(captures))]
    for place in taken:
        receipt = outcomes[place]
        assert isinstance(receipt, Receipt)
        ids.answered[ids.of[place]] = key.found(captures[place], receipt)
    for place, capture in enumerate(captures):
        if place not in outcomes:
            try:
                outcomes[place] = replayed(key, capture, ids.answered[ids.of[place]])
            except Problem as problem:
                outcomes[place] = problem
    return [outcomes[place] for place in range(len(captures))]


class _Ids:
    """Whose capture_ids these are: which have a receipt, and which are taken by a capture of this group."""

    def __init__(self, connection: sqlite3.Connection, captures: Sequence[Capture]) -> None:
        self._connection = connection
        known = addresses_known(connection, {one.user_email for one in captures})
        self.of: dict[int, _Id] = {
            place: (one.user_email, one.capture_id)
            for place, one in enumerate(captures)
            if one.user_email in known
        }
        self.answered: dict[_Id, FoundReceipt] = {
            (found[0], found[1]): FoundReceipt(*found[2:])
            for found in find_among(connection, FIND_RECEIPTS, [*self.of.values()])
        }
        self._first_of: dict[_Id, Capture] = {}
        self._spelled: dict[str, str] = {}

    def is_taken(self, place: int, capture: Capture) -> bool:
        """Whether there is a receipt, or another capture of the group, with the user and the capture_id of this one."""
        one = self.of.get(place) or self._look_up(place, capture)
        if one is None:
            return False
        found = self.answered.get(one)
        if found is not None:
            if overrides(capture, found):
                raise _OneByOne
            return True
        first = self._first_of.get(one)
        if first is not None and capture.is_confirmed and not first.is_confirmed:
            raise _OneByOne
        return first is not None

    def take(self, place: int, capture: Capture) -> str:
        """Notes the capture as the first of its capture_id; the address as `users.email` spells it, of a user who is added
        if need be.

        Raises:
            Problem: as `add_user_of`.
        """
        if place not in self.of:
            user_email = self._spelled[capture.user_email] = add_user_of(self._connection, capture)
            self.of[place] = (user_email, capture.capture_id)
        self._first_of[self.of[place]] = capture
        return self.of[place][0]

    def _look_up(self, place: int, capture: Capture) -> _Id | None:
        """For a user whose address is spelled in another way, or who is new: the id, once there is a user."""
        spelled = self._spelled.get(capture.user_email) or spelling_of(
            self._connection, capture.user_email
        )
        if spelled is None:
            return None
        self._spelled[capture.user_email] = spelled
        one = self.of[place] = (spelled, capture.capture_id)
        found = self.answered.get(one) or find_receipt(self._connection, *one)
        if found is not None:
            self.answered[one] = found
        return one


class _Taken(NamedTuple):
    """A capture that is neither refused nor answered from a receipt, and its user, as `users.email` spells it."""

    capture: Capture
    user_email: str

    @property
    def repeats_by(self) -> tuple[str, str, ColumnValue] | None:
        """What two captures have in common of which one could repeat the other; None for one that repeats nothing."""
        rule = self.capture.kind.repetition
        if rule is None:
            return None
        about = about_of(self.capture) if rule.about is not None else None
        return (
            None
            if rule.about is not None and about is None
            else (self.capture.kind.name, self.user_email, about)
        )


class _Storing:
    """Captures on their way into the tables; what is written of each: a row or none, audit records or none, a receipt."""

    def __init__(self, connection: sqlite3.Connection, key: ReceiptKey) -> None:
        self._connection = connection
        self._key = key
        self._rows = _Rows(connection)
        self._receipts: list[tuple[object, ...]] = []  # that wait to be inserted

    def store(self, taken: Sequence[_Taken]) -> list[Receipt]:
        """Stores them and returns their receipts."""
        common = [one.repeats_by for one in taken]
        unheard_of = _unheard_of(self._connection, taken, common)
        repeated: dict[int, tuple[int, list[AuditRecord]]] = {}
        for place, (one, in_common) in enumerate(zip(taken, common, strict=True)):
            if in_common is not None and in_common not in unheard_of:
                if in_common in self._rows.waiting_in_common:
                    self._note(taken, self._rows.insert(one.capture.kind))
                self._write_receipts()
                found = self._repetition(one)
                if found is not None:
                    repeated[place] = found
                    continue
            unheard_of.discard(in_common)
            self._rows.add(place, one, in_common)
        self._note(taken, self._rows.insert_all())
        records: list[AuditRecord] = []
        for place, one in enumerate(taken):
            if place in repeated:
                records += repeated[place][1]
            else:
                records.append(audit_record_of(*one))
        if records:
            record_audits(self._connection, records)
        self._write_receipts()
        return [
            Receipt(repeated[place][0], UNCHANGED, replayed=False)
            if place in repeated
            else Receipt(self._rows.stored[place], STORED, replayed=False)
            for place in range(len(taken))
        ]

    def _repetition(self, one: _Taken) -> tuple[int, list[AuditRecord]] | None:
        """The row that a capture repeats, and its audit records; its receipt waits then. None when it repeats nothing."""
        capture, user_email = one
        row_id = repeated_row(self._connection, capture, user_email)
        if row_id is None:
            return None
        content = content_of(self._key, capture)
        is_new = is_new_about(self._connection, capture, row_id, user_email, content)
        records = records_of_repetition(
            self._connection, capture, row_id, user_email, is_new=is_new
        )
        self._receipts.append(
            self._key.row(capture, user_email, row_id, UNCHANGED, content if is_new else None)
        )
        return row_id, records

    def _note(self, taken: Sequence[_Taken], places: Sequence[int]) -> None:
        """Has the receipts of rows wait that were inserted."""
        for place in places:
            capture, user_email = taken[place]
            row_id, content = self._rows.stored[place], content_of(self._key, capture)
            self._receipts.append(self._key.row(capture, user_email, row_id, STORED, content))

    def _write_receipts(self) -> None:
        if self._receipts:
            self._connection.executemany(INSERT_RECEIPT, self._receipts)
            self._receipts.clear()


def _unheard_of(
    connection: sqlite3.Connection,
    taken: Sequence[_Taken],
    common: Sequence[tuple[str, str, ColumnValue] | None],
) -> set[tuple[str, str, ColumnValue] | None]:
    """What of `common` no row has: what is about something, and nothing is stored about it yet."""
    looked_for: defaultdict[Kind, list[tuple[str, ColumnValue]]] = defaultdict(list)
    for one, in_common in zip(taken, common, strict=True):
        if in_common is not None and in_common[2] is not None:
            looked_for[one.capture.kind].append(in_common[1:])
    unheard_of: set[tuple[str, str, ColumnValue] | None] = set()
    for kind, of_kind in looked_for.items():
        unheard_of |= {(kind.name, *looked) for looked in of_kind}
        unheard_of -= {
            (kind.name, *found) for found in find_among(connection, _find_statement(kind), of_kind)
        }
    return unheard_of


@cache
def _find_statement(kind: Kind) -> str:
    assert kind.repetition is not None
    # The table's and the column's names come from the table of kinds.
    return f"""
        WITH looked_for (person, about) AS (VALUES {{}})
        SELECT person, about FROM looked_for
        WHERE EXISTS (SELECT 1 FROM {kind.table} WHERE user_email = person AND {kind.repetition.about} = looked_for.about)
    """  # noqa: S608


class _Rows:
    """Rows that wait to be inserted, by kind, and in their order; `stored` has the ids of those that were, by their place."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.waiting_in_common: set[tuple[str, str, ColumnValue] | None] = set()
        self.stored: dict[int, int] = {}
        self._connection = connection
        self._waiting: defaultdict[Kind, list[tuple[int, _Taken]]] = defaultdict(list)

    def add(self, place: int, one: _Taken, in_common: tuple[str, str, ColumnValue] | None) -> None:
        self.waiting_in_common.add(in_common)
        self._waiting[one.capture.kind].append((place, one))

    def insert(self, kind: Kind) -> list[int]:
        """Inserts the rows of a kind that wait, and returns their places."""
        waiting = self._waiting.pop(kind)
        first = insert_in_order(
            self._connection, insert_statement(kind), [row_of(*one) for _, one in waiting]
        )
        self.stored.update((place, row_id) for row_id, (place, _) in enumerate(waiting, first))
        self.waiting_in_common = {
            in_common
            for in_common in self.waiting_in_common
            if in_common and in_common[0] != kind.name
        }
        return [place for place, _ in waiting]

    def insert_all(self) -> list[int]:
        """Inserts all rows that wait, and returns their places."""
        return [place for kind in [*self._waiting] for place in self.insert(kind)]
