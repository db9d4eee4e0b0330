"""Compare the objects of a database one by one, and describe the differences.

Other programs may change their own objects. A difference in one of ours is a finding. So is a
foreign object that can alter, hide or reject what we write.
"""

from __future__ import annotations

from collections.abc import Collection

from data_capture.audit.schema_objects import (
    ReachableTables,
    SchemaObject,
    SchemaState,
    find_our_tables_in,
    index_by_key,
    load_earlier_schemas,
    load_our_objects,
    shorten_name,
    tokenize_stored_sql,
)
from data_capture.audit.schema_sql import (
    CreatedObject,
    Reference,
    find_references,
    is_plain_index,
    parse_create,
)

_USERS_KEY = (False, "users")


class SchemaComparison:
    """Compare the objects of a database with an expected state.

    After `run`, `findings` has the differences that tampering may have made, and `information` the
    harmless ones, each as a sentence.
    """

    def __init__(
        self,
        actual: SchemaState,
        reachable: ReachableTables,
        expected: SchemaState,
        users: SchemaObject | None,
        *,
        accepts_ours: bool,
    ) -> None:
        """Prepare the comparison.

        Args:
            actual: the objects of the database.
            reachable: the tables that our writes can reach.
            expected: the state to compare with.
            users: the table `users` of the baseline; None without a baseline.
            accepts_ours: whether an object that equals the one of schema.sql is always correct.
        """
        self.findings: list[str] = []
        self.information: list[str] = []
        self._actual = actual
        self._reachable = reachable
        self._ours = index_by_key(load_our_objects().state)
        self._expected = index_by_key(expected)
        self._accepts_ours = accepts_ours
        self._users = users
        self._users_are_ours = self._is_made_by_us(users)
        # Another program's object with one of our names, such as a table `audit_logs`: that
        # program may alter it.
        self._foreign = {
            item.name
            for key, item in self._expected.items()
            if key in self._ours and self._ours[key].kind != item.kind
        }

    def run(self) -> None:
        """Compare all objects."""
        for item in self._actual:
            self._compare(item)
        existing = {item.key for item in self._actual}
        for key, item in self._expected.items():
            if key not in existing and self._is_required(item):
                self.findings.append(f"The {item.kind} {shorten_name(item.name)} is gone.")

    def _is_made_by_us(self, users: SchemaObject | None) -> bool:
        """Return whether this `users` is the one of schema.sql or of an earlier version."""
        if users is None:
            return False
        earlier = (
            item for state in load_earlier_schemas() for item in state if item.name == "users"
        )
        return any(users.equals(item) for item in (self._ours[_USERS_KEY], *earlier))

    def _is_required(self, item: SchemaObject) -> bool:
        """Return whether an object must exist: other programs may remove their own."""
        if item.kind == "trigger":
            return False
        if item.sql is None:
            return item.table != "users" or self._users_are_ours
        return item.name in load_our_objects().names or any(
            item.key in index_by_key(state) for state in load_earlier_schemas()
        )

    def _compare(self, item: SchemaObject) -> None:
        ours, expected = self._ours.get(item.key), self._expected.get(item.key)
        if self._accepts_ours and item.equals(ours):
            return
        if item.equals(expected):
            if self._accepts_ours:
                self._report_adopted(item)
        elif item.kind == "trigger":
            self._compare_trigger(item)
        elif item.kind == "table" and item.name in self._reachable.referring:
            self._compare_referring(item, expected)
        elif {item.name, item.table} & self._foreign:
            self._report_altered(item)
        elif item.key == _USERS_KEY:
            self._compare_users(item)
        elif item.table == "users" and item.sql is None and not self._users_are_ours:
            return
        elif expected is not None or ours is not None:
            self._report_changed(item, expected or self._ours[item.key])
        elif item.kind == "index":
            self._compare_foreign_index(item)
        else:
            self.findings.append(
                f"The {shorten_name(item.kind)} {shorten_name(item.name)} was added: "
                f"it belongs to {shorten_name(item.table)}."
            )

    def _compare_trigger(self, item: SchemaObject) -> None:
        """Compare an unexpected trigger; triggers unrelated to our tables are allowed."""
        created = _parse_sql(item)
        tables = {item.table} | ({created.table} if created is not None else set())
        mentioned = find_our_tables_in(item.sql) - self._foreign
        if not self._users_are_ours:
            mentioned -= {"users"}  # another program may write to its own table as it likes
        our_names = load_our_objects().names
        name_on_table = f"{shorten_name(item.name)} on {shorten_name(item.table)}"
        if item.name in our_names or tables & (our_names - self._foreign | self._reachable.tables):
            self.findings.append(
                f"The trigger {name_on_table} is not ours: it was added or changed."
            )
        elif mentioned:
            self.findings.append(
                f"The trigger {name_on_table} mentions {_join_names(mentioned)}: "
                "it was added or changed."
            )
        elif tables & self._foreign:
            self._report_altered(item)

    def _compare_referring(self, item: SchemaObject, expected: SchemaObject | None) -> None:
        """Compare another program's table that refers to ours, and so changes with it."""
        if expected is not None and _find_references_to_ours(item) == _find_references_to_ours(
            expected
        ):
            self._report_altered(item)
        else:
            self.findings.append(
                f"The table {shorten_name(item.name)} is not ours and refers to "
                f"{_join_names(_find_our_parents(item))}: it can prevent deletions there, or "
                "change with them."
            )

    def _compare_users(self, item: SchemaObject) -> None:
        """Compare `users`: another program may alter its own table, nobody may alter ours."""
        if self._users is not None and item.equals(self._users):
            return
        created = _parse_sql(item)
        is_table = (
            item.kind == "table"
            and created is not None
            and created.kind == "table"
            and not created.is_virtual
        )
        if self._users_are_ours or not is_table:
            self._report_changed(item, self._users or self._ours[_USERS_KEY])
        elif self._users is not None:
            self.information.append(
                "The table users is another program's, and was altered since it was recorded."
            )

    def _compare_foreign_index(self, item: SchemaObject) -> None:
        if item.table == "users" and not self._users_are_ours:
            return
        if item.sql is None or not is_plain_index(tokenize_stored_sql(item.sql)):
            self.findings.append(
                f"The index {shorten_name(item.name)} on {shorten_name(item.table)} was added: "
                "it is not ours, and can reject rows."
            )

    def _report_adopted(self, item: SchemaObject) -> None:
        name = shorten_name(item.name)
        if item.kind == "trigger":
            self.information.append(
                f"The trigger {name} on {shorten_name(item.table)} is another program's, and "
                "existed when the schema was recorded."
            )
        elif item.name in self._reachable.referring:
            self.information.append(
                f"The table {name} is another program's, refers to "
                f"{_join_names(_find_our_parents(item))}, and existed when the schema was recorded."
            )
        elif item.key in self._ours and item.table != "users":
            self.information.append(
                f"The {item.kind} {name} is as it was adopted, which differs from schema.sql."
            )

    def _report_altered(self, item: SchemaObject) -> None:
        self.information.append(
            f"{shorten_name(item.name)} is another program's, and was altered since it was "
            "recorded."
        )

    def _report_changed(self, item: SchemaObject, expected: SchemaObject) -> None:
        name, created = shorten_name(item.name), _parse_sql(item)
        if item.kind != expected.kind:
            change = f"The {expected.kind} {name} is a {shorten_name(item.kind)} now."
        elif created is not None and created.is_virtual:
            change = f"The table {name} is a virtual table now."
        else:
            is_ours = expected.equals(self._ours.get(item.key))
            other = "schema.sql" if is_ours else "the recorded one"
            change = f"The {expected.kind} {name} was changed: its SQL differs from {other}."
        self.findings.append(change)


def _parse_sql(item: SchemaObject) -> CreatedObject | None:
    return parse_create(tokenize_stored_sql(item.sql))


def _find_references_to_ours(item: SchemaObject) -> frozenset[Reference]:
    ours = load_our_objects().tables - {"users"}
    references = find_references(tokenize_stored_sql(item.sql))
    return frozenset(one for one in references if one.parent in ours)


def _find_our_parents(item: SchemaObject) -> set[str]:
    return {one.parent for one in _find_references_to_ours(item)}


def _join_names(names: Collection[str]) -> str:
    return " and ".join(sorted(names))
