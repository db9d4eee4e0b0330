"""Test that a page behaves the same with the tag: results, errors, requests and storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engines.browser import Tab
from tests.engines.servers import tag, wait_until_quiet
from tests.engines.visit import DATABASE_OPENED, NOTHING_OBSERVED, Visit

_BUILTIN_CHECKS = (Path(__file__).parent / "builtin_checks.js").read_text()

# Functions with the names that the script wraps.
_PAGE_FUNCTIONS = """<script>
function savePaymentToSupabase(paymentData, second) {
  return { me: this === window ? undefined : this, argument: paymentData };
}
savePaymentToSupabase.extra = 7;
window.theError = new TypeError('the function failed');
window.thenCalls = 0;
window.storeQuestionnaireData = function (questionnaireData) {
  if (questionnaireData.throws) throw window.theError;
  return { then(resolve) { window.thenCalls += 1; resolve(1); } };
};
async function saveDashboardToSupabase(dashboardData, tradingState, theme) {
  if (dashboardData.rejects) throw new Error('a rejection of the page');
  return { theme };
}
</script>"""


def check_builtins(visit: Visit, head: str) -> tuple[Any, list[Any]]:
    """Run builtin_checks.js in a page with this head.

    Returns:
        Its report, and the requests that the shop received.
    """
    visit.shop.saved.clear()
    tab = visit.open(f"{head}{_PAGE_FUNCTIONS}<script>{_BUILTIN_CHECKS}</script>")
    report = tab.run("checkBuiltins('shop')")
    wait_until_quiet(visit.proxy, visit.shop, quiet_seconds=0.5)
    requests = sorted(
        (
            request.method,
            request.path,
            "" if "form-data" in str(request.headers) else request.text,  # its boundary is random
        )
        for request in visit.shop.saved
        if request.query != "aborted"  # an aborted request may arrive or not
    )
    tab.run("() => { localStorage.clear(); sessionStorage.clear(); }")
    visit.close(tab)
    return report, requests


@pytest.mark.slow
@pytest.mark.parametrize(
    "service",
    [pytest.param("up", marks=pytest.mark.quick), "down", "blocked by CSP", "on another origin"],
)
def test_page_behaves_the_same_with_and_without_the_tag(service: str, visit: Visit) -> None:
    expected, expected_requests = check_builtins(visit, "")
    head = tag(visit.proxy.url) if service == "on another origin" else visit.tag()
    if service == "blocked by CSP":
        policy = "default-src 'self' 'unsafe-inline' 'unsafe-eval'; connect-src 'self'"
        head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">{head}'
    if service == "down":
        visit.take_service_down()
    report, requests = check_builtins(visit, head)
    if service == "down":
        visit.bring_service_back()
    for name, value in expected.items():
        assert report[name] == value, name
    assert requests == expected_requests
    assert len(expected["observed"]["rejections"]) == 4
    assert len(expected["observed"]["errors"]) == 1


def came_from_cache(tab: Tab) -> Any:
    """Return, in a list, whether the page came from the back/forward cache."""
    return tab.eventually(
        "'cameFromCache' in window && [window.cameFromCache]", "the page is shown again"
    )


def test_tag_does_not_remove_the_page_from_the_back_forward_cache(visit: Visit) -> None:
    outcomes = []
    for head in ("", visit.tag()):
        tab = visit.open(head)
        tab.goto(f"{visit.shop.url}/away.html")
        tab.back()
        outcomes.append(came_from_cache(tab))
        visit.close(tab)
    assert outcomes[0] == outcomes[1]


@pytest.mark.slow
def test_queued_captures_do_not_remove_the_page_from_the_back_forward_cache(visit: Visit) -> None:
    bare = visit.open("")
    bare.goto(f"{visit.shop.url}/away.html")
    bare.back()
    expected = came_from_cache(bare)
    tab = visit.open_tab()
    tab.goto(visit.payment_page())
    visit.proxy.state = visit.proxy.UNAVAILABLE
    tab.run(DATABASE_OPENED)
    visit.pay(tab, "T1")
    # Firefox does not cache a page that is left while one of its own requests is pending.
    tab.eventually(
        "performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/payments'))",
        "the page has the response",
    )
    tab.goto(f"{visit.shop.url}/away.html")
    visit.proxy.state = visit.proxy.UP
    tab.back()
    assert came_from_cache(tab) == expected
    visit.pay(tab, "T2")
    rows = visit.wait_for_rows("payment_data", 2)
    assert sorted(row["transaction_id"] for row in rows) == ["T1", "T2"]


@pytest.mark.slow
def test_uninstall_restores_the_built_in_functions(visit: Visit) -> None:
    functions = (
        "() => [window.fetch, XMLHttpRequest.prototype.open, XMLHttpRequest.prototype.send,"
        " navigator.sendBeacon, Storage.prototype.setItem, window.savePaymentToSupabase]"
    )
    tab = visit.open(
        f"<script>window.before = ({functions})()</script>{visit.tag()}{_PAGE_FUNCTIONS}"
    )
    tab.run("window.enhancedDataCapture.uninstall()")
    restored = tab.run(
        f"() => ({functions})().map((each, n) => each === window.before[n] || String(each))"
    )
    assert restored[:5] == [True] * 5
    tab.run(f"savePaymentToSupabase({{ user_email: '{visit.user}', transaction_id: 'T1' }})")
    visit.proxy.wait_until_quiet()
    assert visit.rows("payment_data") == []
    assert visit.observed(tab) == NOTHING_OBSERVED


@pytest.mark.slow
def test_tag_included_twice_captures_once(visit: Visit) -> None:
    tab = visit.open(f"{visit.tag()}{tag(visit.proxy.url)}{_PAGE_FUNCTIONS}")
    tab.run(
        "void savePaymentToSupabase("
        f"{{ user_email: '{visit.user}', transaction_id: 'T1', final_price: 1 }})"
    )
    visit.wait_for_rows("payment_data", 1)
    visit.proxy.wait_until_quiet()
    assert len(visit.proxy.capture_ids_by_transaction()["T1"]) == 1
    assert visit.observed(tab) == NOTHING_OBSERVED
