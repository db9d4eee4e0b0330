"""Check a database file and count its contents; nothing here writes to the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from data_capture.cli.errors import CommandError
from data_capture.cli.formatting import format_count
from data_capture.sql.database_file import DATABASE_HEADER, read_header
from data_capture.sql.pragmas import quote_identifier
from data_capture.sql.reports import is_damage, is_lock_error
from data_capture.sql.schema_file import open_in_memory

_BUSY_SECONDS = 5.0
_MAX_SHOWN_REPORTS = 3
_MAX_KEPT_REPORTS = 100
# SQLite also counts the reports that are no damage: with a lower limit they could hide the others.
_MAX_SQLITE_REPORTS = 2**31 - 1
# The first SQLite that can check one table. Earlier versions take the table's name for a number.
_CHECKS_TABLES = (3, 33, 0)

# Every version of the product has had these. A service's start adds the later tables.
_REQUIRED_TABLES = (
    "users",
    "payment_data",
    "questionnaire_data",
    "dashboard_data",
    "data_capture_audit",
)

_CAPTURE_TABLES = ("payment_data", "questionnaire_data", "dashboard_data", "trading_activity_log")


@dataclass(frozen=True)
class IntegrityReport:
    """The state and the size of a database.

    Args:
        damage: SQLite's reports; empty when the file is intact.
        missing_tables: required tables that are missing; with one, the file belongs to another
            program.
        broken_references: for each table with rows whose foreign key finds no row, a description.
        captures: the number of captures.
        rows: the number of rows of captures, audit records and users.
        latest: the time of the latest audit record, as text; None without one.
    """

    damage: tuple[str, ...]
    missing_tables: tuple[str, ...]
    broken_references: dict[str, str]
    captures: int
    rows: int
    latest: str | None


def require_database_file(path: Path) -> None:
    """Raise CommandError unless `path` is a readable file with the header of SQLite."""
    if path.is_dir():
        raise CommandError(f"{path} is a folder, not a database.")
    if not path.exists():
        raise CommandError(f"There is no file {path}.")
    if not path.is_file():
        raise CommandError(f"{path} is not a regular file, so it can't be a database.")
    try:
        header = read_header(path)
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}.") from error
    if not header:
        raise CommandError(f"{path} is empty; it is not a database.")
    if header != DATABASE_HEADER:
        raise CommandError(f"{path} is not an SQLite database, or its first bytes are damaged.")


@contextmanager
def open_snapshot(path: Path, busy_seconds: float = _BUSY_SECONDS) -> Iterator[sqlite3.Connection]:
    """Open a read-only connection that sees the database, WAL included, as it is now.

    Writers continue meanwhile. The connection does not need the writer lock: it neither commits nor
    checkpoints.

    Raises:
        sqlite3.Error: the file can't be read.
    """
    uri = f"{path.resolve().as_uri()}?mode=ro"
    with closing(
        sqlite3.connect(uri, uri=True, isolation_level=None, timeout=busy_seconds)
    ) as connection:
        # SQLite's reports may quote damaged bytes.
        connection.text_factory = lambda text: text.decode(errors="replace")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("BEGIN")
        # The first read, and not BEGIN, fixes the snapshot.
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield connection


def create_integrity_report(connection: sqlite3.Connection) -> IntegrityReport:
    """Check the whole database; takes about a second per gigabyte, more on a slow disk.

    Raises:
        sqlite3.OperationalError: another program locks the file, or it can't be read.
    """
    damage = find_damage(connection)
    missing = tuple(table for table in _REQUIRED_TABLES if table not in _table_names(connection))
    if damage or missing:
        return IntegrityReport(tuple(damage), missing, {}, 0, 0, None)
    try:
        broken = find_broken_references(connection)
        captures = sum(_count_rows(connection, table) for table in _CAPTURE_TABLES)
        others = sum(_count_rows(connection, table) for table in ("users", "data_capture_audit"))
        (latest,) = connection.execute("SELECT max(timestamp) FROM data_capture_audit").fetchone()
    except sqlite3.DatabaseError as error:
        if is_lock_error(error):
            raise
        return IntegrityReport((str(error),), (), {}, 0, 0, None)
    return IntegrityReport((), (), broken, captures, captures + others, latest)


def find_damage(
    connection: sqlite3.Connection, *, quick: bool = False, only_schema_tables: bool = False
) -> list[str]:
    """Return the first reports of SQLite's integrity check.

    Args:
        connection: on the database to check.
        quick: leave out whether indexes and tables agree.
        only_schema_tables: check the tables of schema.sql and their indexes, and no others.

    Raises:
        sqlite3.OperationalError: another program locks the file.
    """
    check = "quick_check" if quick else "integrity_check"
    can_check_tables = sqlite3.sqlite_version_info >= _CHECKS_TABLES
    reports: list[str] = []
    if only_schema_tables and can_check_tables:
        ours = {name for name in _table_names(connection) if name.lower() in schema_tables()}
        reports += _check_tables(connection, check, ours)
    else:
        reports += _check_database(connection, check, can_check_tables=can_check_tables)
    reports = [*dict.fromkeys(reports)]
    if len(reports) > _MAX_SHOWN_REPORTS:
        reports[_MAX_SHOWN_REPORTS:] = [f"and {len(reports) - _MAX_SHOWN_REPORTS} more"]
    return reports


def _check_database(
    connection: sqlite3.Connection, check: str, *, can_check_tables: bool
) -> list[str]:
    reports: list[str] = []
    try:
        for report in _reports(connection, f"PRAGMA {check}({_MAX_SQLITE_REPORTS})"):
            reports.append(report)  # one by one: reports before an error count
    except sqlite3.DatabaseError as error:
        if is_lock_error(error):
            raise
        if not can_check_tables:
            reports.append(
                f"the check ended early: {error} (SQLite 3.33 and later check each table by itself)"
            )
        else:
            # Another program's table may need a collation that is missing here. The other tables
            # are checked all the same.
            reports += _check_tables(connection, check, _table_names(connection))
    return reports


def _check_tables(connection: sqlite3.Connection, check: str, tables: Collection[str]) -> list[str]:
    """Check each table by itself, those of schema.sql first.

    An error that stops the check of a table of schema.sql is damage.
    """
    reports = []
    for table in sorted(tables, key=lambda name: (name.lower() not in schema_tables(), name)):
        try:
            for report in _reports(connection, f"PRAGMA {check}({quote_identifier(table)})"):
                reports.append(report)
        except sqlite3.DatabaseError as error:
            if is_lock_error(error):
                raise
            # Another program's table may need that program's collation, function or module.
            if table.lower() in schema_tables() or not isinstance(
                error, (sqlite3.OperationalError, sqlite3.DataError)
            ):
                reports.append(f"{table} can't be checked: {error}")
    return reports


def _reports(connection: sqlite3.Connection, check: str) -> Iterator[str]:
    """Yield the check's reports of damage, at most `_MAX_KEPT_REPORTS`."""
    found = 0
    for (report,) in connection.execute(check):
        if is_damage(report):
            yield " ".join(report.split()).removeprefix("*** in database main *** ")
            found += 1
            if found == _MAX_KEPT_REPORTS:
                return


