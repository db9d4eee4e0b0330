"""A trading_bots.db that other programs made is taken over: added to, never changed; what can't be is refused, in words."""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from data_capture.store.sqlite.schema import DatabaseRefused, prepare
from tests.support.services import (
    REPOSITORY,
    RunningService,
    capture_service_in,
    rows,
    signup_service_in,
)

DATABASES = REPOSITORY / "tests" / "databases"
PASSWORDS = {"Ann@Example.COM": "correct horse", "bob@example.com": "hunter22"}

Contents = dict[str, tuple[str, list[tuple[object, ...]]]]


def make(database: Path, *scripts: str) -> Path:
    """The database that these scripts of tests/databases, or these statements, make."""
    with closing(sqlite3.connect(database)) as connection:
        for script in scripts:
            connection.executescript(
                (DATABASES / script).read_text() if script.endswith(".sql") else script
            )
        connection.commit()
    return database


def contents(database: Path) -> Contents:
    """Every table, view, index and trigger: its SQL, and its rows if it has any."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        made_of = connection.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        ).fetchall()
        return {
            name: (
                sql,
                connection.execute(f'SELECT * FROM "{name}"').fetchall() if kind == "table" else [],  # noqa: S608
            )
            for kind, name, sql in made_of
            if not name.startswith("sqlite_")
        }


def assert_nothing_changed(
    before: Contents, database: Path, but: Callable[[tuple[object, ...]], bool] = lambda _: False
) -> None:
    after = contents(database)
    for name, (sql, old_rows) in before.items():
        assert after[name][0] == sql, name
        gone = [row for row in old_rows if row not in after[name][1] and not but(row)]
        assert not gone, (name, gone)


class TakenOver:
    """Both services over a database that was there before them."""

    def __init__(self, directory: Path, *scripts: str) -> None:
        self.database = make(directory / "trading_bots.db", *scripts)
        self.before = contents(self.database)
        self.signup: RunningService = signup_service_in(directory)
        self.capture: RunningService = capture_service_in(directory)

    def register(self, email: str, **members: object) -> requests.Response:
        return requests.post(
            f"{self.signup.url}/api/auth/register",
            json={"email": email, "password": "secret1", **members},
            timeout=10,
        )

    def log_in(self, email: str, password: str) -> requests.Response:
        return requests.post(
            f"{self.signup.url}/api/auth/login",
            json={"email": email, "password": password},
            timeout=10,
        )

    def pay(self, email: str) -> requests.Response:
        return requests.post(
            f"{self.capture.url}/api/data-capture/payment",
            json={"user_email": email, "final_price": "99.80"},
            timeout=10,
        )

    def rows(self, statement: str, *parameters: object) -> list[dict[str, object]]:
        return rows(self.database, statement, *parameters)


@pytest.fixture(
    scope="module",
    params=[
        ("users_in_sql.sql",),
        ("users_by_orm.sql",),
        ("users_without_passwords.sql",),
        ("users_in_sql.sql", "other_programs.sql"),
    ],
    ids=lambda scripts: "+".join(script.removesuffix(".sql") for script in scripts),
)
def existing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TakenOver]:
    taken_over = TakenOver(tmp_path_factory.mktemp("existing"), *request.param)
    try:
        taken_over.signup.start()
        taken_over.capture.start()
        yield taken_over
    finally:
        taken_over.signup.stop()
        taken_over.capture.stop()


def keeps_passwords(existing: TakenOver) -> bool:
    return "password_hash" in existing.before["users"][0]


def test_signup_login_and_capture_do_not_change_existing_rows(
    existing: TakenOver,
) -> None:
    answer = existing.register("New@Example.com", firstName="Nora", lastName="New", username="ann")
    assert answer.status_code == 201, answer.text
    user = answer.json()["user"]
    assert user["email"] == "new@example.com"
    assert user["fullName"] == "Nora New"
    assert user["username"].startswith("ann")
    keeps_names = "first_name" in existing.before["users"][0]
    known_later = user if keeps_names else {**user, "fullName": user["username"]}
    assert existing.log_in("NEW@example.com", "secret1").json()["user"] == known_later
    assert existing.pay("new@example.com").status_code == 201
    assert existing.pay("stranger@example.com").status_code == 201
    payers = existing.rows(
        "SELECT user_email FROM payment_data WHERE user_email IN ('new@example.com', 'stranger@example.com')"
    )
    assert len(payers) == 2
    assert_nothing_changed(existing.before, existing.database)
    assert existing.rows("PRAGMA foreign_key_check") == []


def test_capture_of_an_existing_user_uses_the_spelling_in_users(
    existing: TakenOver,
) -> None:
    assert existing.pay("ANN@example.com ").status_code == 201
    assert existing.rows("SELECT email FROM users WHERE lower(email) = 'ann@example.com'") == [
        {"email": "Ann@Example.COM"}
    ]
    (newest,) = existing.rows("SELECT user_email FROM payment_data ORDER BY id DESC LIMIT 1")
    assert newest["user_email"] == "Ann@Example.COM"
    assert_nothing_changed(existing.before, existing.database)


def test_existing_password_still_logs_in_and_is_rehashed(
    existing: TakenOver,
) -> None:
    if not keeps_passwords(existing):
        assert existing.log_in("bob@example.com", "hunter22").status_code == 401
        return
    assert existing.log_in("bob@example.com", "Hunter22").status_code == 401
    assert_nothing_changed(existing.before, existing.database)
    assert existing.log_in("bob@example.com", "hunter22").status_code == 200
    (bob,) = existing.rows("SELECT * FROM users WHERE email = 'bob@example.com'")
    assert str(bob["password_hash"]).startswith("$argon2id$")
    assert existing.log_in("BOB@example.com", "hunter22").status_code == 200
    assert existing.log_in("bob@example.com", "Hunter22").status_code == 401
    assert_nothing_changed(
        existing.before, existing.database, but=lambda row: "bob@example.com" in row
    )


def test_address_of_an_existing_user_cannot_sign_up(existing: TakenOver) -> None:
    for email in ("ann@example.com", "ANN@EXAMPLE.COM", "bob@example.com", "cyd@example.com"):
        if existing.rows("SELECT 1 FROM users WHERE lower(email) = lower(?)", email):
            assert existing.register(email, username="somebody else").status_code == 409
            assert existing.log_in(email, "secret1").status_code == 401
    assert_nothing_changed(
        existing.before, existing.database, but=lambda row: "bob@example.com" in row
    )
    assert (
        existing.rows(
            "SELECT * FROM user_credentials WHERE lower(user_email) IN ('ann@example.com', 'bob@example.com')"
        )
        == []
    )


def test_signup_completes_the_row_of_a_provisional_user(existing: TakenOver) -> None:
    assert existing.pay("later@example.com").status_code == 201
    (earlier,) = existing.rows("SELECT id FROM users WHERE email = 'later@example.com'")
    assert existing.log_in("later@example.com", "!").status_code == 401
    answer = existing.register("Later@example.com", fullName="Lou Later")
    assert answer.status_code == 201, answer.text
    assert answer.json()["user_id"] == earlier["id"]
    assert existing.log_in("later@example.com", "secret1").status_code == 200
    assert existing.register("later@example.com").status_code == 409


def test_new_rows_use_the_timestamp_format_of_their_table(existing: TakenOver) -> None:
    assert existing.pay("times@example.com").status_code == 201
    (user,) = existing.rows("SELECT created_at FROM users WHERE email = 'times@example.com'")
    assert str(user["created_at"])[10] == " ", (
        "programs that declare TIMESTAMP or DATETIME fail at a T"
    )


def test_normalised_email_of_another_program_identifies_the_user(tmp_path: Path) -> None:
    database = make(tmp_path / "trading_bots.db", "users_by_orm.sql",
                    "UPDATE users SET email = 'c.y.d@example.com' WHERE username = 'cyd'")  # fmt: skip
    service = capture_service_in(tmp_path)
    service.start()
    try:
        answer = requests.post(
            f"{service.url}/api/data-capture/payment",
            json={"user_email": "cyd@example.com"},
            timeout=10,
        )
    finally:
        service.stop()
    assert answer.status_code == 201, answer.text
    assert rows(database, "SELECT user_email FROM payment_data") == [
        {"user_email": "c.y.d@example.com"}
    ]


# --- Refusals -------------------------------------------------------------------------------------------------------------

USERS = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL, username TEXT);"

REFUSED = {
    "another program's audit table": (["users_in_sql.sql", "another_data_capture_audit.sql"],
        ["data_capture_audit", "user_email", "capture_type", "ALTER TABLE data_capture_audit RENAME TO data_capture_audit_old"]),
    "a payment_data that lacks columns": (["CREATE TABLE payment_data (id INTEGER PRIMARY KEY, user_email TEXT)"],
        ["payment_data", "plan_name", "original_price", "ALTER TABLE payment_data RENAME TO payment_data_old"]),
    "a payment_data that requires what we don't know": (["schema.sql", "DROP TABLE payment_data; CREATE TABLE payment_data ("
        "id INTEGER PRIMARY KEY, shop TEXT NOT NULL, user_id, user_email, user_name, plan_name, original_price, discount_amount, "
        "final_price, coupon_code, payment_method, transaction_id, payment_status, payment_processor, crypto_transaction_hash, "
        "crypto_from_address, crypto_amount, ip_address, user_agent, created_at, updated_at)"],
        ["payment_data", "requires the column shop", "ALTER TABLE"]),
    "an old table set aside before": (["another_data_capture_audit.sql", "CREATE TABLE data_capture_audit_old (id)"],
        ["RENAME TO data_capture_audit_old2"]),
    "a view with a name of ours": (["CREATE VIEW dashboard_data AS SELECT 1 AS id"], ["dashboard_data is a view"]),
    "an email that is not unique": (["CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL)"],
        ["email", "users", "not unique", "CREATE UNIQUE INDEX"]),
    "an email that is unique only for some": (["CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT); "
        "CREATE UNIQUE INDEX some ON users (email) WHERE id > 5"], ["not unique"]),
    "an email that is unique only with another": (["CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, tenant, "
        "UNIQUE (email, tenant))"], ["not unique"]),
    "no email": (["CREATE TABLE users (id INTEGER PRIMARY KEY, login TEXT UNIQUE)"], ["users", "no column email"]),
    "a column of users that nothing here can fill": ([USERS + "ALTER TABLE users ADD COLUMN shoe_size INTEGER NOT NULL DEFAULT 0;"
        "DROP TABLE users; CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, shoe_size INTEGER NOT NULL)"],
        ["users", "shoe_size"]),
    "users is a view": (["CREATE TABLE people (email TEXT UNIQUE); CREATE VIEW users AS SELECT email FROM people"],
        ["users is a view"]),
    "users is a virtual table": (["CREATE VIRTUAL TABLE users USING fts5 (email)"], ["users is a virtual table"]),
    "a trigger that refuses new people": ([USERS + "CREATE TRIGGER invited BEFORE INSERT ON users BEGIN "
        "SELECT RAISE(ABORT, 'by invitation only'); END"], ["users", "by invitation only"]),
    "a rule that allows one row a person": (["schema.sql", "CREATE UNIQUE INDEX once ON payment_data (user_email)"],
        ["payment_data", "UNIQUE constraint failed"]),
    "a users table that allows one person": (["CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, "
        "phone TEXT NOT NULL UNIQUE)"], ["users", "phone"]),
    "no room for a password's hash": (["CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, "
        "password_hash TEXT CHECK (length(password_hash) <= 64))"], ["users", "length(password_hash)"]),
    "an email compared in two ways": (["CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL); "
        "CREATE UNIQUE INDEX users_email ON users (email COLLATE NOCASE)"], ["foreign key mismatch"]),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_incompatible_database_is_rejected_and_left_unchanged(case: str, tmp_path: Path) -> None:
    scripts, words = REFUSED[case]
    schema = (REPOSITORY / "schema.sql").read_text()
    database = make(
        tmp_path / "trading_bots.db",
        *(schema if script == "schema.sql" else script for script in scripts),
    )
    before = database.read_bytes()
    with pytest.raises(DatabaseRefused) as refusal:
        prepare(database)
    assert [
        word
        for word in [str(database), "Nothing was changed", *words]
        if word not in str(refusal.value)
    ] == [], refusal.value
    assert database.read_bytes() == before


@pytest.mark.parametrize(
    "script", ["enhanced_signup_handler.py", "enhanced_data_capture_system.py"]
)
def test_service_exits_with_an_error_for_an_incompatible_database(
    script: str, tmp_path: Path
) -> None:
    database = make(tmp_path / "trading_bots.db", "another_data_capture_audit.sql")
    environment = {
        **os.environ,
        "EDC_DATABASE": str(database),
        "EDC_LOG_FILE": str(tmp_path / "log"),
    }
    command = [sys.executable, str(REPOSITORY / script), "--port", "59999"]
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=20, check=False
    )
    assert ended.returncode == 1
    assert "data_capture_audit" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("name", ["trading_bots.db", "it's a $HOME of bots.db"])
def test_command_in_the_error_message_renames_the_old_table_with_its_rows(
    name: str, tmp_path: Path
) -> None:
    database = make(tmp_path / name, "users_in_sql.sql", "another_data_capture_audit.sql")
    old = contents(database)["data_capture_audit"][1]
    with pytest.raises(DatabaseRefused) as refusal:
        prepare(database)
    sentence = str(refusal.value)
    command = sentence[sentence.index("sqlite3 ") : sentence.index(" Nothing was changed.")]
    if shutil.which("sqlite3"):
        subprocess.run(command, shell=True, check=True)  # noqa: S602  (as its reader would)
    else:
        _, path, statements = shlex.split(command)
        make(Path(path), statements)
    prepare(database)
    assert contents(database)["data_capture_audit_old"][1] == old
    assert contents(database)["data_capture_audit"][1] == []


def test_path_that_is_not_a_database_is_rejected(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("Call Ann.\n" * 1000)
    with pytest.raises(DatabaseRefused, match="not an SQLite database"):
        prepare(text)
    assert text.read_text() == "Call Ann.\n" * 1000
    with pytest.raises(DatabaseRefused, match="is a folder"):
        prepare(tmp_path)
    with pytest.raises(DatabaseRefused, match="does not exist"):
        prepare(tmp_path / "nowhere" / "trading_bots.db")
    assert not (tmp_path / "nowhere").exists()


def test_read_only_database_is_rejected(tmp_path: Path) -> None:
    database = make(tmp_path / "trading_bots.db", "users_in_sql.sql")
    database.chmod(0o444)
    with pytest.raises(DatabaseRefused, match="read-only"):
        prepare(database)


@pytest.mark.parametrize(
    "taken_over_before", [False, True], ids=["at the first start", "at a later start"]
)
def test_damaged_database_is_rejected_with_a_description_of_the_damage(
    taken_over_before: bool, tmp_path: Path
) -> None:
    users = ", ".join(f"('{'long' * 10}-{number}@example.com')" for number in range(3000))
    database = make(
        tmp_path / "trading_bots.db",
        USERS,
        f"INSERT INTO users (email) VALUES {users}",  # noqa: S608
    )
    if taken_over_before:
        prepare(database)
    damaged = bytearray(database.read_bytes())
    damaged[20 * 4096 : 22 * 4096] = b"\xaa" * (2 * 4096)
    database.write_bytes(damaged)
    with pytest.raises(DatabaseRefused, match=r"is damaged: .*[Pp]age.*\.recover"):
        prepare(database)
    assert database.read_bytes() == damaged


def test_truncated_database_is_rejected(tmp_path: Path) -> None:
    database = make(tmp_path / "trading_bots.db", "users_in_sql.sql", "other_programs.sql")
    with database.open("r+b") as file:
        file.truncate(4096 * 2 + 100)
    with pytest.raises(DatabaseRefused, match="is damaged"):
        prepare(database)


@pytest.mark.parametrize(
    "lock", ["BEGIN EXCLUSIVE", "BEGIN IMMEDIATE", "BEGIN; SELECT * FROM users"]
)
def test_locked_database_is_rejected_after_the_timeout(lock: str, tmp_path: Path) -> None:
    database = make(tmp_path / "trading_bots.db", "users_in_sql.sql")
    before = database.read_bytes()
    with closing(sqlite3.connect(database, isolation_level=None)) as other_program:
        for statement in lock.split("; "):
            cursor = other_program.execute(statement)
        cursor.fetchone()
        with pytest.raises(DatabaseRefused, match="Another program is using"):
            prepare(database, request_seconds=0.2)
        cursor.close()
    assert database.read_bytes() == before
    prepare(database)


def test_start_with_nothing_to_add_does_not_wait_for_a_lock(
    tmp_path: Path,
) -> None:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    with closing(sqlite3.connect(database, isolation_level=None)) as other_program:
        other_program.execute("BEGIN IMMEDIATE")
        prepare(database, request_seconds=0.2)


# --- Starting ---------------------------------------------------------------------------------------------------------------


def test_transaction_of_a_crashed_program_is_rolled_back_at_adoption(
    tmp_path: Path,
) -> None:
    database = make(tmp_path / "trading_bots.db", "users_in_sql.sql")
    before = contents(database)
    crash = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE users SET username = 'half written'")
connection.execute("CREATE TABLE half_written (i)")
connection.executemany("INSERT INTO half_written VALUES (?)", [(i,) for i in range(5000)])
os._exit(1)
"""
    subprocess.run([sys.executable, "-c", crash, str(database)], check=False)
    assert database.with_name("trading_bots.db-journal").exists()
    prepare(database)
    assert_nothing_changed(before, database)
    assert "half_written" not in contents(database)
    assert "payment_data" in contents(database)


def test_second_prepare_changes_nothing(tmp_path: Path) -> None:
    database = make(tmp_path / "trading_bots.db", "users_by_orm.sql", "other_programs.sql")
    prepare(database)
    taken_over = contents(database)
    prepare(database)
    assert contents(database) == taken_over


@pytest.mark.parametrize(
    "scripts", [(), ("users_by_orm.sql", "other_programs.sql")], ids=["new", "existing"]
)
def test_processes_can_prepare_a_database_at_the_same_time(
    scripts: tuple[str, ...], tmp_path: Path
) -> None:
    database = tmp_path / "trading_bots.db"
    if scripts:
        make(database, *scripts)
    program = "import sys, pathlib, data_capture.store.sqlite.schema as t; t.prepare(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", program, str(database)]
    starting = [
        subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    assert [process.communicate(timeout=30)[1] for process in starting] == [""] * 8
    assert rows(database, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert {"users", "payment_data", "data_capture_audit", "audit_logs"} <= set(contents(database))
    assert rows(database, "SELECT count(*) AS people FROM users") == [
        {"people": 3 if scripts else 0}
    ]
