"""Test HTTP security: host names, forwarding headers, rates, paths and log lines."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator

import pytest
import requests

from data_capture.limits.rates import Rates
from data_capture.problems import Problem
from data_capture.settings import load_settings
from data_capture.web.request_guard import RequestGuard
from tests.support.services import RunningService, capture_service_in, eventually, signup_service_in

PAYMENT = "/api/data-capture/payment"
HEALTH = "/api/data-capture/health"
FOREIGN_HOSTS = [
    "evil.example", "localhost.evil.example:5003", "127.0.0.1.evil.example", "evil.example:5003",
    "192.168.0.2:5003", "127.0.0.2", "[::2]:5003", "0.0.0.0", "localhost.localdomain",  # noqa: S104
    "xn--lcalhost-54a", "2130706433", "127.1",
]  # fmt: skip
MALFORMED_HOSTS = [
    "", ":5003", "localhost:" + "0" * 300, "localhost, evil.example", "evil.example/localhost",
    "user@localhost", "[::1", "local host", "localhost:5003:1",
]  # fmt: skip
SCRIPT = "/frontend_data_capture_integration.js"


def send_raw(service: RunningService, request: bytes) -> bytes:
    """Send bytes that ask to close the connection, and return the response."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(request)
        received = b""
        while part := connection.recv(65536):
            received += part
        return received


def status_of(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])


class TestHostNames:
    """DNS rebinding: any site can make its own name resolve to 127.0.0.1."""

    @pytest.mark.parametrize("host", FOREIGN_HOSTS)
    @pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
    def test_request_to_a_foreign_host_name_is_rejected_and_stores_nothing(
        self, capture_service: RunningService, user: str, host: str, content_type: str
    ) -> None:
        headers = {"Host": host, "Content-Type": content_type}
        body = json.dumps({"user_email": user})
        response = requests.post(
            capture_service.url + PAYMENT, data=body, headers=headers, timeout=30
        )
        assert response.status_code == 421
        assert response.headers["Content-Type"] == "application/problem+json"
        assert capture_service.rows("SELECT * FROM users WHERE email = ?", user) == []

    @pytest.mark.parametrize("path", [HEALTH, "/", "/docs", "/examples/", SCRIPT, "/no-such-place"])
    def test_no_path_is_served_under_a_foreign_host_name(
        self, capture_service: RunningService, path: str
    ) -> None:
        assert (
            requests.get(
                capture_service.url + path, headers={"Host": "evil.example"}, timeout=30
            ).status_code
            == 421
        )

    def test_signup_service_rejects_a_foreign_host_name(
        self, signup_service: RunningService, user: str
    ) -> None:
        account = {"email": user, "password": "correct horse"}
        url = f"{signup_service.url}/api/auth/register"
        assert (
            requests.post(
                url, json=account, headers={"Host": "evil.example"}, timeout=30
            ).status_code
            == 421
        )
        assert signup_service.rows("SELECT * FROM users WHERE email = ?", user) == []

    @pytest.mark.parametrize("host", MALFORMED_HOSTS)
    def test_malformed_host_name_gets_400(self, capture_service: RunningService, host: str) -> None:
        request = f"GET {HEALTH} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        assert status_of(send_raw(capture_service, request)) == 400

    def test_missing_and_duplicate_host_headers_get_400(
        self, capture_service: RunningService
    ) -> None:
        assert (
            status_of(
                send_raw(
                    capture_service, f"GET {HEALTH} HTTP/1.1\r\nConnection: close\r\n\r\n".encode()
                )
            )
            == 400
        )
        two = (
            f"GET {HEALTH} HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n"
            "Connection: close\r\n\r\n"
        ).encode()
        assert status_of(send_raw(capture_service, two)) == 400

    @pytest.mark.parametrize(
        "host", ["localhost", "LOCALHOST:80", "localhost.", "127.0.0.1:1", "[::1]", "[::1]:5003"]
    )
    def test_loopback_host_names_are_accepted_with_any_port(
        self, capture_service: RunningService, host: str
    ) -> None:
        assert (
            requests.get(
                capture_service.url + HEALTH, headers={"Host": host}, timeout=30
            ).status_code
            == 200
        )

    @pytest.mark.parametrize(
        ("environment", "accepted", "rejected"),
        [
            ({"EDC_ALLOWED_HOSTS": "capture.example.com"},
             ["capture.example.com", "CAPTURE.example.com:443", "localhost"],
             ["example.com", "capture.example.com.evil.example", "192.0.2.1"]),
            # A proxy of the site, which maps a path to the service, forwards the site's own name.
            ({"EDC_ALLOWED_ORIGINS": "https://www.example.com:8443,http://[2001:db8::1]"},
             ["www.example.com", "[2001:db8::1]:80"], ["example.com"]),
            ({"EDC_HOST": "192.0.2.1"}, ["192.0.2.1:5003", "127.0.0.1", "192.0.2.2"],
             ["evil.example", "192.0.2.1.evil.example"]),
            ({"EDC_HOST": "0.0.0.0"}, ["192.0.2.1", "[2001:db8::7]:5003", "localhost"],  # noqa: S104
             ["evil.example", "myserver"]),
            ({"EDC_HOST": "myserver"}, ["myserver:5003", "192.0.2.1"], ["evil.example"]),
        ],
    )  # fmt: skip
    def test_settings_determine_the_accepted_host_names(
        self, environment: dict[str, str], accepted: list[str], rejected: list[str]
    ) -> None:
        guard = RequestGuard(load_settings({}, environment))

        def rejection(host: str) -> Problem | None:
            return guard.check(HEALTH, {"host": host}.get)

        assert [rejection(host) for host in accepted] == [None] * len(accepted)
        assert [
            int(problem.problem_type.status) for host in rejected if (problem := rejection(host))
        ] == [421] * len(rejected)


