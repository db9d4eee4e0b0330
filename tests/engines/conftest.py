"""Fixtures: the requested engines, their browsers, and a visit to the shop."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import packages
from tests.engines.browser import Browser
from tests.engines.engines import ENGINES_VARIABLE, Engine, requested_engines
from tests.engines.servers import FaultProxy, Shop
from tests.engines.visit import Visit
from tests.support.node_packages import APP
from tests.support.services import RunningService, capture_service_in

HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "quick: runs in the whole suite; python3 -m tests.engines runs the others, too"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect all but the quick tests of this folder, unless the folder was asked for."""
    if ENGINES_VARIABLE in os.environ or any("engines" in argument for argument in config.args):
        return
    deselected = [
        item for item in items if HERE in item.path.parents and not item.get_closest_marker("quick")
    ]
    config.hook.pytest_deselected(items=deselected)
    items[:] = [item for item in items if item not in deselected]


@pytest.fixture(scope="session")
def _capture_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service for all tests of this folder; each case of a table has users of its own."""
    service = capture_service_in(
        tmp_path_factory.mktemp("engines-service"), EDC_NEW_USERS_PER_CALLER="100000/hour"
    )
    yield service
    service.stop()


@pytest.fixture(scope="session", params=requested_engines(), ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Engine:
    """An installed engine."""
    requested: Engine = request.param
    reason = requested.missing()
    if reason and os.environ.get("EDC_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{requested.name}: {reason}, and EDC_REQUIRE_BROWSER=1 requires it")
    if reason:
        pytest.skip(f"{requested.name}: {reason}")
    return requested


@pytest.fixture(scope="session")
def browser(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The engine's running browser; an empty tab keeps it open."""
    browser = engine.start(tmp_path_factory.mktemp(engine.name) / "profile")
    browser.open_tab()
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the application, bundled with esbuild."""
    if packages.missing():
        pytest.skip(f"the application can't be built: {packages.missing()}")
    return packages.build(
        "esbuild", APP / "src" / "main.js", tmp_path_factory.mktemp("application")
    ).parent


@pytest.fixture(scope="module")
def unlimited_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service without limits of rates, whose database has only the rows of one test file."""
    limits = ("RATE_PER_CALLER", "RATE_PER_PERSON", "BYTES_PER_CALLER", "NEW_USERS_PER_CALLER")
    service = capture_service_in(
        tmp_path_factory.mktemp("unlimited"), **{f"EDC_{name}": "" for name in limits}
    )
    service.start()
    yield service
    service.stop()


@pytest.fixture
def visit(
    engine: Engine, browser: Browser, capture_service: RunningService, user: str
) -> Iterator[Visit]:
    """A visit to a new shop.

    Its port is new, so its origin is new, and no storage is left from earlier tests.
    """
    shop, proxy = Shop(), FaultProxy()
    proxy.service = capture_service.url
    visit = Visit(engine, browser, shop, proxy, capture_service, user)
    yield visit
    for tab in visit.tabs:
        tab.close()
    shop.close()
    proxy.close()


@pytest.fixture
def application_visit(visit: Visit, application: Path) -> Visit:
    """A visit to a shop that has the bundled application."""
    visit.application = application
    return visit
