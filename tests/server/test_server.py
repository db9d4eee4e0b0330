"""How a service is served, seen from its port: slow and broken callers, the end of the process, the log."""

from __future__ import annotations

import asyncio
import errno
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask, request

from data_capture.server.buffering import BufferingAdapter
from data_capture.server.logging import LOG_FILE_BYTES, OLD_LOG_FILES
from data_capture.server.ports import find_listen_error
from data_capture.web import error_handlers
from tests.support.managed import LOG_LINE, is_running, worker_of
from tests.support.services import (
    REPOSITORY,
    RunningService,
    capture_service_in,
    eventually,
    free_port,
)

PAYMENT = "/api/data-capture/payment"
HEALTH = "/api/data-capture/health"
HEAD = f"POST {PAYMENT} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
HALF_A_REQUEST = f"{HEAD}Content-Length: 400\r\n\r\n{{".encode()


def connection_to(service: RunningService) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=10)


def say(service: RunningService, words: bytes) -> bytes:
    """The answer to a request that is spelled out, with the connection closed after it."""
    with closing(connection_to(service)) as caller:
        caller.sendall(words)
        answer = b""
        while chunk := caller.recv(65536):
            answer += chunk
        return answer


# --- Callers ----------------------------------------------------------------------------------------------------------


def test_half_sent_requests_keep_nobody_else_waiting(
    capture_service: RunningService, user: str
) -> None:
    with ExitStack() as slow_callers:
        for _ in range(300):
            slow_callers.enter_context(closing(connection_to(capture_service))).sendall(
                HALF_A_REQUEST
            )
        started_at = time.monotonic()
        assert capture_service.capture("payment", {"user_email": user}).status_code == 201
        assert requests.get(capture_service.url + HEALTH, timeout=5).status_code == 200
        assert time.monotonic() - started_at < 2


