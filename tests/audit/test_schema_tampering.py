"""Whatever plain SQL does to the schema, `verify-audit` finds it and names the object."""

# ruff: noqa: S608  (every statement is spelled out here)

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from data_capture.audit import record_audit
from data_capture.cli import CommandError
from data_capture.cli.progress import Progress
from data_capture.cli.verify_audit import verify_audit
from tests.support.installations import CommandServer, Installation, writing_to
from tests.support.schema_edits import sql_of
from tests.support.schema_tampering import TAMPERING
from tests.support.services import rows
from tests.support.trail_tampering import ANN, AUDIT, BOB, CHAIN, NOW

RECORDS = 300
INDEXES_OF = "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ?"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation with some hundred records, as its services leave it."""
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
                connection, user_email=user, capture_type="payment", timestamp=NOW, source_endpoint="/payment",
                snapshot=f'{{"transaction_id": "TX-{number}"}}', ip_address="192.0.2.1", user_agent="Browser/1.0",
            )  # fmt: skip
    return folder


@pytest.fixture
def database(original: Path, tmp_path: Path) -> Path:
    """The database of a copy of it."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    return tmp_path / "trading_bots.db"


def run(database: Path, *statements: str) -> None:
    """Run what anyone can run who can write the file."""
    for statement in statements:  # each with a connection of its own, which reads the schema again
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(
                f"BEGIN; {statement}; COMMIT" if "PRAGMA" not in statement else statement
            )


def verified(
    database: Path, capsys: pytest.CaptureFixture[str], key_file: Path | None = None
) -> tuple[bool, str]:
    """Return whether verify-audit found everything good, and what it said."""
    try:
        is_good = verify_audit(database, key_file, None, print_head=False, progress=Progress())
    except CommandError as error:
        return False, str(error)
    return is_good, capsys.readouterr().out


def test_at_least_eighty_kinds_of_tampering_are_listed() -> None:
    assert len(TAMPERING) >= 80


@pytest.mark.parametrize("kind", TAMPERING)
def test_schema_tampering_is_reported_with_the_object(
    kind: str, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    statements, name = TAMPERING[kind]
    run(database, statements)
    is_good, said = verified(database, capsys)
    assert not is_good, said
    assert name in said, said


@pytest.mark.parametrize("counter", [RECORDS, RECORDS + 1_000_000_000, 2**40])
def test_counter_above_deleted_rows_is_not_reported(
    counter: int, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(database, f"UPDATE sqlite_sequence SET seq = {counter} WHERE name = 'payment_data'")
    is_good, said = verified(database, capsys)
    assert is_good, said


@pytest.mark.parametrize("table", [AUDIT, CHAIN, "payment_data", "users", "capture_receipts"])
def test_table_rebuilt_with_its_own_sql_is_not_reported(
    table: str, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sql = sql_of(table)
    indexes = [one for one in rows(database, INDEXES_OF, table) if one["sql"]]
    made = sql.replace(table, '"rebuilt"', 1)
    again = ";".join(one["sql"] for one in indexes)
    run(
        database,
        f"""PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON; {made};
            INSERT INTO rebuilt SELECT * FROM {table}; DROP TABLE {table};
            ALTER TABLE rebuilt RENAME TO {table}; {again}""",
    )
    is_good, said = verified(database, capsys)
    assert is_good, said


BY_DOCTOR = [
    "audit_logs without failures", "a trigger on payments", "a nullable id and a row NULL",
    "a view over the audit table, hidden", "a virtual table", "a unique index more", "a counter removed",
    "SQL that is none", "two tables on one page", "the audit table removed",
]  # fmt: skip


@pytest.mark.parametrize("kind", BY_DOCTOR)
def test_doctor_reports_schema_tampering(kind: str, database: Path, server: CommandServer) -> None:
    statements, name = TAMPERING[kind]
    run(database, statements)
    outcome = Installation(database.parent, server).run("doctor", "--json", "--quick")
    assert outcome.status == 1
    findings = {one["question"]: one for one in json.loads(outcome.output)["findings"]}
    assert findings["integrity"]["level"] == "problem"
    assert name.strip() in findings["integrity"]["answer"], findings["integrity"]
