"""Test accounts in generated `users` tables of other programs."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import enhanced_signup_handler
from data_capture.settings import load_settings
from data_capture.store.sqlite.schema import prepare
from tests.support.users_tables import ATTACKER_PASSWORD, PASSWORDS, ExistingAccount, generate_table

IS_FULL = bool(os.environ.get("EDC_FULL_ACCOUNTS"))
TABLE_COUNT = 500 if IS_FULL else 30
TABLES_PER_TEST = 10
MAX_GUESSES = 8 if IS_FULL else 3  # each costs a hash and a commit


def read_accounts(database: Path) -> list[list[tuple[Any, ...]]]:
    """Return all rows of accounts and credentials, with texts as bytes."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        users = [*connection.execute("SELECT rowid, * FROM users ORDER BY rowid")]
        return [users, [*connection.execute("SELECT * FROM user_credentials")]]


def register(client: FlaskClient, email: str) -> Any:
    body = {
        "email": email,
        "password": ATTACKER_PASSWORD,
        "fullName": "Mallory",
        "username": "mallory",
        "plan_type": "pro",
    }
    return client.post("/api/auth/register", json=body)


def log_in(client: FlaskClient, email: str, password: str) -> Any:
    return client.post("/api/auth/login", json={"email": email, "password": password})


def guess_passwords(database: Path, account: ExistingAccount) -> set[str]:
    """Return the passwords that an attacker who has read the table would try."""
    with closing(sqlite3.connect(database)) as connection:
        connection.text_factory = lambda content: content.decode(errors="replace")
        row = connection.execute(
            "SELECT * FROM users WHERE email = ?", (account.spelling,)
        ).fetchone()
    texts = {
        value.decode(errors="ignore") if isinstance(value, bytes) else str(value)
        for value in row
        if value
    }
    texts = {text for text in texts if len(text) >= 20 or text == "!"} - {account.password}
    digests = {hashlib.sha256(text.encode()).hexdigest() for text in texts}
    others = {ATTACKER_PASSWORD, PASSWORDS[0] + "\0", *PASSWORDS} - {account.password or ""}
    guesses = [
        ATTACKER_PASSWORD,
        *sorted(texts),
        *sorted(others - {ATTACKER_PASSWORD}),
        *sorted(digests),
    ]
    return {*guesses[:MAX_GUESSES]}


def assert_rejects_attacks(client: FlaskClient, database: Path, account: ExistingAccount) -> None:
    for email in {account.spelling, account.email, f" {account.email.upper()} "}:
        response = register(client, email)
        assert response.status_code == 409, (email, response.json)
        assert "token" not in response.json
        assert "Mia" not in response.text
    for password in guess_passwords(database, account):
        response = log_in(client, account.email, password)
        assert response.status_code in (400, 401), (password, response.json)


def assert_own_password_logs_in(client: FlaskClient, account: ExistingAccount) -> None:
    if account.password is not None and account.is_found:
        response = log_in(client, account.email, account.password)
        assert response.status_code == (403 if account.is_disabled else 200), response.json
        assert ("token" in response.json) is not account.is_disabled


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, TABLE_COUNT, TABLES_PER_TEST))
def test_accounts_of_generated_tables_open_only_with_their_own_password(
    first: int, tmp_path: Path
) -> None:
    for seed in range(first, first + TABLES_PER_TEST):
        directory = tmp_path / str(seed)
        directory.mkdir()
        database = directory / "trading_bots.db"
        table = generate_table(seed)
        table.create(database)
        prepare(database)
        app = enhanced_signup_handler.create_app(
            load_settings(
                {"database": str(database), "log_file": str(directory / "log"), "login_rate": ""},
                {},
            )
        )
        client = app.test_client()
        try:
            before = read_accounts(database)
            for account in table.accounts:
                assert_rejects_attacks(client, database, account)
            assert read_accounts(database) == before, (seed, table.statements)
            for account in table.accounts:
                assert_own_password_logs_in(client, account)
            assert register(client, "new@example.net").status_code == 201, table.statements
            assert register(client, "new@example.net").status_code == 409
        except AssertionError as failure:
            raise AssertionError(f"table {seed}: {table.statements}") from failure
        finally:
            app.extensions["store"].close()
