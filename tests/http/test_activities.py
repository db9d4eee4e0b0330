"""Test trading activities, as pages send them to `/api/activity` and its like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.services import RunningService, capture_service_in

TOKEN = "t" * 40
DATA = {"pair": "EURUSD", "pnl": 42.5}

# What a page sends, and the activity_type and activity_data of its row.
PAYLOADS: list[tuple[dict[str, Any], str | None, Any]] = [
    ({"activity_type": "trade_closed", "activity_data": DATA}, "trade_closed", DATA),
    ({"activityType": "trade_closed", "activityData": DATA}, "trade_closed", DATA),
    ({"activity": "trade_closed", "details": DATA}, "trade_closed", DATA),
    ({"activity": {"type": "trade_closed", "data": DATA}}, "trade_closed", DATA),
    ({"activity": {"activity_type": "trade_closed", "activity_data": DATA}}, "trade_closed", DATA),
    ({"activity": {"action": "trade_closed", "metadata": DATA}}, "trade_closed", DATA),
    ({"action": "trade_closed", "metadata": DATA, "user_id": 5}, "trade_closed", DATA),
    ({"action_type": "trade_closed", "context": DATA}, "trade_closed", DATA),
    ({"event": "trade_closed", "properties": DATA}, "trade_closed", DATA),
    ({"event_name": "trade_closed", "event_data": DATA}, "trade_closed", DATA),
    ({"event_type": "trade_closed", "data": DATA, "id": 77}, "trade_closed", DATA),
    ({"data": {"activity_type": "trade_closed", "activity_data": DATA}}, "trade_closed", DATA),
    ({"activity_type": "login", "activity_data": "from Berlin"}, "login", "from Berlin"),
    ({"activity_type": "login", "type": "auth"}, "login", None),
    ({"activity": "login", "type": "auth"}, "login", None),
    ({"pairs": ["EURUSD"]}, None, None),
]  # fmt: skip


def stored(service: RunningService, user: str) -> list[dict[str, Any]]:
    return service.rows(
        "SELECT activity_type, activity_data FROM trading_activity_log WHERE user_email = ?", user
    )


def assert_stored(service: RunningService, user: str, activity_type: str | None, data: Any) -> None:
    [row] = stored(service, user)
    assert row["activity_type"] == activity_type
    assert (None if row["activity_data"] is None else json.loads(row["activity_data"])) == data


@pytest.mark.parametrize(("payload", "activity_type", "data"), PAYLOADS)
def test_activity_of_a_page_has_its_type_and_data(
    capture_service: RunningService,
    user: str,
    payload: dict[str, Any],
    activity_type: str | None,
    data: Any,
) -> None:
    answer = capture_service.capture("activity", {"user_email": user, **payload}).json()
    assert answer["activity_id"]
    assert "warnings" not in answer
    assert_stored(capture_service, user, activity_type, data)


@pytest.mark.parametrize(
    ("payload", "activity_type", "data"), [one for one in PAYLOADS if "type" not in one[0]]
)
def test_activity_in_a_batch_is_the_same(
    capture_service: RunningService,
    user: str,
    payload: dict[str, Any],
    activity_type: str | None,
    data: Any,
) -> None:
    body = {"captures": [{"type": "activity", "user_email": user, **payload}]}
    [answer] = capture_service.capture("batch", body).json()["answers"]
    assert answer["activity_id"]
    assert "warnings" not in answer
    assert_stored(capture_service, user, activity_type, data)


def test_each_activity_is_one_row_and_one_that_is_sent_again_is_none(
    capture_service: RunningService, user: str
) -> None:
    activity = {"user_email": user, "activity_type": "trade_closed", "activity_data": DATA}
    for capture_id in ("one", "two", "two"):
        capture_service.capture("activity", {**activity, "capture_id": capture_id})
    assert len(stored(capture_service, user)) == 2


def test_secrets_of_an_activity_are_masked(capture_service: RunningService, user: str) -> None:
    data = {"card_number": "4242 4242 4242 4242", "apiKey": "k-secret-1", "pair": "EURUSD"}
    capture_service.capture(
        "activity", {"user_email": user, "activity_type": "x", "activity_data": data}
    )
    [row] = stored(capture_service, user)
    assert "4242 4242" not in row["activity_data"]
    assert "k-secret" not in row["activity_data"]
    assert json.loads(row["activity_data"])["pair"] == "EURUSD"


def test_activities_are_counted_exported_erased_and_described(tmp_path: Path) -> None:
    service = capture_service_in(tmp_path, EDC_ADMIN_TOKEN=TOKEN)
    service.start()
    try:
        user, other = "ann@example.com", "ben@example.com"
        for email in (user, user, other):
            activity = {"user_email": email, "activity_type": "login", "activity_data": DATA}
            assert service.capture("activity", activity).status_code == 201
        api = f"{service.url}/api/data-capture"
        counts = requests.get(f"{api}/stats/{user}", timeout=30).json()
        assert counts["data_counts"]["activities"] == counts["total_data_points"] == 2
        admin = {"Authorization": f"Bearer {TOKEN}"}
        export = requests.get(f"{api}/users/{user}/export", headers=admin, timeout=30).json()
        assert [row["activity_type"] for row in export["trading_activity_log"]] == [
            "login",
            "login",
        ]
        erased = requests.delete(f"{api}/users/{user}", headers=admin, timeout=30).json()
        assert erased["erased"]["trading_activity_log"] == 2
        left = service.rows("SELECT user_email FROM trading_activity_log")
        assert [row["user_email"] for row in left] == [other]
        paths = requests.get(f"{service.url}/openapi.json", timeout=30).json()["paths"]
        assert "post" in paths["/api/data-capture/activity"]
    finally:
        service.stop()
