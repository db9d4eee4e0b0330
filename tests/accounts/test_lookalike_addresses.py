"""Test similar addresses, and rows that replace others of the same address."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests

from tests.support.accounts import execute_as_another_program
from tests.support.erasing import TOKEN, erase, export
from tests.support.services import capture_service_in, signup_service_in

OWN_PASSWORD, ATTACKER_PASSWORD = "the owner's password", "an attacker's password"
# A request names its caller in X-Forwarded-For.
BEHIND_A_PROXY = {"EDC_TRUSTED_PROXIES": "1", "EDC_LOGIN_RATE": ""}


class Services:
    """Both services over one database."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.signup = signup_service_in(directory, **environment)
        self.capture = capture_service_in(directory, EDC_ADMIN_TOKEN=TOKEN)

    def post(self, route: str, email: str, password: str, **headers: str) -> requests.Response:
        """Send a log-in or a sign-up."""
        body = {"email": email, "password": password}
        return requests.post(
            f"{self.signup.url}/api/auth/{route}", json=body, headers=headers, timeout=30
        )

    def pay(self, email: str, price: int) -> None:
        """Capture a payment."""
        payment = {"user_email": email, "final_price": price}
        assert self.capture.capture("payment", payment).status_code == 201

    def execute(self, statement: str, *values: object) -> None:
        """Change the database as another program."""
        execute_as_another_program(self.signup.database, statement, *values)

    def user(self, email: str) -> dict[str, object]:
        """Return the row of an address."""
        (row,) = self.signup.rows("SELECT * FROM users WHERE email = ?", email)
        return row


