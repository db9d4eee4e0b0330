"""Compares the SQL of every object of ours with schema.sql: tables, indexes, views, and what others have put on them.

Whoever can write the database can also change what it consists of: a view that hides records, a trigger that alters them, a
table without the rules of ours. An object is as it should be if it has the SQL that schema.sql has, or the SQL that was
noted outside the database when it was adopted (schema_note.py): another program may have made a table of our name before.

White space, comments, IF NOT EXISTS, the case of words and quotes around our own names make no difference. Everything else
does. The statistics of ANALYZE (sqlite_stat…) are not compared: they say nothing about content.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from data_capture.audit.schema_sql import Created, Token, created_by, fold, is_plain_index, tokens_of
from data_capture.settings import REPOSITORY

_EARLIER = Path(__file__).with_name("earlier_schemas")
_MAX_SHOWN_CHARACTERS = 80
_USERS = (False, "users")

_ROWS = "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master ORDER BY rowid"


class SchemaObject(NamedTuple):
    """A row of sqlite_schema, names in lower case; `sql` is None for the indexes that UNIQUE and PRIMARY KEY make."""

    kind: str
    name: str
    table: str
    sql: str | None


@dataclass(frozen=True)
class SchemaReport:
    """What was found.

    Args:
        findings: what is not as it should be, each a sentence.
        information: what differs from schema.sql and was there when the database was adopted, each a sentence.
    """

    findings: tuple[str, ...]
    information: tuple[str, ...] = ()


State = tuple[SchemaObject, ...]
"""The objects of one database at one time that concern us."""


@dataclass(frozen=True)
class _Ours:
    """What schema.sql, or an earlier one, makes."""

    state: State
    names: frozenset[str]
    plain_names: frozenset[str]  # of objects and columns: quotes around them make no difference


def check_schema(connection: sqlite3.Connection, noted: Sequence[State]) -> SchemaReport:
    """Compare the objects that `connection` sees with schema.sql and with what is noted.

    Args:
        connection: in a read transaction.
        noted: what the database consisted of when it was adopted, and after each change that we made; the latest last.

    Raises:
        sqlite3.Error: the schema can't be read.
    """
    rows = _read_rows(connection)
    concerning = _concerning(rows)
    latest = noted[-1] if noted else _ours().state
    users = next((item for item in latest if noted and item.name == "users"), None)
    report = _Comparison(concerning, latest, users, accepts_ours=True).report()
    strange = (*_strange_rows(rows), *_shared_pages(rows))
    if report.findings and not strange:
        # An earlier version's database, or a backup of one: whole as it was then.
        for earlier in (*reversed(noted[:-1]), *_earlier_schemas()):
            earlier_report = _Comparison(concerning, earlier, users, accepts_ours=False).report()
            if not earlier_report.findings:
                return earlier_report
    return SchemaReport((*report.findings, *strange), report.information)


def state_of(connection: sqlite3.Connection) -> State:
    """Return the objects that `connection` sees and that concern us.

    Raises:
        sqlite3.Error: the schema can't be read.
    """
    return _concerning(_read_rows(connection))


def state_after_our_changes(before: State, now: State) -> State:
    """Return what to note after a change that we made: what is as schema.sql has it now, and what was noted `before`.

    What someone else has changed meanwhile is in neither: a start must not make it good.
    """
    ours, state = _by_identity(_ours().state), _by_identity(before)
    for item in now:
        if _is_same(item, ours.get(_identity(item))):
            state[_identity(item)] = item
    there = {_identity(item) for item in now}
    # An object of an earlier schema.sql that a change of ours has removed.
    return tuple(item for key, item in state.items() if key in there or key in ours)


def our_counted_tables(connection: sqlite3.Connection) -> list[str]:
    """Return our tables whose ids SQLite counts, as far as they are as schema.sql has them, but for `users`."""
    ours = _by_identity(_ours().state)
    return [
        item.name
        for item in state_of(connection)
        if item.kind == "table"
        and item.name != "users"
        and "autoincrement" in (item.sql or "").lower()
        and _is_same(item, ours.get(_identity(item)))
    ]


def is_plain_table(connection: sqlite3.Connection, table: str) -> bool:
    """Whether `table` is an ordinary table without generated columns: what reads its rows runs nothing of anybody's."""
    for row in _read_rows(connection):
        if fold(row.name) == table and row.kind == "table":
            created = row.created
            generated = connection.execute("SELECT 1 FROM pragma_table_xinfo(?) WHERE hidden > 1", (table,)).fetchone()
            return created is not None and created.kind == "table" and not created.is_virtual and generated is None
    return False


def shown(name: str) -> str:
    """Return a name that someone else has given, fit to be printed."""
    text = "".join(character if character.isprintable() else "?" for character in name)
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[: _MAX_SHOWN_CHARACTERS - 1]}…"


