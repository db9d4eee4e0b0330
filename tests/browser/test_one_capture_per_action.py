"""Test merging: one capture per save, also if a page saves in several places."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.page_code import fetch_js, set_item_js, xhr_js

ANSWERS = {
    "tradesPerDay": "1-2",
    "cryptoAssets": ["BTC"],
    "accountSize": "10000",
    "riskPercentage": "1.5",
}


@pytest.mark.slow
def test_questionnaire_seen_in_five_places_becomes_one_merged_capture(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open("<script>function storeQuestionnaireData() {}</script>", user=user)
    request = {
        "user_email": user,
        "user_name": "Ann",
        "trades_per_day": "1-2",
        "account_size": 10000,
        "account_number": "77",
    }
    steps = [
        set_item_js(
            "localStorage",
            "questionnaireAnswers",
            {**ANSWERS, "propFirm": "from storage", "accountType": "demo"},
        ),
        set_item_js("sessionStorage", "currentQuestionnaire", ANSWERS),
        f"storeQuestionnaireData({json.dumps({**ANSWERS, 'propFirm': 'from the call'})})",
        xhr_js("/api/users/7/questionnaire", {**ANSWERS, "accountSize": 10000}),
        fetch_js("/api/questionnaire", request),
    ]
    visit.run(
        "async () => {" + "; await new Promise((ready) => setTimeout(ready, 30));".join(steps) + "}"
    )
    visit.eventually(lambda: proxy.received, "the script stops waiting for further signals")
    [row] = stored("questionnaire_data")
    assert len(proxy.received) == 1
    assert (row["user_name"], row["prop_firm"], row["account_type"]) == (
        "Ann",
        "from the call",
        "demo",
    )
    assert proxy.received[0].body["account_number"] == "77"


@pytest.mark.slow
def test_stored_receipt_and_repeated_request_are_one_payment_until_its_status_changes(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    payment = {"transaction_id": "TX-9", "plan": "Pro", "payment_status": "pending"}
    visit.open(user=user)
    details = set_item_js("localStorage", "payment_details", {"paymentId": "TX-9"})
    visit.run(f"() => {{ {fetch_js('/api/payments', payment)}; {details} }}")
    assert len(stored("payment_data")) == 1
    visit.open(user=user)
    again = {"email": user, "plan": "Pro", "transactionId": "TX-9", "timestamp": 1}
    visit.run(set_item_js("localStorage", "payment_success_data", again))
    visit.flush()
    assert len(proxy.received) == 1
    visit.run(f"() => {{ {fetch_js('/api/payments', {**payment, 'updated_at': 2})} }}")
    assert visit.flush() == {"success": True}
    assert len(stored("payment_data")) == 1
    visit.run(
        f"() => {{ {fetch_js('/api/payments', {**payment, 'payment_status': 'completed'})} }}"
    )
    assert len(stored("payment_data", 2)) == 2


def test_different_saves_at_the_same_time_are_different_captures(
    visit: Any, proxy: Any, user: str
) -> None:
    visit.open("<script>function storeQuestionnaireData() {}</script>", user=user)
    visit.run(
        """() => {
          for (const n of [1, 2]) {
            const body = JSON.stringify({transaction_id: 'T' + n});
            fetch('/api/payments', {method: 'POST', body});
            storeQuestionnaireData({tradesPerDay: String(n)});
          }
          storeQuestionnaireData({tradesPerDay: '2'});
        }"""
    )
    visit.flush()
    assert (
        sorted(capture.kind for capture in proxy.received)
        == ["payment"] * 2 + ["questionnaire"] * 2
    )


@pytest.mark.slow
def test_unchanged_dashboard_is_not_sent_again(visit: Any, proxy: Any, user: str) -> None:
    visit.open("<script>function saveDashboardToSupabase() {}</script>", user=user)
    for equity in (100, 100, 101, 100, 100):
        state = {"currentEquity": equity, "lastUpdated": f"{equity}"}
        visit.run(set_item_js("localStorage", f"trading_state_{user}", state))
        visit.run(
            "(state) => saveDashboardToSupabase({theme: 1}, state, 'dark')",
            {**state, "timestamp": id(state)},
        )
        visit.flush()
    assert [capture.body["tradingState"]["currentEquity"] for capture in proxy.received] == [
        100,
        101,
        100,
    ]


@pytest.mark.slow
def test_save_repeated_80_times_a_second_becomes_one_capture(
    visit: Any, proxy: Any, user: str
) -> None:
    visit.open(user=user)
    visit.run(
        """async () => {
          for (let n = 0; n < 160; n++) {
            const stored = JSON.stringify({plan: 'Pro', finalPrice: 49, timestamp: n});
            const body = JSON.stringify({plan: 'Pro', final_price: 49, timestamp: n});
            localStorage.setItem('payment_success_data', stored);
            fetch('/api/payments', {method: 'POST', body});
            await new Promise((ready) => setTimeout(ready, 12));
          }
        }"""
    )
    visit.flush()
    assert len(proxy.received) == 1


@pytest.mark.slow
def test_state_written_after_a_logout_is_not_captured_on_this_or_the_next_page(
    visit: Any, proxy: Any, user: str
) -> None:
    visit.open(user=user)
    visit.eventually(
        lambda: visit.run("enhancedDataCapture.status()")["storage"] == "indexedDB",
        "the database is open",
    )
    default = set_item_js("localStorage", f"trading_state_{user}", {"currentEquity": 10000})
    visit.run(f"() => {{ localStorage.removeItem('current_user'); {default} }}")
    visit.flush()
    visit.open()
    visit.run(default)
    assert visit.flush() == {"success": True}
    assert proxy.received == []


def test_remaining_storage_of_a_logged_out_user_identifies_no_user_on_the_next_page(
    visit: Any, proxy: Any, user: str
) -> None:
    visit.open(
        before=f"<script>localStorage.user_data = JSON.stringify({{email: '{user}'}})</script>",
        user=user,
    )
    visit.run("enhancedDataCapture.status()")
    visit.run("localStorage.removeItem('current_user')")
    visit.open()
    visit.run(set_item_js("localStorage", "payment_details", {"plan": "Pro"}))
    assert visit.flush() == {"success": False, "queued": True, "waiting": 1}
    assert proxy.received == []
