"""The queue where browsers make it hard: policies, full storage, private windows, large bodies, clocks, wrong addresses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.site import Reply
from tests.engines.browser import Browser, Tab
from tests.engines.engines import Engine
from tests.engines.servers import tag
from tests.engines.site import NOTHING_SEEN, STARTED, Stage

SAVE = """([path, size, id]) => void fetch(path, { method: 'POST', body: JSON.stringify({
  user_email: 'PERSON', transaction_id: id, plan_name_payment: 'Pro', final_price: 10, notes: 'x'.repeat(size) }) })"""


def save(stage: Stage, tab: Tab, transaction: str, size: int = 10) -> None:
    tab.run(SAVE.replace("PERSON", stage.user), ["/api/payments", size, transaction])


def arrived(stage: Stage) -> list[str]:
    return sorted(str(row["transaction_id"]) for row in stage.rows("payment_data"))


@pytest.mark.quick
def test_a_save_followed_by_leaving_in_the_same_task_is_stored(shopping: Stage) -> None:
    tab = shopping.open_application()
    tab.run(STARTED)
    shopping.gate.delay_seconds = 0.3
    away = f"{shopping.shop.url}/away.html"
    tab.run(
        "(detail) => void setTimeout(() => document.dispatchEvent("
        "new CustomEvent('step', { detail: { ...detail, taken() {} } })))",
        {"name": "payAndLeave", "given": ["T1", shopping.user, away]},
    )
    tab.eventually("location.pathname === '/away.html'", "the next page")
    assert shopping.wait_for_rows("payment_data", 1)[0]["transaction_id"] == "T1"


@pytest.mark.quick
def test_what_a_policy_forbids_to_send_waits_for_a_page_that_may(stage: Stage) -> None:
    policy = f"script-src 'self' 'unsafe-inline' 'unsafe-eval' {stage.gate.url}; connect-src 'self'"
    tab = stage.open(
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">{tag(stage.gate.url)}'
    )
    save(stage, tab, "T1")
    stage.gate.wait_until_quiet(2)
    assert arrived(stage) == []
    assert stage.seen(tab) == NOTHING_SEEN
    tab.goto(stage.shop.page(tag(stage.gate.url)))
    stage.wait_for_rows("payment_data", 1)


def test_a_page_whose_storage_is_full_keeps_every_byte_of_it_and_is_captured(stage: Stage) -> None:
    """The queue takes none of localStorage's quota, which is the page's."""
    fill = """() => { let keys = 0; for (let size = 1 << 19; size >= 1; size >>= 1) {
        try { for (;;) localStorage.setItem(`f${keys++}`, 'x'.repeat(size)); } catch (full) { } }
        return [localStorage.length, Object.values(localStorage).join('').length]; }"""
    bare = stage.open("")
    expected = bare.run(fill)
    bare.run("localStorage.clear()")
    tab = stage.open()
    stage.gate.state = stage.gate.UNAVAILABLE
    save(stage, tab, "T1")
    assert tab.run(fill) == expected
    save(stage, tab, "T2")
    stage.gate.state = stage.gate.UP
    stage.wait_for_rows("payment_data", 2)
    assert stage.seen(tab) == NOTHING_SEEN


@pytest.fixture
def private(engine: Engine, tmp_path: Path) -> Iterator[Browser]:
    browser = engine.start(tmp_path / "private", private=True)
    browser.open_tab()
    yield browser
    browser.close()


def test_a_private_window_is_captured_like_any_other(stage: Stage, private: Browser) -> None:
    stage.browser = private
    tab = stage.open()
    stage.gate.state = stage.gate.UNAVAILABLE
    save(stage, tab, "T1")
    stage.gate.wait_until_quiet(1)
    tab.goto(f"{stage.shop.url}/away.html")
    stage.gate.state = stage.gate.UP
    tab.goto(stage.shop.page(stage.tag()))
    stage.wait_for_rows("payment_data", 1)
    assert stage.seen(tab) == NOTHING_SEEN
    stage.close(tab)


def test_bodies_of_100_kb_arrive_once(stage: Stage) -> None:
    tab = stage.open()
    for number in range(4):
        save(stage, tab, f"T{number}", 100_000)
    stage.wait_for_rows("payment_data", 4)
    stage.gate.wait_until_quiet()
    assert arrived(stage) == ["T0", "T1", "T2", "T3"]
    assert all(len(ids) == 1 for ids in stage.gate.ids_by_transaction().values())


def test_a_body_of_100_kb_that_is_left_at_once_waits_for_the_next_page(stage: Stage) -> None:
    tab = stage.open()
    away = f"{stage.shop.url}/away.html"
    statement = SAVE.replace("PERSON", stage.user)
    tab.run(STARTED)
    tab.soon(f"({statement})(['/api/payments', 100000, 'T1']); location.href = '{away}'")
    tab.eventually("location.pathname === '/away.html'", "the other page")
    tab.goto(stage.shop.page(stage.tag()))
    stage.wait_for_rows("payment_data", 1)


@pytest.mark.quick
def test_a_save_in_a_pages_first_moment_is_kept_when_the_page_is_left_at_once_and_the_service_is_down(
    stage: Stage,
) -> None:
    """As when somebody comes back from a payment provider, and the page saves and moves on."""
    away = f"{stage.shop.url}/away.html"
    stage.take_down()
    statement = SAVE.replace("PERSON", stage.user)
    tab = stage.open(
        f"{stage.tag()}<script>({statement})(['/api/payments', 10, 'T1']); location.href = '{away}';</script>"
    )
    tab.eventually("location.pathname === '/away.html'", "the other page")
    stage.bring_back()
    tab.goto(stage.shop.page(stage.tag()))
    stage.wait_for_rows("payment_data", 1)


WRITES_ON_AND_ON = """() => new Promise((begun) => { indexedDB.open('enhanced-data-capture').onsuccess = ({ target }) => {
  const shelf = target.result.transaction('enhanced-data-capture', 'readwrite').objectStore('enhanced-data-capture');
  const again = () => { if (!window.over) shelf.count().onsuccess = again; begun(); };
  again(); }; })"""


def test_what_the_database_has_not_taken_when_the_page_is_left_is_kept_all_the_same(
    stage: Stage,
) -> None:
    """WebKit drops what waits behind another page's writing."""
    away = f"{stage.shop.url}/away.html"
    tab, writing = stage.open(), stage.open("")
    tab.run("enhancedDataCapture.status()")  # its database is open
    writing.run(WRITES_ON_AND_ON)
    stage.take_down()
    save(stage, tab, "T1")
    tab.soon(f"location.href = '{away}'")
    tab.eventually("location.pathname === '/away.html'", "the other page")
    writing.run("() => { window.over = true; }")
    stage.bring_back()
    tab.goto(stage.shop.page(stage.tag()))
    stage.wait_for_rows("payment_data", 1)
    stage.gate.wait_until_quiet()
    assert arrived(stage) == ["T1"]