# --- Reading ---------------------------------------------------------------------------------------------------------------


class _Row(NamedTuple):
    kind: str
    name: str
    table: str
    root: Any
    sql: Any

    @property
    def created(self) -> Created | None:
        return created_by(_tokens(self.sql))


def _read_rows(connection: sqlite3.Connection) -> list[_Row]:
    with _any_text(connection):
        found = connection.execute(_ROWS).fetchall()
    return [_Row(_text(kind), _text(name), _text(table), root, sql) for kind, name, table, root, sql in found]


@contextmanager
def _any_text(connection: sqlite3.Connection) -> Iterator[None]:
    before = connection.text_factory
    connection.text_factory = lambda text: text.decode(errors="surrogateescape")
    try:
        yield
    finally:
        connection.text_factory = before


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _tokens(sql: Any) -> tuple[Token, ...]:
    if sql is None:
        return ()
    # SQLite reads a BLOB as it reads a text; none of ours is one.
    return tokens_of(sql, _ours().plain_names) if isinstance(sql, str) else (Token("other", repr(sql)),)


@cache
def _ours() -> _Ours:
    return _read_schema(REPOSITORY / "schema.sql")


@cache
def _earlier_schemas() -> tuple[State, ...]:
    """What earlier versions made that had no note yet, the newest first."""
    return tuple(_read_schema(path).state for path in sorted(_EARLIER.glob("*.sql"), reverse=True))


def _read_schema(path: Path) -> _Ours:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(path.read_text(encoding="utf-8"))
        found = connection.execute(_ROWS).fetchall()
        state = tuple(SchemaObject(kind, fold(name), fold(table), sql) for kind, name, table, _, sql in found)
        columns = {
            fold(column)
            for item in state
            if item.kind in ("table", "view")
            for (column,) in connection.execute("SELECT name FROM pragma_table_info(?)", (item.name,))
        }
    names = frozenset(item.name for item in state)
    return _Ours(state, names, names | columns)


def _concerning(rows: Iterable[_Row]) -> State:
    """Return the objects of our names, and what is on them, whatever sqlite_schema says of it: its SQL counts."""
    names = _ours().names
    state = []
    for row in rows:
        created = row.created
        known_as = {fold(row.name), fold(row.table)} | ({created.name, created.table} if created else set())
        if known_as & names:
            sql = row.sql if row.sql is None or isinstance(row.sql, str) else repr(row.sql)
            kind = "trigger" if created is not None and created.kind == "trigger" else row.kind
            state.append(SchemaObject(kind, fold(row.name), fold(row.table), sql))
    return tuple(state)


# --- Comparing -------------------------------------------------------------------------------------------------------------


def _identity(item: SchemaObject) -> tuple[bool, str]:
    """Triggers have names of their own; tables, views and indexes share theirs."""
    return item.kind == "trigger", item.name


def _by_identity(state: State) -> dict[tuple[bool, str], SchemaObject]:
    return {_identity(item): item for item in state}


def _is_same(item: SchemaObject, wanted: SchemaObject | None) -> bool:
    return wanted is not None and item[:3] == wanted[:3] and _tokens(item.sql) == _tokens(wanted.sql)


