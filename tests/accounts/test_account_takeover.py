"""Test that accounts of other programs open only with their own password."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import requests
from argon2 import PasswordHasher
from werkzeug.security import generate_password_hash

from tests.support.accounts import execute_as_another_program, log_in, register
from tests.support.services import RunningService, capture_service_in, signup_service_in

OWN_PASSWORD, ATTACKER_PASSWORD = "the owner's password", "an attacker's password"
ARGON2 = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
SHA_256 = hashlib.sha256(OWN_PASSWORD.encode()).hexdigest()
BCRYPT = bcrypt.hashpw(OWN_PASSWORD.encode(), bcrypt.gensalt(4)).decode()

USERS_TABLE = """
CREATE TABLE users (
    id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL, name TEXT, password TEXT,
    password_hash TEXT, google_id TEXT, is_admin INTEGER DEFAULT 0, is_active, locked_until TEXT,
    deleted_at TEXT, status, normalized_email TEXT
)
"""

# Rows of other programs to which this product allows no log-in, whatever the password.
ACCOUNTS_WITHOUT_LOGIN: dict[str, dict[str, Any]] = {
    "google": {"google_id": "1234", "is_admin": 1},
    "no-password": {},
    "empty-password": {"password": "", "password_hash": ""},
    "status-provisional": {"status": "provisional"},
    "provisional-in-capitals": {"status": "Provisional", "password_hash": "!"},
    "provisional-linked-to-google": {
        "status": "provisional",
        "password_hash": "!",
        "google_id": "1234",
    },
    "provisional-admin": {"status": "provisional", "password_hash": "!", "is_admin": 1},
    "provisional-with-a-password": {
        "status": "provisional",
        "password_hash": "!",
        "password": BCRYPT,
    },
    "provisional-not-active": {"status": "provisional", "password_hash": "!", "is_active": 0},
    "provisional-deleted": {
        "status": "provisional",
        "password_hash": "!",
        "deleted_at": "2024-01-01",
    },
    "provisional-with-blob-hash": {"status": "provisional", "password_hash": b"!"},
    "unusable-passwords": {"password": "!", "password_hash": "!"},
    "plain-text-password": {"password": OWN_PASSWORD},
    "md5": {"password": hashlib.md5(OWN_PASSWORD.encode()).hexdigest()},  # noqa: S324
    "sha-1": {"password": hashlib.sha1(OWN_PASSWORD.encode()).hexdigest()},  # noqa: S324
    "attackers-hash-next-to-bcrypt": {
        "password": BCRYPT,
        "password_hash": ARGON2.hash(ATTACKER_PASSWORD),
    },
    "attackers-hash-next-to-unknown-format": {
        "password": "$6$salt$hash",
        "password_hash": ARGON2.hash(ATTACKER_PASSWORD),
    },
    "expensive-bcrypt": {"password": BCRYPT.replace("$04$", "$31$")},
    "expensive-argon2": {
        "password_hash": ARGON2.hash(OWN_PASSWORD).replace("m=1024", "m=16777216")
    },
    "expensive-pbkdf2": {"password": "pbkdf2:sha256:999999999$salt$" + "ab" * 32},
    "expensive-scrypt": {"password": "scrypt:1073741824:8:1$salt$" + "ab" * 64},
}

# Rows to which their own password logs in.
ACCOUNTS_WITH_LOGIN: dict[str, dict[str, Any]] = {
    "sha-256": {"password_hash": SHA_256},
    "argon2": {"password_hash": ARGON2.hash(OWN_PASSWORD)},
    "django-argon2": {"password": "argon2" + ARGON2.hash(OWN_PASSWORD)},
    "bcrypt": {"password": BCRYPT, "is_admin": 1},
    "bcrypt-as-blob": {"password": BCRYPT.encode()},
    "laravel-bcrypt": {
        "password": BCRYPT.replace("$2b$", "$2y$"),
        "status": "active",
        "is_active": 1,
    },
    "werkzeug-scrypt": {"password_hash": generate_password_hash(OWN_PASSWORD, "scrypt:1024:8:1")},
    "werkzeug-pbkdf2": {
        "password_hash": generate_password_hash(OWN_PASSWORD, "pbkdf2:sha256:1000"),
        "status": None,
    },
    "same-password-in-two-columns": {"password": BCRYPT, "password_hash": SHA_256},
    "lock-expired": {"password": BCRYPT, "locked_until": "2020-01-01T00:00:00Z"},
}

# Columns that disable a row. Its own password is correct.
DISABLED_ACCOUNTS: dict[str, dict[str, Any]] = {
    "not-active": {"is_active": 0},
    "not-active-as-text": {"is_active": "False"},
    "not-active-as-blob": {"is_active": b"\0"},
    "banned": {"status": "banned"},
    "inactive": {"status": "Inactive"},
    "suspended-by-an-admin": {"status": "admin_suspended"},
    "status-0": {"status": 0},
    "deleted": {"deleted_at": "2024-01-01 00:00:00"},
    "locked": {"locked_until": "2999-01-01 00:00:00"},
    "locked-without-a-time": {"locked_until": "further notice"},
}

# Addresses as another program stored them, and how a user writes them.
SPELLINGS = {
    "Jo\u0308rg@example.com": "j\u00f6rg@example.com",
    "\u00d6RJAN-\u00c4@example.com": "\u00f6rjan-\u00e4@example.com",
    " space@example.com ": "space@example.com",
    "zero\u200bwidth@example.com": "zerowidth@example.com",
    "nul@example.com\0": "nul@example.com",
}


def make_database(database: Path) -> None:
    rows = {
        **ACCOUNTS_WITHOUT_LOGIN,
        **ACCOUNTS_WITH_LOGIN,
        **{name: {"password": BCRYPT, **row} for name, row in DISABLED_ACCOUNTS.items()},
    }
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(USERS_TABLE)
        for name, row in rows.items():
            columns = {"email": f"{name}@example.com", "name": "Mia Member", **row}
            marks = ", ".join("?" * len(columns))
            connection.execute(
                f"INSERT INTO users ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608
                [*columns.values()],
            )
        for spelling in SPELLINGS:
            connection.execute(
                "INSERT INTO users (email, password) VALUES (?, ?)", (spelling, BCRYPT)
            )
        connection.execute(
            "INSERT INTO users (email, password) VALUES (CAST('blob@example.com' AS BLOB), ?)",
            (BCRYPT,),
        )
        connection.execute(
            "INSERT INTO users (email, normalized_email) "
            "VALUES ('d.o.t.s@example.com', 'Dots@example.com')"
        )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    directory = tmp_path_factory.mktemp("takeover")
    make_database(directory / "trading_bots.db")
    service = signup_service_in(directory, EDC_LOGIN_RATE="")
    service.start()
    yield service
    service.stop()


def read_accounts(service: RunningService) -> tuple[Any, ...]:
    """Return all rows of accounts and credentials."""
    return (
        service.rows("SELECT rowid, * FROM users"),
        service.rows("SELECT * FROM user_credentials"),
    )


def register_attacker(service: RunningService, email: str, **fields: Any) -> requests.Response:
    return register(service, email, password=ATTACKER_PASSWORD, **fields)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [*ACCOUNTS_WITHOUT_LOGIN, *ACCOUNTS_WITH_LOGIN, *DISABLED_ACCOUNTS, "d.o.t.s", "dots", "blob"],
)
def test_account_of_another_program_rejects_signup_and_wrong_passwords(
    service: RunningService, name: str
) -> None:
    before = read_accounts(service)
    for email in (f"{name}@example.com", f" {name.upper()}@Example.COM"):
        response = register_attacker(
            service, email, fullName="Mallory", username="mallory", plan_type="pro"
        )
        assert response.status_code == 409, response.text
        assert "token" not in response.json()
        assert "Mia" not in response.text
    guesses = {
        ATTACKER_PASSWORD,
        "!",
        SHA_256,
        BCRYPT,
        OWN_PASSWORD.upper(),
        OWN_PASSWORD + "\0",
        hashlib.sha256(SHA_256.encode()).hexdigest(),
    }
    stored = {str(value) for value in ACCOUNTS_WITHOUT_LOGIN.get(name, {}).values()}
    guesses |= stored - {OWN_PASSWORD, ""}
    for password in guesses:
        assert log_in(service, f"{name}@example.com", password).status_code == 401
    assert read_accounts(service) == before


@pytest.mark.slow
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_signup_is_rejected_if_the_table_spells_the_address_differently(
    service: RunningService, spelling: str
) -> None:
    before = read_accounts(service)
    for email in (SPELLINGS[spelling], SPELLINGS[spelling].upper()):
        assert register_attacker(service, email).status_code == 409
    assert read_accounts(service) == before


@pytest.mark.parametrize("name", ACCOUNTS_WITHOUT_LOGIN)
def test_login_is_rejected_if_the_stored_password_cannot_be_verified(
    service: RunningService, name: str
) -> None:
    assert log_in(service, f"{name}@example.com", OWN_PASSWORD).status_code == 401


@pytest.mark.parametrize("name", ACCOUNTS_WITH_LOGIN)
def test_own_password_logs_in_and_keeps_the_hash_of_another_program(
    service: RunningService, name: str
) -> None:
    response = log_in(service, f"{name}@example.com", OWN_PASSWORD)
    assert response.status_code == 200, response.text
    (row,) = service.rows("SELECT * FROM users WHERE email = ?", f"{name}@example.com")
    is_replaced = name in ("sha-256", "argon2")
    assert row["password"] == ACCOUNTS_WITH_LOGIN[name].get("password")
    if is_replaced:
        assert row["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    else:
        assert row["password_hash"] == ACCOUNTS_WITH_LOGIN[name].get("password_hash")
    credentials = "SELECT * FROM user_credentials WHERE user_email = ?"
    assert service.rows(credentials, f"{name}@example.com") == []


@pytest.mark.parametrize("name", DISABLED_ACCOUNTS)
def test_disabled_account_rejects_its_own_password(service: RunningService, name: str) -> None:
    response = log_in(service, f"{name}@example.com", OWN_PASSWORD)
    assert (response.status_code, response.json()["detail"]) == (403, "This account is not active.")


def test_unknown_hash_format_is_logged_once_without_account_data(
    service: RunningService,
) -> None:
    log_in(service, "plain-text-password@example.com", ATTACKER_PASSWORD)
    log_in(service, "md5@example.com", ATTACKER_PASSWORD)
    log = service.log_file.read_text()
    assert log.count("format that can't be checked") == 1
    assert [
        secret
        for secret in (
            "@example.com",
            OWN_PASSWORD,
            ATTACKER_PASSWORD,
            ACCOUNTS_WITHOUT_LOGIN["md5"]["password"],
        )
        if secret in log
    ] == []


MINIMAL_TABLES = {
    "no column for passwords": "email TEXT UNIQUE NOT NULL",
    "a column for bcrypt": "email TEXT UNIQUE, passwordHash, created_at DATETIME",
    "no status": "email TEXT UNIQUE, password_hash TEXT",
    "no hash": "email TEXT UNIQUE, status TEXT DEFAULT 'active', PASSWORD TEXT",
    "a generated status": (
        "email TEXT UNIQUE, active INTEGER DEFAULT 1, "
        "status TEXT AS (iif(active, 'active', 'banned')), password_hash TEXT"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("table", MINIMAL_TABLES)
def test_minimal_users_table_allows_signup_of_new_and_provisional_users_only(
    table: str, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "trading_bots.db")) as connection, connection:
        connection.execute(f"CREATE TABLE users (id INTEGER PRIMARY KEY, {MINIMAL_TABLES[table]})")
        connection.execute("INSERT INTO users (email) VALUES ('Old@example.com')")
    signup, capture = signup_service_in(tmp_path), capture_service_in(tmp_path)
    try:
        signup.start()
        capture.start()
        before = signup.rows("SELECT * FROM users WHERE email = 'Old@example.com'")
        for email in ("old@example.com", "payer@example.com"):
            payment = {"user_email": email, "user_name": "Pat Payer"}
            assert capture.capture("payment", payment).status_code == 201
        assert register_attacker(signup, "old@example.com").status_code == 409
        assert log_in(signup, "payer@example.com", "!").status_code == 401
        response = register_attacker(signup, "payer@example.com")
        assert response.status_code == 201, response.text
        assert "Pat" not in response.text
        assert register_attacker(signup, "payer@example.com").status_code == 409
        assert register_attacker(signup, "new@example.com").status_code == 201
        for email in ("payer@example.com", "new@example.com"):
            assert log_in(signup, email, ATTACKER_PASSWORD).status_code == 200
            assert log_in(signup, email, "!").status_code == 401
        assert log_in(signup, "old@example.com", ATTACKER_PASSWORD).status_code == 401
        assert signup.rows("SELECT * FROM users WHERE email = 'Old@example.com'") == before
        credentials = "SELECT * FROM user_credentials WHERE user_email = 'Old@example.com'"
        assert signup.rows(credentials) == []
    finally:
        signup.stop()
        capture.stop()


@pytest.mark.slow
def test_credential_of_an_older_version_does_not_open_an_existing_account(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "trading_bots.db")) as connection, connection:
        connection.execute(
            "CREATE TABLE users "
            "(id INTEGER PRIMARY KEY, email TEXT UNIQUE, password TEXT, is_admin INTEGER)"
        )
        connection.execute(
            "INSERT INTO users (email, password) VALUES ('bcrypt@example.com', ?)", (BCRYPT,)
        )
        connection.execute("INSERT INTO users (email, is_admin) VALUES ('google@example.com', 1)")
    service = signup_service_in(tmp_path)
    service.start()
    insert = "INSERT INTO user_credentials (user_email, password_hash) VALUES (?, ?)"
    for email in ("bcrypt@example.com", "google@example.com"):
        attackers_hash = ARGON2.hash(ATTACKER_PASSWORD)
        execute_as_another_program(service.database, insert, email, attackers_hash)
    try:
        assert log_in(service, "bcrypt@example.com", ATTACKER_PASSWORD).status_code == 401
        assert log_in(service, "google@example.com", ATTACKER_PASSWORD).status_code == 401
        assert log_in(service, "bcrypt@example.com", OWN_PASSWORD).status_code == 200
    finally:
        service.stop()


@pytest.mark.slow
def test_signup_and_login_do_not_reveal_earlier_payment_data(
    signup_service: RunningService, capture_service: RunningService, user: str
) -> None:
    payment = {"user_email": user, "user_name": "Pat Payer", "plan_name": "Platinum"}
    assert capture_service.capture("payment", payment).status_code == 201
    responses = [
        register_attacker(signup_service, user),
        log_in(signup_service, user, ATTACKER_PASSWORD),
    ]
    assert [response.status_code for response in responses] == [201, 200]
    local_part = user.partition("@")[0]
    for response in responses:
        profile = response.json()["user"]
        shown = (profile["username"], profile["fullName"], profile["plan_type"])
        assert shown == (local_part, local_part, "free")


def test_pseudonym_of_an_erased_user_cannot_sign_up(signup_service: RunningService) -> None:
    pseudonym = "erased-1@data-capture.invalid"
    execute_as_another_program(
        signup_service.database,
        "INSERT INTO users (username, email, normalized_email, password_hash, status) "
        "VALUES ('erased-1', ?, ?, '!', 'provisional')",
        pseudonym,
        pseudonym,
    )
    assert register_attacker(signup_service, pseudonym).status_code == 400
