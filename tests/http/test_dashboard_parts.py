"""Test that one state of a dashboard is one row, in whatever parts and shapes a page saves it."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from tests.support.services import RunningService

FLAT: dict[str, Any] = {
    "current_equity": "10250.50", "total_pnl": 250.5, "win_rate": 62.5, "total_trades": 8,
    "open_positions": [{"pair": "EURUSD", "id": 7}], "selected_market": "forex",
}  # fmt: skip
KEYS: dict[str, Any] = {
    "dashboardData": {"account": {"balance": 900}, "userProfile": {"accountSize": "50000"}},
    "tradingState": {
        "initialEquity": 10000, "currentEquity": 10250.5,
        "performanceMetrics": {"totalPnl": 250.5, "winRate": 62.5, "totalTrades": 8},
        "openPositions": [{"pair": "EURUSD", "id": 7}],
    },
}  # fmt: skip
STATES: dict[str, dict[str, Any]] = {
    "flat": FLAT,
    "keys": KEYS,
    "keys and request": {**KEYS, **FLAT, "theme": "light"},
    "envelope": {"data": FLAT},
    "with a theme": {**FLAT, "theme": "light"},
}
FRESH = [
    {"id": "{}"}, {"last_activity": "{}"}, {"updatedAt": "{}"}, {"uuid": "u-{}", "lastSeen": "{}"},
    {"timestamps": {"saved": "{}"}, "record_id": "r-{}"}, {"LAST_UPDATED": "{}", "etag": "{}"},
]  # fmt: skip


def rows_of(service: RunningService, user: str) -> list[dict[str, Any]]:
    return service.rows("SELECT * FROM dashboard_data WHERE user_email = ? ORDER BY id", user)


@pytest.fixture(params=["single", "batch"])
def send(request: pytest.FixtureRequest, capture_service: RunningService, user: str) -> Any:
    """Return a function that sends dashboards of the user, and returns the results."""

    def send(*payloads: dict[str, Any]) -> list[dict[str, Any]]:
        captures = [{"user_email": user, **payload} for payload in payloads]
        if request.param == "single":
            results = [capture_service.capture("dashboard", one).json() for one in captures]
        else:
            body = {"captures": [{"type": "dashboard", **one} for one in captures]}
            results = capture_service.capture("batch", body).json()["answers"]
        assert all(result["success"] for result in results)
        return results

    return send


@pytest.mark.parametrize("shape", STATES)
@pytest.mark.parametrize("fresh", FRESH)
def test_unchanged_dashboard_with_fresh_times_and_ids_is_one_row(
    capture_service: RunningService, user: str, send: Any, shape: str, fresh: dict[str, Any]
) -> None:
    texts = (json.dumps(fresh).replace("{}", str(number)) for number in range(6))
    send(*({**STATES[shape], **json.loads(text)} for text in texts))
    assert len(rows_of(capture_service, user)) == 1


def test_fresh_times_inside_the_state_add_no_row(
    capture_service: RunningService, user: str, send: Any
) -> None:
    send(*(
        {"tradingState": {**KEYS["tradingState"], "id": number, "lastUpdate": number},
         "dashboardData": {**KEYS["dashboardData"], "updated_at": number}}
        for number in range(6)
    ))  # fmt: skip
    assert len(rows_of(capture_service, user)) == 1


@pytest.mark.parametrize("parts", [*itertools.permutations([FLAT, KEYS, STATES["envelope"]], 2)])
def test_parts_of_a_state_that_was_saved_whole_are_the_same_row(
    capture_service: RunningService, user: str, send: Any, parts: tuple[dict[str, Any], ...]
) -> None:
    whole = STATES["keys and request"]
    send(whole, parts[0], whole, parts[1], parts[0], whole)
    [row] = rows_of(capture_service, user)
    assert (row["theme"], row["account_balance"], row["win_rate"]) == ("light", 900, 62.5)


@pytest.mark.parametrize(
    "change",
    [
        {"current_equity": 10251}, {"total_pnl": "-1"}, {"theme": "blue"}, {"winning_trades": 5},
        {"open_positions": []}, {"open_positions": [{"pair": "EURUSD", "id": 8}]},
    ],
)  # fmt: skip
def test_a_change_in_a_part_is_a_new_row(
    capture_service: RunningService, user: str, send: Any, change: dict[str, Any]
) -> None:
    send(STATES["keys and request"], FLAT, {**FLAT, **change}, {**FLAT, **change})
    assert len(rows_of(capture_service, user)) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"tradingState": {**KEYS["tradingState"], "openPositions": []}},
        {"dashboardData": {**KEYS["dashboardData"], "account": {"balance": 901}}},
        {"dashboardData": {**KEYS["dashboardData"], "notes": "x"}},
    ],
)
def test_a_change_in_a_nested_state_is_a_new_row(
    capture_service: RunningService, user: str, send: Any, change: dict[str, Any]
) -> None:
    send(STATES["keys and request"], KEYS, {**KEYS, **change}, {**KEYS, **change})
    assert len(rows_of(capture_service, user)) == 2
