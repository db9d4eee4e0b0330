"""Build SQL statements that change the schema of a database.

Each function returns the statements and the name that verify-audit must report.
"""

# ruff: noqa: S608  (every statement is written in this file)

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.support.services import REPOSITORY

INDEXES = {"data_capture_audit": ["data_capture_audit_by_person"]}


def schema_sql_of(name: str) -> str:
    """Return the SQL by which schema.sql creates an object."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript((REPOSITORY / "schema.sql").read_text())
        (sql,) = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = ?", (name,)
        ).fetchone()
        return str(sql)


def quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def edit_schema(*statements: str) -> str:
    """Run statements that write to sqlite_master."""
    return f"PRAGMA writable_schema = ON; {'; '.join(statements)}; PRAGMA schema_version = 900;"


def swap_root_pages(one: str, other: str) -> str:
    """Exchange the contents of two tables or indexes in sqlite_master."""
    both = f"('{one}', '{other}')"
    return edit_schema(
        f"""UPDATE sqlite_master
            SET rootpage = (SELECT sum(rootpage) FROM sqlite_master WHERE name IN {both}) - rootpage
            WHERE name IN {both}"""
    )


def edit_sql(name: str, old: str, new: str) -> tuple[str, str]:
    """Edit an object's SQL in sqlite_master, without changing a row."""
    sql = replace_once(name, old, new)
    return edit_schema(f"UPDATE sqlite_master SET sql = {quote(sql)} WHERE name = '{name}'"), name


def rebuild_table(
    name: str, old: str, new: str, more: str = "", columns: str = "*"
) -> tuple[str, str]:
    """Rebuild a table with edited SQL, keeping its rows, indexes and counter."""
    sql = replace_once(name, old, new).replace(name, "rebuilt", 1)
    indexes = ";".join(schema_sql_of(index) for index in INDEXES.get(name, ()))
    return (
        f"""PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON; {sql};
            INSERT INTO rebuilt SELECT {columns} FROM {name};
            DROP TABLE {name}; ALTER TABLE rebuilt RENAME TO {name}; {indexes};
            {more}""",
        name,
    )


def replace_view(name: str, old: str, new: str) -> tuple[str, str]:
    return f"DROP VIEW {name}; {replace_once(name, old, new)}", name


def create_trigger(
    on: str, when: str = "AFTER INSERT", what: str = "SELECT 1", name: str = "helper"
) -> tuple[str, str]:
    return f"CREATE TRIGGER {name} {when} ON {on} BEGIN {what}; END", name


def replace_once(name: str, old: str, new: str) -> str:
    """Replace a part of an object's SQL."""
    sql = schema_sql_of(name)
    assert old in sql, (name, old)
    return sql.replace(old, new, 1)
