"""The page that a link in a mail opens, in a real Chromium."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.accounts import log_in, register
from tests.support.mailing import MailHook
from tests.support.services import RunningService, signup_service_in

OWN_PASSWORD = "chosen on the page"


@pytest.fixture(scope="module")
def hook() -> Iterator[MailHook]:
    hook = MailHook()
    yield hook
    hook.close()


@pytest.fixture(scope="module")
def service(hook: MailHook, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    # No page of another origin is allowed: only the service's own page may send.
    service = signup_service_in(
        tmp_path_factory.mktemp("page"),
        EDC_MAIL_URL=hook.url,
        EDC_ALLOWED_ORIGINS="https://www.example.com",
    )
    service.start()
    yield service
    service.stop()


class Visit:
    """A browser, and what its page asked for and said."""

    def __init__(self, context: Any) -> None:
        self.page = context.new_page()
        self.requests: list[Any] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def choose(self, password: str, repeated: str | None = None) -> None:
        """Fills the form in and sends it."""
        self.page.get_by_label("New password").fill(password)
        self.page.get_by_label("The same password again").fill(
            password if repeated is None else repeated
        )
        self.page.get_by_role("button", name="Set the password").click()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Visit]:
    context = chromium.new_context()
    yield Visit(context)
    context.close()


def link_for(service: RunningService, hook: MailHook, user: str, **details: Any) -> str:
    assert register(service, user, **details).status_code == 202
    return str(hook.mails_to(user)[-1]["link"])


@pytest.mark.parametrize("ticked", [True, False])
def test_consent_is_given_on_the_page(
    service: RunningService, hook: MailHook, visit: Visit, user: str, *, ticked: bool
) -> None:
    visit.page.goto(link_for(service, hook, user, consentAccepted=True))
    terms = visit.page.get_by_label("I accept the terms")
    assert not terms.is_checked()
    terms.set_checked(ticked)
    visit.choose(OWN_PASSWORD)
    visit.page.get_by_role("status").wait_for()
    assert service.rows("SELECT consent_accepted AS given FROM users WHERE email = ?", user) == [
        {"given": int(ticked)}
    ]


def test_who_signed_up_without_consent_is_not_asked_for_it(
    service: RunningService, hook: MailHook, visit: Visit, user: str
) -> None:
    visit.page.goto(link_for(service, hook, user))
    visit.page.get_by_label("New password").wait_for()
    assert not visit.page.locator("#terms").is_visible()


def test_a_link_is_opened_and_a_password_chosen(
    service: RunningService, hook: MailHook, visit: Visit, user: str
) -> None:
    link = link_for(service, hook, user, fullName="Ann <b>Archer</b>", plan_type="pro")
    token = link.partition("#token=")[2]
    page = visit.page
    page.goto(link)
    assert page.get_by_label("Email address").input_value() == user
    assert "Ann <b>Archer</b>" in page.inner_text("#details")
    assert token not in page.url
    assert service.rows("SELECT id FROM users WHERE email = ?", user) == [], (
        "opening it changes nothing"
    )

    visit.choose(OWN_PASSWORD, "something else")
    page.get_by_role("alert").filter(has_text="not the same").wait_for()
    visit.choose(OWN_PASSWORD)
    page.get_by_role("status").filter(has_text="Your password is set").wait_for()
    assert log_in(service, user, OWN_PASSWORD).status_code == 200
    assert page.get_by_role("button", name="Set the password").count() == 0

    assert [request.url for request in visit.requests if token in request.url] == []
    for request in visit.requests:
        assert request.url.startswith(service.url + "/")
        assert not request.headers.get("referer")
    assert visit.said == []


def test_a_used_link_and_half_a_link_say_so(
    service: RunningService, hook: MailHook, visit: Visit, user: str
) -> None:
    link = link_for(service, hook, user)
    for page_of_link in range(2):
        visit.page.goto("about:blank")
        visit.page.goto(link)
        visit.choose(f"{OWN_PASSWORD} {page_of_link}")
        if page_of_link == 0:
            visit.page.get_by_role("status").filter(has_text="Your password is set").wait_for()
    visit.page.get_by_role("alert").filter(has_text="The link was used").wait_for()
    assert log_in(service, user, f"{OWN_PASSWORD} 0").status_code == 200
    for broken in (
        f"{service.url}/verify",
        f"{service.url}/verify#token=",
        f"{service.url}/verify#token=a.bnVsbA.c",
    ):
        visit.page.goto("about:blank")
        visit.page.goto(broken)
        visit.page.get_by_role("alert").filter(has_text="whole link").wait_for()
        assert visit.page.get_by_label("New password").is_hidden()


def test_the_page_works_with_the_keyboard_and_shows_the_password_on_request(
    service: RunningService, hook: MailHook, visit: Visit, user: str
) -> None:
    visit.page.goto(link_for(service, hook, user))
    visit.page.keyboard.type(OWN_PASSWORD)  # the field has the focus
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.type(OWN_PASSWORD)
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Space")
    assert visit.page.get_by_label("New password").get_attribute("type") == "text"
    visit.page.get_by_label("The same password again").press("Enter")
    visit.page.get_by_role("status").filter(has_text="Your password is set").wait_for()
    assert log_in(service, user, OWN_PASSWORD).status_code == 200


def test_no_other_site_can_put_the_page_in_a_frame(
    service: RunningService, hook: MailHook, visit: Visit, user: str, tmp_path: Path
) -> None:
    link = link_for(service, hook, user)
    (tmp_path / "index.html").write_text(f'<iframe src="{link}"></iframe>')
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        with visit.page.expect_event("console", lambda message: "frame-ancestors" in message.text):
            visit.page.goto(f"http://127.0.0.1:{site.server_address[1]}/")
        site.shutdown()
    assert [frame for frame in visit.page.frames if frame.locator("#form").count()] == []
