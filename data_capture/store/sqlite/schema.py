"""Prepare the database file: create it, or add the tables of schema.sql to an existing one.

An existing file may belong to other programs too. Nothing is dropped or altered but what an earlier
version of this product made differently (`schema_history`). A file that can't be extended is
refused before anything is written: `file_checks` and `schema_checks` say why, and what to do.

If there is no audit key, one is made, and existing audit records are adopted into the chain: those
of a version before the chain, or of a database that came without its key. If there is a key, none
are adopted: a chain that someone emptied must not be repaired by a restart.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from data_capture.audit.append import audit_key_file, begin_chain
from data_capture.audit.format import ChainKey
from data_capture.audit.head import delete_head_file, update_head_file
from data_capture.audit.schema_baseline import update_baseline
from data_capture.audit.schema_check import read_schema_state
from data_capture.audit.schema_objects import SchemaState
from data_capture.key_files import keep_key, load_key, load_or_make_key, new_key
from data_capture.sql.reports import is_lock_error
from data_capture.sql.schema_file import read_create_statements
from data_capture.store.sqlite.connection import create_private_file
from data_capture.store.sqlite.file_checks import (
    DatabaseRefused,
    check_audit_key,
    check_file,
    check_integrity,
    check_not_lost,
    check_receipts_key,
    describe_damage,
    warn_of_other_readers,
)
from data_capture.store.sqlite.keys import receipts_key_file
from data_capture.store.sqlite.lock import WriterLock, WriterLockTimeout
from data_capture.store.sqlite.schema_checks import check_conflicts, lacks_our_objects, rehearse
from data_capture.store.sqlite.schema_history import Replacement, find_earlier_objects

__all__ = ["DatabaseRefused", "prepare", "warn_of_other_readers"]

log = logging.getLogger("data_capture.store")

# Checked at every start, in 10 ms; a larger file is checked at its first start only.
_MAX_CHECKED_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class _Extension:
    """Describe what a start has added to the database.

    Args:
        state_before: the objects of the database before.
        audit_key: the new audit key, or None if there was one.
    """

    state_before: SchemaState
    audit_key: bytes | None


def prepare(database: Path, request_seconds: float = 5.0, *, may_create: bool = True) -> None:
    """Make sure that the database has every table of schema.sql.

    Any number of processes may call this at the same time.

    Args:
        database: the path of the file; it may be missing, but its folder must exist.
        request_seconds: how long to wait for a lock that another program holds.
        may_create: whether a missing file may be created; False if the services ran before.

    Raises:
        DatabaseRefused: the file can't be used; it was left unchanged.
    """
    has_content = check_file(database)
    if not has_content:
        check_not_lost(database, may_create=may_create)
    has_audit_key = check_audit_key(database)
    check_receipts_key(database)
    is_complete = False
    try:
        if has_content:
            is_complete = _check_existing(database, request_seconds) and has_audit_key
        else:
            delete_head_file(database)
        _extend(database, request_seconds)
    except (sqlite3.OperationalError, WriterLockTimeout) as error:
        is_locked = isinstance(error, WriterLockTimeout) or is_lock_error(error)
        if is_locked and is_complete:
            return  # nothing to add; requests get a 503 until the lock is released
        if is_locked:
            raise DatabaseRefused(
                f"Another program is using {database} and holds its lock: our tables can't be "
                "added. Nothing was changed. Stop that program, or wait until it has finished, "
                "and start again."
            ) from error
        raise DatabaseRefused(f"{database} can't be used: {error}. Nothing was changed.") from error
    except sqlite3.DatabaseError as error:
        raise DatabaseRefused(describe_damage(database, str(error))) from error
    except OSError as error:
        raise DatabaseRefused(
            f"{database} can't be used: {error.strerror}. Nothing was changed."
        ) from error


def _check_existing(database: Path, request_seconds: float) -> bool:
    """Return whether all objects of schema.sql exist; reads only.

    Raises:
        DatabaseRefused: the file is damaged, or our tables can't be added.
    """
    try:
        with closing(_connect(database, request_seconds, "ro")) as connection:
            connection.execute("BEGIN")
            is_complete = not lacks_our_objects(connection) and not find_earlier_objects(connection)
            if not is_complete or database.stat().st_size <= _MAX_CHECKED_BYTES:
                check_integrity(connection, database)
            check_conflicts(connection, database)
            return is_complete
    except sqlite3.OperationalError as error:
        if "readonly" in str(error) or "unable to open" in str(error):
            # A crash left a journal, which only a writer may roll back; `_extend` checks again.
            return False
        raise


def _extend(database: Path, request_seconds: float) -> None:
    """Add what is missing, and the audit trail's chain, while holding the writer lock."""
    create_private_file(database.resolve())
    writer_lock = WriterLock(database)
    try:
        with (
            writer_lock.hold(request_seconds),
            closing(_connect(database, request_seconds, "rw")) as connection,
        ):
            extension = _extend_in_transaction(connection, database)
            if extension.audit_key is not None:
                # After the commit: while there is no key, a start begins the chain.
                keep_key(audit_key_file(database), extension.audit_key)
            _record_schema(connection, database, extension)
            load_or_make_key(receipts_key_file(database))
            _switch_to_wal(connection, database)
            _record_audit_head(connection, database)
    finally:
        writer_lock.close()


