"""Delete old data by the retention periods of `EDC_RETENTION_DAYS`.

There is a period for each kind of capture, for callers' addresses and for user agents.

A capture's row is deleted when its period has passed since its time (for a dashboard's state: since
the end of the state), with its receipts, facts and events, in one transaction. Its audit records
stay, but lose its data. They are dated by the server's clock, so that a capture that waited in a
browser's queue can stay in its audit record for up to a week longer. Cleared records still verify
(`data_capture.audit`).
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from data_capture.audit import RETENTION_USER, RetentionAttestations, clear_columns, record_audit
from data_capture.audit.format import RETENTION
from data_capture.capture.kinds import KINDS, Kind
from data_capture.capture.timestamps import timestamp
from data_capture.json_codec import encode_json
from data_capture.privacy.receipts import IS_REDUNDANT, delete_redundant_receipts
from data_capture.privacy.tables import AUDIT, PAYMENT_EVENTS, RECEIPTS
from data_capture.store import Store
from data_capture.store.sqlite.payment_events import PAYMENT_EVENT
from data_capture.store.sqlite.users import ensure_user

_ROWS_PER_COMMIT = 500  # so that other writes wait for one short commit only
_COLUMNS = ("ip_address", "user_agent")  # have periods of their own
_COLUMNS_OF_KIND = ("data_snapshot", "error_details")  # expire with the kind of the capture


@dataclass(frozen=True)
class RetentionStep:
    """The effect of a rule on a table.

    Args:
        table: the name of the table.
        change: what happens to the rows, such as "deleted". Audit records contain this text.
        rows: the number of rows.
    """

    table: str
    change: str
    rows: int


def apply_retention(
    store: Store,
    rules: Sequence[str],
    now: datetime,
    *,
    source_endpoint: str = "retention",
    dry_run: bool = False,
) -> list[RetentionStep]:
    """Apply the rules, some hundred rows per commit, and record it in the audit trail.

    Args:
        store: the database.
        rules: as in `EDC_RETENTION_DAYS`: `payment=3650`.
        now: the server's time.
        source_endpoint: the command that asked for it, or "retention".
        dry_run: change nothing; return the steps that would be done.

    Returns:
        The steps with at least one row.

    Raises:
        Problem: 503 if the database cannot be written. Earlier steps are committed.
    """
    before = _parse_rules(rules, now)
    if not before:
        return []
    kinds_before = {kind: since for kind, since in before.items() if kind in KINDS}
    select_captures = _count_captures if dry_run else _delete_captures
    steps = [
        *select_captures(store, kinds_before),
        *_clear_capture_columns(store, before, dry_run=dry_run),
        _clear_audit_records(store, before, timestamp(now), source_endpoint, dry_run=dry_run),
    ]
    done = [step for step in steps if step.rows]
    if done and not dry_run:
        _record_steps(store, rules, done, timestamp(now), source_endpoint)
        store.checkpoint()  # removes the data from the WAL soon; a reader may delay it
    return done


def _parse_rules(rules: Sequence[str], now: datetime) -> dict[str, str]:
    """Return for each kind and column the time before which its data is old."""
    return {
        name: timestamp(now - timedelta(days=int(days)))
        for name, _, days in (rule.partition("=") for rule in rules)
    }


def _record_steps(
    store: Store,
    rules: Sequence[str],
    steps: Sequence[RetentionStep],
    now: str,
    source_endpoint: str,
) -> None:
    rows = {f"{step.table}: {step.change}": step.rows for step in steps}
    snapshot = encode_json({"rules": list(rules), "rows": rows})

    def record(connection: sqlite3.Connection) -> None:
        record_audit(
            connection,
            user_email=ensure_user(connection, RETENTION_USER, None, now),
            capture_type=RETENTION,
            timestamp=now,
            source_endpoint=source_endpoint,
            snapshot=snapshot,
        )

    store.write(record)


# --- Rows of captures -----------------------------------------------------------------------------
# Table and column names come from the table of kinds and from the constants above.


def _delete_captures(store: Store, before: dict[str, str]) -> list[RetentionStep]:
    """Delete old rows with their receipts, and redundant receipts of the same age."""
    steps, receipts = [], Counter[str]()
    for kind, since in before.items():
        rows = 0
        while deleted := store.write(
            lambda connection, kind=kind, since=since: _delete_some(connection, KINDS[kind], since)  # type: ignore[misc]
        ):
            rows += deleted[0]
            receipts[kind] += deleted[1]
        steps.append(RetentionStep(KINDS[kind].table, "deleted", rows))
    receipts += delete_redundant_receipts(store, before)
    steps += [RetentionStep(RECEIPTS, f"deleted ({kind})", rows) for kind, rows in receipts.items()]
    return steps


def _delete_some(connection: sqlite3.Connection, kind: Kind, since: str) -> tuple[int, int] | None:
    """Delete some old rows, and return the numbers of rows and receipts.

    None if there are no old rows.
    """
    select = (
        f"SELECT id FROM {kind.table} WHERE {_find_time_column(kind)} < ? LIMIT {_ROWS_PER_COMMIT}"  # noqa: S608
    )
    ids = connection.execute(select, (since,)).fetchall()
    if not ids:
        return None
    connection.executemany(f"DELETE FROM {kind.table} WHERE id = ?", ids)  # noqa: S608
    if kind.facts_table is not None:
        for table in (kind.facts_table, PAYMENT_EVENTS):
            connection.executemany(f"DELETE FROM {table} WHERE payment_id = ?", ids)  # noqa: S608
    delete_receipts = f"DELETE FROM {RECEIPTS} WHERE row_id = ? AND capture_type = ?"  # noqa: S608
    keys = [(row_id, kind.name) for (row_id,) in ids]
    return len(ids), connection.executemany(delete_receipts, keys).rowcount


def _count_captures(store: Store, before: dict[str, str]) -> list[RetentionStep]:
    """Count the rows and receipts that `_delete_captures` would delete."""
    steps = []
    for name, since in before.items():
        kind = KINDS[name]
        old = f"SELECT id FROM {kind.table} WHERE {_find_time_column(kind)} < :since"  # noqa: S608
        old_receipts = (
            f"SELECT capture_id FROM {RECEIPTS} WHERE capture_type = :kind "  # noqa: S608
            f"AND (row_id IN ({old}) OR ({IS_REDUNDANT} AND created_at < :since))"
        )
        parameters = {"kind": name, "since": since}
        for table, change, select in (
            (kind.table, "deleted", old),
            (RECEIPTS, f"deleted ({name})", old_receipts),
        ):
            steps.append(RetentionStep(table, change, _count(store, select, parameters)))
    return steps


def _clear_capture_columns(
    store: Store, before: dict[str, str], *, dry_run: bool
) -> Iterator[RetentionStep]:
    """Clear the columns that have periods of their own in the rows of captures."""
    for kind in KINDS.values():
        for column in _COLUMNS:
            if column not in before:
                continue
            select = (
                f"SELECT id FROM {kind.table} "  # noqa: S608
                f"WHERE {column} IS NOT NULL AND {_find_time_column(kind)} < :since"
            )
            parameters = {"since": before[column]}
            if dry_run:
                rows = _count(store, select, parameters)
            else:
                update = f"UPDATE {kind.table} SET {column} = NULL WHERE id = ?"  # noqa: S608
                rows = _update_in_batches(store, select, update, parameters)
            yield RetentionStep(kind.table, f"{column} taken", rows)


def _find_time_column(kind: Kind) -> str:
    """Return the column that says how old a row is: for a state, the end of the state."""
    lasts = kind.repetition is not None and kind.repetition.touches_updated_at
    return kind.time_columns[-1 if lasts else 0]


def _count(store: Store, select: str, parameters: dict[str, str]) -> int:
    count = f"SELECT count(*) FROM ({select})"  # noqa: S608
    return int(store.read(lambda connection: connection.execute(count, parameters).fetchone()[0]))


def _update_in_batches(store: Store, select: str, update: str, parameters: dict[str, str]) -> int:
    def work(connection: sqlite3.Connection) -> int:
        ids = connection.execute(f"{select} LIMIT {_ROWS_PER_COMMIT}", parameters).fetchall()
        connection.executemany(update, ids)
        return len(ids)

    total = 0
    while updated := store.write(work):
        total += updated
    return total


# --- Audit records --------------------------------------------------------------------------------


def _clear_audit_records(
    store: Store, before: dict[str, str], now: str, source_endpoint: str, *, dry_run: bool
) -> RetentionStep:
    """Clear old data of audit records, in the order of their ids."""
    total, last_id, attestations = 0, 0, RetentionAttestations()
    while True:
        ids_by_column, last_id = store.read(
            lambda connection, last_id=last_id: _select_old_records(connection, before, last_id)  # type: ignore[misc]
        )
        if not last_id:
            return RetentionStep(AUDIT, "aged", total)
        total += len({audit_id for audit_ids in ids_by_column.values() for audit_id in audit_ids})
        if ids_by_column and not dry_run:

            def work(
                connection: sqlite3.Connection,
                ids_by_column: dict[str, list[int]] = ids_by_column,
            ) -> int:
                return clear_columns(
                    connection,
                    ids_by_column,
                    ensure_user(connection, RETENTION_USER, None, now),
                    timestamp=now,
                    source_endpoint=source_endpoint,
                    attestations=attestations,
                )

            store.write(work)


def _select_old_records(
    connection: sqlite3.Connection, before: dict[str, str], after_id: int
) -> tuple[dict[str, list[int]], int]:
    """Read the next audit records.

    Returns:
        The ids of the records with old data, by column, and the last id that was read; 0 if there
        are no more records.
    """
    columns = (*_COLUMNS_OF_KIND, *_COLUMNS)
    select = (
        "SELECT id, capture_type, timestamp, "  # noqa: S608
        f"{', '.join(f'{column} IS NOT NULL' for column in columns)} "
        f"FROM {AUDIT} WHERE id > ? AND timestamp < ? ORDER BY id LIMIT ?"
    )
    rows = connection.execute(select, (after_id, max(before.values()), _ROWS_PER_COMMIT)).fetchall()
    ids_by_column: dict[str, list[int]] = {}
    for audit_id, capture_type, time, *has_values in rows:
        for column, has_value in zip(columns, has_values, strict=True):
            since = _find_oldest_time_to_keep(before, column, capture_type)
            if has_value and since is not None and time < since:
                ids_by_column.setdefault(column, []).append(audit_id)
    return ids_by_column, rows[-1][0] if rows else 0


def _find_oldest_time_to_keep(before: dict[str, str], column: str, capture_type: str) -> str | None:
    """Return the time before which a column of an audit record is old.

    None if it has no retention period.
    """
    if column in _COLUMNS:
        return before.get(column)
    kind = "payment" if capture_type == PAYMENT_EVENT else capture_type
    return before.get(kind) if kind in KINDS else None
