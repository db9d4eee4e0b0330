"""Whether a database file is whole, and what is in it; nothing here writes to the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from data_capture.cli import CommandError
from data_capture.settings import REPOSITORY
from data_capture.sql.pragmas import quoted

_FILE_HEADER = b"SQLite format 3\x00"  # sqlite.org/fileformat2.html, section 1.3.1
_BUSY_SECONDS = 5.0
_MAX_REPORTS_NAMED = 3
_MAX_KEPT = 100
_MAX_REPORTS = (
    2**31 - 1
)  # those that are no damage count, too: with a limit they could hide the others
_CHECKS_TABLES = (
    3,
    33,
    0,
)  # the first SQLite that checks a table by itself; earlier ones take the name for a number

# What every version of ours has had. Tables that came later are added at the services' next start.
_REQUIRED_TABLES = (
    "users",
    "payment_data",
    "questionnaire_data",
    "dashboard_data",
    "data_capture_audit",
)

_CAPTURE_TABLES = ("payment_data", "questionnaire_data", "dashboard_data", "trading_activity_log")

# What the checks say of rows that break a rule of their own table: no damage, and in a faithful copy as in the original.
_BROKEN_RULES = ("NULL value in ", "CHECK constraint failed in ", "non-unique entry in ", "TEXT value in ",
                 "NUMERIC value in ", "non-INT value in ", "non-TEXT value in ", "non-REAL value in ",
                 "non-BLOB value in ", "non-NUMERIC value in ")  # fmt: skip


@dataclass(frozen=True)
class IntegrityReport:
    """What was found in a database file.

    Args:
        damage: what SQLite reports; empty when the file is whole.
        missing_tables: those of ours without which the file is not a database of ours.
        broken_references: for each table with rows that refer to someone who isn't there, a few words on them.
        captures: how many captures there are.
        rows: how many rows the capture tables, the audit trail and the users table have.
        latest: when the latest audit record was written, as text; None where there is none.
    """

    damage: tuple[str, ...]
    missing_tables: tuple[str, ...]
    broken_references: dict[str, str]
    captures: int
    rows: int
    latest: str | None


def refuse_what_is_no_database(path: Path) -> None:
    """Refuses what is missing, isn't a file, can't be read or doesn't begin as SQLite's files do.

    Raises:
        CommandError: it can't be used.
    """
    if path.is_dir():
        raise CommandError(f"{path} is a folder, not a database.")
    if not path.exists():
        raise CommandError(f"There is no file {path}.")
    if not path.is_file():
        raise CommandError(f"{path} is not a regular file, so that it can't be a database.")
    try:
        header = header_of(path)
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}.") from error
    if not header:
        raise CommandError(f"{path} is empty; it is not a database.")
    if header != _FILE_HEADER:
        raise CommandError(f"{path} is not an SQLite database (or its first bytes are damaged).")


def header_of(path: Path) -> bytes:
    """The bytes at the beginning, by which SQLite knows its files; empty for an empty file."""
    with path.open("rb") as file:
        return file.read(len(_FILE_HEADER))


def begins_as_database(path: Path) -> bool:
    """Whether it is a file, and begins as SQLite's files do."""
    return path.is_file() and header_of(path) == _FILE_HEADER


@contextmanager
def snapshot(path: Path, busy_seconds: float = _BUSY_SECONDS) -> Iterator[sqlite3.Connection]:
    """A connection that sees the file, its log included, as it is at this moment, and can't write. Writers go on meanwhile.

    It takes no part in the store's gate: it neither commits nor checkpoints.

    Raises:
        sqlite3.Error: the file can't be read.
    """
    uri = f"{path.resolve().as_uri()}?mode=ro"
    with closing(
        sqlite3.connect(uri, uri=True, isolation_level=None, timeout=busy_seconds)
    ) as connection:
        connection.text_factory = lambda text: text.decode(
            errors="replace"
        )  # reports may quote damaged bytes
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("BEGIN")
        connection.execute(
            "SELECT count(*) FROM sqlite_master"
        ).fetchone()  # only now the transaction has its moment
        yield connection


def examine(connection: sqlite3.Connection) -> IntegrityReport:
    """Everything about the file of `connection`; takes about a second a gigabyte, more on a slow disk.

    Raises:
        sqlite3.OperationalError: it is locked, or can't be read.
    """
    damage = find_damage(connection)
    missing = tuple(table for table in _REQUIRED_TABLES if table not in _tables(connection))
    if damage or missing:
        return IntegrityReport(tuple(damage), missing, {}, 0, 0, None)
    try:
        broken = find_broken_references(connection)
        captures = sum(_rows_of(connection, table) for table in _CAPTURE_TABLES)
        rows = captures + _rows_of(connection, "users") + _rows_of(connection, "data_capture_audit")
        (latest,) = connection.execute("SELECT max(timestamp) FROM data_capture_audit").fetchone()
    except sqlite3.DatabaseError as error:
        if is_lock(error):
            raise
        return IntegrityReport((str(error),), (), {}, 0, 0, None)
    return IntegrityReport((), (), broken, captures, rows, latest)


