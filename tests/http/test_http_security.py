"""The doors, each tried from outside: names that are not ours, forged forwarding, tricks in paths, forged log lines, headers."""

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
OTHER_NAMES = [
    "evil.example", "localhost.evil.example:5003", "127.0.0.1.evil.example", "evil.example:5003", "192.168.0.2:5003", "127.0.0.2",
    "[::2]:5003", "0.0.0.0", "localhost.localdomain", "xn--lcalhost-54a", "2130706433", "127.1",  # noqa: S104
]  # fmt: skip
MALFORMED = [
    "", ":5003", "localhost:" + "0" * 300, "localhost, evil.example", "evil.example/localhost", "user@localhost", "[::1",
    "local host", "localhost:5003:1",
]  # fmt: skip
SCRIPT = "/frontend_data_capture_integration.js"


def raw(service: RunningService, request: bytes) -> bytes:
    """What the service answers to these bytes, in which it is asked to close the connection."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(request)
        received = b""
        while part := connection.recv(65536):
            received += part
        return received


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


class TestNames:
    """A page of any site can have its own name resolve to 127.0.0.1 and so read what it likes: DNS rebinding."""

    @pytest.mark.parametrize("host", OTHER_NAMES)
    @pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
    def test_a_request_to_another_name_is_refused_and_stores_nothing(
        self, capture_service: RunningService, user: str, host: str, content_type: str
    ) -> None:
        headers = {"Host": host, "Content-Type": content_type}
        body = json.dumps({"user_email": user})
        answer = requests.post(
            capture_service.url + PAYMENT, data=body, headers=headers, timeout=10
        )
        assert answer.status_code == 421
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert capture_service.rows("SELECT * FROM users WHERE email = ?", user) == []

    @pytest.mark.parametrize("path", [HEALTH, "/", "/docs", "/examples/", SCRIPT, "/no-such-place"])
    def test_nothing_is_served_under_another_name(
        self, capture_service: RunningService, path: str
    ) -> None:
        assert (
            requests.get(
                capture_service.url + path, headers={"Host": "evil.example"}, timeout=10
            ).status_code
            == 421
        )

    def test_the_signup_service_refuses_likewise(
        self, signup_service: RunningService, user: str
    ) -> None:
        account = {"email": user, "password": "correct horse"}
        url = f"{signup_service.url}/api/auth/register"
        assert (
            requests.post(
                url, json=account, headers={"Host": "evil.example"}, timeout=10
            ).status_code
            == 421
        )
        assert signup_service.rows("SELECT * FROM users WHERE email = ?", user) == []

    @pytest.mark.parametrize("host", MALFORMED)
    def test_a_malformed_name_is_a_bad_request(
        self, capture_service: RunningService, host: str
    ) -> None:
        request = f"GET {HEALTH} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        assert status_of(raw(capture_service, request)) == 400

    def test_no_name_and_two_names_are_bad_requests(self, capture_service: RunningService) -> None:
        assert (
            status_of(
                raw(capture_service, f"GET {HEALTH} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
            )
            == 400
        )
        two = f"GET {HEALTH} HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n".encode()
        assert status_of(raw(capture_service, two)) == 400

    @pytest.mark.parametrize(
        "host", ["localhost", "LOCALHOST:80", "localhost.", "127.0.0.1:1", "[::1]", "[::1]:5003"]
    )
    def test_every_name_of_this_machine_will_do_with_any_port(
        self, capture_service: RunningService, host: str
    ) -> None:
        assert (
            requests.get(
                capture_service.url + HEALTH, headers={"Host": host}, timeout=10
            ).status_code
            == 200
        )

    @pytest.mark.parametrize(
        ("environment", "taken", "refused"),
        [
            ({"EDC_ALLOWED_HOSTS": "capture.example.com"}, ["capture.example.com", "CAPTURE.example.com:443", "localhost"],
             ["example.com", "capture.example.com.evil.example", "192.0.2.1"]),
            # Behind a path of the site, a proxy passes the site's own name on.
            ({"EDC_ALLOWED_ORIGINS": "https://www.example.com:8443,http://[2001:db8::1]"},
             ["www.example.com", "[2001:db8::1]:80"], ["example.com"]),
            ({"EDC_HOST": "192.0.2.1"}, ["192.0.2.1:5003", "127.0.0.1", "192.0.2.2"], ["evil.example", "192.0.2.1.evil.example"]),
            ({"EDC_HOST": "0.0.0.0"}, ["192.0.2.1", "[2001:db8::7]:5003", "localhost"], ["evil.example", "myserver"]),  # noqa: S104
            ({"EDC_HOST": "myserver"}, ["myserver:5003", "192.0.2.1"], ["evil.example"]),
        ],
    )  # fmt: skip
    def test_which_names_are_ours_follows_from_the_settings(
        self, environment: dict[str, str], taken: list[str], refused: list[str]
    ) -> None:
        guard = RequestGuard(load_settings({}, environment))

        def refusal(host: str) -> Problem | None:
            return guard.check(HEALTH, {"host": host}.get)

        assert [refusal(host) for host in taken] == [None] * len(taken)
        assert [
            int(problem.problem_type.status) for host in refused if (problem := refusal(host))
        ] == [421] * len(refused)


class TestForwarding:
    def test_a_forged_header_is_not_believed(
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
            (
                "1",
                "198.51.100.1, 203.0.113.9",
                "203.0.113.9",
            ),  # the first is what the caller claimed
            ("2", "198.51.100.1, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
            ("2", "203.0.113.9", "10.0.0.1"),  # passed one proxy only: it did not come from outside
            ("1", "203.0.113.9:4711", "203.0.113.9"),
            ("1", '"[2001:db8::1]:4711"', "2001:db8::1"),
            ("1", "2001:db8::1", "2001:db8::1"),
            ("1", "unknown", "10.0.0.1"),
            ("1", "203.0.113.9, <script>", "10.0.0.1"),
            ("1", "", "10.0.0.1"),
            ("0", "203.0.113.9", "10.0.0.1"),
        ],
    )
    def test_only_what_our_own_proxies_saw_counts(
        self, proxies: str, header: str, address: str
    ) -> None:
        guard = RequestGuard(load_settings({}, {"EDC_TRUSTED_PROXIES": proxies}))
        assert guard.caller_address("10.0.0.1", {"x-forwarded-for": header}.get) == address

    @pytest.mark.parametrize(
        "last", ["unknown", "", "unix:", "01.2.3.4", "203.0.113.007", "_hidden", "x" * 400]
    )
    def test_callers_that_the_proxy_does_not_name_are_counted_together(self, last: str) -> None:
        settings = load_settings({}, {"EDC_TRUSTED_PROXIES": "1", "EDC_RATE_PER_CALLER": "3/hour"})
        guard, rates = RequestGuard(settings), Rates(settings)
        address = guard.caller_address("127.0.0.1", {"x-forwarded-for": last}.get)
        for _ in range(3):
            rates.take(address)
        with pytest.raises(Problem, match="too much"):
            rates.take(address)

    def test_behind_a_proxy_the_visitor_s_address_is_stored(
        self, behind_proxy: RunningService, user: str
    ) -> None:
        headers = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
        assert behind_proxy.capture("payment", {"user_email": user}, **headers).status_code == 201
        page = {"Origin": "http://localhost:3000", **headers}
        assert behind_proxy.capture("activity", {"user_email": user}, **page).status_code == 201
        assert addresses(behind_proxy, user) == ["203.0.113.9", "203.0.113.9"]

    def test_behind_a_proxy_nobody_passes_for_a_local_caller(
        self, behind_proxy: RunningService, user: str
    ) -> None:
        for claim in ("127.0.0.1", "::1", "203.0.113.9, 127.0.0.1"):
            stats = f"{behind_proxy.url}/api/data-capture/stats/{user}"
            assert (
                requests.get(stats, headers={"X-Forwarded-For": claim}, timeout=10).status_code
                == 401
            )


def addresses(service: RunningService, user: str) -> list[str]:
    found = service.rows(
        "SELECT ip_address FROM data_capture_audit WHERE user_email = ? ORDER BY id", user
    )
    return [record["ip_address"] for record in found]


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A capture service behind one proxy, which takes five requests an hour of a caller, four of a person, and logs much."""
    running = capture_service_in(
        tmp_path_factory.mktemp("proxy"),
        EDC_TRUSTED_PROXIES="1", EDC_DEBUG="1", EDC_RATE_PER_CALLER="5/hour", EDC_RATE_PER_PERSON="4/hour",
    )  # fmt: skip
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def signup_behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A signup service behind one proxy, where a caller and an address have three tries an hour."""
    running = signup_service_in(
        tmp_path_factory.mktemp("logins"), EDC_TRUSTED_PROXIES="1", EDC_LOGIN_RATE="3/hour"
    )
    running.start()
    yield running
    running.stop()


def assert_too_many(answer: requests.Response) -> None:
    assert answer.status_code == 429, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert 0 < int(answer.headers["Retry-After"]) <= 3601
    assert answer.json()["type"].endswith(":too-many")


class TestRates:
    @pytest.mark.parametrize(
        "headers", [{}, {"Origin": "http://localhost:3000"}], ids=["a program", "a page"]
    )
    def test_a_caller_who_sends_too_much_has_to_wait_and_the_others_don_t(
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
        refused = send(5, caller)
        assert_too_many(refused)
        if headers:
            assert "Retry-After" in refused.headers["Access-Control-Expose-Headers"]
        assert behind_proxy.rows("SELECT * FROM users WHERE email = ?", f"5-{user}") == []
        assert send(5, other).status_code == 201

    def test_of_one_user_not_too_much_is_taken_from_one_caller(
        self, behind_proxy: RunningService, user: str
    ) -> None:
        def send(caller: str) -> requests.Response:
            headers = {"X-Forwarded-For": caller}
            return behind_proxy.capture("activity", {"user_email": user.upper()}, **headers)

        assert [send("192.0.2.100").status_code for _ in range(4)] == [201] * 4
        assert_too_many(send("192.0.2.100"))
        assert send("192.0.2.101").status_code == 201, (
            "another caller's captures of the user are not counted with these"
        )

    def test_each_capture_of_a_batch_counts_for_its_user(
        self, behind_proxy: RunningService, user: str
    ) -> None:
        batch = {"captures": [{"type": "activity", "user_email": user}] * 5}
        assert_too_many(behind_proxy.capture("batch", batch, **{"X-Forwarded-For": "192.0.2.110"}))

    def test_what_is_read_counts_too(self, behind_proxy: RunningService) -> None:
        headers = {"X-Forwarded-For": "2001:db8::1"}
        answers = [
            requests.get(behind_proxy.url + path, headers=headers, timeout=10)
            for path in [HEALTH, "/docs"] * 3
        ]
        assert [answer.status_code for answer in answers[:5]] == [200] * 5
        assert_too_many(answers[5])
        neighbour = {"X-Forwarded-For": "2001:db8::ffff"}  # the same subscriber's
        assert_too_many(requests.get(behind_proxy.url + HEALTH, headers=neighbour, timeout=10))

    def test_a_caller_on_this_machine_is_not_counted(
        self, behind_proxy: RunningService, user: str
    ) -> None:
        assert {
            behind_proxy.capture("activity", {"user_email": user}).status_code for _ in range(12)
        } == {201}

    @pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/register"])
    def test_a_caller_has_few_tries_whatever_the_address(
        self, signup_behind_proxy: RunningService, user: str, path: str
    ) -> None:
        caller = f"192.0.2.{len(path)}"

        def attempt(index: int) -> requests.Response:
            account = {"email": f"{index}-{user}", "password": "not the password"}
            headers = {"X-Forwarded-For": caller}
            return requests.post(
                signup_behind_proxy.url + path, json=account, headers=headers, timeout=10
            )

        assert {attempt(index).status_code for index in range(3)} <= {401, 201}
        assert_too_many(attempt(3))

    def test_an_address_has_more_tries_from_all_callers_together_known_or_not(
        self, signup_behind_proxy: RunningService, user: str
    ) -> None:
        def attempt(index: int, path: str, email: str) -> requests.Response:
            account = {"email": email, "password": "not the password"}
            headers = {"X-Forwarded-For": f"192.0.{50 + index}.1"}
            return requests.post(
                signup_behind_proxy.url + path, json=account, headers=headers, timeout=10
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
        assert_too_many(known)
        assert known.json() == unknown.json()
        assert attempt(29, "/api/auth/login", user).status_code == 200, (
            "who has logged in before is not shut out"
        )


PATH_TRICKS = [
    "..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e%2fhealth", "....//", "..", ".", "//", "?", "%", "%zz", "@", "%20", "\\..\\x",
    "%00", "a%00@example.com", "a@example.com%00", "%0d%0aSet-Cookie:x", "a%0a@example.com", "%e2%80%ae@example.com", "%2525@",
    "a%40b%40example.com", "a@example.com/", "a@example.com/../../health", "a@example.com%2fexport", "a@example.com%5cx",
    "a" * 300 + "@example.com", "a" * 20_000, "%F0%9F%92%A9",
]  # fmt: skip


@pytest.mark.parametrize("trick", PATH_TRICKS)
def test_an_address_that_is_none_is_answered_404_or_422(
    capture_service: RunningService, trick: str
) -> None:
    target = f"/api/data-capture/stats/{trick}".encode()
    answer = raw(
        capture_service,
        b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    )
    assert status_of(answer) in (404, 422), answer[:300]
    assert b"Traceback" not in answer
    assert b"set-cookie" not in answer.lower()


LOG_LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?:DEBUG|INFO|WARNING|ERROR) capture \S.*"
)
FORGED = "2024-01-15T10:30:00.123Z INFO capture All is well"


def test_nothing_that_a_caller_sends_makes_a_log_line_of_its_own(
    behind_proxy: RunningService, user: str
) -> None:
    escaped = FORGED.replace(" ", "%20").encode()
    for breaking in (b"%0A", b"%0D%0A", b"%E2%80%A8", b"%C2%85"):
        forged = breaking + escaped
        for target in (b"/api/data-capture/stats/a" + forged, b"/x" + forged + b"?y=" + forged):
            raw(
                behind_proxy,
                b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            )
    for breaking in (b"\n", b"\r", b"\r\n ", b"\x0b", b"\x85", "\u2028".encode()):
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
            raw(behind_proxy, head + name + b": a" + breaking + FORGED.encode() + rest)
        raw(
            behind_proxy,
            b"GET"
            + breaking
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


PAGES = ["/docs", "/examples/", "/examples/payment.html", "/examples"]
PERSONAL = ["/api/data-capture/stats/somebody@example.com", HEALTH]


@pytest.mark.parametrize(
    "path", [*PAGES, *PERSONAL, SCRIPT, "/openapi.json", "/no-such-place", "/%00"]
)
def test_every_answer_says_not_to_guess_its_type(
    capture_service: RunningService, path: str
) -> None:
    answer = requests.get(capture_service.url + path, timeout=10, allow_redirects=False)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "https://evil.example"}, {"Content-Type": "text/html"}], ids=str
)
def test_so_does_every_answer_to_a_capture(
    capture_service: RunningService, user: str, headers: dict[str, str]
) -> None:
    for payload in ({"user_email": user}, {}, []):
        assert (
            capture_service.capture("payment", payload, **headers).headers["X-Content-Type-Options"]
            == "nosniff"
        )


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_a_policy_that_keeps_scripts_of_others_out(
    capture_service: RunningService, path: str
) -> None:
    answer = requests.get(capture_service.url + path, timeout=10, allow_redirects=False)
    assert answer.headers["Content-Type"].startswith("text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert re.match(r"default-src '(none|self)';", policy)
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", PERSONAL)
def test_what_is_said_about_users_is_not_kept_by_caches(
    capture_service: RunningService, path: str
) -> None:
    assert (
        requests.get(capture_service.url + path, timeout=10).headers["Cache-Control"] == "no-store"
    )


def test_neither_is_anything_of_the_signup_service(
    signup_service: RunningService, user: str
) -> None:
    for path in ("/api/health", "/docs", "/api/auth/login"):
        answer = requests.post(
            signup_service.url + path, json={"email": user, "password": "x" * 8}, timeout=10
        )
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
