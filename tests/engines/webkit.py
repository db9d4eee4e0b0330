"""WebKitGTK's MiniBrowser under a virtual screen, over WebDriver as its own driver speaks it (W3C WebDriver, JSON over HTTP).

An automated MiniBrowser keeps everything in memory, like a private window. What has to outlive a killed browser is
therefore looked at in one that nobody drives: `Unattended`.
"""

from __future__ import annotations

import glob
import shutil
from pathlib import Path
from typing import Any

import requests

from tests.engines.browser import Browser, Program, Tab
from tests.engines.wire import Refused
from tests.support.services import free_port

_MINI_BROWSERS = "/usr/lib/*/webkit2gtk-4.1/MiniBrowser"
_MAX_SECONDS = 60.0
# As root there is no user namespace to make the sandbox of; without a screen's hardware there is nothing to composite with.
_ENVIRONMENT = {
    "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",
    "WEBKIT_DISABLE_DMABUF_RENDERER": "1",
    "LIBGL_ALWAYS_SOFTWARE": "1",
    "NO_AT_BRIDGE": "1",
}


def missing() -> str:
    """What has to be installed; empty when nothing has."""
    absent = [
        package
        for package, there in (
            ("webkit2gtk-driver", shutil.which("WebKitWebDriver") and _mini_browser()),
            ("xvfb", shutil.which("xvfb-run")),
            ("xauth", shutil.which("xauth")),
        )
        if not there
    ]
    return f"no WebKitGTK (apt-get install {' '.join(absent)})" if absent else ""


def _mini_browser() -> str | None:
    return next(iter(sorted(glob.glob(_MINI_BROWSERS))), None)


def _environment(profile: Path) -> dict[str, str]:
    homes = {
        f"XDG_{name}_HOME": str(profile / name.lower())
        for name in ("DATA", "CACHE", "CONFIG", "STATE")
    }
    return {**_ENVIRONMENT, **homes, "HOME": str(profile), "TMPDIR": str(profile)}


class WebKit(Browser):
    """A WebKitGTK browser that is driven; nothing of it outlives it, so `private` makes no difference."""

    name = "webkit"

    def __init__(self, profile: Path, private: bool = False) -> None:
        del private
        profile.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        self._program = Program(
            ["xvfb-run", "-a", "WebKitWebDriver", f"--port={port}"],
            profile.with_suffix(".output"),
            _environment(profile),
        )
        self._program.ready(self._answers)
        options = {"binary": _mini_browser(), "args": ["--automation"]}
        session = self._ask(
            "POST",
            "/session",
            {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}},
        )
        self._session = f"/session/{session['sessionId']}"
        milliseconds = int(_MAX_SECONDS * 1000)
        self.ask(
            "POST", "/timeouts", {"script": milliseconds, "pageLoad": milliseconds, "implicit": 0}
        )
        self._first = str(self.ask("GET", "/window"))
        self._first_is_free = True

    def open_tab(self) -> Tab:
        if self._first_is_free:
            self._first_is_free = False
            return _Tab(self, self._first)
        self.ask(
            "POST", "/window", {"handle": self._first}
        )  # the one that was looked at last may be closed
        return _Tab(self, self.ask("POST", "/window/new", {"type": "tab"})["handle"])

    def close(self) -> None:
        self.ask("DELETE", "")
        self._program.kill()

    def kill(self) -> None:
        self._program.kill()

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """What the driver answers to one command of this session."""
        return self._ask(method, self._session + path, body)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            answer = requests.request(
                method,
                self._url + path,
                json=(body or {}) if method == "POST" else None,
                timeout=_MAX_SECONDS + 10,
            )
        except requests.RequestException as reason:
            raise Refused(f"{method} {path}: {reason}") from None
        value = answer.json()["value"]
        if not answer.ok:
            raise Refused(f"{method} {path}: {value['error']}: {value['message']}")
        return value

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self._url}/status", timeout=2).ok
        except requests.RequestException:
            return False


class _Tab(Tab):
    def __init__(self, browser: WebKit, handle: str) -> None:
        self._browser = browser
        self._handle = handle

    def goto(self, url: str) -> None:
        self._ask("POST", "/url", {"url": url})

    def back(self) -> None:
        self._ask("POST", "/back")
        self.eventually("document.readyState === 'complete'", "the page before")

    def evaluate(self, expression: str) -> str | None:
        script = "const done = arguments[0]; (EXPRESSION).then((v) => done([v]), (e) => done([null, String(e)]))"
        answer = self._ask(
            "POST",
            "/execute/async",
            {"script": script.replace("EXPRESSION", expression), "args": []},
        )
        if len(answer) > 1:
            raise Refused(answer[1])
        return None if answer[0] is None else str(answer[0])

    def close(self) -> None:
        self._ask("DELETE", "/window")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        self._browser.ask("POST", "/window", {"handle": self._handle})
        return self._browser.ask(method, path, body)


class Unattended:
    """A WebKitGTK browser that nobody drives: it opens one page, keeps its storage in `profile`, and is killed."""

    def __init__(self, profile: Path, url: str) -> None:
        profile.mkdir(parents=True, exist_ok=True)
        program = _mini_browser()
        assert program is not None
        self._program = Program(
            ["xvfb-run", "-a", program, url], profile.with_suffix(".output"), _environment(profile)
        )

    def kill(self) -> None:
        """Ends all of its processes at once."""
        self._program.kill()
