"""Drive WebKitGTK's MiniBrowser under Xvfb, through its own driver (W3C WebDriver).

An automated MiniBrowser keeps everything in memory, like a private window. Tests of what survives a
kill therefore use a MiniBrowser without automation: `UnattendedWebKit`.
"""

from __future__ import annotations

import glob
import shutil
from pathlib import Path
from typing import Any

import requests

from tests.engines.browser import Browser, BrowserProcess, Tab
from tests.engines.connection import BrowserError
from tests.support.services import free_port

_MINI_BROWSERS = "/usr/lib/*/webkit2gtk-4.1/MiniBrowser"
_TIMEOUT_SECONDS = 60.0
# Root has no user namespace for the sandbox. Xvfb has no graphics hardware for compositing.
_ENVIRONMENT = {
    "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",
    "WEBKIT_DISABLE_DMABUF_RENDERER": "1",
    "LIBGL_ALWAYS_SOFTWARE": "1",
    "NO_AT_BRIDGE": "1",
}


def missing() -> str:
    """Return what has to be installed; an empty text if nothing has."""
    absent = [
        package
        for package, is_installed in (
            ("webkit2gtk-driver", shutil.which("WebKitWebDriver") and _find_mini_browser()),
            ("xvfb", shutil.which("xvfb-run")),
            ("xauth", shutil.which("xauth")),
        )
        if not is_installed
    ]
    return f"no WebKitGTK (apt-get install {' '.join(absent)})" if absent else ""


def _find_mini_browser() -> str | None:
    return next(iter(sorted(glob.glob(_MINI_BROWSERS))), None)


def _environment(profile: Path) -> dict[str, str]:
    homes = {
        f"XDG_{name}_HOME": str(profile / name.lower())
        for name in ("DATA", "CACHE", "CONFIG", "STATE")
    }
    return {**_ENVIRONMENT, **homes, "HOME": str(profile), "TMPDIR": str(profile)}


class WebKit(Browser):
    """An automated WebKitGTK browser.

    Its storage ends with it, so `private` makes no difference.
    """

    name = "webkit"

    def __init__(self, profile: Path, private: bool = False) -> None:
        del private
        profile.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        self._process = BrowserProcess(
            ["xvfb-run", "-a", "WebKitWebDriver", f"--port={port}"],
            profile.with_suffix(".output"),
            _environment(profile),
        )
        self._process.wait_until_ready(self._is_ready)
        options = {"binary": _find_mini_browser(), "args": ["--automation"]}
        session = self._request(
            "POST",
            "/session",
            {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}},
        )
        self._session = f"/session/{session['sessionId']}"
        milliseconds = int(_TIMEOUT_SECONDS * 1000)
        self.send(
            "POST", "/timeouts", {"script": milliseconds, "pageLoad": milliseconds, "implicit": 0}
        )
        self._first_handle = str(self.send("GET", "/window"))
        self._is_first_unused = True

    def open_tab(self) -> Tab:
        if self._is_first_unused:
            self._is_first_unused = False
            return _Tab(self, self._first_handle)
        # A tab of this window would be hidden, and WebKit runs the timers of a hidden page once a
        # second. The current window may be closed; the first one stays open.
        self.send("POST", "/window", {"handle": self._first_handle})
        return _Tab(self, self.send("POST", "/window/new", {"type": "window"})["handle"])

    def close(self) -> None:
        self.send("DELETE", "")
        self._process.kill()

    def kill(self) -> None:
        self._process.kill()

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send a command of this session to the driver and return its result."""
        return self._request(method, self._session + path, body)

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            response = requests.request(
                method,
                self._url + path,
                json=(body or {}) if method == "POST" else None,
                timeout=_TIMEOUT_SECONDS + 10,
            )
        except requests.RequestException as error:
            raise BrowserError(f"{method} {path}: {error}") from None
        value = response.json()["value"]
        if not response.ok:
            raise BrowserError(f"{method} {path}: {value['error']}: {value['message']}")
        return value

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"{self._url}/status", timeout=2).ok
        except requests.RequestException:
            return False


class _Tab(Tab):
    def __init__(self, browser: WebKit, handle: str) -> None:
        self._browser = browser
        self._handle = handle

    def goto(self, url: str) -> None:
        self._send("POST", "/url", {"url": url})

    def back(self) -> None:
        self._send("POST", "/back")
        self.eventually("document.readyState === 'complete'", "the previous page is shown")

    def evaluate(self, expression: str) -> str | None:
        script = (
            "const done = arguments[0];"
            f" ({expression}).then((value) => done([value]), (e) => done([null, String(e)]))"
        )
        value, *errors = self._send("POST", "/execute/async", {"script": script, "args": []})
        if errors:
            raise BrowserError(errors[0])
        return None if value is None else str(value)

    def close(self) -> None:
        self._send("DELETE", "/window")

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        self._browser.send("POST", "/window", {"handle": self._handle})
        return self._browser.send(method, path, body)


class UnattendedWebKit:
    """A WebKitGTK browser without automation, so that its storage outlives it.

    It opens one page, keeps its storage in `profile`, and ends when it is killed.
    """

    def __init__(self, profile: Path, url: str) -> None:
        profile.mkdir(parents=True, exist_ok=True)
        program = _find_mini_browser()
        assert program is not None
        self._process = BrowserProcess(
            ["xvfb-run", "-a", program, url], profile.with_suffix(".output"), _environment(profile)
        )

    def kill(self) -> None:
        """Kill all of its processes at once."""
        self._process.kill()
