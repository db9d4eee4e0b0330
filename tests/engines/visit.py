"""One test's visit to the shop, in any engine, with the real service behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engines.browser import Browser, Tab, eventually
from tests.engines.engines import Engine
from tests.engines.servers import FaultProxy, Shop, tag
from tests.support.services import RunningService

NOTHING_OBSERVED: dict[str, list[str]] = {"console": [], "errors": [], "rejections": []}

# A promise that the script has opened its database; before that, it keeps captures in memory.
DATABASE_OPENED = """(async () => {
  while ((await enhancedDataCapture.status()).storage !== 'indexedDB') {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
})()"""

# A page with one local function, which saves a payment of USER_EMAIL. The event `pay` calls it for
# each of the transaction ids that it names.
_PAYMENT_PAGE = """<script type=module>
async function pay(id) {
  await fetch('/api/payments', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      user_email: 'USER_EMAIL', transaction_id: id, plan_name_payment: 'Pro',
      original_price: 199.99, final_price: 179.99, payment_method: 'card',
      payment_status: 'completed', payment_provider: 'stripe',
    }),
  });
}
document.addEventListener('pay', ({ detail }) => detail.split(' ').forEach(pay));
</script>"""


def payment_page(user: str) -> str:
    """Return the script of a page whose event `pay` saves payments of this user."""
    return _PAYMENT_PAGE.replace("USER_EMAIL", user)


@dataclass
class Visit:
    """The browser, the shop, the proxy, the service and the user of one test."""

    engine: Engine
    browser: Browser
    shop: Shop
    proxy: FaultProxy
    service: RunningService
    user: str
    application: Path | None = None
    tabs: list[Tab] = field(default_factory=list)

    def tag(self, attributes: str = "") -> str:
        """Return the script tag; the script comes from the shop, captures go to the proxy.

        So pages have the script while the service is down.
        """
        return tag(f"{self.shop.url}/static", f'data-endpoint="{self.proxy.url}" {attributes}')

    def open_tab(self) -> Tab:
        """Open a tab that is closed when the test ends."""
        tab = self.browser.open_tab()
        self.tabs.append(tab)
        return tab

    def close(self, tab: Tab) -> None:
        """Close a tab as its user would."""
        self.tabs.remove(tab)
        tab.close()

    def open(self, head: str | None = None, body: str = "", **headers: str) -> Tab:
        """Open a new page in a new tab, with this head; by default, the head is the tag."""
        tab = self.open_tab()
        tab.goto(self.shop.page(self.tag() if head is None else head, body, **headers))
        return tab

    def open_application(self, *, with_tag: bool = True) -> Tab:
        """Open the bundled application in a new tab, and sign the user in."""
        assert self.application is not None
        self.shop.put_folder("/app", self.application)
        tab = self.open(
            tag(self.proxy.url) if with_tag else "",
            '<script type=module src="/app/main.js"></script>',
        )
        tab.eventually("document.body.dataset.ready", "the application is ready")
        self.run_step(tab, "signIn", self.user)
        return tab

    def payment_page(self, attributes: str = "") -> str:
        """Put up a page whose event `pay` saves payments, and return its URL."""
        return self.shop.page(self.tag(attributes), payment_page(self.user))

    @staticmethod
    def pay(tab: Tab, *transactions: str) -> None:
        """Let the payment page save these payments in one task."""
        event = f"new CustomEvent('pay', {{ detail: '{' '.join(transactions)}' }})"
        tab.run(f"void document.dispatchEvent({event})")

    @staticmethod
    def run_step(tab: Tab, name: str, *arguments: Any) -> Any:
        """Run a step of the application, and wait until it is done."""
        return tab.run(
            "([name, args]) => new Promise((done) => document.dispatchEvent("
            "new CustomEvent('step', { detail: { name, args, done } })))",
            [name, arguments],
        )

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the user's rows, oldest first."""
        return self.service.rows(
            f"SELECT * FROM {table} WHERE user_email = ? ORDER BY id",  # noqa: S608
            self.user,
        )

    def wait_for_rows(self, table: str, count: int) -> list[dict[str, Any]]:
        """Return the user's rows, once there are at least `count`."""

        def enough_rows() -> list[dict[str, Any]]:
            rows = self.rows(table)
            return rows if len(rows) >= count else []

        return eventually(enough_rows, f"{count} row(s) in {table}")

    def sign_in(self, tab: Tab) -> None:
        """Store who is signed in, as pages do."""
        tab.run(
            "(email) => localStorage.setItem('current_user', JSON.stringify({ email }))", self.user
        )

    def captured(self, tab: Tab) -> list[dict[str, Any]]:
        """Deliver what the page has captured, and return all captures that arrived, each once."""
        tab.run("window.enhancedDataCapture.flush()")
        return list({capture["capture_id"]: capture for capture in self.proxy.captures()}.values())

    def observed(self, tab: Tab) -> Any:
        """Return the page's console messages, errors and unhandled rejections."""
        return tab.run("window.observed")

    def take_service_down(self) -> None:
        """Stop listening at the service's address."""
        self.proxy.go_down()

    def bring_service_back(self) -> None:
        """Listen at the service's address again."""
        self.proxy.come_back(self.service.url)
