"""What an erasure does, in one transaction: everything of a person goes; their audit records stay, and name nobody.

    payment_data, questionnaire_data, …    deleted
    capture_receipts                       deleted
    data_capture_audit                     kept as records of a pseudonym, without anything personal (`data_capture.audit`)
    users                                  deleted; where another program's rows refer to it, emptied of all that is personal
    data_capture_erasures                  gets a keyed hash of the address and the time

Tables of other programs are theirs. What they declare to go with a person (ON DELETE CASCADE) goes with them.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from data_capture.audit import pseudonymise_audit
from data_capture.capture.email import is_reserved, normalise_email
from data_capture.privacy.tables import (
    AUDIT,
    IS_OF_USER,
    RECEIPTS,
    USERS,
    find_spellings,
    list_user_tables,
)
from data_capture.problems import UNUSABLE, Problem
from data_capture.sql.pragmas import columns_of, foreign_keys_of, quoted
from data_capture.store.sqlite.tombstones import note_erasure
from data_capture.store.sqlite.users import NO_PASSWORD, ensure_user, spellings_of

PSEUDONYMS = "erased-"
"""What the pseudonyms of the erased begin with."""

_DOMAIN = "data-capture.invalid"  # that nobody can have (RFC 6761)
_NOBODY = f"{PSEUDONYMS}nobody@{_DOMAIN}"  # of whom there was nothing
_PERFORMED = ("CASCADE", "SET NULL", "SET DEFAULT")


@dataclass(frozen=True)
class ErasureResult:
    """What an erasure did.

    Args:
        rows: how many rows went, by table.
        audit_records: how many audit records are the pseudonym's now.
        pseudonym: whose they are.
        addresses: every address, normalised, that it was of.
        emptied_for: the tables of other programs whose rows refer to the person, whose own row is therefore still there.
    """

    rows: dict[str, int]
    audit_records: int
    pseudonym: str
    addresses: frozenset[str]
    emptied_for: tuple[str, ...]

    def to_json(self, *, is_complete: bool) -> dict[str, Any]:
        """What is answered to whoever asked for it, as JSON; `is_complete`: whether it is gone from the files' bytes, too."""
        message = "Everything on this person was erased."
        if not is_complete:
            message = "Everything on this person was erased; their bytes go from the files once nobody reads an older state."
        return {
            "success": True,
            "complete": is_complete,
            "message": message,
            "erased": self.rows,
            "audit_records_kept": self.audit_records,
            "pseudonym": self.pseudonym,
            "emptied_for": list(self.emptied_for),
        }


def erase_user(
    connection: sqlite3.Connection, email: str, *, erased_at: str, source_endpoint: str
) -> ErasureResult:
    """Erases a person; of someone unknown only that it was asked for is noted.

    Args:
        connection: in a write transaction.
        email: the address, normalised.
        erased_at: the server's time.
        source_endpoint: what asked for it, with nothing in it that says for whom.

    Raises:
        Problem: 422, when another program's tables don't let go of the person, and says which; and for a user of our own.
        sqlite3.Error: it can't be written.
    """
    users, spellings = spellings_of(connection, email), find_spellings(connection, email)
    if any(
        map(is_reserved, (email, *users, *spellings))
    ):  # a column of another program may say that it is this person's
        raise Problem(
            UNUSABLE, "This would erase a user of this product's own, whom audit records need."
        )
    pseudonym = ensure_user(connection, _new_pseudonym() if spellings else _NOBODY, None, erased_at)
    rows = dict.fromkeys(
        (*(table for table in list_user_tables() if table != AUDIT), RECEIPTS, USERS), 0
    )
    audit_records = 0
    addresses = frozenset({email, *filter(None, map(normalise_email, spellings))})
    emptied_for: list[str] = []
    for spelling in spellings or [email]:
        # The names of tables come from schema.sql.
        receipts = f"DELETE FROM {RECEIPTS} WHERE {IS_OF_USER}"  # noqa: S608
        rows[RECEIPTS] += connection.execute(receipts, {"email": spelling}).rowcount
        audit_records += pseudonymise_audit(
            connection, spelling, pseudonym, timestamp=erased_at, source_endpoint=source_endpoint
        )
        for table in list_user_tables():
            if table != AUDIT:
                delete = f"DELETE FROM {table} WHERE user_email = ?"  # noqa: S608
                rows[table] += connection.execute(delete, (spelling,)).rowcount
        _forget_samples(connection, spelling)
    for spelling in users:
        in_the_way = _remove_from_users(connection, spelling)
        emptied_for += in_the_way
        rows[USERS] += not in_the_way
    note_erasure(connection, addresses, erased_at)
    return ErasureResult(rows, audit_records, pseudonym, addresses, tuple(sorted(set(emptied_for))))


def _new_pseudonym() -> str:
    return f"{PSEUDONYMS}{secrets.token_hex(8)}@{_DOMAIN}"


