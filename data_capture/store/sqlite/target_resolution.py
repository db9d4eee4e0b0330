"""Find whose row an update changes, if its own data does not say so.

The path and query of the page's request (`CaptureTarget`) and the update's data name ids, and
earlier captures have said whose these are:

- A record's id (`id=eq.77`) is that of a payment's row, and so of a user.
- A user's id (`user_id=eq.5`) or address is that of a user. A payment is then the only one of the
  user, or the only one that is pending.

Ids that contradict each other, and ids that several users have, identify nobody: an update never
goes to a user by a guess.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from data_capture.capture.page_ids import IDEMPOTENCY, NUMBER, RECORD, USER, PageId
from data_capture.capture.parse import Capture
from data_capture.capture.payments.statuses import PENDING
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.page_ids import (
    SEVERAL_ROWS,
    Owner,
    find_owners,
    find_payers,
    number_of_row,
)
from data_capture.store.sqlite.payment_comparison import NUMBER as NUMBER_COLUMN
from data_capture.store.sqlite.payment_comparison import PAYMENT, values_of
from data_capture.store.sqlite.stored_emails import find_stored_email
from data_capture.store.sqlite.target_rows import is_payment_confirmed

_SAYS_WHAT_WAS_BOUGHT = (
    "plan_name", "original_price", "final_price", NUMBER_COLUMN, "crypto_transaction_hash",
)  # fmt: skip

_FIND_PAYMENTS_OF_USER = """
SELECT id, status FROM payments_latest WHERE user_email = ? LIMIT 100
"""

_FIND_ROW_WITH_NUMBER = """
SELECT max(id) FROM payment_data WHERE user_email = ? AND transaction_id = ?
"""


class Resolution(NamedTuple):
    """Whose an update is.

    Attributes:
        stored_email: the user, as spelled in `users.email`; None: it is not known.
        row_id: the payment's row; None: its own data or the user's latest state says which.
        reason: why the user, or the payment of the user, is not known.
    """

    stored_email: str | None
    row_id: int | None = None
    reason: str = ""


def resolve(connection: StoreConnection, capture: Capture, record: Sequence[PageId]) -> Resolution:
    """Find whose row a capture with a target changes.

    Args:
        connection: to read from.
        capture: the capture.
        record: the ids by which the record that it names may be known, best first; may be empty.
    """
    users, has_unknown = _find_users(connection, capture)
    owners = _find_record(connection, capture, record)
    if capture.user_email:  # in its own data
        return _resolve_named_user(connection, capture, owners)
    if len(owners) > 1:
        return Resolution(None, reason="several users have a row with this id")
    if owners:
        [owner] = owners
        if users - {owner.stored_email}:
            return Resolution(None, reason="the ids belong to different users")
        return _resolve_row(connection, capture, owner)
    if len(users) > 1:
        return Resolution(None, reason="the ids belong to different users")
    if not users:
        named = has_unknown or record
        return Resolution(None, reason="no capture has named this id before" if named else
                          "the request names no user and no row")  # fmt: skip
    return _resolve_user(connection, capture, users.pop(), has_record=bool(record))


def is_empty_payment(capture: Capture) -> bool:
    """Tell whether a capture is a payment that does not say what was paid."""
    if capture.kind is not PAYMENT:
        return False
    values = values_of(capture)
    return all(values[column] is None for column in _SAYS_WHAT_WAS_BOUGHT)


def _find_users(connection: StoreConnection, capture: Capture) -> tuple[set[str], bool]:
    """Return the known users that a capture names, and whether it names others."""
    assert capture.target is not None
    users: set[str] = set()
    has_unknown = False
    for email in capture.target.emails:
        stored_email = find_stored_email(connection, email)
        has_unknown |= stored_email is None
        users |= set() if stored_email is None else {stored_email}
    own_ids = (page_id for page_id in capture.page_ids if page_id.role == USER)
    for page_id in capture.target.users or own_ids:
        found = {owner.stored_email for owner in find_owners(connection, capture.kind, page_id)}
        has_unknown |= not found
        users |= found
    return users, has_unknown


def _find_record(
    connection: StoreConnection, capture: Capture, record: Sequence[PageId]
) -> list[Owner]:
    """Return the owners of the record that a capture names, by the first id that is known."""
    assert capture.target is not None
    own_ids = [one for one in capture.page_ids if one.role in (RECORD, NUMBER, IDEMPOTENCY)]
    # Data that is for several records identifies none of them.
    for page_id in (*record, *(own_ids if len(capture.target.records) < 2 else ())):
        owners = find_owners(connection, capture.kind, page_id)
        if page_id.role == NUMBER and capture.kind is PAYMENT:
            known = {owner.stored_email for owner in owners}
            owners += [
                Owner(payer, _row_with_number(connection, payer, page_id.value))
                for payer in find_payers(connection, page_id.value)
                if payer not in known
            ]
        if owners:
            return owners
    return []


def _row_with_number(connection: sqlite3.Connection, stored_email: str, number: str) -> int | None:
    found: int | None = connection.execute(
        _FIND_ROW_WITH_NUMBER, (stored_email, number)
    ).fetchone()[0]
    return found


def _resolve_row(connection: StoreConnection, capture: Capture, owner: Owner) -> Resolution:
    """Return the row of an id's owner."""
    if capture.kind is not PAYMENT or values_of(capture)[NUMBER_COLUMN] is not None:
        return Resolution(owner.stored_email)
    if owner.row_id == SEVERAL_ROWS:
        return Resolution(None, reason="several payments of a user have this id")
    found = None if owner.row_id is None else number_of_row(connection, owner)
    if owner.row_id is None or found is None:
        return Resolution(None, reason="the payment's row was deleted")
    # A confirmed capture must not confirm what a claim says.
    may_change = not capture.is_confirmed or found[0] is not None
    if may_change or is_payment_confirmed(connection, owner.row_id, owner.stored_email):
        return Resolution(*owner)
    return Resolution(None, reason="the payment is a claim without a number")


def _resolve_named_user(
    connection: StoreConnection, capture: Capture, owners: Sequence[Owner]
) -> Resolution:
    """Return the row of the user whose address is in the capture's data."""
    stored_email = find_stored_email(connection, capture.user_email)
    for owner in owners:
        if owner.stored_email == stored_email:
            return _resolve_row(connection, capture, owner)
    if is_empty_payment(capture):
        return Resolution(None, reason="no payment of this user is known by this id")
    return Resolution(stored_email or capture.user_email)


def _resolve_user(
    connection: StoreConnection, capture: Capture, stored_email: str, *, has_record: bool
) -> Resolution:
    """Return the row of a user whom only the target or an id names."""
    if capture.kind is not PAYMENT or values_of(capture)[NUMBER_COLUMN] is not None:
        return Resolution(stored_email)
    if not has_record:
        payments = connection.execute(_FIND_PAYMENTS_OF_USER, (stored_email,)).fetchall()
        pending = [row_id for row_id, status in payments if status == PENDING]
        for row_ids in ([row_id for row_id, _ in payments], pending):
            if len(row_ids) == 1:
                return _resolve_row(connection, capture, Owner(stored_email, row_ids[0]))
    if is_empty_payment(capture):
        return Resolution(None, reason="it does not say which payment of the user it changes")
    return Resolution(stored_email)
