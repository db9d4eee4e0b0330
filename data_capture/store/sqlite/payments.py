"""Recognise one payment that pages save twice, with and without its number.

A page sends a request with the payment's number, and seconds later saves what it shows to the user,
without the number, or the other way round. Both are one payment if all of this is true:

- They are of the same user, plan and final price, in the same currency if both name one. A capture
  without a plan or a price is a payment of its own, unless both have the same transaction hash.
- Exactly one of them has a number (`transaction_id`).
- They happened within `WINDOW_SECONDS`, and also arrived within that time.
- No other column has two values, except the user's id and name.
- The statuses are the same, one is missing, or one is pending and the other one completed.

With the same `idempotency_key` in their data, within a day, a plan and a price may be missing, both
may be without a number, and one may be a failed attempt.

What one leaves out is taken from the other; nothing is overwritten. The step from pending to
completed adds a row with the same number, as for payments with a number.

Two captures without a number are one payment if their whole content is the same and they happened
within `WINDOW_SECONDS`. For a page that saves the same over and over, the time between one arrival
and the next counts.

A capture without a number may also be about a payment that a provider has confirmed, and that no
page has sent: see `unsent_payments.py`.

A claim changes no confirmed row. A confirmed capture takes nothing from a claim: it completes a
claim's row only if the row then has exactly the capture's values. Otherwise it gives the row its
number, so that the claim is a state of the same payment, and adds a row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from data_capture.capture.conversion import ColumnValue
from data_capture.capture.parse import Capture
from data_capture.capture.payments.facts import rescale_amount
from data_capture.capture.timestamps import earlier
from data_capture.sql.bulk import select_matching, tolerate_invalid_utf8
from data_capture.store.sqlite.payment_comparison import (
    COLUMNS,
    NUMBER,
    PAYMENT,
    STATUS,
    PaymentRow,
    has_exactly,
    is_part_of,
    is_same_payment,
    is_step,
    meaningful_values,
    values_of,
)
from data_capture.store.sqlite.payment_facts import complete_facts, complete_status
from data_capture.store.sqlite.payment_keys import KEY_SECONDS, find_row_by_key
from data_capture.store.sqlite.payment_updates import without_status
from data_capture.store.sqlite.receipts import is_content_recorded
from data_capture.store.sqlite.target_rows import change_row
from data_capture.store.sqlite.unsent_payments import WINDOW_SECONDS, find_made_number

_NUMBER_INDEX = PAYMENT.field_indexes[NUMBER]
_LOOK_BACK_SECONDS = 24 * 3600  # for a page that saves the same again and again
_MAX_ROWS = 100  # of a user, newest first; a page saves one payment a few times


_HAS_UNNUMBERED = (
    "SELECT 1 FROM payment_data WHERE user_email = ? AND transaction_id IS NULL LIMIT 1"
)

_HAS_ANY_UNNUMBERED = "SELECT 1 FROM payment_data WHERE transaction_id IS NULL LIMIT 1"

_FIND_USERS_WITH_UNNUMBERED = """
WITH looked_for (user) AS (VALUES {})
SELECT user FROM looked_for
WHERE EXISTS (SELECT 1 FROM payment_data
              WHERE user_email = looked_for.user AND transaction_id IS NULL)
"""

# A row that a provider's event made does not count: it gives way to that of the page.
_HAS_NUMBER = """
SELECT 1 FROM payment_data
WHERE user_email = ? AND transaction_id = ?
  AND NOT EXISTS (SELECT 1 FROM payment_events
                  WHERE payment_id = payment_data.id AND made_payment = 1)
