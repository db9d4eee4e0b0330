"""Firefox, headless, over WebDriver BiDi, which it speaks itself: no geckodriver, no Node."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.engines.browser import Browser, Program, Tab
from tests.engines.wire import Refused, Wire

_PROGRAMS = ("firefox-esr", "firefox")

# A browser that asks nobody, reports nothing and measures time as finely as it can.
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
    """What has to be installed; empty when nothing has."""
    return "" if _program() else "no Firefox (apt-get install firefox-esr)"


def _program() -> str | None:
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)


class Firefox(Browser):
    """A Firefox that runs over a profile folder; `private` is its private browsing."""

    name = "firefox"

    def __init__(self, profile: Path, private: bool = False) -> None:
        profile.mkdir(parents=True, exist_ok=True)
        preferences = {**_PREFERENCES, "browser.privatebrowsing.autostart": private}
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});"
            for name, value in preferences.items()
        ]
        (profile / "user.js").write_text("\n".join(lines))
        told = profile / "WebDriverBiDiServer.json"
        told.unlink(missing_ok=True)  # a killed browser's
        program = _program()
        assert program is not None
        self._program = Program(
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

        def port() -> int:
            try:
                return int(json.loads(told.read_text())["ws_port"])
            except (OSError, ValueError):
                return 0

        self._wire = Wire(f"ws://127.0.0.1:{self._program.ready(port)}/session")
        self._wire.call(
            "session.new", {"capabilities": {"alwaysMatch": {"acceptInsecureCerts": True}}}
        )

    def open_tab(self) -> Tab:
        return _Tab(self._wire)

    def close(self) -> None:
        with suppress(Refused):  # it may be quicker than its answer
            self._wire.call("browser.close")
        self._program.wait()
        self._wire.close()

    def kill(self) -> None:
        self._program.kill()
        self._wire.close()


class _Tab(Tab):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._context = wire.call("browsingContext.create", {"type": "tab"})["context"]

    def goto(self, url: str) -> None:
        self._call("browsingContext.navigate", {"url": url, "wait": "complete"})

    def back(self) -> None:
        left = self.run("performance.timeOrigin + location.href")
        self._call("browsingContext.traverseHistory", {"delta": -1})
        self.eventually(
            f"performance.timeOrigin + location.href !== {json.dumps(left)}", "the page before"
        )
        self.eventually("document.readyState === 'complete'", "all of the page before")

    def evaluate(self, expression: str) -> str | None:
        parameters = {
            "expression": expression,
            "target": {"context": self._context},
            "awaitPromise": True,
        }
        answer = self._wire.call("script.evaluate", {**parameters, "userActivation": True})
        if answer["type"] == "exception":
            raise Refused(answer["exceptionDetails"]["text"])
        value = answer["result"].get("value")
        return None if value is None else str(value)

    def close(self) -> None:
        self._call("browsingContext.close", {"promptUnload": False})

    def _call(self, method: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        return self._wire.call(method, {"context": self._context, **(parameters or {})})
