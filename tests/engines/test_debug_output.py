"""Test what a developer is told: by `data-debug` in the console, and by status()."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.site import Reply
from tests.engines.browser import Tab, eventually
from tests.engines.servers import FaultProxy
from tests.engines.visit import NOTHING_OBSERVED, Visit
from tests.support.services import capture_service_in

_SECONDS = 15.0  # only ends a hang

# Keeps what is printed, by level.
_RECORDER = """<script>
window.printed = [];
for (const level of ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir', 'table', 'group']) {
  const print = console[level];
  console[level] = function (...words) {
    const texts = words.map((word) => (
      typeof word === 'object' && !(word instanceof Error) ? JSON.stringify(word) : String(word)
    ));
    window.printed.push([level, texts.join(' ')]);
    return print.apply(this, words);
  };
}
</script>"""

_SAVE = """async ([path, body]) => {
  await fetch(path, { method: 'POST', body: JSON.stringify(body) });
}"""


def open_page(visit: Visit, attributes: str = "data-debug", head: str = "") -> Tab:
    return visit.open(_RECORDER + head + visit.tag(attributes))


def save(tab: Tab, path: str = "/api/payments", **members: Any) -> None:
    body = {"transaction_id": "T1", "plan_name": "Pro", "final_price": 49, **members}
    tab.run(_SAVE, [path, body])


def wait_for_line(tab: Tab, *words: str) -> str:
    """Return the first line that has all these words, in any case."""

    def find_line() -> str:
        lines = [text for _, text in tab.run("window.printed")]
        found = (line for line in lines if all(word.lower() in line.lower() for word in words))
        return next(found, "")

    return eventually(find_line, f"a line with {words} in {tab.run('window.printed')}", _SECONDS)


def wait_for_status(tab: Tab, script: str) -> Any:
    """Return the status when an expression over `status` is true."""
    return tab.eventually(
        f"enhancedDataCapture.status().then((status) => ({script}) && status)", script, _SECONDS
    )


@pytest.mark.slow
def test_debug_says_version_endpoint_rules_and_user_at_the_start(visit: Visit) -> None:
    tab = open_page(visit)
    version = tab.run("enhancedDataCapture.version")
    hello = wait_for_line(tab, version, visit.proxy.url)
    assert "payment" in hello
    visit.sign_in(tab)
    tab.goto(visit.shop.page(_RECORDER + visit.tag("data-debug")))
    assert visit.user in wait_for_line(tab, version, visit.proxy.url)


@pytest.mark.slow
def test_debug_says_for_a_save_its_rule_fields_user_and_response(visit: Visit) -> None:
    tab = open_page(visit)
    save(tab, user_email=visit.user)
    visit.wait_for_rows("payment_data", 1)
    wait_for_line(tab, "payment", "transaction_id", "plan_name", visit.user)
    wait_for_line(tab, "payment", "201")


@pytest.mark.slow
def test_debug_speaks_with_console_info_alone(visit: Visit) -> None:
    tab = open_page(visit)
    save(tab, user_email=visit.user)
    save(tab, "/api/purchases", user_email=visit.user)
    visit.wait_for_rows("payment_data", 1)
    wait_for_line(tab, "/api/purchases")
    assert {level for level, _ in tab.run("window.printed")} == {"info"}


@pytest.mark.slow
def test_debug_prints_no_value_that_was_saved(visit: Visit) -> None:
    tab = open_page(visit)
    save(
        tab, user_email=visit.user, notes="my diary", password="hunter-21", card="4242424242424242"
    )
    save(tab, "/api/purchases", user_email=visit.user, notes="my diary", password="hunter-21")
    visit.wait_for_rows("payment_data", 1)
    text = "\n".join(text for _, text in tab.run("window.printed"))
    for value in ("my diary", "hunter-21", "4242424242424242"):
        assert value not in text


@pytest.mark.slow
def test_debug_prints_no_error_of_the_script_itself(visit: Visit) -> None:
    """Pages store texts that are no JSON, and send bodies of all kinds."""
    tab = open_page(visit)
    tab.run("""async () => {
      const texts = ['{', '{"a":', 'undefined', '[object Object]', '"', 'a@b', '%', '[1,', 'null'];
      for (const text of texts) {
        for (const key of ['current_user', 'user', 'payment_details', 'trading_state_x', 'auth']) {
          localStorage.setItem(key, text);
        }
        await fetch('/api/payments', { method: 'POST', body: text });
        await fetch('/api/payments', { method: 'POST', body: new Blob([text]) });
      }
      localStorage.clear();
    }""")
    save(tab, user_email=visit.user)
    visit.wait_for_rows("payment_data", 1)
    lines = [text for _, text in tab.run("window.printed")]
    assert not [line for line in lines if re.search(r"\w*Error\b|JSON\.parse|\bundefined\b", line)]


@pytest.mark.slow
def test_nothing_is_printed_without_debug(visit: Visit) -> None:
    tab = open_page(visit, "")
    save(tab)
    save(tab, "/api/purchases", user_email=visit.user)
    save(tab, user_email=visit.user, transaction_id="T2")
    visit.wait_for_rows("payment_data", 1)
    assert tab.run("window.printed") == []
    assert visit.observed(tab) == NOTHING_OBSERVED


@pytest.mark.slow
def test_status_counts_what_was_seen_captured_and_delivered(visit: Visit) -> None:
    tab = open_page(visit, "")
    visit.proxy.state = visit.proxy.UNAVAILABLE
    save(tab, user_email=visit.user)
    status = wait_for_status(tab, "status.captured === 1")
    assert (status["seen"], status["delivered"], status["unmatched"]) == (1, 0, [])
    visit.proxy.state = visit.proxy.UP
    tab.run("void enhancedDataCapture.flush()")
    status = wait_for_status(tab, "status.delivered === 1")
    assert (status["seen"], status["captured"], status["waiting"]) == (1, 1, 0)
    last = status["last"]
    assert (last["kind"], last["rule"], last["user"]) == ("payment", "payment", visit.user)
    assert last["result"]


@pytest.mark.slow
def test_save_of_an_unknown_user_says_at_once_that_it_waits(visit: Visit) -> None:
    tab = open_page(visit)
    save(tab)
    wait_for_line(tab, "waits", "nobody is known")
    status = wait_for_status(tab, "status.unattributed === 1")
    assert "nobody is known" in status["why"]
    visit.sign_in(tab)
    visit.wait_for_rows("payment_data", 1)
    assert not wait_for_status(tab, "status.delivered === 1")["why"]


# Saves that look like ours, at addresses that no rule takes.
UNMATCHED = ("/api/orders", "/v2/billing/charge-card", "/rest/v1/purchases")


@pytest.mark.slow
@pytest.mark.parametrize("path", UNMATCHED)
def test_save_that_no_rule_takes_is_named_with_a_rule_that_takes_it(
    path: str, visit: Visit
) -> None:
    # A rule of the site may already take such an address, so the built-in ones are left out.
    without = "data-debug data-without=payment,crypto"
    tab = open_page(visit, without)
    save(tab, path, user_email=visit.user)
    line = wait_for_line(tab, f"no rule matches POST {path}")
    assert "kind" in line
    assert "url" in line
    status = wait_for_status(tab, "status.unmatched.length")
    (unmatched,) = status["unmatched"]
    assert unmatched["save"] == f"POST {path}"
    assert visit.captured(tab) == []

    rules = json.dumps([unmatched["rule"]])
    config = f"<script>window.enhancedDataCaptureConfig = {{ rules: {rules} }}</script>"
    other = open_page(visit, without, config)
    save(other, path, user_email=visit.user)
    (row,) = visit.wait_for_rows("payment_data", 1)
    assert row["transaction_id"] == "T1"


@pytest.mark.slow
def test_requests_that_are_no_saves_are_not_named_as_unmatched(visit: Visit) -> None:
    tab = open_page(visit)
    tab.run("""async () => {
      const post = (path, body) => fetch(path, { method: 'POST', body });
      await post('/collect', JSON.stringify({ event: 'click', x: 1 }));
      await post('/api/login', JSON.stringify({ email: 'a@example.com', password: 'x' }));
      await post('/api/data-capture/payment', JSON.stringify({ transaction_id: 'T9' }));
      await post('/upload', new Blob([new Uint8Array(9)]));
      await post('/graphql', JSON.stringify({ query: '{ me { id } }' }));
    }""")
    save(tab, user_email=visit.user)
    visit.wait_for_rows("payment_data", 1)
    assert tab.run("enhancedDataCapture.status()")["unmatched"] == []


@pytest.mark.slow
def test_unmatched_saves_are_limited_and_say_no_secret(visit: Visit) -> None:
    tab = open_page(visit, "data-without=payment,crypto")
    tab.run(
        """async ([path, body]) => {
          for (let n = 0; n < 300; n++) {
            await fetch(`/api/orders/${n}?access_token=s3cr-et`, {
              method: 'POST', body: JSON.stringify({ ...body, transaction_id: 'T' + n }),
            });
          }
        }""",
        ["", {"plan_name": "Pro", "final_price": 49, "user_email": visit.user}],
    )
    status = wait_for_status(tab, "status.unmatched.length")
    assert len(status["unmatched"]) <= 50
    assert "s3cr-et" not in json.dumps(status)


@pytest.fixture
def foreign_proxy(tmp_path: Path) -> Iterator[FaultProxy]:
    """A proxy in front of a service that allows no page of this machine."""
    service = capture_service_in(tmp_path, EDC_ALLOWED_ORIGINS="https://shop.example")
    service.start()
    proxy = FaultProxy()
    proxy.service = service.url
    yield proxy
    proxy.close()
    service.stop()


@pytest.mark.slow
def test_refused_origin_is_named_with_its_setting(visit: Visit, foreign_proxy: FaultProxy) -> None:
    original, visit.proxy = visit.proxy, foreign_proxy
    tab = open_page(visit)
    visit.proxy = original
    save(tab, user_email=visit.user)
    wait_for_line(tab, "refused", "origin", "EDC_ALLOWED_ORIGINS")
    status = wait_for_status(tab, "/EDC_ALLOWED_ORIGINS/.test(JSON.stringify(status))")
    assert status["delivered"] == 0
    (parked,) = status["parked"]
    assert parked["status"] == 403
    assert "EDC_ALLOWED_ORIGINS" in parked["reason"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "words"),
    [
        (503, ("503",)),
        (404, ("404",)),
        (422, ("422", "the address is missing")),
        (413, ("413", "the address is missing")),
    ],
)
def test_refusal_is_named_with_its_reason(
    status: int, words: tuple[str, ...], visit: Visit
) -> None:
    tab = open_page(visit)
    visit.proxy.outage = Reply(status, {}, b'{"success": false, "error": "the address is missing"}')
    save(tab, user_email=visit.user)
    wait_for_line(tab, "payment", *words)
    known = wait_for_status(
        tab,
        f"JSON.stringify([status.why, status.last, status.parked, status.setAside])"
        f".includes('{status}')",
    )
    assert (known["captured"], known["delivered"]) == (1, 0)