LIMIT 1
"""

# The columns come from the table of kinds. A row that no receipt knows was written by hand and is
# left alone.
_FIND_ROWS = f"""
SELECT payment.id, created_at, facts.currency,
       facts.confirmed_at IS NOT NULL
           OR EXISTS (SELECT 1 FROM capture_receipts AS receipt
                      WHERE receipt.confirmed = 1 AND receipt.user_email = payment.user_email
                        AND receipt.capture_type = 'payment' AND receipt.row_id = payment.id),
       transaction_id IS NULL
           OR payment.id = (SELECT max(state.id) FROM payment_data AS state
                            WHERE state.user_email = payment.user_email
                              AND state.transaction_id = payment.transaction_id),
       EXISTS (SELECT 1 FROM capture_receipts AS receipt
               WHERE receipt.row_id = payment.id AND receipt.capture_type = 'payment'
                 AND receipt.user_email = payment.user_email
                 AND receipt.created_at <= strftime('%Y-%m-%dT%H:%M:%fZ', payment.created_at,
                                                    '+{WINDOW_SECONDS} seconds')),
       {", ".join(COLUMNS)}
FROM (SELECT * FROM payment_data
      WHERE user_email = ? AND created_at BETWEEN ? AND ? {{}}
      ORDER BY created_at DESC LIMIT {_MAX_ROWS}) AS payment
     LEFT JOIN payment_facts AS facts
     ON facts.payment_id = payment.id AND facts.user_email = payment.user_email
WHERE EXISTS (SELECT 1 FROM capture_receipts AS receipt
              WHERE receipt.row_id = payment.id AND receipt.capture_type = 'payment'
                AND receipt.user_email = payment.user_email AND receipt.created_at >= ?)
