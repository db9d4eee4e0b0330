"""Whatever a `users` table looks like: no account in it is registered, altered or opened without its password."""

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
from tests.support.users_tables import PASSWORDS, PLANTED, ExistingAccount, generate

IS_FULL = bool(os.environ.get("EDC_FULL_ACCOUNTS"))
TABLES = 500 if IS_FULL else 30
TABLES_IN_A_TEST = 10
GUESSES = 8 if IS_FULL else 3  # each costs a hash and a commit


def dump(database: Path) -> list[list[tuple[Any, ...]]]:
    """Every row of the accounts and of the credentials, types and all."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        users = [*connection.execute("SELECT rowid, * FROM users ORDER BY rowid")]
        return [users, [*connection.execute("SELECT * FROM user_credentials")]]


def register(client: FlaskClient, email: str) -> Any:
    body = {
        "email": email,
        "password": PLANTED,
        "fullName": "Mallory",
        "username": "mallory",
        "plan_type": "pro",
    }
    return client.post("/api/auth/register", json=body)


def log_in(client: FlaskClient, email: str, password: str) -> Any:
    return client.post("/api/auth/login", json={"email": email, "password": password})


def guesses_of(database: Path, account: ExistingAccount) -> set[str]:
    """What an attacker who has read the table would try."""
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
    texts = {text for text in texts if len(text) >= 20 or text == "!"} - {account.opened_by}
    digests = {hashlib.sha256(text.encode()).hexdigest() for text in texts}
    others = {PLANTED, PASSWORDS[0] + "\0", *PASSWORDS} - {account.opened_by or ""}
    guesses = [PLANTED, *sorted(texts), *sorted(others - {PLANTED}), *sorted(digests)]
    return {*guesses[:GUESSES]}


def assert_accounts_hold(client: FlaskClient, database: Path, account: ExistingAccount) -> None:
    for email in {account.spelling, account.normalised, f" {account.normalised.upper()} "}:
        answer = register(client, email)
        assert answer.status_code == 409, (email, answer.json)
        assert "token" not in answer.json
        assert "Mia" not in answer.text
    for password in guesses_of(database, account):
        answer = log_in(client, account.normalised, password)
        assert answer.status_code in (400, 401), (password, answer.json)


def assert_opened_by_its_password(client: FlaskClient, account: ExistingAccount) -> None:
    if account.opened_by is not None and account.is_found:
        answer = log_in(client, account.normalised, account.opened_by)
        assert answer.status_code == (403 if account.is_disabled else 200), answer.json
        assert ("token" in answer.json) is not account.is_disabled


@pytest.mark.parametrize("first", range(0, TABLES, TABLES_IN_A_TEST))
def test_no_account_of_a_generated_table_is_registered_altered_or_opened(
    first: int, tmp_path: Path
) -> None:
    for seed in range(first, first + TABLES_IN_A_TEST):
        directory = tmp_path / str(seed)
        directory.mkdir()
        database = directory / "trading_bots.db"
        table = generate(seed)
        table.make(database)
        prepare(database)
        app = enhanced_signup_handler.create_app(
            load_settings(
                {"database": str(database), "log_file": str(directory / "log"), "login_rate": ""},
                {},
            )
        )
        client = app.test_client()
        try:
            before = dump(database)
            for account in table.accounts:
                assert_accounts_hold(client, database, account)
            assert dump(database) == before, (seed, table.statements)
            for account in table.accounts:
                assert_opened_by_its_password(client, account)
            assert register(client, "new@example.net").status_code == 201, table.statements
            assert register(client, "new@example.net").status_code == 409
        except AssertionError as failure:
            raise AssertionError(f"table {seed}: {table.statements}") from failure
        finally:
            app.extensions["store"].close()
