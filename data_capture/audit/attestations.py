"""What covering records say: what is left of the records that an erasure or the retention took something of.

A covering record counts only while it is as it was written: linked, with its own salt, which nothing of ours ever takes, and
with the commitment to what it says. It covers only records that are older than itself. A changed one covers nothing.
"""

from __future__ import annotations

import json
import re
import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from data_capture.audit.format import (
    ERASURE,
    GENESIS,
    RECORD_COLUMNS,
    RETENTION,
    SALT_BYTES,
    ChainKey,
    compute_commitment,
    encode_record,
)
from data_capture.sql.bulk import any_text

RETENTION_USER = "retention@data-capture.invalid"
"""The user, of no person, whose records those of the retention are."""

_SNAPSHOT, _CAPTURE_TYPE = (
    RECORD_COLUMNS.index("data_snapshot"),
    RECORD_COLUMNS.index("capture_type"),
)
_HEAD_CHARACTERS, _TAIL_CHARACTERS = (
    40,
    100,
)  # have the first and the last id, of at most 19 digits, and 64 digits of a hash
_HEAD = re.compile(r'\{"left":\{"([0-9]{1,19})":"')
_TAIL = re.compile(r'"([0-9]{1,19})":"[0-9a-f]{64}"\}\}\Z')
_LEFT_ALONE = re.compile(r'\{"left":\{(?:"[0-9]{1,19}":"[0-9a-f]{64}"(?:,(?!\})|(?=\})))*\}\}')

_COVERING = f"""
SELECT chain.audit_id, adopted, salt, commitment, link,
       (SELECT before.link FROM data_capture_audit_chain AS before WHERE before.audit_id = chain.audit_id - 1),
       {", ".join(f"audit.{name}" for name in RECORD_COLUMNS)}
FROM data_capture_audit AS audit {{}}
JOIN data_capture_audit_chain AS chain ON chain.audit_id = audit.id
WHERE {{}}
ORDER BY chain.audit_id
"""  # noqa: S608

# `NOT INDEXED`: an index can be made to hide rows.
_ALL_COVERING = _COVERING.format(
    "NOT INDEXED", f"audit.capture_type IN ('{ERASURE}', '{RETENTION}')"
)
_ONE_COVERING = _COVERING.format("", "audit.id = ?")

_ENDS = f"""
SELECT id, substr(data_snapshot, 1, {_HEAD_CHARACTERS}), substr(data_snapshot, -{_TAIL_CHARACTERS})
FROM data_capture_audit WHERE capture_type = '{RETENTION}' AND {{}} ORDER BY id
"""  # noqa: S608
# By the index: there are few. A trigger of another program may have respelled the address when the user was added.
_ALL_ENDS = _ENDS.format(
    "user_email IN (SELECT ?1 UNION SELECT email FROM users WHERE lower(email) = ?1)"
)
_NEW_ENDS = _ENDS.format("id > ?")


class Cover(NamedTuple):
    """What is left of a record, hashed, and whether it was the retention that took the rest."""

    left: bytes
    by_retention: bool


@dataclass
class Covers:
    """What all covering records say; the last one that speaks of a record holds.

    Args:
        of_records: what covers each record, by its id.
        by_changed: the ids of the covering records that are not as they were written, by the ids of those that they speak of.
    """

    of_records: dict[int, Cover] = field(default_factory=dict)
    by_changed: dict[int, int] = field(default_factory=dict)


def read_attestations(connection: sqlite3.Connection, key: ChainKey) -> Covers:
    """Read every covering record that is linked in the chain."""
    covers = Covers()
    for row in connection.execute(_ALL_COVERING):
        if not _is_linked(row, key):
            continue  # the verification names it, or it was there before the chain and says nothing
        if is_as_written(row[2], row[3], row[6:]):
            covers.of_records.update(_says(row))
        else:
            covers.by_changed.update((number, row[0]) for number, _ in _says(row))
    return covers


def is_as_written(salt: Any, commitment: Any, record: Sequence[Any]) -> bool:
    """Whether the commitment is to this record under this salt; the salt alone can't make it so, and a NULL never does."""
    if salt.__class__ is not bytes or len(salt) != SALT_BYTES:
        return False
    return bool(compute_commitment(encode_record(*record), salt) == commitment)


def is_covering(capture_type: Any) -> bool:
    """Whether records of this type cover others."""
    return capture_type in (ERASURE, RETENTION)


def says_only_what_is_left(snapshot: Any) -> bool:
    """Whether a snapshot is one as covering records have it, with nothing personal in it."""
    return isinstance(snapshot, str) and _LEFT_ALONE.fullmatch(snapshot) is not None


class RetentionAttestations:
    """Find the retention records that cover given records, without reading all of them each time.

    Remembers the range of ids of each retention record. The range only says where to look: each record that is found is
    verified before it counts.
    """

    def __init__(self) -> None:
        self._ranges: list[
            tuple[int, int, int]
        ] = []  # the first id and the last that one speaks of, and its own
        self._read_to: int | None = None

    def left_of(
        self, connection: sqlite3.Connection, key: ChainKey, numbers: Iterable[int]
    ) -> dict[int, bytes]:
        """Return what the last covering record says is left of each of these records, of those that one speaks of.

        Raises:
            sqlite3.Error: the file can't be read.
        """
        wanted = sorted(numbers)
        if not wanted:
            return {}
        with any_text(connection):
            self._read_on(connection)
            left: dict[int, bytes] = {}
            for first, last, covering in self._ranges:
                place = bisect_left(wanted, first)
                if place < len(wanted) and wanted[place] <= last:
                    row = connection.execute(_ONE_COVERING, (covering,)).fetchone()
                    if (
                        row is not None
                        and _is_linked(row, key)
                        and is_as_written(row[2], row[3], row[6:])
                    ):
                        left.update((number, cover.left) for number, cover in _says(row))
        return {number: left[number] for number in wanted if number in left}

    def _read_on(self, connection: sqlite3.Connection) -> None:
        (newest,) = connection.execute(
            "SELECT coalesce(max(id), 0) FROM data_capture_audit"
        ).fetchone()
        select, since = (
            (_ALL_ENDS, RETENTION_USER) if self._read_to is None else (_NEW_ENDS, self._read_to)
        )
        for covering, head, tail in connection.execute(select, (since,)).fetchall():
            first, last = _HEAD.match(str(head)), _TAIL.search(str(tail))
            if first and last:
                self._ranges.append((int(first[1]), int(last[1]), covering))
        self._read_to = newest


def _is_linked(row: Sequence[Any], key: ChainKey) -> bool:
    number, adopted, _, commitment, link, before = row[:6]
    previous = GENESIS if before is None else before
    return (
        adopted.__class__ is int
        and adopted == 0
        and key.follows(previous, number, adopted, commitment, link)
    )


def _says(row: Sequence[Any]) -> Iterator[tuple[int, Cover]]:
    """What a covering record says of records older than itself."""
    number, record = row[0], row[6:]
    if not is_covering(record[_CAPTURE_TYPE]):
        return
    try:
        covered = json.loads(record[_SNAPSHOT])["left"]
        said = [
            (int(one), Cover(bytes.fromhex(left), record[_CAPTURE_TYPE] == RETENTION))
            for one, left in covered.items()
        ]
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return  # what the retention says of a whole run covers nothing
    yield from (one for one in said if one[0] < number)
