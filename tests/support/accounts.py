"""Sign users up, log them in and check what the services responded and stored."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import requests

from tests.support.services import RunningService

PASSWORD = "correct horse battery"
REGISTER_PATHS = ("/api/auth/register", "/auth/register", "/api/user/register")


def register(
    service: RunningService, email: str, path: str = REGISTER_PATHS[0], **fields: Any
) -> requests.Response:
    """Send a sign-up."""
    body = {"email": email, "password": PASSWORD, **fields}
    return requests.post(service.url + path, json=body, timeout=30)


def log_in(service: RunningService, email: str, password: str = PASSWORD) -> requests.Response:
    """Send a log-in."""
    body = {"email": email, "password": password}
    return requests.post(f"{service.url}/api/auth/login", json=body, timeout=30)


def audit_of(service: RunningService, email: str) -> list[tuple[str, str]]:
    """Return the type and the status of each audit record of a user, oldest first."""
    found = service.rows(
        "SELECT capture_type, status FROM data_capture_audit WHERE user_email = ? ORDER BY id",
        email,
    )
    return [(record["capture_type"], record["status"]) for record in found]


def read_stored_bytes(service: RunningService) -> bytes:
    """Return all bytes of the database files and of the log."""
    files = service.database.parent.glob("*")
    return b"".join(file.read_bytes() for file in files if file.is_file())


def assert_problem(response: requests.Response, *statuses: int) -> dict[str, Any]:
    """Check that a response is an RFC 9457 problem with one of these statuses; return it."""
    assert response.status_code in statuses, (response.status_code, response.text)
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["success"] is False
    assert problem["title"]
    assert problem["msg"] == problem["error"] == problem["message"] == problem["detail"] != ""
    return problem


def execute_as_another_program(database: Path, statement: str, *parameters: object) -> None:
    """Change the database as another program would: with SQLite's default pragmas.

    Foreign keys are off by default.
    """
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        connection.execute(statement, parameters)