def test_idle_connections_keep_nobody_else_waiting(
    capture_service: RunningService, user: str
) -> None:
    with ExitStack() as idle_callers:
        for _ in range(300):
            caller = idle_callers.enter_context(closing(connection_to(capture_service)))
            caller.sendall(f"GET {HEALTH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert caller.recv(1000).startswith(b"HTTP/1.1 200")
        assert capture_service.capture("payment", {"user_email": user}).status_code == 201


def test_a_slow_body_is_taken_when_it_is_complete(
    capture_service: RunningService, user: str
) -> None:
    body = json.dumps({"user_email": user, "final_price": "5.00"}).encode()
    with closing(connection_to(capture_service)) as caller:
        caller.sendall(f"{HEAD}Content-Length: {len(body)}\r\n\r\n".encode())
        for position in range(len(body)):
            caller.sendall(body[position : position + 1])
            time.sleep(0.005)
        assert caller.recv(1000).startswith(b"HTTP/1.1 201")


def test_a_chunked_body_is_taken(capture_service: RunningService, user: str) -> None:
    body = json.dumps({"user_email": user}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", capture_service.port, timeout=10)
    with closing(connection):
        connection.request(
            "POST", PAYMENT, iter([body[:5], body[5:]]), {"Content-Type": "application/json"}
        )
        assert connection.getresponse().status == 201


@pytest.mark.parametrize("chunked", [False, True])
def test_who_sends_too_much_can_read_that_it_is_too_much(
    capture_service: RunningService, chunked: bool
) -> None:
    """A server that cut the connection would look like a broken network, and be tried again for ever."""
    content = b"x" * 30_000_000
    body: Any = (
        (content[start : start + 100_000] for start in range(0, len(content), 100_000))
        if chunked
        else content
    )
    connection = http.client.HTTPConnection("127.0.0.1", capture_service.port, timeout=20)
    with closing(connection):
        connection.request(
            "POST",
            PAYMENT,
            body,
            {"Content-Type": "application/json", "Origin": "http://localhost:3000"},
        )
        response = connection.getresponse()
        assert response.status == 413
        assert response.getheader("Access-Control-Allow-Origin") == "http://localhost:3000"
        assert json.loads(response.read())["success"] is False


def test_a_caller_that_goes_away_is_no_error(capture_service: RunningService, user: str) -> None:
    logged_before = capture_service.log_file.read_text()
    for words in (HALF_A_REQUEST, f"GET {HEALTH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()):
        for _ in range(20):
            with closing(connection_to(capture_service)) as caller:
                caller.sendall(words)
    assert capture_service.capture("payment", {"user_email": user}).status_code == 201
    logged = capture_service.log_file.read_text()[len(logged_before) :]
    assert "ERROR" not in logged


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3", 400),
        ("GARBAGE", 400),
        ("GET /api/data-capture/stats/%FF%FE HTTP/1.1\r\nHost: localhost", 422),
        ("GET /api/data-capture/stats/j%C3%BCrgen@example.com HTTP/1.1\r\nHost: localhost", 200),
        ("GET /api/data-capture/stats/nobody%40example.com?a=%FF HTTP/1.1\r\nHost: localhost", 200),
        ("HEAD /api/data-capture/health HTTP/1.1\r\nHost: localhost", 200),
        ("BREW /api/data-capture/health HTTP/1.1\r\nHost: localhost", 405),
    ],
)
def test_odd_requests_get_an_answer(
    capture_service: RunningService, request_line: str, status: int
) -> None:
    answer = say(capture_service, f"{request_line}\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer


def test_a_header_can_not_be_forged_with_an_underscore(capture_service: RunningService) -> None:
    """`X_Forwarded_For` would become the same WSGI variable as `X-Forwarded-For`: it says, too, that nobody calls directly."""
    head = "GET /api/data-capture/stats/a@example.com HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    assert say(capture_service, f"{head}X-Forwarded-For: 1.2.3.4\r\n\r\n".encode()).startswith(
        b"HTTP/1.1 403"
    )
    assert say(capture_service, f"{head}X_Forwarded_For: 1.2.3.4\r\n\r\n".encode()).startswith(
        b"HTTP/1.1 403"
    )


class Exchange:
    """One request as granian hands it over, whose body comes in `chunks`."""

    http_version, server, client, scheme, method = (
        "1.1",
        "127.0.0.1:80",
        "127.0.0.1:4711",
        "http",
        "POST",
    )
    path, query_string = "/", ""

    def __init__(self, *chunks: bytes) -> None:
        self.headers = {"transfer-encoding": "chunked"}
        self.answer: tuple[int, dict[str, str], bytes] | None = None
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk

    def response_bytes(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.answer = status, dict(headers), content


def answer_to(exchange: Exchange, patience_seconds: float = 5) -> tuple[int, dict[str, str], bytes]:
    """What an app that sends the body back answers."""
    app = Flask("echo")
    app.add_url_rule("/", view_func=lambda: request.get_data(), methods=["POST"])
    error_handlers.init_app(app)
    served = BufferingAdapter(
        app, max_wait_seconds=patience_seconds, on_open=lambda: None, on_close=lambda: None
    )

    async def serve_once() -> None:
        await served.__rsgi__(exchange, exchange)
        served.__rsgi_del__(asyncio.get_running_loop())

    with ThreadPoolExecutor(
        1
    ) as thread:  # Playwright keeps an event loop running in the thread of the tests
        thread.submit(lambda: asyncio.run(serve_once())).result()
    assert exchange.answer is not None
    return exchange.answer


def test_a_request_that_waited_too_long_for_a_thread_is_answered_503() -> None:
    status, headers, _ = answer_to(Exchange(b"abc"), patience_seconds=-1)
    assert (status, headers["Retry-After"]) == (503, "1")


# --- One process and its end ------------------------------------------------------------------------------------------


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    """A capture service of the test's own."""
    one = capture_service_in(tmp_path)
    one.start()
    yield one
    one.stop()


def main_process(service: RunningService) -> int:
    assert service._process is not None
    return service._process.pid


def run_service(directory: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Runs a capture service that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "enhanced_data_capture_system.py"), "--database", str(directory / "other.db"),
         "--log-file", str(directory / "other.log"), *flags],
        capture_output=True, text=True, timeout=15, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def test_a_second_service_on_the_port_is_refused_in_a_sentence(
    service: RunningService, tmp_path: Path
) -> None:
    refused = run_service(tmp_path, "--port", str(service.port))
    assert refused.returncode == 1
    assert (
        refused.stderr
        == f"Port {service.port} is in use by another program. Choose another with --port or EDC_CAPTURE_PORT.\n"
    )


def test_looking_at_a_port_is_not_seen_by_others_who_look_and_keeps_nobody_from_using_it() -> None:
    port, done = free_port(), threading.Event()

    def look() -> list[str]:
        seen = []
        while not done.is_set():
            seen += [reason] if (reason := find_listen_error("127.0.0.1", port)) else []
        return seen

    with ThreadPoolExecutor(2) as pool:
        lookers = [pool.submit(look) for _ in range(2)]
        try:
            for _ in range(500):
                with closing(socket.socket()) as caller:
                    assert caller.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
                with closing(socket.socket()) as server:
                    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as granian does
                    server.bind(("127.0.0.1", port))
        finally:
            done.set()
    assert [looker.result() for looker in lookers] == [[], []]


def test_a_database_that_can_not_be_used_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "other.db").write_text("this is no database, but a text")
    refused = run_service(tmp_path, "--port", str(free_port()))
    assert refused.returncode == 1
    assert "is not an SQLite database" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_killed_main_process_takes_its_worker_with_it_and_frees_the_port(
    service: RunningService,
) -> None:
    process = main_process(service)
    worker = worker_of(process)
    os.kill(process, signal.SIGKILL)
    eventually(lambda: not is_running(worker), "the worker has ended", 2)
    eventually(
        lambda: service._process is not None and service._process.poll() is not None,
        "its end is known",
        2,
    )
    service.start()


