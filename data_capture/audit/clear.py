"""Takes content from audit records, as erasures and the retention do, and adds the records that cover them.

Before something is taken from a record it is verified: it has to be as it was written, or as the last covering record left it.
One that is not is no better afterwards. What is to be taken goes from it too, but nothing covers it, so that verify-audit goes
on naming it. Else whoever changes a record by SQL would only have to wait for the next erasure.

Whether the commitments are the ones that were made is not checked here: the chain's links say so, and nothing changes them.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from data_capture.audit.append import audit_trail_of
from data_capture.audit.attestations import (
    RetentionAttestations,
    is_as_written,
    is_covering,
    says_only_what_is_left,
)
from data_capture.audit.format import ERASURE, RECORD_COLUMNS, RETENTION, ChainKey, encode_record
from data_capture.audit.records import record_audit
from data_capture.json_codec import encode_json
from data_capture.sql.bulk import any_text

log = logging.getLogger("data_capture.audit")

CLEARABLE_COLUMNS = ("data_snapshot", "error_details", "ip_address", "user_agent")
"""What may be taken from a record when it is old."""

_MAX_RECORDS_COVERED = 1000  # what covers them is read at once, and is about 75 bytes a record
_MAX_RECORDS_NAMED = 20

# The names come from the format.
_READ = f"""
SELECT chain.salt, chain.commitment, {", ".join(f"audit.{name}" for name in RECORD_COLUMNS)}
FROM data_capture_audit AS audit LEFT JOIN data_capture_audit_chain AS chain ON chain.audit_id = audit.id
WHERE audit.id = ?
"""  # noqa: S608
# The record says whose it is: an index can be made to say something else. `+`: by the id, and not by that index again.
_READ_OF_USER = f"{_READ} AND +audit.user_email = ?"

_FIND = "SELECT id FROM data_capture_audit WHERE user_email = ? ORDER BY id"

_ERASE = """
UPDATE data_capture_audit
SET user_email = ?, data_snapshot = NULL, ip_address = NULL, user_agent = NULL, error_details = NULL
WHERE id = ?
"""
_ERASE_ALL_BUT_SNAPSHOT = _ERASE.replace("data_snapshot = NULL, ", "")

_FORGET_SALT = "UPDATE data_capture_audit_chain SET salt = NULL WHERE audit_id = ?"

_CAPTURE_TYPE, _SNAPSHOT = (
    RECORD_COLUMNS.index("capture_type"),
    RECORD_COLUMNS.index("data_snapshot"),
)

_Change = Callable[[list[Any]], list[Any] | None]
"""What becomes of a record, in the order of `RECORD_COLUMNS`; None when nothing does."""


class _Taken(NamedTuple):
    """A record from which something is taken.

    Args:
        number: its id.
        keeps_snapshot: it looks like a covering record: its snapshot and its salt stay, and it is not covered.
        is_as_written: whether it is.
        before: its hash as a covering record has it; None unless its salt was taken already.
        left: the hash of what is left of it.
    """

    number: int
    keeps_snapshot: bool
    is_as_written: bool
    before: bytes | None
    left: bytes


def pseudonymise_audit(
    connection: sqlite3.Connection,
    user_email: str,
    pseudonym: str,
    *,
    timestamp: str,
    source_endpoint: str,
) -> int:
    """Erases a person from the audit trail: their records stay, as those of `pseudonym`, without anything personal.

    What is taken: the address, the snapshot, the caller's address and user agent, the error details, and the salt. Kind,
    status, endpoint and time stay. The erasure has a record of its own, of `pseudonym`, which covers exactly these
    records: the chain still verifies, and what is left of them can't be changed unnoticed either. Records that were changed
    before lose the same, and are not covered.

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

    def erased(record: list[Any]) -> list[Any]:
        number, _, kind, _, endpoint, moment, _, _, status, _ = record
        return [number, pseudonym, kind, None, endpoint, moment, None, None, status, None]

    key, attestations = audit_trail_of(connection).key, RetentionAttestations()
    numbers = [number for (number,) in connection.execute(_FIND, (user_email,)).fetchall()]
    erased_records = 0
    for start in range(0, max(1, len(numbers)), _MAX_RECORDS_COVERED):
        chunk = numbers[start : start + _MAX_RECORDS_COVERED]
        found = _read(connection, key, chunk, erased, user_email)
        covered = _verified(connection, key, found, attestations)
        connection.executemany(
            _ERASE, [(pseudonym, one.number) for one in found if not one.keeps_snapshot]
        )
        connection.executemany(
            _ERASE_ALL_BUT_SNAPSHOT,
            [(pseudonym, one.number) for one in found if one.keeps_snapshot],
        )
        if covered or not start:
            _cover(connection, found, covered, ERASURE, pseudonym, timestamp, source_endpoint)
        erased_records += len(found)
    return erased_records


