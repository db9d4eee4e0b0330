"""Test that the tag neither shows in a page's functions nor violates its policies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engines.browser import Tab, eventually
from tests.engines.servers import OBSERVER, tag
from tests.engines.visit import NOTHING_OBSERVED, Visit
from tests.support.documentation import documented_calls

# Everything that a page can learn of the functions that the script wraps, without calling them.
_DESCRIBE = """() => {
  const owners = {
    fetch: window, open: XMLHttpRequest.prototype, send: XMLHttpRequest.prototype,
    setRequestHeader: XMLHttpRequest.prototype, abort: XMLHttpRequest.prototype,
    sendBeacon: Navigator.prototype, setItem: Storage.prototype, removeItem: Storage.prototype,
    clear: Storage.prototype, submit: HTMLFormElement.prototype,
    requestSubmit: HTMLFormElement.prototype, attachShadow: Element.prototype,
    toString: Function.prototype, XMLHttpRequest: window, Request: window, FormData: window,
    savePaymentToSupabase: window, storeQuestionnaireData: window, saveDashboardToSupabase: window,
  };
  const description = {};
  for (const [name, owner] of Object.entries(owners)) {
    const found = Object.getOwnPropertyDescriptor(owner, name);
    const value = found && found.value;
    description[name] = found && [
      found.writable, found.enumerable, found.configurable, value.name, value.length,
      String(value), `${value}`, value + '', value.toString(), value.toLocaleString(),
      Function.prototype.toString.call(value),
      Reflect.apply(Function.prototype.toString, value, []),
      value.toString === Function.prototype.toString, value.toString.name,
      Object.getOwnPropertyNames(value).sort(), 'prototype' in value, typeof value,
      Object.getPrototypeOf(value) === Function.prototype,
      Object.prototype.toString.call(value),
    ].map(String);
  }
  return description;
}"""

_PAGE_FUNCTIONS = """<script>
function savePaymentToSupabase(paymentData, second) { /* a comment */ return 'saved'; }
window.storeQuestionnaireData = (questionnaireData) => questionnaireData;
async function saveDashboardToSupabase(dashboardData, tradingState, theme) {}
</script>"""

# By this, agents tell a native function from a polyfill.
_IS_NATIVE = r"""(name, owner) =>
  /^function\s+\w+\(\)\s+\{\s+\[native code\]\s+\}$/.test(owner[name].toString())"""


@pytest.mark.slow
@pytest.mark.parametrize("service", ["up", "down"])
def test_wrapped_functions_look_like_the_originals(service: str, visit: Visit) -> None:
    bare = visit.open(_PAGE_FUNCTIONS)
    expected = bare.run(_DESCRIBE)
    if service == "down":
        visit.take_service_down()
    tab = visit.open(visit.tag() + _PAGE_FUNCTIONS)
    described = tab.run(_DESCRIBE)
    if service == "down":
        visit.bring_service_back()
    different = {name: described[name] for name in expected if described[name] != expected[name]}
    assert not different, different


@pytest.mark.quick
@pytest.mark.slow
def test_functions_that_agents_wrapped_before_the_tag_keep_their_text(visit: Visit) -> None:
    agent = """<script>
      const native = window.fetch;
      window.fetch = function fetchOfTheAgent(...words) { return native.apply(this, words); };
    </script>"""
    expected = visit.open(agent + _PAGE_FUNCTIONS).run(_DESCRIBE)
    assert visit.open(agent + visit.tag() + _PAGE_FUNCTIONS).run(_DESCRIBE) == expected


@pytest.mark.slow
def test_agents_take_no_wrapped_function_for_a_polyfill(visit: Visit) -> None:
    tab = visit.open()
    for owner, names in {
        "window": ["fetch"],
        "XMLHttpRequest.prototype": ["open", "send"],
        "Storage.prototype": ["setItem", "removeItem", "clear"],
        "navigator": ["sendBeacon"],
        "Function.prototype": ["toString"],
    }.items():
        for name in names:
            assert tab.run(f"() => ({_IS_NATIVE})('{name}', {owner})"), name


# Policies of pages; ORIGINS stands for the page's and the service's.
POLICIES = {
    "trusted types": "require-trusted-types-for 'script'",
    "trusted types without a policy": "require-trusted-types-for 'script'; trusted-types 'none'",
    "no workers": "worker-src 'none'",
    "no children": "child-src 'none'",
    "no frames and workers": "frame-src 'none'; worker-src 'none'; object-src 'none'",
    "scripts with a nonce": "script-src 'nonce-n7' 'strict-dynamic'",
    "workers of another host": "worker-src https://workers.example",
    "all": "default-src 'none'; script-src 'nonce-n7'; connect-src ORIGINS; img-src 'self';"
    " worker-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'; base-uri 'none'",
}
_VIOLATIONS = """<script nonce=n7>
window.violations = [];
document.addEventListener('securitypolicyviolation', (event) => {
  violations.push([event.effectiveDirective, event.blockedURI, event.sample].join(' '));
});
</script>"""
_REPORTS = "/api/csp-reports"


def open_with_policy(visit: Visit, policy: str, header: str, head: str) -> Tab:
    """Open a page with a policy, which does not restrict the page's own scripts."""
    origins = f"'self' {visit.proxy.url}"
    text = f"{policy.replace('ORIGINS', origins)}; report-uri {_REPORTS}"
    url = visit.shop.page(_VIOLATIONS + head, **{header.replace("-", "_"): text})
    path = url.removeprefix(visit.shop.url)
    visit.shop.change(path, lambda html: html.replace("<script>", "<script nonce=n7>"))
    tab = visit.open_tab()
    tab.goto(url)
    return tab


