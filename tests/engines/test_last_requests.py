"""Test that a page that closes can send its own last requests beside waiting captures."""

from __future__ import annotations

import pytest

from tests.engines.browser import Tab, eventually
from tests.engines.visit import DATABASE_OPENED, Visit

# Browsers allow 64 KiB for the pending bodies of all keepalive requests of a page. These two are
# what a page sends at most, if the script takes 24,000 bytes.
_BEACON_BYTES = 40_000
_FETCH_BYTES = 1_400

_PAYMENTS = 40
_NOTE_BYTES = 3_000  # so that all payments together have twice the bytes that are allowed

_SAVE = """async ([user_email, count, size]) => {
  for (let n = 0; n < count; n++) {
    const payment = { user_email, transaction_id: 'T' + n, plan_name: 'Pro', final_price: 10,
      notes: 'x'.repeat(size) };
    await fetch('/api/payments', { method: 'POST', body: JSON.stringify(payment) });
  }
}"""

# The page's own last requests. Its handlers run after the script's, as they were added later.
_LAST_REQUESTS = f"""
  const report = (name, value) => sessionStorage.setItem(name, value);
  report('beacon', navigator.sendBeacon('/api/beacon', 'b'.repeat({_BEACON_BYTES})));
  fetch('/api/fetch', {{ method: 'POST', keepalive: true, body: 'f'.repeat({_FETCH_BYTES}) }})
    .catch((error) => report('fetch', String(error)));
"""
EVENTS = {
    "pagehide": "addEventListener('pagehide', () => { LAST });",
    "pagehide in the capture phase": "addEventListener('pagehide', () => { LAST }, true);",
    "onpagehide": "window.onpagehide = () => { LAST };",
    "visibilitychange": """document.addEventListener('visibilitychange', () => {
        if (document.visibilityState === 'hidden') { LAST }
      });""",
}


def leave(visit: Visit, tab: Tab) -> None:
    """Go to another page of the shop, and wait for both of the page's last requests."""
    tab.goto(f"{visit.shop.url}/away.html")
    eventually(
        lambda: visit.shop.saved_at("/api/beacon") and visit.shop.saved_at("/api/fetch"),
        f"the last requests have arrived; the page was told {tab.run('({ ...sessionStorage })')}",
        5,
    )


def check_last_requests(visit: Visit) -> None:
    (beacon,) = visit.shop.saved_at("/api/beacon")
    (fetched,) = visit.shop.saved_at("/api/fetch")
    assert (len(beacon.text), len(fetched.text)) == (_BEACON_BYTES, _FETCH_BYTES)


@pytest.mark.slow
@pytest.mark.parametrize("event", EVENTS)
def test_pages_own_last_requests_arrive_while_captures_wait(event: str, visit: Visit) -> None:
    script = f"<script>{EVENTS[event].replace('LAST', _LAST_REQUESTS)}</script>"
    bare = visit.open(script)
    leave(visit, bare)
    check_last_requests(visit)
    visit.shop.saved.clear()

    tab = visit.open(visit.tag() + script)
    tab.run(DATABASE_OPENED)
    visit.proxy.state = visit.proxy.UNAVAILABLE
    tab.run(_SAVE, [visit.user, _PAYMENTS, _NOTE_BYTES])
    leave(visit, tab)
    check_last_requests(visit)

    visit.proxy.state = visit.proxy.UP
    tab.goto(visit.shop.page(visit.tag()))
    rows = visit.wait_for_rows("payment_data", _PAYMENTS)
    expected = sorted(f"T{number}" for number in range(_PAYMENTS))
    assert sorted(row["transaction_id"] for row in rows) == expected


@pytest.mark.slow
def test_pages_own_last_requests_arrive_while_a_capture_is_being_sent(visit: Visit) -> None:
    script = f"<script>{EVENTS['pagehide'].replace('LAST', _LAST_REQUESTS)}</script>"
    tab = visit.open(visit.tag() + script)
    tab.run(DATABASE_OPENED)
    visit.proxy.hold_responses()
    tab.run(_SAVE, [visit.user, _PAYMENTS, _NOTE_BYTES])
    tab.run("void window.enhancedDataCapture.flush()")
    eventually(lambda: list(visit.proxy.captures()), "the captures are being sent")
    leave(visit, tab)
    visit.proxy.release_responses()
    check_last_requests(visit)
    tab.goto(visit.shop.page(visit.tag()))
    visit.wait_for_rows("payment_data", _PAYMENTS)
    assert len(visit.rows("payment_data")) == _PAYMENTS