ORDER BY payment.id
"""  # noqa: S608
_FIND_ANY_ROWS = _FIND_ROWS.format("")
_FIND_UNNUMBERED_ROWS = _FIND_ROWS.format("AND transaction_id IS NULL")
_FIND_ROW = _FIND_ROWS.format("AND id = ?")

_HAS_WHOLE_STATE = """
SELECT 1 FROM payment_data
WHERE user_email = ? AND transaction_id = ? AND plan_name IS NOT NULL AND final_price IS NOT NULL
LIMIT 1
"""

_SET_NUMBER = "UPDATE payment_data SET transaction_id = ? WHERE id = ?"


class PaymentMatch(NamedTuple):
    """What a capture is to the rows of its user.

    Attributes:
        capture: the capture, maybe with values of the same payment's row.
        row_id: the row that it repeats; None: it adds a row.
        is_completed: whether the row got values of the capture.
    """

    capture: Capture
    row_id: int | None = None
    is_completed: bool = False


def match_payment(
    connection: sqlite3.Connection,
    capture: Capture,
    stored_email: str,
    content_digest: bytes | None,
) -> PaymentMatch:
    """Find the row of the payment that a capture is about, and complete the row.

    The capture must repeat no row with its number.
    """
    number = _number_of(capture)
    match = _match_by_key(connection, capture, stored_email)
    if match is not None:
        return match
    if number is None:
        match = _match_unnumbered(connection, capture, stored_email, content_digest)
        if match.row_id is None and _number_of(match.capture) is None:
            made = find_made_number(connection, capture, stored_email)
            if made is not None:
                return PaymentMatch(_replace_values(capture, {NUMBER: made}))
        return match
    if connection.execute(_HAS_UNNUMBERED, (stored_email,)).fetchone() is None:
        return PaymentMatch(capture)
    if connection.execute(_HAS_NUMBER, (stored_email, number)).fetchone() is None:
        return _match_numbered(connection, capture, stored_email)
    # A new state of a payment that is known. If its rows say only the number, as a server's
    # response does, the request before it is this payment, too.
    if connection.execute(_HAS_WHOLE_STATE, (stored_email, number)).fetchone() is None:
        return _match_numbered(connection, capture, stored_email, adds_row=True)
    return PaymentMatch(capture)


def is_unnumbered(capture: Capture) -> bool:
    """Tell whether a capture is a payment without a number."""
    return capture.kind is PAYMENT and _number_of(capture) is None


def _number_of(capture: Capture) -> ColumnValue:
    return capture.values[_NUMBER_INDEX]


def find_users_with_unnumbered(
    connection: sqlite3.Connection, stored_emails: Sequence[str]
) -> set[str]:
    """Find the users who have a payment without a number."""
    if not stored_emails or connection.execute(_HAS_ANY_UNNUMBERED).fetchone() is None:
        return set()
    keys = [(stored_email,) for stored_email in stored_emails]
    return {user for (user,) in select_matching(connection, _FIND_USERS_WITH_UNNUMBERED, keys)}


def _match_unnumbered(
    connection: sqlite3.Connection,
    capture: Capture,
    stored_email: str,
    content_digest: bytes | None,
) -> PaymentMatch:
    since = earlier(capture.happened_at, WINDOW_SECONDS)
    is_live = capture.happened_at >= earlier(capture.received_at, WINDOW_SECONDS)
    rows = _find_rows(connection, _FIND_ANY_ROWS, capture, stored_email, _LOOK_BACK_SECONDS)
    for row in rows:
        if (
            content_digest is not None
            and (row.created_at >= since or (is_live and row.arrived_live))
            and (not capture.is_confirmed or row.is_confirmed or has_exactly(row, capture))
            and is_content_recorded(connection, PAYMENT.name, row.id, stored_email, content_digest)
        ):
            return PaymentMatch(capture, row.id)
    numbered = [
        row
        for row in reversed(rows)  # what is shown to the user follows the latest request
        if row.values[NUMBER] is not None
        and row.created_at >= since
        and (row.is_confirmed or not capture.is_confirmed)
        and is_same_payment(row, capture)
    ]
    for row in sorted(numbered, key=lambda row: is_step(row, capture)):  # equal statuses first
        match = _join_numbered_row(connection, capture, row, stored_email)
        if match is not None:
            return match
    return PaymentMatch(capture)


def _join_numbered_row(
    connection: sqlite3.Connection, capture: Capture, row: PaymentRow, stored_email: str
) -> PaymentMatch | None:
    """Join a capture without a number to a row; None if the row is no latest state."""
    if not is_step(row, capture):
        return _complete(connection, capture, row, stored_email)
    if not row.is_latest_state:
        return None
    take = _take_values if row.is_confirmed == capture.is_confirmed else _take_number
    return PaymentMatch(take(capture, row))


def _match_numbered(
    connection: sqlite3.Connection, capture: Capture, stored_email: str, *, adds_row: bool = False
) -> PaymentMatch:
    rows = _find_rows(connection, _FIND_UNNUMBERED_ROWS, capture, stored_email, WINDOW_SECONDS)
    for row in rows:  # the oldest is the next to get its number
        if (row.is_confirmed and not capture.is_confirmed) or not is_same_payment(row, capture):
            continue
        return _join_unnumbered_row(connection, capture, row, stored_email, adds_row=adds_row)
    return PaymentMatch(capture)


def _join_unnumbered_row(
    connection: sqlite3.Connection,
    capture: Capture,
    row: PaymentRow,
    stored_email: str,
    *,
    adds_row: bool,
) -> PaymentMatch:
    """Give a row the number of a capture; complete it, or add the capture as the next state."""
    is_confirmation = capture.is_confirmed and not row.is_confirmed
    is_state = adds_row or is_step(row, capture)
    if not is_state and (not is_confirmation or is_part_of(row, capture)):
        return _complete(connection, capture, row, stored_email)
    connection.execute(_SET_NUMBER, (_number_of(capture), row.id))
    return PaymentMatch(capture if is_confirmation else _take_values(capture, row))


def _match_by_key(
    connection: sqlite3.Connection, capture: Capture, stored_email: str
) -> PaymentMatch | None:
    """Join a capture to the row with its idempotency key; None if there is none that fits."""
    row_id = find_row_by_key(connection, capture, stored_email)
    if row_id is None:
        return None
    rows = _find_rows(
        connection, _FIND_ROW, capture, stored_email, KEY_SECONDS, arrival_seconds=KEY_SECONDS,
        row_id=row_id,
    )  # fmt: skip
    for row in rows:
        number, row_number = _number_of(capture), row.values[NUMBER]
        if capture.is_confirmed != row.is_confirmed:
            return None
        if not is_same_payment(row, capture, has_same_key=True):
            return None
        if row_number is not None and number is None:
            return _join_numbered_row(connection, capture, row, stored_email)
        if row_number is None and number is not None:
            known = connection.execute(_HAS_NUMBER, (stored_email, number)).fetchone() is not None
            return _join_unnumbered_row(connection, capture, row, stored_email, adds_row=known)
        if row_number is None:
            return _change_unnumbered_row(connection, capture, row, stored_email)
    return None


def _change_unnumbered_row(
    connection: sqlite3.Connection, capture: Capture, row: PaymentRow, stored_email: str
) -> PaymentMatch:
    """Lay a capture over a row: without a number, a second row would be a second payment."""
    keeps_status = row.values[STATUS] is not None and not is_step(row, capture)
    update = without_status(capture) if keeps_status else capture
    is_changed = change_row(connection, update._replace(target_row=row.id), stored_email)
    return PaymentMatch(capture, row.id, is_changed)


def _find_rows(
    connection: sqlite3.Connection,
    statement: str,
    capture: Capture,
    stored_email: str,
    look_back_seconds: float,
    *,
    arrival_seconds: float = WINDOW_SECONDS,
    row_id: int | None = None,
) -> list[PaymentRow]:
    happened_at = capture.happened_at
    values = (
        stored_email,
        earlier(happened_at, look_back_seconds),
        earlier(happened_at, -arrival_seconds),
        *(() if row_id is None else (row_id,)),
        earlier(capture.received_at, arrival_seconds),
    )
    with tolerate_invalid_utf8(connection, "replace"):
        found = connection.execute(statement, values).fetchall()
    about_row = len(PaymentRow._fields) - 1
    return [
        PaymentRow._make((*row[:about_row], meaningful_values(row[about_row:]))) for row in found
    ]


def _take_number(capture: Capture, row: PaymentRow) -> Capture:
    """Give a capture the number of its payment's row."""
    return _replace_values(capture, {NUMBER: row.values[NUMBER]})


