"""Share helpers of the tests of the schema check."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from data_capture.cli import CommandError
from data_capture.cli.progress import Progress
from data_capture.cli.verify_audit import verify_audit
from tests.support.services import REPOSITORY

DATABASES = REPOSITORY / "tests" / "databases"
USERS = """
CREATE TABLE users (
    id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL, username TEXT, first_name TEXT);
"""
FOREIGN_PAYMENTS = """
CREATE TABLE Payment_Data (id INTEGER PRIMARY KEY, shop TEXT, user_id, user_email, user_name,
plan_name, original_price,
    discount_amount, final_price, coupon_code, payment_method, transaction_id, payment_status,
    payment_processor, crypto_transaction_hash, crypto_from_address, crypto_amount, ip_address,
    user_agent, created_at, updated_at);
CREATE UNIQUE INDEX payment_by_shop ON payment_data (shop, transaction_id);
CREATE TRIGGER shops AFTER INSERT ON payment_data BEGIN SELECT 1; END;
"""
CHANGES = {
    "a view": (
        "DROP VIEW audit_logs; "
        "CREATE VIEW audit_logs AS SELECT * FROM data_capture_audit WHERE id < 3"
    ),
    "a trigger": "CREATE TRIGGER helper AFTER INSERT ON payment_data BEGIN SELECT 1; END",
    "a column": "ALTER TABLE user_credentials ADD COLUMN hint",
    "an index": "CREATE UNIQUE INDEX once ON payment_data (transaction_id)",
}


def run_sql(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for statement in statements:
            connection.executescript(statement)


def create_database(folder: Path, *scripts: str) -> Path:
    database = folder / "trading_bots.db"
    run_sql(
        database,
        *(
            (DATABASES / script).read_text() if script.endswith(".sql") else script
            for script in scripts
        ),
    )
    return database


def verify(
    database: Path, capsys: pytest.CaptureFixture[str], key_file: Path | None = None
) -> tuple[bool, str]:
    try:
        is_good = verify_audit(database, key_file, None, print_head=False, progress=Progress())
    except CommandError as error:
        return False, str(error)
    return is_good, capsys.readouterr().out


def assert_verifies(
    database: Path, capsys: pytest.CaptureFixture[str], key_file: Path | None = None
) -> str:
    is_good, output = verify(database, capsys, key_file)
    assert is_good, output
    assert "Schema:" not in output
    return output


def assert_reported(database: Path, capsys: pytest.CaptureFixture[str], *words: str) -> None:
    is_good, output = verify(database, capsys)
    assert not is_good, output
    assert [word for word in words if word not in output] == [], output
