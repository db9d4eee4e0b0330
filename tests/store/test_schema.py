"""Test schema.sql on an empty file and on an existing database."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from data_capture.privacy.statistics import read_statistics
from tests.support.services import REPOSITORY

SCHEMA = REPOSITORY / "schema.sql"

NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
USER = ["user_id INTEGER", "user_email TEXT NOT NULL", "user_name TEXT"]
ORIGIN = [
    "ip_address TEXT",
    "user_agent TEXT",
    f"created_at TEXT DEFAULT {NOW}",
    f"updated_at TEXT DEFAULT {NOW}",
]

COLUMNS = {
    "payment_data": [
        "id INTEGER PRIMARY KEY",
        *USER,
        "plan_name TEXT",
        "original_price DECIMAL(10,2)",
        "discount_amount DECIMAL(10,2)",
        "final_price DECIMAL(10,2)",
        "coupon_code TEXT",
        "payment_method TEXT",
        "transaction_id TEXT",
        "payment_status TEXT",
        "payment_processor TEXT",
        "crypto_transaction_hash TEXT",
        "crypto_from_address TEXT",
        "crypto_amount TEXT",
        *ORIGIN,
    ],
    "questionnaire_data": [
        "id INTEGER PRIMARY KEY",
        *USER,
        "trades_per_day TEXT",
        "trading_session TEXT",
        "crypto_assets TEXT",
        "forex_assets TEXT",
        "custom_forex_pairs TEXT",
        "has_account TEXT",
        "account_equity DECIMAL(12,2)",
        "prop_firm TEXT",
        "account_type TEXT",
        "account_size DECIMAL(12,2)",
        "risk_percentage DECIMAL(5,2)",
        "risk_reward_ratio TEXT",
        "account_screenshot TEXT",
        "screenshot_filename TEXT",
        "screenshot_size INTEGER",
        "screenshot_type TEXT",
        *ORIGIN,
    ],
    "dashboard_data": [
        "id INTEGER PRIMARY KEY",
        *USER,
        "initial_equity DECIMAL(12,2)",
        "current_equity DECIMAL(12,2)",
        "total_pnl DECIMAL(12,2)",
        "win_rate DECIMAL(5,2)",
        "total_trades INTEGER",
        "winning_trades INTEGER",
        "losing_trades INTEGER",
        "average_win DECIMAL(10,2)",
        "average_loss DECIMAL(10,2)",
        "profit_factor DECIMAL(10,4)",
        "max_drawdown DECIMAL(10,2)",
        "current_drawdown DECIMAL(10,2)",
        "gross_profit DECIMAL(12,2)",
        "gross_loss DECIMAL(12,2)",
        "consecutive_wins INTEGER",
        "consecutive_losses INTEGER",
        "risk_per_trade DECIMAL(5,2)",
        "daily_loss_limit DECIMAL(5,2)",
        "consecutive_losses_limit INTEGER",
        "account_balance DECIMAL(12,2)",
        "account_equity_dash DECIMAL(12,2)",
        "theme TEXT DEFAULT 'dark'",
        "dashboard_state TEXT",
        "trading_state TEXT",
        *ORIGIN,
    ],
    "data_capture_audit": [
        "id INTEGER PRIMARY KEY",
        "user_email TEXT NOT NULL",
        "capture_type TEXT NOT NULL",
        "data_snapshot TEXT",
        "source_endpoint TEXT",
        f"timestamp TEXT DEFAULT {NOW}",
        "ip_address TEXT",
        "user_agent TEXT",
        "status TEXT DEFAULT 'success'",
        "error_details TEXT",
    ],
    "trading_activity_log": [
        "id INTEGER PRIMARY KEY",
        "user_email TEXT NOT NULL",
        "activity_type TEXT",
        "activity_data TEXT",
        f"timestamp TEXT DEFAULT {NOW}",
        "ip_address TEXT",
        "user_agent TEXT",
    ],
}
TABLES_WITH_IDS = (*COLUMNS, "users")

FULL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def run_schema(database: Path) -> None:
    """Run `sqlite3 trading_bots.db < schema.sql`, as docs/data.md says.

    Where there is no sqlite3 command, run schema.sql by Python's sqlite3.
    """
    command = shutil.which("sqlite3")
    if command is None:
        with closing(sqlite3.connect(database)) as connection:
            connection.executescript(SCHEMA.read_text())
        return
    with SCHEMA.open() as statements:
        result = subprocess.run(
            [command, "-bail", str(database)],
            stdin=statements,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    database = tmp_path / "trading_bots.db"
    run_schema(database)
    return database


def columns_of(connection: sqlite3.Connection, table: str) -> list[str]:
    described = []
    for _, name, declared_type, not_null, default, key in connection.execute(
        f"PRAGMA table_info({table})"
    ):
        described.append(
            f"{name} {declared_type}"
            + (" NOT NULL" if not_null else "")
            + (f" DEFAULT {default}" if default is not None else "")
            + (" PRIMARY KEY" if key else "")
        )
    return described


@pytest.mark.parametrize("table", COLUMNS)
def test_table_has_exactly_the_required_columns(database: Path, table: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        assert columns_of(connection, table) == COLUMNS[table]


@pytest.mark.parametrize("table", COLUMNS)
def test_table_references_users_by_email(database: Path, table: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        [key] = connection.execute(f"PRAGMA foreign_key_list({table})").fetchall()
    assert key[2:5] == ("users", "user_email", "email")


@pytest.mark.parametrize("table", TABLES_WITH_IDS)
def test_ids_are_never_reused(database: Path, table: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        [(statement,)] = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE name = ?", (table,)
        )
    assert re.search(r"\bid\s+INTEGER PRIMARY KEY AUTOINCREMENT\b", statement)


def test_default_timestamps_are_in_utc_with_milliseconds(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "INSERT INTO users (username, email, password_hash, normalized_email) "
            "VALUES ('a', 'a@example.com', '!', 'a@example.com')"
        )
        times = list(connection.execute("SELECT created_at FROM users"))
        for table in ("payment_data", "questionnaire_data", "dashboard_data"):
            connection.execute(f"INSERT INTO {table} (user_email) VALUES ('a@example.com')")  # noqa: S608
            times += connection.execute(
                f"SELECT created_at FROM {table} UNION ALL SELECT updated_at FROM {table}"  # noqa: S608
            )
        connection.execute("INSERT INTO trading_activity_log (user_email) VALUES ('a@example.com')")
        connection.execute(
            "INSERT INTO data_capture_audit (user_email, capture_type) "
            "VALUES ('a@example.com', 'payment')"
        )
        times += connection.execute(
            "SELECT timestamp FROM trading_activity_log "
            "UNION ALL SELECT timestamp FROM data_capture_audit"
        )
        theme = connection.execute("SELECT theme FROM dashboard_data").fetchone()[0]
        status = connection.execute("SELECT status FROM audit_logs").fetchone()[0]
    assert len(times) == 9
    assert all(FULL_TIME.fullmatch(time) for (time,) in times)
    assert (theme, status) == ("dark", "success")


def test_view_audit_logs_shows_the_audit_trail(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "INSERT INTO data_capture_audit (user_email, capture_type) "
            "VALUES ('a@example.com', 'payment')"
        )
        connection.row_factory = sqlite3.Row
        record, shown = (
            dict(connection.execute(query).fetchone())
            for query in ("SELECT * FROM data_capture_audit", "SELECT * FROM audit_logs")
        )
    assert shown == record


def test_running_schema_sql_again_changes_nothing(database: Path) -> None:
    def dump() -> str:
        with closing(sqlite3.connect(database)) as connection:
            return "\n".join(connection.iterdump())

    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "INSERT INTO payment_data (user_email, final_price) VALUES ('a@example.com', '99.80')"
        )
    before = dump()
    run_schema(database)
    assert dump() == before


def test_tables_of_another_program_are_kept(tmp_path: Path) -> None:
    database = tmp_path / "trading_bots.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT UNIQUE, email TEXT UNIQUE, "
            "created_at TEXT)"
        )
        connection.execute("INSERT INTO users VALUES (1, 'old', 'Old@Example.com', '2020')")
        connection.execute("CREATE TABLE audit_logs (id INTEGER PRIMARY KEY, actor TEXT)")
        connection.execute("INSERT INTO audit_logs VALUES (1, 'old')")
    run_schema(database)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT * FROM users").fetchall() == [
            (1, "old", "Old@Example.com", "2020")
        ]
        assert connection.execute("SELECT * FROM audit_logs").fetchall() == [(1, "old")]
        assert columns_of(connection, "payment_data") == COLUMNS["payment_data"]


@pytest.mark.parametrize("table", COLUMNS)
def test_rows_of_one_user_are_found_by_an_index(database: Path, table: str) -> None:
    time = "timestamp" if table in ("trading_activity_log", "data_capture_audit") else "created_at"
    query = (
        f"SELECT * FROM {table} WHERE user_email = 'a@example.com' ORDER BY {time} DESC LIMIT 10"  # noqa: S608
    )
    with closing(sqlite3.connect(database)) as connection:
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}"))
    assert f"USING INDEX {table}_by_person (user_email=?)" in plan
    assert "TEMP B-TREE" not in plan


def test_statistics_of_a_user_read_only_covering_indexes(database: Path) -> None:
    statements: list[str] = []
    with closing(sqlite3.connect(database)) as connection:
        connection.set_trace_callback(statements.append)
        read_statistics(connection, "a@example.com")
        connection.set_trace_callback(None)
        (counting,) = (statement for statement in statements if "FROM payment_data" in statement)
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {counting}")]
    steps = [
        step
        for step in plan
        if step.startswith(("SEARCH", "SCAN ")) and step != "SCAN CONSTANT ROW"
    ]
    assert len(steps) == 8
    assert all(
        re.match(r"SEARCH \w+ USING COVERING INDEX \w+ \(user_email=\?\)", step) for step in steps
    ), steps
