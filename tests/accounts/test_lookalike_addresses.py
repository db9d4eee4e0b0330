"""Two addresses are two users, however alike their capitals are; and two rows of one address are two accounts."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests

from tests.support.erasing import TOKEN, erase, export
from tests.support.services import capture_service_in, signup_service_in

OWN, PLANTED = "the owner's password", "what an attacker chose"
MANY_CALLERS = {"EDC_TRUSTED_PROXIES": "1", "EDC_LOGIN_RATE": ""}


class Services:
    """Both services over one database."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.signup = signup_service_in(directory, **environment)
        self.capture = capture_service_in(directory, EDC_ADMIN_TOKEN=TOKEN)

    def post(self, path: str, email: str, password: str, **headers: str) -> requests.Response:
        """Sends a log-in or a sign-up."""
        body = {"email": email, "password": password}
        return requests.post(
            f"{self.signup.url}/api/auth/{path}", json=body, headers=headers, timeout=10
        )

    def pay(self, email: str, price: int) -> None:
        """Captures a payment."""
        assert (
            self.capture.capture("payment", {"user_email": email, "final_price": price}).status_code
            == 201
        )

    def execute(self, statement: str, *values: object) -> None:
        """Does what another program would: foreign keys are off in its connection, as they are by default."""
        with closing(sqlite3.connect(self.signup.database)) as connection, connection:
            connection.execute(statement, values)

    def user(self, email: str) -> dict[str, object]:
        """The row of an address."""
        (row,) = self.signup.rows("SELECT * FROM users WHERE email = ?", email)
        return row


@contextmanager
def services_over(directory: Path, *statements: str, **environment: str) -> Iterator[Services]:
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
    with services_over(tmp_path_factory.mktemp("alike"), **MANY_CALLERS) as services:
        yield services


@pytest.mark.parametrize("other", ["stra\u00dfe", "\u017ftrasse", "\ufb06rasse"])
def test_addresses_with_the_same_capitals_are_two_users(services: Services, other: str) -> None:
    known, other = f"strasse@{ord(other[0])}.example.com", f"{other}@{ord(other[0])}.example.com"
    assert services.post("register", known, OWN).status_code == 201
    services.pay(known, 49)
    before = services.user(known)
    services.pay(other, 77)
    assert services.post("login", other, OWN).status_code == 401
    assert services.post("register", other, PLANTED).status_code == 201
    assert services.post("login", known, PLANTED).status_code == 401
    assert [
        row["final_price"]
        for row in services.signup.rows("SELECT * FROM payment_data WHERE user_email = ?", known)
    ] == [49]
    assert [
        row["final_price"] for row in json.loads(export(services.capture, other))["payment_data"]
    ] == [77]
    assert erase(services.capture, other).status_code == 200
    assert services.user(known) == before
    assert services.post("login", known, OWN).status_code == 200


def test_failures_are_counted_for_the_account_and_not_for_a_spelling(tmp_path: Path) -> None:
    table = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, normalized_email TEXT UNIQUE, password TEXT)"
    row = "INSERT INTO users (email, normalized_email, password) VALUES ('d.o.t.s@example.com', 'dots@example.com', 'md5')"
    with services_over(tmp_path, table, row, **MANY_CALLERS) as services:
        caller = {"X-Forwarded-For": "192.0.2.1"}
        for number in range(20):  # as many as one caller has
            email = "dots@example.com" if number % 2 else "d.o.t.s@example.com"
            assert services.post("login", email, "wrong", **caller).status_code == 401, number
        for email in ("dots@example.com", "d.o.t.s@example.com"):
            assert services.post("login", email, "wrong", **caller).status_code == 429


# --- A row of another program's, where a row of ours was -----------------------------------------------------------------

WITH_TIME = "CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT, email TEXT UNIQUE, google_sub TEXT, created_at TEXT)"
TAKEN = {
    "replaced": "INSERT OR REPLACE INTO users (username, email, created_at) VALUES ('victim', ?, '2024-01-01')",
    "signed in with Google": "UPDATE users SET google_sub = 'g-1' WHERE email = ?",
    "renamed": "UPDATE users SET username = 'victim_of_old' WHERE email = ?",
}


@pytest.fixture(scope="module")
def with_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with services_over(tmp_path_factory.mktemp("with-time"), WITH_TIME) as services:
        yield services


