"""What the tests of exports and erasures share: a person whose every value can be found by its bytes, and the search for them."""

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
    """A capture service with the admin token, over a database of its own."""
    running = capture_service_in(directory, EDC_ADMIN_TOKEN=TOKEN)
    running.start()
    yield running
    running.stop()


def picture(mark: str, size_bytes: int = 900) -> str:
    """A screenshot as pages send it, different for each mark."""
    noise = random.Random(mark).randbytes(size_bytes)
    return (
        "data:image/png;base64,"
        + base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + noise).decode()
    )


@dataclass(frozen=True)
class Marked:
    """A person all of whose values are unlike anybody's else."""

    name: str

    @property
    def email(self) -> str:
        return f"{self.name}.marked@example.com"

    def mark(self, what: str) -> str:
        """A text that stands nowhere else, for something of the person."""
        return f"{what}-{hashlib.sha256(f'{self.name} {what}'.encode()).hexdigest()[:16]}"

    @property
    def equity(self) -> str:
        return f"{int(hashlib.sha256(self.name.encode()).hexdigest()[:6], 16)}.37"

    def captures(self, count: int) -> list[dict[str, Any]]:
        """Captures of every kind, as members of a batch."""
        kinds = [self._payment, self._questionnaire, self._dashboard, self._activity]
        return [
            {"type": list(KINDS)[number % 4], "user_email": self.email.title(), "capture_id": f"{self.mark('id')}-{number}",
             **kinds[number % 4](number)}
            for number in range(count)
        ]  # fmt: skip

    def traces(self) -> dict[str, bytes]:
        """What may be left nowhere, by its name."""
        names = ("full name", "plan", "coupon", "transaction", "hash", "wallet", "firm", "pair", "file", "type", "detail",
                 "state", "trading", "unknown", "id", "not a number", "agent")  # fmt: skip
        picture_text = picture(self.mark("picture"))
        return {
            "email": self.email.encode(),
            "email as given": self.email.title().encode(),
            **{name: self.mark(name).encode() for name in names},
            "picture": picture_text[60:100].encode(),
            "picture's hash": hashlib.sha256(base64.b64decode(picture_text.partition(",")[2]))
            .hexdigest()
            .encode(),
            "number": struct.pack(">d", float(self.equity)),
            "number as text": self.equity.encode(),
        }

    def _payment(self, number: int) -> dict[str, Any]:
        return {"user_name": self.mark("full name"), "plan_name": self.mark("plan"), "coupon_code": self.mark("coupon"),
                "transaction_id": f"{self.mark('transaction')}-{number}", "crypto_transaction_hash": self.mark("hash"),
                "crypto_from_address": self.mark("wallet"), "final_price": self.mark("not a number"),
                "favourite": self.mark("unknown")}  # fmt: skip

    def _questionnaire(self, number: int) -> dict[str, Any]:
        return {"propFirm": self.mark("firm"), "customForexPairs": [self.mark("pair")], "tradesPerDay": str(number),
                "screenshot": picture(self.mark("picture")), "screenshotFilename": self.mark("file"),
                "accountEquity": self.equity}  # fmt: skip

    def _dashboard(self, number: int) -> dict[str, Any]:
        trading_state = {
            "note": self.mark("trading"),
            "totalTrades": number,
            "currentEquity": self.equity,
        }
        return {"dashboardData": {"note": self.mark("state")}, "tradingState": trading_state}

    def _activity(self, number: int) -> dict[str, Any]:
        return {
            "activity_type": self.mark("type"),
            "activity_data": {"detail": self.mark("detail"), "number": number},
        }


def send(service: RunningService, user: Marked, captures: list[dict[str, Any]]) -> list[int]:
    """Sends captures in batches, from the person's browser; the statuses of their answers."""
    statuses: list[int] = []
    for start in range(0, len(captures), 100):
        answer = service.capture(
            "batch",
            {"captures": captures[start : start + 100]},
            **{"User-Agent": user.mark("agent")},
        )
        assert answer.status_code in (200, 207), answer.text
        statuses += [one["status"] for one in answer.json()["answers"]]
    return statuses


def user_url(service: RunningService, email: str) -> str:
    return f"{service.url}/api/data-capture/users/{email}"


def export(service: RunningService, email: str, form: str = "json") -> bytes:
    """What the service hands out of a person."""
    answer = requests.get(
        f"{user_url(service, email)}/export", params={"format": form}, headers=ADMIN, timeout=60
    )
    assert answer.status_code == 200, answer.text
    return answer.content


def erase(service: RunningService, email: str) -> requests.Response:
    return requests.delete(user_url(service, email), headers=ADMIN, timeout=60)


def erasures_pending(service: RunningService) -> int:
    return int(
        requests.get(f"{service.url}/api/data-capture/health", timeout=10).json()[
            "erasures_pending"
        ]
    )


def found_in(directory: Path, traces: dict[str, bytes]) -> list[str]:
    """Which traces are in which files, of every file below the folder."""
    contents = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    assert any(path.name.endswith(".db") for path in contents)
    return [
        f"{name} in {path.name}"
        for name, trace in traces.items()
        for path, content in contents.items()
        if trace in content
    ]


def assert_whole(service: RunningService) -> None:
    """The database is undamaged, every row refers to somebody who is there, and the audit trail verifies."""
    assert service.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert service.rows("PRAGMA foreign_key_check") == []
    command = [
        sys.executable,
        "-m",
        "data_capture",
        "verify-audit",
        "--database",
        str(service.database),
    ]
    verified = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def store_in(directory: Path) -> Store:
    """The store of a database in this process, without a service."""
    prepare(directory / "trading_bots.db")
    return Store(directory / "trading_bots.db", 5)


def record(store: Store, captures: list[dict[str, Any]], now: datetime | None = None) -> None:
    """Stores captures directly."""
    caller = Caller(
        "/api/data-capture/batch", "192.0.2.7", "a browser", now or datetime.now(timezone.utc)
    )
    parsed = [parse_capture(KINDS[one["type"]], {**one}, caller, ()) for one in captures]
    for outcome in store.write_together(
        [lambda connection, one=one: record_capture(connection, one) for one in parsed]
    ):  # type: ignore[misc]
        if isinstance(outcome, Exception):
            raise outcome
