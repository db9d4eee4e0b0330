"""Count lost and duplicate captures in the tests' fault scenarios."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.script.collector import Collector
from bench.script.senders import Sender
from tests.engines.engines import Engine
from tests.engines.harness import Harness
from tests.engines.scenarios import CAPTURES_PER_RUN, SCENARIOS
from tests.engines.script_harness import ScriptHarness
from tests.support.services import RunningService

_ARRIVAL_TIMEOUT_SECONDS = 20.0
_DUPLICATES_WAIT_SECONDS = 2.0


@dataclass
class Losses:
    """The captures made, lost and duplicated: counts by scenario."""

    made: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    duplicates: dict[str, int] = field(default_factory=dict)

    def add(self, scenario: str, lost: int, duplicates: int) -> None:
        """Add the figures of one run."""
        self.made[scenario] = self.made.get(scenario, 0) + CAPTURES_PER_RUN
        self.lost[scenario] = self.lost.get(scenario, 0) + lost
        self.duplicates[scenario] = self.duplicates.get(scenario, 0) + duplicates


class SdkHarness(Harness):
    """An SDK in front of a collector."""

    def __init__(self, engine: Engine, sender: Sender, folder: Path, fault_seconds: float) -> None:
        self._collector = Collector()
        super().__init__(engine, folder, self._collector, "in this process", fault_seconds)
        self._shop.put("/sender.js", sender.code, "text/javascript")
        self.put_page(
            f'<script>window.collector = "{self._proxy.url}"</script>'
            '<script src="/sender.js"></script>'
        )

    def save_function(self) -> str:
        """Return the JavaScript function that saves captures through the SDK."""
        return (
            "(ids) => ids.forEach((id) => sendCapture({ transaction_id: id, final_price: 179.99 }))"
        )

    def count_stored(self, captures: Sequence[str]) -> int:
        """Count the captures that the collector received."""
        return sum(self._collector.times[capture] > 0 for capture in captures)

    def count_duplicates(self, captures: Sequence[str]) -> int:
        """Count the captures that the collector received in more than one request."""
        return sum(self._collector.times[capture] > 1 for capture in captures)


def cause_fault(
    engine: Engine,
    sender: Sender,
    service: RunningService,
    scenario: str,
    run: int,
    fault_seconds: float,
) -> tuple[int, int]:
    """Cause a fault once, in a new browser.

    Returns:
        How many captures are lost, and how many are stored or sent twice.
    """
    number = list(SCENARIOS).index(scenario) * 1000 + run
    captures = [f"capture-{number}-{index}" for index in range(CAPTURES_PER_RUN)]
    with tempfile.TemporaryDirectory(prefix="edc-bench-", ignore_cleanup_errors=True) as folder:
        harness: Harness
        if sender.is_ours:
            harness = ScriptHarness(
                engine, service, f"user-{number}@example.com", Path(folder), fault_seconds
            )
        else:
            harness = SdkHarness(engine, sender, Path(folder), fault_seconds)
        try:
            SCENARIOS[scenario](harness, captures)
            stored = harness.wait_until_stored(captures, _ARRIVAL_TIMEOUT_SECONDS)
            time.sleep(_DUPLICATES_WAIT_SECONDS)  # duplicates may arrive late
            return CAPTURES_PER_RUN - stored, harness.count_duplicates(captures)
        finally:
            harness.close()
