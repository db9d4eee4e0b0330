"""Nothing is lost and nothing stored twice, whatever happens between the page and the service."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

import pytest

from tests.browser.site import LOST, SLOW_DATABASE, Reply

SAVES = "<script>async function savePaymentToSupabase() { return 1 } async function saveDashboardToSupabase() {}</script>"
PAY = "savePaymentToSupabase({transaction_id: 'T'})"
CAPTURE = "enhancedDataCapture.capturePaymentData({transaction_id: 'another'})"


def test_a_capture_made_while_the_service_is_down_arrives_once_it_is_back(
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


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_a_passing_failure_is_tried_again_with_the_same_id(
    status: int, visit: Any, front: Any, stored: Any, user: str
) -> None:
    front.next_answers.append(Reply(status))
    visit.open(SAVES, user=user)
    visit.run(PAY)
    assert len(stored("payment_data")) == 1
    assert len(front.posts) > 1
    assert len({post.text for post in front.posts}) == 1


@pytest.mark.parametrize(
    "body", [b"<h1>Sign in to the hotel's network</h1>", b'{"success": "maybe"}', b""]
)
def test_an_answer_that_is_not_the_services_is_no_acknowledgement(
    body: bytes, visit: Any, front: Any, stored: Any, user: str
) -> None:
    front.next_answers.append(Reply(200, {}, body))
    visit.open(SAVES, user=user)
    visit.run(PAY)
    assert len(stored("payment_data")) == 1
    assert len(front.posts) > 1
    assert len({post.text for post in front.posts}) == 1


def test_a_redirect_is_not_followed(
    visit: Any, front: Any, site: Any, stored: Any, user: str
) -> None:
    front.next_answers.append(Reply(307, {"Location": f"{site.url}/elsewhere"}))
    visit.open(SAVES, user=user)
    visit.run(PAY)
    assert len(stored("payment_data")) == 1
    assert not [line for line in site.requests if "elsewhere" in line]
    visit.console.clear()  # the browser's own line about the redirect


def test_a_capture_whose_answer_was_lost_is_sent_again_and_stored_once(
    visit: Any, front: Any, capture_service: Any, user: str
) -> None:
    front.next_answers.append(LOST)
    visit.open(SAVES, user=user)
    visit.run(PAY)
    visit.eventually(lambda: len(front.posts) > 1, "the second try")
    assert visit.flush() == {"success": True}
    assert len(capture_service.rows("SELECT id FROM payment_data WHERE user_email = ?", user)) == 1


def test_retry_after_is_waited_for_even_when_asked_to_hurry(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    front.next_answers.append(Reply(503, {"Retry-After": "2"}))
    visit.open(SAVES, user=user)
    assert visit.run(CAPTURE) == {"success": False, "queued": True}
    assert visit.flush() == {"success": False, "queued": True, "waiting": 1}
    assert len(stored("payment_data")) == 1
    first, second = front.posts
    assert second.at - first.at >= 2


def test_retry_after_may_be_a_date(visit: Any, front: Any, stored: Any, user: str) -> None:
    front.next_answers.append(
        Reply(503, {"Retry-After": formatdate(time.time() + 3, usegmt=True)})
    )  # of whole seconds
    visit.open(SAVES, user=user)
    assert visit.run(CAPTURE) == {"success": False, "queued": True}
    assert visit.flush() == {"success": False, "queued": True, "waiting": 1}
    assert len(stored("payment_data")) == 1
    first, second = front.posts
    assert second.at - first.at >= 1.5


def test_becoming_visible_ends_the_waiting(visit: Any, front: Any, stored: Any, user: str) -> None:
    front.next_answers.extend([Reply(503)] * 3)
    visit.open(SAVES, before="<script>Math.random = () => 0.999</script>", user=user)
    visit.run(CAPTURE)  # tried again after 1 s, then 2 s, then 4 s
    for tries in (1, 2, 3):
        visit.eventually(lambda tries=tries: len(front.posts) >= tries, "a try", 1)
        visit.run("enhancedDataCapture.healthCheck()")  # the try has been answered by then
        visit.run("document.dispatchEvent(new Event('visibilitychange'))")
    assert len(stored("payment_data")) == 1
    assert front.posts[3].at - front.posts[0].at < 3


def test_captures_of_one_kind_arrive_in_order_also_when_the_first_must_wait(
    visit: Any, front: Any, capture_service: Any, user: str
) -> None:
    front.next_answers.append(Reply(503))
    visit.open(SAVES, user=user)
    visit.run(
        "() => { for (const n of [1, 2, 3, 4]) savePaymentToSupabase({transaction_id: String(n)}) }"
    )

    def arrived() -> list[dict[str, Any]]:
        found = capture_service.rows(
            "SELECT transaction_id FROM payment_data WHERE user_email = ? ORDER BY id", user
        )
        return found if len(found) == 4 else []

    assert [row["transaction_id"] for row in visit.eventually(arrived, "four payments")] == [
        "1",
        "2",
        "3",
        "4",
    ]


def test_a_capture_that_the_service_cannot_take_holds_up_its_own_kind_only(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    front.next_answers.append(Reply(500))
    visit.open(SAVES, before="<script>Math.random = () => 0.999</script>", user=user)
    assert visit.run(CAPTURE) == {"success": False, "queued": True}
    answer = visit.run("enhancedDataCapture.captureDashboardData({initialEquity: 5}, {}, 'dark')")
    assert answer["success"] is True
    assert [post.kind for post in front.posts[:2]] == ["payment", "dashboard"]
    assert len(stored("dashboard_data")) == 1


@pytest.mark.parametrize("database", ["", SLOW_DATABASE], ids=["open", "not open yet"])
def test_a_save_followed_by_leaving_the_page_in_the_same_moment_is_stored(
    database: str, visit: Any, front: Any, site: Any, stored: Any, user: str
) -> None:
    front.delay_seconds = 0.3
    away = site.put("/away.html", "<title>away</title>")
    visit.open(SAVES, before=database, user=user)
    visit.run(f"() => {{ {PAY}; location.href = '{away}' }}")
    visit.page.wait_for_url(away)
    assert len(stored("payment_data")) == 1


def test_what_still_waits_when_the_page_goes_leaves_with_it(
    visit: Any, front: Any, site: Any, stored: Any, user: str
) -> None:
    front.next_answers.append(Reply(503))
    away = site.put("/away.html", "<title>away</title>")
    visit.open(SAVES, before="<script>Math.random = () => 0.999</script>", user=user)
    assert visit.run(CAPTURE) == {"success": False, "queued": True}
    visit.run("savePaymentToSupabase({transaction_id: 'behind it'})")
    visit.page.goto(away)
    assert {row["transaction_id"] for row in stored("payment_data", 2)} == {"another", "behind it"}


def test_a_body_too_large_for_keepalive_is_sent_all_the_same(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    visit.run("savePaymentToSupabase({transaction_id: 'T', notes: 'é'.repeat(100000)})")
    assert len(stored("payment_data")) == 1
    assert len(front.posts[0].text) > 100_000


def test_many_captures_at_once_stay_within_the_browsers_keepalive_budget(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    tries: list[str] = []
    visit.page.on(
        "request", lambda request: tries.append(request.url) if request.method == "POST" else None
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
    assert len(tries) == 1  # a batch, which the browser did not refuse


def test_when_there_is_no_room_the_oldest_dashboards_go_and_payments_stay(
    visit: Any, front: Any, user: str
) -> None:
    visit.open()  # nobody is known: everything waits
    visit.run(
        """() => {
          const notes = 'x'.repeat(900000);
          for (let n = 0; n < 10; n++) enhancedDataCapture.capturePaymentData({n, notes});
          for (let n = 0; n < 30; n++) enhancedDataCapture.captureDashboardData({n, notes}, {}, 'dark');
        }"""
    )
    assert visit.flush()["waiting"] < 30
    front.next_answers.extend([Reply(422)] * 40)
    visit.run(f"enhancedDataCapture.identify({{email: '{user}'}})")
    assert visit.flush() == {"success": True}
    assert sum(post.kind == "payment" for post in front.posts) == 10
    kept = [post.body["dashboardData"]["n"] for post in front.posts if post.kind == "dashboard"]
    assert kept == list(range(30 - len(kept), 30))


def test_a_service_that_hangs_holds_up_nothing_on_the_page(
    visit: Any, front: Any, user: str
) -> None:
    front.delay_seconds = 1.5
    visit.open(SAVES, user=user)
    elapsed = visit.run(
        "async () => { const start = performance.now(); await savePaymentToSupabase({}); return performance.now() - start }"
    )
    assert elapsed < 500
