"""Test databases of other programs: they are adopted without changing what is in them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from data_capture.store.sqlite.schema import prepare
from tests.support.existing_databases import (
    assert_unchanged,
    create_database,
    read_contents,
)
from tests.support.services import (
    REPOSITORY,
    RunningService,
    capture_service_in,
    rows,
    signup_service_in,
)

PASSWORDS = {"Ann@Example.COM": "correct horse", "bob@example.com": "hunter22"}


class AdoptedDatabase:
    """Both services on a database that existed before them."""

    def __init__(self, directory: Path, *scripts: str) -> None:
        self.database = create_database(directory / "trading_bots.db", *scripts)
        self.before = read_contents(self.database)
        self.signup: RunningService = signup_service_in(directory)
        self.capture: RunningService = capture_service_in(directory)

    def register(self, email: str, **members: object) -> requests.Response:
        return requests.post(
            f"{self.signup.url}/api/auth/register",
            json={"email": email, "password": "secret1", **members},
            timeout=30,
        )

    def log_in(self, email: str, password: str) -> requests.Response:
        return requests.post(
            f"{self.signup.url}/api/auth/login",
            json={"email": email, "password": password},
            timeout=30,
        )

    def pay(self, email: str) -> requests.Response:
        return requests.post(
            f"{self.capture.url}/api/data-capture/payment",
            json={"user_email": email, "final_price": "99.80"},
            timeout=30,
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
) -> Iterator[AdoptedDatabase]:
    adopted = AdoptedDatabase(tmp_path_factory.mktemp("existing"), *request.param)
    try:
        adopted.signup.start()
        adopted.capture.start()
        yield adopted
    finally:
        adopted.signup.stop()
        adopted.capture.stop()


def has_passwords(existing: AdoptedDatabase) -> bool:
    return "password_hash" in existing.before["users"][0]


@pytest.mark.slow
def test_signup_login_and_capture_do_not_change_existing_rows(
    existing: AdoptedDatabase,
) -> None:
    response = existing.register(
        "New@Example.com", firstName="Nora", lastName="New", username="ann"
    )
    assert response.status_code == 201, response.text
    user = response.json()["user"]
    assert user["email"] == "new@example.com"
    assert user["fullName"] == "Nora New"
    assert user["username"].startswith("ann")
    keeps_names = "first_name" in existing.before["users"][0]
    user_at_login = user if keeps_names else {**user, "fullName": user["username"]}
    assert existing.log_in("NEW@example.com", "secret1").json()["user"] == user_at_login
    assert existing.pay("new@example.com").status_code == 201
    assert existing.pay("stranger@example.com").status_code == 201
    payers = existing.rows(
        "SELECT user_email FROM payment_data "
        "WHERE user_email IN ('new@example.com', 'stranger@example.com')"
    )
    assert len(payers) == 2
    assert_unchanged(existing.before, existing.database)
    assert existing.rows("PRAGMA foreign_key_check") == []


@pytest.mark.slow
def test_capture_of_an_existing_user_uses_the_spelling_in_users(
    existing: AdoptedDatabase,
) -> None:
    assert existing.pay("ANN@example.com ").status_code == 201
    assert existing.rows("SELECT email FROM users WHERE lower(email) = 'ann@example.com'") == [
        {"email": "Ann@Example.COM"}
    ]
    (newest,) = existing.rows("SELECT user_email FROM payment_data ORDER BY id DESC LIMIT 1")
    assert newest["user_email"] == "Ann@Example.COM"
    assert_unchanged(existing.before, existing.database)


def test_existing_password_still_logs_in_and_is_rehashed(
    existing: AdoptedDatabase,
) -> None:
    if not has_passwords(existing):
        assert existing.log_in("bob@example.com", "hunter22").status_code == 401
        return
    assert existing.log_in("bob@example.com", "Hunter22").status_code == 401
    assert_unchanged(existing.before, existing.database)
    assert existing.log_in("bob@example.com", "hunter22").status_code == 200
    (bob,) = existing.rows("SELECT * FROM users WHERE email = 'bob@example.com'")
    assert str(bob["password_hash"]).startswith("$argon2id$")
    assert existing.log_in("BOB@example.com", "hunter22").status_code == 200
    assert existing.log_in("bob@example.com", "Hunter22").status_code == 401
    assert_unchanged(existing.before, existing.database, but=lambda row: "bob@example.com" in row)


def test_address_of_an_existing_user_cannot_sign_up(existing: AdoptedDatabase) -> None:
    for email in ("ann@example.com", "ANN@EXAMPLE.COM", "bob@example.com", "cyd@example.com"):
        if existing.rows("SELECT 1 FROM users WHERE lower(email) = lower(?)", email):
            assert existing.register(email, username="another user").status_code == 409
            assert existing.log_in(email, "secret1").status_code == 401
    assert_unchanged(existing.before, existing.database, but=lambda row: "bob@example.com" in row)
    assert (
        existing.rows(
            "SELECT * FROM user_credentials "
            "WHERE lower(user_email) IN ('ann@example.com', 'bob@example.com')"
        )
        == []
    )


def test_signup_completes_the_row_of_a_provisional_user(existing: AdoptedDatabase) -> None:
    assert existing.pay("later@example.com").status_code == 201
    (earlier,) = existing.rows("SELECT id FROM users WHERE email = 'later@example.com'")
    assert existing.log_in("later@example.com", "!").status_code == 401
    response = existing.register("Later@example.com", fullName="Lou Later")
    assert response.status_code == 201, response.text
    assert response.json()["user_id"] == earlier["id"]
    assert existing.log_in("later@example.com", "secret1").status_code == 200
    assert existing.register("later@example.com").status_code == 409


def test_new_rows_use_the_timestamp_format_of_their_table(existing: AdoptedDatabase) -> None:
    assert existing.pay("times@example.com").status_code == 201
    (user,) = existing.rows("SELECT created_at FROM users WHERE email = 'times@example.com'")
    assert str(user["created_at"])[10] == " ", (
        "programs that declare TIMESTAMP or DATETIME cannot parse a T"
    )


@pytest.mark.slow
def test_normalised_email_of_another_program_identifies_the_user(tmp_path: Path) -> None:
    database = create_database(
        tmp_path / "trading_bots.db",
        "users_by_orm.sql",
        "UPDATE users SET email = 'c.y.d@example.com' WHERE username = 'cyd'",
    )
    service = capture_service_in(tmp_path)
    service.start()
    try:
        response = requests.post(
            f"{service.url}/api/data-capture/payment",
            json={"user_email": "cyd@example.com"},
            timeout=30,
        )
    finally:
        service.stop()
    assert response.status_code == 201, response.text
    assert rows(database, "SELECT user_email FROM payment_data") == [
        {"user_email": "c.y.d@example.com"}
    ]


# --- Adoption -------------------------------------------------------------------------------------


def test_transaction_of_a_crashed_program_is_rolled_back_at_adoption(
    tmp_path: Path,
) -> None:
    database = create_database(tmp_path / "trading_bots.db", "users_in_sql.sql")
    before = read_contents(database)
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
    assert_unchanged(before, database)
    assert "half_written" not in read_contents(database)
    assert "payment_data" in read_contents(database)


def test_second_prepare_changes_nothing(tmp_path: Path) -> None:
    database = create_database(
        tmp_path / "trading_bots.db", "users_by_orm.sql", "other_programs.sql"
    )
    prepare(database)
    adopted = read_contents(database)
    prepare(database)
    assert read_contents(database) == adopted


@pytest.mark.slow
@pytest.mark.parametrize(
    "scripts", [(), ("users_by_orm.sql", "other_programs.sql")], ids=["new", "existing"]
)
def test_processes_can_prepare_a_database_at_the_same_time(
    scripts: tuple[str, ...], tmp_path: Path
) -> None:
    database = tmp_path / "trading_bots.db"
    if scripts:
        create_database(database, *scripts)
    program = (
        "import sys, pathlib\n"
        "from data_capture.store.sqlite.schema import prepare\n"
        "prepare(pathlib.Path(sys.argv[1]))\n"
    )
    command = [sys.executable, "-c", program, str(database)]
    processes = [
        subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    assert [process.communicate(timeout=120)[1] for process in processes] == [""] * 8
    assert rows(database, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert {"users", "payment_data", "data_capture_audit", "audit_logs"} <= set(
        read_contents(database)
    )
    assert rows(database, "SELECT count(*) AS count FROM users") == [{"count": 3 if scripts else 0}]
