"""The fast path and the Flask routes are two adapters of one operation: same responses, same counts."""

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


def app_in(folder: Path) -> Flask:
    folder.mkdir()
    settings = load_settings({"database": str(folder / "t.db"), "rate_per_person": "5/minute"}, {})
    prepare(settings.database)
    return create_app(settings)


@pytest.fixture
def two_ways(tmp_path: Path) -> Iterator[tuple[Flask, Flask]]:
    """The service twice: one is asked by the quick way, the other through Flask."""
    apps = app_in(tmp_path / "quick"), app_in(tmp_path / "app")
    yield apps
    for app in apps:
        app.extensions["store"].close()


def ask_fast_path(
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
        with ThreadPoolExecutor(
            1
        ) as thread:  # in this one the browser's driver may have a loop of its own
            status, given, body = thread.submit(respond).result()
    except Problem as problem:  # by its head, which the server answers
        status, given, body = problem.response()
        given += [NOSNIFF, *guard.cors_headers(path, header("origin"))]
    return status, dict(given), json.loads(body)


def ask_app(
    app: Flask,
    path: str,
    content: bytes,
    headers: dict[str, str],
    remote_address: str = "127.0.0.1",
) -> tuple[int, dict[str, str], Any]:
    answer = app.test_client().post(
        path, data=content, headers=headers, environ_base={"REMOTE_ADDR": remote_address}
    )
    # The server adds the length itself; werkzeug names the charset of problems' JSON, which has no other.
    given = {name: value for name, value in answer.headers.items() if name != "Content-Length"}
    return answer.status_code, given, json.loads(answer.data)


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

ORDINARY = [
    pytest.param("payment", [PAYMENT], {}, id="a payment"),
    pytest.param("payment", [PAYMENT, PAYMENT], {}, id="sent again"),
    pytest.param("payment", [PAYMENT, {**PAYMENT, "capture_id": "two"}], {}, id="the same payment"),
    pytest.param(
        "payment",
        [PAYMENT, {**PAYMENT, "final_price": 1}],
        {},
        id="another under the same capture_id",
    ),
    pytest.param(
        "payment", [{**PAYMENT, "final_price": "much"}], {}, id="a field that is not understood"
    ),
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


@pytest.mark.parametrize(("kind", "payloads", "headers"), ORDINARY)
def test_ordinary_requests_get_the_apps_answers(
    two_ways: tuple[Flask, Flask], kind: str, payloads: list[Any], headers: dict[str, str]
) -> None:
    quick, app = two_ways
    for payload in payloads:
        asked = f"/api/data-capture/{kind}", json.dumps(payload).encode(), {**HEADERS, **headers}
        assert ask_fast_path(quick, *asked) == ask_app(app, *asked)


REFUSED = [
    pytest.param(b"{", {}, id="not JSON"),
    pytest.param(b"", {}, id="no body"),
    pytest.param(b'{"user_email": "nobody"}', {}, id="no user"),
    pytest.param(
        json.dumps({**PAYMENT, "capture_id": CARD.replace(" ", "")}).encode(),
        {},
        id="a card number for a capture_id",
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


@pytest.mark.parametrize(("content", "headers"), REFUSED)
@pytest.mark.parametrize(
    "page", [{}, {"Origin": "http://localhost:8080"}], ids=["a server", "a page"]
)
def test_refusals_are_the_same(
    two_ways: tuple[Flask, Flask], content: bytes, headers: dict[str, str], page: dict[str, str]
) -> None:
    fast, app = two_ways
    asked = "/api/data-capture/payment", content, {**HEADERS, **headers, **page}
    answer = ask_fast_path(fast, *asked)
    assert answer is not None
    assert answer[0] in (400, 401, 415, 422)
    assert answer == ask_app(app, *asked)
    for either in two_ways:
        store: Store = either.extensions["store"]
        assert store.read(
            lambda connection: connection.execute("SELECT count(*) FROM payment_data").fetchone()
        ) == (0,)


def test_an_idempotency_key_is_the_capture_id_in_either_way(two_ways: tuple[Flask, Flask]) -> None:
    payment = json.dumps({"user_email": USER, "final_price": 1}).encode()
    asked = "/api/data-capture/payment", payment, {**HEADERS, "Idempotency-Key": '"key-1"'}
    for app in two_ways:
        for ask in (ask_fast_path, ask_app):
            answer = ask(app, *asked)
            assert answer is not None
            assert answer[2]["capture_id"] == "key-1"
            assert answer[1].get("Idempotency-Replayed") == ("true" if ask is ask_app else None)


@pytest.mark.parametrize("failing", ["parse_request", "build_result"])
def test_a_fault_of_ours_is_answered_and_logged_once_in_either_way(
    two_ways: tuple[Flask, Flask],
    failing: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(capture_service, failing, lambda *_arguments, **_names: 1 // 0)
    asked = "/api/data-capture/payment", json.dumps(PAYMENT).encode(), HEADERS
    answers = [ask_fast_path(two_ways[0], *asked), ask_app(two_ways[1], *asked)]
    assert answers[0] == answers[1]
    assert answers[1] is not None
    assert answers[1][0] == 500
    assert [record.exc_info is not None for record in caplog.records] == [True, True]


def test_parsing_over_its_time_goes_on_in_a_thread(
    two_ways: tuple[Flask, Flask], monkeypatch: pytest.MonkeyPatch
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
    answer = ask_fast_path(
        two_ways[0], "/api/data-capture/payment", json.dumps(PAYMENT).encode(), HEADERS
    )
    assert answer is not None
    assert answer[0] == 201
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


def test_each_request_is_received_once_however_it_is_sent(tmp_path: Path) -> None:
    """A breakpoint in `receive_capture` is hit once by each."""
    (tmp_path / "sitecustomize.py").write_text(COUNTER)
    path = os.pathsep.join([str(tmp_path), str(REPOSITORY)])
    service = capture_service_in(
        tmp_path, PYTHONPATH=path, COUNT=str(tmp_path / "count"), EDC_RATE_PER_PERSON="8/minute"
    )
    service.start()
    url = f"{service.url}/api/data-capture/"

    def send(kind: str, content: Any, status: int, **headers: str) -> None:
        before = (tmp_path / "count").read_text()
        answer = requests.post(
            url + kind,
            data=content,
            headers={"Content-Type": "application/json", **headers},
            timeout=30,
        )
        assert answer.status_code == status, answer.text
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


def test_a_user_over_their_rate_is_refused_in_either_way(two_ways: tuple[Flask, Flask]) -> None:
    quick, _ = two_ways
    outcomes = []
    for number in range(6):
        content = json.dumps({**PAYMENT, "capture_id": str(number)}).encode()
        asked = "/api/data-capture/payment", content, HEADERS, "192.0.2.1"
        outcomes.append((ask_fast_path(quick, *asked) or ask_app(quick, *asked))[0])
    assert outcomes == [201, 200, 200, 200, 200, 429]


class TestTheQueue:
    def test_too_many_writes_are_refused_until_some_are_settled(self) -> None:
        waiting = WriteQueue()
        deadline = time.monotonic() + 60
        for _ in range(MAX_WAITING_JOBS):
            pending = QueuedWrite([lambda _connection: None], deadline)
            waiting.admit(pending)
            waiting.put(pending)
        with pytest.raises(Problem, match="Too many") as refused:
            waiting.admit(QueuedWrite([lambda _connection: None], deadline))
        assert refused.value.problem_type.status == 503
        assert refused.value.retry_after_seconds
        group = waiting.take_group()
        waiting.settle(group)
        waiting.admit(QueuedWrite([lambda _connection: None] * len(group), deadline))

    def test_too_much_is_refused_but_never_a_large_one_alone(self) -> None:
        waiting = WriteQueue()
        deadline = time.monotonic() + 60
        waiting.admit(QueuedWrite([lambda _connection: None], deadline, MAX_WAITING_BYTES + 1))
        with pytest.raises(Problem, match="Too many"):
            waiting.admit(QueuedWrite([lambda _connection: None], deadline, 1))

    def test_the_store_answers_503_while_its_queue_is_full(
        self, two_ways: tuple[Flask, Flask]
    ) -> None:
        quick, _ = two_ways
        store: Store = quick.extensions["store"]
        asked = "/api/data-capture/payment", json.dumps(PAYMENT).encode(), HEADERS
        full = QueuedWrite([lambda _connection: None], time.monotonic() + 60, 2 * MAX_WAITING_BYTES)
        another_process = WriterLock(store.database)
        with another_process.hold(1):
            store._queue.admit(full)
            store._queue.put(full)
            refused = ask_fast_path(quick, *asked)
            assert refused is not None
            assert (refused[0], refused[1]["Retry-After"]) == (503, "1")
            assert ask_app(quick, *asked) == refused
        another_process.close()
        assert full.wait() == [None]
        assert (ask_fast_path(quick, *asked) or (0,))[0] == 201


class TestTheEventLoop:
    """Whose writes are run in it, unless a thread has to wait for a lock all the same."""

    def wrote_in_loop(self, store: Store, hold_seconds: float) -> bool:
        """Whether a write of the event loop is run in it, when a thread is at a write that ends a while after it came."""
        is_held, let_go = threading.Event(), threading.Event()

        def hold(_connection: sqlite3.Connection) -> None:
            is_held.set()
            let_go.wait(10)

        async def write() -> bool:
            asyncio.get_running_loop().call_later(hold_seconds, let_go.set)
            [thread] = await store.write_together_in_loop(
                [lambda _connection: threading.current_thread()]
            )
            return thread is threading.current_thread()

        with ThreadPoolExecutor(2) as threads:
            holding = threads.submit(store.write, hold)
            is_held.wait(10)
            in_loop = threads.submit(lambda: asyncio.run(write())).result()
            holding.result()
        return in_loop

    def test_waits_a_moment_for_a_thread_that_writes(
        self, two_ways: tuple[Flask, Flask], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            "data_capture.store.loop_committer._TURN_SECONDS", 10
        )  # the moment is long on a busy machine
        assert self.wrote_in_loop(two_ways[0].extensions["store"], hold_seconds=0.005)

    def test_leaves_its_writes_to_a_thread_that_waits_for_long(
        self, two_ways: tuple[Flask, Flask]
    ) -> None:
        assert not self.wrote_in_loop(two_ways[0].extensions["store"], hold_seconds=0.5)

    def test_gives_up_what_is_not_written_in_time(self, tmp_path: Path) -> None:
        """Nobody has to come by for that: the thread that would say so is held up as well."""
        prepare(tmp_path / "t.db")
        store = Store(tmp_path / "t.db", request_seconds=0.2)
        is_held, let_go = threading.Event(), threading.Event()

        def hold(_connection: sqlite3.Connection) -> None:
            is_held.set()
            let_go.wait(20)

        async def write() -> list[Any]:
            jobs = [store.write_together_in_loop([lambda _connection: None]) for _ in range(3)]
            return await asyncio.gather(*jobs)

        with ThreadPoolExecutor(2) as threads:
            holding = threads.submit(store.write, hold)
            is_held.wait(10)
            outcomes = threads.submit(lambda: asyncio.run(write())).result(10)
            let_go.set()
            assert holding.exception() is not None  # its caller, too, waited no longer
        store.close()
        assert [str(outcome) for [outcome] in outcomes] == [
            "The database is busy; this was not stored within the time a request may take."
        ] * 3

    def test_is_answered_what_was_begun_when_the_store_is_closed(self, tmp_path: Path) -> None:
        """The loop that would go on after the commit is the one that closes it."""
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
            return await asyncio.wait_for(writing, 10)

        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(lambda: asyncio.run(write_and_close())).result(30) == [True]
        assert not (tmp_path / "t.db-wal").exists()  # closed in good order

    def test_leaves_the_turn_to_others_when_it_is_closed_before_the_commit(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prepare(tmp_path / "t.db")
        store = Store(tmp_path / "t.db", request_seconds=10)
        is_closed, commit = threading.Event(), store._writer.commit

        def commit_late() -> BaseException | None:
            is_closed.wait(10)
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
            thread.submit(lambda: asyncio.run(begin())).result(10)
        is_closed.set()
        count = "SELECT count(*) FROM data_capture_erasures"
        assert store.write(lambda connection: connection.execute(count).fetchone()) == (1,)
        store.close()
