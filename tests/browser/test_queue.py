"""What waits is kept where it outlives its page, sent by whoever is there, and nothing of it is lost or stored twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.site import KEPT, LOST, Reply

SAVES = "<script>async function savePaymentToSupabase() {}</script>"
API = "enhancedDataCapture"
WITHOUT_DATABASE = "<script>Object.defineProperty(window, 'indexedDB', {get() { throw new Error('private') }})</script>"
WITHOUT_LOCKS = "<script>Object.defineProperty(navigator, 'locks', {value: undefined})</script>"


def saves(count: int) -> str:
    return f"() => {{ for (let n = 0; n < {count}; n++) savePaymentToSupabase({{transaction_id: 'T' + n}}) }}"


def test_20_saves_and_a_navigation_in_the_same_task_while_the_service_is_down_all_arrive_later(
    visit: Any, front: Any, site: Any, stored: Any, user: str
) -> None:
    away = site.put("/away.html", "<title>away</title>")
    visit.open(SAVES, user=user)
    visit.run(f"{API}.status()")  # the database is open by then
    front.next_answers.extend([Reply(503)] * 30)
    visit.run(f"() => {{ ({saves(20)})(); location.href = '{away}' }}")
    visit.page.wait_for_url(away)
    front.next_answers.clear()
    visit.open(SAVES)
    assert {row["transaction_id"] for row in stored("payment_data", 20)} == {
        f"T{n}" for n in range(20)
    }


def test_a_backlog_goes_in_batches_and_each_capture_is_judged_by_its_own_answer(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES)
    visit.run(saves(120))
    visit.run(
        f"savePaymentToSupabase({{user_email: '{user}', type: 'of the page', final_price: 'x'.repeat(300)}})"
    )
    front.next_answers.append(LOST)
    visit.run(f"{API}.identify({{email: '{user}'}})")
    assert len(stored("payment_data", 121)) == 121
    assert len([line for line in front.requests if line.endswith("/batch")]) >= 3
    assert visit.flush() == {"success": True}


def test_two_pages_and_a_lost_answer_store_each_capture_once(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    other = visit.page.context.new_page()
    other.goto(visit.page.url)
    front.next_answers.extend([Reply(503)] * 2)
    visit.run(saves(5))
    other.evaluate(
        "() => { for (let n = 5; n < 10; n++) savePaymentToSupabase({transaction_id: 'T' + n}) }"
    )
    other.evaluate(f"{API}.flush()")
    visit.flush()
    front.next_answers.extend([LOST] * 2)
    other.close()
    visit.run("window.dispatchEvent(new Event('online'))")
    assert len(stored("payment_data", 10)) == 10
    visit.eventually(lambda: visit.flush() == {"success": True}, "nothing waits")
    assert len(stored("payment_data", 10)) == 10


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_refused_is_set_aside_with_its_reason_also_on_the_next_page(
    status: int, visit: Any, front: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    problem = json.dumps({"success": False, "error": "the reason"}).encode()
    front.next_answers.append(Reply(status, {"Content-Type": "application/problem+json"}, problem))
    visit.run(saves(1))
    assert visit.flush() == {"success": True}
    visit.open(SAVES)
    [aside] = visit.run(f"{API}.flush().then(() => {API}.status())")["setAside"]
    assert (aside["kind"], aside["status"], aside["reason"]) == ("payment", status, "the reason")
    assert len(front.posts) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_is_not_allowed_is_parked_until_the_next_page(
    status: int, visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    front.next_answers.append(Reply(status))
    visit.run(saves(1))
    assert visit.flush() == {"success": False, "queued": True, "waiting": 1}
    assert visit.flush() == {"success": False, "queued": True, "waiting": 1}
    assert len(front.posts) == 1
    assert visit.run(f"{API}.status()")["parked"][0]["status"] == status
    visit.open(SAVES)
    assert len(stored("payment_data")) == 1


def test_too_large_for_a_page_that_goes_it_is_sent_by_the_next(
    visit: Any, front: Any, site: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    visit.run(f"{API}.status()")
    visit.run("savePaymentToSupabase({transaction_id: 'T', notes: 'x'.repeat(70000)})")
    visit.page.goto(site.put("/away.html", "<title>away</title>"))
    visit.page.wait_for_timeout(300)
    assert front.posts == []
    visit.open(SAVES)
    assert len(stored("payment_data")) == 1


def test_without_a_database_a_small_item_of_local_storage_serves_and_is_gone_afterwards(
    visit: Any, front: Any, site: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, before=WITHOUT_DATABASE, user=user)
    front.next_answers.extend([Reply(503)] * 3)
    visit.run(saves(1))
    assert visit.flush()["waiting"] == 1
    assert visit.run(f"{API}.status()")["storage"] == "localStorage"
    assert "T0" in visit.run("localStorage['enhanced-data-capture']")
    visit.page.goto(site.put("/away.html", "<title>away</title>"))
    front.next_answers.clear()
    visit.open(SAVES, before=WITHOUT_DATABASE)
    assert len(stored("payment_data")) == 1
    visit.run("enhancedDataCapture.setEnabled(true)")
    assert "T0" not in str(visit.run("localStorage['enhanced-data-capture']"))


def test_a_full_local_storage_stays_the_pages_own(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    full = "<script>localStorage.full = 'x'.repeat(5.1e6)</script>"
    visit.open(SAVES, before=WITHOUT_DATABASE + full, user=user)
    visit.run(saves(3))
    assert visit.run("Object.keys(localStorage).sort()") == ["current_user", "full"]
    assert len(stored("payment_data", 3)) == 3


def test_a_lock_that_is_never_given_back_holds_nothing_up_for_ever(
    visit: Any, capture_service: Any, user: str
) -> None:
    """As by a page that a browser froze on its way into the back/forward cache."""
    visit.open(SAVES, user=user)
    visit.run(
        f"{API}.status().then(() => void navigator.locks.request('enhanced-data-capture', () => new Promise(() => {{}})))"
    )
    visit.run(saves(1))
    query = "SELECT id FROM payment_data WHERE user_email = ?"
    visit.eventually(lambda: capture_service.rows(query, user), "the row, without the lock", 20)


def test_where_there_are_no_locks_a_lease_lets_one_page_send(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, before=WITHOUT_LOCKS, user=user)
    visit.run(saves(2))
    assert len(stored("payment_data", 2)) == 2
    assert [record["id"] for record in visit.run(KEPT) if record["id"] == "#lease"] == []


def test_with_the_database_nothing_is_left_in_the_pages_storage(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    visit.run(saves(2))
    assert visit.run("[Object.keys(localStorage), sessionStorage.length]") == [["current_user"], 0]
    assert len(stored("payment_data", 2)) == 2
    assert visit.run("[Object.keys(localStorage), sessionStorage.length]") == [["current_user"], 0]
    assert not [record for record in visit.run(KEPT) if not record["id"].startswith("#")]


def test_a_clock_that_jumps_ahead_loses_nothing(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    front.next_answers.append(Reply(503))
    visit.run(saves(1))
    assert visit.flush()["waiting"] == 1
    visit.run("() => { const real = Date.now; Date.now = () => real() + 30 * 86400e3 }")
    assert len(stored("payment_data")) == 1


def test_after_7_days_in_vain_a_capture_is_dropped_and_counted(
    visit: Any, front: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    front.next_answers.extend([Reply(503)] * 2)
    visit.run(saves(1))
    assert visit.flush()["waiting"] == 1
    visit.run("() => { const real = Date.now; Date.now = () => real() + 8 * 86400e3 }")
    assert visit.flush() == {"success": True}
    assert visit.run(f"{API}.status()")["dropped"] == {"payment": 1}


def test_a_page_that_deletes_databases_is_not_held_up(visit: Any, stored: Any, user: str) -> None:
    visit.open(SAVES, user=user)
    visit.run(f"{API}.status()")
    deleted = """new Promise((done) => { const deleting = indexedDB.deleteDatabase('enhanced-data-capture');
      deleting.onsuccess = () => done('deleted'); setTimeout(() => done('held up'), 3000) })"""
    assert visit.run(deleted) == "deleted"
    visit.run(saves(1))
    assert len(stored("payment_data")) == 1


def test_back_from_the_back_forward_cache_it_goes_on(
    visit: Any, front: Any, site: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    visit.run(saves(1))
    visit.page.goto(site.put("/away.html", "<title>away</title>"))
    visit.page.go_back()
    visit.page.wait_for_function("window.enhancedDataCapture")
    visit.run("savePaymentToSupabase({transaction_id: 'back'})")
    assert {row["transaction_id"] for row in stored("payment_data", 2)} == {"T0", "back"}


# A transaction in which the script reads does not end by itself, as in a page that goes before it has heard the result.
ENDLESS_READING = """<script>{
  const { getAll } = IDBObjectStore.prototype;
  IDBObjectStore.prototype.getAll = function (...given) {
    const again = () => { try { this.count().onsuccess = again } catch (_) { /* it was told to end */ } };
    const request = getAll.apply(this, given);
    request.addEventListener('success', again);
    return request;
  };
}</script>"""


def test_what_a_page_writes_does_not_wait_for_what_it_reads(
    visit: Any, front: Any, site: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, before=ENDLESS_READING, user=user)
    visit.flush()
    front.next_answers.extend([Reply(503)] * 3)
    visit.run(saves(1))
    visit.flush()
    visit.page.goto(site.put("/away.html", "<title>away</title>"))
    front.next_answers.clear()
    visit.open(SAVES, user=user)
    assert [row["transaction_id"] for row in stored("payment_data", 1)] == ["T0"]


def test_no_secret_is_kept_in_the_database(visit: Any, front: Any, user: str) -> None:
    visit.open("<script>function storeQuestionnaireData() {}</script>", user=user)
    secrets = {
        "password": "s3cret-1", "note": "card 4242 4242 4242 4242 12/30", "amex": 378282246310005, "jwt": "s3cret-2",
        "memo": "token=s3cret-3", "text": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzM2NyZXQifQ.abc", "list": [[{"cvv": "s3cret-4"}]],
        "inner": json.dumps({"apiKey": "s3cret-5"}), "accountNumber": "5555555555554444", "transaction_id": "TXN-1705312200000",
        "phone": "+4915112345678", "since": 1705312200000,
    }  # fmt: skip
    front.next_answers.extend([Reply(503)] * 5)
    visit.run("(secrets) => { storeQuestionnaireData(secrets) }", secrets)
    visit.run(
        "(secrets) => { fetch('/api/simple/questionnaire', {method: 'POST', headers: {apikey: 's3cret-6',"
        " Authorization: 'Bearer s3cret-7'}, body: JSON.stringify({...secrets, tradesPerDay: '9'})}) }",
        secrets,
    )
    visit.flush()
    kept = json.dumps(visit.run(KEPT)) + "".join(post.text for post in front.posts)
    assert "TXN-1705312200000" in kept
    assert "+4915112345678" in kept
    for secret in ("s3cret", "4242 4242", "378282246310005", "5555555555554444", "eyJhbGci"):
        assert secret not in kept, secret


def test_where_the_database_has_no_room_nothing_is_thrown_and_what_waits_in_memory_is_sent(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    """As when the disk is full: some browsers refuse at once, others when the transaction is to be written."""
    visit.open(SAVES, user=user)
    visit.run(f"{API}.status()")
    visit.run(
        """() => {
          window.refused = 0;
          const puts = IDBObjectStore.prototype.put;
          IDBObjectStore.prototype.put = function (...given) {
            window.refused += 1;
            if (window.refused % 2) throw new DOMException('full', 'QuotaExceededError');
            const request = puts.apply(this, given);
            request.transaction.abort();
            return request;
          };
        }"""
    )
    front.next_answers.extend([Reply(503)] * 2)
    visit.run(saves(1))
    visit.flush()
    visit.run("savePaymentToSupabase({transaction_id: 'T1'})")
    visit.flush()
    assert visit.run("refused") > 1
    visit.run("window.dispatchEvent(new Event('online'))")
    assert {row["transaction_id"] for row in stored("payment_data", 2)} == {"T0", "T1"}
