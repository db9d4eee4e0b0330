"""Ways to change the schema of a database by plain SQL: each gives the statements and what is to be named."""

# ruff: noqa: S608  (every statement is spelled out here)

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.support.services import REPOSITORY

INDEXES = {"data_capture_audit": ["data_capture_audit_by_person"]}


def sql_of(name: str) -> str:
    """Return the SQL with which schema.sql makes an object."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript((REPOSITORY / "schema.sql").read_text())
        (sql,) = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = ?", (name,)
        ).fetchone()
        return str(sql)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def edited(name: str, old: str, new: str) -> tuple[str, str]:
    """Change what the schema says, and not one row."""
    sql = sql_of(name)
    assert old in sql, (name, old)
    return schema(
        f"UPDATE sqlite_master SET sql = {quoted(sql.replace(old, new, 1))} WHERE name = '{name}'"
    ), name


def schema(*statements: str) -> str:
    return f"PRAGMA writable_schema = ON; {'; '.join(statements)}; PRAGMA schema_version = 900;"


def rebuilt(name: str, old: str, new: str, more: str = "", columns: str = "*") -> tuple[str, str]:
    """Make the table again with other SQL, with all of its rows, indexes and counter."""
    sql = sql_of(name)
    assert old in sql, (name, old)
    made = sql.replace(name, "rebuilt", 1).replace(old, new, 1)
    indexes = ";".join(sql_of(index) for index in INDEXES.get(name, ()))
    return (
        f"""PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON; {made};
            INSERT INTO rebuilt SELECT {columns} FROM {name};
            DROP TABLE {name}; ALTER TABLE rebuilt RENAME TO {name}; {indexes};
            {more}""",
        name,
    )


def view(name: str, old: str, new: str) -> tuple[str, str]:
    sql = sql_of(name)
    assert old in sql, (name, old)
    return f"DROP VIEW {name}; {sql.replace(old, new, 1)}", name


def trigger(
    on: str, when: str = "AFTER INSERT", what: str = "SELECT 1", name: str = "helper"
) -> tuple[str, str]:
    return f"CREATE TRIGGER {name} {when} ON {on} BEGIN {what}; END", name
