"""Test that verify-audit reports the record for every way to tamper by plain SQL."""

# ruff: noqa: S608  (every statement is written in this file)

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from data_capture.audit import pseudonymise_audit, record_audit
from data_capture.store.sqlite.connection import open_connection
from data_capture.store.sqlite.schema import prepare
from data_capture.store.sqlite.users import ensure_user
from tests.support.installations import CommandServer, Installation
from tests.support.record_tampering import (
    ANN,
    BOB,
    CLEO,
    INSERT_RECORD,
    PSEUDONYM,
    SET_COUNTER,
    TAMPERING,
    delete_records,
)
from tests.support.services import REPOSITORY

NOW = "2024-01-15T10:30:00.000Z"
PAYMENT = '{"plan_name": "Pro", "final_price": "179.99", "note": "caf\u00e9"}'


def write(
    connection: sqlite3.Connection,
    user: str,
    kind: str,
    snapshot: str | None = PAYMENT,
    status: str = "success",
) -> None:
    record_audit(
        connection,
        user_email=user,
        capture_type=kind,
        timestamp=NOW,
        source_endpoint=f"/api/data-capture/{kind}",
        snapshot=snapshot,
        ip_address="192.0.2.1",
        user_agent="Browser/1.0",
        status=status,
        error_details="accountSize is not a number" if status == "partial" else None,
    )


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create the folder of an installation with the records that `record_tampering` lists."""
    folder = tmp_path_factory.mktemp("original")
    database = folder / "trading_bots.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript((REPOSITORY / "schema.sql").read_text())
        connection.execute("DROP TABLE data_capture_audit_chain")
        for user in (ANN, BOB, CLEO, PSEUDONYM):
            ensure_user(connection, user, None, NOW)
        for number in range(1, 6):
            connection.execute(INSERT_RECORD.replace("?", str(number)))
        connection.execute("DELETE FROM data_capture_audit WHERE id IN (3, 5)")
        connection.commit()
    prepare(database)
    with closing(open_connection(database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        write(connection, ANN, "payment")
        write(connection, ANN, "questionnaire", status="partial")
        write(connection, BOB, "dashboard")
        write(connection, BOB, "activity", '{"pair": "EURUSD"}')
        for kind in ("payment", "signup", "login_failed"):
            write(connection, CLEO, kind)
        assert (
            pseudonymise_audit(connection, CLEO, PSEUDONYM, timestamp=NOW, source_endpoint="erase")
            == 3
        )
        write(connection, ANN, "payment")
        write(connection, BOB, "payment")
        write(connection, BOB, "login_failed", None, "failed")
        write(connection, ANN, "payment")
        connection.execute("COMMIT")
    prepare(database)  # the next start saves the head
    return folder


class TamperedInstallation:
    """A copy of the original installation."""

    def __init__(self, original: Path, copy: Path, server: CommandServer) -> None:
        shutil.copytree(original, copy, dirs_exist_ok=True)
        self.installation = Installation(copy, server)
        self.database = self.installation.database

    def run(self, *statements: str) -> None:
        """Run statements without foreign keys, as any program can that can write the file."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            for statement in statements:
                connection.executescript(statement)

    def assert_reported_at(self, record: int) -> None:
        outcome = self.installation.run("verify-audit")
        report = (outcome.output, outcome.errors)
        assert outcome.output.startswith(f"Audit record {record} "), report
        assert outcome.status == 1


@pytest.fixture
def tampered(original: Path, tmp_path: Path, server: CommandServer) -> TamperedInstallation:
    return TamperedInstallation(original, tmp_path, server)


def test_at_least_forty_kinds_of_tampering_are_listed() -> None:
    assert len(TAMPERING) >= 40


def test_untampered_audit_trail_verifies(tampered: TamperedInstallation) -> None:
    outcome = tampered.installation.run("verify-audit")
    assert outcome.status == 0, outcome.output
    assert outcome.output.startswith("15 audit records: each is as it was written")
    assert "Of these, 3 were there before the chain began" in outcome.output
    assert "Of these, 3 belong to erased users" in outcome.output


@pytest.mark.slow(quick_cases=5)
@pytest.mark.parametrize("kind", TAMPERING)
def test_tampering_is_reported_with_the_record(kind: str, tampered: TamperedInstallation) -> None:
    statements, record = TAMPERING[kind]
    tampered.run(statements)
    tampered.assert_reported_at(record)


@pytest.mark.parametrize(
    "kind",
    [
        "all entries removed",
        "the newest removed, and the counter set back",
        "no salt",
        "a record inserted",
    ],
)
def test_tampering_is_reported_after_a_restart(kind: str, tampered: TamperedInstallation) -> None:
    statements, record = TAMPERING[kind]
    tampered.run(statements)
    prepare(tampered.database)
    tampered.assert_reported_at(record)


@pytest.mark.parametrize(
    ("counter", "found_at"),
    [
        ("", 15),
        # The new record 17 is not the one in the saved head.
        (SET_COUNTER.replace("?", "14"), 17),
    ],
    ids=["the ids continue", "the ids are reused"],
)
def test_removed_records_are_reported_after_new_records_are_written(
    counter: str, found_at: int, tampered: TamperedInstallation
) -> None:
    tampered.run(delete_records("id >= 15"), counter)
    with closing(open_connection(tampered.database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(10):
            write(connection, ANN, "payment")
        connection.execute("COMMIT")
    prepare(tampered.database)
    tampered.assert_reported_at(found_at)


def test_records_are_appended_over_orphaned_entries_and_tampering_is_reported(
    tampered: TamperedInstallation,
) -> None:
    tampered.run("DELETE FROM data_capture_audit WHERE id >= 15", SET_COUNTER.replace("?", "14"))
    with closing(open_connection(tampered.database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(10):
            write(connection, ANN, "payment")
        connection.execute("COMMIT")
    tampered.assert_reported_at(15)


@pytest.mark.parametrize("link", ["NULL", "1", "'text'", "x''"])
def test_records_are_appended_after_an_invalid_link_and_tampering_is_reported(
    link: str, tampered: TamperedInstallation
) -> None:
    tampered.run(
        "CREATE TABLE other AS SELECT * FROM data_capture_audit_chain",
        "DROP TABLE data_capture_audit_chain",
        "CREATE TABLE data_capture_audit_chain "
        "(audit_id INTEGER PRIMARY KEY, adopted, salt, commitment, link)",
        "INSERT INTO data_capture_audit_chain SELECT * FROM other",
        f"UPDATE data_capture_audit_chain SET link = {link} WHERE audit_id = 17",
    )
    with closing(open_connection(tampered.database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        write(connection, ANN, "payment")
        connection.execute("COMMIT")
    tampered.assert_reported_at(17)


def test_dropped_chain_is_reported_before_and_after_a_restart(
    tampered: TamperedInstallation,
) -> None:
    tampered.run("DROP TABLE data_capture_audit_chain")
    outcome = tampered.installation.run("verify-audit")
    assert (outcome.status, "is gone" in outcome.errors) == (1, True)
    prepare(tampered.database)
    tampered.assert_reported_at(1)


def test_chain_made_with_another_key_does_not_verify(tampered: TamperedInstallation) -> None:
    key = tampered.installation.directory / "trading_bots.keys" / "audit.key"
    key.chmod(0o600)
    key.write_text("00" * 32)
    tampered.assert_reported_at(1)
    assert "another installation's" in tampered.installation.run("verify-audit").output
