"""Test the migration of a database that an earlier version created."""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from data_capture.audit.append import audit_key_file
from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, parse_capture
from data_capture.key_files import keep_key
from data_capture.privacy.export import stream_export
from data_capture.problems import Problem
from data_capture.store import Store
from data_capture.store.sqlite.captures import record_capture
from data_capture.store.sqlite.keys import receipts_key_file
from data_capture.store.sqlite.receipts import Receipt
from data_capture.store.sqlite.schema import prepare
from data_capture.store.sqlite.schema_history import EARLIER, find_earlier_objects, normalise_sql
from tests.support.erasing import TOKEN, assert_whole, erase, find_traces
from tests.support.installations import CommandServer, Installation
from tests.support.services import REPOSITORY, capture_service_in, rows

DUMP = REPOSITORY / "tests" / "databases" / "version_without_claims.sql"
AUDIT_KEY = sha256(b"a key for tests alone").digest()
NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
ANN, BOB, CYD = "ann@example.com", "bob@example.com", "cyd@example.com"
COMPLETED = {"transaction_id": "TX-1", "final_price": "49.00", "payment_status": "completed"}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Create the database of the version before claims.

    It has 12 captures of three users. One capture's row was deleted by hand.
    """
    database = tmp_path / "trading_bots.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(DUMP.read_text())
    keep_key(audit_key_file(database), AUDIT_KEY)
    return database


@pytest.fixture
def store(database: Path) -> Iterator[Store]:
    """Open the migrated database."""
    prepare(database)
    with closing(Store(database, 20)) as store:
        yield store


def schema_of(database: Path) -> dict[str, str]:
    found = rows(
        database,
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'",
    )
    return {row["name"]: normalise_sql(row["sql"]) for row in found}


def store_capture(store: Store, kind: str, **payload: Any) -> Receipt:
    capture = parse_capture(KINDS[kind], payload, Caller("/test", None, None, NOW), ())
    return store.write(lambda connection: record_capture(connection, capture))


def test_earlier_schema_is_migrated_to_schema_sql_and_required_tables_are_kept(
    database: Path, tmp_path: Path
) -> None:
    before = schema_of(database)
    prepare(database)
    (tmp_path / "new").mkdir()
    prepare(tmp_path / "new" / "trading_bots.db")
    after = schema_of(database)
    assert after == schema_of(tmp_path / "new" / "trading_bots.db")
    required = {
        "users",
        "data_capture_audit",
        "data_capture_audit_chain",
        *(kind.table for kind in KINDS.values()),
    }
    assert {name: after[name] for name in required} == {name: before[name] for name in required}
    with closing(sqlite3.connect(database)) as connection:
        assert find_earlier_objects(connection) == {}
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    content = database.read_bytes()
    prepare(database)
    assert database.read_bytes() == content


def test_all_receipts_of_the_earlier_receipts_table_are_migrated(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table, index = EARLIER["capture_receipts"][-1], EARLIER["capture_receipts_by_content"][0]
    store_capture(store, "payment", user_email=ANN, capture_id="new", **COMPLETED, vat_id="DE9")
    receipts = rows(
        store.database, "SELECT * FROM capture_receipts ORDER BY capture_id, user_email"
    )
    schema = schema_of(store.database)
    copy = tmp_path / "copy" / "trading_bots.db"
    copy.parent.mkdir()
    shutil.copytree(tmp_path / "trading_bots.keys", copy.parent / "trading_bots.keys")
    # The baseline says that this version created the tables.
    (copy.parent / "trading_bots.keys" / "schema").unlink()
    with closing(sqlite3.connect(store.database)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    with closing(sqlite3.connect(copy)) as connection, connection:
        confirmed = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'capture_receipts_confirmed'"
        ).fetchone()[0]
        connection.execute("PRAGMA legacy_alter_table = ON")  # does not edit the views
        connection.execute("ALTER TABLE capture_receipts RENAME TO now")
        connection.execute(table)
        connection.execute(f"INSERT INTO capture_receipts SELECT {', '.join(receipts[0])} FROM now")  # noqa: S608
        connection.execute("DROP TABLE now")
        connection.execute(index)
        connection.execute(confirmed)
    prepare(copy)
    assert schema_of(copy) == schema
    assert rows(copy, "SELECT * FROM capture_receipts ORDER BY capture_id, user_email") == receipts
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_migrated_receipts_return_the_same_results_and_belong_to_their_users(store: Store) -> None:
    assert store_capture(
        store, "payment", user_email=ANN, capture_id="a-2", **COMPLETED, vat_id="DE1"
    ) == Receipt(2, "stored", True)
    assert store_capture(
        store, "payment", user_email=ANN, capture_id="a-3", **COMPLETED, vat_id="DE2"
    ) == Receipt(2, "unchanged", True)
    with pytest.raises(Problem, match="different capture"):
        store_capture(store, "payment", user_email=ANN, capture_id="a-2", **COMPLETED, vat_id="DE3")
    assert (
        store_capture(
            store, "activity", user_email=BOB, capture_id="a-2", activity_type="other"
        ).outcome
        == "stored"
    )


def test_new_field_of_an_earlier_row_is_recorded_once(store: Store) -> None:
    for capture_id in ("new-1", "new-2"):
        assert (
            store_capture(
                store, "payment", user_email=ANN, capture_id=capture_id, **COMPLETED, vat_id="DE9"
            ).row_id
            == 2
        )
    kept = rows(store.database, "SELECT 1 FROM data_capture_audit WHERE data_snapshot LIKE '%DE9%'")
    assert len(kept) == 1


def test_unkeyed_digests_and_orphaned_receipts_leave_no_bytes_in_the_file(database: Path) -> None:
    digests = {
        row["capture_id"]: row["payload_digest"]
        for row in rows(database, "SELECT * FROM capture_receipts")
    }
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM users WHERE email = ?", (CYD,))
    prepare(database)
    kept = {row["capture_id"] for row in rows(database, "SELECT capture_id FROM capture_receipts")}
    assert digests.keys() - kept == {"gone-1", "gone-2"}
    assert find_traces(database.parent, digests) == []
    assert receipts_key_file(database).stat().st_mode & 0o777 == 0o600


def test_latest_payment_among_earlier_rows_is_the_last_to_arrive(
    store: Store,
) -> None:
    """Bob's completion had a time five minutes in the future. The refund arrived after it."""
    latest = rows(
        store.database,
        "SELECT payment_status, source FROM payments_latest WHERE user_email = ?",
        BOB,
    )
    assert latest == [{"payment_status": "refunded", "source": "claim"}]


