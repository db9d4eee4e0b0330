"""Test that a payment says whether the site's server refused it, or the page aborted it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.site import Reply
from tests.engines.browser import Tab
from tests.engines.visit import NOTHING_OBSERVED, Visit

_CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"}

# Statements that save BODY, and wait for the response.
SENDERS = {
    "fetch": "await fetch('/api/payments', { method: 'POST', body: BODY })",
    "fetch of a Request": """
        await fetch(new Request('/api/payments', { method: 'POST', body: BODY }))""",
    "fetch of an address with a query": """
        await fetch('/api/payments?try=1', { method: 'POST', body: BODY })""",
    "XMLHttpRequest": """await new Promise((done) => {
        const request = new XMLHttpRequest();
        request.onloadend = done;
        request.open('POST', '/api/payments');
        request.send(BODY);
      })""",
    "synchronous XMLHttpRequest": """{
        const request = new XMLHttpRequest();
        request.open('POST', '/api/payments', false);
        request.send(BODY);
      }""",
}

# Statements that begin to save BODY at an address that never responds, and abort it.
ABORTS = {
    "fetch": """const abort = new AbortController();
      const response = fetch('/api/payments', { method: 'POST', body: BODY, signal: abort.signal });
      abort.abort();
      await response.catch(() => 0);""",
    "fetch that has begun": """const abort = new AbortController();
      const response = fetch('/api/payments', { method: 'POST', body: BODY, signal: abort.signal });
      await new Promise((done) => setTimeout(done, 100));
      abort.abort('by the user');
      await response.catch(() => 0);""",
    "fetch with a timeout": """await fetch('/api/payments', {
        method: 'POST', body: BODY, signal: AbortSignal.timeout(100),
      }).catch(() => 0);""",
    "fetch of a Request": """const abort = new AbortController();
      const options = { method: 'POST', body: BODY, signal: abort.signal };
      const response = fetch(new Request('/api/payments', options));
      setTimeout(() => abort.abort(), 100);
      await response.catch(() => 0);""",
    "fetch with an aborted signal": """await fetch('/api/payments', {
        method: 'POST', body: BODY, signal: AbortSignal.abort(),
      }).catch(() => 0);""",
    "XMLHttpRequest": """const request = new XMLHttpRequest();
      request.open('POST', '/api/payments');
      request.send(BODY);
      request.abort();""",
    "XMLHttpRequest that has begun": """const request = new XMLHttpRequest();
      request.open('POST', '/api/payments');
      request.send(BODY);
      await new Promise((done) => setTimeout(done, 100));
      request.abort();""",
    "XMLHttpRequest with a timeout": """const request = new XMLHttpRequest();
      request.open('POST', '/api/payments');
      request.timeout = 100;
      request.send(BODY);
      await new Promise((done) => { request.ontimeout = done; });""",
}


def payment(visit: Visit, **members: Any) -> str:
    body = {
        "user_email": visit.user,
        "transaction_id": "T1",
        "plan_name": "Pro",
        "final_price": 49,
        "payment_status": "completed",
        **members,
    }
    return json.dumps({name: value for name, value in body.items() if value is not None})


def run(tab: Tab, statements: str, body: str) -> None:
    tab.run(f"async () => {{ {statements.replace('BODY', json.dumps(body))} }}")


def only_row(visit: Visit) -> dict[str, Any]:
    """Return the only payment, after everything that follows has arrived."""
    visit.wait_for_rows("payment_data", 1)
    visit.proxy.wait_until_quiet(1)
    (row,) = visit.rows("payment_data")
    assert (row["transaction_id"], row["plan_name"], float(row["final_price"])) == ("T1", "Pro", 49)
    return row


def can_read_statuses(tab: Tab, sender: str) -> bool:
    """Return whether the browser tells the status of this sender's responses."""
    return "fetch" not in sender or tab.run(
        "'responseStatus' in PerformanceResourceTiming.prototype"
    )


@pytest.mark.slow
@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize(("status", "said"), [(402, "completed"), (500, None)])
def test_payment_that_the_server_refused_is_failed(
    status: int, said: str | None, sender: str, visit: Visit
) -> None:
    visit.shop.replies["/api/payments"] = Reply(status, _CORS, b'{"error": "card declined"}')
    tab = visit.open()
    if not can_read_statuses(tab, sender):
        pytest.skip("the browser does not tell the status of a response")
    run(tab, SENDERS[sender], payment(visit, payment_status=said))
    assert only_row(visit)["payment_status"] == "failed"
    assert visit.observed(tab) == NOTHING_OBSERVED


