"""Test the configuration of a page, and messages that try to change it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.page_code import PAYMENT
from tests.browser.site import STORED_RECORDS

SAVES = "<script>function savePaymentToSupabase() { return 'saved' }</script>"

# FOREIGN is the URL of a third party.
INVALID_CONFIGURATIONS = {
    "a list": "Object.assign([], {endpoint: 'FOREIGN'})",
    "an instance of a class": "new (class Config { endpoint = 'FOREIGN' })",
    "an element": "Object.assign(document.createElement('div'), {endpoint: 'FOREIGN'})",
    "a proxy that throws": """new Proxy({}, {
      getPrototypeOf() { throw 1 }, get() { throw 2 }, ownKeys() { throw 3 },
    })""",
    "getters that throw": (
        "{get endpoint() { throw 1 }, get rules() { throw 2 }, get enabled() { throw 3 }}"
    ),
    "inherited members": "Object.create({endpoint: 'FOREIGN'})",
    "members of other types": """{
      endpoint: {toString: () => 'FOREIGN'}, rules: 7, without: {payment: 1}, enabled: [],
      placeholders: [{}],
    }""",
    "rules of other types": (
        "{rules: [null, 7, 'x', {kind: 'payment', url: '('}, {kind: '../evil', url: '.'}]}"
    ),
    "a javascript: endpoint": "{endpoint: 'javascript:alert(1)'}",
    "a data: endpoint": "{endpoint: 'data:text/plain,'}",
    "a file: endpoint": "{endpoint: 'file:///'}",
}


@pytest.mark.slow
def test_invalid_configuration_is_ignored(
    visit: Any, proxy: Any, foreign_server: Any, site: Any, user: str
) -> None:
    visit.page.route(
        "http://localhost:5003/**",
        lambda route: route.fulfill(
            response=route.fetch(url=route.request.url.replace("http://localhost:5003", proxy.url))
        ),
    )
    for name, configuration in INVALID_CONFIGURATIONS.items():
        value = configuration.replace("FOREIGN", foreign_server.url)
        before = f"<script>window.enhancedDataCaptureConfig = {value}</script>"
        payment = {**PAYMENT, "transaction_id": name}
        visit.open(SAVES, before=before, service=f"{site.url}/static", user=user)
        assert visit.run("(payment) => savePaymentToSupabase(payment)", payment) == "saved", name
        visit.flush()
        assert proxy.only_capture(user) == payment, name
        proxy.received.clear()
    assert foreign_server.requests == []


@pytest.mark.slow
def test_credentials_query_and_fragment_of_an_endpoint_are_dropped(
    visit: Any, proxy: Any, site: Any, user: str
) -> None:
    endpoint = proxy.url.replace("://", "://user:pass@") + "/?a=1#b"
    visit.open(SAVES, service=f"{site.url}/static", tag=f'data-endpoint="{endpoint}"', user=user)
    assert visit.run("enhancedDataCapture.status()")["endpoint"] == proxy.url
    visit.run("(payment) => savePaymentToSupabase(payment)", PAYMENT)
    visit.flush()
    assert proxy.only_capture(user) == PAYMENT


def test_messages_from_other_windows_have_no_effect(
    visit: Any, proxy: Any, foreign_server: Any
) -> None:
    messages = (
        f"['{foreign_server.url}/api', {{method: 'POST', body: '{{}}'}}]",
        "{kind: 'payment', text: '{}', id: 'x'}",
        "'last'",
    )
    post_all = "; ".join(f"parent.postMessage({message}, '*')" for message in messages)
    foreign_server.put("/frame.html", f"<script>{post_all}</script>")
    visit.open(
        f"""<script>
        window.lastMessage = new Promise((resolve) => addEventListener('message', ({{data}}) => {{
          if (data === 'last') resolve(data);
        }}));
        </script><iframe src="http://127.0.0.1:{foreign_server.port}/frame.html"></iframe>"""
    )
    assert visit.run("lastMessage") == "last"
    assert visit.flush() == {"success": True}
    stored = [record["id"] for record in visit.run(STORED_RECORDS)]
    assert [name for name in stored if not name.startswith("#")] == []
    assert proxy.received == []
    assert not [line for line in foreign_server.requests if "POST" in line]
