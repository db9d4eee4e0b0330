"""Test pages of other sites, which cannot store, sign up or read a response."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from html import escape
from typing import Any

import pytest

from tests.browser.site import MAX_WAIT_SECONDS, Reply, ReverseProxy, wait_in
from tests.support.services import RunningService, capture_service_in, signup_service_in

PAYMENT = "/api/data-capture/payment"
SIGN_UP = "/api/auth/register"


@pytest.fixture(scope="module")
def public_services(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RunningService, RunningService]]:
    """Run both services, which accept pages of two origins only."""
    folder = tmp_path_factory.mktemp("foreign")
    origins = "https://www.example.com,http://localhost:1"
    capture = capture_service_in(folder, EDC_ALLOWED_ORIGINS=origins)
    signup = signup_service_in(folder, EDC_ALLOWED_ORIGINS=origins)
    for service in (capture, signup):
        service.start()
    yield capture, signup
    for service in (capture, signup):
        service.stop()


@pytest.fixture
def local_services(
    capture_service: RunningService, signup_service: RunningService
) -> tuple[RunningService, RunningService]:
    """Return both services with default settings, which accept local pages."""
    return capture_service, signup_service


def fetch_js(url: str, body: dict[str, Any], **options: str) -> str:
    """Return JavaScript that fetches, and posts a readable response to the top page."""
    arguments = json.dumps({"method": "POST", "body": json.dumps(body), **options})
    return (
        f"fetch({json.dumps(url)}, {arguments}).then((response) => response.text())"
        ".then((text) => top.postMessage(text, '*')).catch(() => 0)"
    )


def form(url: str, body: dict[str, Any]) -> str:
    """Return a form that submits itself, and whose text/plain body is JSON."""
    text = json.dumps({**body, "rest": "="}).partition("=")
    field = f'<input name="{escape(text[0])}" value="{escape(text[2])}">'
    return (
        f'<form method="post" enctype="text/plain" action="{url}">{field}</form>'
        "<script>document.forms[0].submit()</script>"
    )


def sandboxed(content: str) -> str:
    return f'<iframe sandbox="allow-scripts allow-forms" srcdoc="{escape(content)}"></iframe>'


def as_script(code: str) -> str:
    return f"<script>{code}</script>"


def attacks(url: str, body: dict[str, Any]) -> dict[str, tuple[str, dict[str, str]]]:
    """Return a foreign page, as HTML and headers, for each way to send a request."""
    no_referrer = {"Referrer-Policy": "no-referrer"}
    plain, no_cors = fetch_js(url, body), fetch_js(url, body, mode="no-cors")
    beacon = f"navigator.sendBeacon({json.dumps(url)}, {json.dumps(json.dumps(body))})"
    as_json = plain.replace('"method"', '"headers": {"Content-Type": "application/json"}, "method"')
    data_url = escape("data:text/html," + as_script(plain))
    form_html = json.dumps(form(url, body)).replace("</", "<\\/")
    popup = f"const popup = open(''); popup.document.write({form_html}); popup.document.close()"
    worker = f"new Worker(URL.createObjectURL(new Blob([{json.dumps(no_cors)}])))"
    return {
        "fetch": (as_script(plain), {}),
        "fetch, no-cors": (as_script(no_cors), {}),
        "fetch, JSON": (as_script(as_json), {}),
        "fetch without a referrer": (as_script(no_cors), no_referrer),
        "beacon": (as_script(beacon), {}),
        "beacon without a referrer": (as_script(beacon), no_referrer),
        "form": (form(url, body), {}),
        "form without a referrer": (form(url, body), no_referrer),
        "form in a sandboxed frame": (sandboxed(form(url, body)), {}),
        "fetch in a sandboxed frame": (sandboxed(as_script(plain)), {}),
        "no-cors fetch in a sandboxed frame": (sandboxed(as_script(no_cors)), {}),
        "beacon in a sandboxed frame": (sandboxed(as_script(beacon)), {}),
        "page with a sandbox policy": (
            as_script(plain),
            {"Content-Security-Policy": "sandbox allow-scripts"},
        ),
        "fetch in a data: document": (f'<iframe src="{data_url}"></iframe>', {}),
        "form in an about:blank window": (as_script(popup), {}),
        "worker": (as_script(worker), {}),
        "image": (f'<img src="{url}">', {}),
    }


NAMES = list(attacks("", {}))


class Recorder(ReverseProxy):
    """A reverse proxy that records the status of the response to each attack."""

    def __init__(self, service: RunningService) -> None:
        super().__init__()
        self.service = service.url
        self.statuses: dict[str, int] = {}

    def respond(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Reply | None:
        reply = super().respond(method, path, headers, body)
        if reply is not None:
            self.statuses[path.partition("?")[2]] = reply.status
        return reply


ADD_FRAME = """(source) => {
  const frame = document.createElement('iframe');
  frame.src = source;
  document.body.append(frame);
}"""


def wait_for_response(page: Any, source: str, recorder: Recorder, number: str) -> None:
    """Add a frame with an attack to the page, and wait until the service has responded.

    A busy browser may give up a frame or its request: then another frame is added.
    """
    responded = partial(recorder.statuses.get, number)
    page.evaluate(ADD_FRAME, source)
    try:
        wait_in(page, responded, "a response", MAX_WAIT_SECONDS / 3)
    except AssertionError:
        page.evaluate(ADD_FRAME, source)
        wait_in(page, responded, f"a response to {source}; before: {recorder.requests}")


@pytest.mark.slow
@pytest.mark.parametrize("services", ["public_services", "local_services"])
def test_page_of_another_site_cannot_store_a_payment_or_sign_up(
    chromium: Any, site: Any, user: str, services: str, request: pytest.FixtureRequest
) -> None:
    capture, signup = request.getfixturevalue(services)
    # The default settings accept the site's own pages, so only pages of opaque origins are foreign.
    names = (
        NAMES
        if services == "public_services"
        else [name for name in NAMES if "sandbox" in name or "data:" in name]
    )
    numbers = {str(number): name for number, name in enumerate(names)}
    payment = {
        "user_email": user,
        "transaction_id": "TX-1",
        "payment_status": "refunded",
        "final_price": 1,
    }
    recorders = Recorder(capture), Recorder(signup)
    context = chromium.new_context()
    try:
        for recorder, path in zip(recorders, (PAYMENT, SIGN_UP), strict=True):
            page = context.new_page()
            page.add_init_script(
                "window.readable = [];"
                "addEventListener('message', ({data}) => { readable.push(data) })"
            )
            page.goto(site.put("/attacks.html", "<!doctype html><body>"))
            for number, name in numbers.items():
                account = {
                    "email": f"{number}-{user}",
                    "password": "correct horse battery",
                    "fullName": "M",
                }
                url = f"{recorder.url}{path}?{number}"
                content, headers = attacks(url, payment if path == PAYMENT else account)[name]
                source = site.put(
                    f"/attack-{services}{path}-{number}.html",
                    f"<!doctype html><body>{content}",
                    **headers,
                )
                wait_for_response(page, source, recorder, number)
            accepted = [
                name
                for number, name in numbers.items()
                if recorder.statuses[number] not in (403, 405)
            ]
            assert accepted == [], f"not rejected: {recorder.statuses}"
            read = [*filter(None, page.evaluate("readable"))]
            if path == SIGN_UP:
                assert read == [], "a response was read"
            else:  # a page may read that its origin is refused, so that the script can say so
                assert read
            for text in read:
                assert "EDC_ALLOWED_ORIGINS" in json.loads(text)["detail"]
                assert user not in text
            page.close()
    finally:
        context.close()
        for recorder in recorders:
            recorder.close()
    assert capture.rows("SELECT * FROM payment_data WHERE user_email = ?", user) == []
    assert signup.rows("SELECT * FROM users WHERE email LIKE ?", f"%{user}") == []


@pytest.mark.slow
def test_same_requests_from_an_allowed_origin_are_stored(
    chromium: Any, site: Any, user: str, local_services: tuple[RunningService, RunningService]
) -> None:
    """The control: without the foreign origin, the same requests are accepted."""
    service = local_services[0]
    context = chromium.new_context()
    try:
        page = context.new_page()
        for number, name in enumerate(
            ("fetch", "fetch, no-cors", "beacon", "worker", "fetch without a referrer")
        ):
            body = {"user_email": user, "activity_type": str(number)}
            content, headers = attacks(service.url + "/api/data-capture/activity", body)[name]
            page.goto(site.put("/allowed.html", f"<!doctype html><body>{content}", **headers))
            statement = (
                "SELECT * FROM trading_activity_log WHERE user_email = ? AND activity_type = ?"
            )
            query = (statement, user, str(number))
            wait_in(page, partial(service.rows, *query), name)
    finally:
        context.close()
