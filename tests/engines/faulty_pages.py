"""Pages whose browser fails at random, several at once, and what is wrong with each.

faulty_browser.js makes the faults, page_of_saves.js saves and reports.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engines.browser import Browser, Tab
from tests.engines.connection import BrowserError
from tests.engines.engines import Engine
from tests.engines.servers import FaultProxy, Shop, tag
from tests.engines.visit import NOTHING_OBSERVED
from tests.support.services import RunningService

_HERE = Path(__file__).parent
_FAULTS, _SAVES = ((_HERE / name).read_text() for name in ("faulty_browser.js", "page_of_saves.js"))
_SETTLE_SECONDS, _IDLE_SECONDS = 1.5, 4.0
_PATIENCE_SECONDS = 15.0  # longer than any phase of a page takes
_ARRIVAL_TIMEOUT_SECONDS = 12.0
MAX_GAP_MS = 1000
MAX_CPU_PERCENT = 1.0
MAX_CALLS_PER_SECOND = 40
CAPTURED = (
    "call",
    "fetch",
    "xhr",
    "localStorage",
    "sessionStorage",
    "beacon",
    "blob",
    "form",
    "api",
)
"""The saves of page_of_saves.js that are payments."""


@dataclass
class Run:
    """One page whose browser fails.

    Attributes:
        seed: it chooses the faults; None for a page without faults and without the script.
        name: the beginning of the payments' numbers, which no other run has.
        cpu_percent: the main thread's share of time after the saves; None if it is unknown.
        faults: what is wrong.
    """

    seed: int | None
    name: str
    shop: Shop
    proxy: FaultProxy
    tab: Tab | None = None
    cpu_percent: float | None = None
    faults: list[str] = field(default_factory=list)

    @property
    def may_be_busy(self) -> bool:
        """Tell whether a busy machine alone may explain the faults."""
        return any(" ms" in fault or "%" in fault or "lost" in fault for fault in self.faults)

    @property
    def user(self) -> str:
        """The address of the page's user."""
        return f"{self.name}@example.com".lower()

    @property
    def reports(self) -> dict[str, Any]:
        """What the page told, by phase."""
        told = [saved.body for saved in list(self.shop.saved) if saved.path == "/api/report"]
        return {report["phase"]: report for report in told}

    @property
    def modes(self) -> dict[str, str]:
        """How each part of the browser fails."""
        reports = self.reports
        return next(iter(reports.values()))["modes"] if reports else {}

    def own_requests(self) -> list[tuple[str, str]]:
        """Return the page's saves as its server received them, in order."""
        return [
            (f"{saved.method} {saved.path}", saved.query.rpartition("step=")[2])
            for saved in list(self.shop.saved)
            if saved.query.startswith("run=")
        ]


