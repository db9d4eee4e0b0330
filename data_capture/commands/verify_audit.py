"""`verify-audit`: whether every audit record is as it was written; what is wrong with the first that is not."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from data_capture.audit.head import EMPTY, Head, head_file, is_in_chain, noted_head
from data_capture.audit.trail import audit_key_file
from data_capture.audit.verification import Verification, verify
from data_capture.commands import Refused
from data_capture.commands.examination import is_lock, refuse_what_is_no_database, snapshot
from data_capture.commands.words import Progress, count
from data_capture.keys import load_key

_RULE = "Nothing but the services and the commands here may write data_capture_audit and its chain."


def verify_audit(database: Path, key_file: Path | None, since: Head | None, *, print_head: bool, progress: Progress) -> bool:
    """Verifies the audit trail and says what was found; whether every record is as it was written.

    Args:
        database: whose audit trail; it is only read.
        key_file: the key, where it is not beside the database, as with a backup, which is then not compared with the
            head that is noted there.
        since: a head of earlier; the entry that was the newest then has to be there still.
        print_head: prints the head, and nothing else, if everything is as it was written.
        progress: shows how far it is.

    Raises:
        Refused: there is no key, or no audit trail to verify.
    """
    refuse_what_is_no_database(database)
    key = _load(key_file or audit_key_file(database))
    began_at = time.monotonic()
    try:
        # Before the snapshot: what is noted was committed by then, and has to be in it.
        noted = noted_head(database) if key_file is None else EMPTY
    except ValueError as error:
        raise Refused(f"{head_file(database)} can't be read as the audit trail's head: it should hold {error}.") from error
    try:
        with snapshot(database) as connection:
            _refuse_what_has_no_trail(connection, database)
            found = verify(connection, key, noted, lambda done, total: progress.bar("Verifying", done, total))
            kept = since is None or is_in_chain(connection, since)
    except sqlite3.DatabaseError as error:
        if is_lock(error):
            raise Refused(f"Another program holds the lock of {database}; try again when it has finished.") from error
        raise Refused(f"{database} can't be read: {error}.") from error
    finally:
        progress.clear()
    if found.tampering is not None:
        print(f"Audit record {found.tampering.record} {found.tampering.what}.")
        print(_advice(database, found), flush=True)
        return False
    if since is not None and not kept:
        print(f"Audit record {since.number} is not what it was when the head {since} was printed.")
        print("It, or one before it, was replaced by someone with the key, or a chain was begun under a new one.", flush=True)
        return False
    if print_head:
        print(found.head, flush=True)
    else:
        _announce(found, since, time.monotonic() - began_at)
    return True


def _load(key_file: Path) -> bytes:
    try:
        return load_key(key_file)
    except FileNotFoundError:
        raise Refused(
            f"There is no key {key_file}, without which the audit trail can't be verified. The services' first start makes it. "
            "For a backup, or a copy on another machine, name the key of the installation that it is from with --key."
        ) from None
    except ValueError as error:
        raise Refused(f"{key_file} holds no key.") from error


def _refuse_what_has_no_trail(connection: sqlite3.Connection, database: Path) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "data_capture_audit" not in tables:
        raise Refused(f"{database} is not a database of Enhanced Data Capture: it has no data_capture_audit.")
    if "data_capture_audit_chain" not in tables:
        raise Refused(
            f"The chain of {database} is gone: there is its key, and no table data_capture_audit_chain. If this is a backup from "
            f"before there was a chain, remove {audit_key_file(database)}, and the next start takes its records into a new one."
        )


def _advice(database: Path, found: Verification) -> str:
    assert found.tampering is not None
    if found.tampering.by_what_was_noted:
        return (
            f"{_RULE} If an older copy was put in the database's place on purpose, remove {head_file(database)} and verify again."
        )
    if found.records == 0:
        return (
            f"{_RULE} Where not even the first verifies, the key may be another installation's: put the one that this database "
            "came with in its place, or name it with --key."
        )
    return f"{_RULE} {count(found.records, 'record')} before it {'is' if found.records == 1 else 'are'} as written."


def _announce(found: Verification, since: Head | None, seconds: float) -> None:
    rate = f", {found.records / seconds:,.0f} a second" if found.records >= 1000 else ""
    print(f"{count(found.records, 'audit record')}: each is as it was written ({seconds:.1f} s{rate}).")
    if found.adopted:
        print(f"Of these {found.adopted:,} were there before the chain began; it says nothing of the time before.")
    if found.erased:
        print(f"Of these {found.erased:,} belong to people who were erased; what is left of them is as the erasure left it.")
    if found.aged:
        print(f"Of {found.aged:,} others the retention has taken what was old; what is left of them is as it was left.")
    if since is not None:
        print(f"Nothing up to record {since.number} has changed since the head was printed.")
    print("The head, to keep elsewhere: python -m data_capture verify-audit --head", flush=True)
