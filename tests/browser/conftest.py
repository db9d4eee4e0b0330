"""Fixtures: Chromium, a site, a proxy before the capture service, and a visit."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.commands import BROWSERS
from tests.support.services import RunningService

CHROMIUM_OPTIONS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def _skip_without_browser(reason: str) -> None:
    if os.environ.get("EDC_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{reason}, and EDC_REQUIRE_BROWSER=1 requires one")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Start the machine's Chromium, headless, once."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        _skip_without_browser("Playwright, which drives the browser, is not installed")
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=executable, args=list(CHROMIUM_OPTIONS)
            )
        except Error as error:
            _skip_without_browser(
                f"no Chromium starts on this machine: {error.message.splitlines()[0]}"
            )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def _servers() -> Iterator[tuple[Any, Any]]:
    servers = pytest.importorskip("tests.browser.site")
    site, proxy = servers.Site(), servers.ReverseProxy()
    yield site, proxy
    site.close()
    proxy.close()


@pytest.fixture
def site(_servers: tuple[Any, Any]) -> Any:
    """Return the web site of the pages. Its origin is not the service's."""
    _servers[0].requests.clear()
    return _servers[0]


@pytest.fixture(scope="module")
def _foreign_server() -> Iterator[Any]:
    server = pytest.importorskip("tests.browser.site").Site()
    yield server
    server.close()


@pytest.fixture
def foreign_server(_foreign_server: Any) -> Any:
    """Return a server of a third party, which must receive nothing."""
    _foreign_server.requests.clear()
    return _foreign_server


@pytest.fixture
def proxy(_servers: tuple[Any, Any], capture_service: RunningService) -> Any:
    """Return the proxy before the real service. It records and alters traffic."""
    _servers[1].reset()
    _servers[1].service = capture_service.url
    return _servers[1]


@pytest.fixture
def visit(chromium: Any, site: Any, proxy: Any) -> Iterator[Any]:
    """Begin a visit with an empty profile. Fail if its pages print or throw anything."""
    from tests.browser.site import Visit

    context = chromium.new_context()
    visit = Visit(context, site, proxy)
    yield visit
    visit.empty_queue()
    context.close()
    proxy.release_responses()
    assert visit.errors == [], "the page saw an error"
    assert visit.console == [], "something was printed"


@pytest.fixture
def page(visit: Any) -> Any:
    """Return the tab of the visit."""
    return visit.page


@pytest.fixture
def stored(visit: Any, capture_service: RunningService, user: str) -> Callable[..., Any]:
    """Return `stored(table, count=1)`, which waits for that many rows of the user."""

    def wait_for_rows(table: str, count: int = 1) -> list[dict[str, Any]]:
        def find_rows() -> list[dict[str, Any]]:
            found = capture_service.rows(f"SELECT * FROM {table} WHERE user_email = ?", user)  # noqa: S608
            return found if len(found) >= count else []

        visit.send_now()
        found = visit.eventually(find_rows, f"{count} row(s) of {user} in {table}")
        assert len(found) == count
        return list(found)

    return wait_for_rows
