"""What a sender costs the page that it is in: starting, a call, a burst of calls, and simply being there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.script.collector import Collector
from bench.script.senders import HERE, Sender
from tests.engines.browser import Browser, Tab
from tests.engines.servers import Gate, Shop

_BURST_CALLS = 50
_BETWEEN_CALLS_MS = 25
_REWRITES_A_SECOND = 80
_LONG_TASK_MS = 50
_OUR_WAYS = ("function", "fetch", "storage", "otherFetch", "otherStorage")

# Times are as fine as a browser tells them only in a page that is isolated from other origins.
_ISOLATED = {
    "Cross_Origin_Opener_Policy": "same-origin",
    "Cross_Origin_Embedder_Policy": "require-corp",
}

_MEASURES = (HERE / "page.js").read_text()


@dataclass(frozen=True)
class Effort:
    """How much is done for one figure: how many single calls, and how long a page is looked at.

    Attributes:
        settling_seconds: after the opening of a tab, with which the browser's other processes are busy for a while: what
            that takes from a page is nobody's cost.
    """

    settling_seconds: float = 1
    calls: int = 60
    idle_seconds: float = 3
    rewriting_seconds: float = 5


QUICK = Effort(settling_seconds=0, calls=3, idle_seconds=0.2, rewriting_seconds=0.5)


@dataclass
class Costs:
    """What was measured of one sender, every run's figures.

    Attributes:
        start_ms: from the script's text to being ready for a call.
        call_microseconds: by way of saving, each call's time.
        bare_microseconds: the same past the script, in turn with those; ours only.
        burst_ms: 50 calls in a row.
        long_tasks: tasks of more than 50 ms in the two seconds after that.
        idle_ms: what the page's main thread did in its first seconds, beyond what it does without the sender.
        rewriting_percent: of a second, what a page that rewrites one key 80 times a second loses; ours only.
    """

    start_ms: list[float] = field(default_factory=list)
    call_microseconds: dict[str, list[float]] = field(default_factory=dict)
    bare_microseconds: dict[str, list[float]] = field(default_factory=dict)
    burst_ms: list[float] = field(default_factory=list)
    long_tasks: list[int] = field(default_factory=list)
    idle_ms: list[float] = field(default_factory=list)
    rewriting_percent: list[float] = field(default_factory=list)


class Bench:
    """A browser, a site and a collector, on which senders are measured in turn."""

    def __init__(self, browser: Browser, service: str, effort: Effort) -> None:
        self._browser = browser
        self._effort = effort
        self._service = service
        browser.open_tab()  # keeps it open

    def measure(self, sender: Sender, runs: int) -> Costs:
        """All of a sender's costs, each so many times, each time in a new page of a new origin."""
        costs = Costs()
        with self._page(sender) as tab:  # the browser's own first time is nobody's cost
            self._start(tab, sender)
        for _ in range(runs):
            with self._page(sender) as tab:
                costs.start_ms.append(self._start(tab, sender))
                self._time_calls(tab, sender, costs)
            with self._page(sender) as tab:
                self._start(tab, sender)
                way = "function" if sender.is_ours else "sdk"
                took, long_tasks = tab.run("measure.burst", [way, _BURST_CALLS, _LONG_TASK_MS])
                costs.burst_ms.append(took)
                costs.long_tasks.append(long_tasks)
            self._measure_idle(sender, costs)
            if sender.is_ours:
                self._measure_rewriting(sender, costs)
        return costs

    def _time_calls(self, tab: Tab, sender: Sender, costs: Costs) -> None:
        for way in _OUR_WAYS if sender.is_ours else ("sdk",):
            times, *bare = tab.run("measure.calls", [way, self._effort.calls, _BETWEEN_CALLS_MS])
            costs.call_microseconds.setdefault(way, []).extend(times)
            if bare:
                costs.bare_microseconds.setdefault(way, []).extend(bare[0])

    def _measure_idle(self, sender: Sender, costs: Costs) -> None:
        busy = []
        for started in (False, True):
            with self._page(sender) as tab:
                before = self._browser.main_thread_seconds(tab)
                if started:
                    self._start(tab, sender)
                self._let_pass(tab, self._effort.idle_seconds)
                after = self._browser.main_thread_seconds(tab)
                if before is None or after is None:
                    return
                busy.append((after - before) * 1000)
        costs.idle_ms.append(max(0.0, busy[1] - busy[0]))

    def _measure_rewriting(self, sender: Sender, costs: Costs) -> None:
        """The main thread's time where the browser tells it, else the time of the calls themselves."""
        spent = []
        for started in (False, True):
            with self._page(sender) as tab:
                if started:
                    self._start(tab, sender)
                before = self._browser.main_thread_seconds(tab)
                calls_ms = tab.run(
                    "measure.rewriting", [_REWRITES_A_SECOND, self._effort.rewriting_seconds]
                )
                after = self._browser.main_thread_seconds(tab)
                spent.append(calls_ms / 1000 if before is None or after is None else after - before)
        costs.rewriting_percent.append(
            max(0.0, spent[1] - spent[0]) / self._effort.rewriting_seconds * 100
        )

    @contextmanager
    def _page(self, sender: Sender) -> Iterator[Tab]:
        shop = Shop()
        gate: Gate = Gate() if sender.is_ours else Collector()
        gate.service = self._service
        tab = self._browser.open_tab()
        self._attributes: dict[str, Any] = {"data-endpoint": gate.url} if sender.is_ours else {}
        try:
            head = f"<script>window.collector = {json.dumps(gate.url)}</script><script>{_MEASURES}</script>"
            tab.goto(shop.page(head, **_ISOLATED))
            self._let_pass(tab, self._effort.settling_seconds)
            yield tab
        finally:
            tab.close()
            shop.close()
            gate.close()

    @staticmethod
    def _let_pass(tab: Tab, seconds: float) -> None:
        tab.run(f"new Promise((resolve) => setTimeout(resolve, {seconds * 1000}))")

    def _start(self, tab: Tab, sender: Sender) -> float:
        return float(tab.run("measure.start", [sender.code, self._attributes]))
