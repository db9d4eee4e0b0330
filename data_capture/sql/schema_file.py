"""Read schema.sql: its CREATE statements, and a database that it creates."""

from __future__ import annotations

import sqlite3
from functools import cache
from pathlib import Path

from data_capture.settings import REPOSITORY

SCHEMA_FILE = REPOSITORY / "schema.sql"


@cache
def read_create_statements() -> tuple[str, ...]:
    """Return the CREATE statements of schema.sql, without its BEGIN and COMMIT."""
    statements, statement = [], ""
    for line in SCHEMA_FILE.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.startswith("--"):
            statement += line
        if sqlite3.complete_statement(statement):
            statements.append(statement.strip())
            statement = ""
    return tuple(statement for statement in statements if statement.startswith("CREATE"))


def open_in_memory(schema: Path = SCHEMA_FILE) -> sqlite3.Connection:
    """Open an empty in-memory database with the tables of a schema file."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(schema.read_text(encoding="utf-8"))
    return connection
