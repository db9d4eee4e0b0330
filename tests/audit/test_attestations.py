"""Test that attestations do not validate a changed audit record.

An attestation is the audit record of an erasure or retention. It proves what remains of the records
that lost their data. Neither a forged one nor a later erasure may hide tampering.
"""

# ruff: noqa: S608  (every statement is written in this file)

from __future__ import annotations

import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from data_capture.audit import (
    RETENTION_USER,
    RetentionAttestations,
    clear,
    clear_columns,
    pseudonymise_audit,
    record_audit,
)
from data_capture.audit.format import RECORD_COLUMNS, compute_commitment, encode_record
from data_capture.store.sqlite.connection import open_connection
from data_capture.store.sqlite.schema import prepare
from data_capture.store.sqlite.users import ensure_user
from tests.support.forged_attestations import (
    CHANGE_CONTENT,
    FORGED,
    attest,
    delete_salts,
)
from tests.support.installations import CommandServer, Installation, writing_to
from tests.support.schema_edits import swap_root_pages

ANN, BOB, CLEO = "ann@example.com", "bob@example.com", "cleo@example.com"
PSEUDONYM, OTHER_PSEUDONYM = "erased-1@data-capture.invalid", "erased-2@data-capture.invalid"
NOW = "2024-01-15T10:30:00.000Z"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create the folder of an installation with the records that `forged_attestations` lists."""
    folder = tmp_path_factory.mktemp("original")
    database = folder / "trading_bots.db"
    with writing_to(
        database, (ANN, BOB, CLEO, PSEUDONYM, OTHER_PSEUDONYM, RETENTION_USER), NOW
    ) as connection:
        for user in (ANN, ANN, ANN, BOB, BOB, BOB, CLEO, CLEO):
            write_payment(connection, user)
        assert (
            pseudonymise_audit(connection, CLEO, PSEUDONYM, timestamp=NOW, source_endpoint="erase")
            == 2
        )
        write_payment(connection, ANN)
        write_payment(connection, BOB)
        clear_column(connection, "ip_address", 10, 11)
        write_payment(connection, ANN)
        write_payment(connection, BOB)
    return folder


def write_payment(connection: sqlite3.Connection, user: str) -> None:
    record_audit(
        connection,
        user_email=user,
        capture_type="payment",
        timestamp=NOW,
        source_endpoint="/payment",
        snapshot='{"final_price": 10}',
        ip_address="192.0.2.1",
        user_agent="Browser/1.0",
    )


def clear_column(
    connection: sqlite3.Connection,
    column: str,
    *numbers: int,
    attestations: RetentionAttestations | None = None,
) -> int:
    return clear_columns(
        connection,
        {column: numbers},
        RETENTION_USER,
        timestamp=NOW,
        source_endpoint="retention",
        attestations=attestations,
    )


@pytest.fixture
def installation(original: Path, tmp_path: Path, server: CommandServer) -> Installation:
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    return Installation(tmp_path, server)


def tamper(installation: Installation, *statements: str) -> None:
    with closing(sqlite3.connect(installation.database)) as connection, connection:
        for statement in statements:
            connection.executescript(statement)


def erase(installation: Installation, user: str) -> int:
    """Erase a user from the audit trail and return the number of records."""
    with closing(open_connection(installation.database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        count = pseudonymise_audit(
            connection, user, OTHER_PSEUDONYM, timestamp=NOW, source_endpoint="erase"
        )
        connection.execute("COMMIT")
    return count


def apply_retention(installation: Installation, column: str, numbers: tuple[int, ...]) -> int:
    """Delete a column from records and return the number of records that had it."""
    with closing(open_connection(installation.database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        count = clear_column(connection, column, *numbers)
        connection.execute("COMMIT")
    return count


def assert_reported_at(installation: Installation, record: int) -> str:
    outcome = installation.run("verify-audit")
    assert outcome.output.startswith(f"Audit record {record} "), (outcome.output, outcome.errors)
    assert outcome.status == 1
    return outcome.output


def assert_verifies(installation: Installation) -> None:
    outcome = installation.run("verify-audit")
    assert outcome.status == 0, outcome.output


def read_records(installation: Installation, *numbers: int) -> list[tuple[object, ...]]:
    ids = ", ".join(map(str, numbers))
    with closing(sqlite3.connect(installation.database)) as connection:
        connection.text_factory = lambda text: text.decode(errors="replace")
        return connection.execute(
            "SELECT user_email, data_snapshot, ip_address, user_agent FROM data_capture_audit "
            f"WHERE id IN ({ids}) ORDER BY id"
        ).fetchall()


# --- Forged attestations --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", FORGED)
def test_forged_attestation_is_reported(kind: str, installation: Installation) -> None:
    statements, record = FORGED[kind]
    tamper(installation, statements)
    assert_reported_at(installation, record)


def test_forged_attestation_of_no_record_is_reported_itself(
    installation: Installation,
) -> None:
    tamper(installation, attest(5, "erasure"))
    assert_reported_at(installation, 5)


# --- Erasures and retentions of changed records ---------------------------------------------------


CHANGED = {
    "snapshot": "data_snapshot = '{}'",
    "timestamp": "timestamp = '2020-01-01T00:00:00.000Z'",
    "endpoint": "source_endpoint = '/other'",
    "status": "status = 'failed'",
    "IP address, which is deleted": "ip_address = '192.0.2.2'",
    "user agent that is not UTF-8": "user_agent = CAST(x'ff' AS TEXT)",
    "snapshot as a BLOB": "data_snapshot = CAST(data_snapshot AS BLOB)",
    "kind": "capture_type = 'activity'",
    "kind of an attestation": "capture_type = 'erasure'",
}


@pytest.mark.slow(quick_cases=5)
@pytest.mark.parametrize("what", CHANGED)
@pytest.mark.parametrize("by", ["erasure", "retention"])
def test_changed_record_is_reported_after_an_erasure_or_retention(
    by: str, what: str, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    tamper(installation, f"UPDATE data_capture_audit SET {CHANGED[what]} WHERE id = 2")
    with caplog.at_level(logging.ERROR, "data_capture.audit"):
        if by == "erasure":
            assert erase(installation, ANN) == 5
        else:
            assert apply_retention(installation, "ip_address", (1, 2, 3)) == 3
    assert "record 2 had been changed" in caplog.text
    assert_reported_at(installation, 2)
    if by == "erasure":
        assert read_records(installation, 1, 2, 3) == [(OTHER_PSEUDONYM, None, None, None)] * 3
    else:
        assert [record[2] for record in read_records(installation, 1, 2, 3)] == [None] * 3


def test_erasure_with_several_attestations_deletes_salts_of_changed_records(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clear, "_MAX_RECORDS_PER_ATTESTATION", 2)
    tamper(installation, "UPDATE data_capture_audit SET status = 'partial' WHERE id = 13")
    assert erase(installation, ANN) == 5
    with closing(sqlite3.connect(installation.database)) as connection:
        kept = "SELECT audit_id FROM data_capture_audit_chain WHERE audit_id IN (1, 2, 3, 10, 13)"
        assert connection.execute(f"{kept} AND salt IS NOT NULL").fetchall() == []
    assert_reported_at(installation, 13)


def test_changed_record_is_reported_after_every_retention_and_erasure(
    installation: Installation,
) -> None:
    tamper(installation, f"{CHANGE_CONTENT} WHERE id = 2")
    for column in ("ip_address", "user_agent", "data_snapshot"):
        apply_retention(installation, column, (1, 2, 3))
        assert_reported_at(installation, 2)
    erase(installation, BOB)
    erase(installation, ANN)
    assert_reported_at(installation, 2)


def test_erasure_of_records_reassigned_from_another_user_is_reported(
    installation: Installation,
) -> None:
    tamper(
        installation,
        f"UPDATE data_capture_audit SET user_email = '{ANN}' WHERE user_email = '{BOB}'",
    )
    erase(installation, ANN)
    assert_reported_at(installation, 4)


@pytest.mark.parametrize("by", ["erasure", "retention"])
def test_record_changed_after_a_retention_is_reported_after_the_next_one(
    by: str, installation: Installation
) -> None:
    tamper(
        installation,
        "UPDATE data_capture_audit SET timestamp = '2020-01-01T00:00:00.000Z' WHERE id = 10",
    )
    if by == "erasure":
        erase(installation, ANN)
    else:
        apply_retention(installation, "user_agent", (10, 11))
    assert_reported_at(installation, 10)


def test_record_without_salt_or_attestation_is_never_attested(installation: Installation) -> None:
    tamper(installation, delete_salts(2))
    apply_retention(installation, "ip_address", (1, 2, 3))
    assert_reported_at(installation, 2)
    erase(installation, ANN)
    assert_reported_at(installation, 2)


def test_record_without_chain_entry_is_never_attested(installation: Installation) -> None:
    tamper(installation, "DELETE FROM data_capture_audit_chain WHERE audit_id = 2")
    erase(installation, ANN)
    assert_reported_at(installation, 2)


def test_recomputed_commitment_does_not_validate_a_changed_record(
    installation: Installation,
) -> None:
    """Anyone can compute a commitment; the link is what needs the key."""
    tamper(
        installation,
        f"{CHANGE_CONTENT} WHERE id = 2",
        f"UPDATE data_capture_audit SET user_email = '{ANN}' WHERE id = 2",
    )
    with closing(sqlite3.connect(installation.database)) as connection, connection:
        row = connection.execute(
            f"SELECT {', '.join(RECORD_COLUMNS)} FROM data_capture_audit WHERE id = 2"
        ).fetchone()
        connection.execute(
            "UPDATE data_capture_audit_chain SET salt = zeroblob(16), commitment = ? "
            "WHERE audit_id = 2",
            (compute_commitment(encode_record(*row), bytes(16)),),
        )
    erase(installation, ANN)
    assert_reported_at(installation, 2)


def test_forged_retention_record_is_reported_after_retention_and_erasure(
    installation: Installation,
) -> None:
    tamper(
        installation,
        delete_salts(2),
        f"{CHANGE_CONTENT} WHERE id = 2",
        attest(6, "retention", 2),
        f"UPDATE data_capture_audit SET user_email = '{RETENTION_USER}' WHERE id = 6",
    )
    apply_retention(installation, "ip_address", (1, 2, 3))
    assert_reported_at(installation, 6)
    erase(installation, BOB)
    assert_reported_at(installation, 6)


def test_erasure_keeps_records_that_only_a_wrong_index_assigns_to_the_user(
    installation: Installation,
) -> None:
    tamper(
        installation,
        f"""
        CREATE TABLE other (user_email, timestamp);
        INSERT INTO other (rowid, user_email, timestamp)
        SELECT id, '{ANN}', timestamp FROM data_capture_audit;
        CREATE INDEX others ON other (user_email, timestamp);
        """
        + swap_root_pages("others", "data_capture_audit_by_person"),
    )
    assert erase(installation, ANN) == 5
    tamper(installation, "REINDEX")
    assert [record[0] for record in read_records(installation, 4, 5, 6, 14)] == [BOB] * 4


def test_snapshot_of_an_attestation_is_never_deleted(installation: Installation) -> None:
    before = read_records(installation, 9, 12)
    tamper(installation, f"UPDATE data_capture_audit SET user_email = '{CLEO}' WHERE id IN (9, 12)")
    erase(installation, CLEO)
    apply_retention(installation, "data_snapshot", (9, 12))
    assert installation.run("verify-audit").status == 1
    assert [record[1] for record in read_records(installation, 9, 12)] == [
        record[1] for record in before
    ]
    tamper(
        installation,
        f"UPDATE data_capture_audit SET user_email = '{PSEUDONYM}' WHERE id = 9",
        f"UPDATE data_capture_audit SET user_email = '{RETENTION_USER}' WHERE id = 12",
    )
    assert_verifies(installation)


def test_erasure_deletes_data_of_records_disguised_as_attestations(
    installation: Installation,
) -> None:
    tamper(
        installation,
        f"UPDATE data_capture_audit SET capture_type = 'erasure' WHERE user_email = '{ANN}'",
    )
    erase(installation, ANN)
    assert read_records(installation, 1, 2, 3, 10, 13) == [(OTHER_PSEUDONYM, None, None, None)] * 5


# --- Untampered records ---------------------------------------------------------------------------


def test_untampered_records_verify_after_retentions_and_erasures(
    installation: Installation,
) -> None:
    attestations = RetentionAttestations()
    with closing(open_connection(installation.database, 5)) as connection:
        for column in ("user_agent", "ip_address", "data_snapshot"):
            connection.execute("BEGIN IMMEDIATE")
            clear_column(connection, column, 1, 2, 3, 4, attestations=attestations)
            clear_column(connection, column, 5, 10, 11, attestations=attestations)
            connection.execute("COMMIT")
    assert_verifies(installation)
    assert erase(installation, ANN) == 5
    assert_verifies(installation)
    assert erase(installation, BOB) == 5
    assert_verifies(installation)


def test_attestations_verify_where_a_trigger_changes_addresses_to_capitals(
    tmp_path: Path, server: CommandServer
) -> None:
    installation = Installation(tmp_path, server)
    tamper(
        installation,
        """
        CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL);
        CREATE TRIGGER capitals AFTER INSERT ON users
        BEGIN UPDATE users SET email = upper(email) WHERE id = new.id; END""",
    )
    prepare(installation.database)
    with closing(open_connection(installation.database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        ann, pseudonym, retention_user = (
            ensure_user(connection, one, None, NOW) for one in (ANN, PSEUDONYM, RETENTION_USER)
        )
        assert retention_user.isupper()
        write_payment(connection, ann)
        for column in ("ip_address", "user_agent"):
            clear_columns(
                connection,
                {column: [1]},
                retention_user,
                timestamp=NOW,
                source_endpoint="retention",
            )
        pseudonymise_audit(connection, ann, pseudonym, timestamp=NOW, source_endpoint="erase")
        connection.execute("COMMIT")
    assert_verifies(installation)


def test_data_that_is_already_deleted_is_not_attested_again(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    assert apply_retention(installation, "ip_address", (1, 7, 8, 10)) == 1
    assert apply_retention(installation, "ip_address", (1, 7, 8, 10)) == 0
    assert caplog.text == ""
    assert_verifies(installation)