@pytest.mark.slow
@pytest.mark.parametrize(
    "header", ["Content-Security-Policy", "Content-Security-Policy-Report-Only"]
)
@pytest.mark.parametrize("name", POLICIES)
def test_tag_violates_no_policy_of_the_page(name: str, header: str, visit: Visit) -> None:
    save = f"""<script nonce=n7>fetch('/api/payments', {{ method: 'POST', body: JSON.stringify({{
      user_email: '{visit.user}', transaction_id: 'T1', plan_name: 'Pro', final_price: 1,
    }}) }});</script>"""
    # Drivers evaluate scripts in the page, which a policy may report, so the page acts by itself.
    open_with_policy(visit, POLICIES[name], header, visit.tag("nonce=n7") + save + _TELL)
    visit.wait_for_rows("payment_data", 1)
    (told,) = eventually(lambda: visit.shop.saved_at("/api/told"), "the page has told")
    assert told.body == {"violations": [], "observed": NOTHING_OBSERVED}
    assert [request.text for request in visit.shop.saved_at(_REPORTS)] == []


# Tells the shop what was observed, a second after the payment was captured.
_TELL = """<script nonce=n7>
const tell = async () => {
  await enhancedDataCapture.flush();
  await new Promise((done) => setTimeout(done, 500)); // no event tells that no violation follows
  fetch('/api/told', { method: 'POST', body: JSON.stringify({ violations, observed }) });
};
addEventListener('load', () => setTimeout(tell));
</script>"""

# Pages and agents that change what performance tells, after the script was loaded.
TIMING_CHANGES = {
    "cleared": "performance.clearResourceTimings()",
    "full": "performance.setResourceTimingBufferSize(0); performance.clearResourceTimings()",
    "replaced": "performance.getEntriesByName = () => []",
    "removed": "Performance.prototype.getEntriesByName = undefined",
    "throwing": "Performance.prototype.getEntriesByName = () => { throw new Error('no') }",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TIMING_CHANGES)
@pytest.mark.parametrize("when", ["at once", "later"])
def test_endpoint_stays_when_the_page_clears_its_timings(
    name: str, when: str, visit: Visit
) -> None:
    statement = f"<script>{TIMING_CHANGES[name]}</script>"
    pages = {"/before.html": "", "/after.html": statement}
    for path, script in pages.items():
        visit.proxy.pages[path] = f"<!doctype html>{OBSERVER}{tag(visit.proxy.url)}{script}"
    tab = visit.open_tab()
    tab.goto(f"{visit.proxy.url}/before.html")
    expected = tab.run("enhancedDataCapture.status()")["endpoint"]
    if when == "at once":
        tab.goto(f"{visit.proxy.url}/after.html")
    else:
        tab.run(f"() => {{ {TIMING_CHANGES[name]} }}")
    assert tab.run("enhancedDataCapture.status()")["endpoint"] == expected
    if expected != visit.proxy.url:
        return  # WebKitGTK does not tell what the service said of itself
    visit.sign_in(tab)
    tab.run("enhancedDataCapture.capturePaymentData({ transaction_id: 'T1', plan_name: 'Pro' })")
    assert visit.wait_for_rows("payment_data", 1)
    assert visit.observed(tab) == NOTHING_OBSERVED


@pytest.mark.quick
@pytest.mark.slow
def test_documented_calls_do_nothing_in_a_page_whose_tag_was_blocked(visit: Visit) -> None:
    tab = visit.open('<script src="http://127.0.0.1:1/blocked.js"></script>')
    calls = documented_calls()
    assert calls
    failed: dict[str, Any] = {}
    for call in calls:
        script = f"""async () => {{
          const [dashboardData, tradingState] = [{{}}, {{}}];
          try {{ {call}; }} catch (error) {{ return String(error); }}
        }}"""
        if error := tab.run(script):
            failed[call] = error
    assert not failed, failed
