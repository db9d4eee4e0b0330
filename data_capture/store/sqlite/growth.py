"""Let one questionnaire grow: a page with several steps saves the answers of each step.

A capture that only adds answers to the user's latest row fills the row in place, if that is
unfinished: at most half of its answers are given, or it has grown before. Such a capture is a
partial update, or repeats all answers of the row and adds some. One that changes an answer adds a
row, so that the earlier answers stay.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import NamedTuple

from data_capture.capture.kinds import Kind
from data_capture.capture.parse import Capture
from data_capture.capture.timestamps import earlier
from data_capture.store.sqlite.receipts import is_row_confirmed


class GrownRow(NamedTuple):
    """The row that a capture fills."""

    id: int
    is_changed: bool


def grow_row(
    connection: sqlite3.Connection, capture: Capture, stored_email: str
) -> GrownRow | None:
    """Fill the user's latest row with what a capture adds to it; return None if it can't.

    A partial update must have the values that it leaves out. A claim changes no confirmed row, and
    what is confirmed confirms no claim.
    """
    kind = capture.kind
    repetition = kind.repetition
    if repetition is None or repetition.grows_within_seconds is None:
        return None
    since = earlier(capture.happened_at, repetition.grows_within_seconds)
    found = connection.execute(
        _find_statement(kind), (*capture.values, stored_email, since, capture.happened_at)
    ).fetchone()
    if found is None:
        return None
    row_id, is_changed, repeats_and_answers = found
    if not (capture.is_partial or repeats_and_answers):
        return None
    if is_row_confirmed(connection, kind.name, row_id, stored_email) != capture.is_confirmed:
        return None
    if is_changed:
        connection.execute(_grow_statement(kind), (*capture.values, capture.happened_at, row_id))
    return GrownRow(row_id, bool(is_changed))


@cache
def _find_statement(kind: Kind) -> str:
    # The names come from the table of kinds. A column's affinity makes '99.80' equal 99.8.
    columns = [field.column for field in kind.fields]
    keeps = " AND ".join(f"({one} IS NULL OR {one} IS ?{n})" for n, one in enumerate(columns, 1))
    answers = sorted(kind.evidence)
    given = " + ".join(f"({columns[index]} IS NOT NULL)" for index in answers)
    added = [f"({one} IS NULL AND ?{n} IS NOT NULL)" for n, one in enumerate(columns, 1)]
    adds = " OR ".join(added)
    answers_more = " OR ".join(added[index] for index in answers)
    most = len(kind.evidence) // 2
    after = len(columns)
    return f"""
        SELECT id, {adds}, {given} > 0 AND ({answers_more})
        FROM (SELECT * FROM {kind.table} WHERE user_email = ?{after + 1} ORDER BY id DESC LIMIT 1)
        WHERE updated_at >= ?{after + 2} AND created_at <= ?{after + 3}
          AND (updated_at > created_at OR {given} <= {most}) AND {keeps}
    """  # noqa: S608


@cache
def _grow_statement(kind: Kind) -> str:
    columns = [field.column for field in kind.fields]
    assignments = ", ".join(f"{one} = ?{n}" for n, one in enumerate(columns, 1))
    # A later time than that of the first answers shows that the row has grown.
    return f"""
        UPDATE {kind.table}
        SET {assignments},
            updated_at = max(updated_at, ?{len(columns) + 1},
                             strftime('%Y-%m-%dT%H:%M:%fZ', created_at, '+0.001 seconds'))
        WHERE id = ?{len(columns) + 2}
    """  # noqa: S608