class FaultyBrowser:
    """Runs pages whose parts fail, several at once, each of an origin of its own."""

    def __init__(self, engine: Engine, profile: Path, service: RunningService) -> None:
        self._engine, self._profile, self._service = engine, profile, service
        self._browser: Browser | None = None
        self._numbers = itertools.count(1)

    def run(self, seeds: Sequence[int]) -> list[Run]:
        """Run pages with these seeds, and return what is wrong with each."""
        runs = [self._open(seed) for seed in (None, *seeds)]
        try:
            self._watch(runs)
            control, *others = runs
            for run in others:
                self._check(run, control)
            self._end([run for run in others if "idle" in run.reports])
        finally:
            self._close(runs)
        return runs[1:]

    def close(self) -> None:
        """Close the browser."""
        if self._browser is not None:
            self._browser.close()

    def _open(self, seed: int | None) -> Run:
        if self._browser is None:
            self._browser = self._engine.start(self._profile / str(next(self._numbers)))
            self._browser.open_tab()  # the browser ends with its last tab
        run = Run(seed, f"run{next(self._numbers)}", Shop(), FaultProxy())
        run.proxy.service = self._service.url
        settings = {
            "seed": seed,
            "run": run.name,
            "user": run.user,
            "settleMs": _SETTLE_SECONDS * 1000,
            "idleMs": _IDLE_SECONDS * 1000,
        }
        head = (
            f"<script>window.browserFaults = {json.dumps(settings)}</script>"
            f"<script>{_FAULTS if seed is not None else _NO_FAULTS}</script>"
            f"{'' if seed is None else script_tag(run)}"
        )
        body = f'<form id="payment-form"><button>Pay</button></form><script>{_SAVES}</script>'
        run.tab = self._browser.open_window()
        url = run.shop.page(head, body)
        run.tab.run_without_waiting(f"location.href = {json.dumps(url)}")
        return run

    def _watch(self, runs: Sequence[Run]) -> None:
        """Wait for the pages' reports, and measure their CPU time meanwhile."""
        wait_for_reports(runs, "saved")
        wait_for_reports([run for run in runs if "saved" in run.reports], "settled")
        alive = [run for run in runs if "settled" in run.reports]
        before = self._cpu_seconds(alive)
        time.sleep(_IDLE_SECONDS)
        wait_for_reports(alive, "idle")
        after = self._cpu_seconds([run for run in alive if "idle" in run.reports])
        for run in alive:
            if (began := before.get(run.name)) is not None and run.name in after:
                (at, seconds), (ended_at, total) = began, after[run.name]
                run.cpu_percent = (total - seconds) / (ended_at - at) * 100

    def _cpu_seconds(self, runs: Sequence[Run]) -> dict[str, tuple[float, float]]:
        """Return the time and the main thread's CPU seconds of each page, where it is known."""
        assert self._browser is not None
        found = {}
        for run in runs:
            assert run.tab is not None
            try:
                seconds = self._browser.main_thread_seconds(run.tab)
            except BrowserError:  # the page hangs
                continue
            if seconds is not None:
                found[run.name] = (time.monotonic(), seconds)
        return found

    def _check(self, run: Run, control: Run) -> None:
        """Compare what a page told with what the page without faults did."""
        assert "saved" in control.reports, "the page without faults does not report"
        expected = control.reports["saved"]["results"]
        saved, idle = run.reports.get("saved"), run.reports.get("idle")
        if saved is None or idle is None:
            run.faults.append("the page hangs")
            return
        if saved["results"] != expected:
            run.faults.append(f"results: {differences(saved['results'], expected)}")
        if run.own_requests() != control.own_requests():
            run.faults.append(f"requests: {run.own_requests()}")
        for phase, report in (("saving", saved), ("idle", idle)):
            if report["longest"] > MAX_GAP_MS:
                run.faults.append(f"{phase}: no turn of the page for {report['longest']:.0f} ms")
        if idle["calls"] > MAX_CALLS_PER_SECOND * _IDLE_SECONDS:
            run.faults.append(f"idle: {idle['calls']} calls of the browser")
        if run.cpu_percent is not None and control.cpu_percent is not None:
            added = run.cpu_percent - control.cpu_percent
            if added > MAX_CPU_PERCENT:
                run.faults.append(f"idle: {added:.2f} % of a processor")

    def _end(self, runs: Sequence[Run]) -> None:
        """End the faults, and check that what was captured arrives."""
        for run in runs:
            assert run.tab is not None
            run.tab.run_without_waiting("endFaults()")
        wait_for_reports(runs, "ended")
        for run in runs:
            if "ended" not in run.reports:
                run.faults.append("the page hangs when the faults end")
                continue
            observed = run.reports["ended"]["observed"]
            if observed != NOTHING_OBSERVED:
                run.faults.append(f"the page saw {observed}")
            if self._missing(run) and run.tab is not None:
                # What waits until the next page is sent by the next page.
                run.tab.goto(run.shop.page(script_tag(run)))
        waiting = [run for run in runs if "ended" in run.reports]
        deadline = time.monotonic() + _ARRIVAL_TIMEOUT_SECONDS
        while any(map(self._missing, waiting)) and time.monotonic() < deadline:
            time.sleep(0.1)
        for run in waiting:
            if lost := self._missing(run):
                run.faults.append(f"lost: {', '.join(lost)}")
            if len(self._stored(run)) > len(set(self._stored(run))):
                run.faults.append(f"twice: {sorted(self._stored(run))}")

    def _stored(self, run: Run) -> list[str]:
        rows = self._service.rows(
            "SELECT transaction_id FROM payment_data WHERE user_email = ?", run.user
        )
        return [str(row["transaction_id"]).rpartition("-")[2] for row in rows]

    def _missing(self, run: Run) -> list[str]:
        """Return the saves that have no row, although the faults allowed to keep them."""
        return sorted(set(CAPTURED) - set(self._stored(run)) - may_be_lost(run.modes))

    def _close(self, runs: Sequence[Run]) -> None:
        assert self._browser is not None
        try:
            if any("the page hangs" in fault for run in runs for fault in run.faults):
                raise BrowserError("a tab that hangs can't be closed")
            for run in runs:
                assert run.tab is not None
                run.tab.close()
        except BrowserError:
            self._browser.kill()
            self._browser = None
        for run in runs:
            run.shop.close()
            run.proxy.close()


_NO_FAULTS = """Object.assign(browserFaults, {
  areas: { localStorage, sessionStorage }, fetch: fetch.bind(window),
  setTimeout: setTimeout.bind(window), modes: {}, calls: 0,
})"""


def script_tag(run: Run) -> str:
    """Return the tag: in every second run the script comes from the service's origin."""
    assert run.seed is not None
    if run.seed % 2:
        return tag(f"{run.shop.url}/static", f'data-endpoint="{run.proxy.url}"')
    return tag(run.proxy.url)


def wait_for_reports(runs: Sequence[Run], phase: str) -> None:
    """Return when all pages have reported a phase, or none did for a time in which it could."""
    missing, since = len(runs), time.monotonic()
    while missing and time.monotonic() - since < _PATIENCE_SECONDS:
        time.sleep(0.05)
        now_missing = sum(phase not in run.reports for run in runs)
        if now_missing < missing:
            missing, since = now_missing, time.monotonic()


def may_be_lost(modes: dict[str, str]) -> set[str]:
    """Return the saves that these faults prevent from being captured or kept."""
    if modes.get("crypto") == "throws":  # without random numbers a capture has no id
        return set(CAPTURED)
    is_kept_for_next_page = modes.get("indexedDB") in ("healthy", "open is slow")
    is_sent_by_next_page = modes.get("network") in ("pauses", "blocks")
    if is_sent_by_next_page and not is_kept_for_next_page:
        return set(CAPTURED)
    return {"blob"} if modes.get("others") == "throw" else set()


def differences(got: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """Return the members that differ."""
    return {name: got.get(name) for name in expected if got.get(name) != expected[name]}
