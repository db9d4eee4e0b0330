"""Run fault scenarios with a sender: in a browser, in front of a service that can fail."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from tests.engines.browser import Browser, Tab, eventually
from tests.engines.engines import Engine
from tests.engines.servers import FaultProxy, Shop
from tests.engines.webkit import UnattendedWebKit, WebKit

FAULT_SECONDS = 8.0
_START_MS = 1000  # longer than any sender takes to start; not every sender tells when it has
_KILL_TIMEOUT_SECONDS = 60.0


class Harness(ABC):
    """One sender on one page of a shop, in a browser of its own.

    Attributes:
        fault_seconds: how long a temporary fault lasts.
        tabs: the open tabs.
    """

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        proxy: FaultProxy,
        service: str,
        fault_seconds: float = FAULT_SECONDS,
    ) -> None:
        self.fault_seconds = fault_seconds
        self.tabs: list[Tab] = []
        self._engine = engine
        self._profile = folder / "profile"
        self._shop, self._proxy, self._service = Shop(), proxy, service
        self._proxy.service = service
        self._is_down = False
        self._browser: Browser | None = None
        self._unattended: UnattendedWebKit | None = None
        self._page_url = ""

    @abstractmethod
    def save_function(self) -> str:
        """Return a JavaScript function that saves a list of captures in one task."""

    @abstractmethod
    def count_stored(self, captures: Sequence[str]) -> int:
        """Return how many of these captures are stored by now."""

    @abstractmethod
    def count_duplicates(self, captures: Sequence[str]) -> int:
        """Return how many of these captures were stored or sent more than once."""

    def started_promise(self) -> str:
        """Return JavaScript: a promise that the sender has started."""
        return f"new Promise((resolve) => setTimeout(resolve, {_START_MS}))"

    def wait_until_started(self, tab: Tab) -> None:
        """Wait until the sender has started in a tab."""
        tab.run(f"{self.started_promise()}.then(() => 0)")

    def written_promise(self) -> str:
        """Return JavaScript: a promise that the saves have reached the browser's storage process.

        A kill in the milliseconds before that would measure the machine's load, not the sender.
        """
        return "indexedDB.databases()"

    def put_page(self, head: str, body: str = "") -> None:
        """Put up the page that saves.

        An unattended browser can't run scripts for the test. The URL's fragment names its captures.
        """
        save_fragment = f"""<script type=module>
          if (location.hash) {{
            {self.started_promise()}.then(() => {{
              ({self.save_function()})(location.hash.slice(1).split(','));
              return {self.written_promise()};
            }}).then(() => fetch('/api/saved', {{ method: 'POST' }}));
          }}</script>"""
        self._page_url = self._shop.page(head, body + save_fragment)

    def save_statement(self, captures: Sequence[str]) -> str:
        """Return a JavaScript statement that saves these captures."""
        return f"({self.save_function()})({json.dumps(list(captures))})"

    @property
    def other_page_url(self) -> str:
        """The URL of an empty page of the same site."""
        return f"{self._shop.url}/away.html"

    @property
    def page_url(self) -> str:
        """The URL of the page that saves."""
        return self._page_url

    def open_page(self) -> Tab:
        """Open the page that saves in a new tab."""
        if self._browser is None:
            self._browser = self._engine.start(self._profile)
            self._browser.open_tab()  # the browser ends with its last tab
        tab = self._browser.open_tab()
        self.tabs.append(tab)
        tab.goto(self._page_url)
        return tab

    def close_tab(self, tab: Tab) -> None:
        """Close a tab as its user would."""
        self.tabs.remove(tab)
        tab.close()

    def set_service_state(self, state: str) -> None:
        """Set the service's state: "down", or one of the proxy's states."""
        if state == "down":
            self._proxy.go_down()
        elif self._is_down:
            self._proxy.come_back(self._service)
        else:
            self._proxy.state = state
        self._is_down = state == "down"

    def kill_after_saving(self, captures: Sequence[str]) -> None:
        """Save these captures while the service is down, and kill the browser at once."""
        if self._engine.start is WebKit:
            self.set_service_state("down")
            browser = UnattendedWebKit(self._profile, f"{self._page_url}#{','.join(captures)}")
            eventually(
                lambda: any(request.path == "/api/saved" for request in self._shop.saved),
                "the page has saved",
                _KILL_TIMEOUT_SECONDS,
            )
            self._shop.saved.clear()
            browser.kill()
            return
        tab = self.open_page()
        self.set_service_state("down")
        self.wait_until_started(tab)
        tab.run(f"() => {{ {self.save_statement(captures)} }}")
        tab.run(f"{self.written_promise()}.then(() => 0)")
        self.tabs.clear()
        assert self._browser is not None
        self._browser.kill()
        self._browser = None

    def reopen_after_kill(self) -> None:
        """Open the page with the killed browser's profile."""
        if self._engine.start is WebKit:
            self._unattended = UnattendedWebKit(self._profile, self._page_url)
        else:
            self.open_page()

    def wait_until_stored(self, captures: Sequence[str], patience_seconds: float) -> int:
        """Wait until these captures are stored, and return how many are.

        It ends early when none was added for `patience_seconds`.
        """
        stored, since = self.count_stored(captures), time.monotonic()
        while stored < len(captures) and time.monotonic() - since < patience_seconds:
            time.sleep(0.1)
            now_stored = self.count_stored(captures)
            if now_stored > stored:
                stored, since = now_stored, time.monotonic()
        return stored

    def close(self) -> None:
        """Close the browser and both servers."""
        if self._browser is not None:
            self._browser.close()
        if self._unattended is not None:
            self._unattended.kill()
        if self._is_down:
            self.set_service_state("up")
        self._shop.close()
        self._proxy.close()
