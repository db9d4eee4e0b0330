"""Test that faults of network, tab, browser and service lose and duplicate no capture."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.engines import Engine
from tests.engines.harness import FAULT_SECONDS
from tests.engines.scenarios import CAPTURES_PER_RUN, RUNS_VARIABLE, SCENARIOS
from tests.engines.script_harness import ScriptHarness
from tests.support.services import RunningService

_PATIENCE_SECONDS = 30.0
_QUICK_SCENARIOS = (
    "down, save and leave at once",
    "down, browser killed",
    "stored, response lost",
)
_QUICK_FAULT_SECONDS = 1.0
_RUNS = int(os.environ.get(RUNS_VARIABLE, "0"))  # 0 in the whole suite


@pytest.fixture
def harness(
    engine: Engine, capture_service: RunningService, user: str, tmp_path: Path
) -> Iterator[ScriptHarness]:
    """The script in a browser of its own, which may be killed."""
    fault_seconds = FAULT_SECONDS if _RUNS else _QUICK_FAULT_SECONDS
    harness = ScriptHarness(engine, capture_service, user, tmp_path, fault_seconds)
    yield harness
    harness.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(name, marks=[pytest.mark.quick] if name in _QUICK_SCENARIOS else [])
        for name in SCENARIOS
    ],
)
def test_every_capture_is_stored_once_despite_the_fault(
    scenario: str, harness: ScriptHarness
) -> None:
    for run in range(_RUNS or 1):
        captures = [f"T{run}-{number}" for number in range(CAPTURES_PER_RUN)]
        SCENARIOS[scenario](harness, captures)
        stored = harness.wait_until_stored(captures, _PATIENCE_SECONDS)
        assert stored == CAPTURES_PER_RUN, "captures were lost"
        assert harness.count_duplicates(captures) == 0
        for tab in list(harness.tabs):
            harness.close_tab(tab)
