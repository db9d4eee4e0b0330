"""Test that a header with an unreadable value gets 400, and never counts as missing."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from itertools import count

import pytest

from data_capture.server.headers import has_unreadable_header, join_header_lines
from tests.support.proxies import Proxy, caddy, nginx
from tests.support.services import RunningService, capture_service_in, signup_service_in

HEALTH = "/api/data-capture/health"
STATISTICS = "/api/data-capture/stats/someone@example.com"
PAYMENT = "/api/data-capture/payment"
LOGIN = "/api/auth/login"
LOOPBACK = "X-Forwarded-For: 127.0.0.1"
UNREADABLE = [b"\xff", "é".encode(), b"\x80", b"127.0.0.1, \xff", b"\xff, 127.0.0.1"]
FORWARDING = [
    "X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host", "X-Forwarded-Proto",
    "True-Client-IP", "CF-Connecting-IP", "X-Client-IP",
]  # fmt: skip
EVERY_NAME = [
    *FORWARDING, "Origin", "Host", "Authorization", "User-Agent", "Idempotency-Key", "X-Any",
    "Sec-Fetch-Site", "Expect", "Content-Encoding",
]  # fmt: skip

# Header lines that a client sends to a proxy, which adds the client's address.
ATTACKS: dict[str, bytes] = {
    **{
        f"{name}: {value!r}": f"{name}: ".encode() + value + b"\r\n"
        for name in FORWARDING
        for value in UNREADABLE[:1] + UNREADABLE[3:]
    },
    "a good line, then a bad one": f"{LOOPBACK}\r\nX-Forwarded-For: ".encode() + b"\xff\r\n",
    "a bad line, then a good one": b"X-Forwarded-For: \xff\r\n" + f"{LOOPBACK}\r\n".encode(),
    "a bad line between good ones": f"{LOOPBACK}\r\nX-Forwarded-For: ".encode()
    + b"\xff\r\n"
    + f"{LOOPBACK}\r\n".encode(),
    "many good lines": f"{LOOPBACK}\r\n".encode() * 50,
    "many bad lines": b"X-Forwarded-For: \xff\r\n" * 50,
    "a long line": b"X-Forwarded-For: " + b"127.0.0.1," * 600 + b"\r\n",
    "a long bad line": b"X-Forwarded-For: " + b"\xff" * 6000 + b"\r\n",
    "an empty line": b"X-Forwarded-For:\r\n",
    "a tab": b"X-Forwarded-For: \t127.0.0.1\t\r\n",
    "underscores": b"X_Forwarded_For: \xff\r\n",
    "another case": b"x-FORWARDED-for: \xff\r\n",
}


def request(
    method: str, path: str, lines: bytes = b"", payload: object = None, host: str = "localhost"
) -> bytes:
    body = b"" if payload is None else json.dumps(payload).encode()
    kind = (
        ""
        if payload is None
        else f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{kind}".encode()
    return head + lines + b"\r\n" + body


def status_and_body(response: bytes) -> tuple[int, bytes]:
    head, _, body = response.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body


def send(service: RunningService, raw_request: bytes) -> tuple[int, bytes]:
    with closing(socket.create_connection(("127.0.0.1", service.port), timeout=30)) as connection:
        connection.sendall(raw_request)
        response = b""
        while part := connection.recv(65536):
            response += part
    return status_and_body(response)


class FakeHeaders:
    """Headers of a request as granian returns them: without values beyond visible ASCII."""

    def __init__(self, *lines: tuple[str, bytes]) -> None:
        self._lines = lines

    def __len__(self) -> int:
        return len({*self.keys()})

    def keys(self) -> list[str]:
        return [name for name, _ in self._lines]

    def items(self) -> list[tuple[str, str]]:
        return [(name, value.decode()) for name, value in self._lines if value.isascii()]


def test_lines_of_a_header_are_joined_in_order() -> None:
    headers = FakeHeaders(
        ("x-forwarded-for", b"192.0.2.1"),
        ("cookie", b"a=1"),
        ("x-forwarded-for", b"192.0.2.2"),
        ("cookie", b"b=2"),
        ("host", b"localhost"),
    )
    joined = join_header_lines(headers)
    assert joined == {
        "x-forwarded-for": "192.0.2.1, 192.0.2.2",
        "cookie": "a=1; b=2",
        "host": "localhost",
    }
    assert not has_unreadable_header(headers, joined)


@pytest.mark.parametrize(("name", "is_unreadable"), [("origin", True), ("cookie", False)])
def test_only_a_cookie_may_be_unreadable(name: str, is_unreadable: bool) -> None:
    headers = FakeHeaders(("host", b"localhost"), (name, b"\xff"))
    joined = join_header_lines(headers)
    assert joined == {"host": "localhost"}
    assert has_unreadable_header(headers, joined) is is_unreadable


# --- Without a proxy ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("value", UNREADABLE, ids=str)
@pytest.mark.parametrize("name", EVERY_NAME)
def test_unreadable_header_value_gets_400(
    capture_service: RunningService, user: str, name: str, value: bytes
) -> None:
    line = f"{name}: ".encode() + value + b"\r\n"
    small, large = {"user_email": user}, {"user_email": user, "note": "x" * 100_000}
    host = "localhost" if name != "Host" else ""
    raw_requests = [request("GET", path, line, host=host) for path in (HEALTH, STATISTICS)]
    raw_requests += [
        request("POST", PAYMENT, line, payload, host=host) for payload in (small, large)
    ]
    if name == "Host":
        raw_requests = [raw_request.replace(b"Host: \r\n", b"") for raw_request in raw_requests]
    for raw_request in raw_requests:
        status, body = send(capture_service, raw_request)
        assert status == 400
        assert json.loads(body)["type"].endswith(":not-json")
    assert capture_service.rows("SELECT * FROM users WHERE email = ?", user) == []


@pytest.mark.slow
def test_unreadable_header_value_gets_400_from_the_signup_service(
    signup_service: RunningService, user: str
) -> None:
    account = {"email": user, "password": "correct horse battery"}
    for method, path, payload in (
        ("GET", "/api/health", None),
        ("POST", LOGIN, account),
        ("POST", "/auth/register", account),
    ):
        status, body = send(
            signup_service, request(method, path, b"X-Forwarded-For: \xff\r\n", payload)
        )
        assert (status, b"database" in body) == (400, False)
    assert signup_service.rows("SELECT * FROM users WHERE email = ?", user) == []


def test_page_can_read_the_rejection_and_cookies_may_have_any_bytes(
    capture_service: RunningService, user: str
) -> None:
    """A service behind a path of the page's site gets its cookies, which may contain any byte.

    The service never reads cookies.
    """
    line = b"Origin: http://localhost:3000\r\nX-Any: \xff\r\n"
    with closing(
        socket.create_connection(("127.0.0.1", capture_service.port), timeout=30)
    ) as connection:
        connection.sendall(request("POST", PAYMENT, line, {"user_email": user}))
        response = connection.recv(65536)
    assert response.startswith(b"HTTP/1.1 400 ")
    assert b"access-control-allow-origin: http://localhost:3000" in response.lower()
    assert b"nosniff" in response
    cookie = "Cookie: name=Jürgen\r\n".encode()
    assert send(capture_service, request("POST", PAYMENT, cookie, {"user_email": user}))[0] == 201
    assert send(capture_service, request("GET", HEALTH, cookie))[0] == 200


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if "line" in attack])
def test_unreadable_line_among_readable_ones_gives_no_local_access(
    capture_service: RunningService, attack: str
) -> None:
    lines = ATTACKS[attack]
    assert send(capture_service, request("GET", STATISTICS, lines))[0] in (400, 401, 403)
    assert b"database" not in send(capture_service, request("GET", HEALTH, lines))[1]


@pytest.mark.parametrize(
    "target", ["/?a=€", "/api/data-capture/stats/€@example.com?€", "/api/data-capture/%FF%E2", "/€"]
)
def test_request_target_of_any_bytes_gets_no_500(
    capture_service: RunningService, target: str
) -> None:
    for method, payload in (("GET", None), ("POST", {}), ("DELETE", {})):
        assert send(capture_service, request(method, target, b"", payload))[0] < 500


# --- Behind real proxies --------------------------------------------------------------------------

PROXIED = {"EDC_TRUSTED_PROXIES": "1", "EDC_ALLOWED_ORIGINS": "local,https://www.example.com"}


@pytest.fixture(scope="module")
def proxied_capture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A capture service, configured as in docs/operations.md, with a low rate."""
    service = capture_service_in(
        tmp_path_factory.mktemp("capture"), **PROXIED, EDC_RATE_PER_CALLER="5/hour"
    )
    service.start()
    yield service
    service.stop()