@pytest.mark.parametrize("name", TAKEN)
def test_a_row_that_another_program_took_over_is_not_signed_up(
    name: str, with_time: Services, user: str
) -> None:
    with_time.pay(user, 49)
    with_time.execute(TAKEN[name], user)
    before = with_time.user(user)
    assert with_time.post("register", user, PLANTED).status_code == 409
    assert with_time.post("login", user, PLANTED).status_code == 401
    assert with_time.user(user) == before


def test_the_password_of_an_earlier_row_does_not_open_the_next_one_of_its_address(
    with_time: Services, user: str
) -> None:
    assert with_time.post("register", user, OWN).status_code == 201
    assert with_time.post("login", user, OWN).status_code == 200
    number = with_time.user(user)["id"]
    with_time.execute("DELETE FROM users WHERE email = ?", user)
    with_time.execute(
        "INSERT INTO users (id, email, created_at) VALUES (?, ?, '2024-01-01')", number, user
    )
    assert with_time.post("login", user, OWN).status_code == 401
    assert with_time.post("register", user, PLANTED).status_code == 409


def test_what_another_program_changes_in_a_profile_does_not_shut_its_user_out(
    with_time: Services, user: str
) -> None:
    assert with_time.post("register", user, OWN).status_code == 201
    with_time.execute(
        "UPDATE users SET username = 'renamed', google_sub = 'g-1' WHERE email = ?", user
    )
    with_time.execute("VACUUM")
    assert with_time.post("login", user, OWN).status_code == 200


def test_a_column_that_is_added_later_takes_no_sign_up_away(with_time: Services, user: str) -> None:
    with_time.pay(user, 49)
    with_time.pay(f"taken-{user}", 49)
    with_time.execute("ALTER TABLE users ADD COLUMN bio TEXT")
    with_time.execute("ALTER TABLE users ADD COLUMN language TEXT DEFAULT 'en'")
    with_time.execute("UPDATE users SET language = 'de' WHERE email = ?", f"taken-{user}")
    assert with_time.post("register", user, OWN).status_code == 201
    assert with_time.post("register", f"taken-{user}", PLANTED).status_code == 409


@pytest.mark.parametrize(
    "table",
    ["auth (user_id REFERENCES users, secret)", "keys (u INTEGER REFERENCES users (id), pwd)"],
)
def test_a_user_whose_password_is_in_another_table_is_not_signed_up(
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
    assert services.post("register", user, PLANTED).status_code == 409
    assert services.post("register", buyer, OWN).status_code == 201


PASSWORD_COLUMNS = (
    "account_password", "salted_password", "recruiter_password", "user_pwd", "hashed_pwd", "pswd", "senha_hash", "clave",
    "contrase\u00f1a", "auth_hash", "authentication_string", "secret", "verifier", "digest", "x",
)  # fmt: skip
HASHES = (
    "$2b$12$" + "a" * 53,
    "5f4dcc3b5aa765d61d8327deb882cf99",
    "{SSHA}0123456789abcdef",
    "pbkdf2_sha256$1000$salt$abc=",
)


def test_a_hash_in_a_column_of_any_name_is_a_password_of_another_programs(
    services: Services,
) -> None:
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
        assert services.post("register", email, PLANTED).status_code == 409, column


def test_the_digest_of_an_address_is_no_password(with_time: Services, user: str) -> None:
    with_time.execute("ALTER TABLE users ADD COLUMN hash TEXT")
    digest = hashlib.sha256(user.encode()).hexdigest()
    with_time.execute("INSERT INTO users (email, hash) VALUES (?, ?)", user, digest)
    assert with_time.post("login", user, user).status_code == 401
    assert with_time.post("register", user, PLANTED).status_code == 409


def test_what_the_table_says_of_a_new_user_is_not_for_strangers(services: Services) -> None:
    rule = "WHEN NEW.email LIKE 'fraud%' BEGIN SELECT RAISE(ABORT, 'blocked: case 42'); END"
    services.execute(f"CREATE TRIGGER block BEFORE INSERT ON users {rule}")
    for answer in (
        services.post("register", "fraud@example.com", PLANTED),
        services.capture.capture("payment", {"user_email": "fraud@example.com"}),
    ):
        assert answer.status_code == 503
        assert "case 42" not in answer.text
    assert "blocked: case 42" in services.signup.log_file.read_text()
