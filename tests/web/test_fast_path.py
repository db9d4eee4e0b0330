"""Test that the fast path and the Flask routes respond in the same way."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask

from data_capture.capture.parse import Caller
from data_capture.deadlines import DeadlinePassed
from data_capture.problems import Problem
from data_capture.settings import load_settings
from data_capture.store import Store
from data_capture.store.sqlite.lock import WriterLock
from data_capture.store.sqlite.schema import prepare
from data_capture.store.write_queue import (
    MAX_WAITING_BYTES,
    MAX_WAITING_JOBS,
    QueuedWrite,
    WriteQueue,
)
from data_capture.web import capture_service
from data_capture.web.fast_path import FastPath, fits_event_loop
from data_capture.web.requests import CaptureRequest
from data_capture.web.responses import RawResponse
from data_capture.web.security_headers import NOSNIFF
from enhanced_data_capture_system import create_app
from tests.support.services import REPOSITORY, capture_service_in

USER = "someone@example.com"
PAYMENT = {
    "user_email": USER,
    "capture_id": "one",
    "transaction_id": "TX-1",
    "final_price": "99.80",
}
CARD = "4111 1111 1111 1111"


def make_app(folder: Path) -> Flask:
    folder.mkdir()
    settings = load_settings({"database": str(folder / "t.db"), "rate_per_person": "5/minute"}, {})
    prepare(settings.database)
    return create_app(settings)


@pytest.fixture
def both_apps(tmp_path: Path) -> Iterator[tuple[Flask, Flask]]:
    """Two equal apps: one for the fast path, one for the Flask routes."""
    apps = make_app(tmp_path / "fast"), make_app(tmp_path / "flask")
    yield apps
    for app in apps:
        app.extensions["store"].close()


def send_to_fast_path(
    app: Flask,
    path: str,
    content: bytes,
    headers: dict[str, str],
    remote_address: str = "127.0.0.1",
) -> tuple[int, dict[str, str], Any] | None:
    """Send a request to the fast path; None where another adapter responds."""
    guard, service = app.extensions["request_guard"], app.extensions["capture_service"]
    given_headers = {"Content-Length": str(len(content)), **headers}
    header = {name.lower(): value for name, value in given_headers.items()}.get
    if guard.check(path, header) is not None or not fits_event_loop(content):
        return None

    def respond() -> RawResponse:
        with ThreadPoolExecutor(1) as threads:
            fast_path = FastPath(service, guard, threads)
            admitted = service.admit(path, header, remote_address, len(content))
            return asyncio.run(fast_path.respond(admitted, header, content))

    try:
        # In a thread, because Playwright may keep an event loop running in this one.
        with ThreadPoolExecutor(1) as thread:
            status, given, body = thread.submit(respond).result()
    except Problem as problem:  # rejected by the head, to which the server responds
        status, given, body = problem.response()
        given += [NOSNIFF, *guard.cors_headers(path, header("origin"))]
    return status, dict(given), json.loads(body)


def send_to_flask(
    app: Flask,
    path: str,
    content: bytes,
    headers: dict[str, str],
    remote_address: str = "127.0.0.1",
) -> tuple[int, dict[str, str], Any]:
    response = app.test_client().post(
        path, data=content, headers=headers, environ_base={"REMOTE_ADDR": remote_address}
    )
    # The server adds the length itself.
    given = {name: value for name, value in response.headers.items() if name != "Content-Length"}
    return response.status_code, given, json.loads(response.data)


HEADERS = {"Host": "127.0.0.1:5003", "Content-Type": "application/json"}
PAGE = {"Origin": "http://localhost:8080", "Content-Type": "text/plain;charset=UTF-8"}
BATCH = {
    "captures": [
        {"type": "payment", **PAYMENT},
        {"type": "activity", "user_email": USER, "capture_id": "a"},
        {"type": "?"},
        7,
    ]
}

ACCEPTED = [
    pytest.param("payment", [PAYMENT], {}, id="a payment"),
    pytest.param("payment", [PAYMENT, PAYMENT], {}, id="a repetition"),
    pytest.param("payment", [PAYMENT, {**PAYMENT, "capture_id": "two"}], {}, id="the same payment"),
    pytest.param(
        "payment",
        [PAYMENT, {**PAYMENT, "final_price": 1}],
        {},
        id="another payment with the same capture_id",
    ),
    pytest.param("payment", [{**PAYMENT, "final_price": "much"}], {}, id="an unreadable field"),
    pytest.param(
        "questionnaire",
        [{"userEmail": USER, "capture_id": "q", "cryptoAssets": ["BTC"]}],
        PAGE,
        id="a page",
    ),
    pytest.param(
        "dashboard", [{"email": USER, "capture_id": "d", "theme": "light"}], PAGE, id="a dashboard"
    ),
    pytest.param(
        "activity",
        [{"email": USER, "capture_id": "a", "note": f"paid by {CARD}"}],
        {},
        id="a card in a text",
    ),
    pytest.param("batch", [BATCH], PAGE, id="a batch"),
]


@pytest.mark.slow(quick_cases=2)
@pytest.mark.parametrize(("kind", "payloads", "headers"), ACCEPTED)
def test_ordinary_requests_get_the_same_response_from_both_adapters(
    both_apps: tuple[Flask, Flask], kind: str, payloads: list[Any], headers: dict[str, str]
) -> None:
    fast_app, app = both_apps
    for payload in payloads:
        request = f"/api/data-capture/{kind}", json.dumps(payload).encode(), {**HEADERS, **headers}
        assert send_to_fast_path(fast_app, *request) == send_to_flask(app, *request)


REJECTED = [
    pytest.param(b"{", {}, id="not JSON"),
    pytest.param(b"", {}, id="no body"),
    pytest.param(b'{"user_email": "nobody"}', {}, id="no user"),
    pytest.param(
        json.dumps({**PAYMENT, "capture_id": CARD.replace(" ", "")}).encode(),
        {},
        id="a card number as capture_id",
    ),
    pytest.param(
        json.dumps(PAYMENT).encode(), {"Content-Type": "text/html"}, id="another media type"
    ),
    pytest.param(json.dumps(PAYMENT).encode(), {"Content-Encoding": "gzip"}, id="compressed"),
    pytest.param(
        json.dumps(PAYMENT).encode(), {"Authorization": "Bearer wrong"}, id="an invalid token"
    ),
    pytest.param(
        b'{"user_email": "a@example.com"}',
        {"Idempotency-Key": "no key at all"},
        id="an invalid key in a header",
    ),
    pytest.param(
        b'{"user_email": "someone@example.com", "more": ' + b"[" * 70 + b"]" * 70 + b"}",
        {},
        id="nested too deep",
    ),
]


@pytest.mark.slow(quick_cases=5)
@pytest.mark.parametrize(("content", "headers"), REJECTED)
@pytest.mark.parametrize(
    "page", [{}, {"Origin": "http://localhost:8080"}], ids=["a server", "a page"]
)
def test_rejections_are_the_same_from_both_adapters(
    both_apps: tuple[Flask, Flask], content: bytes, headers: dict[str, str], page: dict[str, str]
) -> None:
    fast, app = both_apps
    request = "/api/data-capture/payment", content, {**HEADERS, **headers, **page}
    response = send_to_fast_path(fast, *request)
    assert response is not None
    assert response[0] in (400, 401, 415, 422)
    assert response == send_to_flask(app, *request)
    for either in both_apps:
        store: Store = either.extensions["store"]
        assert store.read(
            lambda connection: connection.execute("SELECT count(*) FROM payment_data").fetchone()
        ) == (0,)


def test_idempotency_key_is_the_capture_id_in_both_adapters(both_apps: tuple[Flask, Flask]) -> None:
    payment = json.dumps({"user_email": USER, "final_price": 1}).encode()
    request = "/api/data-capture/payment", payment, {**HEADERS, "Idempotency-Key": '"key-1"'}
    for app in both_apps:
        for ask in (send_to_fast_path, send_to_flask):
            response = ask(app, *request)
            assert response is not None
            assert response[2]["capture_id"] == "key-1"
            assert response[1].get("Idempotency-Replayed") == (
                "true" if ask is send_to_flask else None
            )


@pytest.mark.parametrize("failing", ["parse_request", "build_result"])
def test_internal_error_gets_500_and_is_logged_once_by_both_adapters(
    both_apps: tuple[Flask, Flask],
    failing: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(capture_service, failing, lambda *_arguments, **_names: 1 // 0)
    request = "/api/data-capture/payment", json.dumps(PAYMENT).encode(), HEADERS
    responses = [send_to_fast_path(both_apps[0], *request), send_to_flask(both_apps[1], *request)]
    assert responses[0] == responses[1]
    assert responses[1] is not None
    assert responses[1][0] == 500
    assert [record.exc_info is not None for record in caplog.records] == [True, True]


def test_parsing_over_its_deadline_continues_in_a_thread(
    both_apps: tuple[Flask, Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    parse = capture_service.parse_request

    def parse_slowly(
        kind: str, payload: Any, caller: Caller, *arguments: Any, **names: Any
    ) -> CaptureRequest:
        threads.append(threading.current_thread().name)
        if caller.deadline is not None:
            raise DeadlinePassed
        return parse(kind, payload, caller, *arguments, **names)

    monkeypatch.setattr(capture_service, "parse_request", parse_slowly)
    response = send_to_fast_path(
        both_apps[0], "/api/data-capture/payment", json.dumps(PAYMENT).encode(), HEADERS
    )
    assert response is not None
    assert response[0] == 201
    assert len({*threads}) == len(threads) == 2


COUNTER = """
import os
from data_capture.web import capture_service
receive_capture = capture_service.receive_capture
def counted(*arguments):
    os.write(count, b".")
    return receive_capture(*arguments)
