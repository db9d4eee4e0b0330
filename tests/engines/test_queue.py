"""Test the queue where browsers make it hard: CSP, quotas, private windows and navigation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.site import Reply
from tests.engines.browser import Browser, Tab
from tests.engines.engines import Engine
from tests.engines.servers import tag
from tests.engines.visit import DATABASE_OPENED, NOTHING_OBSERVED, Visit

_SAVE = """([path, size, id, start = '']) => void fetch(path, { method: 'POST',
  body: JSON.stringify({ user_email: 'USER_EMAIL', transaction_id: id, plan_name_payment: 'Pro',
    final_price: 10, notes: start + 'x'.repeat(size) }) })"""


def save(visit: Visit, tab: Tab, transaction: str, size: int = 10) -> None:
    """Let the page save a payment with notes of `size` characters."""
    tab.run(_SAVE.replace("USER_EMAIL", visit.user), ["/api/payments", size, transaction])


def save_and_navigate(visit: Visit, transaction: str, size: int) -> str:
    """Return statements that save a payment and leave the page in the same task."""
    save_function = _SAVE.replace("USER_EMAIL", visit.user)
    return (
        f"({save_function})(['/api/payments', {size}, '{transaction}']);"
        f" location.href = '{visit.shop.url}/away.html';"
    )


def wait_until_navigated(tab: Tab) -> None:
    tab.eventually("location.pathname === '/away.html'", "the other page is shown")


def stored_transactions(visit: Visit) -> list[str]:
    return sorted(str(row["transaction_id"]) for row in visit.rows("payment_data"))


@pytest.mark.slow
@pytest.mark.quick
def test_save_and_navigation_in_one_task_stores_the_capture(application_visit: Visit) -> None:
    visit = application_visit
    tab = visit.open_application()
    tab.run(DATABASE_OPENED)
    visit.proxy.delay_seconds = 0.3
    tab.run(
        "(detail) => void setTimeout(() => document.dispatchEvent("
        "new CustomEvent('step', { detail: { ...detail, done() {} } })))",
        {"name": "payAndLeave", "args": ["T1", visit.user, f"{visit.shop.url}/away.html"]},
    )
    wait_until_navigated(tab)
    assert visit.wait_for_rows("payment_data", 1)[0]["transaction_id"] == "T1"


@pytest.mark.slow
@pytest.mark.quick
def test_capture_blocked_by_csp_is_sent_by_a_later_page_without_that_policy(visit: Visit) -> None:
    policy = (
        f"script-src 'self' 'unsafe-inline' 'unsafe-eval' {visit.proxy.url}; connect-src 'self'"
    )
    tab = visit.open(
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">{tag(visit.proxy.url)}'
    )
    save(visit, tab, "T1")
    visit.proxy.wait_until_quiet(2)
    assert stored_transactions(visit) == []
    assert visit.observed(tab) == NOTHING_OBSERVED
    tab.goto(visit.shop.page(tag(visit.proxy.url)))
    visit.wait_for_rows("payment_data", 1)


def test_queue_leaves_the_whole_local_storage_quota_to_the_page(visit: Visit) -> None:
    """A page that fills its localStorage is captured, too."""
    fill = """() => {
      let keys = 0;
      for (let size = 1 << 19; size >= 1; size >>= 1) {
        try { for (;;) localStorage.setItem(`f${keys++}`, 'x'.repeat(size)); } catch (full) { }
      }
      return [localStorage.length, Object.values(localStorage).join('').length];
    }"""
    bare = visit.open("")
    expected = bare.run(fill)
    bare.run("localStorage.clear()")
    tab = visit.open()
    visit.proxy.state = visit.proxy.UNAVAILABLE
    save(visit, tab, "T1")
    assert tab.run(fill) == expected
    save(visit, tab, "T2")
    visit.proxy.state = visit.proxy.UP
    visit.wait_for_rows("payment_data", 2)
    assert visit.observed(tab) == NOTHING_OBSERVED


@pytest.fixture
def private_browser(engine: Engine, tmp_path: Path) -> Iterator[Browser]:
    browser = engine.start(tmp_path / "private", private=True)
    browser.open_tab()
    yield browser
    browser.close()


@pytest.mark.slow
def test_private_window_queues_and_sends_captures(visit: Visit, private_browser: Browser) -> None:
    visit.browser = private_browser
    tab = visit.open()
    visit.proxy.state = visit.proxy.UNAVAILABLE
    save(visit, tab, "T1")
    visit.proxy.wait_until_quiet(1)
    tab.goto(f"{visit.shop.url}/away.html")
    visit.proxy.state = visit.proxy.UP
    tab.goto(visit.shop.page(visit.tag()))
    visit.wait_for_rows("payment_data", 1)
    assert visit.observed(tab) == NOTHING_OBSERVED
    visit.close(tab)


@pytest.mark.slow
def test_bodies_of_100_kb_are_stored_once(visit: Visit) -> None:
    tab = visit.open()
    for number in range(4):
        save(visit, tab, f"T{number}", 100_000)
    visit.wait_for_rows("payment_data", 4)
    visit.proxy.wait_until_quiet()
    assert stored_transactions(visit) == ["T0", "T1", "T2", "T3"]
    assert all(len(ids) == 1 for ids in visit.proxy.capture_ids_by_transaction().values())


def test_body_of_100_kb_saved_while_leaving_is_stored_by_the_next_page(visit: Visit) -> None:
    tab = visit.open()
    tab.run(DATABASE_OPENED)
    tab.run_without_waiting(save_and_navigate(visit, "T1", 100_000))
    wait_until_navigated(tab)
    tab.goto(visit.shop.page(visit.tag()))
    visit.wait_for_rows("payment_data", 1)


@pytest.mark.quick
def test_save_during_page_load_survives_navigation_while_the_service_is_down(visit: Visit) -> None:
    """A page does this when a payment provider sends the user back to it."""
    visit.take_service_down()
    tab = visit.open(f"{visit.tag()}<script>{save_and_navigate(visit, 'T1', 10)}</script>")
    wait_until_navigated(tab)
    visit.bring_service_back()
    tab.goto(visit.shop.page(visit.tag()))
    visit.wait_for_rows("payment_data", 1)


@pytest.mark.slow
def test_saves_that_a_hidden_tab_had_no_time_for_are_kept_when_it_closes(visit: Visit) -> None:
    """In a hidden tab, timers run once a second."""
    save_and_close(visit, saves=30, size=100_000, is_hidden=True)


@pytest.mark.slow
def test_saves_that_a_tab_had_no_time_for_are_kept_when_it_closes(
    visit: Visit, engine: Engine
) -> None:
    """Firefox ends the process of a site's last tab, and with it a listener that runs then."""
    if engine.name == "webkit":
        pytest.skip("WebKit ends a page that takes a second to close")
    save_and_close(visit, saves=40, size=200_000)


