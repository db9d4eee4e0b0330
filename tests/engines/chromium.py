"""Drive headless Chromium over the DevTools protocol.

Playwright is not used: it disables the back/forward cache, and puts its own process between the
tests and the browser that they kill.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.engines.browser import Browser, BrowserProcess, Tab
from tests.engines.connection import BrowserError, Connection
from tests.support.commands import BROWSERS

# Chromium has no sandbox as root. Its own network requests and dialogs would disturb the tests.
_FLAGS = (
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--metrics-recording-only",
    "--password-store=basic",
)


def missing() -> str:
    """Return what has to be installed; an empty text if nothing has."""
    return "" if _find_program() else "no Chromium or Chrome (apt-get install chromium)"


def _find_program() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Chromium(Browser):
    """A running Chromium with a profile folder; `private` is its incognito mode."""

    name = "chromium"

    def __init__(self, profile: Path, private: bool = False) -> None:
        profile.mkdir(parents=True, exist_ok=True)
        port_file = profile / "DevToolsActivePort"
        port_file.unlink(missing_ok=True)  # a killed browser leaves its file behind
        program = _find_program()
        assert program is not None
        command = [
            program,
            "--headless=new",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            *_FLAGS,
            "about:blank",
        ]
        self._process = BrowserProcess(command, profile.with_suffix(".output"))

        def read_url() -> str:
            lines = port_file.read_text().split() if port_file.exists() else []
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}" if len(lines) == 2 else ""

        self._connection = Connection(self._process.wait_until_ready(read_url))
        # --incognito affects only the first window. A tab that DevTools opens needs a context.
        self._context = (
            self._connection.call("Target.createBrowserContext")["browserContextId"]
            if private
            else None
        )

    def open_tab(self) -> Tab:
        return _Tab(self._connection, self._context)

    def open_window(self) -> Tab:
        return _Tab(self._connection, self._context, newWindow=True)

    def close(self) -> None:
        with suppress(BrowserError):  # it may end before it has responded
            self._connection.call("Browser.close")
        self._process.wait()
        self._connection.close()

    def kill(self) -> None:
        self._process.kill()
        self._connection.close()

    def main_thread_seconds(self, tab: Tab) -> float | None:
        assert isinstance(tab, _Tab)
        return tab.main_thread_seconds()


class _Tab(Tab):
    def __init__(self, connection: Connection, context: str | None, **options: Any) -> None:
        self._connection = connection
        options |= {"url": "about:blank", **({"browserContextId": context} if context else {})}
        target = connection.call("Target.createTarget", options)["targetId"]
        attached = connection.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        self._session = attached["sessionId"]
        self._call("Page.enable")
        self._call("Performance.enable", {"timeDomain": "threadTicks"})

    def goto(self, url: str) -> None:
        self._connection.events.clear()
        result = self._call("Page.navigate", {"url": url})
        if result.get("errorText"):
            raise BrowserError(f"{url}: {result['errorText']}")
        if "loaderId" in result:  # without one, only the fragment changed
            self._connection.wait_for_event("Page.loadEventFired")

    def back(self) -> None:
        history = self._call("Page.getNavigationHistory")
        entry = history["entries"][history["currentIndex"] - 1]
        self._connection.events.clear()
        self._call("Page.navigateToHistoryEntry", {"entryId": entry["id"]})
        # A page from the back/forward cache has no load event.
        self._connection.wait_for_event("Page.frameNavigated")
        self.eventually("document.readyState === 'complete'", "the previous page is shown")

    def evaluate(self, expression: str) -> str | None:
        response = self._call(
            "Runtime.evaluate",
            {
                "expression": expression,
                "awaitPromise": True,
                "returnByValue": True,
                "userGesture": True,
            },
        )
        if "exceptionDetails" in response:
            details = response["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description") or details["text"])
        value = response["result"].get("value")
        return None if value is None else str(value)

    def close(self) -> None:
        self._call("Page.close")
        self._connection.wait_for_event("Target.detachedFromTarget", sessionId=self._session)

    def main_thread_seconds(self) -> float:
        metrics = {
            metric["name"]: metric["value"]
            for metric in self._call("Performance.getMetrics")["metrics"]
        }
        return float(metrics["TaskDuration"])

    def _call(self, method: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        return self._connection.call(method, parameters, sessionId=self._session)
