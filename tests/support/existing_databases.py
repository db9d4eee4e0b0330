"""Share helpers of the tests of databases that other programs created."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.support.services import (
    REPOSITORY,
)

DATABASES = REPOSITORY / "tests" / "databases"
SELECT_OBJECTS = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"

Contents = dict[str, tuple[str, list[tuple[object, ...]]]]


def create_database(database: Path, *scripts: str) -> Path:
    """Create a database from scripts of tests/databases or from statements."""
    with closing(sqlite3.connect(database)) as connection:
        for script in scripts:
            connection.executescript(
                (DATABASES / script).read_text() if script.endswith(".sql") else script
            )
        connection.commit()
    return database


def read_contents(database: Path) -> Contents:
    """Return the SQL and the rows of every table, view, index and trigger."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        objects = connection.execute(SELECT_OBJECTS).fetchall()
        return {
            name: (
                sql,
                connection.execute(f'SELECT * FROM "{name}"').fetchall() if kind == "table" else [],  # noqa: S608
            )
            for kind, name, sql in objects
            if not name.startswith("sqlite_")
        }


def assert_unchanged(
    before: Contents, database: Path, but: Callable[[tuple[object, ...]], bool] = lambda _: False
) -> None:
    """Check that all objects and rows are still there, except rows for which `but` is true."""
    after = read_contents(database)
    for name, (sql, old_rows) in before.items():
        assert after[name][0] == sql, name
        gone = [row for row in old_rows if row not in after[name][1] and not but(row)]
        assert not gone, (name, gone)
