"""Consent, the kill switch and taking everything back; what the API says of itself."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.site import KEPT, SLOW_DATABASE
from tests.support.services import REPOSITORY

SAVES = "<script>async function savePaymentToSupabase() {}</script>"
PAY = "savePaymentToSupabase({transaction_id: 'T'})"
API = "enhancedDataCapture"
RECORDS = f"{KEPT}.then((records) => records.map(({{id}}) => id))"


def test_without_consent_nothing_is_kept_or_sent_until_it_is_given(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, tag='data-consent="required"', user=user)
    visit.run(PAY)
    assert visit.run(f"{API}.capturePaymentData({{}}).then(({{success}}) => success)") is False
    visit.flush()
    assert visit.run(RECORDS) == []
    assert visit.run(f"{API}.consent(true)") == {"success": True}
    visit.flush()
    assert front.posts == []
    visit.run("savePaymentToSupabase({transaction_id: 'given'})")
    assert stored("payment_data")[0]["transaction_id"] == "given"


def test_consent_taken_back_empties_the_queue_and_holds_on_the_next_page(
    visit: Any, front: Any, user: str
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
    assert front.posts == []


def test_the_kill_switch_survives_a_reload_and_gives_the_page_its_functions_back(
    visit: Any, front: Any, stored: Any, user: str
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
    assert front.posts == []
    visit.run(f"{API}.setEnabled(true)")
    assert visit.run("Object.keys(localStorage)") == ["current_user"]
    visit.run(PAY)
    assert len(stored("payment_data")) == 1


@pytest.mark.parametrize("switch", ["setEnabled", "consent"])
@pytest.mark.parametrize("leaving", [False, True], ids=["staying", "leaving at once"])
def test_what_a_page_saves_before_the_switch_was_read_is_not_sent(
    switch: str, leaving: bool, visit: Any, front: Any, site: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    visit.run(f"{API}.{switch}(false)")
    visit.run("localStorage.clear()")  # a logout may
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
    assert front.posts == []
    assert "enhanced-data-capture" not in visit.run("Object.keys(localStorage)")


def test_a_switch_does_not_undo_the_other(visit: Any, front: Any, user: str) -> None:
    visit.open(SAVES, user=user)
    visit.run(
        f"{API}.consent(false).then(() => {API}.setEnabled(false)).then(() => {API}.setEnabled(true))"
    )
    visit.open(SAVES)
    visit.run(PAY)
    visit.flush()
    assert visit.run(f"{API}.status().then(({{enabled, consent}}) => [enabled, consent])") == [
        True,
        False,
    ]
    assert front.posts == []


def test_consent_taken_back_ends_what_is_under_way(visit: Any, front: Any, user: str) -> None:
    failed: list[str] = []
    visit.page.on("requestfailed", lambda request: failed.append(request.url))
    visit.open(SAVES, user=user)
    front.delay_seconds = 8
    visit.run(PAY)
    visit.run(f"() => void {API}.flush()")
    visit.eventually(lambda: front.posts, "the request is under way")
    visit.run(f"{API}.consent(false)")
    visit.eventually(lambda: failed, "the request is ended", 6)
    assert visit.run(RECORDS) == ["#off"]


def test_uninstall_puts_everything_back(visit: Any, front: Any, user: str) -> None:
    everything = """[window.fetch, XMLHttpRequest.prototype.open, XMLHttpRequest.prototype.send, Navigator.prototype.sendBeacon,
      Storage.prototype.setItem, Storage.prototype.removeItem, Storage.prototype.clear, HTMLFormElement.prototype.submit]"""
    visit.open(
        "<script>function savePaymentToSupabase() {}; window.own = savePaymentToSupabase</script>",
        before=f"<script>window.native = {everything}; window.names = Object.getOwnPropertyNames(window).length</script>",
        user=user,
    )
    assert visit.run(f"{everything}.some((f, n) => f !== native[n])")
    assert visit.run("window.api = enhancedDataCapture, api.uninstall()") == {"success": True}
    assert visit.run(
        f"{everything}.every((f, n) => f === native[n]) && savePaymentToSupabase === own"
    )
    assert visit.run("'enhancedDataCapture' in window") is False
    visit.run(PAY)
    assert (
        visit.run("api.flush().then(() => api.capturePaymentData({})).then(({success}) => success)")
        is False
    )
    assert front.posts == []


def test_the_types_describe_the_api(visit: Any) -> None:
    types = (REPOSITORY / "frontend_data_capture_integration.d.ts").read_text()
    described = set(
        re.findall(
            r"^  (\w+)\(",
            types.split("interface EnhancedDataCapture {")[1].split("\n}")[0],
            re.MULTILINE,
        )
    )
    visit.open()
    assert described == set(visit.run(f"Object.keys({API})")) - {"version"}
    members = re.findall(
        r"^  (\w+)\??:",
        types.split("interface EnhancedDataCaptureStatus {")[1].split("\n}")[0],
        re.MULTILINE,
    )
    assert members == visit.run(f"{API}.status().then((status) => Object.keys(status))")
