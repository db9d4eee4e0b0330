"""An account of an existing database is opened by its own password alone, and a sign-up never touches it."""

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

from tests.support.services import RunningService, capture_service_in, signup_service_in

RIGHT, PLANTED = "the owner's password", "an attacker's password"
ARGON2 = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
SHA_256 = hashlib.sha256(RIGHT.encode()).hexdigest()
BCRYPT = bcrypt.hashpw(RIGHT.encode(), bcrypt.gensalt(4)).decode()

TABLE = """
CREATE TABLE users (
    id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL, name TEXT, password TEXT, password_hash TEXT, google_id TEXT,
    is_admin INTEGER DEFAULT 0, is_active, locked_until TEXT, deleted_at TEXT, status, normalized_email TEXT
)
"""

# Rows of other programs that no password opens through this product, whatever was sent.
CLOSED: dict[str, dict[str, Any]] = {
    "google": {"google_id": "1234", "is_admin": 1},
    "nothing-at-all": {},
    "empty-texts": {"password": "", "password_hash": ""},
    "provisional-by-name": {"status": "provisional"},
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
    "provisional-mark-in-bytes": {"status": "provisional", "password_hash": b"!"},
    "marked-unusable": {"password": "!", "password_hash": "!"},
    "in-plain-text": {"password": RIGHT},
    "md5": {"password": hashlib.md5(RIGHT.encode()).hexdigest()},  # noqa: S324
    "sha-1": {"password": hashlib.sha1(RIGHT.encode()).hexdigest()},  # noqa: S324
    "planted-beside-bcrypt": {"password": BCRYPT, "password_hash": ARGON2.hash(PLANTED)},
    "planted-beside-an-unknown-format": {
        "password": "$6$salt$hash",
        "password_hash": ARGON2.hash(PLANTED),
    },
    "costly-bcrypt": {"password": BCRYPT.replace("$04$", "$31$")},
    "costly-argon2": {"password_hash": ARGON2.hash(RIGHT).replace("m=1024", "m=16777216")},
    "costly-pbkdf2": {"password": "pbkdf2:sha256:999999999$salt$" + "ab" * 32},
    "costly-scrypt": {"password": "scrypt:1073741824:8:1$salt$" + "ab" * 64},
}

# Rows that their own password opens.
OPEN: dict[str, dict[str, Any]] = {
    "sha-256": {"password_hash": SHA_256},
    "argon2": {"password_hash": ARGON2.hash(RIGHT)},
    "argon2-of-django": {"password": "argon2" + ARGON2.hash(RIGHT)},
    "bcrypt": {"password": BCRYPT, "is_admin": 1},
    "bcrypt-in-bytes": {"password": BCRYPT.encode()},
    "bcrypt-of-laravel": {
        "password": BCRYPT.replace("$2b$", "$2y$"),
        "status": "active",
        "is_active": 1,
    },
    "werkzeug-scrypt": {"password_hash": generate_password_hash(RIGHT, "scrypt:1024:8:1")},
    "werkzeug-pbkdf2": {
        "password_hash": generate_password_hash(RIGHT, "pbkdf2:sha256:1000"),
        "status": None,
    },
    "the-same-twice": {"password": BCRYPT, "password_hash": SHA_256},
    "locked-in-the-past": {"password": BCRYPT, "locked_until": "2020-01-01T00:00:00Z"},
}

DISABLED: dict[str, dict[str, Any]] = {
    "not-active": {"is_active": 0},
    "not-active-in-words": {"is_active": "False"},
    "not-active-in-one-bit": {"is_active": b"\0"},
    "banned": {"status": "banned"},
    "inactive": {"status": "Inactive"},
    "suspended-by-an-admin": {"status": "admin_suspended"},
    "status-0": {"status": 0},
    "deleted": {"deleted_at": "2024-01-01 00:00:00"},
    "locked": {"locked_until": "2999-01-01 00:00:00"},
    "locked-until-who-knows": {"locked_until": "further notice"},
}

ODD_SPELLINGS = {
    "Jo\u0308rg@example.com": "j\u00f6rg@example.com",
    "\u00d6RJAN-\u00c4@example.com": "\u00f6rjan-\u00e4@example.com",
    " space@example.com ": "space@example.com",
    "zero\u200bwidth@example.com": "zerowidth@example.com",
    "nul@example.com\0": "nul@example.com",
}


