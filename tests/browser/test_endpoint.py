"""Test the endpoint: captures go to the capture service and to no other server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route

from tests.browser.site import SCRIPT
from tests.support.services import REPOSITORY, RunningService, capture_service_in

SAVES = (
    "<script>async function savePaymentToSupabase() {}</script>"
    "<script>savePaymentToSupabase({transaction_id: 'T'})</script>"
)
HEALTH = "/api/data-capture/health"


def html_with(source: str, user: str, attributes: str = "") -> str:
    """Return a page that loads the script, has a signed-in user, and saves a payment."""
    signed_in = f'<script>window.currentUser = {{email: "{user}"}}</script>'
    return f'<!doctype html><body><script src="{source}" {attributes}></script>{signed_in}{SAVES}'


@pytest.mark.slow
def test_captures_go_to_the_service_that_served_the_script_without_a_probe(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, tag='data-endpoint="http://127.0.0.1:1"', user=user)
    assert len(stored("payment_data")) == 1
    assert proxy.requests == [f"GET /{SCRIPT}", "POST /api/data-capture/payment"]


@pytest.mark.slow
def test_path_prefix_of_a_reverse_proxy_is_kept(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    proxy.prefix = "/second-copy"
    visit.open(SAVES, service=proxy.url + proxy.prefix, user=user)
    assert len(stored("payment_data")) == 1
    assert proxy.requests[-1] == "POST /second-copy/api/data-capture/payment"


def test_script_served_as_a_file_sends_to_the_endpoint_in_its_tag(
    visit: Any, proxy: Any, site: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, service=f"{site.url}/static", tag=f'data-endpoint="{proxy.url}/"', user=user)
    assert len(stored("payment_data")) == 1
    assert not [line for line in site.requests + proxy.requests if HEALTH in line]


@pytest.mark.slow
def test_script_served_as_a_file_sends_to_the_configured_endpoint(
    visit: Any, proxy: Any, site: Any, stored: Any, user: str
) -> None:
    before = f"<script>window.enhancedDataCaptureConfig = {{endpoint: '{proxy.url}'}}</script>"
    visit.open(SAVES, service=f"{site.url}/static", before=before, user=user)
    assert len(stored("payment_data")) == 1


@pytest.mark.slow
def test_service_behind_a_proxy_that_drops_server_timing_gets_the_captures(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    proxy.sends_server_timing = False
    visit.open(SAVES, user=user)
    assert len(stored("payment_data")) == 1
    assert not [line for line in proxy.requests if HEALTH in line]


@pytest.mark.slow
def test_script_in_the_files_of_a_site_sends_to_port_5003_of_its_host(
    visit: Any, site: Any, proxy: Any, stored: Any, user: str
) -> None:
    requests: list[str] = []

    def forward_to_proxy(route: Route) -> None:
        requests.append(f"{route.request.method} {route.request.url}")
        route.fulfill(
            response=route.fetch(url=route.request.url.replace("http://localhost:5003", proxy.url))
        )

    visit.page.route("http://localhost:5003/**", forward_to_proxy)
    visit.open(SAVES, service=f"{site.url}/static", user=user)
    assert len(stored("payment_data")) == 1
    assert visit.flush() == {"success": True}
    assert requests == ["POST http://localhost:5003/api/data-capture/payment"]
    assert not [line for line in site.requests if line.startswith("POST")]


def test_captures_wait_in_the_queue_while_no_service_is_found(
    visit: Any, site: Any, proxy: Any, user: str
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
    assert proxy.received == []


@pytest.fixture(scope="module")
def service_for_file_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Run a capture service that accepts pages from disk."""
    running = capture_service_in(tmp_path_factory.mktemp("disk"), EDC_ALLOWED_ORIGINS="local,file")
    running.start()
    yield running
    running.stop()


def payments_of(user: str, service: RunningService, visit: Any) -> list[dict[str, Any]]:
    """Wait for payments of the user and return them."""
    visit.send_now()
    statement = "SELECT * FROM payment_data WHERE user_email = ?"
    found: list[dict[str, Any]] = visit.eventually(
        lambda: service.rows(statement, user), f"a payment of {user}"
    )
    return found


@pytest.mark.slow
def test_page_from_disk_is_rejected_by_default(
    visit: Any, proxy: Any, capture_service: RunningService, user: str, tmp_path: Path
) -> None:
    html = html_with(f"{proxy.url}/{SCRIPT}", user, "crossorigin")
    (tmp_path / "page.html").write_text(html)
    visit.page.goto((tmp_path / "page.html").as_uri())
    visit.send_now()
    visit.eventually(lambda: proxy.received, "the capture was sent")
    assert visit.flush()["success"] is False
    assert capture_service.rows("SELECT * FROM users WHERE email = ?", user) == []
    visit.console.clear()  # the browser prints there what CORS refuses


@pytest.mark.slow
def test_page_from_disk_sends_to_this_machine(
    visit: Any, proxy: Any, service_for_file_pages: RunningService, user: str, tmp_path: Path
) -> None:
    proxy.service = service_for_file_pages.url
    shutil.copy(REPOSITORY / SCRIPT, tmp_path)
    (tmp_path / "page.html").write_text(html_with(SCRIPT, user))
    visit.page.route(
        "http://127.0.0.1:5003/**",
        lambda route: route.fulfill(
            response=route.fetch(url=route.request.url.replace("http://127.0.0.1:5003", proxy.url))
        ),
    )
    visit.page.goto((tmp_path / "page.html").as_uri())
    assert len(payments_of(user, service_for_file_pages, visit)) == 1
    assert visit.flush() == {"success": True}


@pytest.mark.slow
def test_page_from_disk_sends_to_the_service_in_its_tag(
    visit: Any, proxy: Any, service_for_file_pages: RunningService, user: str, tmp_path: Path
) -> None:
    proxy.service = service_for_file_pages.url
    html = html_with(f"{proxy.url}/{SCRIPT}", user, "crossorigin")
    (tmp_path / "page.html").write_text(html)
    visit.page.goto((tmp_path / "page.html").as_uri())
    assert len(payments_of(user, service_for_file_pages, visit)) == 1
    assert visit.flush() == {"success": True}
    headers = {name.lower(): value for name, value in proxy.received[0].headers.items()}
    assert headers["origin"] == "null"


def test_script_imported_as_a_module_finds_its_tag(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(
        "<script>async function savePaymentToSupabase() {}"
        "document.querySelector('script').remove()</script>"
        f'<script type="module" src="{proxy.url}/{SCRIPT}"></script>'
        "<script type='module'>savePaymentToSupabase({transaction_id: 'T'})</script>",
        tag='type="text/plain"',
        user=user,
    )
    assert len(stored("payment_data")) == 1


@pytest.mark.slow
def test_script_imported_by_another_module_uses_the_configuration(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(
        f"<script>window.enhancedDataCaptureConfig = {{endpoint: '{proxy.url}'}};"
        "document.querySelector('script[src]').remove()</script>"
        f"<script type='module'>import '{proxy.url}/{SCRIPT}';"
        "await enhancedDataCapture.capturePaymentData({})</script>",
        tag='type="text/plain"',
        user=user,
    )
    assert len(stored("payment_data")) == 1