def find_broken_references(connection: sqlite3.Connection) -> dict[str, str]:
    """Find tables with rows whose foreign key finds no row.

    Returns:
        By table, a description with the number of rows; it holds no personal data.
    """
    broken = {}
    for table in sorted(_table_names(connection)):
        try:
            number = sum(
                1
                for _ in connection.execute(f"PRAGMA foreign_key_check({quote_identifier(table)})")
            )
        except sqlite3.OperationalError as error:
            if is_lock_error(error):
                raise
            # The table's foreign key refers to a column that is not unique.
            broken[table] = f"{table} ({error})"
            continue
        if number:
            broken[table] = f"{table} ({format_count(number, 'row')})"
    return broken


@cache
def schema_tables() -> frozenset[str]:
    """Return the names of all tables of schema.sql."""
    with closing(open_in_memory()) as connection:
        return frozenset(_table_names(connection))


def _table_names(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
        "AND sql NOT LIKE 'CREATE VIRTUAL%'"
    )
    return {name for (name,) in rows.fetchall()}


def _count_rows(connection: sqlite3.Connection, table: str) -> int:
    if table not in _table_names(connection):
        return 0
    (number,) = connection.execute(f"SELECT count(*) FROM {quote_identifier(table)}").fetchone()  # noqa: S608
    return int(number)
