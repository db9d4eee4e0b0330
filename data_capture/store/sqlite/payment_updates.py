"""Recognise captures that say little of a payment that is known, or less than its latest state.

- A server's response such as `{"transaction_id": "TX-1", "status": "completed"}` says nothing of
  the plan and the price. It is laid over the payment's latest state, although nothing marks it as
  partial.
- A status such as `unknown`, or none, replaces no other: the page left before its save was
  answered. But with another plan or price, it is another purchase for which the page used the
  number again.
- A claim that a payment failed changes no payment that was completed: a page saves a payment more
  than once, and each of these saves can be refused. It is in the audit trail only.
- A failed payment that is completed later, with the same number, is one payment: the completion is
  its next state.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from data_capture.capture.conversion import ColumnValue
from data_capture.capture.parse import Capture
from data_capture.capture.payments.statuses import (
    COMPLETED,
    DISPUTED,
    FAILED,
    REFUNDED,
    UNKNOWN,
    normalise_status,
)
from data_capture.capture.says_nothing import says_nothing
from data_capture.problems import FieldError
from data_capture.sql.bulk import tolerate_invalid_utf8
from data_capture.store.sqlite.payment_comparison import NUMBER, STATUS, agree_on, values_of

_WHAT_WAS_BOUGHT = ("plan_name", "original_price", "final_price")
_WAS_PAID = frozenset({COMPLETED, REFUNDED, DISPUTED})

_FIND_LATEST = """
SELECT payment.id, payment_status, facts.status, plan_name, final_price
FROM payment_data AS payment
     LEFT JOIN payment_facts AS facts
     ON facts.payment_id = payment.id AND facts.user_email = payment.user_email
WHERE payment.user_email = ? AND transaction_id = ?
ORDER BY payment.id DESC LIMIT 1
"""


class SettledRow(NamedTuple):
    """The row of a payment that was completed, and a capture that does not change it."""

    capture: Capture
    row_id: int


class _LatestState(NamedTuple):
    id: int
    status: str | None
    shared_status: str
    plan_name: str | None
    final_price: str | int | None


def find_settled_row(
    connection: sqlite3.Connection, capture: Capture, stored_email: str
) -> SettledRow | None:
    """Return the completed payment of a claim that it failed, or None."""
    if capture.is_confirmed or _status_of(capture) != FAILED:
        return None
    state = _find_latest_state(connection, capture, stored_email)
    if state is None or state.shared_status not in _WAS_PAID:
        return None
    warning = FieldError(STATUS, f"is {FAILED}, but the payment is {state.shared_status}")
    return SettledRow(capture._replace(warnings=(*capture.warnings, warning)), state.id)


def as_update(connection: sqlite3.Connection, capture: Capture, stored_email: str) -> Capture:
    """Return a payment's capture as a partial update, and with the known status, if it is one."""
    values = values_of(capture)
    if values[NUMBER] is None:
        return capture
    if values[STATUS] is not None and all(values[one] is None for one in _WHAT_WAS_BOUGHT):
        capture = capture._replace(is_partial=True)
    if not says_nothing(values[STATUS]):
        return capture
    state = _find_latest_state(connection, capture, stored_email)
    if state is None or says_nothing(state.status) or not _agrees(capture, state):
        return capture
    if capture.is_confirmed:  # it must not confirm what a claim says
        return without_status(capture)
    facts = capture.facts
    return capture._replace(
        values=tuple({**values, STATUS: state.status}.values()),
        facts=None if facts is None else facts._replace(status=state.shared_status),
    )


def keeps_status(capture: Capture, stored_status: ColumnValue) -> bool:
    """Tell whether a row's status stays, whatever a capture of its payment says."""
    if says_nothing(stored_status):
        return False
    if says_nothing(values_of(capture)[STATUS]):
        return True
    is_failure = not capture.is_confirmed and _status_of(capture) == FAILED
    return is_failure and normalise_status(str(stored_status)) in _WAS_PAID


def without_status(capture: Capture) -> Capture:
    """Return a payment's capture without its status."""
    facts = None if capture.facts is None else capture.facts._replace(status=UNKNOWN)
    values = tuple({**values_of(capture), STATUS: None}.values())
    return capture._replace(values=values, facts=facts)


def _status_of(capture: Capture) -> str | None:
    status = values_of(capture)[STATUS]
    return None if status is None else normalise_status(str(status))


def _agrees(capture: Capture, state: _LatestState) -> bool:
    """Return whether a capture and a state with its number have no two plans or prices.

    Otherwise the page used the number for another purchase.
    """
    values = values_of(capture)
    return agree_on("plan_name", state.plan_name, values["plan_name"]) and agree_on(
        "final_price", state.final_price, values["final_price"]
    )


def _find_latest_state(
    connection: sqlite3.Connection, capture: Capture, stored_email: str
) -> _LatestState | None:
    number = values_of(capture)[NUMBER]
    if number is None:
        return None
    with tolerate_invalid_utf8(connection, "replace"):
        found = connection.execute(_FIND_LATEST, (stored_email, number)).fetchone()
    if found is None:
        return None
    state = _LatestState(*found)
    if state.shared_status is not None:
        return state
    shared = UNKNOWN if state.status is None else normalise_status(str(state.status))
    return state._replace(shared_status=shared)
