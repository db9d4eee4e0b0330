"""Chromium, headless, over the DevTools protocol.

Not through Playwright: that turns the back/forward cache off, and keeps a process of its own between us and a browser
that is to be killed.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.engines.browser import Browser, Program, Tab
from tests.engines.wire import Refused, Wire
from tests.support.commands import BROWSERS

_QUIET = (
    "--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--metrics-recording-only", "--password-store=basic",
)  # fmt: skip


def missing() -> str:
    """What has to be installed; empty when nothing has."""
    return "" if _program() else "no Chromium or Chrome (apt-get install chromium)"


def _program() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Chromium(Browser):
    """A Chromium that runs over a profile folder; `private` is its incognito mode."""

    name = "chromium"

    def __init__(self, profile: Path, private: bool = False) -> None:
        profile.mkdir(parents=True, exist_ok=True)
        told = profile / "DevToolsActivePort"
        told.unlink(missing_ok=True)  # a killed browser's
        program = _program()
        assert program is not None
        command = [
            program,
            "--headless=new",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            *_QUIET,
            "about:blank",
        ]
        self._program = Program(command, profile.with_suffix(".output"))

        def address() -> str:
            lines = told.read_text().split() if told.exists() else []
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}" if len(lines) == 2 else ""

        self._wire = Wire(self._program.ready(address))
        # --incognito is for the first window only; tabs that DevTools opens are told where they belong.
        self._context = (
            self._wire.call("Target.createBrowserContext")["browserContextId"] if private else None
        )

    def open_tab(self) -> Tab:
        return _Tab(self._wire, self._context)

    def close(self) -> None:
        with suppress(Refused):  # it may be quicker than its answer
            self._wire.call("Browser.close")
        self._program.wait()
        self._wire.close()

    def kill(self) -> None:
        self._program.kill()
        self._wire.close()

    def main_thread_seconds(self, tab: Tab) -> float | None:
        assert isinstance(tab, _Tab)
        return tab.main_thread_seconds()


class _Tab(Tab):
    def __init__(self, wire: Wire, context: str | None) -> None:
        self._wire = wire
        place = {"browserContextId": context} if context else {}
        target = wire.call("Target.createTarget", {"url": "about:blank", **place})["targetId"]
        attached = wire.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        self._session = attached["sessionId"]
        self._call("Page.enable")
        self._call("Performance.enable", {"timeDomain": "threadTicks"})

    def goto(self, url: str) -> None:
        self._wire.events.clear()
        answer = self._call("Page.navigate", {"url": url})
        if answer.get("errorText"):
            raise Refused(f"{url}: {answer['errorText']}")
        if "loaderId" in answer:  # without one only the fragment changed
            self._wire.wait_for("Page.loadEventFired")

    def back(self) -> None:
        history = self._call("Page.getNavigationHistory")
        entry = history["entries"][history["currentIndex"] - 1]
        self._wire.events.clear()
        self._call("Page.navigateToHistoryEntry", {"entryId": entry["id"]})
        self._wire.wait_for(
            "Page.frameNavigated"
        )  # a page from the back/forward cache has no load event
        self.eventually("document.readyState === 'complete'", "the page before")

    def evaluate(self, expression: str) -> str | None:
        answer = self._call(
            "Runtime.evaluate",
            {
                "expression": expression,
                "awaitPromise": True,
                "returnByValue": True,
                "userGesture": True,
            },
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise Refused(details.get("exception", {}).get("description") or details["text"])
        value = answer["result"].get("value")
        return None if value is None else str(value)

    def close(self) -> None:
        self._call("Page.close")
        self._wire.wait_for("Target.detachedFromTarget", sessionId=self._session)

    def main_thread_seconds(self) -> float:
        metrics = {
            metric["name"]: metric["value"]
            for metric in self._call("Performance.getMetrics")["metrics"]
        }
        return float(metrics["TaskDuration"])

    def _call(self, method: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        return self._wire.call(method, parameters, sessionId=self._session)
