"""A manager with its services, with the requests of a sender and the view of the operator."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.support.managed import RunningManager
from tests.support.services import rows


class ManagedServices:
    """A running manager with its database in `directory`.

    `acknowledged` has the marks of the acknowledged captures.
    """

    def __init__(self, directory: Path, *flags: str) -> None:
        self.manager = RunningManager(directory, *flags)
        self.acknowledged: list[str] = []
        self.manager.wait_until_running()
        self.url = self.manager.urls["capture"]
        self.database = self.manager.database

    def capture(self, mark: str | None = None, **fields: Any) -> requests.Response:
        """Send a payment with a mark, and note the mark if the payment is acknowledged."""
        mark = mark or uuid.uuid4().hex
        payload = {
            "user_email": "a@example.com",
            "transaction_id": mark,
            "capture_id": mark,
            **fields,
        }
        response = requests.post(f"{self.url}/api/data-capture/payment", json=payload, timeout=60)
        if response.status_code in (200, 201):
            self.acknowledged.append(mark)
        return response

    def get_statistics(self) -> requests.Response:
        """Read a user's statistics, which must work also while writing fails."""
        return requests.get(f"{self.url}/api/data-capture/stats/a@example.com", timeout=60)

    def health(self) -> dict[str, Any]:
        """Return the health response with its status as `http`; empty if it is unreachable."""
        try:
            response = requests.get(f"{self.url}/api/data-capture/health", timeout=30)
        except requests.RequestException:
            return {}
        return {"http": response.status_code, **response.json()}

    def is_healthy(self) -> bool:
        """Tell whether the health response has status 200."""
        return self.health().get("http") == 200

    def is_unhealthy(self, reason: str) -> bool:
        """Tell whether the health response has status 503 and this reason."""
        health = self.health()
        return health.get("http") == 503 and reason in health["detail"]

    def has_restarted(self, old_process: int) -> bool:
        """Tell whether another process is healthy."""
        health = self.health()
        return health.get("http") == 200 and health["pid"] != old_process

    def assert_stored_once(self) -> None:
        """Check that each acknowledged capture has one row, and each row an audit record."""
        stored = [
            row["transaction_id"]
            for row in rows(self.database, "SELECT transaction_id FROM payment_data")
        ]
        assert len(stored) == len(set(stored))
        assert set(self.acknowledged) <= set(stored)
        [audited] = rows(
            self.database,
            "SELECT count(*) AS n FROM data_capture_audit WHERE capture_type = 'payment'",
        )
        assert audited["n"] == len(stored)
        self.manager.assert_database_is_intact()

    def kill(self) -> None:
        """Kill all processes."""
        self.manager.all_processes()
        self.manager.clean_up()


@contextmanager
def connection_of_another_program(database: Path) -> Iterator[sqlite3.Connection]:
    """Open the database as a program that is not part of the product."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        yield connection
