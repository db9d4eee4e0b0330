"""Test the page that the link in a confirmation mail opens."""

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

PASSWORD = "chosen on the page"


@pytest.fixture(scope="module")
def hook() -> Iterator[MailHook]:
    hook = MailHook()
    yield hook
    hook.close()


@pytest.fixture(scope="module")
def service(hook: MailHook, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    # The service's own page needs no entry in the allowed origins.
    service = signup_service_in(
        tmp_path_factory.mktemp("page"),
        EDC_MAIL_URL=hook.url,
        EDC_ALLOWED_ORIGINS="https://www.example.com",
    )
    service.start()
    yield service
    service.stop()


class Visit:
    """A tab. It collects the requests, the console and the errors of its pages."""

    def __init__(self, context: Any) -> None:
        self.page = context.new_page()
        self.requests: list[Any] = []
        self.messages: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request))
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))

    def set_password(self, password: str, repeated: str | None = None) -> None:
        """Fill in the form and submit it."""
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


def sign_up(service: RunningService, hook: MailHook, user: str, **details: Any) -> str:
    """Sign a user up and return the link in the mail."""
    assert register(service, user, **details).status_code == 202
    return str(hook.mails_to(user)[-1]["link"])


@pytest.mark.slow
@pytest.mark.parametrize("ticked", [True, False])
def test_consent_is_stored_as_ticked_on_the_page(
    service: RunningService, hook: MailHook, visit: Visit, user: str, *, ticked: bool
) -> None:
    visit.page.goto(sign_up(service, hook, user, consentAccepted=True))
    terms = visit.page.get_by_label("I accept the terms")
    assert not terms.is_checked()
    terms.set_checked(ticked)
    visit.set_password(PASSWORD)
    visit.page.get_by_role("status").wait_for()
    assert service.rows("SELECT consent_accepted AS given FROM users WHERE email = ?", user) == [
        {"given": int(ticked)}
    ]


@pytest.mark.slow
def test_user_who_signed_up_without_consent_is_not_asked_for_it(
    service: RunningService, hook: MailHook, visit: Visit, user: str
) -> None:
    visit.page.goto(sign_up(service, hook, user))
    visit.page.get_by_label("New password").wait_for()
    assert not visit.page.locator("#terms").is_visible()


@pytest.mark.slow
def test_user_opens_the_link_and_sets_a_password(
    service: RunningService, hook: MailHook, visit: Visit, user: str
) -> None:
    link = sign_up(service, hook, user, fullName="Ann <b>Archer</b>", plan_type="pro")
    token = link.partition("#token=")[2]
    page = visit.page
    page.goto(link)
    assert page.get_by_label("Email address").input_value() == user
    assert "Ann <b>Archer</b>" in page.inner_text("#details")
    assert token not in page.url
    # Opening the link changes nothing.
    assert service.rows("SELECT id FROM users WHERE email = ?", user) == []

    visit.set_password(PASSWORD, "something else")
    page.get_by_role("alert").filter(has_text="not the same").wait_for()
    visit.set_password(PASSWORD)
    page.get_by_role("status").filter(has_text="Your password is set").wait_for()
    assert log_in(service, user, PASSWORD).status_code == 200
    assert page.get_by_role("button", name="Set the password").count() == 0

    assert [request.url for request in visit.requests if token in request.url] == []
    for request in visit.requests:
        assert request.url.startswith(service.url + "/")
        assert not request.headers.get("referer")
    assert visit.messages == []


@pytest.mark.slow
def test_used_or_incomplete_link_shows_an_error(
    service: RunningService, hook: MailHook, visit: Visit, user: str
) -> None:
    link = sign_up(service, hook, user)
    for attempt in range(2):
        visit.page.goto("about:blank")
        visit.page.goto(link)
        visit.set_password(f"{PASSWORD} {attempt}")
        if attempt == 0:
            visit.page.get_by_role("status").filter(has_text="Your password is set").wait_for()
    visit.page.get_by_role("alert").filter(has_text="The link was used").wait_for()
    assert log_in(service, user, f"{PASSWORD} 0").status_code == 200
    for broken in (
        f"{service.url}/verify",
        f"{service.url}/verify#token=",
        f"{service.url}/verify#token=a.bnVsbA.c",
    ):
        visit.page.goto("about:blank")
        visit.page.goto(broken)
        visit.page.get_by_role("alert").filter(has_text="whole link").wait_for()
        assert visit.page.get_by_label("New password").is_hidden()


@pytest.mark.slow
def test_page_works_with_the_keyboard_and_can_show_the_password(
    service: RunningService, hook: MailHook, visit: Visit, user: str
) -> None:
    visit.page.goto(sign_up(service, hook, user))
    visit.page.keyboard.type(PASSWORD)  # the field has the focus
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.type(PASSWORD)
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Space")
    assert visit.page.get_by_label("New password").get_attribute("type") == "text"
    visit.page.get_by_label("The same password again").press("Enter")
    visit.page.get_by_role("status").filter(has_text="Your password is set").wait_for()
    assert log_in(service, user, PASSWORD).status_code == 200


@pytest.mark.slow
def test_other_sites_cannot_show_the_page_in_a_frame(
    service: RunningService, hook: MailHook, visit: Visit, user: str, tmp_path: Path
) -> None:
    link = sign_up(service, hook, user)
    (tmp_path / "index.html").write_text(f'<iframe src="{link}"></iframe>')
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        with visit.page.expect_event("console", lambda message: "frame-ancestors" in message.text):
            visit.page.goto(f"http://127.0.0.1:{site.server_address[1]}/")
        site.shutdown()
    assert [frame for frame in visit.page.frames if frame.locator("#form").count()] == []
