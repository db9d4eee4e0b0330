"""Fixtures: a page with its running server, behind a new proxy."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

import pytest

from bench.installing import NotInstalled
from tests.engines.frameworks.pages import FrameworkPage
from tests.engines.frameworks.servers import PageProxy, PageServer
from tests.engines.visit import Visit

_MAX_SHOWN_CHARACTERS = 300


@pytest.fixture(scope="session")
def page_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[FrameworkPage], PageServer]]:
    """Return a page's running server, which is started when it is first asked for."""
    folder = tmp_path_factory.mktemp("page-servers")
    running: dict[str, PageServer] = {}

    def server_of(page: FrameworkPage) -> PageServer:
        if page.name not in running:
            output = folder / f"{page.name}.output"
            running[page.name] = PageServer(page.prepare(folder), page.folder, output)
        return running[page.name]

    yield server_of
    for server in running.values():
        server.stop()


@pytest.fixture
def page_proxy(
    page: FrameworkPage, visit: Visit, page_server: Callable[[FrameworkPage], PageServer]
) -> Iterator[PageProxy]:
    """A new site with the page; no cookie of it is left for the next test."""
    try:
        server = page_server(page)
    except NotInstalled as error:
        if os.environ.get(page.required_by) == "1":
            pytest.fail(f"{error}, and {page.required_by}=1 requires it")
        pytest.skip(f"{page.name}: {error}")
    page_proxy = PageProxy(server)
    yield page_proxy
    _print_requests(page_proxy, visit)
    visit.open_tab().goto(page_proxy.forget_cookies_url)
    page_proxy.close()


def _print_requests(page_proxy: PageProxy, visit: Visit) -> None:
    """Print what the page sent and what was captured; pytest shows it if the test fails."""
    for request in page_proxy.saved:
        if request.method != "GET":
            headers = {name.lower(): value for name, value in request.headers.items()}
            content_type = headers.get("content-type")
            print(f"{request.method} {request.path}?{request.query} ({content_type})")
            print(f"    {request.text[:_MAX_SHOWN_CHARACTERS]}")
    for capture in visit.proxy.captures():
        print(f"captured: {json.dumps(capture)}")