@pytest.fixture(scope="module")
def proxied_signup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A signup service, configured as in docs/operations.md, with a low rate."""
    service = signup_service_in(
        tmp_path_factory.mktemp("signup"), **PROXIED, EDC_LOGIN_RATE="3/hour"
    )
    service.start()
    yield service
    service.stop()


@pytest.fixture(scope="module", params=[nginx, caddy], ids=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest, proxied_capture: RunningService) -> Iterator[Proxy]:
    """Both kinds of proxies, in front of the capture service."""
    with request.param(proxied_capture.port) as running:
        yield running


@pytest.fixture(scope="module")
def capture_nginx(proxied_capture: RunningService) -> Iterator[Proxy]:
    """nginx in front of the capture service; a request can name its client."""
    with nginx(proxied_capture.port) as running:
        yield running


@pytest.fixture(scope="module")
def signup_nginx(proxied_signup: RunningService) -> Iterator[Proxy]:
    """nginx in front of the signup service."""
    with nginx(proxied_signup.port) as running:
        yield running


@pytest.mark.slow
def test_proxy_forwards_requests_with_the_client_address(
    capture_nginx: Proxy, proxied_capture: RunningService, user: str
) -> None:
    response = capture_nginx.send(
        request("POST", PAYMENT, b"", {"user_email": user}), "203.0.113.1"
    )
    assert status_and_body(response)[0] == 201
    [row] = proxied_capture.rows(
        "SELECT ip_address FROM data_capture_audit WHERE user_email = ?", user
    )
    assert row["ip_address"] == "203.0.113.1"


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_header_through_a_proxy_gives_local_access(proxy: Proxy, attack: str) -> None:
    client = f"198.51.100.{list(ATTACKS).index(attack)}"
    status, body = status_and_body(proxy.send(request("GET", STATISTICS, ATTACKS[attack]), client))
    assert 400 <= status < 500
    assert b"data_counts" not in body
    status, body = status_and_body(proxy.send(request("GET", HEALTH, ATTACKS[attack]), client))
    assert status == 200 or 400 <= status < 500
    assert b"database" not in body
    assert b"pid" not in body


def test_no_header_through_a_proxy_disables_the_capture_rate_limit(
    capture_nginx: Proxy, user: str
) -> None:
    numbers = count()

    def send(lines: bytes) -> int:
        payment = {"user_email": user, "transaction_id": f"TX-{next(numbers)}"}
        return status_and_body(
            capture_nginx.send(request("POST", PAYMENT, lines, payment), "203.0.113.2")
        )[0]

    assert [send(b"") for _ in range(6)] == [201] * 5 + [429]
    statuses = {attack: send(lines) for attack, lines in ATTACKS.items()}
    assert {attack: status for attack, status in statuses.items() if status not in (400, 429)} == {}


@pytest.mark.slow
def test_no_header_through_a_proxy_disables_the_login_rate_limit(
    signup_nginx: Proxy, user: str
) -> None:
    def log_in(number: int, lines: bytes) -> int:
        account = {"email": f"{number}-{user}", "password": "not the password"}
        return status_and_body(
            signup_nginx.send(request("POST", LOGIN, lines, account), "203.0.113.3")
        )[0]

    assert [log_in(number, b"") for number in range(4)] == [401] * 3 + [429]
    statuses = {
        attack: log_in(10 + number, ATTACKS[attack]) for number, attack in enumerate(ATTACKS)
    }
    assert {attack: status for attack, status in statuses.items() if status not in (400, 429)} == {}
