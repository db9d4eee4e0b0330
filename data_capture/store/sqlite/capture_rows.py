"""Insert, compare and confirm the rows of captures in the tables of their kinds.

Table and column names in the statements come from the table of kinds, never from a request.
"""

from __future__ import annotations

import sqlite3
from functools import cache

from data_capture.capture.capture_time import MAX_CAPTURE_AGE
from data_capture.capture.conversion import ColumnValue
from data_capture.capture.converters import json_state
from data_capture.capture.kinds import Kind
from data_capture.capture.parse import Capture
from data_capture.capture.timestamps import earlier
from data_capture.sql.bulk import tolerate_invalid_utf8
from data_capture.store.sqlite.keys import ReceiptKey
from data_capture.store.sqlite.payment_facts import complete_facts, contradicts_facts, insert_facts
from data_capture.store.sqlite.receipts import is_content_recorded, is_row_confirmed
from data_capture.store.sqlite.state_comparison import (
    MAX_CHARACTERS,
    is_contained,
    may_be_part_of_state,
    omit_defaults,
    state_columns,
)

_DAY_CHARACTERS = len("2024-01-15")
_END_OF_TIME = "9999-12-31T23:59:59.999Z"


def insert_row(connection: sqlite3.Connection, capture: Capture, stored_email: str) -> int:
    """Insert a capture's row, and a payment's facts; return the row's id."""
    values = row_values(capture, stored_email)
    row_id = connection.execute(insert_statement(capture.kind), values).lastrowid
    assert row_id is not None
    insert_facts(connection, capture, row_id, stored_email)
    return row_id


def row_values(capture: Capture, stored_email: str) -> tuple[ColumnValue, ...]:
    """Return the values of `insert_statement` for a capture.

    The address is spelled as in `users.email`.
    """
    return (stored_email, *capture.values, *_origin_values(capture))


@cache
def insert_statement(kind: Kind) -> str:
    """Return the statement that inserts a row of this kind."""
    columns = ("user_email", *(field.column for field in kind.fields), *_origin_columns(kind))
    placeholders = ", ".join("?" * len(columns))
    return f"INSERT INTO {kind.table} ({', '.join(columns)}) VALUES ({placeholders})"  # noqa: S608


def subject_of(capture: Capture) -> ColumnValue:
    """Return what a capture's row is about, by the repetition rule."""
    assert capture.kind.repetition is not None
    return capture.values[capture.kind.field_indexes[capture.kind.repetition.about or ""]]


def identify_subject(capture: Capture, key: ReceiptKey) -> Capture:
    """Add a keyed digest to what a capture is about, if that was masked.

    Otherwise two payments whose masked ids are equal would be stored as one.
    """
    if capture.masked_subject_digest is None:
        return capture
    assert capture.kind.repetition is not None
    index = capture.kind.field_indexes[capture.kind.repetition.about or ""]
    values = [*capture.values]
    values[index] = f"{values[index]} #{key.subject_digest(capture.masked_subject_digest)}"
    return capture._replace(values=tuple(values), masked_subject_digest=None)


def find_repeated_row(
    connection: sqlite3.Connection,
    capture: Capture,
    stored_email: str,
    content_digest: bytes | None,
) -> int | None:
    """Find the row that a capture repeats, and move its `updated_at`.

    The kind's repetition rule says when it does. A capture with the content of the row repeats it,
    too, although a state in JSON may contain another time.

    Only the row that arrived last is compared, whatever times the rows have. Returns None if the
    capture has new values.
    """
    repetition = capture.kind.repetition
    if repetition is None:
        return None
    values: list[ColumnValue] = [stored_email]
    if repetition.about is not None:
        subject = subject_of(capture)
        if subject is None:
            return None
        values.append(subject)
    else:
        values.append(_latest_repeated_time(capture))
    if repetition.within_seconds is not None:
        values.append(earlier(capture.happened_at, repetition.within_seconds))
    may_be_part = repetition.ignores_omitted_fields and may_be_part_of_state(capture)
    statement = _repeated_row_statement(capture.kind, ignores_omitted=may_be_part)
    own_values = omit_defaults(capture) if may_be_part else capture.values
    found = connection.execute(statement, (*own_values, *values)).fetchone()
    if found is None:
        return None
    row_id, has_equal_values, has_equal_states = found
    if not has_equal_values:
        return None
    if not has_equal_states:
        is_recorded = content_digest is not None and is_content_recorded(
            connection, capture.kind.name, row_id, stored_email, content_digest
        )
        if not is_recorded and not (may_be_part and _has_states(connection, capture, row_id)):
            return None
    if capture.is_confirmed and not _may_confirm(connection, capture, row_id, stored_email):
        return None
    if contradicts_facts(connection, capture, row_id, stored_email):
        return None
    complete_facts(connection, capture, row_id, stored_email)
    if repetition.touches_updated_at and _may_move(connection, capture, row_id, stored_email):
        update = f"UPDATE {capture.kind.table} SET updated_at = max(updated_at, ?) WHERE id = ?"  # noqa: S608
        connection.execute(update, (capture.happened_at, row_id))
    return int(row_id)


