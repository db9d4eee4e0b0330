"""What pages send, store and submit is captured without their code being touched, and what is no save is left alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

PAYMENT = {
    "plan_name_payment": "Pro",
    "final_price": 49,
    "transaction_id": "TX-1",
    "payment_status": "completed",
}
ANSWERS = {
    "tradesPerDay": "1-2",
    "tradingSession": "London",
    "cryptoAssets": ["BTC"],
    "riskRewardRatio": "3",
}
STATE = {"currentEquity": 10250, "performanceMetrics": {"totalPnl": 250, "totalTrades": 8}}


def fetched(url: str, body: Any, method: str = "POST") -> str:
    headers = "{'Content-Type': 'application/json'}"
    return f"fetch('{url}', {{method: '{method}', headers: {headers}, body: {json.dumps(json.dumps(body))}}})"


def sent_by_xhr(url: str, body: Any) -> str:
    text = json.dumps(json.dumps(body))
    return f"(() => {{ const xhr = new XMLHttpRequest(); xhr.open('POST', '{url}'); xhr.send({text}) }})()"


def written(area: str, key: str, value: Any) -> str:
    return f"{area}.setItem('{key}', {json.dumps(json.dumps(value))})"


SAVES = {
    "fetch": ("payment", fetched("/api/payments", PAYMENT)),
    "fetch with a Request": (
        "payment",
        f"fetch(new Request('/api/payments', {{method: 'POST', body: '{json.dumps(PAYMENT)}'}}))",
    ),
    "fetch with a Blob": (
        "payment",
        f"fetch('/api/payments', {{method: 'POST', body: new Blob([JSON.stringify({PAYMENT})])}})",
    ),
    "fetch with a form": (
        "payment",
        "fetch('/api/payments', {method: 'POST', body: new URLSearchParams('plan=Pro&amount=49')})",
    ),
    "fetch to process": (
        "payment",
        fetched("/api/payment/process", {"amount": 49, "planName": "Pro", "coupon": None}),
    ),
    "XHR": (
        "payment",
        sent_by_xhr(
            "/api/payment/verify-payment", {"token": "s3cret", "plan": "Pro", "amount_paid": 49}
        ),
    ),
    "beacon": ("payment", f"navigator.sendBeacon('/api/payments', JSON.stringify({PAYMENT}))"),
    "payment_success_data": (
        "payment",
        written("localStorage", "payment_success_data", {"planName": "Pro", "finalPrice": 49}),
    ),
    "payment_details": (
        "payment",
        written("localStorage", "payment_details", {"plan": "Pro", "amount": 49, "paymentId": "P"}),
    ),
    "paymentRecord": (
        "payment",
        written("localStorage", "paymentRecord", {"plan": "Pro", "amount": 49, "orderId": "O"}),
    ),
    "supabase insert": ("payment", fetched("/rest/v1/user_payments", PAYMENT)),
    "supabase insert of a list": (
        "payment",
        fetched("/rest/v1/payments?columns=%22plan%22", [PAYMENT]),
    ),
    "supabase rpc": ("payment", fetched("/rest/v1/rpc/save_payment", PAYMENT)),
    "a form": ("payment", "document.querySelector('#checkout').requestSubmit()"),
    "a form without an event": ("payment", "document.querySelector('#checkout').submit()"),
    "questionnaire, fetch": ("questionnaire", fetched("/api/questionnaire", ANSWERS)),
    "questionnaire, XHR": ("questionnaire", sent_by_xhr("/api/users/7/questionnaire", ANSWERS)),
    "questionnaire, simple": (
        "questionnaire",
        fetched("/api/simple/questionnaire", {"questionnaire": ANSWERS}),
    ),
    "questionnaire, submit": ("questionnaire", fetched("/api/questionnaire/submit", ANSWERS)),
    "questionnaireAnswers": (
        "questionnaire",
        written("localStorage", "questionnaireAnswers", ANSWERS),
    ),
    "currentQuestionnaire": (
        "questionnaire",
        written("sessionStorage", "currentQuestionnaire", ANSWERS),
    ),
    "questionnaires, PATCH": (
        "questionnaire",
        fetched("/rest/v1/questionnaires?id=eq.1", ANSWERS, "PATCH"),
    ),
    "dashboard, fetch": (
        "dashboard",
        fetched("/api/simple/dashboard", {"current_equity": "10250", "total_pnl": 250}),
    ),
    "dashboard, PUT": (
        "dashboard",
        fetched("/api/dashboard/equity", {"current_equity": 10250, "total_pnl": 250}, "PUT"),
    ),
    "trading_state": ("dashboard", written("localStorage", "trading_state_$PERSON", STATE)),
    "dashboard_data": (
        "dashboard",
        written("localStorage", "dashboard_data_$PERSON", {"performance": {"totalPnl": 250}}),
    ),
}
FORM = """<form id="checkout" class="payment-form" target="away"><input name="id" value="7"><input name="plan" value="Pro">
<input name="amount" value="49"><input type="password" name="secretWord" value="s3cret">
<input name="card" autocomplete="cc-number" value="s3cret"></form><iframe name="away" hidden></iframe>"""


@pytest.mark.parametrize("name", SAVES)
def test_a_save_is_captured(name: str, visit: Any, front: Any, stored: Any, user: str) -> None:
    kind, save = SAVES[name]
    visit.open(FORM, user=user)
    visit.run(f"() => {{ {save.replace('$USER', user)} }}")
    [row] = stored(f"{kind}_data")
    if kind == "payment":
        assert (row["plan_name"], row["final_price"]) == ("Pro", 49)
    elif kind == "questionnaire":
        assert row["trades_per_day"] == "1-2"
        assert row["risk_reward_ratio"] == "3"
    else:
        assert row["total_pnl"] == 250
    assert "s3cret" not in front.posts[0].text


def test_the_real_hash_of_a_crypto_payment_is_found_and_its_coins_are_no_price(
    visit: Any, stored: Any, user: str
) -> None:
    visit.open(user=user)
    verification = {
        "crypto": "BTC",
        "transactionHash": "0xabc",
        "amount": 0.0105,
        "fromAddress": "bc1q",
        "status": "pending",
    }
    visit.run(
        written(
            "localStorage", "payment_details", {"plan": "Pro", "amount": 49, "method": "crypto"}
        )
    )
    visit.run(written("localStorage", "crypto_verification", verification))
    [row] = stored("payment_data")
    assert (row["final_price"], row["crypto_amount"], row["crypto_transaction_hash"]) == (
        49,
        "0.0105",
        "0xabc",
    )


NO_SAVES = {
    "an invoice": fetched("/api/payment/create-invoice", PAYMENT),
    "an intent": fetched("/api/create-payment-intent", PAYMENT),
    "an intent's rpc": fetched("/rest/v1/rpc/create_payment_intent", PAYMENT),
    "payment info": fetched("/api/payment-info/7", PAYMENT),
    "a GET": "fetch('/api/payments')",
    "another capturer's": fetched("/api/payments/capture", PAYMENT),
    "a mark": "localStorage.setItem('questionnaire_completed', 'true')",
    "a person's mark": "localStorage.setItem('questionnaire_completed_a@example.com', 'true')",
    "a step": fetched("/user-flow/mark-step", {"step": "questionnaire"}),
    "an activity": fetched("/api/activity", {"activity_type": "questionnaire"}),
    "another table": fetched("/rest/v1/profiles", {"name": "payment"}),
    "no JSON": "localStorage.setItem('payment_details', 'none')",
}


@pytest.mark.parametrize("name", NO_SAVES)
def test_what_is_no_save_is_left_alone(name: str, visit: Any, front: Any, user: str) -> None:
    visit.open(user=user)
    visit.run(f"() => {{ {NO_SAVES[name]} }}")
    assert visit.flush() == {"success": True}
    assert front.posts == []


@pytest.mark.parametrize("how", ["config", "attribute"])
def test_a_site_adds_rules_and_takes_names_out(how: str, visit: Any, front: Any, user: str) -> None:
    rules = json.dumps([{"name": "orders", "kind": "payment", "url": "/shop/order$"}])
    config = f"<script>window.enhancedDataCaptureConfig = {{rules: {rules}, without: ['questionnaire']}}</script>"
    tag = f"data-rules='{rules}' data-without='questionnaire crypto'"
    visit.open(user=user, **({"before": config} if how == "config" else {"tag": tag}))
    visit.run(
        f"() => {{ {fetched('/shop/order', PAYMENT)}; {fetched('/api/questionnaire', ANSWERS)} }}"
    )
    visit.flush()
    assert [post.kind for post in front.posts] == ["payment"]


def test_the_pages_requests_pass_through_untouched(visit: Any, user: str) -> None:
    visit.open(
        """<script>
        window.seen = [];
        const original = window.fetch;
        window.fetch = function () { seen.push(arguments.length); return original.apply(this, arguments); };
        </script>""",
        before="<script>window.native = window.fetch; addEventListener('unhandledrejection', (event) => "
        "{ (window.unhandled ||= []).push(event.reason.name); event.preventDefault() })</script>",
        user=user,
    )
    result = visit.run(
        """async () => {
          const controller = new AbortController(); controller.abort();
          const request = new Request('/api/payments', {method: 'POST', body: '{"plan": 1}'});
          const answer = await fetch(request);
          const aborted = {method: 'POST', body: '{}', signal: controller.signal};
          const thrown = await fetch('/api/payments', aborted).catch(({name}) => name);
          fetch('http://127.0.0.1:1/api/payments', {method: 'POST', body: '{}'});
          await new Promise((ready) => setTimeout(ready, 200));
          return [request.bodyUsed, answer.bodyUsed, answer.status, thrown, seen, window.unhandled,
                  fetch.length, native.name, XMLHttpRequest.prototype.send.name, Storage.prototype.setItem.length];
        }"""
    )
    assert result == [
        True,
        False,
        404,
        "AbortError",
        [1, 2, 2],
        ["TypeError"],
        0,
        "fetch",
        "send",
        2,
    ]


def test_storage_methods_that_the_page_assigns_keep_their_saves_visible(
    visit: Any, stored: Any, user: str
) -> None:
    visit.open(
        "<script>const set = Storage.prototype.setItem; Storage.prototype.setItem = function (...given) "
        "{ return set.apply(this, given) }</script>",
        user=user,
    )
    visit.run(written("localStorage", "payment_details", {"plan": "Pro", "amount": 49}))
    assert len(stored("payment_data")) == 1