def test_export_is_unchanged_by_the_migration(database: Path) -> None:
    receipts = rows(
        database,
        "SELECT capture_id, capture_type, row_id, outcome, created_at FROM capture_receipts",
    )
    tables = (
        "payment_data",
        "questionnaire_data",
        "dashboard_data",
        "trading_activity_log",
        "data_capture_audit",
    )
    stored = {
        table: rows(database, f"SELECT * FROM {table} WHERE user_email = ? ORDER BY id", ANN)  # noqa: S608
        for table in tables
    }
    prepare(database)
    document = json.loads(b"".join(stream_export(database, ANN, "json")))
    assert {table: document[table] for table in tables} == stored
    exported = [{name: one[name] for name in receipts[0]} for one in document["capture_receipts"]]
    assert sorted(exported, key=str) == sorted(
        (one for one in receipts if one["capture_id"].startswith("a-")), key=str
    )
    assert {one["confirmed"] for one in document["capture_receipts"]} == {0}


def test_index_trigger_and_view_of_other_programs_survive_the_migration(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE INDEX foreign_index ON capture_receipts (created_at)")
        connection.execute(
            "CREATE VIEW seen AS SELECT capture_id FROM capture_receipts "
            "WHERE row_id IN (SELECT a FROM missing)"
        )
        connection.execute("CREATE TABLE counted (n)")
        connection.execute(
            "CREATE TRIGGER counting AFTER INSERT ON capture_receipts "
            "BEGIN INSERT INTO counted VALUES (1); END"
        )
        before = schema_of(database)
    prepare(database)
    after = schema_of(database)
    assert [
        name
        for name in ("foreign_index", "seen", "counted", "counting")
        if after.get(name) != before[name]
    ] == []
    assert rows(database, "SELECT * FROM counted") == []


@pytest.mark.parametrize(
    ("kind", "name"), [("VIEW", "payments_latest"), ("INDEX", "payment_data_by_transaction")]
)
def test_modified_view_or_index_is_left_unchanged(database: Path, kind: str, name: str) -> None:
    sql = {
        "VIEW": f"CREATE VIEW {name} AS SELECT 1 AS id",
        "INDEX": f"CREATE INDEX {name} ON payment_data (plan_name)",
    }[kind]
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(f"DROP {kind} {name}")
        connection.execute(sql)
    prepare(database)
    assert schema_of(database)[name] == normalise_sql(sql)


def test_killed_migration_leaves_the_database_unchanged(database: Path) -> None:
    before = schema_of(database), rows(database, "SELECT * FROM capture_receipts")
    program = (
        "import os, sys, pathlib\n"
        "from data_capture.store.sqlite import schema, schema_history\n"
        "carry_over = schema_history.Replacement.carry_over\n"
        "def killed(self, database):\n"
        "    carry_over(self, database)\n"
        "    os.kill(os.getpid(), 9)\n"
        "schema_history.Replacement.carry_over = killed\n"
        "schema.prepare(pathlib.Path(sys.argv[1]))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(database)], cwd=REPOSITORY, check=False
    )
    assert result.returncode == -9
    assert (schema_of(database), rows(database, "SELECT * FROM capture_receipts")) == before
    prepare(database)
    assert "confirmed" in schema_of(database)["capture_receipts"]


@pytest.mark.slow
def test_services_and_commands_work_on_an_earlier_database_and_its_backups(
    database: Path, server: CommandServer
) -> None:
    installation = Installation(database.parent, server)
    backup = installation.back_up()  # not migrated yet
    assert installation.run("verify-audit").status == 0
    service = capture_service_in(database.parent, EDC_ADMIN_TOKEN=TOKEN)
    service.start()
    try:
        repeated = service.capture(
            "payment", {"user_email": ANN, "capture_id": "a-2", **COMPLETED, "vat_id": "DE1"}
        )
        assert (repeated.status_code, repeated.headers["Idempotency-Replayed"]) == (201, "true")
        assert (
            service.capture("payment", {"user_email": ANN, **COMPLETED}).json()["updated"] is True
        )
        assert erase(service, BOB).json()["erased"]["capture_receipts"] == 3
        assert_whole(service)
    finally:
        service.stop()
    restored = installation.run("restore", backup)
    assert restored.status == 0, restored.errors
    assert "Erased again" in restored.output
    assert installation.run("export", ANN).status == 0
    assert installation.run("verify-audit").status == 0
    assert {
        row["user_email"] for row in rows(database, "SELECT user_email FROM capture_receipts")
    } == {ANN, CYD}


def test_receipt_without_its_key_is_replayed_without_comparison(
    store: Store, database: Path
) -> None:
    store.close()
    shutil.rmtree(receipts_key_file(database).parent)
    prepare(database)
    with closing(Store(database, 20)) as reopened:
        assert store_capture(
            reopened, "payment", user_email=ANN, capture_id="a-2", **COMPLETED, vat_id="DE1"
        ).replayed
        # The capture is of another kind, so that no row can be returned.
        with pytest.raises(Problem, match="different capture"):
            store_capture(reopened, "activity", user_email=ANN, capture_id="a-2", activity_type="x")
