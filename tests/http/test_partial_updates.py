"""Test partial updates: they change what they say, and leave everything else as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.services import RunningService
from tests.support.stored_rows import rows_of

PARTIAL = {"partial": True}

STATES: dict[str, dict[str, Any]] = {
    "payment": {
        "transaction_id": "TX-1",
        "user_name": "Ann Example",
        "plan_name": "Pro",
        "original_price": "199.99",
        "discount_amount": 20,
        "final_price": "179.99",
        "currency": "EUR",
        "coupon_code": "SAVE10",
        "payment_method": "card",
        "payment_status": "pending",
        "payment_processor": "stripe",
    },
    "questionnaire": {
        "user_name": "Ann Example",
        "tradesPerDay": "3-5",
        "tradingSession": "London",
        "cryptoAssets": ["BTC"],
        "forexAssets": ["EURUSD"],
        "hasAccount": "yes",
        "accountEquity": "1000.50",
        "accountSize": "$100,000",
        "riskPercentage": "1.5",
        "riskRewardRatio": "1:2",
        "screenshot": "iVBORw0KGgo=",
    },
    "dashboard": {
        "user_name": "Ann Example",
        "theme": "light",
        "dashboardData": {"account": {"balance": 900, "leverage": 30}, "broker": "A"},
        "tradingState": {
            "initialEquity": 1000,
            "currentEquity": "1010.25",
            "bot": {"name": "grid", "on": True},
            "performanceMetrics": {"totalPnl": 10.25, "winRate": 62.5, "totalTrades": 8},
        },
    },
}

# By kind: an update, and the columns that it changes.
UPDATES: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {
    "payment": [
        ({"payment_status": "completed"}, {"payment_status": "completed"}),
        ({"status": "refunded"}, {"payment_status": "refunded"}),
        ({"final_price": 150}, {"final_price": 150}),
        ({"amount": "$150.50"}, {"final_price": 150.5}),
        ({"coupon": {"code": "OTHER"}}, {"coupon_code": "OTHER"}),
        ({"payment_method": "paypal", "coupon_code": None}, {"payment_method": "paypal"}),
        ({"user_name": "Ann Other", "plan_name": ""}, {"user_name": "Ann Other"}),
        ({"crypto_transaction_hash": "0xabc"}, {"crypto_transaction_hash": "0xabc"}),
        ({"discount_amount": 0, "final_price": "N/A"}, {"discount_amount": 0}),
        ({"plan_name": "Basic", "amount": "lots"}, {"plan_name": "Basic"}),
    ],
    "questionnaire": [
        ({"tradesPerDay": "1-2"}, {"trades_per_day": "1-2"}),
        ({"trades_per_day": "1-2", "tradingSession": ""}, {"trades_per_day": "1-2"}),
        ({"cryptoAssets": ["ETH"]}, {"crypto_assets": '["ETH"]'}),
        ({"forex_assets": []}, {"forex_assets": "[]"}),
        ({"accountSize": "50000"}, {"account_size": 50000}),
        ({"accountSize": 50000, "account_equity": None}, {"account_size": 50000}),
        ({"questionnaire": {"riskPerTrade": "2%"}}, {"risk_percentage": 2}),
        ({"riskManagement": {"riskRewardRatio": "1:3"}}, {"risk_reward_ratio": "1:3"}),
        ({"has_account": "no", "accountSize": "some"}, {"has_account": "no"}),
        ({"prop_firm": "A"}, {"prop_firm": "A"}),
    ],
    "dashboard": [
        ({"current_equity": 1020}, {"current_equity": 1020}),
        ({"current_equity": "1020.00", "total_pnl": 20}, {"current_equity": 1020, "total_pnl": 20}),
        ({"tradingState": {"currentEquity": 1020}}, {"current_equity": 1020}),
        (
            {"tradingState": {"performanceMetrics": {"winRate": 70}}},
            {"win_rate": 70},
        ),
        ({"theme": "dark"}, {"theme": "dark"}),
        ({"selected_theme": "blue", "current_equity": None}, {"theme": "blue"}),
        ({"theme": "", "max_drawdown": 5}, {"max_drawdown": 5}),
        ({"dashboardData": {"account": {"balance": 950}}}, {"account_balance": 950}),
        ({"account_balance": 950, "current_equity": "lots"}, {"account_balance": 950}),
        ({"total_trades": 9, "winning_trades": 6}, {"total_trades": 9, "winning_trades": 6}),
    ],
}
ALL_UPDATES = [(kind, *update) for kind, updates in UPDATES.items() for update in updates]

NOT_STATE = {"id", "user_email", "created_at", "updated_at", "ip_address", "user_agent"}
JSON_STATES = {"dashboard_state", "trading_state"}


def state_of(row: dict[str, Any]) -> dict[str, Any]:
    return {column: row[column] for column in row.keys() - NOT_STATE - JSON_STATES}


def about(kind: str) -> dict[str, Any]:
    """Return what a partial update of a kind must say to be about the state."""
    return {"transaction_id": "TX-1"} if kind == "payment" else {}


@pytest.mark.parametrize(("kind", "update", "changes"), ALL_UPDATES)
def test_a_partial_update_changes_only_what_it_says(
    capture_service: RunningService,
    user: str,
    send: Any,
    kind: str,
    update: dict[str, Any],
    changes: dict[str, Any],
) -> None:
    results = send(kind, STATES[kind], {**about(kind), **update, **PARTIAL})
    assert all(result["success"] for result in results)
    before, after = rows_of(capture_service, kind, user)
    assert state_of(after) == state_of(before) | changes
    for column in JSON_STATES & before.keys():
        assert after[column] is not None


@pytest.mark.parametrize(("kind", "update", "changes"), ALL_UPDATES)
def test_the_same_save_without_the_mark_says_everything(
    capture_service: RunningService,
    user: str,
    send: Any,
    kind: str,
    update: dict[str, Any],
    changes: dict[str, Any],
) -> None:
    send(kind, STATES[kind], {**about(kind), **update})
    *_, after = rows_of(capture_service, kind, user)
    assert None in state_of(after).values()
    assert all(after[column] == value for column, value in changes.items())
    if kind == "dashboard":
        assert after["theme"] == changes.get("theme", "dark")


@pytest.mark.parametrize(
    ("kind", "update"),
    [
        *((kind, {}) for kind in STATES),
        *((kind, STATES[kind]) for kind in STATES),
        ("payment", {"final_price": "179.99", "timestamp": 1}),
        ("payment", {"plan": "Pro", "amount": "€179.99"}),
        ("questionnaire", {"trades_per_day": "3-5"}),
        ("questionnaire", {"accountSize": 100000, "tradingSession": None}),
        ("dashboard", {"theme": "light"}),
        ("dashboard", {"theme": ""}),
        ("dashboard", {"tradingState": {"currentEquity": "1010.25"}}),
        (
            "dashboard",
            {"tradingState": {"performanceMetrics": {"winRate": 62.5, "lossRate": None}}},
        ),
        ("dashboard", {"dashboardData": {"broker": "A"}}),
    ],
)
def test_a_partial_update_that_changes_nothing_adds_no_row(
    capture_service: RunningService, user: str, send: Any, kind: str, update: dict[str, Any]
) -> None:
    _, result = send(kind, STATES[kind], {**about(kind), **update, **PARTIAL})
    [row] = rows_of(capture_service, kind, user)
    assert result[f"{kind}_id"] == row["id"]
    assert result.get("duplicate") or result.get("updated")
    if update is STATES[kind]:
        assert result["duplicate"] is True, "the mark is no content"


@pytest.mark.parametrize("kind", STATES)
def test_a_partial_update_without_an_earlier_state_is_stored_as_it_is(
    capture_service: RunningService, user: str, send: Any, kind: str
) -> None:
    [result] = send(kind, {**STATES[kind], **PARTIAL})
    assert "updated" not in result
    [row] = rows_of(capture_service, kind, user)
    whole = f"whole-{user}"
    capture_service.capture(kind, {"user_email": whole, **STATES[kind]})
    assert state_of(row) == state_of(rows_of(capture_service, kind, whole)[0])


def test_the_default_theme_is_stored_with_the_first_state(
    capture_service: RunningService, user: str, send: Any
) -> None:
    send("dashboard", {"current_equity": 5, **PARTIAL})
    [row] = rows_of(capture_service, "dashboard", user)
    assert (row["theme"], row["current_equity"]) == ("dark", 5)
    assert json.loads(row["dashboard_state"]) == {"current_equity": 5}


def test_states_in_json_are_laid_over_member_by_member(
    capture_service: RunningService, user: str, send: Any
) -> None:
    update = {
        "dashboardData": {"account": {"balance": 950}, "note": "new"},
        "tradingState": {"bot": {"on": False, "name": None}, "trades": [1], "currentEquity": None},
    }
    send("dashboard", STATES["dashboard"], {**update, **PARTIAL})
    *_, row = rows_of(capture_service, "dashboard", user)
    assert json.loads(row["dashboard_state"]) == {
        "account": {"balance": 950, "leverage": 30},
        "broker": "A",
        "note": "new",
    }
    before = STATES["dashboard"]["tradingState"]
    assert json.loads(row["trading_state"]) == before | {
        "bot": {"name": "grid", "on": False},
        "trades": [1],
    }


def test_partial_updates_follow_each_other(
    capture_service: RunningService, user: str, send: Any
) -> None:
    equities = [1020, 1030, 1020]
    results = send(
        "dashboard",
        STATES["dashboard"],
        *({"current_equity": equity, **PARTIAL} for equity in equities),
        {"theme": "blue", **PARTIAL},
        {"theme": "blue", **PARTIAL},
    )
    found = rows_of(capture_service, "dashboard", user)
    assert [row["current_equity"] for row in found] == [1010.25, *equities, 1020]
    assert [row["theme"] for row in found] == ["light"] * 4 + ["blue"]
    assert [row["win_rate"] for row in found] == [62.5] * 5
    assert results[-1]["duplicate"] is True


def test_a_whole_state_after_a_partial_one_is_not_taken_for_it(
    capture_service: RunningService, user: str, send: Any
) -> None:
    send("dashboard", STATES["dashboard"], {"current_equity": 5, **PARTIAL}, {"current_equity": 5})
    *_, last = rows_of(capture_service, "dashboard", user)
    assert (last["current_equity"], last["win_rate"], last["theme"]) == (5, None, "dark")


@pytest.mark.parametrize("mark", [False, None, "yes", 1, {}, ["partial"]])
def test_only_true_marks_a_partial_update(
    capture_service: RunningService, user: str, send: Any, mark: Any
) -> None:
    send("dashboard", STATES["dashboard"], {"current_equity": 5, "partial": mark})
    *_, last = rows_of(capture_service, "dashboard", user)
    assert last["win_rate"] is None


@pytest.mark.parametrize(
    "update",
    [
        {"current_equity": 5, "partial": "true"},
        {"current_equity": 5, "partial": " True "},
        {"currentEquity": "5", "partial": "TRUE"},
        {"data": {"current_equity": 5, "partial": True}},
        {"payload": {"current_equity": 5, "partial": "true"}},
        {"data": {"type": "dashboards", "attributes": {"current_equity": 5, "partial": True}}},
        {"state": {"current_equity": 5, "partial": True}, "version": 0},
        {"dashboard[current_equity]": "5", "dashboard[partial]": "true"},
        {"json": {"current_equity": 5, "partial": True}},
        {"record": {"current_equity": 5, "partial": True}},
    ],
)
def test_the_mark_of_a_form_or_an_envelope_counts(
    capture_service: RunningService, user: str, send: Any, update: dict[str, Any]
) -> None:
    send("dashboard", STATES["dashboard"], update)
    *_, last = rows_of(capture_service, "dashboard", user)
    assert (last["current_equity"], last["win_rate"], last["theme"]) == (5, 62.5, "light")
    assert "partial" not in json.loads(last["dashboard_state"])


@pytest.mark.parametrize(
    ("mark", "is_warned_of"),
    [
        (1, True), ("1", True), ("yes", True), ("on", True), ("Y", True),
        (0, False), (False, False), ("false", False), (None, False), ("", False), ({}, False),
        (["partial"], False), ("close", False),
    ],
)  # fmt: skip
def test_a_mark_that_could_mean_true_is_warned_of(send: Any, mark: Any, is_warned_of: bool) -> None:
    result = send("dashboard", {"current_equity": 5, "partial": mark})[-1]
    warned = [warning["field"] for warning in result.get("warnings", [])]
    assert warned == (["partial"] if is_warned_of else [])


def test_the_mark_stays_in_the_snapshot_and_out_of_the_state(
    capture_service: RunningService, user: str, send: Any
) -> None:
    send("dashboard", {"current_equity": 5, **PARTIAL})
    [record] = capture_service.rows(
        "SELECT data_snapshot FROM data_capture_audit WHERE user_email = ?", user
    )
    assert json.loads(record["data_snapshot"]) == {
        "user_email": user, "current_equity": 5, "partial": True,
    }  # fmt: skip
    [row] = rows_of(capture_service, "dashboard", user)
    assert "partial" not in json.loads(row["dashboard_state"])


def test_an_unreadable_value_leaves_the_stored_one(
    capture_service: RunningService, user: str, send: Any
) -> None:
    _, result = send("dashboard", STATES["dashboard"], {"current_equity": "lots", **PARTIAL})
    [warning] = result["warnings"]
    assert warning["message"].endswith("so the stored value stays")
    [row] = rows_of(capture_service, "dashboard", user)
    assert row["current_equity"] == 1010.25


def test_a_payment_is_updated_by_its_number(
    capture_service: RunningService, user: str, send: Any
) -> None:
    other = STATES["payment"] | {"transaction_id": "TX-2", "final_price": 5, "currency": "USD"}
    update = {"transaction_id": "TX-1", "payment_status": "completed", **PARTIAL}
    unknown = {"transaction_id": "TX-3", "payment_status": "completed", **PARTIAL}
    unnumbered = {"payment_status": "completed", **PARTIAL}
    send("payment", STATES["payment"], other, update, unknown, unnumbered)
    latest = capture_service.rows(
        "SELECT transaction_id, status, currency, amount_minor FROM payments_latest"
        " WHERE user_email = ? ORDER BY transaction_id",
        user,
    )
    assert [tuple(row.values()) for row in latest] == [
        (None, "completed", None, None),
        ("TX-1", "completed", "EUR", 17999),
        ("TX-2", "pending", "USD", 500),
        ("TX-3", "completed", None, None),
    ]


def test_an_activity_has_no_state_to_be_updated(
    capture_service: RunningService, user: str, send: Any
) -> None:
    send("activity", {"activity_type": "login", "activity_data": {"a": 1}}, {**PARTIAL})
    found = rows_of(capture_service, "activity", user)
    assert [row["activity_type"] for row in found] == ["login", None]


def test_a_partial_update_that_is_sent_again_gets_its_first_response(
    capture_service: RunningService, user: str
) -> None:
    capture_service.capture("dashboard", {"user_email": user, **STATES["dashboard"]})
    update = {"user_email": user, "theme": "blue", "capture_id": f"c-{user[:17]}", **PARTIAL}
    responses = [capture_service.capture("dashboard", update) for _ in range(2)]
    capture_service.capture("dashboard", {"user_email": user, "theme": "red", **PARTIAL})
    responses.append(capture_service.capture("dashboard", update))
    assert len({response.text for response in responses}) == 1
    assert [row["theme"] for row in rows_of(capture_service, "dashboard", user)] == [
        "light", "blue", "red",
    ]  # fmt: skip


def test_a_users_update_is_not_laid_over_another_users_state(
    capture_service: RunningService, user: str, send: Any
) -> None:
    capture_service.capture("dashboard", {"user_email": f"other-{user}", **STATES["dashboard"]})
    send("dashboard", {"current_equity": 5, **PARTIAL})
    [row] = rows_of(capture_service, "dashboard", user)
    assert (row["win_rate"], row["theme"]) == (None, "dark")


def test_a_large_state_is_kept_and_not_merged(
    capture_service: RunningService, user: str, send: Any
) -> None:
    trades = [{"id": number, "note": "x" * 300} for number in range(1000)]
    update = {"tradingState": {"currentEquity": 7}, **PARTIAL}
    send("dashboard", {"tradingState": {"currentEquity": 5, "trades": trades}}, update)
    before, after = rows_of(capture_service, "dashboard", user)
    assert (before["current_equity"], after["current_equity"]) == (5, 7)
    assert after["trading_state"] == before["trading_state"]
