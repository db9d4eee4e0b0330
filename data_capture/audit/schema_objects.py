"""Read the objects of a database, and those that schema.sql creates."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from data_capture.audit.schema_sql import (
    CreatedObject,
    Token,
    find_names,
    find_references,
    fold_case,
    parse_create,
    tokenize_sql,
)
from data_capture.settings import REPOSITORY
from data_capture.sql.bulk import tolerate_invalid_utf8
from data_capture.sql.pragmas import columns_of, has_generated_columns

_EARLIER_SCHEMAS = Path(__file__).with_name("earlier_schemas")
_MAX_NAME_CHARACTERS = 80

_SELECT = "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master ORDER BY rowid"


class SchemaObject(NamedTuple):
    """An object of a schema, names in lower case.

    Args:
        kind: "table", "index", "view" or "trigger".
        name: its name.
        table: its table, or the own name of a table or view.
        sql: the statement that creates it; None for the index of a UNIQUE constraint.
    """

    kind: str
    name: str
    table: str
    sql: str | None

    @property
    def key(self) -> ObjectKey:
        """The key by which SQLite tells objects apart: triggers have their own names."""
        return self.kind == "trigger", self.name

    def equals(self, other: SchemaObject | None) -> bool:
        """Return whether both objects have the same meaning to SQLite."""
        return (
            other is not None
            and self[:3] == other[:3]
            and tokenize_stored_sql(self.sql) == tokenize_stored_sql(other.sql)
        )


ObjectKey = tuple[bool, str]

SchemaState = tuple[SchemaObject, ...]
"""The relevant objects of a database at one time."""


@dataclass(frozen=True)
class OurObjects:
    """The objects that schema.sql, or an earlier version of it, creates.

    Args:
        state: the objects.
        names: their names.
        tables: the names of the tables.
        plain_names: the names of objects and columns, which mean the same with and without quotes.
    """

    state: SchemaState
    names: frozenset[str]
    tables: frozenset[str]
    plain_names: frozenset[str]


class SchemaRow(NamedTuple):
    """A row of sqlite_schema. Tampering can store any type and any SQL in it."""

    kind: str
    name: str
    table: str
    root_page: Any
    sql: Any

    @property
    def created(self) -> CreatedObject | None:
        """The object that the SQL creates."""
        return parse_create(tokenize_stored_sql(self.sql))


def read_schema_rows(connection: sqlite3.Connection) -> list[SchemaRow]:
    """Return all rows of sqlite_schema."""
    with tolerate_invalid_utf8(connection):
        rows = connection.execute(_SELECT).fetchall()
    return [
        SchemaRow(_to_text(kind), _to_text(name), _to_text(table), root_page, sql)
        for kind, name, table, root_page, sql in rows
    ]


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def tokenize_stored_sql(sql: Any) -> tuple[Token, ...]:
    """Return the tokens of a value of sqlite_schema.sql, of any type."""
    if sql is None:
        return ()
    # SQLite reads a BLOB like text, but none of our objects is stored as one.
    return _tokenize_text(sql) if isinstance(sql, str) else (Token("other", repr(sql)),)


@lru_cache(maxsize=1000)  # by timeit, check_schema takes 4 ms with this cache, 31 ms without
def _tokenize_text(sql: str) -> tuple[Token, ...]:
    return tokenize_sql(sql, load_our_objects().plain_names)


@cache
def load_our_objects() -> OurObjects:
    """Return the objects that schema.sql creates."""
    return _load_schema(REPOSITORY / "schema.sql")


@cache
def load_earlier_schemas() -> tuple[SchemaState, ...]:
    """Return the schemas of versions without a baseline, the newest first."""
    paths = sorted(_EARLIER_SCHEMAS.glob("*.sql"), reverse=True)
    return tuple(_load_schema(path).state for path in paths)


def _load_schema(path: Path) -> OurObjects:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(path.read_text(encoding="utf-8"))
        rows = connection.execute(_SELECT).fetchall()
        state = tuple(
            SchemaObject(kind, fold_case(name), fold_case(table), sql)
            for kind, name, table, _, sql in rows
        )
        columns = {
            fold_case(column)
            for item in state
            if item.kind in ("table", "view")
            for column, *_ in columns_of(connection, item.name)
        }
    names = frozenset(item.name for item in state)
    tables = frozenset(item.name for item in state if item.kind == "table")
    return OurObjects(state, names, tables, names | columns)


class ReachableTables(NamedTuple):
    """The tables that our writes can reach by foreign keys.

    Args:
        tables: the tables on which our writes can set off triggers, ours among them.
        referring: other programs' tables that refer to a table of ours other than `users`.
            References to `users` are expected.
    """

    tables: frozenset[str]
    referring: frozenset[str]


def find_reachable_tables(rows: Iterable[SchemaRow]) -> ReachableTables:
    """Find the tables that our writes can reach."""
    ours = load_our_objects().tables
    references_of = {
        row.created.name: find_references(tokenize_stored_sql(row.sql))
        for row in rows
        if row.created is not None and row.created.kind == "table" and not row.created.is_virtual
    }
    referring = {
        name
        for name, references in references_of.items()
        if name not in ours and any(one.parent in ours - {"users"} for one in references)
    }
    reached, previous_size = set(ours | referring), 0
    while len(reached) > previous_size:
        previous_size = len(reached)
        reached |= {
            name
            for name, references in references_of.items()
            if any(one.has_action and one.parent in reached for one in references)
        }
    return ReachableTables(frozenset(reached), frozenset(referring))


def select_relevant_objects(rows: Sequence[SchemaRow]) -> SchemaState:
    """Return the objects that concern us.

    These are the objects with our names, those on them, and those that our writes can set off. Our
    writes can set off a table that refers to ours (other than `users`), a trigger on a
    reachable table, and a trigger that mentions our tables.
    """
    names, reachable = load_our_objects().names, find_reachable_tables(rows)
    state = []
    for row in rows:
        created = row.created
        own_names = {fold_case(row.name), fold_case(row.table)}
        if created is not None:
            own_names |= {created.name, created.table}
        if own_names & names or _can_be_set_off(row, created, reachable):
            sql = row.sql if row.sql is None or isinstance(row.sql, str) else repr(row.sql)
            kind = "trigger" if created is not None and created.kind == "trigger" else row.kind
            state.append(SchemaObject(kind, fold_case(row.name), fold_case(row.table), sql))
    return tuple(state)


def _can_be_set_off(
    row: SchemaRow, created: CreatedObject | None, reachable: ReachableTables
) -> bool:
    if created is None:
        return False
    if created.kind == "table":
        return created.name in reachable.referring
    return created.kind == "trigger" and (
        created.table in reachable.tables or bool(find_our_tables_in(row.sql))
    )


def find_our_tables_in(sql: Any) -> frozenset[str]:
    """Return the names of our tables that a statement mentions."""
    return find_names(tokenize_stored_sql(sql)) & load_our_objects().tables


def index_by_key(state: SchemaState) -> dict[ObjectKey, SchemaObject]:
    """Return the objects of a state by their keys."""
    return {item.key: item for item in state}


def is_plain_table(connection: sqlite3.Connection, table: str) -> bool:
    """Return whether `table` is an ordinary table: reading it runs no foreign SQL."""
    for row in read_schema_rows(connection):
        if fold_case(row.name) == table and row.kind == "table":
            created = row.created
            return (
                created is not None
                and created.kind == "table"
                and not created.is_virtual
                and not has_generated_columns(connection, table)
            )
    return False


def shorten_name(name: str) -> str:
    """Return a name from the database for display: printable and not too long."""
    text = make_printable(name)
    if len(text) <= _MAX_NAME_CHARACTERS:
        return text
    return f"{text[: _MAX_NAME_CHARACTERS - 1]}…"


def make_printable(text: str) -> str:
    """Replace the control characters that a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text)
