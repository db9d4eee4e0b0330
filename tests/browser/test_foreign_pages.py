"""Pages of other sites, in a real browser, try to store a payment and to sign up: nothing is stored, no token is readable."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import pytest

from tests.browser.site import Front, Reply
from tests.support.services import RunningService, capture_service_in, eventually, signup_service_in

PAYMENT = "/api/data-capture/payment"
SIGN_UP = "/api/auth/register"
MAX_LOAD_MS = (
    120_000  # each frame may be a process of its own; five browsers at once take 15 s for them here
)


@pytest.fixture(scope="module")
def services(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RunningService, RunningService]]:
    """Both services, for pages of one site, and for pages opened from disk."""
    folder = tmp_path_factory.mktemp("foreign")
    origins = "https://www.example.com,http://localhost:1"
    running = [
        of(folder, EDC_ALLOWED_ORIGINS=origins) for of in (capture_service_in, signup_service_in)
    ]
    for one in running:
        one.start()
    yield running[0], running[1]
    for one in running:
        one.stop()


@pytest.fixture
def local_services(
    capture_service: RunningService, signup_service: RunningService
) -> tuple[RunningService, RunningService]:
    """Both services as they come, for local pages."""
    return capture_service, signup_service


def send(url: str, body: dict[str, Any], **options: str) -> str:
    """JavaScript that sends `body` by fetch and tells the outermost page what it could read of the answer."""
    given = json.dumps({"method": "POST", "body": json.dumps(body), **options})
    note = "top.postMessage(text, '*')"
    return f"fetch({json.dumps(url)}, {given}).then((answer) => answer.text()).then((text) => {note}).catch(() => 0)"


def form(url: str, body: dict[str, Any]) -> str:
    """A form that is sent at once, and whose text/plain body is JSON."""
    text = json.dumps({**body, "rest": "="}).partition("=")
    field = f'<input name="{escape(text[0])}" value="{escape(text[2])}">'
    return f'<form method="post" enctype="text/plain" action="{url}">{field}</form><script>document.forms[0].submit()</script>'


def sandboxed(content: str) -> str:
    return f'<iframe sandbox="allow-scripts allow-forms" srcdoc="{escape(content)}"></iframe>'


def as_script(code: str) -> str:
    return f"<script>{code}</script>"


def attacks(url: str, body: dict[str, Any]) -> dict[str, tuple[str, dict[str, str]]]:
    """Pages of a foreign site, by what they try, with their headers."""
    quiet = {"Referrer-Policy": "no-referrer"}
    plain, blind = send(url, body), send(url, body, mode="no-cors")
    beacon = f"navigator.sendBeacon({json.dumps(url)}, {json.dumps(json.dumps(body))})"
    by_json = plain.replace('"method"', '"headers": {"Content-Type": "application/json"}, "method"')
    data_url = escape("data:text/html," + as_script(plain))
    written = json.dumps(form(url, body)).replace("</", "<\\/")
    opened = f"const one = open(''); one.document.write({written}); one.document.close()"
    worker = f"new Worker(URL.createObjectURL(new Blob([{json.dumps(blind)}])))"
    return {
        "fetch": (as_script(plain), {}),
        "fetch, blind": (as_script(blind), {}),
        "fetch, JSON": (as_script(by_json), {}),
        "fetch without a referrer": (as_script(blind), quiet),
        "beacon": (as_script(beacon), {}),
        "beacon without a referrer": (as_script(beacon), quiet),
        "form": (form(url, body), {}),
        "form without a referrer": (form(url, body), quiet),
        "form in a sandboxed frame": (sandboxed(form(url, body)), {}),
        "fetch in a sandboxed frame": (sandboxed(as_script(plain)), {}),
        "blind fetch in a sandboxed frame": (sandboxed(as_script(blind)), {}),
        "beacon in a sandboxed frame": (sandboxed(as_script(beacon)), {}),
        "a page in a sandbox of its own": (
            as_script(plain),
            {"Content-Security-Policy": "sandbox allow-scripts"},
        ),
        "fetch in a data: document": (f'<iframe src="{data_url}"></iframe>', {}),
        "form in a window without an address": (as_script(opened), {}),
        "a worker": (as_script(worker), {}),
        "an image": (f'<img src="{url}">', {}),
    }


NAMES = list(attacks("", {}))


class Recorder(Front):
    """A reverse proxy that keeps what each attack was answered."""

    def __init__(self, service: RunningService) -> None:
        super().__init__()
        self.service = service.url
        self.answered: dict[str, int] = {}

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Reply | None:
        reply = super().answer(method, path, headers, body)
        if reply is not None:
            self.answered[path.partition("?")[2]] = reply.status
        return reply


@pytest.mark.parametrize("origins", ["services", "local_services"])
def test_no_page_of_another_site_stores_a_payment_or_signs_up(
    chromium: Any, site: Any, user: str, origins: str, request: pytest.FixtureRequest
) -> None:
    capture, signup = request.getfixturevalue(origins)
    # Where local pages are allowed, foreign is what sends no origin, or another than its site's.
    names = (
        NAMES
        if origins == "services"
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
            frames = ""
            for number, name in numbers.items():
                account = {
                    "email": f"{number}-{user}",
                    "password": "correct horse battery",
                    "fullName": "M",
                }
                url = f"{recorder.url}{path}?{number}"
                content, headers = attacks(url, payment if path == PAYMENT else account)[name]
                source = site.put(
                    f"/attack-{origins}{path}-{number}.html",
                    f"<!doctype html><body>{content}",
                    **headers,
                )
                frames += f'<iframe src="{source}"></iframe>'
            page = context.new_page()
            page.add_init_script(
                "window.heard = []; addEventListener('message', ({data}) => { heard.push(data) })"
            )
            page.goto(
                site.put("/attacks.html", f"<!doctype html><body>{frames}"), timeout=MAX_LOAD_MS
            )
            for _ in range(500):
                if set(numbers) <= set(recorder.answered):
                    break
                page.wait_for_timeout(20)
            told = [
                name
                for number, name in numbers.items()
                if recorder.answered.get(number) not in (403, 405)
            ]
            assert told == [], f"not refused: {recorder.answered}"
            assert "".join(page.evaluate("heard")) == "", "an answer was read"
            page.close()
    finally:
        context.close()
        for recorder in recorders:
            recorder.close()
    assert capture.rows("SELECT * FROM payment_data WHERE user_email = ?", user) == []
    assert signup.rows("SELECT * FROM users WHERE email LIKE ?", f"%{user}") == []


def test_the_same_page_of_an_allowed_origin_is_heard(
    chromium: Any, site: Any, user: str, local_services: tuple[RunningService, RunningService]
) -> None:
    """So it is the origin that closes the door to the others."""
    context = chromium.new_context()
    try:
        page = context.new_page()
        for number, way in enumerate(
            ("fetch", "fetch, blind", "beacon", "a worker", "fetch without a referrer")
        ):
            body = {"user_email": user, "activity_type": str(number)}
            content, headers = attacks(local_services[0].url + "/api/data-capture/activity", body)[
                way
            ]
            page.goto(site.put("/allowed.html", f"<!doctype html><body>{content}", **headers))
            stored = "SELECT * FROM trading_activity_log WHERE user_email = ? AND activity_type = ?"
            asked = stored, user, str(number)
            eventually(
                lambda asked=asked: page.wait_for_timeout(20) or local_services[0].rows(*asked),
                way,
            )
    finally:
        context.close()