def _extend_in_transaction(connection: sqlite3.Connection, database: Path) -> _Extension:
    """Add what is missing in one transaction, after a rehearsal."""
    with _rolled_back_on_error(connection):
        check_conflicts(connection, database)
        state_before = read_schema_state(connection)
        earlier = find_earlier_objects(connection)
        replacement = Replacement(connection, earlier)
        replacement.set_aside()
        is_missing = lacks_our_objects(connection)
        if is_missing:
            for statement in read_create_statements():
                connection.execute(statement)
        replacement.carry_over(database)
        audit_key = None
        if not audit_key_file(database).exists():
            audit_key = new_key()
            begin_chain(connection, audit_key)
        rehearse(connection, database)
    connection.execute("COMMIT" if is_missing or earlier or audit_key else "ROLLBACK")
    if earlier:
        log.info("Made by an earlier version, and replaced: %s", ", ".join(sorted(earlier)))
    return _Extension(state_before, audit_key)


@contextmanager
def _rolled_back_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _switch_to_wal(connection: sqlite3.Connection, database: Path) -> None:
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise DatabaseRefused(
            f"The file system of {database} can't hold a write-ahead log (a network drive?). "
            "Move the database to a local disk."
        )


def _record_audit_head(connection: sqlite3.Connection, database: Path) -> None:
    """Record the audit trail's head, in case the last run had no time to do so."""
    try:
        update_head_file(connection, database, ChainKey(load_key(audit_key_file(database))))
    except ValueError as error:
        log.error(
            "The head file of the audit trail is unreadable (%s): "
            "run python3 -m data_capture verify-audit for details",
            error,
        )


def _record_schema(connection: sqlite3.Connection, database: Path, extension: _Extension) -> None:
    """Record the schema for verify-audit. An error is logged and does not stop the start."""
    try:
        key = load_key(audit_key_file(database))
        update_baseline(
            connection,
            database,
            key,
            before=extension.state_before,
            begins=extension.audit_key is not None,
        )
    except ValueError as error:
        log.error(
            "The recorded schema is unusable (%s): "
            "run python3 -m data_capture verify-audit for details",
            error,
        )
    except OSError as error:
        log.warning("The schema can't be recorded next to the audit key: %s", error)


def _connect(database: Path, busy_seconds: float, mode: str) -> sqlite3.Connection:
    """Open a connection that leaves the journal mode alone: the file may yet be refused."""
    uri = f"{database.as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=busy_seconds)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    return connection
