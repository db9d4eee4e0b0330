"""Read the rows that a service has stored of a user."""

from __future__ import annotations

from typing import Any

from data_capture.capture.kinds import KINDS
from tests.support.services import RunningService


def rows_of(service: RunningService, kind: str, user: str) -> list[dict[str, Any]]:
    """Return a user's rows of one kind, the oldest first."""
    statement = f"SELECT * FROM {KINDS[kind].table} WHERE user_email = ? ORDER BY id"  # noqa: S608
    return service.rows(statement, user)
