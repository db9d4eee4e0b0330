"""Makes the database file, or takes over an existing one: adds the tables of schema.sql, drops and alters nothing but what
an earlier version of ours made differently (`schema_history`).

An existing file belongs to other programs too. What can't be added to is refused before anything is written, in a
sentence that names the table and what to do. In the end one person and one row of each table are written and undone,
so that what no look at a schema shows (a trigger, a CHECK) stops the start and not the first visitor's payment.

Where there is no audit key yet, one is made, and audit records that are there already (of a version before the chain, or of
a database that came without its key) are taken into the chain, marked as adopted. With a key there, nothing is: a chain that
SQL has emptied must not be made good by a restart.
"""

from __future__ import annotations

import logging
import os
import shlex
import sqlite3
import stat
from collections.abc import Mapping
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any

from data_capture.audit.append import audit_key_file, begin_chain
from data_capture.audit.format import ChainKey
from data_capture.audit.head import delete_head_file, update_head_file
from data_capture.audit.schema_baseline import update_baseline
from data_capture.audit.schema_check import read_schema_state
from data_capture.audit.schema_objects import SchemaState
from data_capture.key_files import (
    UntrustedKeysError,
    check_keys_directory,
    keep_key,
    load_key,
    load_or_make_key,
    new_key,
)
from data_capture.settings import REPOSITORY
from data_capture.sql.pragmas import columns_of, unique_columns_of
from data_capture.store.sqlite.connection import create_private_file
from data_capture.store.sqlite.lock import WriterLock, WriterLockTimeout
from data_capture.store.sqlite.receipts import receipts_key_file
from data_capture.store.sqlite.schema_history import Replacement, earlier_objects
from data_capture.store.sqlite.user_rows import unfillable_columns
from data_capture.store.sqlite.users import ensure_user, set_password_hash

log = logging.getLogger("data_capture.store")

_RESTORE = "python3 -m data_capture restore FILE"
_FILE_HEADER = b"SQLite format 3\x00"  # sqlite.org/fileformat2.html, section 1.3.1
_CHECKED_AT_EVERY_START_BYTES = (
    16 * 1024 * 1024
)  # takes 10 ms; a first start checks a file of any size
_MAX_DAMAGE_NAMED = 3
_OPEN_TO_OTHERS = 0o077  # a file's mode
_REHEARSAL_TIME = "2000-01-01T00:00:00.000Z"
_REHEARSAL_HASH = "$argon2id$v=19$m=19456,t=2,p=1$" + "-" * 66  # as long as a real one

# What quick_check says of rows that break another program's own rules: no damage, and none of our business.
_RULES_OF_OTHERS = ("NULL value in ", "CHECK constraint failed in ", "non-unique entry in ", "TEXT value in ",
                    "NUMERIC value in ", "non-INT value in ", "non-TEXT value in ", "non-REAL value in ",
                    "non-BLOB value in ", "non-NUMERIC value in ")  # fmt: skip


class DatabaseRefused(Exception):
    """The file can't be used as it is, and was left so; the text is a sentence for whoever starts the service."""


def prepare(database: Path, request_seconds: float = 5.0, *, may_create: bool = True) -> None:
    """Makes sure that `database` holds every table of schema.sql; does nothing where it does. Any number of processes
    may do this at once.

    Args:
        database: the file; it may be missing, but its folder must exist.
        request_seconds: how long to wait for a lock that another program holds.
        may_create: whether a missing file is one that was never there.

    Raises:
        DatabaseRefused: the file can't be used; nothing in it has changed.
    """
    has_content = _examine_file(database)
    if not has_content:
        _refuse_to_hide_a_loss(database, may_create=may_create)
    has_audit_key = _examine_audit_key(database)
    _examine_receipts_key(database)
    complete = False
    try:
        if has_content:
            complete = _examine_database(database, request_seconds) and has_audit_key
        else:
            delete_head_file(database)
        _complete_and_rehearse(database, request_seconds)
    except (sqlite3.OperationalError, WriterLockTimeout) as error:
        locked = (
            isinstance(error, WriterLockTimeout) or "locked" in str(error) or "busy" in str(error)
        )
        if locked and complete:
            return  # nothing to add; until the lock is given back, requests are answered with 503
        if locked:
            raise DatabaseRefused(
                f"Another program is using {database} and holds its lock, so that our tables can't be added. "
                "Nothing was changed. Stop that program, or wait until it has finished, and start again."
            ) from error
        raise DatabaseRefused(f"{database} can't be used: {error}. Nothing was changed.") from error
    except sqlite3.DatabaseError as error:
        raise DatabaseRefused(_damage(database, str(error))) from error
    except OSError as error:
        raise DatabaseRefused(
            f"{database} can't be used: {error.strerror}. Nothing was changed."
        ) from error


