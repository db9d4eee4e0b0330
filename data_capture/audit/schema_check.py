"""Compares the SQL of every object of ours with schema.sql, and finds what others have put on them.

Whoever can write the database can also change what it consists of: a view that hides records, a
trigger that alters them, a table without the rules of ours. An object is as it should be if it
has the SQL that schema.sql has, or the SQL that was noted outside the database when it was
adopted (schema_note.py): another program may have made a table of our name before.

White space, comments, IF NOT EXISTS, the case of words and quotes around our own names make no
difference. Everything else does. The statistics of ANALYZE (sqlite_stat…) are not compared: they
say nothing about content.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from data_capture.audit.schema_objects import (
    Reach,
    SchemaObject,
    SchemaState,
    by_identity,
    concerning,
    earlier_schemas,
    identity_of,
    is_same,
    mentions_ours,
    our_objects,
    reach_of,
    read_rows,
    shared_pages,
    shown,
    strange_rows,
    tokens_of_sql,
)
from data_capture.audit.schema_sql import Reference, is_plain_index, parse_create, references_in

_USERS = (False, "users")


@dataclass(frozen=True)
class SchemaReport:
    """What was found.

    Args:
        findings: what is not as it should be, each a sentence.
        information: what differs from schema.sql and was there when the database was adopted,
            each a sentence.
    """

    findings: tuple[str, ...]
    information: tuple[str, ...] = ()


def check_schema(connection: sqlite3.Connection, noted: Sequence[SchemaState]) -> SchemaReport:
    """Compare the objects that `connection` sees with schema.sql and with what is noted.

    Args:
        connection: in a read transaction.
        noted: what the database consisted of when it was adopted, and after each change that we
            made; the latest last.

    Raises:
        sqlite3.Error: the schema can't be read.
    """
    rows = read_rows(connection)
    there, reach = concerning(rows), reach_of(rows)
    latest = noted[-1] if noted else our_objects().state
    users = next((item for item in latest if noted and item.name == "users"), None)
    report = _Comparison(there, reach, latest, users, accepts_ours=True).report()
    strange = (*strange_rows(rows), *shared_pages(rows))
    if report.findings and not strange:
        # An earlier version's database, or a backup of one: whole as it was then.
        for earlier in (*reversed(noted[:-1]), *earlier_schemas()):
            earlier_report = _Comparison(there, reach, earlier, users, accepts_ours=False).report()
            if not earlier_report.findings:
                return earlier_report
    return SchemaReport((*report.findings, *strange), report.information)


def state_after_our_changes(before: SchemaState, now: SchemaState) -> SchemaState:
    """Return what to note after a change that we made: what was noted `before`, with that change.

    Only what is as schema.sql has it now is taken over.

    What someone else has changed meanwhile is in neither: a start must not make it good.
    """
    ours, state = by_identity(our_objects().state), by_identity(before)
    for item in now:
        if is_same(item, ours.get(identity_of(item))):
            state[identity_of(item)] = item
    there = {identity_of(item) for item in now}
    # An object of an earlier schema.sql that a change of ours has removed.
    return tuple(item for key, item in state.items() if key in there or key in ours)


class _Comparison:
    """Compares the objects that are there with those of one state."""

    def __init__(
        self,
        there: SchemaState,
        reach: Reach,
        state: SchemaState,
        users: SchemaObject | None,
        *,
        accepts_ours: bool,
    ) -> None:
        """Keep what is compared.

        Args:
            there: what is there.
            reach: what our writes can reach.
            state: what should be.
            users: the table `users` as it was noted; None where nothing is noted.
            accepts_ours: whether what is as schema.sql has it is right in any case.
        """
        self._there = there
        self._reach = reach
        self._ours = by_identity(our_objects().state)
        self._wanted = by_identity(state)
        self._accepts_ours = accepts_ours
        self._users = users
        made_by_us = [
            self._ours[_USERS],
            *(item for made in earlier_schemas() for item in made if item.name == "users"),
        ]
        self._users_are_ours = users is not None and any(
            is_same(users, made) for made in made_by_us
        )
        # What only has a name of ours, another program's table `audit_logs` say: that program may
        # alter it.
        self._foreign = {
            item.name
            for key, item in self._wanted.items()
            if key in self._ours and self._ours[key].kind != item.kind
        }
        self._findings: list[str] = []
        self._information: list[str] = []

    def report(self) -> SchemaReport:
        """Return what differs."""
        for item in self._there:
            self._compare(item)
        there = {identity_of(item) for item in self._there}
        for key, item in self._wanted.items():
            if key not in there and self._is_needed(item):
                self._findings.append(f"The {item.kind} {shown(item.name)} is gone.")
        return SchemaReport(tuple(self._findings), tuple(self._information))

    def _is_needed(self, item: SchemaObject) -> bool:
        """Whether an object has to be there: other programs may remove what is theirs."""
        if item.kind == "trigger":
            return False
        if item.sql is None:
            return item.table != "users" or self._users_are_ours
        return item.name in our_objects().names or any(
            identity_of(item) in by_identity(made) for made in earlier_schemas()
        )

    def _compare(self, item: SchemaObject) -> None:
        key = identity_of(item)
        ours, wanted = self._ours.get(key), self._wanted.get(key)
        if self._accepts_ours and is_same(item, ours):
            return
        if is_same(item, wanted):
            if not is_same(item, ours) and self._accepts_ours:
                self._tell_adopted(item)
        elif item.kind == "trigger":
            self._compare_trigger(item)
        elif item.kind == "table" and item.name in self._reach.referring:
            self._compare_referring(item, wanted)
        elif {item.name, item.table} & self._foreign:
            self._information.append(
                f"{shown(item.name)} is another program's, and was altered since it was noted."
            )
        elif key == _USERS:
            self._compare_users(item)
        elif item.table == "users" and item.sql is None and not self._users_are_ours:
            return
        elif wanted is not None or ours is not None:
            self._tell_changed(item, wanted or self._ours[key])
        elif item.kind == "index":
            self._compare_foreign_index(item)
        else:
            self._findings.append(
                f"The {shown(item.kind)} {shown(item.name)} was added: "
                f"it stands for {shown(item.table)}."
            )

    def _tell_adopted(self, item: SchemaObject) -> None:
        if item.kind == "trigger":
            on = f"{shown(item.name)} on {shown(item.table)}"
            self._information.append(
                f"The trigger {on} is another program's, and was there when the schema was noted."
            )
        elif item.name in self._reach.referring:
            self._information.append(
                f"The table {shown(item.name)} is another program's, refers to "
                f"{_enumerated(_parents_of(item))}, and was there when the schema was noted."
            )
        elif identity_of(item) in self._ours and item.table != "users":
            self._information.append(
                f"The {item.kind} {shown(item.name)} is as it was adopted, and not as schema.sql "
                "has it."
            )

    def _tell_changed(self, item: SchemaObject, wanted: SchemaObject) -> None:
        name, created = shown(item.name), parse_create(tokens_of_sql(item.sql))
        if item.kind != wanted.kind:
            self._findings.append(f"The {wanted.kind} {name} is a {shown(item.kind)} now.")
        elif created is not None and created.is_virtual:
            self._findings.append(f"The table {name} is a virtual table now.")
        else:
            than = (
                "schema.sql has it"
                if is_same(wanted, self._ours.get(identity_of(item)))
                else "it was noted"
            )
            self._findings.append(
                f"The {wanted.kind} {name} was changed: its SQL is not as {than}."
            )

    def _compare_trigger(self, item: SchemaObject) -> None:
        """Compare a trigger that nobody noted: one that has nothing to do with us may be there."""
        created = parse_create(tokens_of_sql(item.sql))
        tables = {item.table} | ({created.table} if created is not None else set())
        about = mentions_ours(item.sql) - self._foreign
        if not self._users_are_ours:
            about -= {"users"}  # is another program's, which may write it as it likes
        on = f"{shown(item.name)} on {shown(item.table)}"
        is_on_ours = bool(tables & (our_objects().names - self._foreign | self._reach.tables))
        if is_on_ours or item.name in our_objects().names:
            self._findings.append(f"The trigger {on} is none of ours: it was added or changed.")
        elif about:
            self._findings.append(
                f"The trigger {on} speaks of {_enumerated(about)}: it was added or changed."
            )
        elif tables & self._foreign:
            self._information.append(
                f"{shown(item.name)} is another program's, and was altered since it was noted."
            )

    def _compare_referring(self, item: SchemaObject, wanted: SchemaObject | None) -> None:
        """Compare a table of another program that refers to one of ours, and so acts with it."""
        if wanted is not None and _references_to_ours(item) == _references_to_ours(wanted):
            self._information.append(
                f"{shown(item.name)} is another program's, and was altered since it was noted."
            )
        else:
            self._findings.append(
                f"The table {shown(item.name)} is none of ours and refers to "
                f"{_enumerated(_parents_of(item))}: it can refuse what is deleted there, or act on it."
            )

    def _compare_users(self, item: SchemaObject) -> None:
        """Compare `users`: another program may alter its own, and nobody the one that we made."""
        if self._users is not None and is_same(item, self._users):
            return
        created = parse_create(tokens_of_sql(item.sql))
        is_table = (
            item.kind == "table"
            and created is not None
            and created.kind == "table"
            and not created.is_virtual
        )
        if self._users_are_ours or not is_table:
            self._tell_changed(item, self._users or self._ours[_USERS])
        elif self._users is not None:
            self._information.append(
                "The table users is another program's, and was altered since it was noted."
            )

    def _compare_foreign_index(self, item: SchemaObject) -> None:
        if item.table == "users" and not self._users_are_ours:
            return
        if item.sql is None or not is_plain_index(tokens_of_sql(item.sql)):
            self._findings.append(
                f"The index {shown(item.name)} on {shown(item.table)} was added: "
                "it is none of ours, and can refuse rows."
            )


def _references_to_ours(item: SchemaObject) -> frozenset[Reference]:
    ours = our_objects().tables - {"users"}
    found = references_in(tokens_of_sql(item.sql))
    return frozenset(one for one in found if one.parent in ours)


def _parents_of(item: SchemaObject) -> set[str]:
    return {one.parent for one in _references_to_ours(item)}


def _enumerated(names: Collection[str]) -> str:
    return " and ".join(sorted(names))


def read_schema_state(connection: sqlite3.Connection) -> SchemaState:
    """Return the objects that `connection` sees and that concern us.

    Raises:
        sqlite3.Error: the schema can't be read.
    """
    return concerning(read_rows(connection))


def our_counted_tables(connection: sqlite3.Connection) -> list[str]:
    """Return our tables with AUTOINCREMENT that are as schema.sql has them, but for `users`."""
    ours = by_identity(our_objects().state)
    return [
        item.name
        for item in read_schema_state(connection)
        if item.kind == "table"
        and item.name != "users"
        and "autoincrement" in (item.sql or "").lower()
        and is_same(item, ours.get(identity_of(item)))
    ]
