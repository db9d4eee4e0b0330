"""What one capture carries, what never leaves the page, and what `window.enhancedDataCapture` answers."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.browser.site import Reply

ID = re.compile("c[0-9a-z]{8}[0-9]{3,30}")
UTC_MILLISECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
API = "enhancedDataCapture"


def test_the_services_answer_is_what_a_capture_resolves_to(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(user=user)
    answer = visit.run(
        f"{API}.capturePaymentData({{plan_name: 'Pro', amountPaid: 5, nested: {{a: [1, null]}}}})"
    )
    assert answer["success"] is True
    assert answer["payment_id"] == stored("payment_data")[0]["id"]
    body = front.posts[0].body
    assert answer["capture_id"] == body.pop("capture_id")
    assert ID.fullmatch(answer["capture_id"])
    assert UTC_MILLISECONDS.fullmatch(body.pop("capture_timestamp"))
    assert body == {
        "plan_name": "Pro",
        "amountPaid": 5,
        "nested": {"a": [1, None]},
        "user_email": user,
    }


def test_each_kind_has_its_call_and_its_row(visit: Any, front: Any, stored: Any, user: str) -> None:
    visit.open(user=user)
    answers = visit.run(
        f"""() => Promise.all([
          {API}.capturePaymentData({{transaction_id: 'T'}}),
          {API}.captureQuestionnaireData({{tradesPerDay: '1-2'}}),
          {API}.captureDashboardData({{initialEquity: 1000}}, {{currentEquity: 1200}}, 'dark'),
          {API}.captureTradingActivity('trade_opened', {{pair: 'EURUSD'}}),
        ])"""
    )
    assert [answer["success"] for answer in answers] == [True] * 4
    assert {"payment_id", "questionnaire_id", "dashboard_id", "activity_id"} <= set().union(
        *answers
    )
    assert stored("payment_data")[0]["transaction_id"] == "T"
    assert stored("questionnaire_data")[0]["trades_per_day"] == "1-2"
    assert stored("dashboard_data")[0]["theme"] == "dark"
    assert stored("trading_activity_log")[0]["activity_type"] == "trade_opened"
    by_kind = {post.kind: post.body for post in front.posts}
    assert by_kind["dashboard"]["tradingState"] == {"currentEquity": 1200}
    assert by_kind["activity"]["activity_data"] == {"pair": "EURUSD"}


def test_captures_go_out_as_text_so_that_no_browser_asks_first(
    visit: Any, front: Any, user: str
) -> None:
    visit.open(user=user)
    visit.run(f"{API}.capturePaymentData({{}})")
    headers = {name.lower(): value for name, value in front.posts[0].headers.items()}
    assert headers["content-type"] == "text/plain;charset=UTF-8"
    assert "cookie" not in headers
    assert "referer" not in headers
    assert not [line for line in front.requests if line.startswith("OPTIONS")]


def test_a_page_on_plain_http_has_no_random_uuid_and_gets_ids_all_the_same(
    visit: Any, front: Any, user: str
) -> None:
    visit.open(before="<script>delete Crypto.prototype.randomUUID</script>", user=user)
    assert visit.run("crypto.randomUUID === undefined")
    answers = visit.run(
        f"Promise.all([{API}.capturePaymentData({{}}), {API}.capturePaymentData({{}})])"
    )
    assert [answer["success"] for answer in answers] == [True, True]
    ids = {post.body["capture_id"] for post in front.posts}
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


def test_no_secret_leaves_the_page_at_any_depth(visit: Any, front: Any, user: str) -> None:
    visit.open("<script>async function storeQuestionnaireData() {}</script>", user=user)
    answers = {**INNOCENT, **SECRETS, "userData": {**SECRETS, "list": [[SECRETS]]}}
    visit.run("(answers) => { storeQuestionnaireData(answers) }", answers)
    visit.hurry()
    visit.run(f"(answers) => {API}.captureTradingActivity('settings', answers)", answers)
    assert len(front.posts) == 2
    for post in front.posts:
        assert "s3cret" not in post.text
        assert "123456789" not in post.text
        assert "987654321" not in post.text
    body = next(post.body for post in front.posts if post.kind == "questionnaire")
    assert {key: body[key] for key in INNOCENT} == INNOCENT
    assert body["password"] == body["userData"]["list"][0][0]["pin"] == "[redacted]"
    assert json.loads(body["stored"]) == {"token": "[redacted]", "plan": "Pro"}


HOSTILE = {
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
    "a revoked proxy": "(() => { const {proxy, revoke} = Proxy.revocable({}, {}); revoke(); return proxy })()",
    "a symbol": "Symbol('data')",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_unusable_data_resolves_to_an_error_and_never_throws_or_rejects(
    data: str, visit: Any, front: Any, user: str
) -> None:
    visit.open(
        "<script>function savePaymentToSupabase() { return 1 } function saveDashboardToSupabase() { return 2 }</script>",
        user=user,
    )
    for call in ("capturePaymentData", "captureQuestionnaireData"):
        answer = visit.run(f"{API}.{call}({data})")
        assert answer["success"] is False, call
        assert answer["error"], call
    for call in (
        "captureDashboardData",
        "captureTradingActivity",
        "identify",
        "setEnabled(true), " + API + ".flush",
    ):
        assert "success" in visit.run(f"{API}.{call}({data})"), call
    both = data and f"{data}, {data}, {data}, {data}"
    assert visit.run(f"[savePaymentToSupabase({both}), saveDashboardToSupabase({both})]") == [1, 2]
    assert (
        visit.run(f"{API}.captureTradingActivity('x', {{}}).then(({{success}}) => success)") is True
    )
    visit.flush()
    assert {post.kind for post in front.posts} <= {"activity", "dashboard"}


def test_a_refusal_resolves_to_what_the_service_says_and_is_not_sent_again(
    visit: Any, front: Any, user: str
) -> None:
    problem = {
        "type": "about:blank",
        "title": "Unusable",
        "status": 422,
        "detail": "no",
        "success": False,
        "error": "no",
    }
    front.next_answers.append(
        Reply(422, {"Content-Type": "application/problem+json"}, json.dumps(problem).encode())
    )
    front.next_answers.append(Reply(413, {}, b"<h1>too large</h1>"))
    visit.open(user=user)
    assert visit.run(f"{API}.capturePaymentData({{}})") == problem
    assert visit.run(f"{API}.capturePaymentData({{}})") == {"success": False, "error": "HTTP 413"}
    assert visit.flush() == {"success": True}
    assert len(front.posts) == 2


def test_what_the_service_did_not_understand_is_in_the_answers_warnings(
    visit: Any, user: str
) -> None:
    visit.open(user=user)
    answer = visit.run(f"{API}.capturePaymentData({{final_price: 'a lot'}})")
    assert answer["success"] is True
    assert [warning["field"] for warning in answer["warnings"]] == ["final_price"]


def test_switched_off_nothing_is_captured_until_it_is_on_again(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open("<script>async function savePaymentToSupabase() { return 1 }</script>", user=user)
    assert visit.run(f"{API}.setEnabled(false)") == {"success": True, "enabled": False}
    assert visit.run("savePaymentToSupabase({})") == 1
    assert visit.run(f"{API}.capturePaymentData({{}}).then(({{success}}) => success)") is False
    visit.flush()
    assert front.posts == []
    visit.run(f"{API}.setEnabled(true)")
    assert visit.run("savePaymentToSupabase({})") == 1
    assert len(stored("payment_data")) == 1


def test_a_tag_that_says_disabled_leaves_the_page_alone(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(
        "<script>function savePaymentToSupabase() {}</script><script>const before = savePaymentToSupabase</script>",
        tag='data-enabled="false"',
        user=user,
    )
    visit.run("savePaymentToSupabase({})")
    visit.flush()
    assert front.posts == []
    assert visit.run(
        "before === savePaymentToSupabase && before.toString().includes('savePaymentToSupabase')"
    )
    visit.run(f"{API}.setEnabled(true)")
    visit.run("savePaymentToSupabase({})")
    assert len(stored("payment_data")) == 1


def test_health_check_gives_the_services_own_answer(visit: Any) -> None:
    visit.open()
    health = visit.run(f"{API}.healthCheck()")
    assert (health["status"], health["service"]) == ("healthy", "enhanced-data-capture")


def test_health_check_of_a_service_that_is_gone_says_so(visit: Any, capture_service: Any) -> None:
    visit.open(service=capture_service.url)
    capture_service.stop()
    health = visit.run(f"{API}.healthCheck()")
    assert (health["status"], health["success"]) == ("unreachable", False)


def test_the_version_is_there_and_the_api_cannot_be_changed(visit: Any) -> None:
    visit.open()
    assert re.fullmatch(r"\d+\.\d+\.\d+", visit.run(f"{API}.version"))
    assert visit.run(f"{API}.flush = 1, typeof {API}.flush") == "function"
