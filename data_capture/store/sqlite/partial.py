"""Lay a partial update over the user's latest state of its kind.

A partial update (`"partial": true`) says only what changed. What it leaves out keeps its value: the
columns come from the user's latest row, for a payment from the latest row with its number. Objects
in JSON columns are laid over member by member. Without an earlier state, or for a payment without a
number, a partial update is stored as any other capture.

A confirmed partial update is laid over the latest confirmed row: it must not confirm what a claim
says.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

from data_capture.capture.conversion import ColumnValue
from data_capture.capture.converters import json_state
from data_capture.capture.kinds import Kind
from data_capture.capture.parse import Capture
from data_capture.capture.payments.facts import PaymentFacts, rescale_amount
from data_capture.json_codec import decode_json, encode_json
from data_capture.problems import Problem
from data_capture.sql.bulk import tolerate_invalid_utf8
from data_capture.store.sqlite.capture_rows import subject_of
from data_capture.store.sqlite.payment_facts import find_facts_of

_MAX_MERGED_CHARACTERS = 200_000  # merging takes milliseconds, in which nothing else is written


class CompletedUpdate(NamedTuple):
    """A partial update with the values of the state below it.

    Attributes:
        capture: the capture to store.
        copied_bytes: the size of the texts that it left out.
    """

    capture: Capture
    copied_bytes: int = 0


def complete_partial(
    connection: sqlite3.Connection, capture: Capture, stored_email: str
) -> CompletedUpdate:
    """Return a capture; a partial one with the values that it leaves out."""
    if not capture.is_partial:
        return CompletedUpdate(capture)
    kind = capture.kind
    row = _find_state(connection, capture, stored_email)
    if row is None:
        defaults = kind.defaults[: len(kind.fields)]
        return CompletedUpdate(capture._replace(values=_fill(capture.values, defaults)))
    row_id, *state = row
    copied = [
        old
        for new, old in zip(capture.values, state, strict=True)
        if new is None and isinstance(old, str)
    ]
    facts = capture.facts
    if facts is not None:
        facts = complete_facts_of_update(connection, capture, facts, row_id, stored_email)
    values = tuple(
        _merge_states(old, new, is_flat=capture.has_flat_state)
        if field.converter is json_state
        else new
        for field, old, new in zip(kind.fields, state, capture.values, strict=True)
    )
    capture = capture._replace(values=_fill(values, state), facts=facts)
    return CompletedUpdate(capture, sum(map(len, copied)))


def _fill(values: tuple[ColumnValue, ...], others: Any) -> tuple[ColumnValue, ...]:
    return tuple(
        other if value is None else value for value, other in zip(values, others, strict=True)
    )


def _find_state(
    connection: sqlite3.Connection, capture: Capture, stored_email: str
) -> tuple[Any, ...] | None:
    """Return the id and the values of the row below a partial update, or None."""
    kind = capture.kind
    if kind.repetition is None:
        return None
    values: list[ColumnValue] = [stored_email]
    if kind.repetition.about is not None:
        subject = subject_of(capture)
        if subject is None:
            return None
        values.append(subject)
    statement = _find_state_statement(kind, is_confirmed=capture.is_confirmed)
    with tolerate_invalid_utf8(connection, "replace"):
        found: tuple[Any, ...] | None = connection.execute(statement, values).fetchone()
    return found


@cache
def _find_state_statement(kind: Kind, *, is_confirmed: bool) -> str:
    assert kind.repetition is not None
    columns = ", ".join(f"state.{field.column}" for field in kind.fields)
    about = f"AND state.{kind.repetition.about} = ?" if kind.repetition.about is not None else ""
    # The names come from the table of kinds.
    if not is_confirmed:
        return f"""
            SELECT state.id, {columns} FROM {kind.table} AS state
            WHERE state.user_email = ? {about} ORDER BY state.id DESC LIMIT 1
        """  # noqa: S608
    return f"""
        SELECT state.id, {columns}
        FROM capture_receipts AS receipt CROSS JOIN {kind.table} AS state
        WHERE receipt.confirmed = 1 AND receipt.user_email = ?
          AND receipt.capture_type = '{kind.name}' AND state.id = receipt.row_id
          AND state.user_email = receipt.user_email {about}
        ORDER BY receipt.row_id DESC LIMIT 1
    """  # noqa: S608


def _merge_states(old: Any, new: ColumnValue, *, is_flat: bool) -> ColumnValue:
    """Lay one JSON object over another, both as text.

    A large state is kept as it is: the update's snapshot has the update. So is a state of another
    shape than a flat update, whose members have columns.
    """
    if not isinstance(old, str) or not isinstance(new, str):
        return new
    if len(old) + len(new) > _MAX_MERGED_CHARACTERS:
        return max(old, new, key=len)
    with suppress(Problem):
        below, above = decode_json(old), decode_json(new)
        if isinstance(below, dict) and isinstance(above, dict):
            if is_flat and below.keys().isdisjoint(above):
                return old
            return encode_json(_lay_over(below, above))
    return new


def _lay_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lay one object over another; null says nothing, and a list replaces a list."""
    merged = dict(below)
    for name, member in above.items():
        old = merged.get(name)
        if isinstance(member, dict) and isinstance(old, dict):
            merged[name] = _lay_over(old, member)
        elif member is not None:
            merged[name] = member
    return merged


def complete_facts_of_update(
    connection: sqlite3.Connection,
    capture: Capture,
    facts: PaymentFacts,
    row_id: int,
    stored_email: str,
) -> PaymentFacts:
    """Complete the facts of a partial update with the stored facts of its payment."""
    stored = find_facts_of(connection, row_id, stored_email)
    if stored is None:
        return facts
    indexes = capture.kind.field_indexes
    status = stored.status if capture.values[indexes["payment_status"]] is None else facts.status
    currency = facts.currency or stored.currency
    if capture.values[indexes["final_price"]] is None:
        amount, amount_currency = stored.amount_minor, stored.currency
    else:
        amount, amount_currency = facts.amount_minor, facts.currency
    if currency is not None and amount_currency is None:
        amount = rescale_amount(amount, currency)
    return PaymentFacts(currency, status, amount)
