"""Drive headless Firefox over its own WebDriver BiDi server.

Neither geckodriver nor Node is needed.
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.engines.browser import Browser, BrowserProcess, Tab
from tests.engines.connection import BrowserError, Connection

_PROGRAMS = ("firefox-esr", "firefox")

# No dialogs, no network requests of the browser's own, and the finest resolution of time.
_PREFERENCES = {
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.aboutConfig.showWarning": False,
    "browser.sessionstore.resume_from_crash": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage": "about:blank",
    "browser.startup.page": 0,
    "browser.tabs.warnOnClose": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "privacy.reduceTimerPrecision": False,
    "remote.prefs.recommended": True,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.startup.max_resumed_crashes": -1,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}


def missing() -> str:
    """Return what has to be installed; an empty text if nothing has."""
    return "" if _find_program() else "no Firefox (apt-get install firefox-esr)"


def _find_program() -> str | None:
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)


class Firefox(Browser):
    """A running Firefox with a profile folder; `private` is its private browsing."""

    name = "firefox"

    def __init__(self, profile: Path, private: bool = False) -> None:
        profile.mkdir(parents=True, exist_ok=True)
        preferences = {**_PREFERENCES, "browser.privatebrowsing.autostart": private}
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});"
            for name, value in preferences.items()
        ]
        (profile / "user.js").write_text("\n".join(lines))
        port_file = profile / "WebDriverBiDiServer.json"
        port_file.unlink(missing_ok=True)  # a killed browser leaves its file behind
        program = _find_program()
        assert program is not None
        self._process = BrowserProcess(
            [
                program,
                "--headless",
                "--no-remote",
                "--profile",
                str(profile),
                "--remote-debugging-port",
                "0",
            ],
            profile.with_suffix(".output"),
        )

        def read_port() -> int:
            try:
                return int(json.loads(port_file.read_text())["ws_port"])
            except (OSError, ValueError):
                return 0

        port = self._process.wait_until_ready(read_port)
        self._connection = Connection(f"ws://127.0.0.1:{port}/session")
        self._connection.call(
            "session.new", {"capabilities": {"alwaysMatch": {"acceptInsecureCerts": True}}}
        )

    def open_tab(self) -> Tab:
        return _Tab(self._connection)

    def open_window(self) -> Tab:
        return _Tab(self._connection, "window")

    def close(self) -> None:
        with suppress(BrowserError):  # it may end before it has responded
            self._connection.call("browser.close")
        self._process.wait()
        self._connection.close()

    def kill(self) -> None:
        self._process.kill()
        self._connection.close()


class _Tab(Tab):
    def __init__(self, connection: Connection, kind: str = "tab") -> None:
        self._connection = connection
        self._context = connection.call("browsingContext.create", {"type": kind})["context"]

    def goto(self, url: str) -> None:
        self._call("browsingContext.navigate", {"url": url, "wait": "complete"})

    def back(self) -> None:
        left = self.run("performance.timeOrigin + location.href")
        self._call("browsingContext.traverseHistory", {"delta": -1})
        self.eventually(
            f"performance.timeOrigin + location.href !== {json.dumps(left)}",
            "the tab has left its page",
        )
        self.eventually("document.readyState === 'complete'", "the previous page is shown")

    def evaluate(self, expression: str) -> str | None:
        parameters = {
            "expression": expression,
            "target": {"context": self._context},
            "awaitPromise": True,
        }
        response = self._connection.call("script.evaluate", {**parameters, "userActivation": True})
        if response["type"] == "exception":
            raise BrowserError(response["exceptionDetails"]["text"])
        value = response["result"].get("value")
        return None if value is None else str(value)

    def close(self) -> None:
        self._call("browsingContext.close", {"promptUnload": False})

    def _call(self, method: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        return self._connection.call(method, {"context": self._context, **(parameters or {})})
