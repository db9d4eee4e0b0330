"""Test delivery: no capture is lost or stored twice between page and service."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

import pytest

from tests.browser.site import LOSE_RESPONSE, SLOW_DATABASE, Reply

SAVES = """<script>
async function savePaymentToSupabase() { return 1 }
async function saveDashboardToSupabase() {}
</script>"""
PAY = "savePaymentToSupabase({transaction_id: 'T'})"
CAPTURE = "enhancedDataCapture.capturePaymentData({transaction_id: 'another'})"
CLOCK_TOLERANCE_SECONDS = 0.1  # between the clocks of the browser and of this process
LONGEST_DELAYS = "<script>Math.random = () => 0.999</script>"  # 1 s, 2 s, 4 s, ...


def test_capture_made_while_the_service_is_down_arrives_when_it_is_back(
    visit: Any, capture_service: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, service=capture_service.url, user=user)
    capture_service.stop()
    assert visit.run(PAY) == 1
    assert visit.run(CAPTURE) == {"success": False, "queued": True}
    assert visit.flush() == {"success": False, "queued": True, "waiting": 2}
    capture_service.start()
    visit.run("window.dispatchEvent(new Event('online'))")
    assert len(stored("payment_data", 2)) == 2
    assert visit.flush() == {"success": True}


@pytest.mark.slow
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_temporary_failure_is_retried_with_the_same_capture_id(
    status: int, visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    proxy.next_responses.append(Reply(status))
    visit.open(SAVES, user=user)
    visit.run(PAY)
    assert len(stored("payment_data")) == 1
    assert len(proxy.received) > 1
    assert len({capture.text for capture in proxy.received}) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "body", [b"<h1>Sign in to the hotel's network</h1>", b'{"success": "maybe"}', b""]
)
def test_response_of_another_server_is_no_acknowledgement(
    body: bytes, visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    proxy.next_responses.append(Reply(200, {}, body))
    visit.open(SAVES, user=user)
    visit.run(PAY)
    assert len(stored("payment_data")) == 1
    assert len(proxy.received) > 1
    assert len({capture.text for capture in proxy.received}) == 1


@pytest.mark.slow
def test_redirect_is_not_followed(
    visit: Any, proxy: Any, site: Any, stored: Any, user: str
) -> None:
    proxy.next_responses.append(Reply(307, {"Location": f"{site.url}/elsewhere"}))
    visit.open(SAVES, user=user)
    visit.run(PAY)
    assert len(stored("payment_data")) == 1
    assert not [line for line in site.requests if "elsewhere" in line]
    visit.console.clear()  # the browser prints a line about the redirect


def test_capture_with_a_lost_response_is_sent_again_and_stored_once(
    visit: Any, proxy: Any, capture_service: Any, user: str
) -> None:
    proxy.next_responses.append(LOSE_RESPONSE)
    visit.open(SAVES, user=user)
    visit.run(PAY)
    visit.eventually(lambda: len(proxy.received) > 1, "the capture is sent again")
    assert visit.flush() == {"success": True}
    assert len(capture_service.rows("SELECT id FROM payment_data WHERE user_email = ?", user)) == 1


@pytest.mark.slow
def test_flush_does_not_shorten_retry_after(visit: Any, proxy: Any, stored: Any, user: str) -> None:
    proxy.next_responses.append(Reply(503, {"Retry-After": "5"}))
    visit.open(SAVES, user=user)
    assert visit.run(CAPTURE) == {"success": False, "queued": True}
    assert visit.flush() == {"success": False, "queued": True, "waiting": 1}
    assert len(stored("payment_data")) == 1
    first, second = proxy.received
    assert second.at - first.at >= 5  # a busy machine only adds to it


@pytest.mark.slow
def test_retry_after_can_be_a_date(visit: Any, proxy: Any, stored: Any, user: str) -> None:
    visit.open(SAVES, user=user)
    date = int(time.time()) + 6  # HTTP dates have whole seconds
    retry_at = time.monotonic() + date - time.time()
    proxy.next_responses.append(Reply(503, {"Retry-After": formatdate(date, usegmt=True)}))
    assert visit.run(CAPTURE) == {"success": False, "queued": True}
    assert visit.flush() == {"success": False, "queued": True, "waiting": 1}
    assert len(stored("payment_data")) == 1
    first, second = proxy.received
    assert first.at < retry_at <= second.at + CLOCK_TOLERANCE_SECONDS


@pytest.mark.slow
def test_page_that_becomes_visible_retries_at_once(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    proxy.next_responses.extend([Reply(503)] * 3)
    # Each delay is at least 1000 s, so that only the event can end it.
    visit.open(SAVES, before="<script>Math.random = () => 1000</script>", user=user)
    visit.run(CAPTURE)
    for tries in (1, 2, 3):
        visit.eventually(lambda tries=tries: len(proxy.received) == tries, f"request {tries}")
        visit.run("enhancedDataCapture.healthCheck()")  # the page has the response by then
        visit.run("document.dispatchEvent(new Event('visibilitychange'))")
    visit.eventually(lambda: len(proxy.received) == 4, "the last request")
    assert len(stored("payment_data")) == 1


@pytest.mark.slow
def test_captures_of_one_kind_arrive_in_order_after_a_retry(
    visit: Any, proxy: Any, capture_service: Any, user: str
) -> None:
    proxy.next_responses.append(Reply(503))
    visit.open(SAVES, user=user)
    visit.run(
        "() => { for (const n of [1, 2, 3, 4]) savePaymentToSupabase({transaction_id: String(n)}) }"
    )

    def find_payments() -> list[dict[str, Any]]:
        found = capture_service.rows(
            "SELECT transaction_id FROM payment_data WHERE user_email = ? ORDER BY id", user
        )
        return found if len(found) == 4 else []

    payments = visit.eventually(find_payments, "four payments")
    assert [payment["transaction_id"] for payment in payments] == ["1", "2", "3", "4"]


@pytest.mark.slow
def test_failing_capture_delays_only_captures_of_its_kind(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    proxy.next_responses.append(Reply(500))
    visit.open(SAVES, before=LONGEST_DELAYS, user=user)
    assert visit.run(CAPTURE) == {"success": False, "queued": True}
    result = visit.run("enhancedDataCapture.captureDashboardData({initialEquity: 5}, {}, 'dark')")
    assert result["success"] is True
    assert [capture.kind for capture in proxy.received[:2]] == ["payment", "dashboard"]
    assert len(stored("dashboard_data")) == 1


@pytest.mark.parametrize("database", ["", SLOW_DATABASE], ids=["open", "not open yet"])
def test_save_before_an_immediate_navigation_is_stored(
    database: str, visit: Any, proxy: Any, site: Any, stored: Any, user: str
) -> None:
    proxy.delay_seconds = 0.3
    away = site.put("/away.html", "<title>away</title>")
    visit.open(SAVES, before=database, user=user)
    visit.run(f"() => {{ {PAY}; location.href = '{away}' }}")
    visit.page.wait_for_url(away)
    assert len(stored("payment_data")) == 1


@pytest.mark.slow
def test_queued_captures_are_sent_when_the_page_closes(
    visit: Any, proxy: Any, site: Any, stored: Any, user: str
) -> None:
    proxy.next_responses.append(Reply(503))
    away = site.put("/away.html", "<title>away</title>")
    visit.open(SAVES, before=LONGEST_DELAYS, user=user)
    assert visit.run(CAPTURE) == {"success": False, "queued": True}
    visit.run("savePaymentToSupabase({transaction_id: 'behind it'})")
    visit.page.goto(away)
    assert {row["transaction_id"] for row in stored("payment_data", 2)} == {"another", "behind it"}


@pytest.mark.slow
def test_body_too_large_for_keepalive_is_sent(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    visit.run("savePaymentToSupabase({transaction_id: 'T', notes: 'é'.repeat(100000)})")
    assert len(stored("payment_data")) == 1
    assert len(proxy.received[0].text) > 100_000


def test_large_captures_stay_within_the_keepalive_budget(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    sent: list[str] = []
    visit.page.on(
        "request", lambda request: sent.append(request.url) if request.method == "POST" else None
    )
    visit.open(SAVES, user=user)
    visit.run(
        """() => {
          savePaymentToSupabase({transaction_id: 'T', notes: 'x'.repeat(40000)});
          saveDashboardToSupabase({initialEquity: 1, notes: 'x'.repeat(40000)}, {}, 'dark');
        }"""
    )
    assert len(stored("payment_data")) == 1
    assert len(stored("dashboard_data")) == 1
    assert len(sent) == 1  # a batch, which the browser did not refuse


@pytest.mark.slow
def test_full_queue_drops_the_oldest_dashboards_and_keeps_payments(
    visit: Any, proxy: Any, user: str
) -> None:
    visit.open()  # without a user, all captures wait
    visit.run(
        """() => {
          const { capturePaymentData, captureDashboardData } = enhancedDataCapture;
          const notes = 'x'.repeat(900000);
          for (let n = 0; n < 10; n++) capturePaymentData({n, notes});
          for (let n = 0; n < 30; n++) captureDashboardData({n, notes}, {}, 'dark');
        }"""
    )
    assert visit.flush()["waiting"] < 30
    proxy.next_responses.extend([Reply(422)] * 40)
    visit.run(f"enhancedDataCapture.identify({{email: '{user}'}})")
    assert visit.flush() == {"success": True}
    assert sum(capture.kind == "payment" for capture in proxy.received) == 10
    kept = [
        capture.body["dashboardData"]["n"]
        for capture in proxy.received
        if capture.kind == "dashboard"
    ]
    assert kept == list(range(30 - len(kept), 30))


def test_hanging_service_does_not_delay_the_page(visit: Any, proxy: Any, user: str) -> None:
    proxy.hold_responses()
    visit.open(SAVES, user=user)
    save = "Promise.race([savePaymentToSupabase({}), new Promise((later) => setTimeout(later))])"
    assert visit.run(save) == 1, "the result came later than the next task"
    visit.run("() => void enhancedDataCapture.flush()")
    visit.eventually(lambda: proxy.received, "the service has the capture")
    assert visit.run(save) == 1
    assert proxy.responded == 0