def save_and_close(visit: Visit, saves: int, size: int, is_hidden: bool = False) -> None:
    """Let a page save, close it at once, and check that the next page delivers all saves."""
    tab = visit.open()
    tab.run(DATABASE_OPENED)
    if is_hidden:
        visit.open("")
    visit.take_service_down()
    transactions = [f"T{number}" for number in range(saves)]
    # Masking takes time, and leaves little to store.
    save_all = f"""(ids) => {{
      for (const id of ids) ({_SAVE})(['/api/payments', {size}, id, 'password: ']);
    }}"""
    tab.run(save_all.replace("USER_EMAIL", visit.user), transactions)
    visit.close(tab)
    visit.bring_service_back()
    visit.open()
    visit.wait_for_rows("payment_data", saves)
    assert stored_transactions(visit) == sorted(transactions)


# Keeps a transaction of the script's database open until `isOver` is set.
_HOLD_DATABASE = """() => new Promise((begun) => {
  indexedDB.open('enhanced-data-capture').onsuccess = ({ target }) => {
    const store = target.result.transaction('enhanced-data-capture', 'readwrite')
      .objectStore('enhanced-data-capture');
    const again = () => {
      if (!window.isOver) store.count().onsuccess = again;
      begun();
    };
    again();
  };
})"""


@pytest.mark.slow
def test_capture_that_waits_for_a_busy_database_survives_navigation(visit: Visit) -> None:
    """WebKit drops a write that waits for another page's transaction."""
    tab, holder = visit.open(), visit.open("")
    tab.run("enhancedDataCapture.status()")  # resolves when the database is open
    holder.run(_HOLD_DATABASE)
    visit.take_service_down()
    save(visit, tab, "T1")
    tab.run_without_waiting(f"location.href = '{visit.shop.url}/away.html'")
    wait_until_navigated(tab)
    holder.run("() => { window.isOver = true; }")
    visit.bring_service_back()
    tab.goto(visit.shop.page(visit.tag()))
    visit.wait_for_rows("payment_data", 1)
    visit.proxy.wait_until_quiet()
    assert stored_transactions(visit) == ["T1"]


