"""A sender in a browser that can be left, closed and killed, before a service that fails when it is told to."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from tests.engines.browser import Browser, Tab, eventually
from tests.engines.engines import Engine
from tests.engines.servers import Gate, Shop
from tests.engines.webkit import Unattended, WebKit

FAULT_SECONDS = 8.0
# What a sender does at its start takes less than this on a page, where it does not say when it has done it.
_SETTLED_MS = 1000
_KILLED_START_SECONDS = 60.0


class Play(ABC):
    """One sender, on one page of a shop.

    Attributes:
        fault_seconds: for how long the service answers 503, and its answers are lost.
        tabs: those that are open.
    """

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        gate: Gate,
        service: str,
        fault_seconds: float = FAULT_SECONDS,
    ) -> None:
        self.fault_seconds = fault_seconds
        self.tabs: list[Tab] = []
        self._engine = engine
        self._profile = folder / "profile"
        self._shop, self._gate, self._service = Shop(), gate, service
        self._gate.service = service
        self._is_down = False
        self._browser: Browser | None = None
        self._unattended: Unattended | None = None
        self._address = ""

    @abstractmethod
    def saves(self) -> str:
        """A JavaScript function that takes a list of captures' names and saves each of them, all in one task."""

    @abstractmethod
    def arrived(self, captures: Sequence[str]) -> int:
        """How many of these are stored by now."""

    @abstractmethod
    def twice(self, captures: Sequence[str]) -> int:
        """How many of these were stored, or sent, more than once."""

    def settled(self) -> str:
        """A promise, in JavaScript, of the sender's having started."""
        return f"new Promise((settled) => setTimeout(settled, {_SETTLED_MS}))"

    def settle(self, tab: Tab) -> None:
        """Waits until the sender has started in a tab."""
        tab.run(f"{self.settled()}.then(() => 0)")

    def landed(self) -> str:
        """A promise, in JavaScript, that what the page asked of the browser at a save has reached the storage's process.

        A kill in the milliseconds before that shows how busy the machine is, not what a sender does.
        """
        return "indexedDB.databases()"

    def put_page(self, head: str, body: str = "") -> None:
        """The page that saves. A browser that nobody drives is told by the address what to save."""
        told = f"""<script type=module>
          if (location.hash) {{
            {self.settled()}.then(() => {{
              ({self.saves()})(location.hash.slice(1).split(','));
              return {self.landed()};
            }}).then(() => fetch('/api/saved', {{ method: 'POST' }}));
          }}</script>"""
        self._address = self._shop.page(head, body + told)

    def save(self, captures: Sequence[str]) -> str:
        """A statement by which the page saves these."""
        return f"({self.saves()})({json.dumps(list(captures))})"

    @property
    def elsewhere(self) -> str:
        """The address of another page of the same site, with nothing in it."""
        return f"{self._shop.url}/away.html"

    @property
    def address(self) -> str:
        """The address of the page that saves."""
        return self._address

    def open(self) -> Tab:
        """The page, in a new tab."""
        if self._browser is None:
            self._browser = self._engine.start(self._profile)
            self._browser.open_tab()  # keeps it open
        tab = self._browser.open_tab()
        self.tabs.append(tab)
        tab.goto(self._address)
        return tab

    def close(self, tab: Tab) -> None:
        """Closes a tab as its user would."""
        self.tabs.remove(tab)
        tab.close()

    def set_state(self, state: str) -> None:
        """What the service does from now on: up, down, unavailable, answers lost."""
        if state == "down":
            self._gate.go_down()
        elif self._is_down:
            self._gate.come_back(self._service)
        else:
            self._gate.state = state
        self._is_down = state == "down"

    def kill_after_saving(self, captures: Sequence[str]) -> None:
        """Has a page save these while the service is down, and ends the whole browser at once."""
        if self._engine.start is WebKit:
            self.set_state("down")
            browser = Unattended(self._profile, f"{self._address}#{','.join(captures)}")
            eventually(
                lambda: any(each.path == "/api/saved" for each in self._shop.saved),
                "the save",
                _KILLED_START_SECONDS,
            )
            self._shop.saved.clear()
            browser.kill()
            return
        tab = self.open()
        self.set_state("down")
        self.settle(tab)
        tab.run(f"() => {{ {self.save(captures)} }}")
        tab.run(f"{self.landed()}.then(() => 0)")
        self.tabs.clear()
        assert self._browser is not None
        self._browser.kill()
        self._browser = None

    def look_again_after_the_kill(self) -> None:
        """Opens the page in the browser that was killed before."""
        if self._engine.start is WebKit:
            self._unattended = Unattended(self._profile, self._address)
        else:
            self.open()

    def arrive(self, captures: Sequence[str], patience_seconds: float) -> int:
        """How many of these are stored, once all are, or nothing came for so long."""
        best, since = self.arrived(captures), time.monotonic()
        while best < len(captures) and time.monotonic() - since < patience_seconds:
            time.sleep(0.1)
            now = self.arrived(captures)
            if now > best:
                best, since = now, time.monotonic()
        return best

    def end(self) -> None:
        """Closes the browser and both servers."""
        if self._browser is not None:
            self._browser.close()
        if self._unattended is not None:
            self._unattended.kill()
        if self._is_down:
            self.set_state("up")
        self._shop.close()
        self._gate.close()