class TestForwarding:
    def test_forged_forwarding_headers_are_ignored(
        self, capture_service: RunningService, user: str
    ) -> None:
        forged = {
            "X-Forwarded-For": "203.0.113.9",
            "Forwarded": "for=203.0.113.9",
            "X-Real-IP": "203.0.113.9",
        }
        assert capture_service.capture("payment", {"user_email": user}, **forged).status_code == 201
        assert addresses(capture_service, user) == ["127.0.0.1"]

    @pytest.mark.parametrize(
        ("proxies", "header", "address"),
        [
            ("1", "203.0.113.9", "203.0.113.9"),
            # The first address is the caller's claim.
            ("1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
            ("2", "198.51.100.1, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
            # The request passed only one proxy, so it did not come from outside.
            ("2", "203.0.113.9", "10.0.0.1"),
            ("1", "203.0.113.9:4711", "203.0.113.9"),
            ("1", '"[2001:db8::1]:4711"', "2001:db8::1"),
            ("1", "2001:db8::1", "2001:db8::1"),
            ("1", "unknown", "10.0.0.1"),
            ("1", "203.0.113.9, <script>", "10.0.0.1"),
            ("1", "", "10.0.0.1"),
            ("0", "203.0.113.9", "10.0.0.1"),
        ],
    )
    def test_caller_address_comes_only_from_trusted_proxies(
        self, proxies: str, header: str, address: str
    ) -> None:
        guard = RequestGuard(load_settings({}, {"EDC_TRUSTED_PROXIES": proxies}))
        assert guard.caller_address("10.0.0.1", {"x-forwarded-for": header}.get) == address

    @pytest.mark.parametrize(
        "last", ["unknown", "", "unix:", "01.2.3.4", "203.0.113.007", "_hidden", "x" * 400]
    )
    def test_callers_without_a_valid_forwarded_address_share_one_rate(self, last: str) -> None:
        settings = load_settings({}, {"EDC_TRUSTED_PROXIES": "1", "EDC_RATE_PER_CALLER": "3/hour"})
        guard, rates = RequestGuard(settings), Rates(settings)
        address = guard.caller_address("127.0.0.1", {"x-forwarded-for": last}.get)
        for _ in range(3):
            rates.take(address)
        with pytest.raises(Problem, match="too much"):
            rates.take(address)

    def test_address_of_a_visitor_behind_a_proxy_is_stored(
        self, behind_proxy: RunningService, user: str
    ) -> None:
        headers = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
        assert behind_proxy.capture("payment", {"user_email": user}, **headers).status_code == 201
        page = {"Origin": "http://localhost:3000", **headers}
        assert behind_proxy.capture("activity", {"user_email": user}, **page).status_code == 201
        assert addresses(behind_proxy, user) == ["203.0.113.9", "203.0.113.9"]

    def test_forged_loopback_address_through_a_proxy_reads_no_statistics(
        self, behind_proxy: RunningService, user: str
    ) -> None:
        for claim in ("127.0.0.1", "::1", "203.0.113.9, 127.0.0.1"):
            stats = f"{behind_proxy.url}/api/data-capture/stats/{user}"
            assert (
                requests.get(stats, headers={"X-Forwarded-For": claim}, timeout=30).status_code
                == 401
            )


def addresses(service: RunningService, user: str) -> list[str]:
    found = service.rows(
        "SELECT ip_address FROM data_capture_audit WHERE user_email = ? ORDER BY id", user
    )
    return [record["ip_address"] for record in found]


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A capture service behind one proxy, with debug logs and low rates.

    It accepts five requests an hour from a caller, and four captures of a user.
    """
    running = capture_service_in(
        tmp_path_factory.mktemp("proxy"),
        EDC_TRUSTED_PROXIES="1",
        EDC_DEBUG="1",
        EDC_RATE_PER_CALLER="5/hour",
        EDC_RATE_PER_PERSON="4/hour",
    )
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def signup_behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A signup service behind one proxy, with three log-ins an hour."""
    running = signup_service_in(
        tmp_path_factory.mktemp("logins"), EDC_TRUSTED_PROXIES="1", EDC_LOGIN_RATE="3/hour"
    )
    running.start()
    yield running
    running.stop()


def assert_rate_limited(response: requests.Response) -> None:
    assert response.status_code == 429, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert 0 < int(response.headers["Retry-After"]) <= 3601
    assert response.json()["type"].endswith(":too-many")


class TestRateLimits:
    @pytest.mark.parametrize(
        "headers", [{}, {"Origin": "http://localhost:3000"}], ids=["a program", "a page"]
    )
    def test_caller_over_the_rate_gets_429_and_other_callers_do_not(
        self, behind_proxy: RunningService, user: str, headers: dict[str, str]
    ) -> None:
        number = len(headers)
        caller, other = f"192.0.2.{10 + number}", f"192.0.2.{20 + number}"

        def send(index: int, caller: str) -> requests.Response:
            payload = {"user_email": f"{index}-{user}"}
            return behind_proxy.capture(
                "activity",
                payload,
                **headers,
                **{"X-Forwarded-For": f"198.51.100.{index}, {caller}"},
            )

        assert [send(index, caller).status_code for index in range(5)] == [201] * 5
        rejected = send(5, caller)
        assert_rate_limited(rejected)
        if headers:
            assert "Retry-After" in rejected.headers["Access-Control-Expose-Headers"]
        assert behind_proxy.rows("SELECT * FROM users WHERE email = ?", f"5-{user}") == []
        assert send(5, other).status_code == 201

    def test_captures_of_one_user_are_limited_per_caller(
        self, behind_proxy: RunningService, user: str
    ) -> None:
        def send(caller: str) -> requests.Response:
            headers = {"X-Forwarded-For": caller}
            return behind_proxy.capture("activity", {"user_email": user.upper()}, **headers)

        assert [send("192.0.2.100").status_code for _ in range(4)] == [201] * 4
        assert_rate_limited(send("192.0.2.100"))
        assert send("192.0.2.101").status_code == 201, (
            "another caller's captures of the user have a rate of their own"
        )

    def test_each_capture_of_a_batch_counts_for_its_user(
        self, behind_proxy: RunningService, user: str
    ) -> None:
        batch = {"captures": [{"type": "activity", "user_email": user}] * 5}
        assert_rate_limited(
            behind_proxy.capture("batch", batch, **{"X-Forwarded-For": "192.0.2.110"})
        )

    def test_get_requests_count_for_the_rate(self, behind_proxy: RunningService) -> None:
        headers = {"X-Forwarded-For": "2001:db8::1"}
        responses = [
            requests.get(behind_proxy.url + path, headers=headers, timeout=30)
            for path in [HEALTH, "/docs"] * 3
        ]
        assert [response.status_code for response in responses[:5]] == [200] * 5
        assert_rate_limited(responses[5])
        neighbour = {"X-Forwarded-For": "2001:db8::ffff"}  # of the same subscriber
        assert_rate_limited(requests.get(behind_proxy.url + HEALTH, headers=neighbour, timeout=30))

    def test_local_caller_has_no_rate_limit(self, behind_proxy: RunningService, user: str) -> None:
        assert {
            behind_proxy.capture("activity", {"user_email": user}).status_code for _ in range(12)
        } == {201}

    @pytest.mark.slow
    @pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/register"])
    def test_sign_ups_and_log_ins_are_limited_per_caller(
        self, signup_behind_proxy: RunningService, user: str, path: str
    ) -> None:
        caller = f"192.0.2.{len(path)}"

        def attempt(index: int) -> requests.Response:
            account = {"email": f"{index}-{user}", "password": "not the password"}
            headers = {"X-Forwarded-For": caller}
            return requests.post(
                signup_behind_proxy.url + path, json=account, headers=headers, timeout=30
            )

        assert {attempt(index).status_code for index in range(3)} <= {401, 201}
        assert_rate_limited(attempt(3))

    @pytest.mark.slow
    def test_log_ins_to_one_address_are_limited_over_all_callers(
        self, signup_behind_proxy: RunningService, user: str
    ) -> None:
        def attempt(index: int, path: str, email: str) -> requests.Response:
            account = {"email": email, "password": "not the password"}
            headers = {"X-Forwarded-For": f"192.0.{50 + index}.1"}
            return requests.post(
                signup_behind_proxy.url + path, json=account, headers=headers, timeout=30
            )

        assert attempt(0, "/api/auth/register", user).status_code == 201
        assert [attempt(index, "/api/auth/login", user).status_code for index in range(1, 30)] == [
            200
        ] * 29
        assert [
            attempt(100 + index, "/api/auth/login", f"not-{user}").status_code
            for index in range(30)
        ] == [401] * 30
        known, unknown = (
            attempt(60, "/api/auth/login", email) for email in (user.upper(), f"not-{user}")
        )
        assert_rate_limited(known)
        assert known.json() == unknown.json()
        assert attempt(29, "/api/auth/login", user).status_code == 200, (
            "a caller that has logged in before is not blocked"
        )


INVALID_ADDRESSES = [
    "..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e%2fhealth", "....//", "..", ".", "//", "?", "%",
    "%zz",
    "@", "%20", "\\..\\x", "%00", "a%00@example.com", "a@example.com%00b", "%0d%0aSet-Cookie:x",
    "a%0a@example.com", "%e2%80%ae@example.com", "%2525@", "a%40b%40example.com",
    "a@example.com//x", "a@example.com/../../health", "a@example.com%2fexport", "a@example.com%5cx",
    "a" * 300 + "@example.com", "a" * 20_000, "%F0%9F%92%A9",
]  # fmt: skip


@pytest.mark.parametrize("address", INVALID_ADDRESSES)
def test_invalid_address_in_the_path_gets_404_or_422(
    capture_service: RunningService, address: str
) -> None:
    target = f"/api/data-capture/stats/{address}".encode()
    response = send_raw(
        capture_service,
        b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    )
    assert status_of(response) in (404, 422), response[:300]
    assert b"Traceback" not in response
    assert b"set-cookie" not in response.lower()


LOG_LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?:DEBUG|INFO|WARNING|ERROR) capture \S.*"
)
FORGED = "2024-01-15T10:30:00.123Z INFO capture All is well"


