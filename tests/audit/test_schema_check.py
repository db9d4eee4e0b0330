"""Test the comparison of the schema with schema.sql and with what was adopted."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from data_capture.audit import clear_columns, pseudonymise_audit, record_audit
from data_capture.audit.append import begin_chain
from data_capture.key_files import keep_key, new_key
from data_capture.store.sqlite.connection import open_connection
from data_capture.store.sqlite.schema import prepare
from data_capture.store.sqlite.users import ensure_user
from tests.support.installations import CommandServer, Installation
from tests.support.schema_checks import (
    CHANGES,
    FOREIGN_PAYMENTS,
    USERS,
    assert_reported,
    assert_verifies,
    create_database,
    run_sql,
)
from tests.support.services import REPOSITORY

ANN, BOB, PSEUDONYM = "kim@example.com", "lee@example.com", "erased-1@data-capture.invalid"
NOW = "2024-01-15T10:30:00.000Z"
EARLIER_SCHEMAS = sorted((REPOSITORY / "data_capture" / "audit" / "earlier_schemas").glob("*.sql"))

ADOPTED = {
    "users of an ORM": ["users_by_orm.sql"],
    "users in SQL, and tables of other programs": ["users_in_sql.sql", "other_programs.sql"],
    "users without passwords": ["users_without_passwords.sql"],
    "payments of another program, with an index and a trigger": [USERS, FOREIGN_PAYMENTS],
}


def add_records(database: Path) -> None:
    """Add records of two users, erase one user and delete IP addresses of the other."""
    with closing(open_connection(database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for user in (ANN, BOB, PSEUDONYM):
            ensure_user(connection, user, None, NOW)
        for number in range(20):
            record_audit(
                connection,
                user_email=(ANN, BOB)[number % 2],
                capture_type="payment",
                timestamp=NOW,
                source_endpoint="/payment",
                snapshot="{}",
                ip_address="192.0.2.1",
                user_agent="Browser/1.0",
            )
        pseudonymise_audit(connection, ANN, PSEUDONYM, timestamp=NOW, source_endpoint="erase")
        old = [
            number
            for (number,) in connection.execute(
                "SELECT id FROM data_capture_audit WHERE user_email = ?", (BOB,)
            )
        ]
        clear_columns(
            connection, {"ip_address": old}, PSEUDONYM, timestamp=NOW, source_endpoint="retention"
        )
        connection.execute("COMMIT")


def create_earlier_database(folder: Path, schema: Path) -> Path:
    """Create the tables, the key and the chain of a version that wrote no baseline."""
    database = folder / "trading_bots.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.executescript(schema.read_text())
        key = new_key()
        begin_chain(connection, key)
    keep_key(folder / "trading_bots.keys" / "audit.key", key)
    add_records(database)
    return database


# --- Databases that verify ------------------------------------------------------------------------


@pytest.mark.slow
def test_new_database_verifies_after_vacuum_backup_restore_and_restart(
    tmp_path: Path, server: CommandServer, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = Installation(tmp_path, server)
    database = installation.database
    prepare(database)
    assert "To know" not in assert_verifies(database, capsys)
    add_records(database)
    output = assert_verifies(database, capsys)
    assert "belong to erased users" in output
    assert "deleted by the retention" in output
    run_sql(database, "VACUUM; ANALYZE; REINDEX; PRAGMA optimize")
    prepare(database)
    assert_verifies(database, capsys)
    run_sql(database, f"VACUUM INTO '{tmp_path / 'copy.db'}'")
    assert_verifies(tmp_path / "copy.db", capsys, tmp_path / "trading_bots.keys" / "audit.key")
    backup = installation.back_up()
    assert_verifies(backup, capsys, tmp_path / "trading_bots.keys" / "audit.key")
    outcome = installation.run("restore", backup)
    assert outcome.status == 0, outcome.errors
    assert_verifies(database, capsys)
    prepare(database)
    assert_verifies(database, capsys)


def test_unrelated_objects_of_other_programs_verify_without_a_notice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    run_sql(
        database,
        """CREATE TABLE orders (
               id INTEGER PRIMARY KEY, email TEXT UNIQUE, total REAL CHECK (total > 0));
           CREATE VIEW paid AS SELECT * FROM payments_latest;
           CREATE TRIGGER paid_orders AFTER INSERT ON orders BEGIN SELECT 1; END;
           CREATE INDEX by_total ON orders (abs(total));
           CREATE INDEX payments_by_plan ON payment_data (plan_name, created_at DESC);
           CREATE VIRTUAL TABLE texts USING fts5 (text);""",
    )
    assert "To know" not in assert_verifies(database, capsys)


@pytest.mark.parametrize("case", ADOPTED)
def test_adopted_database_of_other_programs_verifies(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = create_database(tmp_path, *ADOPTED[case])
    prepare(database)
    add_records(database)
    prepare(database)
    assert_verifies(database, capsys)
    run_sql(database, "VACUUM")
    assert_verifies(database, capsys)


@pytest.mark.parametrize("schema", EARLIER_SCHEMAS, ids=lambda path: path.stem)
def test_earlier_database_and_its_backup_verify_before_and_after_the_first_start(
    schema: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = create_earlier_database(tmp_path, schema)
    assert_verifies(database, capsys)
    backup = tmp_path / "backup.db"
    run_sql(database, f"VACUUM INTO '{backup}'")
    prepare(database)
    assert_verifies(database, capsys)
    assert_verifies(backup, capsys, tmp_path / "trading_bots.keys" / "audit.key")


def test_adopted_earlier_database_and_its_backup_verify_with_a_notice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = create_database(tmp_path, USERS, FOREIGN_PAYMENTS)
    database = create_earlier_database(tmp_path, EARLIER_SCHEMAS[-1])
    backup = tmp_path / "backup.db"
    run_sql(database, f"VACUUM INTO '{backup}'")
    prepare(database)
    assert "The table payment_data is as it was adopted" in assert_verifies(database, capsys)
    assert_verifies(backup, capsys, tmp_path / "trading_bots.keys" / "audit.key")


# --- Adopted objects ------------------------------------------------------------------------------


def test_adopted_objects_are_listed_and_their_changes_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = create_database(tmp_path, USERS, FOREIGN_PAYMENTS)
    prepare(database)
    output = assert_verifies(database, capsys)
    assert "To know: The table payment_data is as it was adopted" in output
    assert "To know: The trigger shops on payment_data is another program's" in output
    run_sql(
        database,
        "DROP TRIGGER shops; CREATE TRIGGER shops AFTER INSERT ON payment_data BEGIN SELECT 2; END",
    )
    assert_reported(database, capsys, "The trigger shops on payment_data")
    # The other program may remove its own objects.
    run_sql(database, "DROP TRIGGER shops; DROP INDEX payment_by_shop")
    assert_verifies(database, capsys)
    run_sql(database, "ALTER TABLE payment_data ADD COLUMN refunded")
    assert_reported(
        database,
        capsys,
        "The table payment_data was changed: its SQL differs from the recorded one",
    )


def test_foreign_users_table_may_be_altered_but_may_not_get_a_trigger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = create_database(tmp_path, "users_in_sql.sql", "other_programs.sql")
    prepare(database)
    assert "users_get_progress" in assert_verifies(database, capsys)
    run_sql(
        database,
        "ALTER TABLE users ADD COLUMN shoe_size; CREATE UNIQUE INDEX shoes ON users (shoe_size)",
    )
    # The table of another program that has the name of our view.
    run_sql(database, "ALTER TABLE audit_logs ADD COLUMN reason")
    output = assert_verifies(database, capsys)
    altered = "The table users is another program's, and was altered since it was recorded."
    assert f"To know: {altered}" in output
    assert "To know: audit_logs is another program's, and was altered" in output
    run_sql(database, "CREATE TRIGGER watch AFTER UPDATE ON users BEGIN SELECT 1; END")
    assert_reported(database, capsys, "The trigger watch on users")


def test_users_table_replaced_by_a_view_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = create_database(tmp_path, USERS)
    prepare(database)
    run_sql(
        database, "ALTER TABLE users RENAME TO people; CREATE VIEW users AS SELECT * FROM people"
    )
    assert_reported(database, capsys, "The table users is a view now.")


# --- The command doctor ---------------------------------------------------------------------------


@pytest.mark.slow
def test_doctor_reports_schema_changes(tmp_path: Path, server: CommandServer) -> None:
    installation = Installation(tmp_path, server)
    prepare(installation.database)
    findings = {
        one["question"]: one
        for one in json.loads(installation.run("doctor", "--json").output)["findings"]
    }
    assert findings["integrity"]["level"] == "ok"
    run_sql(installation.database, *CHANGES.values())
    outcome = installation.run("doctor", "--json", "--quick")
    assert outcome.status == 1
    finding = {one["question"]: one for one in json.loads(outcome.output)["findings"]}["integrity"]
    assert finding["level"] == "problem"
    for words in (
        "The view audit_logs was changed",
        "The trigger helper on payment_data",
        "user_credentials",
        "once",
    ):
        assert words in finding["answer"], finding
    assert "verify-audit" in finding["advice"]


def test_doctor_reports_nothing_for_a_database_that_is_not_adopted(
    tmp_path: Path, server: CommandServer
) -> None:
    installation = Installation(tmp_path, server)
    create_database(tmp_path, "users_in_sql.sql", "other_programs.sql")
    findings = {
        one["question"]: one
        for one in json.loads(installation.run("doctor", "--json").output)["findings"]
    }
    assert findings["integrity"]["level"] == "ok", findings
