"""Test that slow connections and bodies are closed, and do not delay other callers."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from statistics import median
from typing import Any

import pytest

from data_capture.limits.callers import caller_of, fair_share
from data_capture.problems import Problem
from data_capture.server import body_buffer, body_limits
from data_capture.server.body_buffer import BodyBuffer
from data_capture.server.connections import MAX_CONNECTIONS_PER_ADDRESS, Connection, select_excess
from tests.support.flood import PAYMENT
from tests.support.services import (
    REPOSITORY,
    RunningService,
    capture_service_in,
    eventually,
    signup_service_in,
)

FULL = os.environ.get("EDC_FULL_CONNECTIONS") == "1"
FLOOD = 5000 if FULL else 800
ROUND_SECONDS = 5.0 if FULL else 1.5
ROUNDS = 3 if FULL else 1
# Of the speed without a flood. The short rounds of the default size vary more.
MIN_RATIO = 0.8 if FULL else 0.4
LOGIN = "/api/auth/login"
ON_LINUX = pytest.mark.skipif(
    sys.platform != "linux", reason="connections are watched through /proc"
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A capture service for this file."""
    running = capture_service_in(tmp_path_factory.mktemp("connections"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A capture service behind a proxy, with a low rate."""
    running = capture_service_in(
        tmp_path_factory.mktemp("proxy"), EDC_TRUSTED_PROXIES="1", EDC_RATE_PER_CALLER="3/hour"
    )
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def signup_behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A signup service behind a proxy, with a low rate."""
    running = signup_service_in(
        tmp_path_factory.mktemp("signup"), EDC_TRUSTED_PROXIES="1", EDC_LOGIN_RATE="3/hour"
    )
    running.start()
    yield running
    running.stop()


def start_flood_program(command: str, *arguments: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.flood", command, *map(str, arguments)],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


def measure_captures(port: int) -> dict[str, Any]:
    with start_flood_program("captures", port, ROUND_SECONDS) as process:
        output, _ = process.communicate(timeout=ROUND_SECONDS + 60)
    return dict(json.loads(output))


@pytest.mark.slow
def test_flood_of_connections_does_not_slow_down_captures(service: RunningService) -> None:
    without, during = [], []
    for _ in range(ROUNDS):
        without.append(measure_captures(service.port))
        with start_flood_program("flood", service.port, FLOOD, 120) as flood:
            try:
                assert flood.stdout is not None
                assert flood.stdout.readline() == "ready\n"
                during += [measure_captures(service.port), measure_captures(service.port)]
                assert flood.poll() is None
            finally:
                flood.terminate()
    without.append(measure_captures(service.port))
    assert [outcome["other_results"] for outcome in without + during] == [{}] * (
        len(without) + len(during)
    )
    speeds = [
        [outcome["stored_per_second"] for outcome in outcomes] for outcomes in (during, without)
    ]
    print(f"{FLOOD} connections: {speeds[0]} of {speeds[1]} captures a second")
    assert median(speeds[0]) >= MIN_RATIO * median(speeds[1])


@pytest.mark.slow
def test_announced_bodies_that_never_arrive_do_not_block_captures(
    service: RunningService, user: str
) -> None:
    """If announced bytes counted, 4,096 bodies of 64 KB would use up the limit of all bodies.

    Every capture would then get 503.
    """
    with start_flood_program(
        "flood", service.port, 4200, 60, "announced body for another host"
    ) as flood:
        try:
            assert flood.stdout is not None
            assert flood.stdout.readline() == "ready\n"
            statuses = [
                service.capture("activity", {"user_email": user}).status_code for _ in range(20)
            ]
        finally:
            flood.terminate()
    assert statuses == [201] * 20


# --- Rejected by the head -------------------------------------------------------------------------


def open_connection(service: RunningService, address: str = "127.0.0.1") -> socket.socket:
    """Connect from an address of loopback.

    The timeout is 6 times the 10 s after which the service ends a slow request. It is also half of
    the 120 s of a large body, so that a body that is ended by that limit is noticed.
    """
    return socket.create_connection(
        ("127.0.0.1", service.port), timeout=60, source_address=(address, 0)
    )


def head(method: str, path: str, announced: str = "Content-Length: 60000", **headers: str) -> bytes:
    given = {"Host": "localhost", "Content_Type": "application/json", **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}{announced}\r\n\r\n".encode()


REJECTED_BY_HEAD = {
    "another host": (421, head("POST", PAYMENT, Host="elsewhere.example")),
    "no host": (400, head("POST", PAYMENT, Host="a, b")),
    "another page": (403, head("POST", PAYMENT, Origin="https://elsewhere.example")),
    "unknown path": (404, head("POST", "/api/data-capture/nothing")),
    "another method": (405, head("POST", "/api/data-capture/health")),
    "another method of a capture": (405, head("PUT", PAYMENT)),
    "too large": (413, head("POST", PAYMENT, "Content-Length: 1000001")),
    "far too large": (413, head("POST", "/api/data-capture/batch", "Content-Length: 99999999999")),
    "two types": (415, head("POST", PAYMENT, "Content-Type: text/html\r\nContent-Length: 2")),
    "another type": (415, head("POST", PAYMENT, Content_Type="text/html")),
    "compressed": (415, head("POST", PAYMENT, Content_Encoding="gzip")),
    "without the token": (401, head("DELETE", "/api/data-capture/users/a@example.com")),
    "chunked": (421, head("POST", PAYMENT, "Transfer-Encoding: chunked", Host="elsewhere.example")),
}


@pytest.mark.slow
def test_invalid_request_is_rejected_before_its_body_arrives(service: RunningService) -> None:
    with ExitStack() as stack:
        callers = {
            case: stack.enter_context(closing(open_connection(service)))
            for case in REJECTED_BY_HEAD
        }
        for case, (_, request_head) in REJECTED_BY_HEAD.items():
            callers[case].sendall(request_head)
        responses = {case: caller.recv(65536) for case, caller in callers.items()}
        assert {case: int(response[9:12]) for case, response in responses.items()} == {
            case: status for case, (status, _) in REJECTED_BY_HEAD.items()
        }
        assert all(b"application/problem+json" in response for response in responses.values())
        # The service closes the connections and does not wait for the bodies.
        assert {case: caller.recv(65536) for case, caller in callers.items()} == dict.fromkeys(
            REJECTED_BY_HEAD, b""
        )


@pytest.mark.slow
def test_capture_over_the_rate_is_rejected_before_its_body_arrives(
    behind_proxy: RunningService, user: str
) -> None:
    """Each capture counts once, also one that the fast path leaves to Flask."""
    caller = {"X-Forwarded-For": "192.0.2.1"}
    invalid = [behind_proxy.capture("payment", {}, **caller).status_code for _ in range(2)]
    large = behind_proxy.capture(
        "payment", {"user_email": user, "note": "x" * 200_000}, **caller
    ).status_code
    assert [*invalid, large] == [422, 422, 201]
    for announced in (
        "Content-Length: 60000",
        "Content-Length: 600000",
        "Transfer-Encoding: chunked",
    ):
        with closing(open_connection(behind_proxy)) as connection:
            connection.sendall(head("POST", PAYMENT, announced, X_Forwarded_For="192.0.2.1"))
            assert connection.recv(65536).startswith(b"HTTP/1.1 429 ")


@pytest.mark.slow
def test_login_over_the_rate_is_rejected_before_its_body_arrives(
    signup_behind_proxy: RunningService,
) -> None:
    body = b'{"email": "nobody@example.com", "password": "not the password"}'
    for expected in (401, 401, 401, 429):
        with closing(open_connection(signup_behind_proxy)) as connection:
            connection.sendall(
                head("POST", LOGIN, f"Content-Length: {len(body)}", X_Forwarded_For="192.0.2.1")
                + body
            )
            assert connection.recv(65536).startswith(f"HTTP/1.1 {expected} ".encode())
    with closing(open_connection(signup_behind_proxy)) as connection:
        connection.sendall(head("POST", LOGIN, X_Forwarded_For="192.0.2.1"))
        assert connection.recv(65536).startswith(b"HTTP/1.1 429 ")


@pytest.mark.slow
def test_missing_heads_and_bodies_time_out_and_a_slow_body_is_accepted(
    service: RunningService, user: str
) -> None:
    body = json.dumps({"user_email": user}).encode()
    with ExitStack() as stack:
        idle, half, silent, dripping, slow_large, slow, after = (
            stack.enter_context(closing(open_connection(service))) for _ in range(7)
        )
        half.sendall(head("POST", PAYMENT)[:50])
        silent.sendall(head("POST", PAYMENT))
        dripping.sendall(head("POST", PAYMENT))
        slow_large.sendall(head("POST", PAYMENT, "Content-Length: 900000"))
        slow.sendall(head("POST", PAYMENT, f"Content-Length: {len(body)}"))
        for number in range(5):
            slow.sendall(body[number * len(body) // 5 : (number + 1) * len(body) // 5])
            dripping.sendall(b" ")
            slow_large.sendall(b" ")
            time.sleep(0.5)  # a body that takes several seconds
        assert slow.recv(1000).startswith(b"HTTP/1.1 201 ")
        assert [caller.recv(1000)[:13] for caller in (silent, dripping, slow_large)] == [
            b"HTTP/1.1 408 "
        ] * 3
        assert [caller.recv(1000) for caller in (idle, half)] == [b"", b""]
        assert after.recv(1000) == b""


# --- Limits per caller ----------------------------------------------------------------------------


@pytest.mark.slow
@ON_LINUX
def test_connection_limit_of_one_address_does_not_affect_others(
    service: RunningService, user: str
) -> None:
    """The limit closes connections at once; all idle ones end after 10 s.

    `other` is idle and was opened first. While it is open, only the limit closes connections.
    """
    with ExitStack() as stack:
        other = stack.enter_context(closing(open_connection(service, "127.0.0.2")))
        busy = stack.enter_context(closing(open_connection(service, "127.0.0.3")))
        busy.sendall(head("POST", PAYMENT))
        many = [
            stack.enter_context(closing(open_connection(service, "127.0.0.3")))
            for _ in range(MAX_CONNECTIONS_PER_ADDRESS + 88)
        ]
        for caller in many:
            caller.setblocking(False)

        def is_closed(caller: socket.socket) -> bool:
            try:
                return caller.recv(1) == b""
            except BlockingIOError:
                return False
            except OSError:
                return True

        closed = eventually(
            lambda: [caller for caller in many if is_closed(caller)], "some are closed"
        )
        assert len(closed) < 300
        body = json.dumps({"user_email": user}).encode()
        other.sendall(head("POST", PAYMENT, f"Content-Length: {len(body)}") + body)
        assert other.recv(1000).startswith(b"HTTP/1.1 201 ")
        busy.settimeout(0.1)  # it stays open and gets no response
        with pytest.raises(TimeoutError):
            busy.recv(1)
        assert service.capture("activity", {"user_email": user}).status_code == 201


def connections(address: str, number: int, *, first_port: int = 1000) -> list[Connection]:
    """Return connections of an address; the first has waited longest for a response."""
    return [
        Connection(index, address, first_port + index, 60_000 - index, 60_000)
        for index in range(number)
    ]


class TestSelectExcess:
    def test_longest_unanswered_connections_over_the_limit_are_closed(self) -> None:
        ours = connections("192.0.2.1", MAX_CONNECTIONS_PER_ADDRESS + 3)
        assert select_excess([*ours, *connections("192.0.2.2", 9)], (), 6000, False) == ours[:3]

    def test_connections_with_a_current_or_recent_response_are_kept(self) -> None:
        ours = connections("192.0.2.1", MAX_CONNECTIONS_PER_ADDRESS + 3)
        ours[1] = ours[1]._replace(unanswered_ms=100)
        assert select_excess(ours, {str(ours[0].port)}, 6000, False) == ours[2:5]

    def test_silent_connections_are_closed_before_dripping_ones(self) -> None:
        ours = connections("192.0.2.1", MAX_CONNECTIONS_PER_ADDRESS + 3)
        ours[0] = ours[0]._replace(idle_ms=10)
        assert select_excess(ours, (), 6000, False) == ours[1:4]

    def test_ipv6_network_counts_as_one_address(self) -> None:
        ours = connections("2001:db8::1", 300) + connections("2001:db8::2", 300)
        assert len(select_excess(ours, (), 6000, False)) == 600 - MAX_CONNECTIONS_PER_ADDRESS
        assert (
            select_excess(connections("2001:db8:0:1::1", 300) + ours[:300], (), 6000, False) == []
        )

    def test_trusted_proxy_has_no_limit_per_address(self) -> None:
        ours = connections("10.0.0.7", 2000)
        assert select_excess(ours, (), 6000, True) == []
        assert len(select_excess(ours, (), 6000, False)) == 2000 - MAX_CONNECTIONS_PER_ADDRESS

    def test_total_limit_closes_connections_of_the_largest_callers(self) -> None:
        many = [one for number in range(10) for one in connections(f"192.0.2.{number}", 500)]
        few = connections("198.51.100.1", 5)
        closed = select_excess(many + few, (), 4000, False)
        assert len(many + few) - len(closed) <= 4000
        assert {one.address for one in closed} == {f"192.0.2.{number}" for number in range(10)}


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not an address", "not an address"),
    ],
)
def test_address_belongs_to_a_caller(address: str, caller: str) -> None:
    assert caller_of(address) == caller


@pytest.mark.parametrize(
    ("counts", "total", "share"),
    [([], 10, 1), ([3], 10, 3), ([9, 9, 1], 10, 4), ([9, 9, 9], 27, 9), ([1] * 50, 10, 1)],
)
def test_fair_shares_fit_into_the_total(counts: list[int], total: int, share: int) -> None:
    assert fair_share(counts, total) == share


class Upload:
    """A body as granian passes it on: some bytes at once, and the rest never."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks

    async def __call__(self) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
        await asyncio.Event().wait()


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    # In a thread, because Playwright keeps an event loop running in the thread of the tests.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(coroutine)).result(60)


class TestBodyBuffer:
    def statuses(
        self, uploads: list[tuple[str, Upload, int | None]], *, age_seconds: float = 2
    ) -> list[int]:
        """Begin bodies in this order, sweep once, and return their statuses.

        Args:
            uploads: the address, the body and the announced bytes of each.
            age_seconds: the age of the bodies at the sweep.

        Returns:
            The status of each body; 0 for a body that may continue.
        """

        async def receive_all() -> list[int]:
            received = BodyBuffer(10_000)
            tasks = []
            for address, upload, announced in uploads:
                tasks.append(asyncio.ensure_future(received.receive(upload, address, announced)))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            while not received._sweep(time.monotonic() + age_seconds):
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            outcomes = [task.result() if task.done() else None for task in tasks]
            for task in tasks:
                task.cancel()
            return [
                int(one.problem_type.status) if isinstance(one, Problem) else 0 for one in outcomes
            ]

        return list(run(receive_all()))

    def test_caller_with_too_many_bodies_loses_the_oldest(self) -> None:
        ours = [("192.0.2.1", Upload(), 100)] * 258
        other = [("192.0.2.2", Upload(), 100)]
        assert self.statuses(other + ours) == [0, 429, 429] + [0] * 256
        assert self.statuses(ours, age_seconds=0.5) == [0] * 258  # none of them counts as slow yet

    def test_total_limit_rejects_bodies_of_the_largest_callers(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(body_limits.MAX_BODIES, body_limits.BodyKind.SMALL, 20)
        large = [("192.0.2.1", Upload(), 100)] * 30
        small = [("192.0.2.2", Upload(), 100)] * 5
        assert self.statuses(small + large) == [0] * 5 + [503] * 15 + [0] * 15

    def test_received_bytes_count_and_announced_bytes_do_not(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(body_buffer, "_MAX_BYTES", 5000)
        monkeypatch.setattr(body_buffer, "_MAX_BYTES_PER_CALLER", 3000)
        announced = [(f"192.0.2.{number}", Upload(), 20_000_000) for number in range(50)]
        assert self.statuses(announced) == [0] * 50
        one = [("192.0.2.1", Upload(b"x" * 1000), None)]
        assert self.statuses(one * 4) == [429, 0, 0, 0]
        two = [("192.0.2.2", Upload(b"x" * 1000), None)]
        assert self.statuses(one * 3 + two * 3) == [503, 0, 0, 0, 0, 0]
        assert self.statuses([("192.0.2.1", Upload(b"x" * 3001), None)]) == [429]

    @pytest.mark.slow
    def test_too_large_and_too_slow_bodies_are_rejected(self) -> None:
        assert self.statuses([("192.0.2.1", Upload(b"x" * 10_001), None)]) == [413]
        assert self.statuses(
            [("192.0.2.1", Upload(), 100), ("192.0.2.1", Upload(), 100_000)], age_seconds=11
        ) == [408, 408]
        enough = Upload(b"x" * 10_000)
        assert self.statuses([("192.0.2.1", enough, 100_000)], age_seconds=9) == [0]
        assert self.statuses([("192.0.2.1", enough, 100_000)], age_seconds=121) == [408]