def test_request_cannot_forge_a_log_line(behind_proxy: RunningService, user: str) -> None:
    escaped = FORGED.replace(" ", "%20").encode()
    for line_break in (b"%0A", b"%0D%0A", b"%E2%80%A8", b"%C2%85"):
        forged = line_break + escaped
        for target in (b"/api/data-capture/stats/a" + forged, b"/x" + forged + b"?y=" + forged):
            send_raw(
                behind_proxy,
                b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            )
    for line_break in (b"\n", b"\r", b"\r\n ", b"\x0b", b"\x85", "\u2028".encode()):
        for name in (
            b"User-Agent",
            b"X-Forwarded-For",
            b"Idempotency-Key",
            b"Origin",
            b"Authorization",
            b"Host",
        ):
            head = (
                b"POST "
                + PAYMENT.encode()
                + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            )
            rest = b"\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
            send_raw(behind_proxy, head + name + b": a" + line_break + FORGED.encode() + rest)
        send_raw(
            behind_proxy,
            b"GET"
            + line_break
            + FORGED.encode()
            + b" / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        )
    for text in (f"a\n{FORGED}@example.com", f"{user}\n{FORGED}"):
        behind_proxy.capture(
            "payment", {"user_email": text, f"x\n{FORGED}": text, "capture_id": text}
        )
    behind_proxy.capture("activity", {"user_email": user})
    eventually(
        lambda: "activity" in behind_proxy.log_file.read_text(), "the last request is logged"
    )
    lines = behind_proxy.log_file.read_text().split("\n")[:-1]
    assert [line for line in lines if not LOG_LINE.fullmatch(line)] == []
    assert "All is well" not in behind_proxy.log_file.read_text()
    assert user not in behind_proxy.log_file.read_text()
    assert "example.com" not in behind_proxy.log_file.read_text()
