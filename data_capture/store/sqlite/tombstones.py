"""Who was erased and when, without saying who: what pages still hold of the time before is refused.

The table `data_capture_erasures` holds, for each address, a keyed hash (HMAC-SHA-256 of the address in its one spelling) and
the time of the erasure. The key lies outside the database: who has the table alone can't find out by trying whose they are.
"""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path

from data_capture.capture.parse import Capture
from data_capture.capture.timestamps import earlier, parse_timestamp
from data_capture.json_codec import decode_json
from data_capture.key_files import keys_beside, load_or_make_key
from data_capture.problems import GONE, Problem
from data_capture.sql.bulk import find_among

REWRITE, EMPTY_LOG, NOTHING = 2, 1, 0
"""What is left to do after an erasure: the file is to be written anew, its log is to be emptied, nothing."""

KEPT_DAYS = 30
"""For how long captures of the time before an erasure are refused. Pages keep theirs for days, not for months."""

_KEY_FILE_NAME = "erasures.key"

_ANY = "SELECT 1 FROM data_capture_erasures LIMIT 1"

_FIND = (
    "SELECT address_hash, erased_at FROM data_capture_erasures WHERE address_hash IN (VALUES {})"
)

_NOTE = """
INSERT INTO data_capture_erasures (address_hash, erased_at, remaining)
VALUES (?, ?, ?)
ON CONFLICT (address_hash) DO UPDATE
SET erased_at = max(erased_at, excluded.erased_at), remaining = max(remaining, excluded.remaining)
"""


def erasures_key_file(database: Path) -> Path:
    """Where the key is."""
    return keys_beside(database.resolve()) / _KEY_FILE_NAME


def hash_of_address(key: bytes, email: str) -> str:
    """What stands for an address (normalised), in hexadecimal."""
    return hmac.digest(key, email.encode(), "sha256").hex()


def note_erasure(connection: sqlite3.Connection, emails: Iterable[str], erased_at: str) -> None:
    """Notes that these addresses (normalised) were erased, in the transaction that does it.

    Raises:
        sqlite3.Error: it can't be written, or the key can't be read.
    """
    key = _key_of(connection)
    note_hashes(connection, [(hash_of_address(key, email), erased_at) for email in emails], REWRITE)


def note_hashes(
    connection: sqlite3.Connection, erasures: Iterable[tuple[str, str]], remaining: int
) -> None:
    """Likewise for hashes of addresses and their times, with what is left to do."""
    connection.executemany(
        _NOTE, [(address_hash, erased_at, remaining) for address_hash, erased_at in erasures]
    )


def refuse_what_was_erased(connection: sqlite3.Connection, capture: Capture) -> None:
    """Refuses a capture of the time before its person was erased. Takes a microsecond or two.

    Raises:
        Problem: 410.
    """
    refuse_what_is_older(capture, times_of_erasure(connection, (capture.user_email,)))


def times_of_erasure(connection: sqlite3.Connection, emails: Iterable[str]) -> dict[str, str]:
    """When those of these addresses (normalised) that were erased were."""
    known = _known_of(connection)
    if not known.has_any:
        if connection.execute(_ANY).fetchone() is None:
            return {}
        known.has_any = True  # from here on each is looked for at once; that the table is empty again is a rare luck
    hashes = {known.hash_of(email): email for email in emails}
    return {
        hashes[address_hash]: erased_at
        for address_hash, erased_at in find_among(connection, _FIND, [*zip(hashes)])
    }


def refuse_what_is_older(capture: Capture, erasures: Mapping[str, str]) -> None:
    """Refuses a capture of the time before its person was erased, by the times of erasures.

    When it was is what the page says, however long ago: its queue may be older than what `happened_at` believes.

    Raises:
        Problem: 410.
    """
    erased_at = erasures.get(capture.user_email)
    if erased_at is not None and _is_before(capture, erased_at):
        raise Problem(
            GONE,
            "This was captured before everything on this person was erased; it is not taken any more.",
        )


def forget_old_erasures(connection: sqlite3.Connection, now: str) -> None:
    """Removes what was noted longer than `KEPT_DAYS` before `now`."""
    before = earlier(now, KEPT_DAYS * 86400)
    connection.execute(
        "DELETE FROM data_capture_erasures WHERE erased_at < ? AND remaining = 0", (before,)
    )


def erasures_pending(connection: sqlite3.Connection) -> int:
    """How many erased addresses may still be found in the bytes of the files."""
    (number,) = connection.execute(
        "SELECT count(*) FROM data_capture_erasures WHERE remaining > 0"
    ).fetchone()
    return int(number)


def _is_before(capture: Capture, erased_at: str) -> bool:
    payload = decode_json(capture.snapshot)
    said = parse_timestamp(payload.get("capture_timestamp", payload.get("captureTimestamp")))
    if capture.received_at <= erased_at:
        return True
    return said is not None and said <= datetime.fromisoformat(erased_at.replace("Z", "+00:00"))


class _Known:
    """What a process knows of one database: its key, read once it is needed, and whether there was any erasure."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.has_any = False
        self._connection = connection
        self.hash_of = lru_cache(maxsize=4096)(
            lambda email: hash_of_address(_key_of(self._connection), email)
        )


# One connection a process writes, so that the latest is nearly always the one that is asked for.
_latest: tuple[sqlite3.Connection, _Known] | None = None


def _known_of(connection: sqlite3.Connection) -> _Known:
    global _latest
    latest = _latest
    if latest is not None and latest[0] is connection:
        return latest[1]
    known = _Known(connection)
    _latest = (connection, known)
    return known


def _key_of(connection: sqlite3.Connection) -> bytes:
    (_, _, file) = connection.execute("PRAGMA database_list").fetchone()
    try:
        return _key_in(erasures_key_file(Path(file)))
    except (OSError, ValueError) as error:
        raise sqlite3.OperationalError(f"the key of the erasures can't be read: {error}") from error


@cache
def _key_in(file: Path) -> bytes:
    return load_or_make_key(file)