def make_database(database: Path) -> None:
    rows = {
        **CLOSED,
        **OPEN,
        **{name: {"password": BCRYPT, **row} for name, row in DISABLED.items()},
    }
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(TABLE)
        for name, row in rows.items():
            members = {"email": f"{name}@example.com", "name": "Mia Member", **row}
            marks = ", ".join("?" * len(members))
            connection.execute(
                f"INSERT INTO users ({', '.join(members)}) VALUES ({marks})",  # noqa: S608
                [*members.values()],
            )
        for spelling in ODD_SPELLINGS:
            connection.execute(
                "INSERT INTO users (email, password) VALUES (?, ?)", (spelling, BCRYPT)
            )
        connection.execute(
            "INSERT INTO users (email, password) VALUES (CAST('blob@example.com' AS BLOB), ?)",
            (BCRYPT,),
        )
        connection.execute(
            "INSERT INTO users (email, normalized_email) VALUES ('d.o.t.s@example.com', 'Dots@example.com')"
        )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    directory = tmp_path_factory.mktemp("takeover")
    make_database(directory / "trading_bots.db")
    service = signup_service_in(directory, EDC_LOGIN_RATE="")
    service.start()
    yield service
    service.stop()


def dump(service: RunningService) -> tuple[Any, ...]:
    """Every account and credential, to the byte."""
    return (
        service.rows("SELECT rowid, * FROM users"),
        service.rows("SELECT * FROM user_credentials"),
    )


def register(service: RunningService, email: str, **members: Any) -> requests.Response:
    body = {"email": email, "password": PLANTED, **members}
    return requests.post(f"{service.url}/api/auth/register", json=body, timeout=10)


def log_in(service: RunningService, email: str, password: str) -> requests.Response:
    return requests.post(
        f"{service.url}/api/auth/login", json={"email": email, "password": password}, timeout=10
    )


@pytest.mark.parametrize("name", [*CLOSED, *OPEN, *DISABLED, "d.o.t.s", "dots", "blob"])
def test_no_row_of_another_program_is_signed_up_or_opened_by_another_password(
    service: RunningService, name: str
) -> None:
    before = dump(service)
    for email in (f"{name}@example.com", f" {name.upper()}@Example.COM"):
        answer = register(service, email, fullName="Mallory", username="mallory", plan_type="pro")
        assert answer.status_code == 409, answer.text
        assert "token" not in answer.json()
        assert "Mia" not in answer.text
    guesses = {
        PLANTED,
        "!",
        SHA_256,
        BCRYPT,
        RIGHT.upper(),
        RIGHT + "\0",
        hashlib.sha256(SHA_256.encode()).hexdigest(),
    }
    guesses |= {str(value) for value in (CLOSED.get(name) or {}).values()} - {RIGHT, ""}
    for password in guesses:
        assert log_in(service, f"{name}@example.com", password).status_code == 401
    assert dump(service) == before


@pytest.mark.parametrize("spelling", ODD_SPELLINGS)
def test_a_row_that_spells_its_address_oddly_is_a_row_of_that_address(
    service: RunningService, spelling: str
) -> None:
    before = dump(service)
    for email in (ODD_SPELLINGS[spelling], ODD_SPELLINGS[spelling].upper()):
        assert register(service, email).status_code == 409
    assert dump(service) == before


@pytest.mark.parametrize("name", CLOSED)
def test_what_can_not_be_checked_opens_for_nobody(service: RunningService, name: str) -> None:
    assert log_in(service, f"{name}@example.com", RIGHT).status_code == 401


