"""Test that the addresses which this product uses itself are reserved."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from data_capture.audit import RETENTION_USER, clear_columns, record_audit
from data_capture.privacy.erasure import erase_user
from data_capture.problems import Problem
from data_capture.store.sqlite.connection import open_connection
from data_capture.store.sqlite.schema import prepare
from data_capture.store.sqlite.users import ensure_user
from tests.support.erasing import assert_whole, erase, service_in
from tests.support.installations import CommandServer, Installation
from tests.support.services import RunningService

NOW = "2024-01-15T10:30:00.000Z"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    with service_in(tmp_path) as running:
        yield running


RESERVED_ADDRESSES = [
    "retention@data-capture.invalid",
    "Retention@Data-Capture.invalid",
    "erased-nobody@data-capture.invalid",
]


@pytest.mark.slow
@pytest.mark.parametrize("address", RESERVED_ADDRESSES)
def test_reserved_address_cannot_be_captured_or_erased(
    address: str, service: RunningService
) -> None:
    response = service.capture("payment", {"user_email": address, "final_price": 1})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "user_email")
    assert erase(service, address).status_code == 422
    assert service.rows("SELECT email FROM users") == []
    assert_whole(service)


@pytest.mark.slow
def test_retention_user_cannot_be_erased_under_another_address(
    tmp_path: Path, server: CommandServer
) -> None:
    """A column of another program may give the retention user another address."""
    database = tmp_path / "trading_bots.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "CREATE TABLE users "
            "(id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL, normalized_email UNIQUE)"
        )
    prepare(database)
    with closing(open_connection(database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for user in ("ann@example.com", RETENTION_USER):
            ensure_user(connection, user, None, NOW)
        record_audit(
            connection,
            user_email="ann@example.com",
            capture_type="payment",
            timestamp=NOW,
            source_endpoint="/payment",
            ip_address="192.0.2.1",
        )
        clear_columns(
            connection,
            {"ip_address": [1]},
            RETENTION_USER,
            timestamp=NOW,
            source_endpoint="retention",
        )
        connection.execute(
            "UPDATE users SET normalized_email = 'bob@example.com' WHERE email = ?",
            (RETENTION_USER,),
        )
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(Problem, match="product's own"):
            erase_user(connection, "bob@example.com", erased_at=NOW, source_endpoint="erase")
        connection.execute("ROLLBACK")
    outcome = Installation(tmp_path, server).run("verify-audit")
    assert outcome.status == 0, outcome.output


def test_erase_command_rejects_the_retention_user(tmp_path: Path, server: CommandServer) -> None:
    prepare(tmp_path / "trading_bots.db")
    outcome = Installation(tmp_path, server).run("erase", RETENTION_USER, "--yes")
    assert outcome.status == 1
    assert "not an email address" in outcome.errors
