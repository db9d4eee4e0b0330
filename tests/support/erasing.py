"""Share helpers of the tests of exports and erasures.

A `TraceableUser` has values that occur nowhere else, so that `find_traces` finds what is left of
them in any file.
"""

from __future__ import annotations

import base64
import hashlib
import random
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import requests

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, parse_capture
from data_capture.store import Store
from data_capture.store.sqlite.captures import record_capture
from data_capture.store.sqlite.schema import prepare
from tests.support.services import REPOSITORY, RunningService, capture_service_in

TOKEN = "for-these-tests-0123456789abcdef0123"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}


@contextmanager
def service_in(directory: Path) -> Iterator[RunningService]:
    """Run a capture service with an admin token and its own database."""
    running = capture_service_in(directory, EDC_ADMIN_TOKEN=TOKEN)
    running.start()
    yield running
    running.stop()


def make_screenshot(seed: str, size_bytes: int = 900) -> str:
    """Return a screenshot as pages send it, different for each seed."""
    noise = random.Random(seed).randbytes(size_bytes)
    return (
        "data:image/png;base64,"
        + base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + noise).decode()
    )


@dataclass(frozen=True)
class TraceableUser:
    """A user whose values all differ from those of every other user."""

    name: str

    @property
    def email(self) -> str:
        return f"{self.name}.marked@example.com"

    def unique_text(self, what: str) -> str:
        """Return a text for one of the user's fields that occurs nowhere else."""
        return f"{what}-{hashlib.sha256(f'{self.name} {what}'.encode()).hexdigest()[:16]}"

    @property
    def equity(self) -> str:
        return f"{int(hashlib.sha256(self.name.encode()).hexdigest()[:6], 16)}.37"

    def captures(self, count: int) -> list[dict[str, Any]]:
        """Return captures of all kinds, as members of a batch."""
        kinds = [self._payment, self._questionnaire, self._dashboard, self._activity]
        return [
            {
                "type": list(KINDS)[number % 4],
                "user_email": self.email.title(),
                "capture_id": f"{self.unique_text('id')}-{number}",
                **kinds[number % 4](number),
            }
            for number in range(count)
        ]

    def traces(self) -> dict[str, bytes]:
        """Return the bytes that an erasure must remove, by a name."""
        names = (
            "full name", "plan", "coupon", "transaction", "hash", "wallet", "firm", "pair", "file",
            "type", "detail", "state", "trading", "unknown", "id", "not a number", "agent",
        )  # fmt: skip
        screenshot = make_screenshot(self.unique_text("picture"))
        return {
            "email": self.email.encode(),
            "email as given": self.email.title().encode(),
            **{name: self.unique_text(name).encode() for name in names},
            "picture": screenshot[60:100].encode(),
            "picture's hash": hashlib.sha256(base64.b64decode(screenshot.partition(",")[2]))
            .hexdigest()
            .encode(),
            "number": struct.pack(">d", float(self.equity)),
            "number as text": self.equity.encode(),
        }

    def _payment(self, number: int) -> dict[str, Any]:
        return {
            "user_name": self.unique_text("full name"),
            "plan_name": self.unique_text("plan"),
            "coupon_code": self.unique_text("coupon"),
            "transaction_id": f"{self.unique_text('transaction')}-{number}",
            "crypto_transaction_hash": self.unique_text("hash"),
            "crypto_from_address": self.unique_text("wallet"),
            "final_price": self.unique_text("not a number"),
            "favourite": self.unique_text("unknown"),
        }

    def _questionnaire(self, number: int) -> dict[str, Any]:
        return {
            "propFirm": self.unique_text("firm"),
            "customForexPairs": [self.unique_text("pair")],
            "tradesPerDay": str(number),
            "screenshot": make_screenshot(self.unique_text("picture")),
            "screenshotFilename": self.unique_text("file"),
            "accountEquity": self.equity,
        }

    def _dashboard(self, number: int) -> dict[str, Any]:
        trading_state = {
            "note": self.unique_text("trading"),
            "totalTrades": number,
            "currentEquity": self.equity,
        }
        return {"dashboardData": {"note": self.unique_text("state")}, "tradingState": trading_state}

    def _activity(self, number: int) -> dict[str, Any]:
        return {
            "activity_type": self.unique_text("type"),
            "activity_data": {"detail": self.unique_text("detail"), "number": number},
        }


def send_captures(
    service: RunningService, user: TraceableUser, captures: list[dict[str, Any]]
) -> list[int]:
    """Send captures in batches, with the user's user agent, and return their statuses."""
    statuses: list[int] = []
    for start in range(0, len(captures), 100):
        batch = {"captures": captures[start : start + 100]}
        response = service.capture("batch", batch, **{"User-Agent": user.unique_text("agent")})
        assert response.status_code in (200, 207), response.text
        statuses += [result["status"] for result in response.json()["answers"]]
    return statuses


def user_url(service: RunningService, email: str) -> str:
    return f"{service.url}/api/data-capture/users/{email}"


def export(service: RunningService, email: str, form: str = "json") -> bytes:
    """Return the service's export of a user."""
    url = f"{user_url(service, email)}/export"
    response = requests.get(url, params={"format": form}, headers=ADMIN, timeout=60)
    assert response.status_code == 200, response.text
    return response.content


def erase(service: RunningService, email: str) -> requests.Response:
    return requests.delete(user_url(service, email), headers=ADMIN, timeout=60)


def count_pending_erasures(service: RunningService) -> int:
    health = requests.get(f"{service.url}/api/data-capture/health", timeout=30).json()
    return int(health["erasures_pending"])


def find_traces(directory: Path, traces: dict[str, bytes]) -> list[str]:
    """Return which traces are in which files below the folder."""
    contents = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    assert any(path.name.endswith(".db") for path in contents)
    return [
        f"{name} in {path.name}"
        for name, trace in traces.items()
        for path, content in contents.items()
        if trace in content
    ]


def assert_whole(service: RunningService) -> None:
    """Check that the database is undamaged, has no orphaned rows, and its audit trail verifies."""
    assert service.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert service.rows("PRAGMA foreign_key_check") == []
    command = [sys.executable, "-m", "data_capture", "verify-audit"]
    command += ["--database", str(service.database)]
    verified = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def store_in(directory: Path) -> Store:
    """Open a store in this process, without a service."""
    prepare(directory / "trading_bots.db")
    return Store(directory / "trading_bots.db", request_seconds=30)


def store_captures(
    store: Store, captures: list[dict[str, Any]], now: datetime | None = None
) -> None:
    """Store captures directly, as if they arrived now or at the given time."""
    caller = Caller(
        "/api/data-capture/batch", "192.0.2.7", "a browser", now or datetime.now(timezone.utc)
    )
    parsed = [parse_capture(KINDS[one["type"]], {**one}, caller, ()) for one in captures]
    jobs = [lambda connection, one=one: record_capture(connection, one) for one in parsed]
    for outcome in store.write_together(jobs):
        if isinstance(outcome, Exception):
            raise outcome
