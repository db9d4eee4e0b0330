"""Test DOM clobbering: elements with an id or a name change nothing of the script."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.page_code import PAYMENT, SUBMIT_JS

SAVES = "<script>function savePaymentToSupabase() { return 'saved' }</script>"
PAY = f"savePaymentToSupabase({json.dumps(PAYMENT)})"
OTHER_USER = "mallory@example.com"
OTHER_CURRENT_USER = (
    '<a id="currentUser"></a>'
    f'<a id="currentUser" name="email" href="mailto:{OTHER_USER}"></a>'
)  # fmt: skip

# FOREIGN is the URL of a third party.
ELEMENTS = {
    "image named currentScript": (
        '<img name="currentScript" data-endpoint="FOREIGN" '
        'src="FOREIGN/data_capture_integration">'
    ),
    "form named currentScript": (
        '<form name="currentScript" id="currentScript" data-endpoint="FOREIGN" '
        'data-enabled="false"></form>'
    ),
    "image named querySelector": (
        '<img name="querySelector"><img name="querySelectorAll"><img name="scripts">'
    ),
    "image named addEventListener": (
        '<img name="addEventListener"><img name="removeEventListener">'
    ),
    "form as the configuration": (
        '<form id="enhancedDataCaptureConfig" data-endpoint="FOREIGN">'
        '<input name="endpoint" value="FOREIGN"></form>'
    ),
    "two elements as the configuration": (
        '<a id="enhancedDataCaptureConfig"></a>'
        '<a id="enhancedDataCaptureConfig" name="endpoint" href="FOREIGN"></a>'
    ),
    "frame as the configuration": (
        '<iframe name="enhancedDataCaptureConfig" '
        "srcdoc=\"<script>var endpoint = 'FOREIGN'</script>\"></iframe>"
    ),
    "form as the API": '<form id="enhancedDataCapture"></form>',
    "two elements as the API": (
        '<a id="enhancedDataCapture"></a><a id="enhancedDataCapture" name="version"></a>'
    ),
    "two elements as the user": OTHER_CURRENT_USER,
    "forms as web storage": (
        '<form id="localStorage"></form><form id="sessionStorage"></form>'
        '<form id="indexedDB"></form><form id="navigator"></form><form id="location"></form>'
        '<form id="Storage"></form><form id="fetch"></form>'
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("html", ELEMENTS.values(), ids=ELEMENTS)
def test_named_elements_neither_configure_nor_disable_the_script(
    html: str, visit: Any, proxy: Any, site: Any, foreign_server: Any, user: str
) -> None:
    # The window of a frame exists once the frame has loaded, so the script comes after it.
    head = (
        f"</head><body>{html.replace('FOREIGN', foreign_server.url)}"
        f"<script>localStorage.current_user = '{user}'</script>"
    )
    visit.open(SAVES, before=head, service=f"{site.url}/static", tag=f'data-endpoint="{proxy.url}"')
    foreign_server.requests.clear()  # the browser loaded the image
    assert visit.run(PAY) == "saved"
    visit.flush()
    assert proxy.only_capture(user) == PAYMENT
    assert not [line for line in foreign_server.requests if "POST" in line]
    visit.console.clear()  # the browser prints a line about the image


LATER_ELEMENTS = {
    "baseURI": '<img name="baseURI">',
    "objects named like save functions": (
        '<object id="storeQuestionnaireData"></object><embed name="saveDashboardToSupabase">'
    ),
    "frame named like a save function": '<iframe name="storeQuestionnaireData"></iframe>',
    "two elements as the user": OTHER_CURRENT_USER,
}


@pytest.mark.slow
@pytest.mark.parametrize("html", LATER_ELEMENTS.values(), ids=LATER_ELEMENTS)
def test_named_elements_added_after_the_script_change_nothing(
    html: str, visit: Any, proxy: Any, user: str
) -> None:
    visit.open(f"{html}<div></div>")
    visit.run(f"localStorage.current_user = '{user}'")
    # The script checks the globals when a node is added.
    visit.run("() => { document.querySelector('div').append('a node') }")
    saving = "Object.getOwnPropertyNames(window).filter((name) => /Supabase|storeQuest/.test(name))"
    assert visit.run(saving) == []
    visit.run("(body) => { fetch('/api/payments', {method: 'POST', body}) }", json.dumps(PAYMENT))
    visit.flush()
    assert proxy.only_capture(user) == PAYMENT


@pytest.mark.slow
def test_form_whose_fields_hide_its_methods_is_captured(visit: Any, proxy: Any, user: str) -> None:
    names = ("cloneNode", "querySelectorAll", "id", "outerHTML", "submit")
    fields = "".join(f'<input name="{name}" value="1">' for name in names)
    visit.open(
        f'<form class="payment" target="away">{fields}</form><iframe name="away" hidden></iframe>',
        user=user,
    )
    visit.run(SUBMIT_JS)
    visit.flush()
    assert proxy.only_capture(user) == dict.fromkeys(names, "1")


def test_relative_endpoint_ignores_the_base_element(
    visit: Any, foreign_server: Any, site: Any
) -> None:
    visit.open(
        before=f'<base href="{foreign_server.url}/">',
        service=f"{site.url}/static",
        tag='data-endpoint="/copy"',
    )
    assert visit.run("enhancedDataCapture.status()")["endpoint"] == f"{site.url}/copy"
