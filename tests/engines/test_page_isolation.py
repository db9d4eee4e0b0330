"""A page is the same with and without the tag: results, exceptions, rejections, requests, storage, the back/forward cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engines.servers import tag
from tests.engines.site import NOTHING_SEEN, STARTED, Stage

_BUILTIN_CHECKS = (Path(__file__).parent / "builtin_checks.js").read_text()
_FUNCTIONS = """<script>
function savePaymentToSupabase(paymentData, second) { return { me: this === window ? undefined : this, given: paymentData }; }
savePaymentToSupabase.extra = 7;
window.theReason = new TypeError('the function failed');
window.thens = 0;
window.storeQuestionnaireData = function (questionnaireData) {
  if (questionnaireData.throws) throw window.theReason;
  return { then(resolve) { window.thens += 1; resolve(1); } };
};
async function saveDashboardToSupabase(dashboardData, tradingState, theme) {
  if (dashboardData.rejects) throw new Error('a rejection of the page');
  return { theme };
}
</script>"""


def report(stage: Stage, head: str) -> tuple[Any, list[Any]]:
    """What the checks find in a page with that head, and what the shop got from it."""
    stage.shop.saved.clear()
    tab = stage.open(f"{head}{_FUNCTIONS}<script>{_BUILTIN_CHECKS}</script>")
    found = tab.run("checkBuiltins('shop')")
    stage.gate.wait_until_quiet(0.5)
    got = sorted(
        (saved.method, saved.path, "" if "form-data" in str(saved.headers) else saved.text)
        for saved in stage.shop.saved
        if saved.query != "aborted"  # which may have got that far, or not
    )
    tab.run("() => { localStorage.clear(); sessionStorage.clear(); }")
    stage.close(tab)
    return found, got


@pytest.mark.parametrize(
    "service",
    [pytest.param("up", marks=pytest.mark.quick), "down", "behind a wall", "on another origin"],
)
def test_the_page_is_the_same_with_the_tag_and_the_service(service: str, stage: Stage) -> None:
    bare, bare_requests = report(stage, "")
    head = stage.tag() if service != "on another origin" else tag(stage.gate.url)
    if service == "behind a wall":
        policy = "default-src 'self' 'unsafe-inline' 'unsafe-eval'; connect-src 'self'"
        head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">{head}'
    if service == "down":
        stage.take_down()
    tagged, requests = report(stage, head)
    if service == "down":
        stage.bring_back()
    for name, value in bare.items():
        assert tagged[name] == value, name
    assert requests == bare_requests
    assert len(bare["seen"]["rejections"]) == 4
    assert len(bare["seen"]["errors"]) == 1


def test_the_tag_costs_no_page_its_place_in_the_back_forward_cache(stage: Stage) -> None:
    outcomes = []
    for head in ("", stage.tag()):
        tab = stage.open(head)
        tab.goto(f"{stage.shop.url}/away.html")
        tab.back()
        outcomes.append(
            tab.eventually(
                "'cameFromCache' in window && [window.cameFromCache]", "the page is shown again"
            )
        )
        stage.close(tab)
    assert outcomes[0] == outcomes[1]


def test_a_page_with_something_in_the_queue_keeps_its_place_too(stage: Stage) -> None:
    bare = stage.open("")
    bare.goto(f"{stage.shop.url}/away.html")
    bare.back()
    expected = bare.eventually(
        "'cameFromCache' in window && [window.cameFromCache]", "the page is shown again"
    )
    tab = stage.tab()
    tab.goto(stage.paying_page())
    stage.gate.state = stage.gate.UNAVAILABLE
    tab.run(STARTED)
    stage.pay(tab, "T1")
    # Firefox keeps no page that is left with a request of its own under way.
    tab.eventually(
        "performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/payments'))",
        "the page's answer",
    )
    tab.goto(f"{stage.shop.url}/away.html")
    stage.gate.state = stage.gate.UP
    tab.back()
    assert (
        tab.eventually(
            "'cameFromCache' in window && [window.cameFromCache]", "the page is shown again"
        )
        == expected
    )
    stage.pay(tab, "T2")
    rows = stage.wait_for_rows("payment_data", 2)
    assert sorted(row["transaction_id"] for row in rows) == ["T1", "T2"]


def test_uninstall_puts_everything_back(stage: Stage) -> None:
    names = (
        "() => [window.fetch, XMLHttpRequest.prototype.open, XMLHttpRequest.prototype.send, navigator.sendBeacon,"
        " Storage.prototype.setItem, window.savePaymentToSupabase]"
    )
    tab = stage.open(f"<script>window.before = ({names})()</script>{stage.tag()}{_FUNCTIONS}")
    tab.run("window.enhancedDataCapture.uninstall()")
    assert (
        tab.run(f"() => ({names})().map((each, n) => each === window.before[n] || String(each))")[
            :5
        ]
        == [True] * 5
    )
    tab.run(f"savePaymentToSupabase({{ user_email: '{stage.user}', transaction_id: 'T1' }})")
    stage.gate.wait_until_quiet()
    assert stage.rows("payment_data") == []
    assert stage.seen(tab) == NOTHING_SEEN


def test_the_tag_included_twice_is_as_once(stage: Stage) -> None:
    tab = stage.open(f"{stage.tag()}{tag(stage.gate.url)}{_FUNCTIONS}")
    tab.run(
        f"void savePaymentToSupabase({{ user_email: '{stage.user}', transaction_id: 'T1', final_price: 1 }})"
    )
    stage.wait_for_rows("payment_data", 1)
    stage.gate.wait_until_quiet()
    assert len(stage.gate.ids_by_transaction()["T1"]) == 1
    assert stage.seen(tab) == NOTHING_SEEN
