"""What a proxy that adds nothing opens: nothing, once a setting says that others reach the installation."""

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
STRANGERS_HEALTH = {"status": "healthy", "service": "enhanced-data-capture"}
EXPOSING = {
    "EDC_TRUSTED_PROXIES": "1",
    "EDC_ALLOWED_ORIGINS": "local,https://www.example.com",
    "EDC_ALLOWED_HOSTS": "capture.example.com",
}


class PassThrough:
    """A reverse proxy of the plainest kind: it adds no header, and names the service as the address that it calls."""

    def __init__(self, port: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request(
                    "GET",
                    self.path,
                    headers={**dict(self.headers.items()), "Host": f"127.0.0.1:{port}"},
                )
                answer = connection.getresponse()
                body = answer.read()
                connection.close()
                self.send_response(answer.status)
                for name in ("Content-Type", "WWW-Authenticate", "Cache-Control"):
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
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
def nginx_before(service: RunningService, folder: Path) -> Iterator[str]:
    """The URL of a real nginx with `proxy_pass` and nothing else."""
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
        [program, "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", str(folder / "error.log")],
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: process.poll() is not None or answers(url), "nginx passes requests on")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


def answers(url: str) -> bool:
    try:
        return requests.get(url + HEALTH, timeout=2).ok
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module", params=EXPOSING)
def exposed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A capture service that one setting says others can reach."""
    setting = {request.param: EXPOSING[request.param]}
    running = capture_service_in(
        tmp_path_factory.mktemp("exposed"), EDC_ADMIN_TOKEN=TOKEN, **setting
    )
    running.start()
    yield running
    running.stop()


def stats(url: str, headers: dict[str, str] | None = None) -> requests.Response:
    return requests.get(f"{url}/api/data-capture/stats/a@example.com", headers=headers, timeout=10)


def assert_closed(url: str) -> None:
    """Without the token, nothing is told; the answer says how."""
    refused = stats(url)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert "Authorization: Bearer" in refused.json()["detail"]
    assert stats(url, {"Authorization": f"Bearer {TOKEN}x"}).status_code == 401
    for headers in (
        {},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer"},
        {"Authorization": "EDC-Health 1.2"},
    ):
        assert requests.get(url + HEALTH, headers=headers, timeout=10).json() == STRANGERS_HEALTH


def assert_open_with_token(url: str, service: RunningService) -> None:
    assert stats(url, ADMIN).json()["total_data_points"] == 0
    assert requests.get(url + HEALTH, headers=ADMIN, timeout=10).json()["database"] == str(
        service.database
    )


class TestAnExposedInstallation:
    def test_statistics_and_details_need_the_token_through_a_proxy_that_adds_nothing(
        self, exposed: RunningService
    ) -> None:
        with PassThrough(exposed.port) as url:
            assert_closed(url)
            assert_open_with_token(url, exposed)

    def test_so_they_do_through_nginx_with_a_plain_proxy_pass(
        self, exposed: RunningService, tmp_path: Path
    ) -> None:
        with nginx_before(exposed, tmp_path) as url:
            assert_closed(url)
            assert_open_with_token(url, exposed)

    def test_so_they_do_for_a_direct_caller(self, exposed: RunningService) -> None:
        assert_closed(exposed.url)
        assert_open_with_token(exposed.url, exposed)

    @pytest.mark.parametrize(
        "page",
        [
            {"Origin": "http://localhost:3000"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Origin": "https://www.example.com"},
        ],
    )
    def test_no_page_of_another_origin_reads_them_even_with_the_token(
        self, exposed: RunningService, page: dict[str, str]
    ) -> None:
        assert stats(exposed.url, {**ADMIN, **page}).status_code == 403
        health = requests.get(exposed.url + HEALTH, headers={**ADMIN, **page}, timeout=10)
        assert "database" not in health.json()


class TestAnInstallationForThisMachine:
    def test_the_token_opens_them_to_whoever_is_not_a_direct_caller(
        self, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        service = capture_service_in(tmp_path_factory.mktemp("alone"), EDC_ADMIN_TOKEN=TOKEN)
        service.start()
        try:
            passed_on = {"X-Forwarded-For": "192.0.2.1"}
            assert stats(service.url, passed_on).status_code == 403
            assert stats(service.url, {**passed_on, **ADMIN}).status_code == 200
            assert stats(service.url, {**passed_on, "Authorization": "Bearer x"}).status_code == 401
            health = requests.get(
                service.url + HEALTH, headers={**passed_on, **ADMIN}, timeout=10
            ).json()
            assert health["database"] == str(service.database)
        finally:
            service.stop()

    def test_nginx_as_it_comes_is_no_direct_caller(
        self, capture_service: RunningService, tmp_path: Path
    ) -> None:
        """Where it speaks HTTP/1.0 to the service, as it did by itself up to 1.29."""
        with nginx_before(capture_service, tmp_path) as url:
            version = subprocess.run(
                ["/usr/sbin/nginx", "-v"], capture_output=True, text=True, check=True
            ).stderr
            if tuple(map(int, version.strip().rpartition("/")[2].split()[0].split(".")[:2])) > (
                1,
                28,
            ):
                pytest.skip("this nginx may speak HTTP/1.1 by itself")
            assert stats(url).status_code == 403
            assert requests.get(url + HEALTH, timeout=10).json() == STRANGERS_HEALTH


@pytest.mark.parametrize(
    ("environment", "exposing"),
    [
        ({}, ()),
        ({"EDC_ALLOWED_ORIGINS": ""}, ()),
        (
            {
                "EDC_ALLOWED_ORIGINS": "local,file,http://localhost:3000,http://127.0.0.1,http://[::1]:80"
            },
            (),
        ),
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
def test_which_settings_say_that_others_reach_it(
    environment: dict[str, str], exposing: tuple[str, ...]
) -> None:
    assert exposing_settings(load_settings({}, environment)) == exposing


class TestProbes:
    """How our own programs have the details of an exposed service without the admin token."""

    def test_a_probe_opens_details_and_nothing_else(self, exposed: RunningService) -> None:
        headers = probe_headers(load_settings({"database": str(exposed.database)}, {}))
        assert requests.get(exposed.url + HEALTH, headers=headers, timeout=10).json()[
            "database"
        ] == str(exposed.database)
        assert stats(exposed.url, headers).status_code == 401
        export = f"{exposed.url}/api/data-capture/users/a@example.com/export"
        assert requests.get(export, headers=headers, timeout=10).status_code == 401

    def test_it_lasts_for_seconds_and_only_for_its_key(
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
        assert not is_probe(signed, key), "nobody signs for later than that"


@pytest.fixture(scope="module")
def exposed_both(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RunningService, RunningService]]:
    """Both services, behind a proxy."""
    folder = tmp_path_factory.mktemp("both")
    both = [of(folder, EDC_TRUSTED_PROXIES="1") for of in (capture_service_in, signup_service_in)]
    for one in both:
        one.start()
    yield both[0], both[1]
    for one in both:
        one.stop()


class TestOurOwnPrograms:
    def test_the_manager_knows_running_services_as_its_own(
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

    def test_it_uses_none_that_is_over_another_database(
        self,
        exposed_both: tuple[RunningService, RunningService],
        tmp_path_factory: pytest.TempPathFactory,
    ) -> None:
        port = exposed_both[0].port
        manager = RunningManager(tmp_path_factory.mktemp("another"), ports=(port, free_port()))
        try:
            assert manager.process.wait(timeout=15) == 1
            assert (
                f"Port {port} is used by a capture service with another database" in manager.output
            )
        finally:
            manager.clean_up()

    def test_doctor_and_the_live_check_work(
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
            "reachable through EDC_TRUSTED_PROXIES; statistics and health details need the admin token"
            in found
        )
        checked = subprocess.run(
            [sys.executable, str(REPOSITORY / "test_enhanced_data_capture.py"), "--live", capture.url],
            env={**os.environ, **installation.environment}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert checked.returncode == 0, checked.stderr
        assert "set EDC_ADMIN_TOKEN" in checked.stdout
        assert "Everything works." in checked.stdout

    def test_without_such_a_setting_doctor_says_that_it_is_for_this_machine(
        self, installation: Installation
    ) -> None:
        assert "access             for this machine alone\n" in installation.run("doctor").output
