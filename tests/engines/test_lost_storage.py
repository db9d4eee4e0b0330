"""Test that a page neither hangs nor loses captures when its browser takes the database away."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.site import STORED_RECORDS, Reply
from tests.engines.browser import Tab
from tests.engines.visit import DATABASE_OPENED, NOTHING_OBSERVED, Visit

# Runs before the script. It keeps the script's database, and counts the calls that a loop of
# retries would repeat. The fuse ends such a loop, which would hang the tab and so the test: from
# the 500th call on, nothing is answered any more.
_FUSE = """<script>
window.calls = 0;
window.faults = {};
const countCall = () => ++window.calls > 500;
const refuse = (name) => { throw new DOMException(name, name); };
const inert = new Proxy(function () {}, { get: () => inert, apply: () => inert, set: () => true });

{
const { open } = IDBFactory.prototype;
IDBFactory.prototype.open = function (...args) {
  if (countCall()) return {};
  if (window.faults.open) refuse(window.faults.open);
  const request = open.apply(this, args);
  request.addEventListener('success', () => { window.database = request.result; });
  return request;
};
const { transaction } = IDBDatabase.prototype;
IDBDatabase.prototype.transaction = function (...args) {
  if (countCall()) return inert;
  if (window.faults.transaction) refuse(window.faults.transaction);
  return transaction.apply(this, args);
};
for (const method of ['put', 'getAll']) {
  const native = IDBObjectStore.prototype[method];
  IDBObjectStore.prototype[method] = function (...args) {
    if (countCall()) return {};
    if (window.faults[method]) refuse(window.faults[method]);
    const request = native.apply(this, args);
    if (window.faults.abort) this.transaction.abort();
    return request;
  };
}
}
</script>"""

# What a page lacks on plain http.
_PLAIN_HTTP = """<script>
delete Navigator.prototype.locks;
delete Crypto.prototype.randomUUID;
</script>"""

# Whether the database, if there is one, has a capture.
_IS_KEPT = f"""(async () => {{
  const names = (await indexedDB.databases()).map(({{ name }}) => name);
  return names.includes('enhanced-data-capture')
    && (await {STORED_RECORDS}).some(({{ kind }}) => kind);
}})()"""

_SAVE = """async ([user_email, transaction_id]) => {
  const payment = { user_email, transaction_id, plan_name: 'Pro', final_price: 10 };
  await fetch('/api/payments', { method: 'POST', body: JSON.stringify(payment) });
}"""

# Ways to lose a database that can be opened again.
CLOSED = {
    "closed by the browser": """() => {
        database.close();
        database.dispatchEvent(new Event('close'));
      }""",
    "closed without an event": "() => database.close()",
    "deleted": """() => new Promise((done) => {
        indexedDB.deleteDatabase('enhanced-data-capture').onsuccess = () => done(0);
      })""",
    "site data cleared": "() => fetch('/api/clear', { method: 'POST' }).then(() => 0)",
}
# Faults that stay.
BROKEN = {
    "transactions throw": "() => { faults.transaction = 'InvalidStateError'; }",
    "transactions abort": "() => { faults.abort = true; }",
    "the disk is full": "() => { faults.put = 'QuotaExceededError'; }",
    "reads throw": "() => { faults.getAll = 'UnknownError'; }",
    "closed for good": "() => { database.close(); faults.open = 'SecurityError'; }",
    "all throws": """() => {
        faults.open = faults.transaction = faults.put = faults.getAll = 'UnknownError';
      }""",
}
WITHOUT = {"https": "", "plain http": _PLAIN_HTTP}


def save(visit: Visit, tab: Tab, transaction: str) -> None:
    """Let the page save a payment, and wait for its response."""
    tab.run(_SAVE, [visit.user, transaction])


def open_page(visit: Visit, head: str) -> Tab:
    visit.shop.replies["/api/clear"] = Reply(200, {"Clear-Site-Data": '"storage"'})
    tab = visit.open(_FUSE + head + visit.tag())
    tab.run(DATABASE_OPENED)
    return tab


def calls_in_a_second(tab: Tab) -> Any:
    """Return how many calls the script makes in a second; the fuse ends more than 500."""
    return tab.run("""() => {
      const before = window.calls;
      return new Promise((done) => setTimeout(() => done(window.calls - before), 1000));
    }""")


def check_delivery(visit: Visit, tab: Tab, *transactions: str) -> None:
    """Check that exactly these payments are stored, and that the page saw nothing."""
    visit.proxy.state = visit.proxy.UP
    tab.run("void window.enhancedDataCapture.flush()")
    visit.wait_for_rows("payment_data", len(transactions))
    rows = visit.rows("payment_data")
    assert sorted(row["transaction_id"] for row in rows) == list(transactions)
    assert visit.observed(tab) == NOTHING_OBSERVED


@pytest.mark.slow
@pytest.mark.parametrize("protocol", WITHOUT)
@pytest.mark.parametrize("fault", CLOSED | BROKEN)
def test_page_that_loses_the_database_delivers_all_and_does_not_hang(
    fault: str, protocol: str, visit: Visit
) -> None:
    tab = open_page(visit, WITHOUT[protocol])
    visit.proxy.state = visit.proxy.UNAVAILABLE
    save(visit, tab, "T1")
    tab.run((CLOSED | BROKEN)[fault])
    save(visit, tab, "T2")
    assert calls_in_a_second(tab) < 100
    check_delivery(visit, tab, "T1", "T2")


@pytest.mark.slow
@pytest.mark.parametrize("protocol", WITHOUT)
@pytest.mark.parametrize("fault", CLOSED)
def test_database_that_was_closed_is_opened_again(fault: str, protocol: str, visit: Visit) -> None:
    tab = open_page(visit, WITHOUT[protocol])
    tab.run(CLOSED[fault])
    visit.proxy.state = visit.proxy.UNAVAILABLE
    save(visit, tab, "T1")
    tab.run("void window.enhancedDataCapture.flush()")
    tab.eventually(_IS_KEPT, "T1 is kept", 5)
    tab.goto(f"{visit.shop.url}/away.html")
    visit.proxy.state = visit.proxy.UP
    tab.goto(visit.shop.page(visit.tag()))
    check_delivery(visit, tab, "T1")


@pytest.mark.slow
@pytest.mark.parametrize("protocol", WITHOUT)
@pytest.mark.parametrize("fault", ["open", "transaction", "put", "getAll", "abort"])
def test_page_whose_database_fails_from_the_start_delivers(
    fault: str, protocol: str, visit: Visit
) -> None:
    tab = visit.open(
        f"{_FUSE}<script>faults.{fault} = 'UnknownError'</script>{WITHOUT[protocol]}{visit.tag()}"
    )
    save(visit, tab, "T1")
    assert calls_in_a_second(tab) < 100
    check_delivery(visit, tab, "T1")


# Functions of the browser that fail at each call, and that delivery needs. Each counts its calls.
REJECTED = {
    "locks reject": """LockManager.prototype.request = async () =>
        (countCall() ? new Promise(() => {}) : refuse('AbortError'))""",
    "locks throw": """LockManager.prototype.request = () =>
        (countCall() ? new Promise(() => {}) : refuse('SecurityError'))""",
    "locks are forbidden": """Object.defineProperty(Navigator.prototype, 'locks', {
        get: () => (countCall() ? undefined : refuse('SecurityError')),
      })""",
    "workers throw": "window.Worker = function () { countCall(); refuse('SecurityError'); }",
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", REJECTED)
def test_delivery_that_is_refused_is_not_retried_without_a_pause(fault: str, visit: Visit) -> None:
    tab = visit.open(f"{_FUSE}<script>{REJECTED[fault]}</script>{visit.tag()}")
    save(visit, tab, "T1")
    assert calls_in_a_second(tab) < 100
    check_delivery(visit, tab, "T1")


@pytest.mark.slow
@pytest.mark.parametrize("protocol", WITHOUT)
@pytest.mark.parametrize("failure", ["throw new TypeError('no')", "return Promise.reject(1)"])
def test_network_that_fails_at_once_is_not_retried_without_a_pause(
    failure: str, protocol: str, visit: Visit
) -> None:
    fetch = f"""<script>{{
      const native = window.fetch;
      window.fetch = function (url, ...options) {{
        if (!String(url).includes('/data-capture/')) return native(url, ...options);
        if (countCall()) return new Promise(() => {{}});
        {failure};
      }};
      window.Worker = undefined;
    }}</script>"""
    tab = visit.open(f"{_FUSE}{fetch}{WITHOUT[protocol]}{visit.tag()}")
    save(visit, tab, "T1")
    assert calls_in_a_second(tab) < 100
    assert tab.run("enhancedDataCapture.status()")["waiting"] == 1
    assert visit.observed(tab) == NOTHING_OBSERVED