def _take_values(capture: Capture, row: PaymentRow) -> Capture:
    """Fill what a capture leaves out with the values of its payment's row."""
    given = values_of(capture)
    capture = _replace_values(
        capture, {column: value for column, value in row.values.items() if given[column] is None}
    )
    facts = capture.facts
    if facts is None or facts.currency is not None or row.currency is None:
        return capture
    amount = rescale_amount(facts.amount_minor, row.currency)
    return capture._replace(facts=facts._replace(currency=row.currency, amount_minor=amount))


def _replace_values(capture: Capture, new: dict[str, ColumnValue]) -> Capture:
    return capture._replace(values=tuple({**values_of(capture), **new}.values()))


def _complete(
    connection: sqlite3.Connection, capture: Capture, row: PaymentRow, stored_email: str
) -> PaymentMatch:
    """Fill the columns of a row that are NULL with the values of a capture of the payment."""
    if row.is_confirmed and not capture.is_confirmed:
        return PaymentMatch(capture, row.id)
    new: dict[str, Any] = {
        column: value
        for column, value in values_of(capture).items()
        if value is not None and row.values[column] is None
    }
    if new:
        # The names come from the table of kinds.
        assignments = ", ".join(f"{column} = ?" for column in new)
        update = (
            f"UPDATE payment_data SET {assignments}, updated_at = max(updated_at, ?) WHERE id = ?"  # noqa: S608
        )
        connection.execute(update, (*new.values(), capture.happened_at, row.id))
    if STATUS in new:
        complete_status(connection, capture, row.id, stored_email)
    complete_facts(connection, capture, row.id, stored_email)
    return PaymentMatch(capture, row.id, is_completed=bool(new))