def clear_columns(
    connection: sqlite3.Connection,
    taken: Mapping[str, Sequence[int]],
    whose: str,
    *,
    timestamp: str,
    source_endpoint: str,
    attestations: RetentionAttestations | None = None,
) -> int:
    """Takes what is old from audit records; a record of its own covers exactly these, as an erasure's does.

    Args:
        connection: in a write transaction.
        taken: for each of `CLEARABLE_COLUMNS` the records' ids.
        whose: the address in `users`, that of `RETENTION_PERSON`, that the covering record is of.
        timestamp: the server's time.
        source_endpoint: what asked for it.
        attestations: what was read before by the same run, which then need not be read again.

    Returns:
        How many records something was taken from.

    Raises:
        sqlite3.Error: it can't be written, or the database's audit key is missing.
    """
    columns: dict[int, list[int]] = {}
    for column, of_column in taken.items():
        if column not in CLEARABLE_COLUMNS:
            raise ValueError(f"{column} does not age")
        place = RECORD_COLUMNS.index(column)
        for number in of_column:
            columns.setdefault(number, []).append(place)

    def aged(record: list[Any]) -> list[Any] | None:
        due = columns[record[0]]
        if all(record[place] is None for place in due):
            return None  # someone was faster
        for place in due:
            record[place] = None
        return record

    key, numbers = audit_trail_of(connection).key, sorted(columns)
    aged_records = 0
    for start in range(0, len(numbers), _MAX_RECORDS_COVERED):
        found = _read(connection, key, numbers[start : start + _MAX_RECORDS_COVERED], aged)
        covered = _verified(connection, key, found, attestations or RetentionAttestations())
        keeping = {one.number for one in found if one.keeps_snapshot}
        ageing = {one.number for one in found}
        for column, of_column in taken.items():
            spared = keeping if column == "data_snapshot" else ()
            update = f"UPDATE data_capture_audit SET {column} = NULL WHERE id = ?"  # noqa: S608
            connection.executemany(
                update, [(one,) for one in of_column if one in ageing and one not in spared]
            )
        if covered:
            _cover(connection, found, covered, RETENTION, whose, timestamp, source_endpoint)
        else:
            _forget_salts(connection, found)
        aged_records += len(found)
    return aged_records


def _read(
    connection: sqlite3.Connection,
    key: ChainKey,
    numbers: Sequence[int],
    change: _Change,
    user_email: str | None = None,
) -> list[_Taken]:
    """Reads records one by one, since a snapshot may be a megabyte, and keeps only their hashes."""
    found = []
    select, more = (_READ, ()) if user_email is None else (_READ_OF_USER, (user_email,))
    with any_text(connection):
        for number in numbers:
            row = connection.execute(select, (number, *more)).fetchone()
            if row is None:
                log.error(
                    "Audit record %s is not of whom its index says: an index of data_capture_audit is damaged",
                    number,
                )
                continue
            salt, commitment, *record = row
            keeps_snapshot = is_covering(record[_CAPTURE_TYPE]) and says_only_what_is_left(
                record[_SNAPSHOT]
            )
            is_good = is_as_written(salt, commitment, record)
            before = key.left(encode_record(*record)) if salt is None else None
            changed = change(record)
            if changed is not None:
                found.append(
                    _Taken(
                        number,
                        keeps_snapshot,
                        is_good,
                        before,
                        key.left(encode_record(*changed)),
                    )
                )
    return found


def _verified(
    connection: sqlite3.Connection,
    key: ChainKey,
    found: Sequence[_Taken],
    attestations: RetentionAttestations,
) -> list[_Taken]:
    """Those that may be covered; logs the numbers of the others."""
    left = attestations.left_of(
        connection, key, (one.number for one in found if one.before is not None)
    )
    good = [
        one
        for one in found
        if not one.keeps_snapshot
        and (one.is_as_written if one.before is None else one.before == left.get(one.number))
    ]
    if len(good) < len(found):
        verified = {one.number for one in good}
        bad = [one.number for one in found if one.number not in verified]
        more = f" and {len(bad) - _MAX_RECORDS_NAMED} more" if len(bad) > _MAX_RECORDS_NAMED else ""
        log.error(
            "The audit trail was tampered with: record %s%s had been changed before this took something of it, and counts as "
            "changed for good. python3 -m data_capture verify-audit tells more",
            ", ".join(map(str, bad[:_MAX_RECORDS_NAMED])), more,
        )  # fmt: skip
    return good


def _cover(
    connection: sqlite3.Connection,
    found: Sequence[_Taken],
    covered: Sequence[_Taken],
    capture_type: str,
    whose: str,
    timestamp: str,
    source_endpoint: str,
) -> None:
    """Takes the salts of these records, and adds the record that covers those that may be."""
    _forget_salts(connection, found)
    record_audit(
        connection,
        user_email=whose,
        capture_type=capture_type,
        timestamp=timestamp,
        source_endpoint=source_endpoint,
        snapshot=encode_json({"left": {str(one.number): one.left.hex() for one in covered}}),
    )


def _forget_salts(connection: sqlite3.Connection, found: Sequence[_Taken]) -> None:
    """Without its salt nobody can find out by trying what was taken of a record."""
    connection.executemany(_FORGET_SALT, [(one.number,) for one in found if not one.keeps_snapshot])