def find_damage(
    connection: sqlite3.Connection, *, quick: bool = False, ours_alone: bool = False
) -> list[str]:
    """What SQLite's integrity check reports, the first few; `quick` leaves out whether indexes and tables agree.

    With `ours_alone` only our tables and their indexes are checked.

    Raises:
        sqlite3.OperationalError: the file is locked by another program.
    """
    check = "quick_check" if quick else "integrity_check"
    can_check_tables = sqlite3.sqlite_version_info >= _CHECKS_TABLES
    reports: list[str] = []
    try:
        if not (ours_alone and can_check_tables):
            for report in _reports(connection, f"PRAGMA {check}({_MAX_REPORTS})"):
                reports.append(report)  # one by one: what was found before an error counts
    except sqlite3.DatabaseError as error:
        if is_lock(error):
            raise
        if not can_check_tables:
            reports.append(
                f"the check ended early: {error} (SQLite 3.33 and later check our tables by themselves)"
            )
        else:  # what other programs' tables need, a collation say, must not keep ours from being checked
            reports += _damage_of_tables(connection, check, _tables(connection))
    if ours_alone and can_check_tables:
        reports += _damage_of_tables(
            connection,
            check,
            {name for name in _tables(connection) if name.lower() in our_tables()},
        )
    reports = [*dict.fromkeys(reports)]
    if len(reports) > _MAX_REPORTS_NAMED:
        reports[_MAX_REPORTS_NAMED:] = [f"and {len(reports) - _MAX_REPORTS_NAMED} more"]
    return reports


def _damage_of_tables(
    connection: sqlite3.Connection, check: str, tables: Collection[str]
) -> list[str]:
    """Checks each table by itself, ours first. What keeps SQLite from checking one of ours is damage."""
    reports = []
    for table in sorted(tables, key=lambda name: (name.lower() not in our_tables(), name)):
        try:
            for report in _reports(connection, f"PRAGMA {check}({quoted(table)})"):
                reports.append(report)
        except sqlite3.DatabaseError as error:
            if is_lock(error):
                raise
            # Another program's table may need a collation, a function or a module of that program's.
            if table.lower() in our_tables() or not isinstance(
                error, (sqlite3.OperationalError, sqlite3.DataError)
            ):
                reports.append(f"{table} can't be checked: {error}")
    return reports


def _reports(connection: sqlite3.Connection, check: str) -> Iterator[str]:
    """What a check reports, without what is no damage: that may be a great many reports."""
    found = 0
    for (report,) in connection.execute(check):
        if report != "ok" and not report.startswith(_BROKEN_RULES):
            yield " ".join(report.split()).removeprefix("*** in database main *** ")
            found += 1
            if found == _MAX_KEPT:
                return


def find_broken_references(connection: sqlite3.Connection) -> dict[str, str]:
    """The tables with rows that refer to a row that isn't there, each with how many; who these rows are of is not told."""
    broken = {}
    for table in sorted(_tables(connection)):
        try:
            number = sum(
                1 for _ in connection.execute(f"PRAGMA foreign_key_check({quoted(table)})")
            )
        except sqlite3.OperationalError as error:
            if is_lock(error):
                raise
            broken[table] = f"{table} ({error})"  # it refers to a column that is not unique
            continue
        if number:
            broken[table] = f"{table} ({number} row{'s' if number > 1 else ''})"
    return broken


def is_lock(error: sqlite3.Error) -> bool:
    """Whether it says that another program holds a lock, and not that something is wrong with the file."""
    return "locked" in str(error) or "busy" in str(error)


@cache
def our_tables() -> frozenset[str]:
    """The names of all tables of schema.sql."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript((REPOSITORY / "schema.sql").read_text(encoding="utf-8"))
        return frozenset(_tables(connection))


def _tables(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND sql NOT LIKE 'CREATE VIRTUAL%'"
    )
    return {name for (name,) in rows.fetchall()}


def _rows_of(connection: sqlite3.Connection, table: str) -> int:
    if table not in _tables(connection):
        return 0
    # The names are those at the top.
    (number,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
    return int(number)
