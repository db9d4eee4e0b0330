"""Retention: what is older than `EDC_RETENTION_DAYS` says goes, by kind, and separately callers' addresses and user agents.

A capture's row goes when that many days have passed since it happened (a dashboard's state: since it last held), with all its
receipts, in one transaction; from the audit records, which stay, what they hold of it. That happened on the server's clock, so
that a capture which waited in a browser's queue is in its audit record for up to a week longer. Covered records still verify
(`data_capture.audit`).
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from data_capture.audit import RETENTION_USER, RetentionCovers, record_audit, take_from_records
from data_capture.audit.format import RETENTION
from data_capture.capture.kinds import KINDS, Kind
from data_capture.capture.timestamps import timestamp
from data_capture.json_codec import encode_json
from data_capture.privacy.receipts import IS_SPARE, delete_spare
from data_capture.privacy.tables import AUDIT, RECEIPTS
from data_capture.store import Store
from data_capture.store.sqlite.users import ensure_user

_ROWS_A_COMMIT = 500  # others wait for one commit only
_COLUMNS = ("ip_address", "user_agent")
_OF_KIND = ("data_snapshot", "error_details")


@dataclass(frozen=True)
class Step:
    """What one rule does to one table: `what` it was, `rows` that it concerned."""

    table: str
    what: str
    rows: int


def apply_retention(
    store: Store,
    rules: Sequence[str],
    now: datetime,
    *,
    source_endpoint: str = "retention",
    dry_run: bool = False,
) -> list[Step]:
    """Applies the rules, some hundred rows a commit, and records it in the audit trail.

    Args:
        store: the database.
        rules: as `EDC_RETENTION_DAYS` has them: `payment=3650`.
        now: the server's time.
        source_endpoint: what asked for it.
        dry_run: changes nothing, and tells what would be done.

    Returns:
        What was done, without what concerned nothing.

    Raises:
        Problem: 503, when the database can't be written; what was done by then is.
    """
    before = {
        name: timestamp(now - timedelta(days=int(days)))
        for name, _, days in (rule.partition("=") for rule in rules)
    }
    if not before:
        return []
    due_kinds = {kind: since for kind, since in before.items() if kind in KINDS}
    steps = (
        _captures_that_would_go(store, due_kinds) if dry_run else _delete_captures(store, due_kinds)
    )
    steps += [
        Step(
            table,
            what,
            _count(store, select, since) if dry_run else _repeat(store, select, change, since),
        )
        for table, what, select, change, since in _changes(before)
    ]
    steps.append(_age_records(store, before, timestamp(now), source_endpoint, dry_run=dry_run))
    done = [step for step in steps if step.rows]
    if done and not dry_run:
        said = encode_json(
            {
                "rules": list(rules),
                "rows": {f"{step.table}: {step.what}": step.rows for step in done},
            }
        )

        def record(connection: sqlite3.Connection) -> None:
            whose = ensure_user(connection, RETENTION_USER, None, timestamp(now))
            record_audit(connection, user_email=whose, capture_type=RETENTION, timestamp=timestamp(now),
                         source_endpoint=source_endpoint, snapshot=said)  # fmt: skip

        store.write(record)
        store.checkpoint()  # at once if nobody reads; else the log goes round before long
    return done


# Table and column names come from the table of kinds, and from the two columns above.


def _delete_captures(store: Store, before: dict[str, str]) -> list[Step]:
    """Deletes the rows that are due, each with its receipts, and spare receipts that are as old."""
    steps, receipts = [], Counter[str]()
    for kind, since in before.items():
        rows = 0
        while deleted := store.write(
            lambda connection, kind=kind, since=since: _delete_due(connection, KINDS[kind], since)  # type: ignore[misc]
        ):
            rows += deleted[0]
            receipts[kind] += deleted[1]
        steps.append(Step(KINDS[kind].table, "deleted", rows))
    receipts += delete_spare(store, before)
    return steps + [
        Step(RECEIPTS, f"deleted ({kind})", number) for kind, number in receipts.items()
    ]


def _delete_due(connection: sqlite3.Connection, kind: Kind, since: str) -> tuple[int, int] | None:
    """Deletes some rows that are due, with their receipts: how many of both; None when no row is due."""
    select = f"SELECT id FROM {kind.table} WHERE {_time_of(kind)} < ? LIMIT {_ROWS_A_COMMIT}"  # noqa: S608
    due = [number for (number,) in connection.execute(select, (since,))]
    if not due:
        return None
    connection.executemany(f"DELETE FROM {kind.table} WHERE id = ?", [(number,) for number in due])  # noqa: S608
    receipts = f"DELETE FROM {RECEIPTS} WHERE row_id = ? AND capture_type = ?"  # noqa: S608
    return len(due), connection.executemany(
        receipts, [(number, kind.name) for number in due]
    ).rowcount


def _captures_that_would_go(store: Store, before: dict[str, str]) -> list[Step]:
    steps = []
    for kind, since in before.items():
        due = f"SELECT id FROM {KINDS[kind].table} WHERE {_time_of(KINDS[kind])} < :since"  # noqa: S608
        receipts = (
            f"SELECT count(*) FROM {RECEIPTS} WHERE capture_type = :kind "  # noqa: S608
            f"AND (row_id IN ({due}) OR ({IS_SPARE} AND created_at < :since))"
        )
        for table, what, select in ((KINDS[kind].table, "deleted", f"SELECT count(*) FROM ({due})"),  # noqa: S608
                                    (RECEIPTS, f"deleted ({kind})", receipts)):  # fmt: skip
            (rows,) = store.read(
                lambda connection, select=select, kind=kind, since=since: connection.execute(  # type: ignore[misc]
                    select, {"kind": kind, "since": since}
                ).fetchone()
            )
            steps.append(Step(table, what, rows))
    return steps


def _changes(before: dict[str, str]) -> Iterator[tuple[str, str, str, str, str]]:
    """For each column that ages by itself: its table, what it is, which rows are due, and what becomes of one."""
    for kind in KINDS.values():
        time = _time_of(kind)
        for column in _COLUMNS:
            if column in before:
                due = f"SELECT id FROM {kind.table} WHERE {column} IS NOT NULL AND {time} < ? LIMIT {_ROWS_A_COMMIT}"  # noqa: S608
                taken = f"UPDATE {kind.table} SET {column} = NULL WHERE id = ?"  # noqa: S608
                yield kind.table, f"{column} taken", due, taken, before[column]


def _time_of(kind: Kind) -> str:
    lasts = kind.repetition is not None and kind.repetition.touches_updated_at
    return kind.time_columns[-1 if lasts else 0]


def _count(store: Store, select: str, since: str) -> int:
    every = f"SELECT count(*) FROM ({select.rpartition(' LIMIT ')[0]})"  # noqa: S608
    return int(store.read(lambda connection: connection.execute(every, (since,)).fetchone()[0]))


def _repeat(store: Store, select: str, change: str, since: str) -> int:
    def work(connection: sqlite3.Connection) -> int:
        due = connection.execute(select, (since,)).fetchall()
        connection.executemany(change, due)
        return len(due)

    total = 0
    while changed := store.write(work):
        total += changed
    return total


def _age_records(
    store: Store, before: dict[str, str], now: str, source_endpoint: str, *, dry_run: bool
) -> Step:
    """Takes what is due from the audit records, in the order of their ids."""
    total, last, covers = 0, 0, RetentionCovers()
    while True:
        taken, last = store.read(
            lambda connection, last=last: _records_due(connection, before, last)  # type: ignore[misc]
        )
        if not last:
            return Step(AUDIT, "aged", total)
        numbers = {number for of_column in taken.values() for number in of_column}
        total += len(numbers)
        if numbers and not dry_run:

            def work(connection: sqlite3.Connection, taken: dict[str, list[int]] = taken) -> int:
                whose = ensure_user(connection, RETENTION_USER, None, now)
                return take_from_records(
                    connection,
                    taken,
                    whose,
                    timestamp=now,
                    source_endpoint=source_endpoint,
                    covers=covers,
                )

            store.write(work)


def _records_due(
    connection: sqlite3.Connection, before: dict[str, str], after: int
) -> tuple[dict[str, list[int]], int]:
    """Of the next records what is due, by column; and the last of them, 0 when there are no more."""
    columns = ", ".join(f"{column} IS NOT NULL" for column in (*_OF_KIND, *_COLUMNS))
    select = f"SELECT id, capture_type, timestamp, {columns} FROM {AUDIT} WHERE id > ? AND timestamp < ? ORDER BY id LIMIT ?"  # noqa: S608
    rows = connection.execute(select, (after, max(before.values()), _ROWS_A_COMMIT)).fetchall()
    taken: dict[str, list[int]] = {}
    for number, capture_type, moment, *there in rows:
        for column, is_there in zip((*_OF_KIND, *_COLUMNS), there, strict=True):
            since = before.get(capture_type if column in _OF_KIND else column)
            if (
                is_there
                and since is not None
                and moment < since
                and (column in _COLUMNS or capture_type in KINDS)
            ):
                taken.setdefault(column, []).append(number)
    return taken, rows[-1][0] if rows else 0