class _Comparison:
    """Compares the objects that are there with those of one state."""

    def __init__(self, there: State, state: State, users: SchemaObject | None, *, accepts_ours: bool) -> None:
        """Keep what is compared.

        Args:
            there: what is there.
            state: what should be.
            users: the table `users` as it was noted; None where nothing is noted.
            accepts_ours: whether what is as schema.sql has it is right in any case.
        """
        self._there = there
        self._ours = _by_identity(_ours().state)
        self._wanted = _by_identity(state)
        self._accepts_ours = accepts_ours
        self._users = users
        made_by_us = [self._ours[_USERS], *(item for made in _earlier_schemas() for item in made if item.name == "users")]
        self._users_are_ours = users is not None and any(_is_same(users, made) for made in made_by_us)
        self._findings: list[str] = []
        self._information: list[str] = []

    def report(self) -> SchemaReport:
        """Return what differs."""
        for item in self._there:
            self._compare(item)
        there = {_identity(item) for item in self._there}
        for key, item in self._wanted.items():
            if key not in there and self._is_needed(item):
                self._findings.append(f"The {item.kind} {shown(item.name)} is gone.")
        return SchemaReport(tuple(self._findings), tuple(self._information))

    def _is_needed(self, item: SchemaObject) -> bool:
        """Whether an object has to be there; other programs may remove what they have put on our tables."""
        if item.kind == "trigger":
            return False
        if item.sql is None:
            return item.table != "users" or self._users_are_ours
        return item.name in _ours().names or any(_identity(item) in _by_identity(made) for made in _earlier_schemas())

    def _compare(self, item: SchemaObject) -> None:
        key = _identity(item)
        ours, wanted = self._ours.get(key), self._wanted.get(key)
        if self._accepts_ours and _is_same(item, ours):
            return
        if _is_same(item, wanted):
            if not _is_same(item, ours) and self._accepts_ours:
                self._tell_adopted(item)
        elif item.kind == "trigger":
            on = f"{shown(item.name)} on {shown(item.table)}"
            self._findings.append(f"The trigger {on} is none of ours: it was added or changed.")
        elif key == _USERS:
            self._compare_users(item)
        elif item.table == "users" and item.sql is None and not self._users_are_ours:
            return
        elif wanted is not None or ours is not None:
            self._tell_changed(item, wanted or self._ours[key])
        elif item.kind == "index":
            self._compare_foreign_index(item)
        else:
            self._findings.append(f"The {shown(item.kind)} {shown(item.name)} was added: it stands for {shown(item.table)}.")

    def _tell_adopted(self, item: SchemaObject) -> None:
        if item.kind == "trigger":
            on = f"{shown(item.name)} on {shown(item.table)}"
            self._information.append(f"The trigger {on} is another program's, and was there when the schema was noted.")
        elif _identity(item) in self._ours and item.table != "users":
            self._information.append(f"The {item.kind} {shown(item.name)} is as it was adopted, and not as schema.sql has it.")

    def _tell_changed(self, item: SchemaObject, wanted: SchemaObject) -> None:
        name, created = shown(item.name), created_by(_tokens(item.sql))
        if item.kind != wanted.kind:
            self._findings.append(f"The {wanted.kind} {name} is a {shown(item.kind)} now.")
        elif created is not None and created.is_virtual:
            self._findings.append(f"The table {name} is a virtual table now.")
        else:
            than = "schema.sql has it" if _is_same(wanted, self._ours.get(_identity(item))) else "it was noted"
            self._findings.append(f"The {wanted.kind} {name} was changed: its SQL is not as {than}.")

    def _compare_users(self, item: SchemaObject) -> None:
        """Compare `users`, which may be another program's: that may alter it. One that we made may not be altered."""
        if self._users is not None and _is_same(item, self._users):
            return
        created = created_by(_tokens(item.sql))
        is_table = item.kind == "table" and created is not None and created.kind == "table" and not created.is_virtual
        if self._users_are_ours or not is_table:
            self._tell_changed(item, self._users or self._ours[_USERS])
        elif self._users is not None:
            self._information.append("The table users is another program's, and was altered since it was noted.")

    def _compare_foreign_index(self, item: SchemaObject) -> None:
        if item.table == "users" and not self._users_are_ours:
            return
        if item.sql is None or not is_plain_index(_tokens(item.sql)):
            self._findings.append(
                f"The index {shown(item.name)} on {shown(item.table)} was added: it is none of ours, and can refuse rows."
            )


# --- What no comparison of single objects shows ---------------------------------------------------------------------------


def _strange_rows(rows: Sequence[_Row]) -> Iterator[str]:
    """Find rows of sqlite_schema that only PRAGMA writable_schema can make and that concern us."""
    names = _ours().names
    numbers = Counter((row.kind == "trigger", fold(row.name)) for row in rows)
    for (_, name), number in numbers.items():
        if number > 1 and name in names:
            yield f"There are {number} objects named {shown(name)}."
    for row in rows:
        created = row.created
        said = (row.kind, fold(row.name), fold(row.table))
        if created is None:
            is_automatic = row.sql is None and row.kind == "index" and fold(row.name).startswith("sqlite_autoindex_")
            if not is_automatic and {*said[1:]} & names:
                yield f"The {shown(row.kind)} {shown(row.name)} has no SQL that creates it."
        elif said != created[:3] and {*said[1:], created.name, created.table} & names:
            said_of = f"{shown(row.kind)} {shown(row.name)}"
            yield f"The SQL that stands for the {said_of} creates the {created.kind} {shown(created.name)}."
        elif created.kind == "trigger" and created.table.startswith("sqlite_"):
            yield f"The trigger {shown(row.name)} is on {shown(created.table)}."


def _shared_pages(rows: Sequence[_Row]) -> Iterator[str]:
    """Find objects that stand on the same page of the file, which SQLite never makes."""
    by_root: dict[int, list[str]] = {}
    for row in rows:
        if isinstance(row.root, int) and row.root > 0:
            by_root.setdefault(row.root, []).append(shown(row.name))
        elif row.kind in ("table", "index") and not (row.created is not None and row.created.is_virtual):
            yield f"The {row.kind} {shown(row.name)} has no page in the file."
    for names in by_root.values():
        if len(names) > 1:
            yield f"{' and '.join(names)} have the same pages."