def _has_states(connection: sqlite3.Connection, capture: Capture, row_id: int) -> bool:
    """Return whether a row's states have all that those of a capture say."""
    columns = state_columns(capture.kind)
    if not columns:
        return False
    selected = ", ".join(f"substr({column}, 1, {MAX_CHARACTERS + 1})" for column in columns)
    select = f"SELECT {selected} FROM {capture.kind.table} WHERE id = ?"  # noqa: S608
    with tolerate_invalid_utf8(connection, "replace"):
        states = connection.execute(select, (row_id,)).fetchone()
    return is_contained(capture, dict(zip(columns, states, strict=True)))


def _latest_repeated_time(capture: Capture) -> str:
    """Return the latest time of a row that a capture can repeat.

    History that is brought in later repeats no newer state.
    """
    # Most captures arrive on the day on which they happened. Texts compare faster than times.
    if capture.happened_at[:_DAY_CHARACTERS] >= capture.received_at[:_DAY_CHARACTERS]:
        return _END_OF_TIME
    if capture.happened_at >= earlier(capture.received_at, MAX_CAPTURE_AGE.total_seconds()):
        return _END_OF_TIME
    return capture.happened_at


def equals_row(
    connection: sqlite3.Connection, capture: Capture, row_id: int, stored_email: str
) -> bool:
    """Return whether a row has the capture's values, and NULL for the others."""
    statement = _exact_row_statement(capture.kind)
    values = (row_id, stored_email, *capture.values)
    return connection.execute(statement, values).fetchone() is not None


def set_row_origin(connection: sqlite3.Connection, capture: Capture, row_id: int) -> None:
    """Give a row the times, the IP address and the user agent of a capture."""
    values = (*_origin_values(capture), row_id)
    connection.execute(_set_origin_statement(capture.kind), values)


def _may_move(
    connection: sqlite3.Connection, capture: Capture, row_id: int, stored_email: str
) -> bool:
    """Return whether a capture may move `updated_at`: a claim can't move a confirmed row's."""
    return capture.is_confirmed or not is_row_confirmed(
        connection, capture.kind.name, row_id, stored_email
    )


def _may_confirm(
    connection: sqlite3.Connection, capture: Capture, row_id: int, stored_email: str
) -> bool:
    """Return whether a confirmed capture may repeat a row.

    It must not confirm a claim's values that it leaves out itself.
    """
    return is_row_confirmed(connection, capture.kind.name, row_id, stored_email) or equals_row(
        connection, capture, row_id, stored_email
    )


def _origin_values(capture: Capture) -> tuple[ColumnValue, ...]:
    """Return the values of `_origin_columns`."""
    times = (capture.happened_at,) * len(capture.kind.time_columns)
    return (capture.ip_address, capture.user_agent, *times)


def _origin_columns(kind: Kind) -> tuple[str, ...]:
    """Return the columns for where and when a row comes from."""
    return ("ip_address", "user_agent", *kind.time_columns)


@cache
def _set_origin_statement(kind: Kind) -> str:
    assignments = ", ".join(f"{column} = ?" for column in _origin_columns(kind))
    return f"UPDATE {kind.table} SET {assignments} WHERE id = ?"  # noqa: S608


@cache
def _repeated_row_statement(kind: Kind, *, ignores_omitted: bool) -> str:
    repetition = kind.repetition
    assert repetition is not None
    about = f"AND {repetition.about} = ?" if repetition.about is not None else ""
    until = "WHERE created_at <= ?" if repetition.about is None else ""
    since = "AND created_at >= ?" if repetition.within_seconds is not None else ""
    # An omitted value counts as equal. A column's affinity makes '99.80' equal 99.8.
    equal = "coalesce(?{1}, {0}) IS {0}" if ignores_omitted else "{0} IS ?{1}"
    values, states = (
        " AND ".join(
            equal.format(field.column, number)
            for number, field in enumerate(kind.fields, 1)
            if (field.converter is json_state) == is_state
        )
        for is_state in (False, True)
    )
    return f"""
        SELECT id, {values}, {states or "TRUE"}
        FROM (SELECT * FROM {kind.table} WHERE user_email = ? {about} ORDER BY id DESC LIMIT 1)
        {until} {since}
    """  # noqa: S608


@cache
def _exact_row_statement(kind: Kind) -> str:
    equal = " AND ".join(f"{field.column} IS ?" for field in kind.fields)
    return f"SELECT 1 FROM {kind.table} WHERE id = ? AND user_email = ? AND {equal}"  # noqa: S608
