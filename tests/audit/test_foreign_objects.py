"""Test the report of objects of other programs that could affect our tables."""

# ruff: noqa: S608  (every statement is written in this file)

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest

from data_capture.audit import record_audit
from data_capture.capture.timestamps import timestamp
from data_capture.cli.integrity_report import find_damage, open_snapshot
from data_capture.privacy.erasure import erase_user
from data_capture.store.sqlite.connection import open_connection
from data_capture.store.sqlite.schema import prepare
from tests.support.foreign_objects import (
    DISGUISED,
    DO_NOTHING,
    FOREIGN,
    NAMED_LIKE_FUNCTIONS,
    NOTES_OF_RECEIPTS,
    NOTES_OF_USERS,
    OTHER_TABLE,
    TRIGGER_ON_NOTES,
    UNRELATED,
)
from tests.support.installations import CommandServer, Installation, writing_to
from tests.support.schema_checks import USERS
from tests.support.schema_edits import edit_schema

ANN, BOB = "ann@example.com", "bob@example.com"
NOW = "2024-01-15T10:30:00.000Z"


def create_database(folder: Path, *statements: str) -> Path:
    """Run statements, then adopt the database and add payments of two users."""
    database = folder / "trading_bots.db"
    run_sql(database, *statements)
    with writing_to(database, (ANN, BOB), NOW) as connection:
        for number in range(60):
            user = (ANN, BOB)[number % 2]
            connection.execute(
                "INSERT INTO payment_data (user_email, created_at) VALUES (?, ?)", (user, NOW)
            )
            connection.execute(
                "INSERT INTO capture_receipts "
                "(user_email, capture_id, capture_type, row_id, outcome, payload_digest) "
                "VALUES (?, ?, 'payment', ?, 'stored', x'00')",
                (user, f"id-{number}", number + 1),
            )
            record_audit(
                connection,
                user_email=user,
                capture_type="payment",
                timestamp=NOW,
                source_endpoint="/payment",
            )
    return database


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_database(tmp_path_factory.mktemp("original")).parent


@pytest.fixture(scope="module")
def original_with_foreign_users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_database(
        tmp_path_factory.mktemp("others"),
        USERS,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, total)",
    ).parent


@pytest.fixture
def installation(original: Path, tmp_path: Path, server: CommandServer) -> Installation:
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    return Installation(tmp_path, server)


@pytest.fixture
def installation_with_foreign_users(
    original_with_foreign_users: Path, tmp_path: Path, server: CommandServer
) -> Installation:
    """Create an installation whose table `users` belongs to another program."""
    shutil.copytree(original_with_foreign_users, tmp_path, dirs_exist_ok=True)
    return Installation(tmp_path, server)


def run_sql(database: Path, *statements: str) -> None:
    for statement in statements:  # a new connection reads the schema again
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.create_collation("nosuch", lambda a, b: (a > b) - (a < b))
            connection.executescript(statement)


def assert_reported(installation: Installation, *words: str) -> None:
    for command in ("verify-audit", "doctor"):
        outcome = installation.run(command, *(["--quick"] if command == "doctor" else []))
        assert outcome.status == 1, (command, outcome.output, outcome.errors)
        for word in words:
            assert word in outcome.output, (command, outcome.output)


def assert_verifies(installation: Installation) -> str:
    outcome = installation.run("verify-audit")
    assert outcome.status == 0, outcome.output
    assert "Schema:" not in outcome.output
    return outcome.output


# --- Objects that our writes could run ------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_object_that_our_writes_could_run_is_reported(
    kind: str, installation: Installation
) -> None:
    statements, word = FOREIGN[kind]
    run_sql(installation.database, statements)
    assert_reported(installation, word)
    prepare(installation.database)
    assert_reported(installation, word)


@pytest.mark.slow
@pytest.mark.parametrize("kind", DISGUISED)
def test_disguised_schema_row_is_reported(kind: str, installation: Installation) -> None:
    change = f"UPDATE sqlite_master SET {DISGUISED[kind]} WHERE name = 'nt'"
    run_sql(
        installation.database, NOTES_OF_USERS + OTHER_TABLE + TRIGGER_ON_NOTES + edit_schema(change)
    )
    outcome = installation.run("verify-audit")
    assert (outcome.status, "creates the trigger nt" in outcome.output) == (1, True), outcome.output


