"""Test the times of captures through HTTP: what is stored, and what is warned of."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from data_capture.capture.timestamps import timestamp
from tests.support.erasing import ADMIN, service_in
from tests.support.installations import CommandServer, Installation
from tests.support.services import RunningService

USER = "ann@example.com"
LAST_MONTH = datetime(2026, 1, 31, 23, 59, 59, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with service_in(tmp_path_factory.mktemp("service")) as running:
        yield running


def send(service: RunningService, stated: Any, **headers: str) -> tuple[str, list[str]]:
    """Send a payment with a time; return the stored time and the audit's explanation."""
    payload = {
        "user_email": USER, "transaction_id": str(uuid.uuid4()), "final_price": 5,
        "capture_timestamp": stated,
    }  # fmt: skip
    response = service.capture("payment", payload, **headers)
    assert response.status_code == 201, response.text
    [row] = service.rows(
        "SELECT created_at FROM payment_data WHERE id = ?", response.json()["payment_id"]
    )
    [audit] = service.rows(
        "SELECT status, error_details FROM data_capture_audit ORDER BY id DESC LIMIT 1"
    )
    warnings = response.json().get("warnings", [])
    assert audit["status"] == ("partial" if warnings else "success")
    explanation = "; ".join(f"{one['field']} {one['message']}" for one in warnings)
    assert audit["error_details"] == (explanation or None)
    return row["created_at"], [one["message"].partition(",")[0] for one in warnings]


@pytest.mark.parametrize(
    ("stated", "warning"),
    [
        ("yesterday", "can't be read as a time"),
        ("11/27/2026, 10:00:00 AM", "can't be read as a time"),
        (12345, "can't be read as a time"),
        ({"when": "now"}, "can't be read as a time"),
        (LAST_MONTH.isoformat(), "is more than 7 days ago"),
        (int(LAST_MONTH.timestamp()), "is more than 7 days ago"),
        ("2098-01-01T00:00:00Z", "is in the future"),
        ("2098-01-01 00:00:00", "has no time zone"),
    ],
    ids=str,
)
def test_a_time_that_is_not_stored_is_warned_of(
    service: RunningService, stated: Any, warning: str
) -> None:
    before = timestamp(datetime.now(timezone.utc))
    stored, warnings = send(service, stated)
    assert warnings == [warning]
    assert before <= stored <= timestamp(datetime.now(timezone.utc))


def test_a_readable_time_of_the_last_week_is_stored_without_a_warning(
    service: RunningService,
) -> None:
    moment = (datetime.now(timezone.utc) - timedelta(hours=3)).replace(microsecond=0)
    seconds = int(moment.timestamp())
    for stated in (
        moment.strftime("%Y-%m-%dT%H:%M:%S"), moment.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        seconds, str(seconds * 1000), {"seconds": seconds, "nanoseconds": 0},
    ):  # fmt: skip
        assert send(service, stated) == (timestamp(moment), [])


def test_only_the_admin_token_keeps_any_past_time(
    service: RunningService, server: CommandServer
) -> None:
    assert send(service, LAST_MONTH.isoformat(), **ADMIN) == (timestamp(LAST_MONTH), [])
    assert send(service, "2019-05-01", **ADMIN) == ("2019-05-01T00:00:00.000Z", [])
    assert send(service, "2098-01-01T00:00:00Z", **ADMIN)[1] == ["is in the future"]
    owner = Installation(Path(service.database).parent, server)
    token = owner.run("write-token", "shop").output.strip()
    _, warnings = send(service, LAST_MONTH.isoformat(), Authorization=f"Bearer {token}")
    assert warnings == ["is more than 7 days ago"]


def test_each_capture_of_a_batch_has_its_own_warning(service: RunningService) -> None:
    times = ["yesterday", datetime.now(timezone.utc).isoformat(), 1, LAST_MONTH.isoformat()]
    captures = [
        {"type": "activity", "user_email": USER, "capture_timestamp": stated} for stated in times
    ]
    answers = service.capture("batch", {"captures": captures}).json()["answers"]
    assert [[one["field"] for one in each.get("warnings", [])] for each in answers] == [
        ["capture_timestamp"], [], ["capture_timestamp"], ["capture_timestamp"],
    ]  # fmt: skip
