"""Test the queue: captures outlive their page, and any page can send them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.site import LOSE_RESPONSE, STORED_RECORDS, Reply

SAVES = "<script>async function savePaymentToSupabase() {}</script>"
API = "enhancedDataCapture"
WITHOUT_DATABASE = """<script>
Object.defineProperty(window, 'indexedDB', {get() { throw new Error('private') }});
</script>"""
WITHOUT_LOCKS = "<script>Object.defineProperty(navigator, 'locks', {value: undefined})</script>"


def save_payments(stop: int, start: int = 0) -> str:
    """Return a function that saves the payments `T{start}` to `T{stop - 1}`."""
    loop = f"for (let n = {start}; n < {stop}; n++)"
    return f"() => {{ {loop} savePaymentToSupabase({{transaction_id: 'T' + n}}) }}"


@pytest.mark.slow
def test_20_saves_before_an_immediate_navigation_arrive_after_an_outage(
    visit: Any, proxy: Any, site: Any, stored: Any, user: str
) -> None:
    away = site.put("/away.html", "<title>away</title>")
    visit.open(SAVES, user=user)
    visit.run(f"{API}.status()")  # the database is open after this
    proxy.outage = Reply(503)
    visit.run(f"() => {{ ({save_payments(20)})(); location.href = '{away}' }}")
    visit.page.wait_for_url(away)
    proxy.outage = None
    visit.open(SAVES)
    assert {row["transaction_id"] for row in stored("payment_data", 20)} == {
        f"T{n}" for n in range(20)
    }


@pytest.mark.slow
def test_backlog_is_sent_in_batches_with_one_result_per_capture(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES)
    visit.run(save_payments(120))
    payment = {"user_email": user, "type": "of the page", "final_price": "x" * 300}
    visit.run("(payment) => savePaymentToSupabase(payment)", payment)
    proxy.next_responses.append(LOSE_RESPONSE)
    visit.run(f"{API}.identify({{email: '{user}'}})")
    assert len(stored("payment_data", 121)) == 121
    assert len([line for line in proxy.requests if line.endswith("/batch")]) >= 3
    assert visit.flush() == {"success": True}


@pytest.mark.slow
def test_two_pages_and_lost_responses_store_each_capture_once(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    other = visit.page.context.new_page()
    other.goto(visit.page.url)
    proxy.next_responses.extend([Reply(503)] * 2)
    visit.run(save_payments(5))
    other.evaluate(save_payments(10, start=5))
    other.evaluate(f"{API}.flush()")
    visit.flush()
    proxy.next_responses.extend([LOSE_RESPONSE] * 2)
    other.close()
    visit.run("window.dispatchEvent(new Event('online'))")
    assert len(stored("payment_data", 10)) == 10
    visit.eventually(lambda: visit.flush() == {"success": True}, "the queue is empty")
    assert len(stored("payment_data", 10)) == 10


@pytest.mark.slow
@pytest.mark.parametrize("status", [400, 413, 422])
def test_rejected_capture_is_kept_with_its_reason_on_the_next_page(
    status: int, visit: Any, proxy: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    problem = json.dumps({"success": False, "error": "the reason"}).encode()
    proxy.next_responses.append(
        Reply(status, {"Content-Type": "application/problem+json"}, problem)
    )
    visit.run(save_payments(1))
    assert visit.flush() == {"success": True}
    visit.open(SAVES)
    [rejected] = visit.run(f"{API}.flush().then(() => {API}.status())")["setAside"]
    assert (rejected["kind"], rejected["status"]) == ("payment", status)
    assert rejected["reason"] == "the reason"
    assert len(proxy.received) == 1


@pytest.mark.slow
@pytest.mark.parametrize("status", [401, 403, 404])
def test_blocked_capture_waits_for_the_next_page(
    status: int, visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    proxy.next_responses.append(Reply(status))
    visit.run(save_payments(1))
    assert visit.flush() == {"success": False, "queued": True, "waiting": 1}
    assert visit.flush() == {"success": False, "queued": True, "waiting": 1}
    assert len(proxy.received) == 1
    assert visit.run(f"{API}.status()")["parked"][0]["status"] == status
    visit.open(SAVES)
    assert len(stored("payment_data")) == 1


@pytest.mark.slow
def test_capture_too_large_for_a_closing_page_is_sent_by_the_next_page(
    visit: Any, proxy: Any, site: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    visit.run(f"{API}.status()")
    visit.run("savePaymentToSupabase({transaction_id: 'T', notes: 'x'.repeat(70000)})")
    visit.page.goto(site.put("/away.html", "<title>away</title>"))
    visit.page.wait_for_timeout(300)  # a request of the closing page would arrive in this time
    assert proxy.received == []
    visit.open(SAVES)
    assert len(stored("payment_data")) == 1


@pytest.mark.slow
def test_queue_is_in_local_storage_without_indexeddb_and_removed_when_sent(
    visit: Any, proxy: Any, site: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, before=WITHOUT_DATABASE, user=user)
    proxy.outage = Reply(503)
    visit.run(save_payments(1))
    assert visit.flush()["waiting"] == 1
    assert visit.run(f"{API}.status()")["storage"] == "localStorage"
    assert "T0" in visit.run("localStorage['enhanced-data-capture']")
    visit.page.goto(site.put("/away.html", "<title>away</title>"))
    proxy.outage = None
    visit.open(SAVES, before=WITHOUT_DATABASE)
    assert len(stored("payment_data")) == 1
    visit.run("enhancedDataCapture.setEnabled(true)")
    assert "T0" not in str(visit.run("localStorage['enhanced-data-capture']"))


@pytest.mark.slow
def test_full_local_storage_is_left_to_the_page(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    full = "<script>localStorage.full = 'x'.repeat(5.1e6)</script>"
    visit.open(SAVES, before=WITHOUT_DATABASE + full, user=user)
    visit.run(save_payments(3))
    assert visit.run("Object.keys(localStorage).sort()") == ["current_user", "full"]
    assert len(stored("payment_data", 3)) == 3


@pytest.mark.slow
def test_lock_that_is_never_released_does_not_stop_delivery(
    visit: Any, capture_service: Any, user: str
) -> None:
    """A browser may freeze the page that holds the lock, in its back/forward cache."""
    visit.open(SAVES, user=user)
    visit.run(f"{API}.status()")
    endless = "() => new Promise(() => {})"
    visit.run(f"() => void navigator.locks.request('enhanced-data-capture', {endless})")
    visit.run(save_payments(1))
    query = "SELECT id FROM payment_data WHERE user_email = ?"
    visit.eventually(
        lambda: capture_service.rows(query, user), "the capture is stored without the lock"
    )


@pytest.mark.slow
def test_page_without_web_locks_sends_and_leaves_no_lease(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, before=WITHOUT_LOCKS, user=user)
    visit.run(save_payments(2))
    assert len(stored("payment_data", 2)) == 2
    assert [record["id"] for record in visit.run(STORED_RECORDS) if record["id"] == "#lease"] == []


@pytest.mark.slow
def test_nothing_is_left_in_web_storage_when_indexeddb_works(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    visit.run(save_payments(2))
    assert visit.run("[Object.keys(localStorage), sessionStorage.length]") == [["current_user"], 0]
    assert len(stored("payment_data", 2)) == 2
    assert visit.run("[Object.keys(localStorage), sessionStorage.length]") == [["current_user"], 0]
    assert not [record for record in visit.run(STORED_RECORDS) if not record["id"].startswith("#")]


def test_clock_that_jumps_ahead_loses_no_capture(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    proxy.outage = Reply(503)
    visit.run(save_payments(1))
    assert visit.flush()["waiting"] == 1
    proxy.outage = None
    visit.run("() => { const real = Date.now; Date.now = () => real() + 30 * 86400e3 }")
    assert len(stored("payment_data")) == 1


@pytest.mark.slow
def test_capture_is_dropped_and_counted_after_7_days_of_failures(
    visit: Any, proxy: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    proxy.outage = Reply(503)
    visit.run(save_payments(1))
    assert visit.flush()["waiting"] == 1
    visit.run("() => { const real = Date.now; Date.now = () => real() + 8 * 86400e3 }")
    assert visit.flush() == {"success": True}
    assert visit.run(f"{API}.status()")["dropped"] == {"payment": 1}


def test_page_can_delete_the_database(visit: Any, stored: Any, user: str) -> None:
    visit.open(SAVES, user=user)
    visit.run(f"{API}.status()")
    delete = """new Promise((resolve) => {
      const request = indexedDB.deleteDatabase('enhanced-data-capture');
      request.onsuccess = () => resolve('deleted');
      request.onblocked = () => resolve('blocked');
      setTimeout(() => resolve('not deleted'), 60000);
    })"""
    assert visit.run(delete) == "deleted"
    visit.run(save_payments(1))
    assert len(stored("payment_data")) == 1


@pytest.mark.slow
def test_page_restored_from_the_back_forward_cache_captures_again(
    visit: Any, proxy: Any, site: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    visit.run(save_payments(1))
    visit.page.goto(site.put("/away.html", "<title>away</title>"))
    visit.page.go_back()
    visit.page.wait_for_function("window.enhancedDataCapture")
    visit.run("savePaymentToSupabase({transaction_id: 'back'})")
    assert {row["transaction_id"] for row in stored("payment_data", 2)} == {"T0", "back"}


# A transaction in which the script reads does not end by itself. This happens when a page closes
# before the result of the read has reached it.
ENDLESS_READING = """<script>{
  const { getAll } = IDBObjectStore.prototype;
  IDBObjectStore.prototype.getAll = function (...args) {
    const readAgain = () => {
      try { this.count().onsuccess = readAgain } catch { /* the transaction was committed */ }
    };
    const request = getAll.apply(this, args);
    request.addEventListener('success', readAgain);
    return request;
  };
}</script>"""


def test_write_does_not_wait_for_a_read_that_never_ends(
    visit: Any, proxy: Any, site: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, before=ENDLESS_READING, user=user)
    visit.flush()
    proxy.outage = Reply(503)
    visit.run(save_payments(1))
    visit.flush()
    visit.page.goto(site.put("/away.html", "<title>away</title>"))
    proxy.outage = None
    visit.open(SAVES, user=user)
    assert [row["transaction_id"] for row in stored("payment_data", 1)] == ["T0"]


@pytest.mark.slow
def test_no_secret_is_stored_in_the_database(visit: Any, proxy: Any, user: str) -> None:
    visit.open("<script>function storeQuestionnaireData() {}</script>", user=user)
    secrets = {
        "password": "s3cret-1",
        "note": "card 4242 4242 4242 4242 12/30",
        "amex": 378282246310005,
        "jwt": "s3cret-2",
        "memo": "token=s3cret-3",
        "text": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzM2NyZXQifQ.abc",
        "list": [[{"cvv": "s3cret-4"}]],
        "inner": json.dumps({"apiKey": "s3cret-5"}),
        "accountNumber": "5555555555554444",
        "transaction_id": "TXN-1705312200000",
        "phone": "+4915112345678",
        "since": 1705312200000,
    }
    proxy.outage = Reply(503)
    visit.run("(secrets) => { storeQuestionnaireData(secrets) }", secrets)
    visit.run(
        """(secrets) => {
          const headers = {apikey: 's3cret-6', Authorization: 'Bearer s3cret-7'};
          const body = JSON.stringify({...secrets, tradesPerDay: '9'});
          fetch('/api/simple/questionnaire', {method: 'POST', headers, body});
        }""",
        secrets,
    )
    visit.flush()
    sent = "".join(capture.text for capture in proxy.received)
    kept = json.dumps(visit.run(STORED_RECORDS)) + sent
    assert "TXN-1705312200000" in kept
    assert "+4915112345678" in kept
    for secret in ("s3cret", "4242 4242", "378282246310005", "5555555555554444", "eyJhbGci"):
        assert secret not in kept, secret


@pytest.mark.slow
def test_captures_are_sent_from_memory_when_the_database_is_full(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    """With a full disk, put() throws in some browsers; others abort the transaction."""
    visit.open(SAVES, user=user)
    visit.run(f"{API}.status()")
    visit.run(
        """() => {
          window.refused = 0;
          const { put } = IDBObjectStore.prototype;
          IDBObjectStore.prototype.put = function (...args) {
            window.refused += 1;
            if (window.refused % 2) throw new DOMException('full', 'QuotaExceededError');
            const request = put.apply(this, args);
            request.transaction.abort();
            return request;
          };
        }"""
    )
    proxy.outage = Reply(503)
    visit.run(save_payments(1))
    visit.flush()
    visit.run("savePaymentToSupabase({transaction_id: 'T1'})")
    visit.flush()
    assert visit.run("refused") > 1
    proxy.outage = None
    visit.run("window.dispatchEvent(new Event('online'))")
    assert {row["transaction_id"] for row in stored("payment_data", 2)} == {"T0", "T1"}
