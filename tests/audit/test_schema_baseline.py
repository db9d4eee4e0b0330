"""Test the baseline: the schema at the adoption, in `trading_bots.keys/schema`."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest

from data_capture.store.sqlite.schema import prepare
from tests.support.schema_checks import (
    CHANGES,
    FOREIGN_PAYMENTS,
    USERS,
    assert_reported,
    assert_verifies,
    create_database,
    run_sql,
    verify,
)


def baseline_of(database: Path) -> Path:
    return database.with_name("trading_bots.keys") / "schema"


def test_baseline_is_private_and_unchanged_by_later_starts(tmp_path: Path) -> None:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    baseline = baseline_of(database)
    assert stat.S_IMODE(baseline.stat().st_mode) == 0o600
    before = baseline.read_bytes()
    run_sql(
        database,
        "CREATE TRIGGER helper AFTER INSERT ON payment_data BEGIN SELECT 1; END; "
        "DROP VIEW payments_latest",
    )
    prepare(database)
    assert baseline.read_bytes() == before
    assert [path.name for path in baseline.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("change", CHANGES)
def test_schema_change_is_reported_even_after_a_start_that_adds_missing_objects(
    change: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    run_sql(
        database, CHANGES[change], "DROP INDEX payment_data_by_person; DROP VIEW payments_latest"
    )
    prepare(database)
    is_good, output = verify(database, capsys)
    assert not is_good
    assert "is gone" not in output  # the start has created the missing view
    prepare(database)
    assert not verify(database, capsys)[0]


@pytest.mark.parametrize("change", CHANGES)
def test_schema_change_is_accepted_after_the_baseline_is_removed(
    change: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    run_sql(database, CHANGES[change])
    assert_reported(database, capsys, f"remove {baseline_of(database)}")
    baseline_of(database).unlink()
    assert not verify(database, capsys)[0]
    prepare(database)
    assert_verifies(database, capsys)
    run_sql(
        database, "CREATE TRIGGER another AFTER INSERT ON data_capture_audit BEGIN SELECT 1; END"
    )
    assert_reported(database, capsys, "The trigger another on data_capture_audit")


def test_forged_baseline_is_reported_and_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    baseline = baseline_of(database)
    code, _, states = baseline.read_text().partition("\n")
    state = json.loads(states)[-1]
    for forged in (
        "",
        "not JSON",
        f"{code}\n",
        f"{code}\n[{json.dumps([*state, ['trigger', 'x', 'users', 'x']])}]\n",
        "\xff",
    ):
        baseline.write_text(forged, encoding="latin-1")
        assert_reported(database, capsys, f"Schema: The recorded schema, {baseline}, was changed")
        prepare(database)
        assert baseline.read_text(encoding="latin-1") == forged


def test_database_without_its_key_gets_a_baseline_under_the_new_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    (tmp_path / "trading_bots.keys" / "audit.key").unlink()
    prepare(database)
    assert_verifies(database, capsys)


def test_copy_is_compared_with_the_baseline_next_to_the_given_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "here").mkdir()
    database = create_database(tmp_path / "here", USERS, FOREIGN_PAYMENTS)
    prepare(database)
    run_sql(database, f"VACUUM INTO '{tmp_path / 'copy.db'}'")
    key = tmp_path / "here" / "trading_bots.keys" / "audit.key"
    assert_verifies(tmp_path / "copy.db", capsys, key)
    shutil.copy(key, tmp_path / "audit.key")
    is_good, output = verify(tmp_path / "copy.db", capsys, tmp_path / "audit.key")
    assert not is_good
    baseline = f"record of this database's schema next to {tmp_path / 'audit.key'}"
    assert f"There is no {baseline}" in output
    run_sql(tmp_path / "copy.db", "DROP VIEW audit_logs")
    assert not verify(tmp_path / "copy.db", capsys, key)[0]
