"""Test window.enhancedDataCapture: what it sends and what its calls resolve to."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.browser.site import Reply

ID = re.compile("c[0-9a-z]{8}[0-9]{3,30}")
UTC_MILLISECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
API = "enhancedDataCapture"


def test_capture_call_resolves_to_the_response_of_the_service(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(user=user)
    response = visit.run(
        f"{API}.capturePaymentData({{plan_name: 'Pro', amountPaid: 5, nested: {{a: [1, null]}}}})"
    )
    assert response["success"] is True
    assert response["payment_id"] == stored("payment_data")[0]["id"]
    body = proxy.received[0].body
    assert response["capture_id"] == body.pop("capture_id")
    assert ID.fullmatch(response["capture_id"])
    assert UTC_MILLISECONDS.fullmatch(body.pop("capture_timestamp"))
    assert body == {
        "plan_name": "Pro",
        "amountPaid": 5,
        "nested": {"a": [1, None]},
        "user_email": user,
    }


def test_each_kind_has_an_api_call_and_a_row(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(user=user)
    responses = visit.run(
        f"""() => Promise.all([
          {API}.capturePaymentData({{transaction_id: 'T'}}),
          {API}.captureQuestionnaireData({{tradesPerDay: '1-2'}}),
          {API}.captureDashboardData({{initialEquity: 1000}}, {{currentEquity: 1200}}, 'dark'),
          {API}.captureTradingActivity('trade_opened', {{pair: 'EURUSD'}}),
        ])"""
    )
    assert [response["success"] for response in responses] == [True] * 4
    ids = {"payment_id", "questionnaire_id", "dashboard_id", "activity_id"}
    assert ids <= set().union(*responses)
    assert stored("payment_data")[0]["transaction_id"] == "T"
    assert stored("questionnaire_data")[0]["trades_per_day"] == "1-2"
    assert stored("dashboard_data")[0]["theme"] == "dark"
    assert stored("trading_activity_log")[0]["activity_type"] == "trade_opened"
    by_kind = {capture.kind: capture.body for capture in proxy.received}
    assert by_kind["dashboard"]["tradingState"] == {"currentEquity": 1200}
    assert by_kind["activity"]["activity_data"] == {"pair": "EURUSD"}


def test_captures_are_sent_as_text_without_a_preflight(visit: Any, proxy: Any, user: str) -> None:
    visit.open(user=user)
    visit.run(f"{API}.capturePaymentData({{}})")
    headers = {name.lower(): value for name, value in proxy.received[0].headers.items()}
    assert headers["content-type"] == "text/plain;charset=UTF-8"
    assert "cookie" not in headers
    assert "referer" not in headers
    assert not [line for line in proxy.requests if line.startswith("OPTIONS")]


@pytest.mark.slow
def test_captures_get_ids_on_plain_http_without_random_uuid(
    visit: Any, proxy: Any, user: str
) -> None:
    visit.open(before="<script>delete Crypto.prototype.randomUUID</script>", user=user)
    assert visit.run("crypto.randomUUID === undefined")
    responses = visit.run(
        f"Promise.all([{API}.capturePaymentData({{}}), {API}.capturePaymentData({{}})])"
    )
    assert [response["success"] for response in responses] == [True, True]
    ids = {capture.body["capture_id"] for capture in proxy.received}
    assert len(ids) == 2
    assert all(len(one) > 20 for one in ids)


SECRETS = {
    "password": "s3cret-1",
    "userPassword": "s3cret-2",
    "old_passwd": "s3cret-3",
    "pwd": "s3cret-4",
    "card_cvv": "s3cret-5",
    "cardCVC": 123456789,
    "security-code": "s3cret-6",
    "cardNumber": "s3cret-7",
    "access_token": "s3cret-8",
    "apiKey": "s3cret-9",
    "client_secret": "s3cret-10",
    "privateKey": {"pem": "s3cret-11"},
    "seed_phrase": ["s3cret-12"],
    "mnemonic": "s3cret-13",
    "pin": 987654321,
    "Authorization": "Bearer s3cret-14",
    "stored": json.dumps({"token": "s3cret-15", "plan": "Pro"}),
}
INNOCENT = {
    "transaction_id": "T-1",
    "accountNumber": "12345",
    "tokens_used": 5,
    "spin": 2,
    "pinned": "yes",
    "show_password": False,
    "secretary": "Ann",
    "text": "{not json",
    "state": '{ "plan": "Pro" }',
}


@pytest.mark.slow
def test_secrets_at_any_depth_do_not_leave_the_page(visit: Any, proxy: Any, user: str) -> None:
    visit.open("<script>async function storeQuestionnaireData() {}</script>", user=user)
    answers = {**INNOCENT, **SECRETS, "userData": {**SECRETS, "list": [[SECRETS]]}}
    visit.run("(answers) => { storeQuestionnaireData(answers) }", answers)
    visit.send_now()
    visit.run(f"(answers) => {API}.captureTradingActivity('settings', answers)", answers)
    assert len(proxy.received) == 2
    for capture in proxy.received:
        assert "s3cret" not in capture.text
        assert "123456789" not in capture.text
        assert "987654321" not in capture.text
    [body] = [capture.body for capture in proxy.received if capture.kind == "questionnaire"]
    assert {key: body[key] for key in INNOCENT} == INNOCENT
    assert body["password"] == body["userData"]["list"][0][0]["pin"] == "[redacted]"
    assert json.loads(body["stored"]) == {"token": "[redacted]", "plan": "Pro"}


UNUSABLE = {
    "nothing": "",
    "undefined": "undefined",
    "null": "null",
    "a number": "7",
    "a function": "() => 0",
    "an array": "[{}]",
    "a cycle": "(() => { const data = {}; data.self = data; return data })()",
    "a BigInt": "{amount: 1n}",
    "a throwing getter": "{get amount() { throw new Error('no') }}",
    "a getter that throws nonsense": "{get amount() { throw {toString() { throw 1 }} }}",
    "a throwing toJSON": "{toJSON() { throw null }}",
    "a revoked proxy": (
        "(() => { const {proxy, revoke} = Proxy.revocable({}, {}); revoke(); return proxy })()"
    ),
    "a symbol": "Symbol('data')",
}


@pytest.mark.slow
@pytest.mark.parametrize("data", UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_data_resolves_to_an_error_and_never_throws_or_rejects(
    data: str, visit: Any, proxy: Any, user: str
) -> None:
    visit.open(
        """<script>
        function savePaymentToSupabase() { return 1 }
        function saveDashboardToSupabase() { return 2 }
        </script>""",
        user=user,
    )
    for call in ("capturePaymentData", "captureQuestionnaireData"):
        result = visit.run(f"{API}.{call}({data})")
        assert result["success"] is False, call
        assert result["error"], call
    for call in (
        "captureDashboardData",
        "captureTradingActivity",
        "identify",
        "setEnabled(true), " + API + ".flush",
    ):
        assert "success" in visit.run(f"{API}.{call}({data})"), call
    args = data and f"{data}, {data}, {data}, {data}"
    assert visit.run(f"[savePaymentToSupabase({args}), saveDashboardToSupabase({args})]") == [1, 2]
    assert visit.run(f"{API}.captureTradingActivity('x', {{}})")["success"] is True
    visit.flush()
    assert {capture.kind for capture in proxy.received} <= {"activity", "dashboard"}


@pytest.mark.slow
def test_rejected_capture_resolves_to_the_error_and_is_not_sent_again(
    visit: Any, proxy: Any, user: str
) -> None:
    problem = {
        "type": "about:blank",
        "title": "Unusable",
        "status": 422,
        "detail": "no",
        "success": False,
        "error": "no",
    }
    proxy.next_responses.append(
        Reply(422, {"Content-Type": "application/problem+json"}, json.dumps(problem).encode())
    )
    proxy.next_responses.append(Reply(413, {}, b"<h1>too large</h1>"))
    visit.open(user=user)
    assert visit.run(f"{API}.capturePaymentData({{}})") == problem
    assert visit.run(f"{API}.capturePaymentData({{}})") == {"success": False, "error": "HTTP 413"}
    assert visit.flush() == {"success": True}
    assert len(proxy.received) == 2


@pytest.mark.slow
def test_unreadable_field_is_named_in_the_warnings(visit: Any, user: str) -> None:
    visit.open(user=user)
    response = visit.run(f"{API}.capturePaymentData({{final_price: 'a lot'}})")
    assert response["success"] is True
    assert [warning["field"] for warning in response["warnings"]] == ["final_price"]


@pytest.mark.slow
def test_disabled_script_captures_nothing_until_it_is_enabled(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open("<script>async function savePaymentToSupabase() { return 1 }</script>", user=user)
    assert visit.run(f"{API}.setEnabled(false)") == {"success": True, "enabled": False}
    assert visit.run("savePaymentToSupabase({})") == 1
    assert visit.run(f"{API}.capturePaymentData({{}}).then(({{success}}) => success)") is False
    visit.flush()
    assert proxy.received == []
    visit.run(f"{API}.setEnabled(true)")
    assert visit.run("savePaymentToSupabase({})") == 1
    assert len(stored("payment_data")) == 1


@pytest.mark.slow
def test_tag_with_data_enabled_false_wraps_nothing(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(
        "<script>function savePaymentToSupabase() {}</script>"
        "<script>const before = savePaymentToSupabase</script>",
        tag='data-enabled="false"',
        user=user,
    )
    visit.run("savePaymentToSupabase({})")
    visit.flush()
    assert proxy.received == []
    assert visit.run(
        "before === savePaymentToSupabase && before.toString().includes('savePaymentToSupabase')"
    )
    visit.run(f"{API}.setEnabled(true)")
    visit.run("savePaymentToSupabase({})")
    assert len(stored("payment_data")) == 1


def test_health_check_returns_the_response_of_the_service(visit: Any) -> None:
    visit.open()
    health = visit.run(f"{API}.healthCheck()")
    assert (health["status"], health["service"]) == ("healthy", "enhanced-data-capture")


@pytest.mark.slow
def test_health_check_of_a_stopped_service_returns_unreachable(
    visit: Any, capture_service: Any
) -> None:
    visit.open(service=capture_service.url)
    capture_service.stop()
    health = visit.run(f"{API}.healthCheck()")
    assert (health["status"], health["success"]) == ("unreachable", False)


@pytest.mark.slow
def test_api_has_a_version_and_cannot_be_changed(visit: Any) -> None:
    visit.open()
    assert re.fullmatch(r"\d+\.\d+\.\d+", visit.run(f"{API}.version"))
    assert visit.run(f"{API}.flush = 1, typeof {API}.flush") == "function"
