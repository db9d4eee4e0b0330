"""Test which callers may read statistics and health details."""

from __future__ import annotations

import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient

from data_capture.settings import Settings, load_settings
from data_capture.store.sqlite.schema import prepare
from enhanced_data_capture_system import create_app
from tests.support.services import RunningService

PAYMENT = "/api/data-capture/payment"
INDIRECT = [
    {"Origin": "http://localhost:3000"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Referer": "http://localhost:3000/"},
    {"X_Forwarded_For": "192.0.2.1"},
    {"X-Forwarded": "192.0.2.1"},
    {"Client-IP": "192.0.2.1"},
    {"X-Envoy-External-Address": "192.0.2.1"},
    {"X-Request-Id": "0f1e2d"},
    {"Proxy-Connection": "keep-alive"},
    {"Max-Forwards": "9"},
    {"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
    {"CDN-Loop": "cdn"},
    {"Host": "localhost:8080"},
    {"Host": "127.0.0.1:80"},
    {"Host": "localhost."},
    {"Forwarded": "for=192.0.2.1"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-Host": "localhost"},
    {"X-Forwarded-Proto": "https"},
    {"X-Forwarded-Port": "443"},
    {"X-Real-IP": "127.0.0.1"},
    {"Via": "1.1 proxy"},
    {"CF-Connecting-IP": "192.0.2.1"},
]


_ADDRESS_BAR = {
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-User": "?1",
    "Sec-Fetch-Dest": "document",
    "Upgrade-Insecure-Requests": "1",
    "Accept-Language": "en-US,en;q=0.9",
}
DIRECT = [
    {"User-Agent": "Chromium", **_ADDRESS_BAR, "sec-ch-ua": '"Chromium";v="156"',
     "sec-ch-ua-mobile": "?0", "sec-ch-ua-platform": '"Linux"', "Cache-Control": "max-age=0",
     "Cookie": "a=b", "If-None-Match": '"x"'},
    {"User-Agent": "Firefox", **_ADDRESS_BAR, "DNT": "1", "Sec-GPC": "1", "Priority": "u=0, i",
     "Pragma": "no-cache", "Connection": "keep-alive"},
    {"User-Agent": "node", "Accept": "*/*", "Accept-Language": "*", "Sec-Fetch-Mode": "cors",
     "Connection": "keep-alive"},
    {"User-Agent": "Wget", "Accept-Encoding": "identity", "Connection": "Keep-Alive"},
    {"User-Agent": "libwww-perl", "TE": "deflate,gzip;q=0.3", "Connection": "TE, close"},
]  # fmt: skip


class TestReading:
    def test_direct_local_caller_reads_statistics_and_details(
        self, capture_service: RunningService, user: str
    ) -> None:
        assert (
            requests.get(
                f"{capture_service.url}/api/data-capture/stats/{user}", timeout=30
            ).status_code
            == 200
        )
        health = requests.get(f"{capture_service.url}/api/data-capture/health", timeout=30).json()
        assert health["status"] == "healthy"
        assert health["database"] == str(capture_service.database)

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
    def test_statistics_can_be_read_under_every_loopback_name(
        self, capture_service: RunningService, user: str, host: str
    ) -> None:
        headers = {"Host": f"{host}:{capture_service.port}"}
        url = f"{capture_service.url}/api/data-capture/stats/{user}"
        assert requests.get(url, headers=headers, timeout=30).status_code == 200

    @pytest.mark.parametrize("headers", INDIRECT, ids=str)
    def test_page_or_proxy_cannot_read_statistics_and_details(
        self, capture_service: RunningService, user: str, headers: dict[str, str]
    ) -> None:
        stats = requests.get(
            f"{capture_service.url}/api/data-capture/stats/{user}", headers=headers, timeout=30
        )
        assert stats.status_code == 403
        assert stats.headers["Content-Type"] == "application/problem+json"
        assert user not in stats.text
        health = requests.get(
            f"{capture_service.url}/api/data-capture/health", headers=headers, timeout=30
        )
        assert health.json() == {"status": "healthy", "service": "enhanced-data-capture"}

    def test_http_1_0_caller_cannot_read_statistics(
        self, capture_service: RunningService, user: str
    ) -> None:
        """nginx sends HTTP/1.0 by default, and adds no header."""
        with socket.create_connection(
            ("127.0.0.1", capture_service.port), timeout=30
        ) as connection:
            target = f"/api/data-capture/stats/{user}"
            connection.sendall(
                f"GET {target} HTTP/1.0\r\nHost: 127.0.0.1:{capture_service.port}\r\n\r\n".encode()
            )
            assert connection.makefile("rb").readline().split()[1] == b"403"

    @pytest.mark.parametrize("headers", DIRECT, ids=lambda headers: headers["User-Agent"])
    def test_common_clients_and_the_address_bar_read_statistics(
        self, capture_service: RunningService, user: str, headers: dict[str, str]
    ) -> None:
        response = requests.get(
            f"{capture_service.url}/api/data-capture/stats/{user}", headers=headers, timeout=30
        )
        assert response.status_code == 200

    @pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
    @pytest.mark.parametrize(
        "flags", ["--compressed", "-u a:b", "-b a=b", "-r 0-9", "-z 2020-01-01"]
    )
    def test_curl_reads_statistics(
        self, capture_service: RunningService, user: str, flags: str
    ) -> None:
        url = f"{capture_service.url}/api/data-capture/stats/{user}"
        outcome = subprocess.run(
            ["curl", "-sf", *flags.split(), url], capture_output=True, timeout=30, check=True
        )
        assert outcome.stdout

    def test_urllib_reads_statistics(self, capture_service: RunningService, user: str) -> None:
        url = f"{capture_service.url}/api/data-capture/stats/{user}"
        with urllib.request.urlopen(url, timeout=30) as response:  # noqa: S310
            assert response.status == 200


class TestNetworkInterfaces:
    """The app runs in this process, because a test service listens only on loopback."""

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        settings = load_settings({"database": str(tmp_path / "trading_bots.db")}, {})
        prepare(settings.database)
        return settings

    def test_caller_from_another_machine_cannot_read(self, settings: Settings) -> None:
        with open_client(settings) as client:
            elsewhere = {"REMOTE_ADDR": "192.168.0.7"}
            assert (
                client.get(
                    "/api/data-capture/stats/a@example.com", environ_overrides=elsewhere
                ).status_code
                == 403
            )
            assert set(
                client.get("/api/data-capture/health", environ_overrides=elsewhere).get_json()
            ) == {"status", "service"}

    def test_statistics_need_the_token_when_listening_beyond_loopback(
        self, settings: Settings
    ) -> None:
        with open_client(replace(settings, host="0.0.0.0")) as client:  # noqa: S104
            assert client.get("/api/data-capture/stats/a@example.com").status_code == 401
            assert client.post(PAYMENT, json={"user_email": "a@example.com"}).status_code == 201


@contextmanager
def open_client(settings: Settings) -> Iterator[FlaskClient]:
    app = create_app(settings)
    try:
        yield app.test_client()
    finally:
        app.extensions["store"].close()