@pytest.mark.slow
def test_captures_for_a_wrong_endpoint_are_kept_shown_and_sent_once_corrected(
    visit: Visit,
) -> None:
    tab = visit.open()
    visit.proxy.state = visit.proxy.NOT_FOUND
    save(visit, tab, "T1")
    visit.proxy.wait_until_quiet(2)
    assert sum(_numbers_in(tab.run("window.enhancedDataCapture.status()"))) >= 1
    assert visit.observed(tab) == NOTHING_OBSERVED
    visit.proxy.state = visit.proxy.UP
    tab.goto(visit.shop.page(visit.tag()))
    visit.wait_for_rows("payment_data", 1)


@pytest.mark.slow
def test_rejected_capture_is_shown_with_its_reason_and_not_sent_again(visit: Visit) -> None:
    tab = visit.open()
    problem = b'{"success": false, "error": "the reason for it", "detail": "the reason for it"}'
    visit.proxy.next_responses.append(
        Reply(422, {"Content-Type": "application/problem+json"}, problem)
    )
    save(visit, tab, "T1")
    tab.eventually(
        "Promise.resolve(enhancedDataCapture.status())"
        ".then((status) => JSON.stringify(status).includes('the reason for it'))",
        "the status shows the reason",
    )
    visit.proxy.wait_until_quiet()
    assert len(visit.proxy.received) == 1
    save(visit, tab, "T2")
    visit.wait_for_rows("payment_data", 1)


@pytest.mark.slow
@pytest.mark.parametrize("days", [-3, 3])
def test_clock_jump_loses_no_capture(days: int, visit: Visit) -> None:
    clock = (
        "<script>const now = Date.now; window.jump = 0;"
        " Date.now = () => now() + window.jump;</script>"
    )
    tab = visit.open(clock + visit.tag())
    visit.proxy.state = visit.proxy.UNAVAILABLE
    save(visit, tab, "T1")
    visit.proxy.wait_until_quiet(1, 3)
    tab.run(f"() => {{ window.jump = {days * 24 * 3600 * 1000}; }}")
    save(visit, tab, "T2")
    visit.proxy.state = visit.proxy.UP
    tab.run("void window.dispatchEvent(new Event('online'))")
    visit.wait_for_rows("payment_data", 2)
    visit.proxy.wait_until_quiet()
    assert stored_transactions(visit) == ["T1", "T2"]


@pytest.mark.slow
def test_nothing_is_captured_before_consent_and_withdrawal_deletes_the_queue(visit: Visit) -> None:
    tab = visit.open(visit.tag('data-consent="required"'))
    save(visit, tab, "before consent")
    visit.proxy.wait_until_quiet(2)
    tab.run("enhancedDataCapture.consent(true)")
    save(visit, tab, "with consent")
    visit.wait_for_rows("payment_data", 1)
    visit.proxy.state = visit.proxy.UNAVAILABLE
    save(visit, tab, "queued at withdrawal")
    visit.proxy.wait_until_quiet(1, 3)
    tab.run("enhancedDataCapture.consent(false)")
    visit.proxy.state = visit.proxy.UP
    tab.goto(visit.shop.page(visit.tag()))
    visit.proxy.wait_until_quiet(2)
    assert stored_transactions(visit) == ["with consent"]


@pytest.mark.slow
def test_kill_switch_survives_a_reload(visit: Visit) -> None:
    tab = visit.open()
    tab.run("enhancedDataCapture.setEnabled(false)")
    tab.goto(visit.shop.page(visit.tag()))
    save(visit, tab, "disabled")
    visit.proxy.wait_until_quiet(2)
    assert list(visit.proxy.captures()) == []
    tab.run("enhancedDataCapture.setEnabled(true)")
    save(visit, tab, "enabled")
    visit.wait_for_rows("payment_data", 1)
    assert stored_transactions(visit) == ["enabled"]


def _numbers_in(status: Any) -> list[float]:
    """Return all counts in a status, at any depth; a list counts its items."""
    if isinstance(status, dict):
        return [number for value in status.values() for number in _numbers_in(value)]
    if isinstance(status, list):
        return [float(len(status))]
    is_number = isinstance(status, (int, float)) and not isinstance(status, bool)
    return [float(status)] if is_number else []
