"""Test retention: old data is deleted, newer data stays, the audit trail verifies."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from data_capture.capture.kinds import KINDS
from data_capture.privacy.erasure_completion import UserEraser
from data_capture.privacy.retention import RetentionStep, apply_retention
from data_capture.setting_types import RETENTION_NAMES
from data_capture.settings import SettingError, load_settings
from data_capture.store import Store
from tests.support.erasing import TraceableUser, find_traces, store_captures, store_in
from tests.support.installations import CommandServer, Installation
from tests.support.services import capture_service_in, eventually, rows

NOW = datetime.now(timezone.utc)
OLD, NEW = TraceableUser("old"), TraceableUser("new")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Open a store with eight captures that are 100 days old and eight new ones."""
    with closing(store_in(tmp_path)) as store:
        store_captures(store, OLD.captures(8), NOW - timedelta(days=100))
        store_captures(store, NEW.captures(8), NOW)
        yield store


def count_rows(store: Store) -> dict[str, int]:
    tables = [kind.table for kind in KINDS.values()] + ["capture_receipts"]
    return {
        table: rows(store.database, f"SELECT count(*) AS count FROM {table}")[0]["count"]  # noqa: S608
        for table in tables
    }


def verify_audit(tmp_path: Path, server: CommandServer) -> str:
    outcome = Installation(tmp_path, server).run("verify-audit")
    assert outcome.status == 0, outcome.output + outcome.errors
    return outcome.output


@pytest.mark.slow
def test_retention_deletes_old_captures_and_their_audit_contents(
    store: Store, tmp_path: Path, server: CommandServer
) -> None:
    apply_retention(store, ("payment=90", "questionnaire=90", "activity=101"), NOW)
    assert count_rows(store) == {
        "payment_data": 2,
        "questionnaire_data": 2,
        "dashboard_data": 4,
        "trading_activity_log": 4,
        "capture_receipts": 12,
    }
    records = rows(store.database, "SELECT * FROM data_capture_audit ORDER BY id")
    kept = {
        (one["user_email"], one["capture_type"])
        for one in records
        if one["data_snapshot"] is not None
    }
    assert (OLD.email, "payment") not in kept
    assert {(OLD.email, "dashboard"), (OLD.email, "activity"), (NEW.email, "payment")} < kept
    assert all(one["ip_address"] for one in records[:16])
    output = verify_audit(tmp_path, server)
    assert "Of these, 4 had old contents deleted by the retention" in output
    assert "erased" not in output
    assert (
        find_traces(tmp_path, {name: OLD.traces()[name] for name in ("plan", "picture", "firm")})
        == []
    )


@pytest.mark.parametrize("erased", [False, True])
def test_receipts_are_deleted_with_their_row_and_their_user(tmp_path: Path, erased: bool) -> None:
    """A row may be up to a week older than its receipts; several capture_ids may repeat it."""
    captured_at = (NOW - timedelta(days=95)).isoformat()
    payments = [
        {
            "type": "payment",
            "user_email": OLD.email,
            "capture_id": OLD.unique_text(f"receipt{number}"),
            "transaction_id": "TX-1",
            "capture_timestamp": captured_at,
            "vat_id": f"DE{number % 2}",
        }
        for number in range(6)
    ]
    with closing(store_in(tmp_path)) as store:
        store_captures(store, payments, NOW - timedelta(days=89))
        store_captures(store, NEW.captures(8), NOW)
        receipts = rows(
            store.database, "SELECT * FROM capture_receipts WHERE user_email = ?", OLD.email
        )
        traces = {one["capture_id"]: one["capture_id"].encode() for one in receipts}
        traces |= {f"digest of {one['capture_id']}": one["payload_digest"] for one in receipts}
        assert len(traces) == 12
        apply_retention(store, ("payment=90",), NOW)
        assert count_rows(store) == {
            "payment_data": 2,
            "questionnaire_data": 2,
            "dashboard_data": 2,
            "trading_activity_log": 2,
            "capture_receipts": 8,
        }
        if erased:
            UserEraser(store).erase(OLD.email, "a test")
            assert find_traces(tmp_path, traces) == []