def warn_of_other_readers(database: Path) -> None:
    """Log a warning if other users of this machine can open the database, whose mode is its owner's to change."""
    mode = stat.S_IMODE(database.stat().st_mode)
    if mode & _OPEN_TO_OTHERS:
        log.warning(
            "Other users of this machine can open the database (mode %04o): chmod 600 %s",
            mode,
            database,
        )


def _examine_file(database: Path) -> bool:
    """Whether the file is there and has content; refuses what can't be a database that we may write to."""
    folder = database.parent
    if not folder.is_dir():
        raise DatabaseRefused(
            f"The folder {folder} does not exist, so that the database can't be made in it."
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DatabaseRefused(
            f"The folder {folder} can't be written to; the database's log has to lie beside it."
        )
    try:
        status = database.stat()
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(status.st_mode):
        raise DatabaseRefused(f"{database} is a folder; the database has to be a file.")
    if not stat.S_ISREG(status.st_mode):
        raise DatabaseRefused(
            f"{database} is not a regular file, so that it can't be the database."
        )
    # The superuser may write to every file; one that nobody may write to was marked so on purpose.
    if not os.access(database, os.R_OK | os.W_OK) or not status.st_mode & 0o222:
        raise DatabaseRefused(
            f"{database} is read-only for this program, which has to read and write it. Nothing was changed."
        )
    if status.st_size == 0:
        return False
    with database.open("rb") as file:
        header = file.read(len(_FILE_HEADER))
    if header != _FILE_HEADER:
        raise DatabaseRefused(
            f"{database} is not an SQLite database (or an encrypted one). Nothing was changed. "
            "Name another file with --database or EDC_DATABASE."
        )
    return True


def _refuse_to_hide_a_loss(database: Path, *, may_create: bool) -> None:
    """Refuses to put an empty database where one with content was; warns where only traces of an older one are left."""
    log_beside, writer_lock_file = (
        database.with_name(database.name + "-wal"),
        database.with_name(database.name + "-gate"),
    )
    with suppress(OSError):
        if log_beside.stat().st_size > 0:
            raise DatabaseRefused(
                f"{database} is missing or empty, but {log_beside.name} beside it holds the latest captures of the file that was "
                f"there. Nothing was changed. Put that file back, or a backup of it: {_RESTORE}. To begin with an empty "
                f"database, move {log_beside.name} away."
            )
    if not may_create:
        raise DatabaseRefused(
            f"{database} is gone, or empty: it was deleted, moved away or cut off while the services ran. No empty one was made "
            f"in its place. Put it back, or a backup of it: {_RESTORE}. To begin anew, stop everything and start again."
        )
    # In this order: who makes a database makes the file before its gate.
    if writer_lock_file.exists() and not database.exists():
        log.warning(
            "There was a database before, and it is gone: a new, empty one is made. File: %s",
            database,
        )


def _examine_audit_key(database: Path) -> bool:
    """Whether there is an audit key; refuses what is in its place and can't be one, and a folder that it can't be put in."""
    key_file = audit_key_file(database)
    folder = key_file.parent
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        has_key = key_file.exists()
        if has_key:
            load_key(key_file)
        check_keys_directory(database.resolve())
        if has_key:
            return True
        if os.access(folder, os.W_OK | os.X_OK):
            return False
    except UntrustedKeysError as error:
        raise DatabaseRefused(f"{error} Nothing was changed.") from error
    except ValueError as error:
        raise DatabaseRefused(
            f"{error} The audit trail then begins a new chain, and earlier heads are void."
        ) from error
    except OSError as error:
        raise DatabaseRefused(
            f"{error.filename} can't be used: {error.strerror}. Nothing was changed."
        ) from error
    raise DatabaseRefused(
        f"The folder {folder} can't be written to; the audit trail's key has to be in it. Nothing was changed."
    )


def _examine_receipts_key(database: Path) -> None:
    """Refuses what is in the place of the receipts' key and can't be one."""
    key_file = receipts_key_file(database)
    try:
        if key_file.exists():
            load_key(key_file)
    except ValueError as error:
        raise DatabaseRefused(
            f"{error} Receipts under the old one can't be compared then. Nothing was changed."
        ) from error
    except OSError as error:
        raise DatabaseRefused(
            f"{key_file} can't be used: {error.strerror}. Nothing was changed."
        ) from error


def _note_audit_head(connection: sqlite3.Connection, database: Path) -> None:
    """Notes what the last run, which may have been killed, had no time to note."""
    try:
        update_head_file(connection, database, ChainKey(load_key(audit_key_file(database))))
    except ValueError as error:
        log.error(
            "The audit trail's noted head is unreadable (%s): python3 -m data_capture verify-audit tells more",
            error,
        )


def _note_schema(
    connection: sqlite3.Connection, database: Path, before: SchemaState, *, begins: bool
) -> None:
    """Notes what the database consists of now, for verify-audit; a start does not fail for it."""
    try:
        key = load_key(audit_key_file(database))
        update_baseline(connection, database, key, before=before, begins=begins)
    except ValueError as error:
        log.error(
            "The note of the schema is unusable (%s): python3 -m data_capture verify-audit tells more",
            error,
        )
    except OSError as error:
        log.warning("The schema can't be noted beside the audit key: %s", error)


def _examine_database(database: Path, request_seconds: float) -> bool:
    """Whether everything of schema.sql is there, looking only; refuses what can't be added to, and a damaged file."""
    try:
        with closing(_connect(database, request_seconds, "ro")) as connection:
            connection.execute("BEGIN")
            complete = not _missing(connection) and not earlier_objects(connection)
            if not complete or database.stat().st_size <= _CHECKED_AT_EVERY_START_BYTES:
                _refuse_damage(connection, database)
            _refuse_conflicts(connection, database)
            return complete
    except sqlite3.OperationalError as error:
        if "readonly" in str(error) or "unable to open" in str(error):
            return False  # a crash left a journal, which only a writer may roll back: it is examined again there
        raise


def _complete_and_rehearse(database: Path, request_seconds: float) -> None:
    """Adds what is missing, and the audit trail's chain, in one transaction, and undoes a rehearsal in it."""
    create_private_file(database.resolve())
    key_file, key = audit_key_file(database), None
    writer_lock = WriterLock(database)
    try:
        with (
            writer_lock.hold(request_seconds),
            closing(_connect(database, request_seconds, "rw")) as connection,
        ):
            connection.execute("BEGIN IMMEDIATE")
            try:
                _refuse_conflicts(connection, database)
                before = read_schema_state(connection)
                earlier = earlier_objects(connection)
                replacement = Replacement(connection, earlier)
                replacement.set_aside()
                missing = _missing(connection)
                if missing:
                    for statement in _schema_statements():
                        connection.execute(statement)
                replacement.carry_over(database)
                if not key_file.exists():
                    key = new_key()
                    begin_chain(connection, key)
                _rehearse(connection, database)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT" if missing or earlier or key else "ROLLBACK")
            if earlier:
                log.info("Made by an earlier version, and replaced: %s", ", ".join(sorted(earlier)))
            if key is not None:
                keep_key(
                    key_file, key
                )  # not before: with a key there, nobody would begin the chain that it is of
            _note_schema(connection, database, before, begins=key is not None)
            load_or_make_key(receipts_key_file(database))
            if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                raise DatabaseRefused(
                    f"The file system of {database} can't hold a write-ahead log (a network drive?). "
                    "The database has to lie on a local disk."
                )
            _note_audit_head(connection, database)
    finally:
        writer_lock.close()


def _connect(database: Path, busy_seconds: float, mode: str) -> sqlite3.Connection:
    """A connection that, unlike those of the store, leaves the journal mode alone: this file may yet be refused."""
    uri = f"{database.as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=busy_seconds)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    return connection


@cache
def _schema_statements() -> tuple[str, ...]:
    """The CREATE statements of schema.sql, without its own BEGIN and COMMIT."""
    statements, statement = [], ""
    for line in (REPOSITORY / "schema.sql").read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.startswith("--"):
            statement += line
        if sqlite3.complete_statement(statement):
            statements.append(statement.strip())
            statement = ""
    return tuple(statement for statement in statements if statement.startswith("CREATE"))


_Columns = Mapping[
    str, tuple[str, bool]
]  # name → declared type, and whether a row must bring a value


@cache
def _our_tables() -> Mapping[str, _Columns]:
    """The tables of schema.sql beside `users`, with their columns, as SQLite itself reads them."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in _schema_statements():
            connection.execute(statement)
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
        return {
            table: _columns(connection, table) for (table,) in tables.fetchall() if table != "users"
        }


@cache
def _our_objects() -> frozenset[str]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in _schema_statements():
            connection.execute(statement)
        return frozenset(_kinds(connection))


def _columns(connection: sqlite3.Connection, table: str) -> _Columns:
    return {
        name.lower(): (
            declared_type.upper(),
            (not_null and default is None) or (bool(key) and declared_type.upper() != "INTEGER"),
        )
        for name, declared_type, not_null, default, key in columns_of(connection, table)
    }


def _kinds(connection: sqlite3.Connection) -> dict[str, str]:
    """Name → 'table', 'virtual table', 'view' or 'index', of everything in the database; names in lower case."""
    rows = connection.execute(
        "SELECT type, lower(name), sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    ).fetchall()
    return {
        name: "virtual table" if str(sql).upper().startswith("CREATE VIRTUAL") else kind
        for kind, name, sql in rows
        if kind != "trigger"
    }


def _missing(connection: sqlite3.Connection) -> bool:
    return not _our_objects() <= set(_kinds(connection))


def _refuse_damage(connection: sqlite3.Connection, database: Path) -> None:
    try:
        reports = [str(report) for (report,) in connection.execute("PRAGMA quick_check(100)")]
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise
        return  # another program's table needs a collation or a module that only that program has
    except sqlite3.DatabaseError:
        # The check went on from the damage to rows on it, at which Python forgets what was reported: ask for the first alone.
        reports = [str(report) for (report,) in connection.execute("PRAGMA quick_check(1)")]
    damage = [
        report.replace("\n", " ")
        for report in reports
        if report != "ok" and not report.startswith(_RULES_OF_OTHERS)
    ]
    if damage:
        raise DatabaseRefused(_damage(database, "; ".join(damage[:_MAX_DAMAGE_NAMED])))


def _damage(database: Path, report: str) -> str:
    recovered = database.with_name(f"{database.stem}-recovered{database.suffix}")
    return (
        f"{database} is damaged: {report}. Nothing was changed. Put a backup in its place ({_RESTORE}; one is made with "
        "python3 -m data_capture backup), or save what can be read with: "
        f"sqlite3 {shlex.quote(str(database))} .recover | sqlite3 {shlex.quote(str(recovered))}"
    )


def _refuse_conflicts(connection: sqlite3.Connection, database: Path) -> None:
    """Refuses a database with a table of one of our names that isn't ours, or a `users` table that can't be referred to."""
    kinds = _kinds(connection)
    earlier = earlier_objects(connection)
    complaints, conflicting = [], []
    for table, wanted in _our_tables().items():
        if table not in kinds or table in earlier:
            continue
        if kinds[table] != "table":
            complaints.append(f"{table} is a {kinds[table]}, and has to be a table.")
            continue
        found = _columns(connection, table)
        lacking = [column for column in wanted if column not in found]
        unknown = [
            column for column, (_, required) in found.items() if required and column not in wanted
        ]
        if lacking:
            complaints.append(
                f"The table {table} is another program's: it lacks {_enumeration(lacking)}."
            )
        elif unknown:
            complaints.append(
                f"The table {table} is another program's: it requires {_enumeration(unknown)}."
            )
        if lacking or unknown:
            conflicting.append(table)
    if conflicting:
        complaints.append(
            "This sets the old table aside, with its rows (whatever program uses it will no longer find it): "
            + _setting_aside(database, conflicting, kinds)
        )
    if "users" in kinds:
        complaints += _complaints_about_users(connection, kinds["users"])
    if complaints:
        raise DatabaseRefused(
            f"{database} can't be taken over. {' '.join(complaints)} Nothing was changed."
        )


def _complaints_about_users(connection: sqlite3.Connection, kind: str) -> list[str]:
    if kind != "table":
        return [f"users is a {kind}, and has to be a table that others can refer to."]
    columns = _columns(connection, "users")
    if "email" not in columns:
        return ["The table users has no column email, which says whose a capture is."]
    complaints = []
    keys = [[column.name for column in columns_of(connection, "users") if column.key]]
    if all(
        [(name or "").lower() for name in names] != ["email"]
        for names in keys + unique_columns_of(connection, "users")
    ):
        complaints.append(
            "The column email of the table users is not unique, so that nothing can refer to a person by it. "
            "If no address is there twice, this makes it so: CREATE UNIQUE INDEX users_email ON users (email)"
        )
    unfillable = unfillable_columns(connection)
    if unfillable:
        complaints.append(
            f"The table users requires {_enumeration(unfillable)}, and nothing here knows what to put there. "
            "A default value for it would do."
        )
    return complaints


def _rehearse(connection: sqlite3.Connection, database: Path) -> None:
    """Writes two people with two rows in each table, signs them up, and undoes it."""
    connection.execute("SAVEPOINT rehearsal")
    table = "users"
    try:
        for turn in (1, 2):
            table = "users"
            user = ensure_user(
                connection, f"rehearsal-{turn}@data-capture.invalid", None, _REHEARSAL_TIME
            )
            for table, columns in _our_tables().items():
                if table == "user_credentials":
                    continue  # `ensure_person` and `set_password_hash` write it where it is used
                for again in (1, 2) if "id" in columns else (1,):
                    row = _rehearsal_row(columns, user, f"{turn}-{again}")
                    names, marks = ", ".join(row), ", ".join("?" * len(row))
                    # The names come from schema.sql.
                    connection.execute(
                        f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608
                        tuple(row.values()),
                    )
            table = "users"
            set_password_hash(connection, user, _REHEARSAL_HASH, _REHEARSAL_TIME)
    except Exception as error:
        if not isinstance(error, sqlite3.OperationalError) or "locked" not in str(error):
            reason = str(error.__cause__ or error).rstrip(
                "."
            )  # SQLite's words: here its owner reads them
            raise DatabaseRefused(
                f"{database} can't be taken over: its table {table} refuses our rows ({reason}). Nothing was changed."
            ) from error
        raise
    finally:
        if connection.in_transaction:  # a trigger may have ended it
            connection.execute("ROLLBACK TO rehearsal")
            connection.execute("RELEASE rehearsal")


def _rehearsal_row(columns: _Columns, user: str, mark: str) -> dict[str, Any]:
    values: dict[str, Any] = {"INTEGER": 0, "BLOB": b""}
    row = {
        column: values.get(kind, f"rehearsal-{mark}")
        for column, (kind, required) in columns.items()
        if required
    }
    if "user_email" in columns:
        row["user_email"] = user
    return row


def _setting_aside(database: Path, tables: list[str], kinds: Mapping[str, str]) -> str:
    """The command that renames `tables` to names that are free."""
    renames = []
    for table in tables:
        aside, number = f"{table}_old", 2
        while aside in kinds:
            aside, number = f"{table}_old{number}", number + 1
        renames.append(f"ALTER TABLE {table} RENAME TO {aside}")
    return f"sqlite3 {shlex.quote(str(database))} {shlex.quote('; '.join(renames))}"


def _enumeration(names: list[str]) -> str:
    return (
        f"the column {names[0]}"
        if len(names) == 1
        else f"the columns {', '.join(names[:-1])} and {names[-1]}"
    )
