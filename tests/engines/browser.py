"""What the tests ask of a browser, whatever its engine: tabs, scripts, going back, closing, and being killed."""

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

from tests.engines.wire import Refused

START_SECONDS = 60.0
_END_SECONDS = 15.0
_POLL_SECONDS = 0.02

Answer = TypeVar("Answer")


class Tab(ABC):
    """One tab of a browser."""

    @abstractmethod
    def goto(self, url: str) -> None:
        """Opens an address and waits for the page's load event."""

    @abstractmethod
    def back(self) -> None:
        """Goes one step back in the tab's history and waits until that page is there."""

    @abstractmethod
    def evaluate(self, expression: str) -> str | None:
        """What an expression that gives a promise of a string, or of null, resolves to in the page."""

    @abstractmethod
    def close(self) -> None:
        """Closes the tab as its user would."""

    def run(self, script: str, argument: Any = None) -> Any:
        """What an expression gives in the page, as JSON would carry it.

        A function is called with `argument`; a promise is awaited.
        """
        return json.loads(
            self.evaluate(
                f"(async () => {{ const given = ({script}\n); const answer = await (typeof given === 'function'"
                f" ? given({json.dumps(argument)}) : given); return JSON.stringify(answer === undefined ? null : answer); }})()"
            )
            or "null"
        )

    def soon(self, script: str) -> None:
        """Runs statements in one task of the page's own, which may be its last: nobody waits for them."""
        self.run(f"void setTimeout(() => {{ {script} }})")

    def eventually(self, script: str, what: str, seconds: float = 20.0) -> Any:
        """What `script` gives, once that is true in the page; a page that is just going gives nothing."""

        def look() -> Any:
            try:
                return self.run(script)
            except Refused:
                return None

        return eventually(look, what, seconds)


class Browser(ABC):
    """A browser that runs, with a profile of its own."""

    name: str

    @abstractmethod
    def open_tab(self) -> Tab:
        """A new tab, in front."""

    @abstractmethod
    def close(self) -> None:
        """Closes the browser as its user would."""

    @abstractmethod
    def kill(self) -> None:
        """Ends all of the browser's processes at once, as a crash or a power cut would."""

    def main_thread_seconds(self, tab: Tab) -> float | None:
        """Processor time that the tab's main thread has used for its page so far; None where the browser doesn't tell."""
        del tab
        return None


class Program:
    """A browser's process with all that it starts, in a group of its own."""

    def __init__(
        self, command: Sequence[str], output: Path, environment: dict[str, str] | None = None
    ) -> None:
        with output.open("ab") as stream:
            self._process = subprocess.Popen(
                command, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL, stdout=stream,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self._output = output

    def ready(self, look: Callable[[], Answer]) -> Answer:
        """What `look` returns once that is true; fails with what the program printed when it ends before."""

        def look_while_it_runs() -> Answer:
            found = look()
            if not found and self._process.poll() is not None:
                raise AssertionError(
                    f"it ended with status {self._process.returncode}: {self._said()}"
                )
            return found

        return eventually(
            look_while_it_runs, f"the browser is ready; it said: {self._said()}", START_SECONDS
        )

    def kill(self) -> None:
        """Ends the group at once and waits for that."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            self._process.wait(timeout=_END_SECONDS)

    def wait(self) -> None:
        """Waits until it ends by itself; ends it when it does not."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_END_SECONDS)
        self.kill()

    def _said(self) -> str:
        return self._output.read_text(errors="replace")[-1000:]


def eventually(look: Callable[[], Answer], what: str, seconds: float = 20.0) -> Answer:
    """What `look` returns, once that is true; fails with `what` was waited for when it isn't within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {seconds:g} s: {what}")
        time.sleep(_POLL_SECONDS)
    return seen
