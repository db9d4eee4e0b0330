"""Captures that are stored in one transaction, with a few statements for all of them instead of several for each.

What becomes of each, and every row, is exactly what `record_capture` would have made of them one after the other. Most
captures have nothing to do with each other. Those that have are found before anything is written:

- two with the same capture_id: the second is answered from the receipt of the first;
- two that could repeat each other (the same person and kind, and what the rule of repetition asks for): the rows of that
  kind that wait are inserted before the second is compared with what is there.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from data_capture.audit import record_audits
from data_capture.captures import Capture, Kind
from data_capture.problems import Problem
from data_capture.rows import find_among, insert_in_order
from data_capture.store.captures import (
    FIND_RECEIPTS,
    INSERT_RECEIPT,
    STORED,
    UNCHANGED,
    Receipt,
    about_of,
    audit_record_of,
    insert_statement,
    receipt_row,
    repeated_row,
    replayed,
    row_of,
)
from data_capture.store.erasures import refuse_what_is_older, times_of_erasure
from data_capture.store.people import addresses_known, ensure_person
from data_capture.values import ColumnValue


def record_captures(connection: sqlite3.Connection, captures: Sequence[Capture]) -> list[Receipt | Problem]:
    """Stores captures, at least one, in their order, and gives for each what `record_capture` returns or raises for it.

    Raises:
        Problem, sqlite3.Error: one of them can't be stored, or not together with the others. What was done is to be
            undone, and each to be stored alone.
    """
    answered = {found[0]: found[1:] for found in find_among(connection, FIND_RECEIPTS, [(one.capture_id,) for one in captures])}
    emails = {one.user_email for one in captures}
    erasures = times_of_erasure(connection, emails)
    known = addresses_known(connection, emails)
    outcomes: dict[int, Receipt | Problem] = {}
    first_of: dict[str, int] = {}
    taken: dict[int, _Taken] = {}
    for place, capture in enumerate(captures):
        if capture.capture_id in answered or capture.capture_id in first_of:
            continue
        try:
            refuse_what_is_older(capture, erasures)
        except Problem as problem:
            outcomes[place] = problem
            continue
        first_of[capture.capture_id] = place
        user_email = capture.user_email
        if user_email not in known:
            user_email = ensure_person(connection, user_email, capture.user_name, capture.received_at)
        taken[place] = _Taken(capture, user_email)
    if taken:
        for place, receipt in zip(taken, _store(connection, [*taken.values()]), strict=True):
            outcomes[place] = receipt
            capture = captures[place]
            answered[capture.capture_id] = (receipt.row_id, receipt.outcome, capture.digest, capture.kind.name)
    for place, capture in enumerate(captures):
        if place not in outcomes:
            try:
                outcomes[place] = replayed(capture, *answered[capture.capture_id])
            except Problem as problem:
                outcomes[place] = problem
    return [outcomes[place] for place in range(len(captures))]


class _Taken(NamedTuple):
    """A capture that is neither refused nor answered from a receipt, and its person, as `users.email` spells it."""

    capture: Capture
    user_email: str

    @property
    def repeats_by(self) -> tuple[str, str, ColumnValue] | None:
        """What two captures have in common of which one could repeat the other; None for one that repeats nothing."""
        rule = self.capture.kind.repetition
        if rule is None:
            return None
        about = about_of(self.capture) if rule.about is not None else None
        return None if rule.about is not None and about is None else (self.capture.kind.name, self.user_email, about)


def _store(connection: sqlite3.Connection, taken: Sequence[_Taken]) -> list[Receipt]:
    rows = _Rows(connection)
    common = [one.repeats_by for one in taken]
    unheard_of = _unheard_of(connection, taken, common)
    repeated: dict[int, int] = {}
    for place, (one, in_common) in enumerate(zip(taken, common, strict=True)):
        if in_common is not None and in_common not in unheard_of:
            if in_common in rows.waiting_in_common:
                rows.insert(one.capture.kind)
            row_id = repeated_row(connection, one.capture, one.user_email)
            if row_id is not None:
                repeated[place] = row_id
                continue
        unheard_of.discard(in_common)
        rows.add(place, one, in_common)
    rows.insert_all()
    if rows.stored:
        record_audits(connection, [audit_record_of(*one) for place, one in enumerate(taken) if place in rows.stored])
    receipts = [
        Receipt(repeated[place], UNCHANGED, replayed=False)
        if place in repeated
        else Receipt(rows.stored[place], STORED, replayed=False)
        for place in range(len(taken))
    ]
    noted = [receipt_row(one.capture, receipt.row_id, receipt.outcome) for one, receipt in zip(taken, receipts, strict=True)]
    connection.executemany(INSERT_RECEIPT, noted)
    return receipts


def _unheard_of(
    connection: sqlite3.Connection, taken: Sequence[_Taken], common: Sequence[tuple[str, str, ColumnValue] | None]
) -> set[tuple[str, str, ColumnValue] | None]:
    """What of `common` no row has: what is about something, and nothing is stored about it yet."""
    looked_for: defaultdict[Kind, list[tuple[str, ColumnValue]]] = defaultdict(list)
    for one, in_common in zip(taken, common, strict=True):
        if in_common is not None and in_common[2] is not None:
            looked_for[one.capture.kind].append(in_common[1:])
    unheard_of: set[tuple[str, str, ColumnValue] | None] = set()
    for kind, of_kind in looked_for.items():
        unheard_of |= {(kind.name, *looked) for looked in of_kind}
        unheard_of -= {(kind.name, *found) for found in find_among(connection, _find_statement(kind), of_kind)}
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

    def insert(self, kind: Kind) -> None:
        waiting = self._waiting.pop(kind)
        first = insert_in_order(self._connection, insert_statement(kind), [row_of(*one) for _, one in waiting])
        self.stored.update((place, row_id) for row_id, (place, _) in enumerate(waiting, first))
        self.waiting_in_common = {in_common for in_common in self.waiting_in_common if in_common and in_common[0] != kind.name}

    def insert_all(self) -> None:
        for kind in [*self._waiting]:
            self.insert(kind)