def _forget_samples(connection: sqlite3.Connection, spelling: str) -> None:
    """Where somebody ran ANALYZE, SQLite may keep samples of what is in the indexes."""
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE name IN ('sqlite_stat3', 'sqlite_stat4')"
    ).fetchall()
    for (table,) in tables:
        # A sample of the receipts' indexes may hold a row's id and digest without the address.
        delete = (
            f"DELETE FROM {table} WHERE tbl = ? OR instr(CAST(sample AS BLOB), CAST(? AS BLOB))"  # noqa: S608
        )
        connection.execute(delete, (RECEIPTS, spelling))


# --- The row in users, which may be another program's --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Reference:
    """What a foreign key of a table refers to in `users`."""

    table: str
    columns: tuple[tuple[str, str], ...]  # theirs, and that of users
    is_performed: bool  # by SQLite itself, when the row in users goes


def _remove_from_users(connection: sqlite3.Connection, spelling: str) -> list[str]:
    """Deletes the row, or empties it; the tables for whose sake it could only be emptied."""
    in_the_way = [
        one
        for one in _references(connection)
        if not one.is_performed and _refers(connection, one, spelling)
    ]
    if not in_the_way:
        connection.execute("SAVEPOINT removal")
        try:
            connection.execute("DELETE FROM users WHERE email = ?", (spelling,))
        except (
            sqlite3.IntegrityError
        ):  # a table that depends on one that depends on users, or a trigger
            connection.execute("ROLLBACK TO removal")
        else:
            return []
        finally:
            connection.execute("RELEASE removal")
    referred_to = {column.lower() for one in in_the_way for _, column in one.columns}
    tables = [one.table for one in in_the_way]
    if "email" in referred_to:
        raise Problem(
            UNUSABLE,
            f"Rows of another program ({', '.join(tables)}) hold this address. Remove them there first.",
        )
    _empty(connection, spelling, referred_to)
    return tables or ["users"]


def _references(connection: sqlite3.Connection) -> Iterator[_Reference]:
    keys = [
        column.name
        for column in sorted(columns_of(connection, USERS), key=lambda one: one.key)
        if column.key
    ]
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    ).fetchall()
    for (table,) in tables:
        if table in list_user_tables():
            continue
        to_users = [
            key for key in foreign_keys_of(connection, table) if key.parent.lower() == USERS
        ]
        for _, group in groupby(to_users, key=lambda one: one.number):
            of_key = list(group)
            columns = tuple((one.column, one.parent_column or keys[one.place]) for one in of_key)
            yield _Reference(table, columns, of_key[0].on_delete in _PERFORMED)


def _refers(connection: sqlite3.Connection, reference: _Reference, spelling: str) -> bool:
    same = " AND ".join(
        f"theirs.{quoted(column)} = users.{quoted(key)}" for column, key in reference.columns
    )
    select = f"SELECT 1 FROM users JOIN {quoted(reference.table)} AS theirs ON {same} WHERE users.email = ? LIMIT 1"  # noqa: S608
    return connection.execute(select, (spelling,)).fetchone() is not None


def _empty(connection: sqlite3.Connection, spelling: str, referred_to: set[str]) -> None:
    """Takes everything out of the row but what others refer to. A column that has to have a value gets one that tells nothing."""
    address = _new_pseudonym()
    for name, declared_type, not_null, default, key in columns_of(connection, USERS):
        if key or name.lower() in referred_to or name.lower() == "email":
            continue
        values: list[Any] = [] if not_null else [None]
        values += [
            address
            if name.lower() == "normalized_email"
            else NO_PASSWORD
            if name.lower() == "password_hash"
            else None
        ]
        values += [
            _value_of(connection, default),
            *_neutral(declared_type.upper()),
            address.partition("@")[0],
        ]
        _set_first(connection, name, values, spelling)
    _set_first(connection, "email", [address], spelling)


def _value_of(connection: sqlite3.Connection, default: str | None) -> Any:
    # A default is an expression of the database's own schema.
    return None if default is None else connection.execute(f"SELECT {default}").fetchone()[0]


def _neutral(declared_type: str) -> list[Any]:
    if "DATETIME" in declared_type or "TIMESTAMP" in declared_type:
        return ["1970-01-01 00:00:00.000000"]  # as the ORMs that declare these types read it
    return (
        [0]
        if any(
            word in declared_type for word in ("INT", "BOOL", "REAL", "NUM", "DEC", "FLOA", "DOUB")
        )
        else [""]
    )


def _set_first(
    connection: sqlite3.Connection, column: str, values: list[Any], spelling: str
) -> None:
    reason: sqlite3.IntegrityError | None = None
    for value in values:
        try:
            connection.execute(
                f"UPDATE users SET {quoted(column)} = ? WHERE email = ?",  # noqa: S608
                (value, spelling),
            )
        except sqlite3.IntegrityError as error:
            reason = error
        else:
            return
    raise Problem(
        UNUSABLE, f"The person's row in users can be neither deleted nor emptied: {reason}."
    )
