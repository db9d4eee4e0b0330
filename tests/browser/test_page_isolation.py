"""Test isolation: the script does not change how a page behaves, whatever fails."""

from __future__ import annotations

from typing import Any

import pytest

RECORD_ERRORS = """<script>
window.seen = [];
addEventListener('error', (event) => seen.push('error ' + event.message), true);
addEventListener('unhandledrejection', (event) => seen.push('rejection ' + event.reason));
</script>"""
SAVES = """<script>
async function savePaymentToSupabase(payment) { return {data: payment, error: null}; }
window.storeQuestionnaireData = () => { throw new Error('the page says no'); };
</script>"""
# The pause gives errors of the script time to reach the page.
USE_PAGE = """async () => {
  const payment = {transaction_id: 'T'};
  const {data} = await savePaymentToSupabase(payment);
  let thrown = '';
  try { storeQuestionnaireData({tradesPerDay: '1'}) } catch (error) { thrown = error.message }
  await new Promise((resolve) => setTimeout(resolve, 300));
  const stored = localStorage.length + sessionStorage.length;
  return {same: data === payment, keys: Object.keys(payment), thrown, seen, stored};
}"""
WITHOUT_SCRIPT = {
    "same": True,
    "keys": ["transaction_id"],
    "thrown": "the page says no",
    "seen": [],
    "stored": 0,
}


def test_page_behaves_the_same_with_the_service_up_and_down(
    visit: Any, capture_service: Any, user: str
) -> None:
    visit.open(SAVES, before=RECORD_ERRORS, service=capture_service.url)
    visit.run(f"enhancedDataCapture.identify({{email: '{user}'}})")
    assert visit.run(USE_PAGE) == WITHOUT_SCRIPT
    capture_service.stop()
    assert visit.run(USE_PAGE) == WITHOUT_SCRIPT
    assert visit.flush()["queued"] is True
    assert visit.run("seen") == []


def test_page_behaves_the_same_when_the_script_cannot_be_loaded(visit: Any) -> None:
    visit.open(SAVES, before="<script>window.seen = []</script>", service="http://127.0.0.1:1")
    assert visit.run(USE_PAGE) == WITHOUT_SCRIPT


@pytest.mark.slow
def test_page_behaves_the_same_when_its_csp_blocks_the_service(
    visit: Any, proxy: Any, user: str
) -> None:
    policy = (
        f"default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' {proxy.url};"
        "connect-src 'none'"
    )
    visit.open(SAVES, before=RECORD_ERRORS, Content_Security_Policy=policy)
    visit.run(f"enhancedDataCapture.identify({{email: '{user}'}})")
    assert visit.run(USE_PAGE) == WITHOUT_SCRIPT
    # The browser prints these lines; no script can prevent them.
    assert all("Content Security Policy" in line for line in visit.console)
    visit.page.close()
    visit.console.clear()


@pytest.mark.slow
def test_csp_that_allows_the_service_is_sufficient(
    visit: Any, site: Any, proxy: Any, stored: Any, user: str
) -> None:
    site.put("/save.js", "async function savePaymentToSupabase() {}", "text/javascript")
    site.put(
        "/use.js",
        f"window.currentUser = {{email: '{user}'}}; savePaymentToSupabase({{}})",
        "text/javascript",
    )
    policy = (
        f"default-src 'none'; script-src 'self' {proxy.url}; connect-src {proxy.url};"
        "require-trusted-types-for 'script'"
    )
    visit.open(
        '<script src="/save.js"></script><script src="/use.js"></script>',
        Content_Security_Policy=policy,
    )
    assert len(stored("payment_data")) == 1


@pytest.mark.slow
def test_captures_are_stored_when_web_storage_is_forbidden(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    forbid = "get() { throw new DOMException('denied', 'SecurityError') }, configurable: true"
    visit.open(
        SAVES,
        before=f"{RECORD_ERRORS}<script>for (const area of ['localStorage', 'sessionStorage']) "
        f"Object.defineProperty(window, area, {{{forbid}}})</script>",
    )
    visit.run(f"savePaymentToSupabase({{user_email: '{user}'}})")
    assert len(stored("payment_data")) == 1
    assert visit.run("seen") == []


@pytest.mark.slow
def test_script_does_not_call_functions_that_the_page_replaced(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(
        """<script>
        window.calls = [];
        const replaced = [
          [window, 'fetch'], [window, 'setTimeout'], [window, 'setInterval'],
          [navigator, 'sendBeacon'],
          [Storage.prototype, 'getItem'], [Storage.prototype, 'setItem'],
        ];
        for (const [owner, name] of replaced) {
          const original = owner[name];
          owner[name] = function () { calls.push(name); return original.apply(this, arguments); };
        }
        async function savePaymentToSupabase() {}
        </script>""",
        user=user,
    )
    visit.run("savePaymentToSupabase({})")
    assert len(stored("payment_data")) == 1
    visit.flush()
    assert visit.run("calls") == []


def test_no_unload_listener_prevents_the_back_forward_cache(visit: Any) -> None:
    visit.open(
        before="<script>window.events = []; const add = EventTarget.prototype.addEventListener;"
        "EventTarget.prototype.addEventListener = function (type) {"
        "events.push(type); return add.apply(this, arguments) }</script>"
    )
    assert "pagehide" in visit.run("events")
    assert not {"unload", "beforeunload"} & set(visit.run("events"))


def test_script_prints_to_the_console_only_with_data_debug(visit: Any, user: str) -> None:
    visit.open(SAVES, tag="data-debug", user=user)
    visit.run("savePaymentToSupabase({user_name: 'Ann'}).then(() => enhancedDataCapture.flush())")
    assert visit.console
    assert all(line.startswith("[enhanced-data-capture]") for line in visit.console)
    assert not [line for line in visit.console if "Ann" in line]
    visit.console.clear()


@pytest.mark.slow
def test_script_is_inert_without_fetch_and_proxy(visit: Any) -> None:
    visit.open(
        SAVES, before=f"{RECORD_ERRORS}<script>delete window.fetch; delete window.Proxy</script>"
    )
    assert visit.run(USE_PAGE) == WITHOUT_SCRIPT
    assert visit.run("typeof enhancedDataCapture") == "undefined"


def test_elements_named_like_save_functions_are_left_alone(
    visit: Any, proxy: Any, user: str
) -> None:
    visit.open(
        '<form id="savePaymentToSupabase"></form><div id="currentUser"></div>', before=RECORD_ERRORS
    )
    assert visit.run("savePaymentToSupabase instanceof HTMLFormElement")
    visit.flush()
    assert proxy.received == []
    assert visit.run("seen") == []