@pytest.mark.slow
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_update_that_the_server_refused_does_not_make_the_payment_failed(
    method: str, visit: Visit
) -> None:
    visit.shop.replies["/api/payments"] = Reply(409, _CORS, b'{"error": "conflict"}')
    tab = visit.open()
    update = SENDERS["XMLHttpRequest"].replace("'POST'", f"'{method}'")
    assert method in update
    run(tab, update, payment(visit))
    assert only_row(visit)["payment_status"] == "unknown"


@pytest.mark.slow
@pytest.mark.parametrize("abort", ABORTS)
def test_payment_that_the_page_aborted_is_unknown(abort: str, visit: Visit) -> None:
    visit.shop.replies["/api/payments"] = None
    tab = visit.open()
    run(tab, ABORTS[abort], payment(visit))
    assert only_row(visit)["payment_status"] == "unknown"
    assert visit.observed(tab) == NOTHING_OBSERVED


@pytest.mark.slow
@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("status", [201, 204])
def test_payment_that_the_server_accepted_keeps_its_status(
    status: int, sender: str, visit: Visit
) -> None:
    visit.shop.replies["/api/payments"] = Reply(status, _CORS)
    tab = visit.open()
    run(tab, SENDERS[sender], payment(visit))
    assert only_row(visit)["payment_status"] == "completed"


@pytest.mark.slow
def test_payment_keeps_its_status_if_another_host_does_not_tell_its_own(visit: Visit) -> None:
    visit.shop.replies["/api/payments"] = Reply(200, _CORS, b"{}")
    tab = visit.open()
    other = f"http://127.0.0.1:{visit.shop.port}/api/payments"
    run(tab, SENDERS["fetch"].replace("/api/payments", other), payment(visit))
    assert only_row(visit)["payment_status"] == "completed"


@pytest.mark.slow
@pytest.mark.parametrize(
    "late",
    ["const a = new AbortController(); await fetch('/api/payments', { method: 'POST', body: BODY,"
     " signal: a.signal }).then((response) => response.text()); a.abort();",
     "const request = new XMLHttpRequest(); request.open('POST', '/api/payments');"
     " await new Promise((done) => { request.onloadend = done; request.send(BODY); });"
     " request.abort();"],
    ids=["fetch", "XMLHttpRequest"],
)  # fmt: skip
def test_abort_after_the_response_changes_nothing(late: str, visit: Visit) -> None:
    tab = visit.open()
    run(tab, late, payment(visit))
    assert only_row(visit)["payment_status"] == "completed"


@pytest.mark.slow
@pytest.mark.parametrize("sender", ["fetch", "XMLHttpRequest"])
def test_payment_that_succeeds_at_the_second_attempt_is_completed(
    sender: str, visit: Visit
) -> None:
    """A page tries again after an error, with the same body."""
    visit.shop.replies["/api/payments"] = Reply(500, _CORS)
    tab = visit.open()
    if not can_read_statuses(tab, sender):
        pytest.skip("the browser does not tell the status of a response")
    run(tab, SENDERS[sender], payment(visit))
    visit.shop.replies["/api/payments"] = Reply(200, _CORS)
    run(tab, SENDERS[sender], payment(visit))
    visit.wait_for_rows("payment_data", 1)
    visit.proxy.wait_until_quiet(1)
    statuses = [row["payment_status"] for row in visit.rows("payment_data")]
    assert statuses in (["completed"], ["failed", "completed"])


@pytest.mark.slow
@pytest.mark.parametrize("status", [402, 500])
def test_refused_request_is_no_other_requests_status(status: int, visit: Visit) -> None:
    visit.shop.replies["/api/validate"] = Reply(status)
    visit.shop.replies["/api/payments"] = Reply(200)
    tab = visit.open()
    run(
        tab,
        "await Promise.all([fetch('/api/validate', { method: 'POST', body: '{}' }),"
        " fetch('/api/payments', { method: 'POST', body: BODY })]);",
        payment(visit),
    )
    assert only_row(visit)["payment_status"] == "completed"


@pytest.mark.slow
def test_refused_questionnaire_and_dashboard_are_captured_without_a_payments_status(
    visit: Visit,
) -> None:
    for path in ("/api/questionnaire", "/api/dashboard"):
        visit.shop.replies[path] = Reply(500)
    tab = visit.open()
    answers = {"user_email": visit.user, "trades_per_day": "1-2", "total_pnl": 5}
    for path in ("/api/questionnaire", "/api/dashboard"):
        run(tab, SENDERS["fetch"].replace("/api/payments", path), json.dumps(answers))
    visit.wait_for_rows("questionnaire_data", 1)
    visit.wait_for_rows("dashboard_data", 1)
    assert not [one for one in visit.proxy.captures() if one.get("payment_status") == "completed"]
    assert visit.rows("payment_data") == []
