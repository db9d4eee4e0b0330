"""Test who may read statistics and health details, directly and through bare proxies."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from data_capture.settings import load_settings
from data_capture.web.health_probe import is_probe, load_or_make_probe_key, probe_headers
from data_capture.web.read_access import exposing_settings
from tests.support.installations import CommandServer, Installation
from tests.support.managed import RunningManager
from tests.support.services import (
    REPOSITORY,
    RunningService,
    capture_service_in,
    eventually,
    free_port,
    signup_service_in,
)

TOKEN = "for-these-tests-0123456789abcdef0123"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
HEALTH = "/api/data-capture/health"
LOOPBACK_ORIGINS = "local,file,http://localhost:3000,http://127.0.0.1,http://[::1]:80"
PUBLIC_HEALTH = {"status": "healthy", "service": "enhanced-data-capture"}
EXPOSING = {
    "EDC_TRUSTED_PROXIES": "1",
    "EDC_ALLOWED_ORIGINS": "local,https://www.example.com",
    "EDC_ALLOWED_HOSTS": "capture.example.com",
}


class BareProxy:
    """A reverse proxy that adds no header and sends the service's own Host."""

    def __init__(self, port: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                connection.request(
                    "GET",
                    self.path,
                    headers={**dict(self.headers.items()), "Host": f"127.0.0.1:{port}"},
                )
                response = connection.getresponse()
                body = response.read()
                connection.close()
                self.send_response(response.status)
                for name in ("Content-Type", "WWW-Authenticate", "Cache-Control"):
                    if name in response.headers:
                        self.send_header(name, response.headers[name])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> str:
        return self.url

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def bare_nginx(service: RunningService, folder: Path) -> Iterator[str]:
    """Run nginx with only `proxy_pass`, and return its URL."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("there is no nginx on this machine")
    port = free_port()
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;"
        "events { worker_connections 64; }"
        f"http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port};"
        f" location / {{ proxy_pass {service.url}; }} }} }}"
    )
    process = subprocess.Popen(
        [program, "-c", str(folder / "nginx.conf"), "-p", str(folder),
         "-e", str(folder / "error.log")],
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(
            lambda: process.poll() is not None or is_reachable(url), "nginx forwards requests"
        )
        yield url
    finally:
        process.terminate()
        process.wait(timeout=60)


def is_reachable(url: str) -> bool:
    try:
        return requests.get(url + HEALTH, timeout=2).ok
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module", params=EXPOSING)
def exposed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A capture service that other machines reach, according to one setting."""
    setting = {request.param: EXPOSING[request.param]}
    running = capture_service_in(
        tmp_path_factory.mktemp("exposed"), EDC_ADMIN_TOKEN=TOKEN, **setting
    )
    running.start()
    yield running
    running.stop()


def stats(url: str, headers: dict[str, str] | None = None) -> requests.Response:
    return requests.get(f"{url}/api/data-capture/stats/a@example.com", headers=headers, timeout=30)


def assert_token_required(url: str) -> None:
    """Assert that statistics and details need the token, and that the 401 says so."""
    rejected = stats(url)
    assert rejected.status_code == 401
    assert rejected.headers["WWW-Authenticate"] == "Bearer"
    assert rejected.headers["Content-Type"] == "application/problem+json"
    assert "Authorization: Bearer" in rejected.json()["detail"]
    assert stats(url, {"Authorization": f"Bearer {TOKEN}x"}).status_code == 401
    for headers in (
        {},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer"},
        {"Authorization": "EDC-Health 1.2"},
    ):
        assert requests.get(url + HEALTH, headers=headers, timeout=30).json() == PUBLIC_HEALTH


def assert_readable_with_token(url: str, service: RunningService) -> None:
    assert stats(url, ADMIN).json()["total_data_points"] == 0
    assert requests.get(url + HEALTH, headers=ADMIN, timeout=30).json()["database"] == str(
        service.database
    )


class TestExposedInstallation:
    @pytest.mark.slow(quick_cases=1)
    def test_statistics_and_details_need_the_token_through_a_bare_proxy(
        self, exposed: RunningService
    ) -> None:
        with BareProxy(exposed.port) as url:
            assert_token_required(url)
            assert_readable_with_token(url, exposed)

    @pytest.mark.slow(quick_cases=1)
    def test_statistics_and_details_need_the_token_through_bare_nginx(
        self, exposed: RunningService, tmp_path: Path
    ) -> None:
        with bare_nginx(exposed, tmp_path) as url:
            assert_token_required(url)
            assert_readable_with_token(url, exposed)

    def test_statistics_and_details_need_the_token_from_a_direct_caller(
        self, exposed: RunningService
    ) -> None:
        assert_token_required(exposed.url)
        assert_readable_with_token(exposed.url, exposed)

    @pytest.mark.parametrize(
        "page",
        [
            {"Origin": "http://localhost:3000"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Origin": "https://www.example.com"},
        ],
    )
    def test_pages_of_other_origins_cannot_read_even_with_the_token(
        self, exposed: RunningService, page: dict[str, str]
    ) -> None:
        assert stats(exposed.url, {**ADMIN, **page}).status_code == 403
        health = requests.get(exposed.url + HEALTH, headers={**ADMIN, **page}, timeout=30)
        assert "database" not in health.json()


class TestLocalInstallation:
    @pytest.mark.slow
    def test_forwarded_caller_reads_statistics_and_details_with_the_token(
        self, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        service = capture_service_in(tmp_path_factory.mktemp("alone"), EDC_ADMIN_TOKEN=TOKEN)
        service.start()
        try:
            forwarded = {"X-Forwarded-For": "192.0.2.1"}
            assert stats(service.url, forwarded).status_code == 403
            assert stats(service.url, {**forwarded, **ADMIN}).status_code == 200
            assert stats(service.url, {**forwarded, "Authorization": "Bearer x"}).status_code == 401
            health = requests.get(
                service.url + HEALTH, headers={**forwarded, **ADMIN}, timeout=30
            ).json()
            assert health["database"] == str(service.database)
        finally:
            service.stop()

    def test_bare_nginx_is_not_a_direct_caller(
        self, capture_service: RunningService, tmp_path: Path
    ) -> None:
        """By default, nginx up to 1.29 sends HTTP/1.0 to the service."""
        with bare_nginx(capture_service, tmp_path) as url:
            version = subprocess.run(
                ["/usr/sbin/nginx", "-v"], capture_output=True, text=True, check=True
            ).stderr
            number = version.strip().rpartition("/")[2].split()[0]
            if tuple(map(int, number.split(".")[:2])) > (1, 28):
                pytest.skip("this nginx may send HTTP/1.1 by default")
            assert stats(url).status_code == 403
            assert requests.get(url + HEALTH, timeout=30).json() == PUBLIC_HEALTH


@pytest.mark.parametrize(
    ("environment", "exposing"),
    [
        ({}, ()),
        ({"EDC_ALLOWED_ORIGINS": ""}, ()),
        ({"EDC_ALLOWED_ORIGINS": LOOPBACK_ORIGINS}, ()),
        ({"EDC_HOST": "::1"}, ()),
        ({"EDC_HOST": "127.0.0.2"}, ()),
        ({"EDC_HOST": "0.0.0.0"}, ("EDC_HOST",)),  # noqa: S104
        ({"EDC_HOST": "::"}, ("EDC_HOST",)),
        ({"EDC_HOST": "myserver"}, ("EDC_HOST",)),
        ({"EDC_ALLOWED_ORIGINS": "http://192.168.0.2"}, ("EDC_ALLOWED_ORIGINS",)),
        ({"EDC_ALLOWED_ORIGINS": "http://localhost.evil.example"}, ("EDC_ALLOWED_ORIGINS",)),
        (
            {"EDC_ALLOWED_HOSTS": "capture.example.com", "EDC_TRUSTED_PROXIES": "2"},
            ("EDC_ALLOWED_HOSTS", "EDC_TRUSTED_PROXIES"),
        ),
    ],
)
def test_exposing_settings_are_recognised(
    environment: dict[str, str], exposing: tuple[str, ...]
) -> None:
    assert exposing_settings(load_settings({}, environment)) == exposing


class TestHealthProbes:
    """The product's own programs read health details of an exposed service with a probe."""

    def test_probe_reads_health_details_and_nothing_else(self, exposed: RunningService) -> None:
        headers = probe_headers(load_settings({"database": str(exposed.database)}, {}))
        assert requests.get(exposed.url + HEALTH, headers=headers, timeout=30).json()[
            "database"
        ] == str(exposed.database)
        assert stats(exposed.url, headers).status_code == 401
        export = f"{exposed.url}/api/data-capture/users/a@example.com/export"
        assert requests.get(export, headers=headers, timeout=30).status_code == 401

    def test_probe_expires_and_is_bound_to_its_key(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings = load_settings({"database": str(tmp_path / "trading_bots.db")}, {})
        assert probe_headers(settings) == {}
        key = load_or_make_probe_key(settings)
        signed = probe_headers(settings)["Authorization"]
        assert is_probe(signed, key)
        assert not is_probe(signed, b"x" * 32)
        assert not is_probe(signed.replace("EDC-Health 1", "EDC-Health 2"), key)
        assert not is_probe(signed + " ", key)
        now = [int(signed.split()[1].partition(".")[0])]
        monkeypatch.setattr("data_capture.web.health_probe.time.time", lambda: now[0] + 1)
        assert not is_probe(signed, key)
        monkeypatch.setattr("data_capture.web.health_probe.time.time", lambda: now[0] - 60)
        assert not is_probe(signed, key), "a probe from the future is invalid"


@pytest.fixture(scope="module")
def exposed_both(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RunningService, RunningService]]:
    """Both services, configured for a proxy."""
    folder = tmp_path_factory.mktemp("both")
    both = [of(folder, EDC_TRUSTED_PROXIES="1") for of in (capture_service_in, signup_service_in)]
    for one in both:
        one.start()
    yield both[0], both[1]
    for one in both:
        one.stop()


class TestProductPrograms:
    @pytest.mark.slow
    def test_manager_recognises_its_running_services(
        self, exposed_both: tuple[RunningService, RunningService]
    ) -> None:
        ports = exposed_both[0].port, exposed_both[1].port
        manager = RunningManager(
            exposed_both[0].database.parent, "--trusted-proxies", "1", ports=ports
        )
        try:
            manager.wait_until_running()
            assert "The capture service was running already" in manager.output
            assert "The signup service was running already" in manager.output
            assert (
                "(EDC_TRUSTED_PROXIES): statistics and health details need the admin token."
                in manager.output
            )
        finally:
            manager.clean_up()

    @pytest.mark.slow
    def test_manager_rejects_a_service_with_another_database(
        self,
        exposed_both: tuple[RunningService, RunningService],
        tmp_path_factory: pytest.TempPathFactory,
    ) -> None:
        port = exposed_both[0].port
        manager = RunningManager(tmp_path_factory.mktemp("another"), ports=(port, free_port()))
        try:
            assert manager.process.wait(timeout=30) == 1
            assert (
                f"Port {port} is used by a capture service with another database" in manager.output
            )
        finally:
            manager.clean_up()

    @pytest.mark.slow
    def test_doctor_and_live_check_work_on_an_exposed_installation(
        self, exposed_both: tuple[RunningService, RunningService], server: CommandServer
    ) -> None:
        capture, signup = exposed_both
        folder = capture.database.parent
        installation = Installation(folder, server)
        installation.capture_port, installation.signup_port = capture.port, signup.port
        found = server.run(
            ["doctor"], {**installation.environment, "EDC_TRUSTED_PROXIES": "1"}, folder, 0, 0
        ).output
        assert f"the capture service at {capture.port} (process " in found
        assert (
            "reachable through EDC_TRUSTED_PROXIES; "
            "statistics and health details need the admin token"
        ) in found
        checked = subprocess.run(
            [
                sys.executable,
                str(REPOSITORY / "test_enhanced_data_capture.py"),
                "--live",
                capture.url,
            ],
            env={**os.environ, **installation.environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert checked.returncode == 0, checked.stderr
        assert "set EDC_ADMIN_TOKEN" in checked.stdout
        assert "Everything works." in checked.stdout

    @pytest.mark.slow
    def test_doctor_reports_an_installation_for_this_machine_alone(
        self, installation: Installation
    ) -> None:
        assert "access             for this machine alone\n" in installation.run("doctor").output
