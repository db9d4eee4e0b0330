"""`verify-audit`: whether every audit record is as it was written; what is wrong with the first that is not.

And whether the schema is: whoever reads records through a changed view, or writes through a trigger, is deceived too.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from data_capture.audit.append import audit_key_file
from data_capture.audit.head import EMPTY, Head, head_file, is_in_chain, noted_head
from data_capture.audit.schema_check import SchemaReport
from data_capture.audit.schema_note import schema_note_beside
from data_capture.audit.schema_objects import is_plain_table, printable
from data_capture.audit.verify import Verification, verify
from data_capture.cli import CommandError
from data_capture.cli.formatting import Progress, count
from data_capture.cli.integrity_report import is_lock, refuse_what_is_no_database, snapshot
from data_capture.cli.schema_report import audit_damage, examine_schema, examine_unreadable_schema
from data_capture.key_files import load_key

_TRAIL = ("data_capture_audit", "data_capture_audit_chain")
_MAX_FINDINGS = 50
_RULE = "Nothing but the services and the commands here may write data_capture_audit and its chain."


@dataclass(frozen=True)
class _Outcome:
    """What was found; `records` is None where they could not be verified, and then `unreadable` says why."""

    records: Verification | None
    unreadable: str
    schema: SchemaReport
    is_head_kept: bool = True

    @property
    def is_good(self) -> bool:
        return (
            self.records is not None
            and self.records.tampering is None
            and self.is_head_kept
            and not self.schema.findings
        )


def verify_audit(
    database: Path,
    key_file: Path | None,
    since: Head | None,
    *,
    print_head: bool,
    progress: Progress,
) -> bool:
    """Verifies the audit trail and says what was found; whether every record, and the schema, is as it was written.

    Args:
        database: whose audit trail; it is only read.
        key_file: the key, where it is not beside the database, as with a backup, which is then not compared with the
            head that is noted there. The note of the schema is looked for beside the key.
        since: a head of earlier; the entry that was the newest then has to be there still.
        print_head: prints the head, and nothing else, if everything is as it was written.
        progress: shows how far it is.

    Raises:
        CommandError: there is no key, or no audit trail to verify.
    """
    refuse_what_is_no_database(database)
    schema_key = key_file or audit_key_file(database)
    key = _load(schema_key)
    began_at = time.monotonic()
    try:
        # Before the snapshot: what is noted was committed by then, and has to be in it.
        noted = noted_head(database) if key_file is None else EMPTY
    except ValueError as error:
        raise CommandError(
            f"{head_file(database)} can't be read as the audit trail's head: it should hold {error}."
        ) from error
    try:
        outcome = _examine(database, schema_key, key, noted, since, progress)
    finally:
        progress.clear()
    if outcome.is_good and print_head:
        assert outcome.records is not None
        print(outcome.records.head, flush=True)
        return True
    _tell_of_records(outcome, database, since, time.monotonic() - began_at)
    _tell_of_schema(outcome.schema, schema_key)
    return outcome.is_good


def _examine(
    database: Path, key_file: Path, key: bytes, noted: Head, since: Head | None, progress: Progress
) -> _Outcome:
    schema = SchemaReport(())
    try:
        with snapshot(database) as connection, ThreadPoolExecutor(1) as beside:
            schema = examine_schema(connection, key_file, key)
            _refuse_what_has_no_trail(connection, database, schema_note_beside(key_file).exists())
            damage = beside.submit(audit_damage, database)
            found, kept, unreadable = None, True, ""
            replaced = [table for table in _TRAIL if not is_plain_table(connection, table)]
            if replaced:
                unreadable = f"{' and '.join(replaced)} can't be read as our tables"
            else:
                found = verify(
                    connection,
                    key,
                    noted,
                    lambda done, total: progress.bar("Verifying", done, total),
                )
                kept = since is None or is_in_chain(connection, since)
            reports = [
                f"SQLite's check of the tables reports: {printable(one)}."
                for one in damage.result()
            ]
            return _Outcome(
                found,
                unreadable,
                SchemaReport((*schema.findings, *reports), schema.information),
                kept,
            )
    except sqlite3.DatabaseError as error:
        if is_lock(error):
            raise CommandError(
                f"Another program holds the lock of {database}; try again when it has finished."
            ) from error
        if not schema.findings:
            schema = examine_unreadable_schema(database, key_file, key)
        if not schema.findings:
            raise CommandError(f"{database} can't be read: {error}.") from error
        return _Outcome(None, printable(str(error)), schema)


def _tell_of_records(outcome: _Outcome, database: Path, since: Head | None, seconds: float) -> None:
    found = outcome.records
    if found is None:
        print(
            f"The audit records of {database} can't be verified: {outcome.unreadable}.", flush=True
        )
    elif found.tampering is not None:
        print(f"Audit record {found.tampering.name} {found.tampering.what}.")
        print(_advice(database, found), flush=True)
    elif not outcome.is_head_kept:
        assert since is not None
        print(f"Audit record {since.number} is not what it was when the head {since} was printed.")
        print(
            "It, or one before it, was replaced by someone with the key, or a chain was begun under a new one.",
            flush=True,
        )
    else:
        _announce(found, since, seconds)


def _tell_of_schema(schema: SchemaReport, key_file: Path) -> None:
    for sentence in schema.findings[:_MAX_FINDINGS]:
        print(f"Schema: {sentence}")
    if len(schema.findings) > _MAX_FINDINGS:
        print(f"Schema: and {count(len(schema.findings) - _MAX_FINDINGS, 'finding')} more.")
    if schema.findings:
        print(
            "Someone has changed what the database consists of: what reads or writes through it may see or store something else. "
            f"If that was done on purpose, remove {schema_note_beside(key_file)}; the next start notes the schema as it is then."
        )
    for sentence in schema.information:
        print(f"To know: {sentence}")
    sys.stdout.flush()


def _load(key_file: Path) -> bytes:
    try:
        return load_key(key_file)
    except FileNotFoundError:
        raise CommandError(
            f"There is no key {key_file}, without which the audit trail can't be verified. The services' first start makes it. "
            "For a backup, or a copy on another machine, name the key of the installation that it is from with --key."
        ) from None
    except ValueError as error:
        raise CommandError(f"{key_file} holds no key.") from error


def _refuse_what_has_no_trail(
    connection: sqlite3.Connection, database: Path, is_noted: bool
) -> None:
    tables = {
        name.lower()
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type <> 'trigger'")
    }
    if "data_capture_audit" not in tables and is_noted:
        raise CommandError(
            f"The table data_capture_audit of {database} is gone, with all audit records."
        )
    if "data_capture_audit" not in tables:
        raise CommandError(
            f"{database} is not a database of Enhanced Data Capture: it has no data_capture_audit."
        )
    if "data_capture_audit_chain" not in tables:
        raise CommandError(
            f"The chain of {database} is gone: there is its key, and no table data_capture_audit_chain. If this is a backup from "
            f"before there was a chain, remove {audit_key_file(database)}, and the next start takes its records into a new one."
        )


def _advice(database: Path, found: Verification) -> str:
    assert found.tampering is not None
    if found.tampering.by_what_was_noted:
        return f"{_RULE} If an older copy was put in the database's place on purpose, remove {head_file(database)} and verify again."
    if found.records == 0:
        return (
            f"{_RULE} Where not even the first verifies, the key may be another installation's: put the one that this database "
            "came with in its place, or name it with --key."
        )
    return f"{_RULE} {count(found.records, 'record')} before it {'is' if found.records == 1 else 'are'} as written."


def _announce(found: Verification, since: Head | None, seconds: float) -> None:
    rate = f", {found.records / seconds:,.0f} a second" if found.records >= 1000 else ""
    print(
        f"{count(found.records, 'audit record')}: each is as it was written ({seconds:.1f} s{rate})."
    )
    if found.adopted:
        print(
            f"Of these {found.adopted:,} were there before the chain began; it says nothing of the time before."
        )
    if found.erased:
        print(
            f"Of these {found.erased:,} belong to people who were erased; what is left of them is as the erasure left it."
        )
    if found.aged:
        print(
            f"Of {found.aged:,} others the retention has taken what was old; what is left of them is as it was left."
        )
    if since is not None:
        print(f"Nothing up to record {since.number} has changed since the head was printed.")
    print("The head, to keep elsewhere: python3 -m data_capture verify-audit --head", flush=True)
