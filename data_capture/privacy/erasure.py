"""Erase a user in one transaction.

    payment_data, questionnaire_data, …    rows are deleted
    capture_receipts                       rows are deleted
    payment_events                         rows are deleted with their numbers; the address's hash
                                           is removed from the events of others' payments
    unattributed_captures                  rows that name the address are deleted
    data_capture_audit                     rows stay, as records of a pseudonym without personal
                                           data (`data_capture.audit`)
    users                                  the row is deleted; if another program's rows refer to
                                           it, its personal data is removed
    data_capture_erasures                  gets a tombstone: a keyed hash of the address and the
                                           time

Other programs' tables belong to those programs. Rows that they declare to go with a user (ON DELETE
CASCADE) are deleted.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from data_capture.audit import pseudonymise_audit
from data_capture.capture.email import is_reserved, normalise_email
from data_capture.privacy.pseudonyms import PSEUDONYM_WITHOUT_DATA, make_pseudonym
from data_capture.privacy.tables import (
    AUDIT,
    EVENT_NUMBERS,
    IS_OF_USER,
    RECEIPTS,
    UNATTRIBUTED,
    USERS,
    find_spellings,
    list_user_tables,
)
from data_capture.privacy.user_removal import remove_from_users
from data_capture.problems import UNUSABLE, Problem
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.payment_events import forget_payers
from data_capture.store.sqlite.stored_emails import find_all_stored_emails
from data_capture.store.sqlite.tombstones import add_tombstones
from data_capture.store.sqlite.unattributed import delete_unattributed_of
from data_capture.store.sqlite.users import ensure_user


@dataclass(frozen=True)
class ErasureResult:
    """The result of an erasure.

    Args:
        rows: the number of deleted rows, by table.
        audit_records: the number of audit records that belong to the pseudonym now.
        pseudonym: the address that replaces the user's.
        addresses: every address of the user, normalised.
        emptied_for: other programs' tables whose rows refer to the user, so that the row in
            `users` still exists.
    """

    rows: dict[str, int]
    audit_records: int
    pseudonym: str
    addresses: frozenset[str]
    emptied_for: tuple[str, ...]

    def to_json(self, *, is_complete: bool) -> dict[str, Any]:
        """Return the response to the request for erasure.

        Args:
            is_complete: whether the data is also gone from the bytes of the database's files.
        """
        message = "All data of this user was erased."
        if not is_complete:
            message += " Bytes of it remain in the files until no program reads an older state."
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
    connection: StoreConnection, email: str, *, erased_at: str, source_endpoint: str
) -> ErasureResult:
    """Erase a user. For an unknown user, only the erasure itself is recorded.

    Args:
        connection: in a write transaction.
        email: the address, normalised.
        erased_at: the server's time.
        source_endpoint: the route or command that asked for it, without the user's address.

    Raises:
        Problem: 422 if another program's rows prevent the erasure, which the text names, and if
            the user is one of this product's own.
        sqlite3.Error: the database cannot be written.
    """
    spellings_in_users = find_all_stored_emails(connection, email)
    spellings = find_spellings(connection, email)
    _reject_own_users((email, *spellings_in_users, *spellings))
    pseudonym = make_pseudonym() if spellings else PSEUDONYM_WITHOUT_DATA
    pseudonym = ensure_user(connection, pseudonym, None, erased_at)
    rows = Counter(dict.fromkeys((*_list_tables_to_delete_from(), RECEIPTS, USERS), 0))
    audit_records, emptied_for = 0, set[str]()
    for spelling in spellings or [email]:
        _delete_rows(connection, spelling, rows)
        audit_records += pseudonymise_audit(
            connection, spelling, pseudonym, timestamp=erased_at, source_endpoint=source_endpoint
        )
        _delete_index_samples(connection, spelling)
    for spelling in spellings_in_users:
        referring_tables = remove_from_users(connection, spelling)
        emptied_for.update(referring_tables)
        rows[USERS] += not referring_tables
    addresses = frozenset({email, *filter(None, map(normalise_email, spellings))})
    forget_payers(connection, addresses)
    for address in addresses:
        rows[UNATTRIBUTED] += delete_unattributed_of(connection, address)
    add_tombstones(connection, addresses, erased_at)
    return ErasureResult(
        dict(rows), audit_records, pseudonym, addresses, tuple(sorted(emptied_for))
    )


def _reject_own_users(addresses: Iterable[str]) -> None:
    """Reject the erasure of this product's own users, to which audit records belong.

    All spellings are checked: another program's column may give such an address to a real user.
    """
    if any(map(is_reserved, addresses)):
        raise Problem(
            UNUSABLE,
            "This would erase one of this product's own users, which audit records need.",
        )


def _list_tables_to_delete_from() -> list[str]:
    return [table for table in list_user_tables() if table != AUDIT]


def _delete_rows(connection: sqlite3.Connection, spelling: str, deleted: Counter[str]) -> None:
    # The table names come from schema.sql.
    for table in (RECEIPTS, *_list_tables_to_delete_from()):
        delete = f"DELETE FROM {table} WHERE {IS_OF_USER}"  # noqa: S608
        deleted[table] += connection.execute(delete, {"email": spelling}).rowcount


def _delete_index_samples(connection: sqlite3.Connection, spelling: str) -> None:
    """Delete the samples of indexes that SQLite keeps after ANALYZE."""
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE name IN ('sqlite_stat3', 'sqlite_stat4')"
    ).fetchall()
    for (table,) in tables:
        # A sample of these may have a row's id and digest, or a number, without the address.
        delete = (
            f"DELETE FROM {table} WHERE tbl IN (?, ?, ?) "  # noqa: S608
            "OR instr(CAST(sample AS BLOB), CAST(? AS BLOB))"
        )
        connection.execute(delete, (RECEIPTS, EVENT_NUMBERS, UNATTRIBUTED, spelling))
