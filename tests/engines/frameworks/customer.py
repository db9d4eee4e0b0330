"""A customer, who signs in, pays and saves on any of the pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tests.engines.browser import Tab
from tests.engines.frameworks.pages import FrameworkPage
from tests.engines.frameworks.servers import PageProxy

PASSWORD = "hunter2-plain-text"
CARD_NUMBER = "4242 4242 4242 4242"
CVV = "987"

# Types into a field as a user does. React replaces the property `value` of its own fields.
_FILL = """([selector, value]) => {
  const field = document.querySelector(selector);
  const { set } = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');
  field.focus();
  set.call(field, value);
  field.dispatchEvent(new Event('input', { bubbles: true }));
  field.dispatchEvent(new Event('change', { bubbles: true }));
  field.blur();
}"""
_TEXT = "document.body.innerText.replace(/\\s+/g, ' ').trim()"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_BOUNDARY = re.compile(r"-{4,}\w*[Bb]oundary\w+|-{10,}\w+")
_OWN_HEADERS = (
    "content-type", "authorization", "apikey", "prefer", "next-action", "hx-request", "accept",
    "x-requested-with", "x-sveltekit-action",
)  # fmt: skip


@dataclass(frozen=True)
class Experience:
    """What a customer, the page's developer and the page's server notice of a journey.

    Attributes:
        steps: after each step the page's path, its text, and what its developer observes.
        saves: the requests other than GET, in their order.
        reads: the addresses of the GET requests.
    """

    steps: list[Any]
    saves: list[Any]
    reads: set[str]


class Customer:
    """A customer of a page, with a tab of their own."""

    def __init__(self, page: FrameworkPage, tab: Tab, page_proxy: PageProxy) -> None:
        self._page, self._tab, self._proxy = page, tab, page_proxy
        self._steps: list[Any] = []

    def make_journey(self, user: str, transaction: str) -> Experience:
        """Sign in, pay and save on the page, and return the experience."""
        self._proxy.saved.clear()
        self._tab.goto(self._proxy.forget_cookies_url)
        self._tab.run("localStorage.clear()")
        self._tab.goto(f"{self._proxy.url}/")
        self._wait_for(f"{self._page.ready} [type=email]")
        self._fill("[type=email]", user)
        self._fill("[type=password]", PASSWORD)
        self._press("#sign-in", then="Signed in")
        self._wait_for(f"{self._page.ready} #reference")
        if self._page.coupon:
            self._press("#apply", then="Coupon applied")
        self._fill("[autocomplete~=cc-number]", CARD_NUMBER)
        self._fill("[autocomplete~=cc-csc]", CVV)
        if self._page.refusal:
            self._press("#pay", then=self._page.refusal)
        self._fill("#reference", transaction)
        self._press("#pay", then="Payment saved")
        self._wait_for(f"{self._page.ready} #save")
        self._press("#save", then=self._page.saved_text)
        return self._experience()

    def _fill(self, selector: str, value: str) -> None:
        self._tab.run(_FILL, [selector, value])

    def _press(self, selector: str, then: str) -> None:
        """Click, and wait for a text."""
        self._tab.run("(selector) => document.querySelector(selector).click()", selector)
        self._tab.eventually(f"{_TEXT}.includes('{then}')", f"{then} on the page")
        self._steps.append(self._tab.run(f"[location.pathname, {_TEXT}, window.observed]"))

    def _wait_for(self, selector: str) -> None:
        self._tab.eventually(f"!!document.querySelector('{selector}')", f"{selector} on the page")

    def _experience(self) -> Experience:
        requests = list(self._proxy.saved)
        return Experience(
            self._steps,
            [
                (
                    request.method,
                    f"{request.path}?{request.query}",
                    _constant(request.text),
                    {
                        name.lower(): _constant(value)
                        for name, value in request.headers.items()
                        if name.lower() in _OWN_HEADERS
                    },
                )
                for request in requests
                if request.method != "GET"
            ],
            {f"{request.path}?{request.query}" for request in requests if request.method == "GET"},
        )


def _constant(text: str) -> str:
    """Replace what differs from one visit to the next."""
    return _BOUNDARY.sub("BOUNDARY", _TIME.sub("NOW", text))
