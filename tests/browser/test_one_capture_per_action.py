"""One save that a page shows in several places is one capture; two different saves are two."""

from __future__ import annotations

import json
from typing import Any

from tests.browser.test_signals import fetched, sent_by_xhr, written

ANSWERS = {
    "tradesPerDay": "1-2",
    "cryptoAssets": ["BTC"],
    "accountSize": "10000",
    "riskPercentage": "1.5",
}


def test_a_questionnaire_that_shows_up_in_five_places_is_one_capture_with_the_union(
    visit: Any, front: Any, stored: Any, user: str
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
        written(
            "localStorage",
            "questionnaireAnswers",
            {**ANSWERS, "propFirm": "from storage", "accountType": "demo"},
        ),
        written("sessionStorage", "currentQuestionnaire", ANSWERS),
        f"storeQuestionnaireData({json.dumps({**ANSWERS, 'propFirm': 'from the call'})})",
        sent_by_xhr("/api/users/7/questionnaire", {**ANSWERS, "accountSize": 10000}),
        fetched("/api/questionnaire", request),
    ]
    visit.run(
        "async () => {" + "; await new Promise((ready) => setTimeout(ready, 30));".join(steps) + "}"
    )
    visit.page.wait_for_timeout(1100)
    [row] = stored("questionnaire_data")
    assert len(front.posts) == 1
    assert (row["user_name"], row["prop_firm"], row["account_type"]) == (
        "Ann",
        "from the call",
        "demo",
    )
    assert front.posts[0].body["account_number"] == "77"


def test_a_payment_is_captured_once_a_day_also_on_the_next_page_and_a_new_status_is_news(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    payment = {"transaction_id": "TX-9", "plan": "Pro", "payment_status": "pending"}
    visit.open(user=user)
    details = written("localStorage", "payment_details", {"paymentId": "TX-9"})
    visit.run(f"() => {{ {fetched('/api/payments', payment)}; {details} }}")
    assert len(stored("payment_data")) == 1
    visit.open(user=user)
    again = {"email": user, "plan": "Pro", "transactionId": "TX-9", "timestamp": 1}
    visit.run(written("localStorage", "payment_success_data", again))
    visit.run(f"() => {{ {fetched('/api/payments', {**payment, 'updated_at': 2})} }}")
    visit.flush()
    assert len(front.posts) == 1
    visit.run(f"() => {{ {fetched('/api/payments', {**payment, 'payment_status': 'completed'})} }}")
    assert len(stored("payment_data", 2)) == 2


def test_different_saves_in_one_moment_are_different_captures(
    visit: Any, front: Any, user: str
) -> None:
    visit.open("<script>function storeQuestionnaireData() {}</script>", user=user)
    visit.run(
        """() => {
          for (const n of [1, 2]) {
            fetch('/api/payments', {method: 'POST', body: JSON.stringify({transaction_id: 'T' + n})});
            storeQuestionnaireData({tradesPerDay: String(n)});
          }
          storeQuestionnaireData({tradesPerDay: '2'});
        }"""
    )
    visit.flush()
    assert sorted(post.kind for post in front.posts) == ["payment"] * 2 + ["questionnaire"] * 2


def test_a_dashboard_that_did_not_change_is_not_sent_again(
    visit: Any, front: Any, user: str
) -> None:
    visit.open("<script>function saveDashboardToSupabase() {}</script>", user=user)
    for equity in (100, 100, 101, 100, 100):
        state = {"currentEquity": equity, "lastUpdated": f"{equity}"}
        visit.run(written("localStorage", f"trading_state_{user}", state))
        visit.run(
            f"saveDashboardToSupabase({{theme: 1}}, {json.dumps({**state, 'timestamp': id(state)})}, 'dark')"
        )
        visit.flush()
    assert [post.body["tradingState"]["currentEquity"] for post in front.posts] == [100, 101, 100]


def test_a_page_that_rewrites_the_same_80_times_a_second_yields_one_capture(
    visit: Any, front: Any, user: str
) -> None:
    visit.open(user=user)
    visit.run(
        """async () => {
          for (let n = 0; n < 160; n++) {
            localStorage.setItem('payment_success_data', JSON.stringify({plan: 'Pro', finalPrice: 49, timestamp: n}));
            fetch('/api/payments', {method: 'POST', body: JSON.stringify({plan: 'Pro', final_price: 49, timestamp: n})});
            await new Promise((ready) => setTimeout(ready, 12));
          }
        }"""
    )
    visit.flush()
    assert len(front.posts) == 1


def test_a_state_that_is_written_after_the_logout_is_nobodys_also_on_the_next_page(
    visit: Any, front: Any, user: str
) -> None:
    visit.open(user=user)
    visit.eventually(
        lambda: visit.run("enhancedDataCapture.status()")["storage"] == "indexedDB", "the start"
    )
    default = written("localStorage", f"trading_state_{user}", {"currentEquity": 10000})
    visit.run(f"() => {{ localStorage.removeItem('current_user'); {default} }}")
    visit.flush()
    visit.open()
    visit.run(default)
    assert visit.flush() == {"success": True}
    assert front.posts == []


def test_what_the_site_keeps_of_who_logged_out_names_nobody_on_the_next_page(
    visit: Any, front: Any, user: str
) -> None:
    visit.open(
        before=f"<script>localStorage.user_data = JSON.stringify({{email: '{user}'}})</script>",
        user=user,
    )
    visit.run("enhancedDataCapture.status()")
    visit.run("localStorage.removeItem('current_user')")
    visit.open()
    visit.run(written("localStorage", "payment_details", {"plan": "Pro"}))
    assert visit.flush() == {"success": False, "queued": True, "waiting": 1}
    assert front.posts == []
