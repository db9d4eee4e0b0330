"""Captures go to the capture service and to nobody else, wherever the script itself came from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route

from tests.browser.site import SCRIPT
from tests.support.services import REPOSITORY, RunningService, capture_service_in

SAVES = "<script>async function savePaymentToSupabase() {}</script><script>savePaymentToSupabase({transaction_id: 'T'})</script>"
HEALTH = "/api/data-capture/health"


def test_a_service_that_served_the_script_gets_the_captures_without_being_asked(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, tag='data-endpoint="http://127.0.0.1:1"', user=user)
    assert len(stored("payment_data")) == 1
    assert front.requests == [f"GET /{SCRIPT}", "POST /api/data-capture/payment"]


def test_a_path_of_a_reverse_proxy_is_kept(visit: Any, front: Any, stored: Any, user: str) -> None:
    front.prefix = "/second-copy"
    visit.open(SAVES, service=front.url + front.prefix, user=user)
    assert len(stored("payment_data")) == 1
    assert front.requests[-1] == "POST /second-copy/api/data-capture/payment"


def test_a_script_served_as_a_file_sends_to_the_tags_endpoint(
    visit: Any, front: Any, site: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, service=f"{site.url}/static", tag=f'data-endpoint="{front.url}/"', user=user)
    assert len(stored("payment_data")) == 1
    assert not [line for line in site.requests + front.requests if HEALTH in line]


def test_an_endpoint_from_the_pages_configuration_counts_too(
    visit: Any, front: Any, site: Any, stored: Any, user: str
) -> None:
    before = f"<script>window.enhancedDataCaptureConfig = {{endpoint: '{front.url}'}}</script>"
    visit.open(SAVES, service=f"{site.url}/static", before=before, user=user)
    assert len(stored("payment_data")) == 1


def test_a_service_on_another_origin_whose_proxy_drops_the_header_gets_the_captures_too(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    front.announces_itself = False
    visit.open(SAVES, user=user)
    assert len(stored("payment_data")) == 1
    assert not [line for line in front.requests if HEALTH in line]


def test_a_file_of_the_sites_own_sends_to_port_5003_of_the_pages_host(
    visit: Any, site: Any, front: Any, stored: Any, user: str
) -> None:
    asked: list[str] = []

    def port_5003(route: Route) -> None:
        asked.append(f"{route.request.method} {route.request.url}")
        route.fulfill(
            response=route.fetch(url=route.request.url.replace("http://localhost:5003", front.url))
        )

    visit.page.route("http://localhost:5003/**", port_5003)
    visit.open(SAVES, service=f"{site.url}/static", user=user)
    assert len(stored("payment_data")) == 1
    assert visit.flush() == {"success": True}
    assert asked == ["POST http://localhost:5003/api/data-capture/payment"]
    assert not [line for line in site.requests if line.startswith("POST")]


def test_as_long_as_no_service_is_found_nothing_is_sent_anywhere(
    visit: Any, site: Any, front: Any, user: str
) -> None:
    visit.page.route("http://localhost:5003/**", lambda route: route.abort())
    visit.open(SAVES, service=f"{site.url}/static", user=user)
    assert visit.flush() == {"success": False, "queued": True, "waiting": 1}
    assert visit.run("enhancedDataCapture.capturePaymentData({})") == {
        "success": False,
        "queued": True,
    }
    assert (
        visit.run("enhancedDataCapture.healthCheck().then(({status}) => status)") == "unreachable"
    )
    assert not [line for line in site.requests if line.startswith("POST")]
    assert front.posts == []


@pytest.fixture(scope="module")
def takes_file_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A capture service that was told to take pages opened from disk."""
    running = capture_service_in(tmp_path_factory.mktemp("disk"), EDC_ALLOWED_ORIGINS="local,file")
    running.start()
    yield running
    running.stop()


def payments_of(user: str, service: RunningService, visit: Any) -> list[dict[str, Any]]:
    """The person's payments, once there are any."""
    visit.hurry()
    statement = "SELECT * FROM payment_data WHERE user_email = ?"
    found: list[dict[str, Any]] = visit.eventually(
        lambda: service.rows(statement, user), f"a payment of {user}"
    )
    return found


def test_a_page_opened_from_disk_is_refused_where_nothing_says_otherwise(
    visit: Any, front: Any, capture_service: RunningService, user: str, tmp_path: Path
) -> None:
    html = f'<script src="{front.url}/{SCRIPT}" crossorigin></script><script>window.currentUser = {{email: "{user}"}}</script>'
    (tmp_path / "page.html").write_text(f"<!doctype html><body>{html}{SAVES}")
    visit.page.goto((tmp_path / "page.html").as_uri())
    visit.hurry()
    visit.eventually(lambda: front.posts, "the capture was sent")
    assert visit.flush()["success"] is False
    assert capture_service.rows("SELECT * FROM users WHERE email = ?", user) == []
    visit.console.clear()  # the browser itself notes there what CORS refuses


def test_a_page_opened_from_disk_sends_to_this_machine(
    visit: Any, front: Any, takes_file_pages: RunningService, user: str, tmp_path: Path
) -> None:
    front.service = takes_file_pages.url
    shutil.copy(REPOSITORY / SCRIPT, tmp_path)
    html = f'<script src="{SCRIPT}"></script><script>window.currentUser = {{email: "{user}"}}</script>{SAVES}'
    (tmp_path / "page.html").write_text(f"<!doctype html><body>{html}")
    visit.page.route(
        "http://127.0.0.1:5003/**",
        lambda route: route.fulfill(
            response=route.fetch(url=route.request.url.replace("http://127.0.0.1:5003", front.url))
        ),
    )
    visit.page.goto((tmp_path / "page.html").as_uri())
    assert len(payments_of(user, takes_file_pages, visit)) == 1
    assert visit.flush() == {"success": True}


def test_a_page_opened_from_disk_reaches_the_service_that_its_tag_names(
    visit: Any, front: Any, takes_file_pages: RunningService, user: str, tmp_path: Path
) -> None:
    front.service = takes_file_pages.url
    html = f'<script src="{front.url}/{SCRIPT}" crossorigin></script><script>window.currentUser = {{email: "{user}"}}</script>'
    (tmp_path / "page.html").write_text(f"<!doctype html><body>{html}{SAVES}")
    visit.page.goto((tmp_path / "page.html").as_uri())
    assert len(payments_of(user, takes_file_pages, visit)) == 1
    assert visit.flush() == {"success": True}
    assert {name.lower(): value for name, value in front.posts[0].headers.items()}[
        "origin"
    ] == "null"


def test_imported_as_a_module_it_finds_its_own_tag(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(
        f"<script>async function savePaymentToSupabase() {{}}; document.querySelector('script').remove()</script>"
        f'<script type="module" src="{front.url}/{SCRIPT}"></script>'
        "<script type='module'>savePaymentToSupabase({transaction_id: 'T'})</script>",
        tag='type="text/plain"',
        user=user,
    )
    assert len(stored("payment_data")) == 1


def test_imported_by_another_module_it_uses_the_pages_configuration(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(
        f"<script>window.enhancedDataCaptureConfig = {{endpoint: '{front.url}'}};"
        "document.querySelector('script[src]').remove()</script>"
        f"<script type='module'>import '{front.url}/{SCRIPT}'; await enhancedDataCapture.capturePaymentData({{}})</script>",
        tag='type="text/plain"',
        user=user,
    )
    assert len(stored("payment_data")) == 1