def test_retention_deletes_old_receipts_that_a_kept_row_does_not_need(
    store: Store,
) -> None:
    dashboard = [one for one in OLD.captures(8) if one["type"] == "dashboard"][-1]
    store_captures(
        store,
        [{**dashboard, "capture_id": f"redundant-{number}"} for number in range(5)],
        NOW - timedelta(days=99),
    )
    store_captures(store, [{**dashboard, "capture_id": "newest"}], NOW)
    before = count_rows(store)
    apply_retention(store, ("dashboard=90",), NOW)
    left = {
        one["capture_id"] for one in rows(store.database, "SELECT capture_id FROM capture_receipts")
    }
    assert not [capture_id for capture_id in left if capture_id.startswith("redundant")]
    assert {"newest", dashboard["capture_id"]} <= left
    assert count_rows(store)["dashboard_data"] == before["dashboard_data"] - 1


@pytest.mark.slow
def test_service_deletes_receipts_without_a_row_or_a_user(store: Store, tmp_path: Path) -> None:
    with closing(sqlite3.connect(store.database)) as connection, connection:
        connection.execute("DELETE FROM payment_data WHERE user_email = ?", (NEW.email,))
        connection.execute("DELETE FROM users WHERE email = ?", (OLD.email,))
        connection.execute(
            "UPDATE capture_receipts SET capture_type = 'unknown' WHERE capture_type = 'activity'"
        )
    service = capture_service_in(tmp_path)
    service.start()
    try:
        eventually(
            lambda: count_rows(store)["capture_receipts"] == 4,
            "only receipts with a row and a user are left",
        )
    finally:
        service.stop()


@pytest.mark.slow
def test_ip_addresses_and_user_agents_have_their_own_retention(
    store: Store, tmp_path: Path, server: CommandServer
) -> None:
    apply_retention(store, ("ip_address=90", "user_agent=200"), NOW)
    for table in (*(kind.table for kind in KINDS.values()), "data_capture_audit"):
        for user, address in ((OLD, None), (NEW, "192.0.2.7")):
            found = rows(
                store.database,
                f"SELECT DISTINCT ip_address, user_agent FROM {table} WHERE user_email = ?",  # noqa: S608
                user.email,
            )
            assert found == [{"ip_address": address, "user_agent": "a browser"}], table
    assert count_rows(store)["capture_receipts"] == 16
    assert "Of these, 8 had old contents" in verify_audit(tmp_path, server)


def test_audit_trail_verifies_after_two_retentions_and_an_erasure(
    store: Store, tmp_path: Path, server: CommandServer
) -> None:
    apply_retention(store, ("ip_address=90",), NOW)
    apply_retention(store, ("payment=90", "ip_address=90"), NOW)
    assert "Of these, 8 had old contents" in verify_audit(tmp_path, server)
    UserEraser(store).erase(OLD.email, "a test")
    output = verify_audit(tmp_path, server)
    assert "Of these, 8 belong to erased users" in output
    assert "the retention" not in output


@pytest.mark.slow(quick_cases=4)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE data_capture_audit SET ip_address = '192.0.2.9' WHERE id = 1",
        "UPDATE data_capture_audit SET data_snapshot = '{}' WHERE id = 2",
        "UPDATE data_capture_audit SET timestamp = '2024-01-15T10:30:00.000Z' WHERE id = 3",
        "UPDATE data_capture_audit SET data_snapshot = '{\"left\": {}}' "
        "WHERE capture_type = 'retention'",
        "DELETE FROM data_capture_audit WHERE capture_type = 'retention'",
        "UPDATE data_capture_audit_chain SET salt = zeroblob(16) WHERE audit_id = 4",
    ],
)
def test_tampering_after_a_retention_is_reported(
    store: Store, tmp_path: Path, server: CommandServer, statement: str
) -> None:
    apply_retention(store, ("ip_address=90",), NOW)
    with closing(sqlite3.connect(store.database)) as connection, connection:
        connection.execute(statement)
    assert Installation(tmp_path, server).run("verify-audit").status == 1


