"""Fixtures of the browser tests: the machine's Chromium, a site, and a visit to it before the real service."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.commands import BROWSERS
from tests.support.services import RunningService

QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def _without_browser(reason: str) -> None:
    if os.environ.get("EDC_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{reason}, and EDC_REQUIRE_BROWSER=1 asks for one")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The machine's Chromium, headless, started once."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        _without_browser("no Playwright to drive a browser with (pip install playwright)")
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=executable, args=list(QUIET))
        except Error as error:
            _without_browser(
                f"no Chromium that starts on this machine: {error.message.splitlines()[0]}"
            )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def _servers() -> Iterator[tuple[Any, Any]]:
    stage = pytest.importorskip("tests.browser.site")
    site, front = stage.Site(), stage.Front()
    yield site, front
    site.close()
    front.close()


@pytest.fixture
def site(_servers: tuple[Any, Any]) -> Any:
    """The web site that the pages are on: another origin than the service's."""
    _servers[0].requests.clear()
    return _servers[0]


@pytest.fixture
def front(_servers: tuple[Any, Any], capture_service: RunningService) -> Any:
    """A reverse proxy before the real service, where a test sees and steers what passes."""
    _servers[1].reset()
    _servers[1].service = capture_service.url
    return _servers[1]


@pytest.fixture
def visit(chromium: Any, site: Any, front: Any) -> Iterator[Any]:
    """A new visitor with an empty profile. At the end nothing may have been printed or thrown on their pages."""
    from tests.browser.site import Visit

    context = chromium.new_context()
    visit = Visit(context, site, front)
    yield visit
    visit.forget()
    context.close()
    assert visit.errors == [], "the page saw an error"
    assert visit.console == [], "something was printed"


@pytest.fixture
def page(visit: Any) -> Any:
    """The visitor's tab."""
    return visit.page


@pytest.fixture
def stored(visit: Any, capture_service: RunningService, user: str) -> Callable[..., Any]:
    """`stored("payment_data")`: the person's rows in that table, once there are any (or `count` of them)."""

    def rows(table: str, count: int = 1) -> list[dict[str, Any]]:
        def look() -> list[dict[str, Any]]:
            found = capture_service.rows(f"SELECT * FROM {table} WHERE user_email = ?", user)  # noqa: S608
            return found if len(found) >= count else []

        visit.hurry()
        found = visit.eventually(look, f"{count} row(s) of {user} in {table}")
        assert len(found) == count
        return list(found)

    return rows