def test_a_service_whose_worker_is_killed_ends_with_status_1(service: RunningService) -> None:
    worker = worker_of(main_process(service))
    os.kill(worker, signal.SIGKILL)
    assert service._process is not None
    assert service._process.wait(timeout=5) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_whole_group_ends_a_service_with_status_0(
    service: RunningService, number: signal.Signals
) -> None:
    """As Ctrl-C in a terminal does, which reaches the worker too."""
    assert service._process is not None
    os.killpg(main_process(service), number)
    assert service._process.wait(timeout=10) == 0


def test_it_serves_ipv6(tmp_path: Path, user: str) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(REPOSITORY / "enhanced_data_capture_system.py"), "--host", "::1", "--port", str(port),
         "--database", str(tmp_path / "six.db"), "--log-file", str(tmp_path / "six.log")],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def counts() -> Any:
        try:
            return requests.get(
                f"http://[::1]:{port}/api/data-capture/stats/{user}", timeout=2
            ).json()["data_counts"]
        except requests.ConnectionError:
            return None

    try:
        assert eventually(counts, "it answers a direct caller", 10)["payments"] == 0
    finally:
        process.terminate()
        assert process.wait(timeout=10) == 0


# --- The log ----------------------------------------------------------------------------------------------------------


def test_a_log_file_that_can_not_be_written_is_said_and_the_service_runs(
    tmp_path: Path, user: str
) -> None:
    service = capture_service_in(tmp_path, EDC_LOG_FILE=str(tmp_path))
    try:
        service.start()
        assert service.capture("payment", {"user_email": user}).status_code == 201
    finally:
        service.stop()
    said = service.output.read_text()
    assert (
        f"The log file {tmp_path} can't be written (Is a directory); the log goes to the console only."
        in said
    )
    assert "INFO capture Listening on" in said
    assert "Traceback" not in said


def test_log_lines_have_one_form(tmp_path: Path, user: str) -> None:
    service = capture_service_in(tmp_path, EDC_DEBUG="1")
    try:
        service.start()
        assert service.capture("payment", {"user_email": user}).status_code == 201
    finally:
        service.stop()
    logged = service.log_file.read_text()
    assert all(LOG_LINE.match(line) for line in logged.splitlines())
    assert re.search(r"Z DEBUG capture POST /api/data-capture/payment -> 201 in [\d.]+ ms", logged)
    assert user not in logged
    assert service.log_file.stat().st_mode & 0o777 == 0o600


def test_the_log_is_rotated_while_two_processes_write_to_it_and_no_line_is_lost_or_torn(
    tmp_path: Path,
) -> None:
    log_file = tmp_path / "shared.log"
    program = f"""
import logging, sys
sys.path.insert(0, {str(REPOSITORY)!r})
from data_capture.server.logging import configure_logging
from data_capture.web import error_handlers
from data_capture.settings import load_settings
configure_logging(sys.argv[1], load_settings({{"log_file": {str(log_file)!r}}}))
for number in range(60_000):
    logging.getLogger("data_capture").info("%06d %s", number, "x" * 100)
"""
    writers = [
        subprocess.Popen([sys.executable, "-c", program, name], stderr=subprocess.DEVNULL)
        for name in ("capture", "signup")
    ]
    for writer in writers:
        assert writer.wait(timeout=60) == 0
    files = sorted(tmp_path.glob("shared.log*"))
    assert 1 < len(files) <= 1 + OLD_LOG_FILES
    assert all(file.stat().st_size <= LOG_FILE_BYTES + 200 for file in files)
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    seen: dict[str, set[int]] = {"capture": set(), "signup": set()}
    for line in (line for file in files for line in file.read_text().splitlines()):
        found = re.fullmatch(r"\S+Z INFO (capture|signup) (\d{6}) x{100}", line)
        assert found, line
        seen[found.group(1)].add(int(found.group(2)))
    assert all(numbers == set(range(60_000)) for numbers in seen.values())
