"""Share helpers of the tests of the audit trail."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from data_capture.audit import pseudonymise_audit
from data_capture.audit.append import audit_key_file
from data_capture.audit.head import EMPTY_HEAD
from data_capture.audit.verify import verify as verify_chain
from data_capture.key_files import load_key
from data_capture.store import Store
from data_capture.store.sqlite.connection import open_connection
from data_capture.store.sqlite.schema import prepare
from data_capture.store.sqlite.users import ensure_user
from tests.support.installations import Installation

NOW = "2024-01-15T10:30:00.000Z"
PSEUDONYM = "erased-1@data-capture.invalid"


def verify(installation: Installation, *arguments: object) -> str:
    """Check that the audit trail verifies, and return the output."""
    outcome = installation.run("verify-audit", *arguments)
    assert outcome.status == 0, (outcome.output, outcome.errors)
    return outcome.output


def erase_records(database: Path, user: str, pseudonym: str = PSEUDONYM) -> int:
    """Erase a user from the audit trail and return the number of records."""
    with closing(open_connection(database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        ensure_user(connection, pseudonym, None, NOW)
        count = pseudonymise_audit(
            connection, user, pseudonym, timestamp=NOW, source_endpoint="erase"
        )
        connection.execute("COMMIT")
    return count


def begin_chain(installation: Installation) -> str:
    """Begin a chain with three adopted records, add an erasure, and return the head."""
    for path in (installation.directory / "trading_bots.keys").iterdir():
        path.unlink()
    prepare(installation.database)
    erase_records(installation.database, "nobody@example.com")
    prepare(installation.database)
    return verify(installation, "--head").strip()


def assert_chain_verifies(store: Store) -> None:
    """Check the audit trail of an open store."""
    key = load_key(audit_key_file(store.database))
    assert (
        store.read(
            lambda connection: verify_chain(connection, key, EMPTY_HEAD, lambda _done, _of: None)
        ).tampering
        is None
    )
