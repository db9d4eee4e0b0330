"""The audit trail: one record for each thing that happened to a person's data, in the same transaction.

    chain.py         how the records are linked, so that nobody with SQL alone can change one unnoticed: the format
    trail.py         a database's key, and the entries that are added with it
    head.py          the newest entry, noted in a file beside the database, where SQL can't reach it
    verification.py  checks every record against the chain

What stands around the records can be changed too, a view that shows them, or a trigger that alters them:

    schema_sql.py      reads SQL far enough to compare it
    schema_objects.py  the objects that a database has, and those that schema.sql makes
    schema_check.py    compares them; counter_check.py looks at the counters of ids
    schema_note.py     what was adopted from other programs, noted where SQL can't reach it
    earlier_schemas/   what schema.sql was in versions that made no such note: their databases and backups are good too
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from data_capture.audit.chain import ERASURE, RECORD_COLUMNS, RETENTION, canonical_record
from data_capture.audit.trail import trail_of
from data_capture.payloads import encode_json
from data_capture.rows import insert_in_order

_INSERT = """
INSERT INTO data_capture_audit
    (user_email, capture_type, data_snapshot, source_endpoint, timestamp, ip_address, user_agent, status, error_details)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_ERASE = """
UPDATE data_capture_audit
SET user_email = ?, data_snapshot = NULL, ip_address = NULL, user_agent = NULL, error_details = NULL
WHERE id = ?
"""

_FORGET_SALT = "UPDATE data_capture_audit_chain SET salt = NULL WHERE audit_id = ?"

AGEING_COLUMNS = ("data_snapshot", "error_details", "ip_address", "user_agent")
"""What may be taken from a record when it is old."""

_MOST_RECORDS_COVERED = 1000  # what covers them is read at once, and is about 75 bytes a record


class AuditRecord(NamedTuple):
    """A record without its id; what each of these is, `record_audit` says."""

    user_email: str
    capture_type: str
    snapshot: str | None
    source_endpoint: str
    timestamp: str
    ip_address: str | None
    user_agent: str | None
    status: str
    error_details: str | None


def record_audits(connection: sqlite3.Connection, records: Sequence[AuditRecord]) -> None:
    """Adds audit records, at least one, in their order, and their entries in the chain, as `record_audit` does.

    Raises:
        sqlite3.Error: likewise; also when there are several that can't be added together, but one by one.
    """
    trail = trail_of(connection)
    first = insert_in_order(connection, _INSERT, records)
    trail.append(connection, first, [canonical_record(number, *record) for number, record in enumerate(records, first)])


def record_audit(
    connection: sqlite3.Connection,
    *,
    user_email: str,
    capture_type: str,
    timestamp: str,
    source_endpoint: str,
    snapshot: str | None = None,
    ip_address: str | None = None,
    user_agent: str | None = None,
    status: str = "success",
    error_details: str | None = None,
) -> None:
    """Adds one audit record, and its entry in the chain, inside the caller's transaction.

    Args:
        connection: in a write transaction (BEGIN IMMEDIATE), on a database that `store.takeover.prepare` has seen.
        user_email: the address as `users.email` spells it.
        capture_type: what happened: a capture's kind, or an event such as 'signup'.
        timestamp: the server's time, as `values.timestamp` gives it.
        source_endpoint: the route that took the request, with nothing in it that says whose it was: it outlives an erasure.
        snapshot: JSON, with everything secret in it masked.
        ip_address: the caller's.
        user_agent: the caller's.
        status: 'success', 'partial' or 'failed'.
        error_details: what was not understood, for a person.

    Raises:
        sqlite3.Error: it can't be written, or the database's audit key is missing.
    """
    record = AuditRecord(
        user_email, capture_type, snapshot, source_endpoint, timestamp, ip_address, user_agent, status, error_details
    )
    record_audits(connection, [record])


def pseudonymise_audit(
    connection: sqlite3.Connection, user_email: str, pseudonym: str, *, timestamp: str, source_endpoint: str
) -> int:
    """Erases a person from the audit trail: their records stay, as those of `pseudonym`, without anything personal.

    What is taken: the address, the snapshot, the caller's address and user agent, the error details, and the salt. Kind,
    status, endpoint and time stay. The erasure has a record of its own, of `pseudonym`, which covers exactly these
    records: the chain still verifies, and what is left of them can't be changed unnoticed either.

    Args:
        connection: in a write transaction.
        user_email: the address as `users.email` spells it.
        pseudonym: whose the records are from now on: an address in `users` that tells nothing.
        timestamp: the server's time.
        source_endpoint: what asked for the erasure.

    Returns:
        How many records were theirs.

    Raises:
        sqlite3.Error: it can't be written, or the database's audit key is missing.
    """
    found = connection.execute("SELECT id FROM data_capture_audit WHERE user_email = ? ORDER BY id", (user_email,)).fetchall()
    numbers = [number for (number,) in found]
    connection.executemany(_ERASE, [(pseudonym, number) for number in numbers])
    for start in range(0, max(1, len(numbers)), _MOST_RECORDS_COVERED):
        erased = numbers[start : start + _MOST_RECORDS_COVERED]
        _cover(connection, erased, ERASURE, pseudonym, timestamp, source_endpoint)
    return len(numbers)


def take_from_records(
    connection: sqlite3.Connection, taken: Mapping[str, Sequence[int]], whose: str, *, timestamp: str, source_endpoint: str
) -> int:
    """Takes what is old from audit records; a record of its own covers exactly these, as an erasure's does.

    Args:
        connection: in a write transaction.
        taken: for each of `AGEING_COLUMNS` the records' ids.
        whose: the address in `users`, of no person, that the covering record is of.
        timestamp: the server's time.
        source_endpoint: what asked for it.

    Returns:
        How many records something was taken from.

    Raises:
        sqlite3.Error: it can't be written, or the database's audit key is missing.
    """
    for column, of_column in taken.items():
        if column not in AGEING_COLUMNS:
            raise ValueError(f"{column} does not age")
        update = f"UPDATE data_capture_audit SET {column} = NULL WHERE id = ?"  # noqa: S608
        connection.executemany(update, [(number,) for number in of_column])
    numbers = sorted({number for of_column in taken.values() for number in of_column})
    for start in range(0, len(numbers), _MOST_RECORDS_COVERED):
        _cover(connection, numbers[start : start + _MOST_RECORDS_COVERED], RETENTION, whose, timestamp, source_endpoint)
    return len(numbers)


def _cover(
    connection: sqlite3.Connection, numbers: Sequence[int], capture_type: str, whose: str, timestamp: str, source_endpoint: str
) -> None:
    """Adds the record that covers these, of which something was taken, and takes their salts."""
    key = trail_of(connection).key
    connection.executemany(_FORGET_SALT, [(number,) for number in numbers])
    record_audit(
        connection,
        user_email=whose,
        capture_type=capture_type,
        timestamp=timestamp,
        source_endpoint=source_endpoint,
        snapshot=encode_json({"left": {str(number): key.left(_canonical(connection, number)).hex() for number in numbers}}),
    )


def _canonical(connection: sqlite3.Connection, number: int) -> bytes:
    # The names come from the format.
    select = f"SELECT {', '.join(RECORD_COLUMNS)} FROM data_capture_audit WHERE id = ?"  # noqa: S608
    values: Sequence[object] = connection.execute(select, (number,)).fetchone()
    return canonical_record(*values)
