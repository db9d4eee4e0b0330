"""Test that a page keeps working where every part of the browser fails at random.

Each run is a page with faults of its own, which its seed chooses: EDC_SEED=17 EDC_FAULT_RUNS=1
repeats run 17 alone. In the suite there are 40 runs; EDC_FAULT_RUNS=1000 makes more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.engines.engines import Engine
from tests.engines.faulty_pages import FaultyBrowser
from tests.support.services import RunningService

SEED = int(os.environ.get("EDC_SEED", "1"))
RUNS = int(os.environ.get("EDC_FAULT_RUNS", "40"))
_RUNS_AT_ONCE = 20


@pytest.fixture(scope="module")
def faulty_browser(
    engine: Engine, unlimited_service: RunningService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FaultyBrowser]:
    """A browser of its own, which may have to be killed."""
    browser = FaultyBrowser(engine, tmp_path_factory.mktemp("faulty"), unlimited_service)
    yield browser
    browser.close()


@pytest.mark.quick
@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize("first", range(SEED, SEED + RUNS, _RUNS_AT_ONCE))
def test_page_works_and_captures_arrive_although_the_browser_fails(
    first: int, faulty_browser: FaultyBrowser
) -> None:
    seeds = range(first, min(first + _RUNS_AT_ONCE, SEED + RUNS))
    runs = [run for run in faulty_browser.run(seeds) if run.faults]
    # On a busy machine a page waits for others: once more, with fewer of them.
    busy = [run.seed for run in runs if run.may_be_busy]
    faulty = [run for run in runs if not run.may_be_busy]
    faulty += [run for run in faulty_browser.run(busy) if run.faults] if busy else []
    assert not faulty, "\n".join(
        f"EDC_SEED={run.seed}: {'; '.join(run.faults)}\n    {run.modes}" for run in faulty
    )
