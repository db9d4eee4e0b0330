"""Store the captures of one transaction with a few statements for all.

The results, and every row, are exactly those of `record_capture` for one capture after the other.
Most captures of a group are independent. Those that are not are found before anything is written:

- Two with the same user and capture_id: the second gets the receipt of the first.
- Two that could repeat each other: `bulk_insert.BulkInsert` inserts the first before it compares
  the second with the rows.

A group in which a confirmed capture has the capture_id of a claim is rare, and is stored one by
one. So is a group with a capture whose request says whose row it changes, and one with two captures
that have the same idempotency key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from data_capture.capture.page_ids import IDEMPOTENCY
from data_capture.capture.parse import Capture
from data_capture.problems import Problem
from data_capture.sql.bulk import select_matching
from data_capture.store.sqlite.bulk_insert import AcceptedCapture, BulkInsert
from data_capture.store.sqlite.capture_rows import identify_subject
from data_capture.store.sqlite.captures import (
    add_capture_user,
    overrides_receipt,
    record_capture,
)
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.late_attribution import attribute_waiting
from data_capture.store.sqlite.page_ids import store_page_ids
from data_capture.store.sqlite.payment_events import attach_events
from data_capture.store.sqlite.payment_keys import has_key
from data_capture.store.sqlite.receipts import (
    FIND_RECEIPTS,
    FoundReceipt,
    Receipt,
    as_found,
    find_receipt,
    replay_receipt,
)
from data_capture.store.sqlite.stored_emails import find_known_emails, find_stored_email
from data_capture.store.sqlite.tombstones import (
    addresses_of,
    find_erasure_times,
    reject_older_capture,
)

_Id = tuple[str, str]  # a user's address, as `users.email` spells it, and a capture_id


def record_captures(
    connection: StoreConnection, captures: Sequence[Capture]
) -> list[Receipt | Problem]:
    """Store captures, and return what `record_capture` does for each.

    A Problem that `record_capture` raises is returned. There must be at least one capture.

    Raises:
        Problem, sqlite3.Error: a capture can't be stored, or not together with the others. The
            caller rolls back and stores each alone.
    """
    captures = [identify_subject(capture, connection.receipt_key) for capture in captures]
    if any(capture.target is not None for capture in captures) or _share_key(captures):
        return [_record_alone(connection, capture) for capture in captures]
    try:
        return _record_together(connection, captures)
    except _StoreIndividually:  # by now only users were added, in the same way as one by one
        return [_record_alone(connection, capture) for capture in captures]


def _share_key(captures: Sequence[Capture]) -> bool:
    """Tell whether two captures have the same idempotency key in their data."""
    keys = [
        (capture.user_email, page_id)
        for capture in captures
        if has_key(capture)
        for page_id in capture.page_ids
        if page_id.role == IDEMPOTENCY
    ]
    return len(set(keys)) < len(keys)


class _StoreIndividually(Exception):
    """Report that captures of a group must be stored one by one.

    They depend on each other in more ways than by their rows.
    """


def _record_alone(connection: StoreConnection, capture: Capture) -> Receipt | Problem:
    try:
        return record_capture(connection, capture)
    except Problem as problem:
        return problem


def _record_together(
    connection: StoreConnection, captures: Sequence[Capture]
) -> list[Receipt | Problem]:
    ids = _CaptureIds(connection, captures)
    addresses = (address for capture in captures for address in addresses_of(capture))
    erasure_times = find_erasure_times(connection, addresses)
    results: dict[int, Receipt | Problem] = {}  # by the capture's index
    accepted: dict[int, AcceptedCapture] = {}
    for index, capture in enumerate(captures):
        try:
            if ids.is_taken(index, capture):
                continue
            if erasure_times:
                reject_older_capture(capture, erasure_times)
            accepted[index] = AcceptedCapture(capture, ids.take(index, capture))
        except Problem as problem:
            results[index] = problem
    if accepted:
        insert = BulkInsert(connection)
        receipts = insert.store([*accepted.values()])
        row_ids = (receipt.row_id for receipt in receipts)
        attach_events(connection, zip(insert.stored, row_ids, strict=True))
        _note_page_ids(connection, accepted.values(), receipts)
        results.update(zip(accepted, receipts, strict=True))
    if len(results) < len(captures):
        ids.note_receipts(captures, {index: results[index] for index in accepted})
        for index, capture in enumerate(captures):
            if index not in results:
                results[index] = ids.replay(index, capture)
    return [results[index] for index in range(len(captures))]


def _note_page_ids(
    connection: StoreConnection, accepted: Iterable[AcceptedCapture], receipts: Sequence[Receipt]
) -> None:
    stored = [
        (item.capture, item.stored_email, receipt.row_id, receipt.outcome)
        for item, receipt in zip(accepted, receipts, strict=True)
        if item.capture.page_ids
    ]
    if stored:
        store_page_ids(connection, stored)
        attribute_waiting(connection, [capture for capture, *_ in stored], record_capture)


class _CaptureIds:
    """Find which captures of a group were stored before.

    Such a capture has a receipt, or the user and capture_id of an earlier one in the group.

    A capture is named by its index in the group.
    """

    def __init__(self, connection: StoreConnection, captures: Sequence[Capture]) -> None:
        self._connection = connection
        known = find_known_emails(connection, {capture.user_email for capture in captures})
        self._ids: dict[int, _Id] = {
            index: (capture.user_email, capture.capture_id)
            for index, capture in enumerate(captures)
            if capture.user_email in known
        }
        self._receipts: dict[_Id, FoundReceipt] = {
            (found[0], found[1]): FoundReceipt(*found[2:])
            for found in select_matching(connection, FIND_RECEIPTS, [*self._ids.values()])
        }
        self._firsts: dict[_Id, Capture] = {}
        self._stored_emails: dict[str, str] = {}

    def is_taken(self, index: int, capture: Capture) -> bool:
        """Return whether a receipt or an earlier capture has this user and capture_id."""
        id_ = self._ids.get(index) or self._look_up(index, capture)
        if id_ is None:
            return False
        found = self._receipts.get(id_)
        if found is not None:
            if overrides_receipt(capture, found):
                raise _StoreIndividually
            return True
        first = self._firsts.get(id_)
        if first is not None and capture.is_confirmed and not first.is_confirmed:
            raise _StoreIndividually
        return first is not None

    def take(self, index: int, capture: Capture) -> str:
        """Note a capture as the first of its capture_id, and add its user if they are new.

        Returns:
            The user's address as spelled in `users.email`.

        Raises:
            Problem: as `add_capture_user`.
        """
        if index not in self._ids:
            stored_email = add_capture_user(self._connection, capture)
            self._stored_emails[capture.user_email] = stored_email
            self._ids[index] = (stored_email, capture.capture_id)
        self._firsts[self._ids[index]] = capture
        return self._ids[index][0]

    def note_receipts(
        self, captures: Sequence[Capture], results: dict[int, Receipt | Problem]
    ) -> None:
        """Note the receipts of stored captures, by their index, for `replay`."""
        for index, receipt in results.items():
            assert isinstance(receipt, Receipt)
            self._receipts[self._ids[index]] = as_found(
                receipt, captures[index], self._connection.receipt_key
            )

    def replay(self, index: int, capture: Capture) -> Receipt | Problem:
        """Return the result of a capture that `is_taken`."""
        found = self._receipts[self._ids[index]]
        try:
            return replay_receipt(found, capture, self._connection.receipt_key)
        except Problem as problem:
            return problem

    def _look_up(self, index: int, capture: Capture) -> _Id | None:
        """Find the id if the stored email is spelled differently.

        Returns None for a new user.
        """
        stored_email = self._stored_emails.get(capture.user_email) or find_stored_email(
            self._connection, capture.user_email
        )
        if stored_email is None:
            return None
        self._stored_emails[capture.user_email] = stored_email
        id_ = self._ids[index] = (stored_email, capture.capture_id)
        found = self._receipts.get(id_) or find_receipt(self._connection, *id_)
        if found is not None:
            self._receipts[id_] = found
        return id_
