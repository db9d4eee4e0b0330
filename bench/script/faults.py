"""Count lost and duplicate captures in the tests' fault scenarios."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.script.collector import Collector
from bench.script.senders import Sender
from tests.engines.captures import CapturePlay
from tests.engines.engines import Engine
from tests.engines.scenario_runner import Play
from tests.engines.scenarios import CAPTURES, SCENARIOS
from tests.support.services import RunningService

_ARRIVAL_TIMEOUT_SECONDS = 20.0
_DUPLICATES_WAIT_SECONDS = 2.0


@dataclass
class Losses:
    """The captures made, lost, and stored or sent twice: counts by scenario."""

    made: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    twice: dict[str, int] = field(default_factory=dict)

    def add(self, scenario: str, lost: int, twice: int) -> None:
        """Add the figures of one run."""
        self.made[scenario] = self.made.get(scenario, 0) + CAPTURES
        self.lost[scenario] = self.lost.get(scenario, 0) + lost
        self.twice[scenario] = self.twice.get(scenario, 0) + twice


class SenderPlay(Play):
    """Plays a scenario with an SDK and a collector."""

    def __init__(self, engine: Engine, sender: Sender, folder: Path, fault_seconds: float) -> None:
        self._collector = Collector()
        super().__init__(engine, folder, self._collector, "in this process", fault_seconds)
        self._shop.put("/sender.js", sender.code, "text/javascript")
        self.put_page(
            f'<script>window.collector = "{self._gate.url}"</script>'
            '<script src="/sender.js"></script>'
        )

    def saves(self) -> str:
        """Return the JavaScript function that saves captures through the SDK."""
        return (
            "(ids) => ids.forEach((id) => sendCapture({ transaction_id: id, final_price: 179.99 }))"
        )

    def arrived(self, captures: Sequence[str]) -> int:
        """Count the captures that the collector received."""
        return sum(self._collector.times[capture] > 0 for capture in captures)

    def twice(self, captures: Sequence[str]) -> int:
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
    captures = [f"capture-{number}-{index}" for index in range(CAPTURES)]
    with tempfile.TemporaryDirectory(prefix="edc-bench-", ignore_cleanup_errors=True) as folder:
        play: Play
        if sender.is_ours:
            play = CapturePlay(
                engine, service, f"person-{number}@example.com", Path(folder), fault_seconds
            )
        else:
            play = SenderPlay(engine, sender, Path(folder), fault_seconds)
        try:
            SCENARIOS[scenario](play, captures)
            arrived = play.arrive(captures, _ARRIVAL_TIMEOUT_SECONDS)
            time.sleep(_DUPLICATES_WAIT_SECONDS)
            return CAPTURES - arrived, play.twice(captures)
        finally:
            play.end()
