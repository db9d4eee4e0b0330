"""Test consent, the kill switch, uninstall, and the type declarations of the API."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.site import SLOW_DATABASE, STORED_RECORDS
from tests.support.services import REPOSITORY

SAVES = "<script>async function savePaymentToSupabase() {}</script>"
PAY = "savePaymentToSupabase({transaction_id: 'T'})"
API = "enhancedDataCapture"
RECORDS = f"{STORED_RECORDS}.then((records) => records.map(({{id}}) => id))"
# Timers of 10 s, after which the script would abort a request by itself, never end.
NO_REQUEST_TIMEOUT = """<script>{
  const native = setTimeout;
  window.setTimeout = (work, ms) => (ms >= 10000 ? 0 : native(work, ms));
}</script>"""


def test_nothing_is_stored_or_sent_before_consent(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, tag='data-consent="required"', user=user)
    visit.run(PAY)
    assert visit.run(f"{API}.capturePaymentData({{}}).then(({{success}}) => success)") is False
    visit.flush()
    assert visit.run(RECORDS) == []
    assert visit.run(f"{API}.consent(true)") == {"success": True}
    visit.flush()
    assert proxy.received == []
    visit.run("savePaymentToSupabase({transaction_id: 'given'})")
    assert stored("payment_data")[0]["transaction_id"] == "given"


@pytest.mark.slow
def test_withdrawn_consent_empties_the_queue_and_applies_to_the_next_page(
    visit: Any, proxy: Any, user: str
) -> None:
    visit.open(SAVES)
    visit.run(PAY)
    assert visit.flush()["waiting"] == 1
    visit.run(f"{API}.consent(false)")
    assert visit.run(RECORDS) == ["#off"]
    visit.open(SAVES, user=user)
    visit.run(PAY)
    visit.flush()
    status = visit.run(f"{API}.status()")
    assert (status["consent"], status["waiting"]) == (False, 0)
    assert proxy.received == []


@pytest.mark.slow
def test_kill_switch_survives_a_reload_and_restores_the_functions(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(
        SAVES,
        before="<script>window.native = [fetch, Storage.prototype.setItem]</script>",
        user=user,
    )
    visit.run(f"{API}.setEnabled(false)")
    visit.page.reload()
    visit.run(f"{API}.status()")
    assert visit.run("fetch === native[0] && Storage.prototype.setItem === native[1]")
    visit.run(PAY)
    visit.flush()
    assert proxy.received == []
    visit.run(f"{API}.setEnabled(true)")
    assert visit.run("Object.keys(localStorage)") == ["current_user"]
    visit.run(PAY)
    assert len(stored("payment_data")) == 1


@pytest.mark.slow
@pytest.mark.parametrize("switch", ["setEnabled", "consent"])
@pytest.mark.parametrize("leaving", [False, True], ids=["staying", "leaving at once"])
def test_saves_made_before_the_stored_switch_is_read_are_not_sent(
    switch: str, leaving: bool, visit: Any, proxy: Any, site: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    visit.run(f"{API}.{switch}(false)")
    visit.run("localStorage.clear()")  # as some sites do at a logout
    visit.open(SAVES)
    visit.run(f"{API}.status()")
    visit.open(f"{SAVES}<script>{PAY}</script>", before=SLOW_DATABASE, user=user)
    if leaving:
        visit.page.goto(site.put("/away.html", "<title>away</title>"))
        visit.open(SAVES)
    else:
        visit.run("openDatabase()")
    assert visit.run(f"{API}.status().then(({{waiting}}) => waiting)") == 0
    visit.flush()
    assert proxy.received == []
    assert "enhanced-data-capture" not in visit.run("Object.keys(localStorage)")


@pytest.mark.slow
def test_enabling_the_script_does_not_undo_withdrawn_consent(
    visit: Any, proxy: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    for call in ("consent(false)", "setEnabled(false)", "setEnabled(true)"):
        visit.run(f"{API}.{call}")
    visit.open(SAVES)
    visit.run(PAY)
    visit.flush()
    status = visit.run(f"{API}.status()")
    assert (status["enabled"], status["consent"]) == (True, False)
    assert proxy.received == []


@pytest.mark.slow
def test_withdrawn_consent_aborts_requests_in_progress(visit: Any, proxy: Any, user: str) -> None:
    failed: list[str] = []
    visit.page.on("requestfailed", lambda request: failed.append(request.url))
    visit.open(SAVES, before=NO_REQUEST_TIMEOUT, user=user)
    proxy.hold_responses()
    visit.run(PAY)
    visit.run(f"() => void {API}.flush()")
    visit.eventually(lambda: proxy.received, "the request is in progress")
    visit.run(f"{API}.consent(false)")
    visit.eventually(lambda: failed, "the request is aborted")
    assert proxy.responded == 0
    assert visit.run(RECORDS) == ["#off"]


def test_uninstall_restores_all_functions(visit: Any, proxy: Any, user: str) -> None:
    functions = """[
      window.fetch, XMLHttpRequest.prototype.open, XMLHttpRequest.prototype.send,
      Navigator.prototype.sendBeacon, Storage.prototype.setItem, Storage.prototype.removeItem,
      Storage.prototype.clear, HTMLFormElement.prototype.submit,
    ]"""
    visit.open(
        "<script>function savePaymentToSupabase() {}; window.own = savePaymentToSupabase</script>",
        before=f"<script>window.native = {functions}</script>",
        user=user,
    )
    assert visit.run(f"{functions}.some((f, n) => f !== native[n])")
    assert visit.run("window.api = enhancedDataCapture, api.uninstall()") == {"success": True}
    assert visit.run(f"{functions}.every((f, n) => f === native[n])")
    assert visit.run("savePaymentToSupabase === own")
    assert visit.run("'enhancedDataCapture' in window") is False
    visit.run(PAY)
    assert (
        visit.run("api.flush().then(() => api.capturePaymentData({})).then(({success}) => success)")
        is False
    )
    assert proxy.received == []


@pytest.mark.slow
def test_type_declarations_describe_the_api(visit: Any) -> None:
    declarations = (REPOSITORY / "frontend_data_capture_integration.d.ts").read_text()

    def find_members(interface: str, pattern: str) -> list[str]:
        body = declarations.split(f"interface {interface} {{")[1].split("\n}")[0]
        return re.findall(pattern, body, re.MULTILINE)

    visit.open()
    methods = find_members("EnhancedDataCapture", r"^  (\w+)\(")
    assert set(methods) == set(visit.run(f"Object.keys({API})")) - {"version"}
    members = find_members("EnhancedDataCaptureStatus", r"^  (\w+)\??:")
    assert members == visit.run(f"{API}.status().then((status) => Object.keys(status))")
