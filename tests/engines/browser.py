"""What the tests need of a browser: tabs, scripts, history, closing and killing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from tests.engines.connection import BrowserError

START_TIMEOUT_SECONDS = 60.0
_EXIT_TIMEOUT_SECONDS = 15.0
_POLL_SECONDS = 0.02
_TIMEOUT_SECONDS = 60.0  # only ends a hang; a busy machine is slow
_MAX_SHOWN_CHARACTERS = 1000

Result = TypeVar("Result")


class Tab(ABC):
    """One tab of a browser."""

    @abstractmethod
    def goto(self, url: str) -> None:
        """Open a URL and wait for the page's load event."""

    @abstractmethod
    def back(self) -> None:
        """Go one step back in the tab's history and wait until that page is shown."""

    @abstractmethod
    def evaluate(self, expression: str) -> str | None:
        """Evaluate an expression in the page and await its promise of a string or of null."""

    @abstractmethod
    def close(self) -> None:
        """Close the tab as its user would."""

    def run(self, script: str, argument: Any = None) -> Any:
        """Evaluate an expression in the page and return its value by way of JSON.

        A function is called with `argument`; a promise is awaited.
        """
        call = (
            f"(async () => {{ const value = ({script}\n);"
            " const result = await (typeof value === 'function'"
            f" ? value({json.dumps(argument)}) : value);"
            " return JSON.stringify(result === undefined ? null : result); })()"
        )
        return json.loads(self.evaluate(call) or "null")

    def run_without_waiting(self, script: str) -> None:
        """Run statements in a task of the page, which may be its last task."""
        self.run(f"void setTimeout(() => {{ {script} }})")

    def eventually(self, script: str, what: str, seconds: float = _TIMEOUT_SECONDS) -> Any:
        """Return what `script` gives, once that is true in the page.

        Errors count as false: the page may be navigating.
        """

        def evaluate() -> Any:
            try:
                return self.run(script)
            except BrowserError:
                return None

        return eventually(evaluate, what, seconds)


class Browser(ABC):
    """A running browser with its own profile."""

    name: str

    @abstractmethod
    def open_tab(self) -> Tab:
        """Open a tab in the foreground."""

    def open_window(self) -> Tab:
        """Open a tab in a window of its own: timers of hidden tabs run once a second."""
        return self.open_tab()

    @abstractmethod
    def close(self) -> None:
        """Close the browser as its user would."""

    @abstractmethod
    def kill(self) -> None:
        """Kill all of the browser's processes at once, as a crash or a power cut would."""

    def main_thread_seconds(self, tab: Tab) -> float | None:
        """Return the CPU time of the tab's main thread so far; None if the browser lacks it."""
        del tab
        return None


class BrowserProcess:
    """A browser's process and its children, in one process group."""

    def __init__(
        self, command: Sequence[str], output: Path, environment: dict[str, str] | None = None
    ) -> None:
        with output.open("ab") as stream:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._output = output

    def wait_until_ready(self, check: Callable[[], Result]) -> Result:
        """Return what `check` returns, once that is true.

        Raises:
            AssertionError: the browser ended, or was not ready in time. The text has its output.
        """

        def check_while_it_runs() -> Result:
            result = check()
            if not result and self._process.poll() is not None:
                raise AssertionError(f"The browser ended with status {self._process.returncode}")
            return result

        try:
            return eventually(check_while_it_runs, "the browser is ready", START_TIMEOUT_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}. Its output: {self._last_output()}") from None

    def kill(self) -> None:
        """Kill the process group and wait for its end."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            self._process.wait(timeout=_EXIT_TIMEOUT_SECONDS)

    def wait(self) -> None:
        """Wait until the process ends by itself; kill it if it does not."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_EXIT_TIMEOUT_SECONDS)
        self.kill()

    def _last_output(self) -> str:
        return self._output.read_text(errors="replace")[-_MAX_SHOWN_CHARACTERS:]


def eventually(
    condition: Callable[[], Result], what: str, seconds: float = _TIMEOUT_SECONDS
) -> Result:
    """Return what `condition` returns, once that is true.

    Raises:
        AssertionError: it was not true within `seconds`; the text says `what` was missing.
    """
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {seconds:g} s: {what}")
        time.sleep(_POLL_SECONDS)
    return result