def test_foreign_trigger_is_reported_before_an_erasure_runs_it(installation: Installation) -> None:
    run_sql(
        installation.database,
        NOTES_OF_RECEIPTS,
        "INSERT INTO notes SELECT capture_id, user_email FROM capture_receipts;" + TRIGGER_ON_NOTES,
    )
    assert_reported(installation, "notes is not ours and refers to capture_receipts", "nt on notes")
    with closing(open_connection(installation.database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        erase_user(
            connection,
            ANN,
            erased_at=timestamp(datetime.now(timezone.utc)),
            source_endpoint="erase",
        )
        (left,) = connection.execute("SELECT count(*) FROM payment_data").fetchone()
        connection.execute("ROLLBACK")
    assert left == 0  # the trigger deleted the payments of the other user too


@pytest.mark.parametrize("kind", UNRELATED)
def test_unrelated_foreign_objects_are_not_reported(kind: str, installation: Installation) -> None:
    run_sql(installation.database, UNRELATED[kind])
    assert "To know" not in assert_verifies(installation)


def test_program_that_owns_users_may_update_them_by_trigger(
    installation_with_foreign_users: Installation,
) -> None:
    run_sql(
        installation_with_foreign_users.database,
        "CREATE TRIGGER totals AFTER INSERT ON orders "
        "BEGIN UPDATE users SET username = username; END;",
    )
    assert "To know" not in assert_verifies(installation_with_foreign_users)
    run_sql(
        installation_with_foreign_users.database,
        "CREATE TRIGGER more AFTER INSERT ON orders "
        "BEGIN UPDATE payment_data SET user_name = ''; END;",
    )
    assert_reported(installation_with_foreign_users, "more on orders mentions payment_data")


def test_foreign_objects_present_at_adoption_verify_with_a_notice(
    tmp_path: Path, server: CommandServer
) -> None:
    payments = "CREATE TABLE notes (p REFERENCES payment_data (id), note TEXT);"
    goes = "CREATE TABLE goes (u TEXT REFERENCES users (email) ON DELETE CASCADE);"
    create_database(
        tmp_path, USERS, payments + goes + f"CREATE TRIGGER gone AFTER DELETE ON goes {DO_NOTHING}"
    )
    installation = Installation(tmp_path, server)
    output = assert_verifies(installation)
    assert "To know: The table notes is another program's, refers to payment_data" in output
    assert "To know: The trigger gone on goes is another program's" in output
    run_sql(installation.database, "ALTER TABLE notes ADD COLUMN more")
    assert "To know: notes is another program's, and was altered" in assert_verifies(installation)
    run_sql(
        installation.database,
        "ALTER TABLE notes ADD COLUMN receipt REFERENCES capture_receipts (capture_id)",
    )
    assert_reported(
        installation, "notes is not ours and refers to capture_receipts and payment_data"
    )


# --- Objects named like SQLite functions ----------------------------------------------------------


@pytest.mark.slow(quick_cases=4)
@pytest.mark.parametrize("name", NAMED_LIKE_FUNCTIONS)
def test_table_named_like_an_sqlite_function_is_reported(
    name: str, installation: Installation
) -> None:
    run_sql(installation.database, NAMED_LIKE_FUNCTIONS[name])
    assert_reported(installation, f"{name} has the name of an SQLite function")


@pytest.mark.slow(quick_cases=3)
@pytest.mark.parametrize("name", NAMED_LIKE_FUNCTIONS)
def test_backup_and_erasure_work_despite_a_table_named_like_a_function(
    name: str, installation: Installation
) -> None:
    run_sql(installation.database, NAMED_LIKE_FUNCTIONS[name])
    outcome = installation.run("backup")
    assert outcome.status == 0, outcome.errors
    prepare(installation.database)
    outcome = installation.run("erase", ANN, "--yes")
    assert outcome.status == 0, outcome.errors


# --- Content that stops the integrity check -------------------------------------------------------


def remove_index_rows(index: str, columns: str) -> list[str]:
    """Remove rows from an index without changing its SQL in the schema."""
    sql = f"CREATE INDEX {index} ON {columns}"
    return [
        set_schema_sql(index, f"{sql} WHERE id > 20", 901),
        f"REINDEX {index}",
        set_schema_sql(index, sql, 902),
    ]


def set_schema_sql(name: str, sql: str, version: int) -> str:
    return (
        f"PRAGMA writable_schema = ON; "
        f"UPDATE sqlite_master SET sql = '{sql}' WHERE name = '{name}'; "
        f"PRAGMA schema_version = {version}"
    )


AUDIT_INDEX = remove_index_rows(
    "data_capture_audit_by_person", "data_capture_audit (user_email, timestamp)"
)
PAYMENT_INDEX = remove_index_rows("payment_data_by_person", "payment_data (user_email, created_at)")
UNKNOWN_COLLATION = """
CREATE TABLE "a z" (x TEXT COLLATE nosuch); CREATE INDEX zi ON "a z" (x);
INSERT INTO "a z" VALUES ('a'), ('b')
"""
DISTRACTIONS = {
    "nothing": [],
    "an unknown collation": [UNKNOWN_COLLATION],
    "an unknown function": [
        "CREATE TABLE z (x CHECK (x > 0)); INSERT INTO z VALUES (1)",
        set_schema_sql("z", "CREATE TABLE z (x CHECK (nosuch(x)))", 910),
    ],
    "a CHECK that overflows": [
        "CREATE TABLE z (x CHECK (x < 0)); INSERT INTO z VALUES (-9223372036854775808)",
        set_schema_sql("z", "CREATE TABLE z (x CHECK (abs(x) > 0))", 910),
    ],
    "hundreds of violated constraints": [
        """CREATE TABLE z (x INTEGER);
           WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
           INSERT INTO z SELECT NULL FROM n""",
        set_schema_sql("z", "CREATE TABLE z (x INTEGER NOT NULL)", 910),
    ],
    "tables named like functions": [
        "CREATE TABLE pragma_page_count (page_count); CREATE TABLE pragma_page_size (page_size);"
        "INSERT INTO pragma_page_count VALUES (1000000); INSERT INTO pragma_page_size VALUES (4096)"
    ],
    "a large file": ["CREATE TABLE z (x); INSERT INTO z VALUES (zeroblob(20000000))"],
}


@pytest.mark.slow(quick_cases=5)
@pytest.mark.parametrize("kind", DISTRACTIONS)
@pytest.mark.parametrize("index", ["data_capture_audit_by_person", "payment_data_by_person"])
def test_index_that_omits_rows_is_reported_whatever_else_is_in_the_file(
    index: str, kind: str, installation: Installation
) -> None:
    run_sql(
        installation.database,
        *(AUDIT_INDEX if "audit" in index else PAYMENT_INDEX),
        *DISTRACTIONS[kind],
    )
    for command in ("verify-audit", "doctor"):
        outcome = installation.run(command)
        assert (outcome.status, index in outcome.output) == (1, True), outcome.output


@pytest.mark.parametrize(
    "kind", ["an unknown collation", "an unknown function", "hundreds of violated constraints"]
)
def test_broken_table_of_another_program_is_not_damage(
    kind: str, installation: Installation
) -> None:
    run_sql(installation.database, *DISTRACTIONS[kind])
    assert_verifies(installation)
    outcome = installation.run("backup")
    assert outcome.status == 0, outcome.errors


def test_own_table_that_cannot_be_checked_is_damage(installation: Installation) -> None:
    run_sql(
        installation.database,
        "CREATE INDEX foreign_index ON payment_data (user_name COLLATE nosuch)",
    )
    with open_snapshot(installation.database) as connection:
        assert find_damage(connection) == [
            "payment_data can't be checked: no such collation sequence: nosuch"
        ]


def test_old_sqlite_version_reports_the_check_it_could_not_do(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_sql(installation.database, UNKNOWN_COLLATION)
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 32, 3))
    with open_snapshot(installation.database) as connection:
        (report,) = find_damage(connection, only_schema_tables=True)
    assert "no such collation sequence: nosuch" in report
    assert "SQLite 3.33" in report