def test_dry_run_lists_the_deletions_and_changes_nothing(store: Store, tmp_path: Path) -> None:
    rules = ("payment=90", "dashboard=90", "ip_address=90")
    before = store.database.read_bytes(), count_rows(store)
    planned = apply_retention(store, rules, NOW, dry_run=True)
    assert (store.database.read_bytes(), count_rows(store)) == before
    done = apply_retention(store, rules, NOW)
    assert RetentionStep("payment_data", "deleted", 2) in planned
    assert {step.table for step in planned} == {step.table for step in done}
    assert apply_retention(store, rules, NOW) == []


def test_retention_is_recorded_only_when_it_deletes_something(store: Store) -> None:
    apply_retention(store, ("payment=101",), NOW)
    recorded = (
        "SELECT data_snapshot FROM data_capture_audit WHERE capture_type = 'retention' ORDER BY id"
    )
    assert rows(store.database, recorded) == []
    apply_retention(store, ("payment=90",), NOW)
    snapshots = [record["data_snapshot"] for record in rows(store.database, recorded)]
    assert len(snapshots) == 2  # the attestation of the records, and the summary
    assert json.loads(snapshots[1])["rows"]["payment_data: deleted"] == 2


def test_dashboard_state_that_still_holds_is_kept(store: Store) -> None:
    latest = [one for one in OLD.captures(8) if one["type"] == "dashboard"][-1]
    store_captures(store, [{**latest, "capture_id": "repeated"}], NOW)
    apply_retention(store, ("dashboard=90",), NOW)
    kept = rows(store.database, "SELECT id FROM dashboard_data WHERE user_email = ?", OLD.email)
    assert len(kept) == 1


@pytest.mark.slow
def test_retention_applies_to_thousands_of_records(tmp_path: Path, server: CommandServer) -> None:
    with closing(store_in(tmp_path)) as store:
        store_captures(store, OLD.captures(1300), NOW - timedelta(days=100))
        apply_retention(store, ("activity=1", "user_agent=1"), NOW)
        assert count_rows(store)["trading_activity_log"] == 0
        assert "Of these, 1,300 had old contents" in verify_audit(tmp_path, server)


@pytest.mark.slow
def test_service_applies_retention_by_itself(store: Store, tmp_path: Path) -> None:
    service = capture_service_in(tmp_path, EDC_RETENTION_DAYS="payment=90, user_agent=90")
    service.start()
    try:
        eventually(lambda: count_rows(store)["payment_data"] == 2, "the old payments are gone")
    finally:
        service.stop()


@pytest.mark.slow
def test_retention_command_reports_its_deletions(
    store: Store, tmp_path: Path, server: CommandServer
) -> None:
    installation = Installation(tmp_path, server)
    assert "EDC_RETENTION_DAYS" in installation.run("retention").errors
    planned = installation.run("retention", "--retention-days", "payment=90", "--dry-run")
    assert planned.status == 0, planned.errors
    assert "payment_data: 2 rows would be deleted" in planned.output
    done = installation.run("retention", "--retention-days", "payment=90")
    assert "payment_data: 2 rows deleted" in done.output
    repeated = installation.run("retention", "--retention-days", "payment=90")
    assert repeated.output == "No data is that old.\n"


def test_retention_setting_accepts_every_kind_and_nothing_else() -> None:
    assert {*KINDS, "ip_address", "user_agent"} == set(RETENTION_NAMES)
    settings = load_settings({}, {"EDC_RETENTION_DAYS": " payment = 30 , user_agent=1"})
    assert settings.retention_days == ("payment=30", "user_agent=1")
    for invalid in (
        "payment",
        "payment=0",
        "payment=-1",
        "payment=1.5",
        "people=30",
        "payment=1,payment=2",
        "payment=100000",
    ):
        with pytest.raises(SettingError, match="EDC_RETENTION_DAYS"):
            load_settings({}, {"EDC_RETENTION_DAYS": invalid})
