"""Test that a questionnaire that a page saves step by step is one row that grows."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.support.services import RunningService
from tests.support.stored_rows import rows_of

PARTIAL = {"partial": True}

# A questionnaire of four steps; each save has only the answers of its step.
STEPS: list[dict[str, Any]] = [
    {"user_name": "Ann Example", "tradesPerDay": "3-5", "tradingSession": "London"},
    {"cryptoAssets": ["BTC"], "forexAssets": ["EURUSD"], "customForexPairs": ["USDNOK"]},
    {"hasAccount": "yes", "accountEquity": "1000.50", "propFirm": "A", "accountType": "demo"},
    {"accountSize": "$100,000", "riskPercentage": "1.5", "riskRewardRatio": "1:2"},
]
ANSWERS = {
    "user_name": "Ann Example", "trades_per_day": "3-5", "trading_session": "London",
    "crypto_assets": '["BTC"]', "forex_assets": '["EURUSD"]', "custom_forex_pairs": '["USDNOK"]',
    "has_account": "yes", "account_equity": 1000.5, "prop_firm": "A", "account_type": "demo",
    "account_size": 100000, "risk_percentage": 1.5, "risk_reward_ratio": "1:2",
}  # fmt: skip


def assert_is_one_questionnaire(service: RunningService, user: str) -> None:
    [row] = rows_of(service, "questionnaire", user)
    assert {column: row[column] for column in ANSWERS} == ANSWERS


@pytest.mark.parametrize("first", [PARTIAL, {}], ids=["all marked", "the first one is whole"])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2), (2, 3, 1, 0)])
def test_a_questionnaire_that_is_saved_step_by_step_is_one_that_grows(
    capture_service: RunningService,
    user: str,
    send: Any,
    first: dict[str, Any],
    order: tuple[int, ...],
) -> None:
    marks = [first, PARTIAL, PARTIAL, PARTIAL]
    results = send(
        "questionnaire", *({**STEPS[step], **mark} for step, mark in zip(order, marks, strict=True))
    )
    assert_is_one_questionnaire(capture_service, user)
    assert len({result["questionnaire_id"] for result in results}) == 1
    assert [result.get("updated") for result in results] == [None, True, True, True]
    trail = capture_service.rows(
        "SELECT 1 FROM audit_logs WHERE user_email = ? AND capture_type = 'questionnaire'", user
    )
    assert len(trail) == len(STEPS)


def test_each_step_may_repeat_the_answers_before_it(
    capture_service: RunningService, user: str, send: Any
) -> None:
    saves: list[dict[str, Any]] = []
    for step in STEPS:
        saves.append({**(saves[-1] if saves else {}), **step, **PARTIAL})
    send("questionnaire", *saves, saves[-1])
    assert_is_one_questionnaire(capture_service, user)


def test_whole_questionnaires_that_repeat_all_answers_and_add_some_are_one_that_grows(
    capture_service: RunningService, user: str, send: Any
) -> None:
    saves: list[dict[str, Any]] = []
    for step in STEPS:
        saves.append({**(saves[-1] if saves else {}), **step})
    send("questionnaire", *saves, saves[-1])
    assert_is_one_questionnaire(capture_service, user)


def test_a_whole_questionnaire_that_leaves_out_an_answer_is_another_one(
    capture_service: RunningService, user: str, send: Any
) -> None:
    send("questionnaire", STEPS[0], STEPS[1])
    first, last = rows_of(capture_service, "questionnaire", user)
    assert (first["trades_per_day"], first["crypto_assets"]) == ("3-5", None)
    assert (last["trades_per_day"], last["crypto_assets"]) == (None, '["BTC"]')


def test_a_changed_answer_keeps_the_earlier_one(
    capture_service: RunningService, user: str, send: Any
) -> None:
    saves = [{**step, **PARTIAL} for step in STEPS]
    send("questionnaire", *saves, {"tradesPerDay": "1-2", **PARTIAL})
    first, last = rows_of(capture_service, "questionnaire", user)
    assert {column: first[column] for column in ANSWERS} == ANSWERS
    assert {column: last[column] for column in ANSWERS} == {**ANSWERS, "trades_per_day": "1-2"}


@pytest.mark.parametrize(("hours", "wanted"), [((3, 2.5, 2.2, 1.5), 1), ((30, 20, 10, 1), 4)])
def test_answers_of_another_visit_are_another_questionnaire(
    capture_service: RunningService, user: str, send: Any, hours: tuple[float, ...], wanted: int
) -> None:
    now = datetime.now(timezone.utc)
    send("questionnaire", *(
        {**step, **PARTIAL, "capture_timestamp": (now - timedelta(hours=ago)).isoformat()}
        for step, ago in zip(STEPS, hours, strict=True)
    ))  # fmt: skip
    rows = rows_of(capture_service, "questionnaire", user)
    assert len(rows) == wanted
    assert {column: rows[-1][column] for column in ANSWERS} == ANSWERS


def test_a_step_of_another_user_does_not_grow_a_row(
    capture_service: RunningService, user: str, send: Any
) -> None:
    send(
        "questionnaire", {**STEPS[0], **PARTIAL}, {**STEPS[1], **PARTIAL, "user_email": f"b{user}"}
    )
    assert len(rows_of(capture_service, "questionnaire", user)) == 1
    [other] = rows_of(capture_service, "questionnaire", f"b{user}")
    assert other["trades_per_day"] is None
