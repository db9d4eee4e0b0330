"""Nothing is lost and nothing stored twice, whatever happens to the network, the tab, the browser and the service."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.captures import CapturePlay
from tests.engines.engines import Engine
from tests.engines.scenario_runner import FAULT_SECONDS
from tests.engines.scenarios import CAPTURES, RUNS, SCENARIOS
from tests.support.services import RunningService

_PATIENCE_SECONDS = 30.0
_QUICK = ("down, save and leave at once", "down, browser killed", "stored, answer lost")
_RUNS = int(os.environ.get(RUNS, "0"))


@pytest.fixture
def play(
    engine: Engine, capture_service: RunningService, user: str, tmp_path: Path
) -> Iterator[CapturePlay]:
    """The script in a browser of its own, which may be killed; the quick suite does not wait the full time for the service."""
    play = CapturePlay(
        engine, capture_service, user, tmp_path, fault_seconds=FAULT_SECONDS if _RUNS else 1.0
    )
    yield play
    play.end()


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(name, marks=[pytest.mark.quick] if name in _QUICK else []) for name in SCENARIOS],
)
def test_every_capture_is_stored_once(scenario: str, play: CapturePlay) -> None:
    for run in range(_RUNS or 1):
        captures = [f"T{run}-{number}" for number in range(CAPTURES)]
        SCENARIOS[scenario](play, captures)
        assert play.arrive(captures, _PATIENCE_SECONDS) == CAPTURES, "captures were lost"
        assert play.twice(captures) == 0
        for tab in list(play.tabs):
            play.close(tab)
