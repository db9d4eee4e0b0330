"""A visit in any engine: the shop, the gate, the service behind it, and what its visitor and its owner get to see."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engines.browser import Browser, Tab, eventually
from tests.engines.engines import Engine
from tests.engines.servers import Gate, Shop, tag
from tests.support.services import RunningService

NOTHING_SEEN: dict[str, list[str]] = {"console": [], "errors": [], "rejections": []}

# A promise of the script's having opened its database, before which it keeps what it captures in memory.
STARTED = """(async () => {
  while ((await enhancedDataCapture.status()).storage !== 'indexedDB') await new Promise((turn) => setTimeout(turn, 20));
})()"""

# A page with one local function, which saves a payment for a person; it is called by an event, with a transaction id.
PAYS = """<script type=module>
async function pay(id) {
  await fetch('/api/payments', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({
    user_email: 'PERSON', transaction_id: id, plan_name_payment: 'Pro', original_price: 199.99, final_price: 179.99,
    payment_method: 'card', payment_status: 'completed', payment_provider: 'stripe' }) });
}
document.addEventListener('pay', ({ detail }) => detail.split(' ').forEach(pay));
</script>"""


@dataclass
class Stage:
    """One test's visit."""

    engine: Engine
    browser: Browser
    shop: Shop
    gate: Gate
    service: RunningService
    user: str
    application: Path | None = None
    tabs: list[Tab] = field(default_factory=list)

    def tag(self, attributes: str = "") -> str:
        """The tag, served by the shop so that pages have it while the service is away; captures go to the gate."""
        return tag(f"{self.shop.url}/static", f'data-endpoint="{self.gate.url}" {attributes}')

    def tab(self) -> Tab:
        """A new tab, closed when the test ends."""
        tab = self.browser.open_tab()
        self.tabs.append(tab)
        return tab

    def close(self, tab: Tab) -> None:
        """Closes a tab as its user would."""
        self.tabs.remove(tab)
        tab.close()

    def open(self, head: str | None = None, body: str = "", **headers: str) -> Tab:
        """A new tab at a new page, with the tag first in its head unless `head` says otherwise."""
        tab = self.tab()
        tab.goto(self.shop.page(self.tag() if head is None else head, body, **headers))
        return tab

    def open_application(self, *, with_tag: bool = True) -> Tab:
        """A new tab at the bundled application, ready, and signed in as the person."""
        assert self.application is not None
        self.shop.put_folder("/app", self.application)
        tab = self.open(
            tag(self.gate.url) if with_tag else "",
            '<script type=module src="/app/main.js"></script>',
        )
        tab.eventually("document.body.dataset.ready", "the application is ready")
        self.step(tab, "signIn", self.user)
        return tab

    def paying_page(self, attributes: str = "") -> str:
        """The address of a page whose event `pay` saves one payment for each transaction id that it names."""
        return self.shop.page(self.tag(attributes), PAYS.replace("PERSON", self.user))

    @staticmethod
    def pay(tab: Tab, *transactions: str) -> None:
        """Has the page save these payments in one task."""
        tab.run(
            f"void document.dispatchEvent(new CustomEvent('pay', {{ detail: '{' '.join(transactions)}' }}))"
        )

    @staticmethod
    def step(tab: Tab, name: str, *given: Any) -> Any:
        """Has the application do something, and waits until it says that it has."""
        return tab.run(
            "([name, given]) => new Promise((taken) => document.dispatchEvent(new CustomEvent('step',"
            " { detail: { name, given, taken } })))",
            [name, given],
        )

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The person's rows, oldest first."""
        return self.service.rows(
            f"SELECT * FROM {table} WHERE user_email = ? ORDER BY id",  # noqa: S608
            self.user,
        )

    def wait_for_rows(self, table: str, count: int, seconds: float = 25.0) -> list[dict[str, Any]]:
        """The person's rows, once there are that many."""
        return eventually(
            lambda: self._at_least(table, count), f"{count} row(s) in {table}", seconds
        )

    def _at_least(self, table: str, count: int) -> list[dict[str, Any]]:
        found = self.rows(table)
        return found if len(found) >= count else []

    def seen(self, tab: Tab) -> Any:
        """What a developer would see in the page's console, and the errors and rejections that the page would see."""
        return tab.run("window.seen")

    def take_down(self) -> None:
        """Nobody answers at the service's address."""
        self.gate.go_down()

    def bring_back(self) -> None:
        """The service is there again, at the same address."""
        self.gate.come_back(self.service.url)