@contextmanager
def run_services(directory: Path, *statements: str, **environment: str) -> Iterator[Services]:
    with closing(sqlite3.connect(directory / "trading_bots.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    services = Services(directory, **(environment or {"EDC_LOGIN_RATE": ""}))
    services.signup.start()
    services.capture.start()
    try:
        yield services
    finally:
        services.signup.stop()
        services.capture.stop()


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with run_services(tmp_path_factory.mktemp("alike"), **BEHIND_A_PROXY) as services:
        yield services


@pytest.mark.slow
@pytest.mark.parametrize("other", ["stra\u00dfe", "\u017ftrasse", "\ufb06rasse"])
def test_addresses_with_equal_upper_case_are_different_users(
    services: Services, other: str
) -> None:
    domain = f"{ord(other[0])}.example.com"  # so that each case has its own users
    known, other = f"strasse@{domain}", f"{other}@{domain}"
    assert services.post("register", known, OWN_PASSWORD).status_code == 201
    services.pay(known, 49)
    before = services.user(known)
    services.pay(other, 77)
    assert services.post("login", other, OWN_PASSWORD).status_code == 401
    assert services.post("register", other, ATTACKER_PASSWORD).status_code == 201
    assert services.post("login", known, ATTACKER_PASSWORD).status_code == 401
    payments = services.signup.rows("SELECT * FROM payment_data WHERE user_email = ?", known)
    assert [row["final_price"] for row in payments] == [49]
    exported = json.loads(export(services.capture, other))
    assert [row["final_price"] for row in exported["payment_data"]] == [77]
    assert erase(services.capture, other).status_code == 200
    assert services.user(known) == before
    assert services.post("login", known, OWN_PASSWORD).status_code == 200


@pytest.mark.slow
def test_login_failures_count_per_account_and_not_per_spelling(tmp_path: Path) -> None:
    table = (
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, "
        "normalized_email TEXT UNIQUE, password TEXT)"
    )
    row = (
        "INSERT INTO users (email, normalized_email, password) "
        "VALUES ('d.o.t.s@example.com', 'dots@example.com', 'md5')"
    )
    with run_services(tmp_path, table, row, **BEHIND_A_PROXY) as services:
        caller = {"X-Forwarded-For": "192.0.2.1"}
        for number in range(20):  # the limit of one caller
            email = "dots@example.com" if number % 2 else "d.o.t.s@example.com"
            assert services.post("login", email, "wrong", **caller).status_code == 401, number
        for email in ("dots@example.com", "d.o.t.s@example.com"):
            assert services.post("login", email, "wrong", **caller).status_code == 429


# Another program replaces or changes a row that this product added to its table.

TABLE_WITH_TIMES = (
    "CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT, email TEXT UNIQUE, "
    "google_sub TEXT, created_at TEXT)"
)
TAKEOVERS = {
    "replaced": (
        "INSERT OR REPLACE INTO users (username, email, created_at) "
        "VALUES ('victim', ?, '2024-01-01')"
    ),
    "signed in with Google": "UPDATE users SET google_sub = 'g-1' WHERE email = ?",
    "renamed": "UPDATE users SET username = 'victim_of_old' WHERE email = ?",
}


@pytest.fixture(scope="module")
def services_with_times(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with run_services(tmp_path_factory.mktemp("with-times"), TABLE_WITH_TIMES) as services:
        yield services


@pytest.mark.slow
@pytest.mark.parametrize("name", TAKEOVERS)
def test_row_taken_over_by_another_program_rejects_signup_and_login(
    name: str, services_with_times: Services, user: str
) -> None:
    services_with_times.pay(user, 49)
    services_with_times.execute(TAKEOVERS[name], user)
    before = services_with_times.user(user)
    assert services_with_times.post("register", user, ATTACKER_PASSWORD).status_code == 409
    assert services_with_times.post("login", user, ATTACKER_PASSWORD).status_code == 401
    assert services_with_times.user(user) == before


@pytest.mark.slow
def test_password_of_a_deleted_row_does_not_open_its_replacement(
    services_with_times: Services, user: str
) -> None:
    assert services_with_times.post("register", user, OWN_PASSWORD).status_code == 201
    assert services_with_times.post("login", user, OWN_PASSWORD).status_code == 200
    number = services_with_times.user(user)["id"]
    services_with_times.execute("DELETE FROM users WHERE email = ?", user)
    services_with_times.execute(
        "INSERT INTO users (id, email, created_at) VALUES (?, ?, '2024-01-01')", number, user
    )
    assert services_with_times.post("login", user, OWN_PASSWORD).status_code == 401
    assert services_with_times.post("register", user, ATTACKER_PASSWORD).status_code == 409


def test_profile_change_by_another_program_does_not_lock_the_user_out(
    services_with_times: Services, user: str
) -> None:
    assert services_with_times.post("register", user, OWN_PASSWORD).status_code == 201
    services_with_times.execute(
        "UPDATE users SET username = 'renamed', google_sub = 'g-1' WHERE email = ?", user
    )
    services_with_times.execute("VACUUM")
    assert services_with_times.post("login", user, OWN_PASSWORD).status_code == 200


def test_added_column_blocks_signup_only_for_rows_that_use_it(
    services_with_times: Services, user: str
) -> None:
    services_with_times.pay(user, 49)
    services_with_times.pay(f"taken-{user}", 49)
    services_with_times.execute("ALTER TABLE users ADD COLUMN bio TEXT")
    services_with_times.execute("ALTER TABLE users ADD COLUMN language TEXT DEFAULT 'en'")
    services_with_times.execute("UPDATE users SET language = 'de' WHERE email = ?", f"taken-{user}")
    assert services_with_times.post("register", user, OWN_PASSWORD).status_code == 201
    assert (
        services_with_times.post("register", f"taken-{user}", ATTACKER_PASSWORD).status_code == 409
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "table",
    ["auth (user_id REFERENCES users, secret)", "keys (u INTEGER REFERENCES users (id), pwd)"],
)
def test_signup_is_rejected_if_another_table_has_the_users_password(
    table: str, services: Services, user: str
) -> None:
    services.execute(f"CREATE TABLE {table}")
    services.execute(
        "CREATE TABLE IF NOT EXISTS orders (user_id INTEGER REFERENCES users (id), product TEXT)"
    )
    buyer = f"buyer-{user}"
    for email in (user, buyer):
        services.pay(email, 49)
        services.execute("INSERT INTO orders SELECT id, 'a bot' FROM users WHERE email = ?", email)
    services.execute(
        f"INSERT INTO {table.split()[0]} SELECT id, 'a hash' FROM users WHERE email = ?",  # noqa: S608
        user,
    )
    assert services.post("register", user, ATTACKER_PASSWORD).status_code == 409
    assert services.post("register", buyer, OWN_PASSWORD).status_code == 201


PASSWORD_COLUMNS = (
    "account_password", "salted_password", "recruiter_password", "user_pwd", "hashed_pwd", "pswd",
    "senha_hash", "clave", "contrase\u00f1a", "auth_hash", "authentication_string", "secret",
    "verifier", "digest", "x",
)  # fmt: skip
HASHES = (
    "$2b$12$" + "a" * 53,
    "5f4dcc3b5aa765d61d8327deb882cf99",
    "{SSHA}0123456789abcdef",
    "pbkdf2_sha256$1000$salt$abc=",
)


def test_signup_is_rejected_if_a_column_of_any_name_has_a_hash(services: Services) -> None:
    for column in PASSWORD_COLUMNS:
        services.execute(f'ALTER TABLE users ADD COLUMN "{column}" TEXT')
    for number, column in enumerate(PASSWORD_COLUMNS):
        email = f"column-{number}@example.com"
        services.pay(email, 49)
        services.execute(
            f'UPDATE users SET "{column}" = ? WHERE email = ?',  # noqa: S608
            HASHES[number % len(HASHES)],
            email,
        )
        assert services.post("register", email, ATTACKER_PASSWORD).status_code == 409, column


def test_hash_of_an_address_is_not_accepted_as_a_password(
    services_with_times: Services, user: str
) -> None:
    services_with_times.execute("ALTER TABLE users ADD COLUMN hash TEXT")
    digest = hashlib.sha256(user.encode()).hexdigest()
    services_with_times.execute("INSERT INTO users (email, hash) VALUES (?, ?)", user, digest)
    assert services_with_times.post("login", user, user).status_code == 401
    assert services_with_times.post("register", user, ATTACKER_PASSWORD).status_code == 409


@pytest.mark.slow
def test_error_of_a_trigger_on_users_is_not_shown_to_strangers(services: Services) -> None:
    services.execute(
        "CREATE TRIGGER block BEFORE INSERT ON users WHEN NEW.email LIKE 'fraud%' "
        "BEGIN SELECT RAISE(ABORT, 'blocked: case 42'); END"
    )
    for response in (
        services.post("register", "fraud@example.com", ATTACKER_PASSWORD),
        services.capture.capture("payment", {"user_email": "fraud@example.com"}),
    ):
        assert response.status_code == 503
        assert "case 42" not in response.text
    assert "blocked: case 42" in services.signup.log_file.read_text()
