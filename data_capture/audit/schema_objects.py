"""The objects of a database as sqlite_schema has them, and those that schema.sql makes."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from data_capture.audit.schema_sql import (
    Created,
    Token,
    fold,
    names_in,
    parse_create,
    references_in,
    tokenize_sql,
)
from data_capture.settings import REPOSITORY
from data_capture.sql.bulk import any_text
from data_capture.sql.pragmas import columns_of, has_generated_columns

_EARLIER = Path(__file__).with_name("earlier_schemas")
_MAX_SHOWN_CHARACTERS = 80

# What stands behind FROM with such a name is a function of SQLite's, unless the file has a table of that name.
_FUNCTION_NAMES = ("json_each", "json_tree", "jsonb_each", "jsonb_tree")
_FUNCTION_PREFIX = "pragma_"

_ROWS = "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master ORDER BY rowid"


class SchemaObject(NamedTuple):
    """A row of sqlite_schema, names in lower case; `sql` is None for what UNIQUE makes."""

    kind: str
    name: str
    table: str
    sql: str | None


SchemaState = tuple[SchemaObject, ...]
"""The objects of one database at one time that concern us."""


@dataclass(frozen=True)
class OurObjects:
    """What schema.sql, or an earlier one, makes."""

    state: SchemaState
    names: frozenset[str]
    tables: frozenset[str]
    plain_names: frozenset[str]  # of objects and columns: quotes around them make no difference


class SchemaRow(NamedTuple):
    """A row of sqlite_schema as it is there, whatever its types."""

    kind: str
    name: str
    table: str
    root: Any
    sql: Any

    @property
    def created(self) -> Created | None:
        """What its SQL creates."""
        return parse_create(tokens_of_sql(self.sql))


def read_rows(connection: sqlite3.Connection) -> list[SchemaRow]:
    """Return all rows of sqlite_schema."""
    with any_text(connection):
        found = connection.execute(_ROWS).fetchall()
    return [
        SchemaRow(_text(kind), _text(name), _text(table), root, sql)
        for kind, name, table, root, sql in found
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def tokens_of_sql(sql: Any) -> tuple[Token, ...]:
    """Return the tokens of an object's SQL, whatever its type."""
    if sql is None:
        return ()
    # SQLite reads a BLOB as it reads a text; none of ours is one.
    return _tokens_of_text(sql) if isinstance(sql, str) else (Token("other", repr(sql)),)


@lru_cache(maxsize=1000)  # each is compared several times, and reading one takes 1 ms
def _tokens_of_text(sql: str) -> tuple[Token, ...]:
    return tokenize_sql(sql, our_objects().plain_names)


@cache
def our_objects() -> OurObjects:
    """Return what schema.sql makes."""
    return _read_schema(REPOSITORY / "schema.sql")


@cache
def earlier_schemas() -> tuple[SchemaState, ...]:
    """What earlier versions made that had no note yet, the newest first."""
    return tuple(_read_schema(path).state for path in sorted(_EARLIER.glob("*.sql"), reverse=True))


def _read_schema(path: Path) -> OurObjects:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(path.read_text(encoding="utf-8"))
        found = connection.execute(_ROWS).fetchall()
        state = tuple(
            SchemaObject(kind, fold(name), fold(table), sql) for kind, name, table, _, sql in found
        )
        columns = {
            fold(column)
            for item in state
            if item.kind in ("table", "view")
            for column, *_ in columns_of(connection, item.name)
        }
    names = frozenset(item.name for item in state)
    tables = frozenset(item.name for item in state if item.kind == "table")
    return OurObjects(state, names, tables, names | columns)


class Reach(NamedTuple):
    """What of other programs' tables our writes can reach by foreign keys.

    `tables`: where our writes may run triggers, our tables among them. `referring`: those that
    refer to a table of ours other than `users`, which is there to be referred to.
    """

    tables: frozenset[str]
    referring: frozenset[str]


def reach_of(rows: Iterable[SchemaRow]) -> Reach:
    """Return what our writes can reach."""
    ours = our_objects().tables
    references = {
        row.created.name: references_in(tokens_of_sql(row.sql))
        for row in rows
        if row.created is not None and row.created.kind == "table" and not row.created.is_virtual
    }
    referring = {
        name
        for name, found in references.items()
        if name not in ours and any(one.parent in ours - {"users"} for one in found)
    }
    reached, before = set(ours | referring), 0
    while len(reached) > before:
        before = len(reached)
        reached |= {
            name
            for name, found in references.items()
            if any(one.acts and one.parent in reached for one in found)
        }
    return Reach(frozenset(reached), frozenset(referring))


