"""Measure a sender's cost to its page: the start, each call, and idle time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.script.collector import Collector
from bench.script.senders import HERE, Sender
from tests.engines.browser import Browser, Tab
from tests.engines.connection import BrowserError
from tests.engines.servers import FaultProxy, Shop

_BURST_CALLS = 50
_PAUSE_BETWEEN_CALLS_MS = 25
_REWRITES_PER_SECOND = 80
_LONG_TASK_MS = 50
_LARGE_SHAPES = ("text", "members")
HUNG_MS = 60_000
"""The longest task of a sender whose page does not respond within a minute."""
_OUR_CALLS = ("function", "fetch", "storage", "otherFetch", "otherStorage")

# Browsers give precise times only to a page that is isolated from other origins.
_ISOLATION_HEADERS = {
    "Cross_Origin_Opener_Policy": "same-origin",
    "Cross_Origin_Embedder_Policy": "require-corp",
}

_PAGE_SCRIPT = (HERE / "page.js").read_text()


@dataclass(frozen=True)
class Effort:
    """How long one figure is measured.

    Attributes:
        settling_seconds: the wait after a tab opens. The browser's own work then takes time from
            the page, which must not count as the sender's.
        calls: how many single calls are measured.
        idle_seconds: how long a page that calls nothing is measured.
        rewriting_seconds: how long a page that rewrites a key is measured.
        large_bytes: the size of a large body.
        large_seconds: how long a page is measured after it saved that.
    """

    settling_seconds: float = 1
    calls: int = 60
    idle_seconds: float = 3
    rewriting_seconds: float = 5
    large_bytes: int = 19_990_000  # the service accepts no body of more than 20 MB
    large_seconds: float = 3


QUICK = Effort(
    settling_seconds=0,
    calls=3,
    idle_seconds=0.2,
    rewriting_seconds=0.5,
    large_bytes=200_000,
    large_seconds=0.2,
)


@dataclass
class Costs:
    """The figures of one sender in every run.

    Attributes:
        start_ms: the time from the script's text until it is ready for a call.
        call_microseconds: the time of each call, by the kind of call.
        bare_microseconds: the time of the same calls past the script, measured alternately; only
            for our script.
        burst_ms: the time of 50 calls in a row.
        long_tasks: the number of tasks over 50 ms in the two seconds after that.
        idle_ms: the main thread's time in the page's first seconds, less that without the sender.
        rewriting_percent: the share of the time that a page loses which rewrites one key 80 times a
            second; only for our script.
        large_ms: what the sender adds to the longest task of a page that saves 20 MB, by the kind
            of call: of the data with one long text and of that with many members, the longer one.
    """

    start_ms: list[float] = field(default_factory=list)
    call_microseconds: dict[str, list[float]] = field(default_factory=dict)
    bare_microseconds: dict[str, list[float]] = field(default_factory=dict)
    burst_ms: list[float] = field(default_factory=list)
    long_tasks: list[int] = field(default_factory=list)
    idle_ms: list[float] = field(default_factory=list)
    rewriting_percent: list[float] = field(default_factory=list)
    large_ms: dict[str, list[float]] = field(default_factory=dict)


class Bench:
    """Measures senders one after the other, each in new pages."""

    def __init__(self, browser: Browser, service: str, effort: Effort) -> None:
        self._browser = browser
        self._effort = effort
        self._service = service
        browser.open_tab()  # the browser ends with its last tab

    def measure(self, sender: Sender, runs: int) -> Costs:
        """Measure all costs of a sender, each time in a new page of a new origin.

        The browser may hang afterwards.
        """
        costs = Costs()
        with self._page(sender) as tab:  # warm up the browser
            self._start(tab, sender)
        for _ in range(runs):
            with self._page(sender) as tab:
                costs.start_ms.append(self._start(tab, sender))
                self._time_calls(tab, sender, costs)
            with self._page(sender) as tab:
                self._start(tab, sender)
                kind = "function" if sender.is_ours else "sdk"
                took, long_tasks = tab.run("measure.burst", [kind, _BURST_CALLS, _LONG_TASK_MS])
                costs.burst_ms.append(took)
                costs.long_tasks.append(long_tasks)
            self._measure_idle(sender, costs)
            if sender.is_ours:
                self._measure_rewriting(sender, costs)
        try:
            for kind in ("function", "fetch") if sender.is_ours else ("sdk",):
                costs.large_ms[kind] = [
                    max(self._added_by_large(sender, kind, shape) for shape in _LARGE_SHAPES)
                    for _ in range(runs)
                ]
        except BrowserError:
            if sender.is_ours:
                raise
            costs.large_ms["sdk"] = [HUNG_MS]
        return costs

    def _time_calls(self, tab: Tab, sender: Sender, costs: Costs) -> None:
        for kind in _OUR_CALLS if sender.is_ours else ("sdk",):
            times, *bare = tab.run(
                "measure.calls", [kind, self._effort.calls, _PAUSE_BETWEEN_CALLS_MS]
            )
            costs.call_microseconds.setdefault(kind, []).extend(times)
            if bare:
                costs.bare_microseconds.setdefault(kind, []).extend(bare[0])

    def _measure_idle(self, sender: Sender, costs: Costs) -> None:
        busy = []
        for started in (False, True):
            with self._page(sender) as tab:
                before = self._browser.main_thread_seconds(tab)
                if started:
                    self._start(tab, sender)
                self._wait(tab, self._effort.idle_seconds)
                after = self._browser.main_thread_seconds(tab)
                if before is None or after is None:
                    return
                busy.append((after - before) * 1000)
        costs.idle_ms.append(max(0.0, busy[1] - busy[0]))

    def _measure_rewriting(self, sender: Sender, costs: Costs) -> None:
        """Measure the main thread's time, or the calls' where the browser lacks it."""
        spent = []
        for started in (False, True):
            with self._page(sender) as tab:
                if started:
                    self._start(tab, sender)
                before = self._browser.main_thread_seconds(tab)
                calls_ms = tab.run(
                    "measure.rewriting", [_REWRITES_PER_SECOND, self._effort.rewriting_seconds]
                )
                after = self._browser.main_thread_seconds(tab)
                spent.append(calls_ms / 1000 if before is None or after is None else after - before)
        costs.rewriting_percent.append(
            max(0.0, spent[1] - spent[0]) / self._effort.rewriting_seconds * 100
        )

    def _added_by_large(self, sender: Sender, kind: str, shape: str) -> float:
        """Return what a sender adds to the longest task; of an SDK, the longest task itself."""
        longest = [0.0]
        for started in (False, True) if sender.is_ours else (True,):
            with self._page(sender) as tab:
                if started:
                    self._start(tab, sender)
                effort = self._effort
                arguments = [kind, shape, effort.large_bytes, effort.large_seconds]
                longest.append(float(tab.run("measure.large", arguments)))
        return max(0.0, longest[-1] - longest[-2])

    @contextmanager
    def _page(self, sender: Sender) -> Iterator[Tab]:
        with ExitStack() as stack:  # a page that hangs is not closed, but the servers are
            shop = Shop()
            stack.callback(shop.close)
            proxy: FaultProxy = FaultProxy() if sender.is_ours else Collector()
            stack.callback(proxy.close)
            proxy.service = self._service
            tab = self._browser.open_tab()
            stack.callback(tab.close)
            self._attributes: dict[str, Any] = (
                {"data-endpoint": proxy.url} if sender.is_ours else {}
            )
            head = (
                f"<script>window.collector = {json.dumps(proxy.url)}</script>"
                f"<script>{_PAGE_SCRIPT}</script>"
            )
            tab.goto(shop.page(head, **_ISOLATION_HEADERS))
            self._wait(tab, self._effort.settling_seconds)
            yield tab

    @staticmethod
    def _wait(tab: Tab, seconds: float) -> None:
        tab.run(f"new Promise((resolve) => setTimeout(resolve, {seconds * 1000}))")

    def _start(self, tab: Tab, sender: Sender) -> float:
        return float(tab.run("measure.start", [sender.code, self._attributes]))
