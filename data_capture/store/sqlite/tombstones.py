"""Keep tombstones of erased users, to reject captures from before the erasure.

The table `data_capture_erasures` holds a keyed hash of each erased address and the time of the
erasure. It names no user, and without the key (`keys.AddressHasher`) no guess can be confirmed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from data_capture.capture.email import with_unicode_domain
from data_capture.capture.parse import Capture
from data_capture.capture.timestamps import earlier, parse_stored
from data_capture.problems import GONE, Problem
from data_capture.sql.bulk import select_matching
from data_capture.store.sqlite.connection import StoreConnection

NEEDS_VACUUM, NEEDS_CHECKPOINT, COMPLETE = 2, 1, 0
"""What remains to be done after an erasure (`remaining`): VACUUM, a WAL checkpoint, or nothing."""

TOMBSTONE_DAYS = 30
"""How long a tombstone is kept. Pages keep unsent captures for days, not for months."""

_HAS_ANY = "SELECT 1 FROM data_capture_erasures LIMIT 1"

_FIND = (
    "SELECT address_hash, erased_at FROM data_capture_erasures WHERE address_hash IN (VALUES {})"
)

_ADD = """
INSERT INTO data_capture_erasures (address_hash, erased_at, remaining)
VALUES (?, ?, ?)
ON CONFLICT (address_hash) DO UPDATE
SET erased_at = max(erased_at, excluded.erased_at), remaining = max(remaining, excluded.remaining)
"""


def add_tombstones(connection: StoreConnection, emails: Iterable[str], erased_at: str) -> None:
    """Add tombstones for addresses (normalised), in the transaction that erases them.

    Raises:
        sqlite3.Error: they can't be written, or the key can't be read.
    """
    hash_address = connection.address_hasher.hash
    erasures = [(hash_address(email), erased_at) for email in emails]
    add_hashed_tombstones(connection, erasures, NEEDS_VACUUM)


def add_hashed_tombstones(
    connection: sqlite3.Connection, erasures: Iterable[tuple[str, str]], remaining: int
) -> None:
    """Add tombstones for hashed addresses and the times of their erasures.

    Args:
        connection: in a write transaction.
        erasures: pairs of an address's hash and the time of its erasure.
        remaining: what remains to be done: NEEDS_VACUUM, NEEDS_CHECKPOINT or COMPLETE.
    """
    connection.executemany(
        _ADD, [(address_hash, erased_at, remaining) for address_hash, erased_at in erasures]
    )


def reject_erased_capture(connection: StoreConnection, capture: Capture) -> None:
    """Reject a capture that predates its user's erasure. Takes a few microseconds.

    Raises:
        Problem: 410.
    """
    reject_older_capture(capture, find_erasure_times(connection, addresses_of(capture)))


def addresses_of(capture: Capture) -> tuple[str, ...]:
    """Return the addresses under which a capture's user may have been erased."""
    if capture.earlier_email is None:
        return (capture.user_email,)
    return capture.user_email, capture.earlier_email


def find_erasure_times(connection: StoreConnection, emails: Iterable[str]) -> dict[str, str]:
    """Find when addresses (normalised) were erased; leave out the others."""
    if connection.execute(_HAS_ANY).fetchone() is None:
        return {}  # the usual case; saves the hashes
    hash_address = connection.address_hasher.hash
    # Earlier versions hashed international domains as the page spelled them.
    hashes = {hash_address(same): email for email in emails for same in with_unicode_domain(email)}
    times: dict[str, str] = {}
    for address_hash, erased_at in select_matching(connection, _FIND, [*zip(hashes)]):
        email = hashes[address_hash]
        times[email] = max(erased_at, times.get(email, erased_at))
    return times


def reject_older_capture(capture: Capture, erasure_times: Mapping[str, str]) -> None:
    """Reject a capture that predates its user's erasure, given the times of erasures.

    The capture's time is the page's `capture_timestamp`, however old: a page's queue may be older
    than the times that `happened_at` accepts. A capture whose time can't be read is rejected too,
    because it may predate the erasure; the script always states a readable time.

    Raises:
        Problem: 410.
    """
    for address in addresses_of(capture):
        erased_at = erasure_times.get(address)
        if erased_at is not None and _predates(capture, erased_at):
            raise Problem(GONE, "The capture predates the user's erasure and was rejected.")


def delete_expired_tombstones(connection: sqlite3.Connection, now: str) -> None:
    """Delete complete tombstones that are older than `TOMBSTONE_DAYS`."""
    before = earlier(now, TOMBSTONE_DAYS * 86400)
    connection.execute(
        "DELETE FROM data_capture_erasures WHERE erased_at < ? AND remaining = 0", (before,)
    )


def count_pending_erasures(connection: sqlite3.Connection) -> int:
    """Count the erased addresses whose data may still be in the bytes of the files."""
    (number,) = connection.execute(
        "SELECT count(*) FROM data_capture_erasures WHERE remaining > 0"
    ).fetchone()
    return int(number)


def _predates(capture: Capture, erased_at: str) -> bool:
    if capture.received_at <= erased_at:
        return True
    return capture.claimed_at is not None and capture.claimed_at <= parse_stored(erased_at)
