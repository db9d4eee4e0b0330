"""A manager with its services, seen as a sender of captures sees it and as who runs it does."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import requests

from tests.support.managed import RunningManager
from tests.support.services import rows


class Managed:
    """A running manager in `directory`; `acknowledged` are the marks of the captures that were."""

    def __init__(self, directory: Path, *flags: str) -> None:
        self.manager = RunningManager(directory, *flags)
        self.acknowledged: list[str] = []
        self.manager.wait_until_running()
        self.url = self.manager.urls["capture"]
        self.database = self.manager.database

    def capture(self, mark: str | None = None, **fields: Any) -> requests.Response:
        """Sends a payment that is marked; the mark is noted when it is acknowledged."""
        mark = mark or uuid.uuid4().hex
        payload = {
            "user_email": "a@example.com",
            "transaction_id": mark,
            "capture_id": mark,
            **fields,
        }
        answer = requests.post(f"{self.url}/api/data-capture/payment", json=payload, timeout=30)
        if answer.status_code in (200, 201):
            self.acknowledged.append(mark)
        return answer

    def health(self) -> dict[str, Any]:
        """What it says, with its status as `http`; nothing while it can't be reached."""
        try:
            answer = requests.get(f"{self.url}/api/data-capture/health", timeout=3)
        except requests.RequestException:
            return {}
        return {"http": answer.status_code, **answer.json()}

    def is_red(self, reason: str) -> bool:
        said = self.health()
        return said.get("http") == 503 and reason in said["detail"]

    def is_another_and_healthy(self, than: int) -> bool:
        said = self.health()
        return said.get("http") == 200 and said["pid"] != than

    def assert_each_is_there_once(self) -> None:
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
        self.manager.assert_database_is_sound()