def test_captures_for_a_wrong_endpoint_are_kept_shown_and_sent_once_it_is_right(
    stage: Stage,
) -> None:
    tab = stage.open()
    stage.gate.state = stage.gate.NOT_FOUND
    save(stage, tab, "T1")
    stage.gate.wait_until_quiet(2)
    assert sum(_numbers(tab.run("window.enhancedDataCapture.status()"))) >= 1
    assert stage.seen(tab) == NOTHING_SEEN
    stage.gate.state = stage.gate.UP
    tab.goto(stage.shop.page(stage.tag()))
    stage.wait_for_rows("payment_data", 1)


def test_a_capture_that_the_service_refuses_is_shown_with_the_reason(stage: Stage) -> None:
    tab = stage.open()
    refusal = b'{"success": false, "error": "the reason for it", "detail": "the reason for it"}'
    stage.gate.next_responses.append(
        Reply(422, {"Content-Type": "application/problem+json"}, refusal)
    )
    save(stage, tab, "T1")
    tab.eventually(
        "Promise.resolve(enhancedDataCapture.status()).then((status) => JSON.stringify(status).includes('the reason for it'))",
        "the refusal is shown",
    )
    stage.gate.wait_until_quiet()
    assert len(stage.gate.received) == 1
    save(stage, tab, "T2")
    stage.wait_for_rows("payment_data", 1)


@pytest.mark.parametrize("days", [-3, 3])
def test_a_clock_that_jumps_loses_nothing(days: int, stage: Stage) -> None:
    clock = "<script>const now = Date.now; window.jump = 0; Date.now = () => now() + window.jump;</script>"
    tab = stage.open(clock + stage.tag())
    stage.gate.state = stage.gate.UNAVAILABLE
    save(stage, tab, "T1")
    stage.gate.wait_until_quiet(1, 3)
    tab.run(f"() => {{ window.jump = {days * 24 * 3600 * 1000}; }}")
    save(stage, tab, "T2")
    stage.gate.state = stage.gate.UP
    tab.run("void window.dispatchEvent(new Event('online'))")
    stage.wait_for_rows("payment_data", 2)
    stage.gate.wait_until_quiet()
    assert arrived(stage) == ["T1", "T2"]


def test_nothing_is_captured_before_consent_and_nothing_is_left_when_it_is_taken_back(
    stage: Stage,
) -> None:
    tab = stage.open(stage.tag('data-consent="required"'))
    save(stage, tab, "before")
    stage.gate.wait_until_quiet(2)
    tab.run("enhancedDataCapture.consent(true)")
    save(stage, tab, "with")
    stage.wait_for_rows("payment_data", 1)
    stage.gate.state = stage.gate.UNAVAILABLE
    save(stage, tab, "taken back")
    stage.gate.wait_until_quiet(1, 3)
    tab.run("enhancedDataCapture.consent(false)")
    stage.gate.state = stage.gate.UP
    tab.goto(stage.shop.page(stage.tag()))
    stage.gate.wait_until_quiet(2)
    assert arrived(stage) == ["with"]


def test_the_kill_switch_survives_a_reload(stage: Stage) -> None:
    tab = stage.open()
    tab.run("enhancedDataCapture.setEnabled(false)")
    tab.goto(stage.shop.page(stage.tag()))
    save(stage, tab, "off")
    stage.gate.wait_until_quiet(2)
    assert list(stage.gate.captures()) == []
    tab.run("enhancedDataCapture.setEnabled(true)")
    save(stage, tab, "on")
    stage.wait_for_rows("payment_data", 1)
    assert arrived(stage) == ["on"]


def _numbers(status: Any) -> list[float]:
    """Every count that a status holds, at any depth."""
    if isinstance(status, dict):
        return [number for value in status.values() for number in _numbers(value)]
    if isinstance(status, list):
        return [float(len(status))]
    return (
        [float(status)] if isinstance(status, (int, float)) and not isinstance(status, bool) else []
    )
