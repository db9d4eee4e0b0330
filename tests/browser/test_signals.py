"""Test signals: which requests, storage writes and forms of a page are captured."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.page_code import fetch_js, set_item_js, xhr_js

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


SAVES = {
    "fetch": ("payment", fetch_js("/api/payments", PAYMENT)),
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
        fetch_js("/api/payment/process", {"amount": 49, "planName": "Pro", "coupon": None}),
    ),
    "XHR": (
        "payment",
        xhr_js(
            "/api/payment/verify-payment", {"token": "s3cret", "plan": "Pro", "amount_paid": 49}
        ),
    ),
    "beacon": ("payment", f"navigator.sendBeacon('/api/payments', JSON.stringify({PAYMENT}))"),
    "payment_success_data": (
        "payment",
        set_item_js("localStorage", "payment_success_data", {"planName": "Pro", "finalPrice": 49}),
    ),
    "payment_details": (
        "payment",
        set_item_js(
            "localStorage", "payment_details", {"plan": "Pro", "amount": 49, "paymentId": "P"}
        ),
    ),
    "paymentRecord": (
        "payment",
        set_item_js("localStorage", "paymentRecord", {"plan": "Pro", "amount": 49, "orderId": "O"}),
    ),
    "supabase insert": ("payment", fetch_js("/rest/v1/user_payments", PAYMENT)),
    "supabase insert of a list": (
        "payment",
        fetch_js("/rest/v1/payments?columns=%22plan%22", [PAYMENT]),
    ),
    "supabase rpc": ("payment", fetch_js("/rest/v1/rpc/save_payment", PAYMENT)),
    "a form": ("payment", "document.querySelector('#checkout').requestSubmit()"),
    "a form without an event": ("payment", "document.querySelector('#checkout').submit()"),
    "questionnaire, fetch": ("questionnaire", fetch_js("/api/questionnaire", ANSWERS)),
    "questionnaire, XHR": ("questionnaire", xhr_js("/api/users/7/questionnaire", ANSWERS)),
    "questionnaire, simple": (
        "questionnaire",
        fetch_js("/api/simple/questionnaire", {"questionnaire": ANSWERS}),
    ),
    "questionnaire, submit": ("questionnaire", fetch_js("/api/questionnaire/submit", ANSWERS)),
    "questionnaireAnswers": (
        "questionnaire",
        set_item_js("localStorage", "questionnaireAnswers", ANSWERS),
    ),
    "currentQuestionnaire": (
        "questionnaire",
        set_item_js("sessionStorage", "currentQuestionnaire", ANSWERS),
    ),
    "questionnaires, PATCH": (
        "questionnaire",
        fetch_js("/rest/v1/questionnaires?id=eq.1", {**ANSWERS, "user_email": "$USER"}, "PATCH"),
    ),
    "dashboard, fetch": (
        "dashboard",
        fetch_js("/api/simple/dashboard", {"current_equity": "10250", "total_pnl": 250}),
    ),
    "dashboard, PUT": (
        "dashboard",
        fetch_js("/api/dashboard/equity", {"current_equity": 10250, "total_pnl": 250}, "PUT"),
    ),
    "trading_state": ("dashboard", set_item_js("localStorage", "trading_state_$USER", STATE)),
    "dashboard_data": (
        "dashboard",
        set_item_js("localStorage", "dashboard_data_$USER", {"performance": {"totalPnl": 250}}),
    ),
}
FORM = """<form id="checkout" class="payment-form" target="away">
<input name="id" value="7"><input name="plan" value="Pro"><input name="amount" value="49">
<input type="password" name="secretWord" value="s3cret">
<input name="card" autocomplete="cc-number" value="s3cret">
</form><iframe name="away" hidden></iframe>"""


@pytest.mark.slow(quick_cases=5)
@pytest.mark.parametrize("name", SAVES)
def test_save_is_captured(name: str, visit: Any, proxy: Any, stored: Any, user: str) -> None:
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
    assert "s3cret" not in proxy.received[0].text


def test_crypto_payment_has_its_hash_and_its_coin_amount_is_no_price(
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
        set_item_js(
            "localStorage", "payment_details", {"plan": "Pro", "amount": 49, "method": "crypto"}
        )
    )
    visit.run(set_item_js("localStorage", "crypto_verification", verification))
    [row] = stored("payment_data")
    assert (row["final_price"], row["crypto_amount"], row["crypto_transaction_hash"]) == (
        49,
        "0.0105",
        "0xabc",
    )


OTHER_ACTIONS = {
    "an invoice": fetch_js("/api/payment/create-invoice", PAYMENT),
    "an intent": fetch_js("/api/create-payment-intent", PAYMENT),
    "an intent's rpc": fetch_js("/rest/v1/rpc/create_payment_intent", PAYMENT),
    "payment info": fetch_js("/api/payment-info/7", PAYMENT),
    "a GET": "fetch('/api/payments')",
    "a request to another capture service": fetch_js("/api/payments/capture", PAYMENT),
    "a completion mark": "localStorage.setItem('questionnaire_completed', 'true')",
    "a user's completion mark": (
        "localStorage.setItem('questionnaire_completed_a@example.com', 'true')"
    ),
    "a step of a journey": fetch_js("/user-flow/mark-step", {"step": "questionnaire"}),
    "another table": fetch_js("/rest/v1/profiles", {"name": "payment"}),
    "a value that is no JSON": "localStorage.setItem('payment_details', 'none')",
}


@pytest.mark.slow(quick_cases=3)
@pytest.mark.parametrize("name", OTHER_ACTIONS)
def test_other_requests_and_writes_are_not_captured(
    name: str, visit: Any, proxy: Any, user: str
) -> None:
    visit.open(user=user)
    visit.run(f"() => {{ {OTHER_ACTIONS[name]} }}")
    assert visit.flush() == {"success": True}
    assert proxy.received == []


@pytest.mark.slow
@pytest.mark.parametrize("how", ["config", "attribute"])
def test_site_adds_rules_and_excludes_names(how: str, visit: Any, proxy: Any, user: str) -> None:
    rules = json.dumps([{"name": "orders", "kind": "payment", "url": "/shop/order$"}])
    options = f"{{rules: {rules}, without: ['questionnaire']}}"
    config = f"<script>window.enhancedDataCaptureConfig = {options}</script>"
    tag = f"data-rules='{rules}' data-without='questionnaire crypto'"
    visit.open(user=user, **({"before": config} if how == "config" else {"tag": tag}))
    visit.run(
        f"() => {{ {fetch_js('/shop/order', PAYMENT)}; {fetch_js('/api/questionnaire', ANSWERS)} }}"
    )
    visit.flush()
    assert [capture.kind for capture in proxy.received] == ["payment"]


def test_requests_of_the_page_are_unchanged(visit: Any, user: str) -> None:
    visit.open(
        """<script>
        window.seen = [];
        const original = window.fetch;
        window.fetch = function () {
          seen.push(arguments.length);
          return original.apply(this, arguments);
        };
        </script>""",
        before="""<script>
        window.native = window.fetch;
        window.unhandled = [];
        addEventListener('unhandledrejection', (event) => {
          unhandled.push(event.reason.name);
          event.preventDefault();
        });
        </script>""",
        user=user,
    )
    result = visit.run(
        """async () => {
          const controller = new AbortController(); controller.abort();
          const request = new Request('/api/payments', {method: 'POST', body: '{"plan": 1}'});
          const response = await fetch(request);
          const aborted = {method: 'POST', body: '{}', signal: controller.signal};
          const thrown = await fetch('/api/payments', aborted).catch(({name}) => name);
          fetch('http://127.0.0.1:1/api/payments', {method: 'POST', body: '{}'});
          return [request.bodyUsed, response.bodyUsed, response.status, thrown, seen];
        }"""
    )
    assert result == [True, False, 201, "AbortError", [1, 2, 2]]
    visit.eventually(lambda: visit.run("unhandled.length"), "the last request has failed")
    visit.page.wait_for_timeout(100)  # in which a second rejection would be reported
    assert visit.run("unhandled") == ["TypeError"]
    functions = "[native, XMLHttpRequest.prototype.send, Storage.prototype.setItem]"
    assert visit.run(f"{functions}.map(({{name}}) => name)") == ["fetch", "send", "setItem"]
    assert visit.run("[fetch.length, Storage.prototype.setItem.length]") == [0, 2]


@pytest.mark.slow
def test_saves_through_storage_methods_of_the_page_are_captured(
    visit: Any, stored: Any, user: str
) -> None:
    visit.open(
        "<script>const set = Storage.prototype.setItem;"
        "Storage.prototype.setItem = function (...args) { return set.apply(this, args) }</script>",
        user=user,
    )
    visit.run(set_item_js("localStorage", "payment_details", {"plan": "Pro", "amount": 49}))
    assert len(stored("payment_data")) == 1