def concerning(rows: Sequence[SchemaRow]) -> SchemaState:
    """Return the objects of our names, what is on them, and what else our writes can set off.

    That are tables which refer to ours, other than `users`, triggers on what our writes reach,
    and triggers that speak of our tables.
    """
    names, reach = our_objects().names, reach_of(rows)
    state = []
    for row in rows:
        created = row.created
        known_as = {fold(row.name), fold(row.table)} | (
            {created.name, created.table} if created else set()
        )
        is_reached = created is not None and (
            created.name in reach.referring
            if created.kind == "table"
            else created.kind == "trigger"
            and (created.table in reach.tables or mentions_ours(row.sql))
        )
        if known_as & names or is_reached:
            sql = row.sql if row.sql is None or isinstance(row.sql, str) else repr(row.sql)
            kind = "trigger" if created is not None and created.kind == "trigger" else row.kind
            state.append(SchemaObject(kind, fold(row.name), fold(row.table), sql))
    return tuple(state)


def mentions_ours(sql: Any) -> frozenset[str]:
    """Return which of our tables a statement speaks of."""
    return names_in(tokens_of_sql(sql)) & our_objects().tables


def identity_of(item: SchemaObject) -> tuple[bool, str]:
    """Triggers have names of their own; tables, views and indexes share theirs."""
    return item.kind == "trigger", item.name


def by_identity(state: SchemaState) -> dict[tuple[bool, str], SchemaObject]:
    """Return the objects of a state by what tells them apart."""
    return {identity_of(item): item for item in state}


def is_same(item: SchemaObject, wanted: SchemaObject | None) -> bool:
    """Whether an object is as it should be."""
    return (
        wanted is not None
        and item[:3] == wanted[:3]
        and tokens_of_sql(item.sql) == tokens_of_sql(wanted.sql)
    )


def strange_rows(rows: Sequence[SchemaRow]) -> Iterator[str]:
    """Find rows of sqlite_schema that only PRAGMA writable_schema can make, whosever they are.

    Such a row can be something else than it seems to be, a trigger on a table of ours say. Also
    found are names under which another object is read than one expects.
    """
    names = our_objects().names
    numbers = Counter((row.kind == "trigger", fold(row.name)) for row in rows)
    for (_, name), number in numbers.items():
        if number > 1 and name in names:
            yield f"There are {number} objects named {shown(name)}."
    for row in rows:
        created = row.created
        said = (row.kind, fold(row.name), fold(row.table))
        if created is None:
            is_automatic = (
                row.sql is None
                and row.kind == "index"
                and fold(row.name).startswith("sqlite_autoindex_")
            )
            if not is_automatic:
                yield f"The {shown(row.kind)} {shown(row.name)} has no SQL that creates it."
        elif said != created[:3]:
            said_of = f"{shown(row.kind)} {shown(row.name)}"
            makes = f"{created.kind} {shown(created.name)}"
            yield f"The SQL that stands for the {said_of} creates the {makes}."
        elif created.kind in ("trigger", "index") and created.table.startswith("sqlite_"):
            yield f"The {created.kind} {shown(row.name)} is on {shown(created.table)}."
        for name in {fold(row.name), created.name if created is not None else ""}:
            if name.startswith(_FUNCTION_PREFIX) or name in _FUNCTION_NAMES:
                yield f"The {shown(row.kind)} {shown(name)} has the name of a function of SQLite's."


def shared_pages(rows: Sequence[SchemaRow]) -> Iterator[str]:
    """Find objects that stand on the same page of the file, which SQLite never makes."""
    by_root: dict[int, list[str]] = {}
    for row in rows:
        if isinstance(row.root, int) and row.root > 0:
            by_root.setdefault(row.root, []).append(shown(row.name))
        elif row.kind in ("table", "index") and not (
            row.created is not None and row.created.is_virtual
        ):
            yield f"The {row.kind} {shown(row.name)} has no page in the file."
    for names in by_root.values():
        if len(names) > 1:
            yield f"{' and '.join(names)} have the same pages."


def is_plain_table(connection: sqlite3.Connection, table: str) -> bool:
    """Whether `table` is an ordinary table: reading it runs no SQL of anyone else."""
    for row in read_rows(connection):
        if fold(row.name) == table and row.kind == "table":
            created = row.created
            return (
                created is not None
                and created.kind == "table"
                and not created.is_virtual
                and not has_generated_columns(connection, table)
            )
    return False


def shown(name: str) -> str:
    """Return a name that someone else has given, fit to be printed."""
    text = make_printable(name)
    too_long = len(text) > _MAX_SHOWN_CHARACTERS
    return f"{text[: _MAX_SHOWN_CHARACTERS - 1]}…" if too_long else text


def make_printable(text: str) -> str:
    """Return the text without what a terminal would act on."""
    return "".join(character if character.isprintable() else "?" for character in text)