count = os.open(os.environ["COUNT"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
capture_service.receive_capture = counted
"""


@pytest.mark.slow
def test_each_request_calls_receive_capture_once(tmp_path: Path) -> None:
    """So a breakpoint in `receive_capture` is hit once per request."""
    (tmp_path / "sitecustomize.py").write_text(COUNTER)
    path = os.pathsep.join([str(tmp_path), str(REPOSITORY)])
    service = capture_service_in(
        tmp_path, PYTHONPATH=path, COUNT=str(tmp_path / "count"), EDC_RATE_PER_PERSON="8/minute"
    )
    service.start()
    url = f"{service.url}/api/data-capture/"

    def send(kind: str, content: Any, status: int, **headers: str) -> None:
        before = (tmp_path / "count").read_text()
        response = requests.post(
            url + kind,
            data=content,
            headers={"Content-Type": "application/json", **headers},
            timeout=30,
        )
        assert response.status_code == status, response.text
        assert (tmp_path / "count").read_text() == before + "."

    def body(**members: Any) -> bytes:
        return json.dumps({"user_email": USER, **members}).encode()

    try:
        send("payment", body(final_price=1), 201)
        send("payment", body(final_price=2), 201, **{"Idempotency-Key": "key-2"})
        send("payment", body(final_price=2), 201, **{"Idempotency-Key": "key-2"})
        send("payment", iter([body(final_price=3)]), 201)
        send("payment", body(final_price=4), 201, **{"Content-Type": "text/plain;charset=UTF-8"})
        send("payment", body(final_price=5, note="x " * 15_000), 201)
        send("payment", iter([body(final_price=6, note="x " * 100_000)]), 201)
        send("questionnaire", body(screenshot="data:image/png;base64," + "A" * 3_000_000), 201)
        send("batch", json.dumps(BATCH).encode(), 207)
        send("payment", b'{"user_email": "nobody"}', 422)
    finally:
        service.stop()


def test_user_over_the_rate_is_rejected(both_apps: tuple[Flask, Flask]) -> None:
    fast_app, _ = both_apps
    outcomes = []
    for number in range(6):
        content = json.dumps({**PAYMENT, "capture_id": str(number)}).encode()
        request = "/api/data-capture/payment", content, HEADERS, "192.0.2.1"
        outcomes.append(
            (send_to_fast_path(fast_app, *request) or send_to_flask(fast_app, *request))[0]
        )
    assert outcomes == [201, 200, 200, 200, 200, 429]


class TestWriteQueue:
    def test_too_many_writes_are_rejected_until_some_are_settled(self) -> None:
        queue = WriteQueue()
        deadline = time.monotonic() + 60
        for _ in range(MAX_WAITING_JOBS):
            pending = QueuedWrite([lambda _connection: None], deadline)
            queue.admit(pending)
            queue.put(pending)
        with pytest.raises(Problem, match="Too many") as rejected:
            queue.admit(QueuedWrite([lambda _connection: None], deadline))
        assert rejected.value.problem_type.status == 503
        assert rejected.value.retry_after_seconds
        group = queue.take_group()
        queue.settle(group)
        queue.admit(QueuedWrite([lambda _connection: None] * len(group), deadline))

    def test_too_many_bytes_are_rejected_but_never_the_only_write(self) -> None:
        queue = WriteQueue()
        deadline = time.monotonic() + 60
        queue.admit(QueuedWrite([lambda _connection: None], deadline, MAX_WAITING_BYTES + 1))
        with pytest.raises(Problem, match="Too many"):
            queue.admit(QueuedWrite([lambda _connection: None], deadline, 1))

    def test_full_write_queue_gets_503(self, both_apps: tuple[Flask, Flask]) -> None:
        fast_app, _ = both_apps
        store: Store = fast_app.extensions["store"]
        request = "/api/data-capture/payment", json.dumps(PAYMENT).encode(), HEADERS
        full = QueuedWrite([lambda _connection: None], time.monotonic() + 60, 2 * MAX_WAITING_BYTES)
        another_process = WriterLock(store.database)
        with another_process.hold(1):
            store._queue.admit(full)
            store._queue.put(full)
            rejected = send_to_fast_path(fast_app, *request)
            assert rejected is not None
            assert (rejected[0], rejected[1]["Retry-After"]) == (503, "1")
            assert send_to_flask(fast_app, *request) == rejected
        another_process.close()
        assert full.wait() == [None]
        assert (send_to_fast_path(fast_app, *request) or (0,))[0] == 201


class TestWritesInTheEventLoop:
    """The event loop runs its own writes, unless it would have to wait for long."""

    def writes_in_loop(self, store: Store, hold_seconds: float) -> bool:
        """Return whether the event loop runs its write while a thread holds the writer.

        Args:
            store: whose writer is held.
            hold_seconds: the time from the loop's write to the end of the thread's.
        """
        is_held, release = threading.Event(), threading.Event()

        def hold(_connection: sqlite3.Connection) -> None:
            is_held.set()
            release.wait(60)

        async def write() -> bool:
            asyncio.get_running_loop().call_later(hold_seconds, release.set)
            [thread] = await store.write_together_in_loop(
                [lambda _connection: threading.current_thread()]
            )
            return thread is threading.current_thread()

        with ThreadPoolExecutor(2) as threads:
            holding = threads.submit(store.write, hold)
            is_held.wait(60)
            in_loop = threads.submit(lambda: asyncio.run(write())).result()
            holding.result()
        return in_loop

    def test_event_loop_waits_briefly_for_a_writing_thread(
        self, both_apps: tuple[Flask, Flask], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # A brief wait can be long on a busy machine.
        monkeypatch.setattr("data_capture.store.loop_committer._TURN_SECONDS", 60)
        assert self.writes_in_loop(both_apps[0].extensions["store"], hold_seconds=0.005)

    def test_event_loop_hands_writes_to_a_thread_after_a_long_wait(
        self, both_apps: tuple[Flask, Flask]
    ) -> None:
        assert not self.writes_in_loop(both_apps[0].extensions["store"], hold_seconds=0.5)

    def test_writes_fail_when_their_deadline_passes(self, tmp_path: Path) -> None:
        """The event loop fails them by itself, because the thread of the store is blocked, too."""
        prepare(tmp_path / "t.db")
        store = Store(tmp_path / "t.db", request_seconds=0.2)
        is_held, release = threading.Event(), threading.Event()

        def hold(_connection: sqlite3.Connection) -> None:
            is_held.set()
            release.wait(60)

        async def write() -> list[Any]:
            jobs = [store.write_together_in_loop([lambda _connection: None]) for _ in range(3)]
            return await asyncio.gather(*jobs)

        with ThreadPoolExecutor(2) as threads:
            holding = threads.submit(store.write, hold)
            is_held.wait(60)
            outcomes = threads.submit(lambda: asyncio.run(write())).result(60)
            timeout_of_thread = holding.exception(60)  # before the release, which would store it
            release.set()
        assert isinstance(timeout_of_thread, Problem)
        store.close()
        assert [str(outcome) for [outcome] in outcomes] == [
            "The database is busy; this was not stored within the time a request may take."
        ] * 3

    def test_close_finishes_a_write_that_has_begun(self, tmp_path: Path) -> None:
        """The event loop that waits for the commit is the one that closes the store."""
        prepare(tmp_path / "t.db")
        store = Store(tmp_path / "t.db", request_seconds=60)

        async def write_and_close() -> list[Any]:
            writing = asyncio.ensure_future(
                store.write_together_in_loop([lambda connection: connection.in_transaction])
            )
            committer = store._loop_committer
            while not committer._is_busy or committer._gathered:
                await asyncio.sleep(0)
            store.close()
            return await asyncio.wait_for(writing, 60)

        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(lambda: asyncio.run(write_and_close())).result(60) == [True]
        assert not (tmp_path / "t.db-wal").exists()  # the last connection was closed cleanly

    def test_other_writers_continue_after_the_loop_closes_before_its_commit(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prepare(tmp_path / "t.db")
        store = Store(tmp_path / "t.db", request_seconds=60)
        is_closed, commit = threading.Event(), store._writer.commit

        def commit_late() -> BaseException | None:
            is_closed.wait(60)
            return commit()

        monkeypatch.setattr(store._writer, "commit", commit_late)
        add = "INSERT INTO data_capture_erasures VALUES ('a', '', 0)"

        async def begin() -> None:
            writing = asyncio.ensure_future(
                store.write_together_in_loop([lambda connection: connection.execute(add).rowcount])
            )
            committer = store._loop_committer
            while not committer._is_busy or committer._gathered:
                await asyncio.sleep(0)
            writing.cancel()

        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(begin())).result(60)
        is_closed.set()
        count = "SELECT count(*) FROM data_capture_erasures"
        assert store.write(lambda connection: connection.execute(count).fetchone()) == (1,)
        store.close()