@pytest.mark.parametrize("name", OPEN)
def test_the_own_password_opens_an_account_and_another_programs_hash_stays_as_it_was(
    service: RunningService, name: str
) -> None:
    answer = log_in(service, f"{name}@example.com", RIGHT)
    assert answer.status_code == 200, answer.text
    (row,) = service.rows("SELECT * FROM users WHERE email = ?", f"{name}@example.com")
    is_replaced = name in ("sha-256", "argon2")
    assert row["password"] == OPEN[name].get("password")
    if is_replaced:
        assert row["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    else:
        assert row["password_hash"] == OPEN[name].get("password_hash")
    assert (
        service.rows("SELECT * FROM user_credentials WHERE user_email = ?", f"{name}@example.com")
        == []
    )


@pytest.mark.parametrize("name", DISABLED)
def test_a_disabled_account_is_not_opened_by_its_password_either(
    service: RunningService, name: str
) -> None:
    answer = log_in(service, f"{name}@example.com", RIGHT)
    assert (answer.status_code, answer.json()["detail"]) == (403, "This account is not active.")


def test_the_log_says_once_that_a_format_is_unknown_and_nothing_of_whose(
    service: RunningService,
) -> None:
    log_in(service, "in-plain-text@example.com", PLANTED)
    log_in(service, "md5@example.com", PLANTED)
    log = service.log_file.read_text()
    assert log.count("format that can't be checked") == 1
    assert [
        secret
        for secret in ("@example.com", RIGHT, PLANTED, CLOSED["md5"]["password"])
        if secret in log
    ] == []


SMALL_TABLES = {
    "no column for passwords": "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL)",
    "a column for bcrypt": "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, passwordHash, created_at DATETIME)",
    "no status": "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password_hash TEXT)",
    "no hash": "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, status TEXT DEFAULT 'active', PASSWORD TEXT)",
    "a generated status": "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, active INTEGER DEFAULT 1, "
                          "status TEXT AS (iif(active, 'active', 'banned')), password_hash TEXT)",
}  # fmt: skip


@pytest.mark.parametrize("table", SMALL_TABLES)
def test_in_a_small_table_only_rows_that_this_product_made_are_completed(
    table: str, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "trading_bots.db")) as connection, connection:
        connection.execute(SMALL_TABLES[table])
        connection.execute("INSERT INTO users (email) VALUES ('Old@example.com')")
    signup, capture = signup_service_in(tmp_path), capture_service_in(tmp_path)
    try:
        signup.start()
        capture.start()
        before = signup.rows("SELECT * FROM users WHERE email = 'Old@example.com'")
        for email in ("old@example.com", "payer@example.com"):
            assert (
                capture.capture(
                    "payment", {"user_email": email, "user_name": "Pat Payer"}
                ).status_code
                == 201
            )
        assert register(signup, "old@example.com").status_code == 409
        assert log_in(signup, "payer@example.com", "!").status_code == 401
        answer = register(signup, "payer@example.com")
        assert answer.status_code == 201, answer.text
        assert "Pat" not in answer.text
        assert register(signup, "payer@example.com").status_code == 409
        assert register(signup, "new@example.com").status_code == 201
        for email in ("payer@example.com", "new@example.com"):
            assert log_in(signup, email, PLANTED).status_code == 200
            assert log_in(signup, email, "!").status_code == 401
        assert log_in(signup, "old@example.com", PLANTED).status_code == 401
        assert signup.rows("SELECT * FROM users WHERE email = 'Old@example.com'") == before
        assert (
            signup.rows("SELECT * FROM user_credentials WHERE user_email = 'Old@example.com'") == []
        )
    finally:
        signup.stop()
        capture.stop()


def test_what_an_older_version_left_beside_a_users_own_column_opens_nothing(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "trading_bots.db")) as connection, connection:
        connection.execute(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password TEXT, is_admin INTEGER)"
        )
        connection.execute(
            "INSERT INTO users (email, password) VALUES ('bcrypt@example.com', ?)", (BCRYPT,)
        )
        connection.execute("INSERT INTO users (email, is_admin) VALUES ('google@example.com', 1)")
    service = signup_service_in(tmp_path)
    service.start()
    with closing(sqlite3.connect(tmp_path / "trading_bots.db")) as connection, connection:
        for email in ("bcrypt@example.com", "google@example.com"):
            planted = "INSERT INTO user_credentials (user_email, password_hash) VALUES (?, ?)"
            connection.execute(planted, (email, ARGON2.hash(PLANTED)))
    try:
        assert log_in(service, "bcrypt@example.com", PLANTED).status_code == 401
        assert log_in(service, "google@example.com", PLANTED).status_code == 401
        assert log_in(service, "bcrypt@example.com", RIGHT).status_code == 200
    finally:
        service.stop()


def test_neither_a_signup_nor_its_log_in_discloses_what_a_payment_said(
    signup_service: RunningService, capture_service: RunningService, user: str
) -> None:
    payment = {"user_email": user, "user_name": "Pat Payer", "plan_name": "Platinum"}
    assert capture_service.capture("payment", payment).status_code == 201
    answers = [register(signup_service, user), log_in(signup_service, user, PLANTED)]
    assert [answer.status_code for answer in answers] == [201, 200]
    local_part = user.partition("@")[0]
    for answer in answers:
        user = answer.json()["user"]
        assert (user["username"], user["fullName"], user["plan_type"]) == (
            local_part,
            local_part,
            "free",
        )


def test_the_rows_of_pseudonyms_can_not_be_signed_up(signup_service: RunningService) -> None:
    with closing(sqlite3.connect(signup_service.database)) as connection, connection:
        connection.execute(
            "INSERT INTO users (username, email, normalized_email, password_hash, status) "
            "VALUES ('erased-1', 'erased-1@data-capture.invalid', 'erased-1@data-capture.invalid', '!', 'provisional')"
        )
    assert register(signup_service, "erased-1@data-capture.invalid").status_code == 400
