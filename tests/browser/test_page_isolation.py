"""Nothing in the way: with the service down, blocked, slow or gone, a page is as if the script were not there."""

from __future__ import annotations

from typing import Any

LISTENING = """<script>
window.seen = [];
addEventListener('error', (event) => seen.push('error ' + event.message), true);
addEventListener('unhandledrejection', (event) => seen.push('rejection ' + event.reason));
</script>"""
SAVES = """<script>
async function savePaymentToSupabase(payment) { return {data: payment, error: null}; }
window.storeQuestionnaireData = () => { throw new Error('the page says no'); };
</script>"""
USE = """async () => {
  const payment = {transaction_id: 'T'};
  const {data} = await savePaymentToSupabase(payment);
  let said = '';
  try { storeQuestionnaireData({tradesPerDay: '1'}) } catch (error) { said = error.message }
  await new Promise((ready) => setTimeout(ready, 300));
  return {same: data === payment, keys: Object.keys(payment), said, seen, stored: localStorage.length + sessionStorage.length};
}"""
AS_WITHOUT = {
    "same": True,
    "keys": ["transaction_id"],
    "said": "the page says no",
    "seen": [],
    "stored": 0,
}


def test_the_page_behaves_the_same_with_the_service_up_and_down(
    visit: Any, capture_service: Any, user: str
) -> None:
    """Also its listeners hear nothing, and nothing but the browser's own network line is in the console."""
    visit.open(SAVES, before=LISTENING, service=capture_service.url)
    visit.run(f"enhancedDataCapture.identify({{email: '{user}'}})")
    assert visit.run(USE) == AS_WITHOUT
    capture_service.stop()
    assert visit.run(USE) == AS_WITHOUT
    assert visit.flush()["queued"] is True
    assert visit.run("seen") == []


def test_the_page_behaves_the_same_when_the_script_itself_cannot_be_loaded(visit: Any) -> None:
    visit.open(SAVES, before="<script>window.seen = []</script>", service="http://127.0.0.1:1")
    assert visit.run(USE) == AS_WITHOUT


def test_the_page_behaves_the_same_when_its_policy_blocks_the_service(
    visit: Any, front: Any, user: str
) -> None:
    policy = f"default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' {front.url}; connect-src 'none'"
    visit.open(SAVES, before=LISTENING, Content_Security_Policy=policy)
    visit.run(f"enhancedDataCapture.identify({{email: '{user}'}})")
    assert visit.run(USE) == AS_WITHOUT
    assert all("Content Security Policy" in line for line in visit.console)  # the browser's own
    visit.page.close()
    visit.console.clear()


def test_a_policy_that_allows_the_service_is_enough(
    visit: Any, site: Any, front: Any, stored: Any, user: str
) -> None:
    site.put("/save.js", "async function savePaymentToSupabase() {}", "text/javascript")
    site.put(
        "/use.js",
        f"window.currentUser = {{email: '{user}'}}; savePaymentToSupabase({{}})",
        "text/javascript",
    )
    policy = f"default-src 'none'; script-src 'self' {front.url}; connect-src {front.url}; require-trusted-types-for 'script'"
    visit.open(
        '<script src="/save.js"></script><script src="/use.js"></script>',
        Content_Security_Policy=policy,
    )
    assert len(stored("payment_data")) == 1


def test_where_storage_is_forbidden_it_still_works(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    forbid = "get() { throw new DOMException('denied', 'SecurityError') }, configurable: true"
    visit.open(
        SAVES,
        before=f"{LISTENING}<script>for (const area of ['localStorage', 'sessionStorage']) "
        f"Object.defineProperty(window, area, {{{forbid}}})</script>",
    )
    visit.run(f"savePaymentToSupabase({{user_email: '{user}'}})")
    assert len(stored("payment_data")) == 1
    assert visit.run("seen") == []


def test_a_page_that_replaces_fetch_timers_and_storage_methods_sees_nothing_of_it(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(
        """<script>
        window.calls = [];
        const replaced = [[window, 'fetch'], [window, 'setTimeout'], [window, 'setInterval'], [navigator, 'sendBeacon'],
                          [Storage.prototype, 'getItem'], [Storage.prototype, 'setItem']];
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


def test_no_unload_listener_costs_the_page_its_back_forward_cache(visit: Any) -> None:
    visit.open(
        before="<script>window.listened = []; const add = EventTarget.prototype.addEventListener;"
        "EventTarget.prototype.addEventListener = function (type) {"
        "listened.push(type); return add.apply(this, arguments) }</script>"
    )
    assert "pagehide" in visit.run("listened")
    assert not {"unload", "beforeunload"} & set(visit.run("listened"))


def test_it_prints_only_when_its_tag_asks_for_that(visit: Any, user: str) -> None:
    visit.open(SAVES, tag="data-debug", user=user)
    visit.run("savePaymentToSupabase({user_name: 'Ann'}).then(() => enhancedDataCapture.flush())")
    assert visit.console
    assert all(line.startswith("[enhanced-data-capture]") for line in visit.console)
    assert not [line for line in visit.console if user in line or "Ann" in line]
    visit.console.clear()


def test_on_a_page_without_what_it_needs_it_is_inert(visit: Any) -> None:
    visit.open(
        SAVES, before=f"{LISTENING}<script>delete window.fetch; delete window.Proxy</script>"
    )
    assert visit.run(USE) == AS_WITHOUT
    assert visit.run("typeof enhancedDataCapture") == "undefined"


def test_a_page_in_quirks_mode_with_elements_of_those_names_is_left_alone(
    visit: Any, front: Any, user: str
) -> None:
    visit.open(
        '<form id="savePaymentToSupabase"></form><div id="currentUser"></div>', before=LISTENING
    )
    assert visit.run("savePaymentToSupabase instanceof HTMLFormElement")
    visit.flush()
    assert front.posts == []
    assert visit.run("seen") == []
