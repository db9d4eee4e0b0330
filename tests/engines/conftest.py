"""Fixtures: each engine that this run is about, and a stage in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines import packages
from tests.engines.browser import Browser
from tests.engines.engines import ASKED_FOR, Engine, asked_for
from tests.engines.servers import Gate, Shop
from tests.engines.site import Stage
from tests.support.services import RunningService

HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "quick: belongs to the quick suite; the rest is for python3 -m tests.engines"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a run of the whole suite only the quick ones of these tests take part; all do when they are asked for."""
    if ASKED_FOR in os.environ or any("engines" in argument for argument in config.args):
        return
    left_out = [
        item for item in items if HERE in item.path.parents and not item.get_closest_marker("quick")
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session", params=asked_for(), ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Engine:
    """An engine that is installed."""
    found: Engine = request.param
    if found.missing():
        if os.environ.get("EDC_REQUIRE_BROWSER") == "1":
            pytest.fail(f"{found.name}: {found.missing()}, and EDC_REQUIRE_BROWSER=1 asks for it")
        pytest.skip(f"{found.name}: {found.missing()}")
    return found


@pytest.fixture(scope="session")
def browser(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The engine, running, with one empty tab that keeps it open."""
    browser = engine.start(tmp_path_factory.mktemp(engine.name) / "profile")
    browser.open_tab()
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled application's folder, as esbuild makes it."""
    if packages.why_not():
        pytest.skip(f"the application can't be built: {packages.why_not()}")
    return packages.build(
        "esbuild", packages.APP / "src" / "main.js", tmp_path_factory.mktemp("application")
    ).parent


@pytest.fixture
def stage(
    engine: Engine, browser: Browser, capture_service: RunningService, user: str
) -> Iterator[Stage]:
    """A visit to a shop of its own: another port is another origin, so nothing is there from before."""
    shop, gate = Shop(), Gate()
    gate.service = capture_service.url
    stage = Stage(engine, browser, shop, gate, capture_service, user)
    yield stage
    for tab in stage.tabs:
        tab.close()
    shop.close()
    gate.close()


@pytest.fixture
def shopping(stage: Stage, application: Path) -> Any:
    """A stage with the bundled application."""
    stage.application = application
    return stage
