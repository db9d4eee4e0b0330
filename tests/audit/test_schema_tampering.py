"""Test that verify-audit reports the object for every way to tamper with the schema."""

# ruff: noqa: S608  (every statement is written in this file)

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from data_capture.audit import record_audit
from tests.support.installations import CommandServer, Installation, writing_to
from tests.support.schema_checks import verify
from tests.support.schema_edits import schema_sql_of
from tests.support.schema_tampering import TAMPERING
from tests.support.services import rows
from tests.support.trail_tampering import ANN, AUDIT, BOB, CHAIN, NOW

RECORDS = 300
SELECT_INDEXES = "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ?"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create the folder of an installation with some hundred records."""
    folder = tmp_path_factory.mktemp("original")
    database = folder / "trading_bots.db"
    with writing_to(database, (ANN, BOB), NOW) as connection:
        for number in range(RECORDS):
            user = (ANN, BOB)[number % 2]
            connection.execute(
                "INSERT INTO payment_data (user_email, transaction_id, payment_status) VALUES "
                "(?, ?, 'pending')",
                (user, f"TX-{number}"),
            )
            record_audit(
                connection,
                user_email=user,
                capture_type="payment",
                timestamp=NOW,
                source_endpoint="/payment",
                snapshot=f'{{"transaction_id": "TX-{number}"}}',
                ip_address="192.0.2.1",
                user_agent="Browser/1.0",
            )
    return folder


@pytest.fixture
def database(original: Path, tmp_path: Path) -> Path:
    """Copy the original installation and return its database."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    return tmp_path / "trading_bots.db"


def run_sql(database: Path, *statements: str) -> None:
    """Run statements as any program can that can write the file."""
    for statement in statements:  # a new connection reads the schema again
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(
                f"BEGIN; {statement}; COMMIT" if "PRAGMA" not in statement else statement
            )


def test_at_least_eighty_kinds_of_tampering_are_listed() -> None:
    assert len(TAMPERING) >= 80


@pytest.mark.slow(quick_cases=5)
@pytest.mark.parametrize("kind", TAMPERING)
def test_schema_tampering_is_reported_with_the_object(
    kind: str, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    statements, name = TAMPERING[kind]
    run_sql(database, statements)
    is_good, output = verify(database, capsys)
    assert not is_good, output
    assert name in output, output


@pytest.mark.parametrize("counter", [RECORDS, RECORDS + 1_000_000_000, 2**40])
def test_counter_above_deleted_rows_is_not_reported(
    counter: int, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_sql(database, f"UPDATE sqlite_sequence SET seq = {counter} WHERE name = 'payment_data'")
    is_good, output = verify(database, capsys)
    assert is_good, output


@pytest.mark.parametrize("table", [AUDIT, CHAIN, "payment_data", "users", "capture_receipts"])
def test_table_rebuilt_with_its_own_sql_is_not_reported(
    table: str, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sql = schema_sql_of(table)
    indexes = [one for one in rows(database, SELECT_INDEXES, table) if one["sql"]]
    create_table = sql.replace(table, '"rebuilt"', 1)
    create_indexes = ";".join(one["sql"] for one in indexes)
    run_sql(
        database,
        f"""PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON; {create_table};
            INSERT INTO rebuilt SELECT * FROM {table}; DROP TABLE {table};
            ALTER TABLE rebuilt RENAME TO {table}; {create_indexes}""",
    )
    is_good, output = verify(database, capsys)
    assert is_good, output


REPORTED_BY_DOCTOR = [
    "audit_logs without failures",
    "a trigger on payments",
    "a nullable id and a row NULL",
    "a view in place of the renamed audit table",
    "a virtual table in place of the chain",
    "an additional unique index",
    "a counter removed",
    "SQL that is invalid",
    "two tables on one page",
    "the audit table removed",
]


@pytest.mark.slow
@pytest.mark.parametrize("kind", REPORTED_BY_DOCTOR)
def test_doctor_reports_schema_tampering(kind: str, database: Path, server: CommandServer) -> None:
    statements, name = TAMPERING[kind]
    run_sql(database, statements)
    outcome = Installation(database.parent, server).run("doctor", "--json", "--quick")
    assert outcome.status == 1
    findings = {one["question"]: one for one in json.loads(outcome.output)["findings"]}
    assert findings["integrity"]["level"] == "problem"
    assert name.strip() in findings["integrity"]["answer"], findings["integrity"]
