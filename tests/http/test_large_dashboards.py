"""Test that dashboards of up to 20 MB are stored, within bounded memory.

A trader with 2,700 trades has a dashboard of more than 1 MB, one with 54,000 trades of 20 MB.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from data_capture.json_codec import MAX_BYTES, MAX_BYTES_OF_A_DASHBOARD
from tests.support.erasing import ADMIN, TOKEN, assert_whole, export
from tests.support.large_dashboards import BYTES_PER_TRADE, EQUITY, encode, make_dashboard, pad
from tests.support.services import (
    RunningService,
    capture_service_in,
    eventually,
    process_cpu_seconds,
    seconds_of_a_calibration,
)

MANY, MOST = 2_900, 50_000
MAX_MEMORY_BYTES = 700_000_000
# About 5 s on an idle machine.
MAX_CALIBRATIONS_FOR_A_REJECTION = 100
LATEST = "SELECT * FROM dashboard_data WHERE user_email = ? ORDER BY id DESC LIMIT 1"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    running = capture_service_in(
        tmp_path_factory.mktemp("large"), EDC_ADMIN_TOKEN=TOKEN, EDC_REQUEST_SECONDS="20"
    )
    running.start()
    yield running
    running.stop()


def send(service: RunningService, body: bytes, kind: str = "dashboard") -> requests.Response:
    return requests.post(
        f"{service.url}/api/data-capture/{kind}",
        data=body,
        headers={"Content-Type": "application/json"},
        timeout=120,
    )


def latest(service: RunningService, user: str) -> dict[str, Any]:
    [row] = service.rows(LATEST, user)
    return row


def worker_pid(service: RunningService) -> int:
    health = requests.get(f"{service.url}/api/data-capture/health", timeout=30)
    return int(health.json()["pid"])


def measure_peak_memory(service: RunningService, work: Callable[[], None]) -> int:
    """Return the worker's peak memory in bytes while `work` runs (proc(5))."""
    process = Path(f"/proc/{worker_pid(service)}")
    (process / "clear_refs").write_text("5", encoding="ascii")  # resets the peak
    work()
    status = (process / "status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def test_trades_are_as_long_as_those_of_real_pages() -> None:
    body = encode(make_dashboard("a@example.com", 1000))
    assert 0.9 * BYTES_PER_TRADE < len(body) / 1000 < 1.1 * BYTES_PER_TRADE


def test_dashboard_of_more_than_1_mb_is_stored_with_its_equity(
    service: RunningService, user: str
) -> None:
    payload = make_dashboard(user, MANY)
    body = encode(payload)
    assert len(body) > MAX_BYTES
    response = send(service, body)
    assert response.status_code == 201, response.text
    assert "warnings" not in response.json()
    row = latest(service, user)
    assert (row["current_equity"], row["total_trades"], row["theme"]) == (EQUITY, MANY, "light")
    assert json.loads(row["trading_state"]) == payload["tradingState"]
    [record] = service.rows("SELECT * FROM data_capture_audit WHERE user_email = ?", user)
    assert json.loads(record["data_snapshot"]) == payload
    assert send(service, body).json()["duplicate"] is True
    changed = encode(make_dashboard(user, MANY, equity=99_000.5))
    assert send(service, changed).status_code == 201
    assert latest(service, user)["current_equity"] == 99_000.5


def test_large_states_as_json_texts_are_stored(service: RunningService, user: str) -> None:
    payload = make_dashboard(user, MANY)
    texts = {
        key: json.dumps(value) if isinstance(value, dict) else value
        for key, value in payload.items()
    }
    response = send(service, encode(texts))
    assert response.status_code == 201, response.text
    row = latest(service, user)
    assert row["current_equity"] == EQUITY
    assert json.loads(row["trading_state"]) == payload["tradingState"]


def test_trades_by_their_id_are_stored(service: RunningService, user: str) -> None:
    payload = make_dashboard(user, MANY)
    state = payload["tradingState"]
    state["trades"] = {trade["id"]: trade for trade in state["trades"]}
    assert send(service, encode(payload)).status_code == 201
    row = latest(service, user)
    assert row["current_equity"] == EQUITY
    assert json.loads(row["trading_state"]) == state


def test_secrets_in_a_large_dashboard_are_masked(service: RunningService, user: str) -> None:
    payload = make_dashboard(user, MANY)
    trades = payload["tradingState"]["trades"]
    trades[7]["note"] = "paid with 4111 1111 1111 1111"
    trades[-1]["apiKey"] = "a-secret-of-the-page"
    assert send(service, encode(payload)).status_code == 201
    state = json.loads(latest(service, user)["trading_state"])
    assert state["trades"][7]["note"] == "paid with [card ****1111]"
    assert state["trades"][-1]["apiKey"] == "[redacted]"
    assert [trade["id"] for trade in state["trades"]] == [trade["id"] for trade in trades]


def test_many_values_in_less_than_1_mb_are_stored(service: RunningService, user: str) -> None:
    trades = [{"p": number % 1000 / 8, "t": 1_700_000_000 + number} for number in range(30_000)]
    payload = {"user_email": user, "tradingState": {"currentEquity": EQUITY, "trades": trades}}
    body = encode(payload)
    assert len(body) < MAX_BYTES
    assert body.count(b",") > 50_000
    assert send(service, body).status_code == 201
    assert latest(service, user)["current_equity"] == EQUITY


@pytest.mark.slow
@pytest.mark.parametrize("size", [MAX_BYTES_OF_A_DASHBOARD, MAX_BYTES_OF_A_DASHBOARD - 1])
def test_dashboard_of_20_mb_is_stored_exported_and_verified(
    service: RunningService, user: str, size: int
) -> None:
    response = send(service, pad(make_dashboard(user, MOST), size))
    assert response.status_code == 201, response.text
    row = latest(service, user)
    assert (row["current_equity"], row["total_trades"]) == (EQUITY, MOST)
    assert len(json.loads(row["trading_state"])["trades"]) == MOST
    document = json.loads(export(service, user))
    assert document["dashboard_data"] == [row]
    assert len(document["data_capture_audit"][0]["data_snapshot"]) == size
    assert len(export(service, user, "zip")) > 100_000
    assert_whole(service)
    erased = requests.delete(
        f"{service.url}/api/data-capture/users/{user}", headers=ADMIN, timeout=120
    )
    assert erased.status_code == 200


@pytest.mark.parametrize("is_chunked", [False, True])
def test_dashboard_of_more_than_20_mb_gets_413(
    service: RunningService, user: str, is_chunked: bool
) -> None:
    body = pad(make_dashboard(user, 10), MAX_BYTES_OF_A_DASHBOARD + 1)
    sent: Any = iter([body[:1000], body[1000:]]) if is_chunked else body
    assert send(service, sent).status_code == 413
    assert service.rows(LATEST, user) == []


@pytest.mark.parametrize("kind", ["payment", "questionnaire", "activity"])
def test_other_captures_of_more_than_1_mb_get_413(
    service: RunningService, user: str, kind: str
) -> None:
    body = pad(make_dashboard(user, 10), MAX_BYTES + 1)
    assert send(service, body, kind).status_code == 413


def test_member_of_a_batch_of_more_than_1_mb_gets_413(service: RunningService, user: str) -> None:
    captures = [
        {"type": "dashboard", **make_dashboard(user, 10), "note": "note " * 250_000},
        {"type": "dashboard", **make_dashboard(user, 11)},
    ]
    answers = send(service, encode({"captures": captures}), "batch").json()["answers"]
    assert [answer["status"] for answer in answers] == [413, 201]
    assert latest(service, user)["total_trades"] == 11


@pytest.mark.slow
def test_concurrent_dashboards_of_20_mb_take_bounded_memory_and_time(
    tmp_path: Path, user: str
) -> None:
    service = capture_service_in(tmp_path)
    service.start()
    bodies = [
        pad(make_dashboard(f"{number}-{user}", MOST), MAX_BYTES_OF_A_DASHBOARD)
        for number in range(2)
    ] * 4
    is_over = threading.Event()
    waits: list[float] = []

    def send_small_captures() -> None:
        with requests.Session() as session:
            while not is_over.is_set():
                began = time.perf_counter()
                response = session.post(
                    f"{service.url}/api/data-capture/payment",
                    json={"user_email": user, "transaction_id": f"TX-{len(waits)}"},
                    timeout=60,
                )
                waits.append(time.perf_counter() - began)
                assert response.status_code == 201

    statuses: list[int] = []

    def send_large_ones() -> None:
        with ThreadPoolExecutor(len(bodies)) as threads:
            responses = threads.map(lambda body: send(service, body), bodies)
            for response in responses:
                statuses.append(response.status_code)
                assert response.ok or int(response.headers["Retry-After"]) > 0

    try:
        with ThreadPoolExecutor(1) as thread:
            small = thread.submit(send_small_captures)
            try:
                peak = measure_peak_memory(service, send_large_ones)
            finally:
                is_over.set()
            small.result()
        assert {*statuses} <= {200, 201, 429, 503}
        assert statuses.count(201) >= 1
        assert peak < MAX_MEMORY_BYTES
        waits.sort()
        assert waits[len(waits) * 99 // 100] < 10 * seconds_of_a_calibration()
        # The memory is free for the next, which does not wait.
        assert eventually(lambda: send(service, bodies[0]).ok, "a later dashboard is stored")
    finally:
        service.stop()


def _list_of(item: bytes, size: int = 19_900_000) -> bytes:
    items = b",".join([item] * (size // (len(item) + 1)))
    return b'{"user_email":"hostile@example.com","tradingState":{"trades":[%s]}}' % items


HOSTILE: dict[str, Callable[[], bytes]] = {
    "10 million commas": lambda: _list_of(b"1"),
    "empty lists": lambda: _list_of(b"[]"),
    "empty objects": lambda: _list_of(b"{}"),
    "small objects": lambda: _list_of(b'{"a":1,"b":2,"c":3}'),
    "nested small lists": lambda: _list_of(b"[[[[[]]]]]"),
    "decimals": lambda: _list_of(b"1.5"),
    "deep lists": lambda: _list_of(b"[" * 9_000_000 + b"]" * 9_000_000),
    "deep objects": lambda: _list_of(b'{"a":' * 2_000_000 + b"1" + b"}" * 2_000_000),
    "lists of 65 levels": lambda: _list_of(b"[" * 65 + b"1" + b"]" * 65),
    "objects of 65 levels": lambda: _list_of(b'{"a":' * 65 + b'"%s"' % (b"x" * 500) + b"}" * 65),
    "open lists": lambda: b"[" * 19_900_000,
    "different keys": lambda: b'{"user_email":"hostile@example.com",%s}' % b",".join(
        b'"key-%x":1' % number for number in range(1_400_000)
    ),
    "different keys of many objects": lambda: _list_of_objects_with_different_keys(),
    "one key many times": lambda: b'{%s"a":1}' % (b'"aaaaaaaaa":1,' * 1_400_000),
    "a long number": lambda: b'{"user_email":"hostile@example.com","a":%s}' % (b"9" * 19_000_000),
    "a long key": lambda: b'{"%s":1}' % (b"k" * 19_000_000),
    "an open string": lambda: b'{"a":"' + b"x" * 19_000_000,
    "an invalid end": lambda: _list_of(b'{"id":"123456789012","pnl":12.25}')[:-1] + b"x",
    "not UTF-8": lambda: b'{"a":"' + b"x" * 19_000_000 + b'\xff"}',
    "no email": lambda: _list_of(b'{"id":"1234567890123456789","pnl":12.25,"note":"%s"}'
                                 % (b"x" * 60)).replace(b"hostile@example.com", b"nobody"),
}  # fmt: skip


def _list_of_objects_with_different_keys() -> bytes:
    return b'{"user_email":"hostile@example.com","trades":[%s]}' % b",".join(
        b'{"key-%x":1,"%s":2}' % (number, b"x" * 60) for number in range(200_000)
    )


@pytest.mark.slow(quick_cases=2)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_body_of_20_mb_is_rejected_in_bounded_time_and_memory(
    service: RunningService, name: str
) -> None:
    body = HOSTILE[name]()
    assert len(body) <= MAX_BYTES_OF_A_DASHBOARD
    worker = worker_pid(service)
    before = process_cpu_seconds(worker)
    peak = measure_peak_memory(service, lambda: _assert_rejected(send(service, body)))
    cpu_seconds = process_cpu_seconds(worker) - before
    assert peak < MAX_MEMORY_BYTES
    calibration = seconds_of_a_calibration(time.thread_time)
    assert cpu_seconds < MAX_CALIBRATIONS_FOR_A_REJECTION * calibration
    assert service.rows(LATEST, "hostile@example.com") == []


def _assert_rejected(response: requests.Response) -> None:
    assert response.status_code in (400, 413, 422), response.text
    assert response.headers["Content-Type"] == "application/problem+json"
