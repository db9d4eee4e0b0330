"""Test that no body takes more than linear time, or blocks the event loop.

CPU time is compared with CPU time of the same run, and the best of several tries counts, because
other programs share the machine. The unit is a calibration: a fixed amount of Python work, about
50 ms on an idle machine.

`EDC_FULL_SHAPES=1` also sends every shape at 64 KB and 1 MB and prints a table of the costs. It
sends all large shapes at 20 MB, to both tests of large bodies.
"""

from __future__ import annotations

import gc
import http.client
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from functools import _lru_cache_wrapper
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from data_capture import scanning
from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller
from data_capture.deadlines import Deadline, DeadlinePassed
from data_capture.json_codec import decode_json_object
from data_capture.keys_cache import KeysCache
from data_capture.problems import Problem
from data_capture.redaction.redact import REDACTED, redact, redact_with_paths
from data_capture.store.sqlite.placement import make_audit_record
from data_capture.store.sqlite.receipts import Receipt
from data_capture.web.requests import BATCH, decode_capture, parse_request
from data_capture.web.responses import build_result
from tests.support.body_shapes import EMAIL, SHAPES, Shape
from tests.support.large_body_shapes import LARGE_SHAPES, LargeShape
from tests.support.services import (
    RunningService,
    capture_service_in,
    process_cpu_seconds,
    seconds_of_a_calibration,
    signup_service_in,
)

SMALL, TIMES = 8_000, 4
MAX_RATIO = 6
TRIES = 8
CALLER = Caller("/api/data-capture/payment", "127.0.0.1", "curl/8", datetime.now(timezone.utc))

FULL = bool(os.environ.get("EDC_FULL_SHAPES"))
FULL_SIZES = {"64 KB": 65_400, "1 MB": 999_000}
# These kept a service busy for longest before there were limits.
SLOWEST_SHAPES = [
    "keys that are masked to one name",
    "masked keys under a secret",
    "an invalid picture",
    "short keys and a secret",
    "base64 with line ends and an invalid end",
    "a batch of masked keys",
    "a pair with a very long name",
    "digits with blanks",
    "texts with a card",
    "numbers with exponents",
    "a batch for new users",
]
# These hold the interpreter's lock for longest at 1 MB: in the scan of a text, in the garbage
# collector or in the JSON encoder.
SLOWEST_AT_1_MB = [
    "bearers",
    "codes",
    "tokens with points",
    "letters of all scripts",
    "nested pairs",
    "pairs",
    "nested secrets",
    "the same keys in each section",
    "a pair whose name is letters",
    "a card number without end",
    "a state of quotes",
]
# These cost most CPU at 1 MB, or with the most values.
CPU_INTENSIVE = [
    "the same keys in each section",
    "objects with a time",
    "a pair whose name is letters",
    "equals signs and words",
    "letters that are longer in lower case",
    "codes",
]
# The default size has more than a million of each character.
LARGE_BYTES = 19_800_000 if FULL else 7_000_000
# Other requests are served between any two of the values.
WITH_MANY_VALUES = {
    "a list of lone surrogates", "small pictures", "a dashboard of trades",
    "a dashboard of texts with a card",
}  # fmt: skip
MAX_STRETCH_IN_CALIBRATIONS = 0.8
WAIT_TRIES = 4
MAX_WAIT_IN_CALIBRATIONS = 1.5
# Per body, or per MB of an accepted batch or dashboard; 1 s on an idle machine.
MAX_CPU_IN_CALIBRATIONS = 20


@pytest.fixture(autouse=True)
def _disable_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def clear_caches() -> None:
    """Empty the caches, so that a second try does the work of the first."""
    for name, module in [*sys.modules.items()]:
        if not name.startswith("data_capture"):
            continue
        for value in [*vars(module).values()]:
            if type(value) is _lru_cache_wrapper:
                value.cache_clear()
            for cache in value.values() if isinstance(value, dict) else [value]:
                if isinstance(cache, KeysCache):
                    cache.clear()
    for kind in KINDS.values():
        kind.layouts.clear()


def process_body(shape: Shape, body: bytes) -> int:
    """Process a body without storing it, and return the length of the response."""
    with suppress(Problem):
        request = parse_request(shape.kind, decode_json_object(body), CALLER, ())
        for work in request.jobs:
            make_audit_record(work.capture, EMAIL)
        return len(
            build_result(
                request, [Receipt(1, "stored", replayed=False) for _ in request.jobs]
            ).response()[2]
        )
    return 0


def process_large_body(shape: LargeShape, body: bytes) -> None:
    """Process a body from the request to its captures, with the limits of its kind."""
    with suppress(Problem):
        payload = decode_capture(shape.kind, body)
        parse_request(shape.kind, payload, CALLER, (), is_large=True)


def measure_cpu_seconds(work: Callable[[], object]) -> float:
    clear_caches()
    began = time.thread_time()
    work()
    return time.thread_time() - began


@pytest.mark.slow(quick_cases=3)
@pytest.mark.parametrize("name", SHAPES)
def test_processing_time_grows_linearly_with_body_size(name: str) -> None:
    shape = SHAPES[name]
    small, large = shape.body(SMALL), shape.body(TIMES * SMALL)
    best_small = best_large = float("inf")
    for _ in range(TRIES):
        best_small = min(best_small, measure_cpu_seconds(lambda: process_body(shape, small)))
        best_large = min(best_large, measure_cpu_seconds(lambda: process_body(shape, large)))
        if best_large <= MAX_RATIO * best_small:
            return
    assert best_large <= MAX_RATIO * best_small


def test_at_least_40_shapes_grow_with_the_requested_size() -> None:
    assert len(SHAPES) >= 40
    for shape in SHAPES.values():
        assert len(shape.body(TIMES * SMALL)) > len(shape.body(SMALL)) > SMALL / 3


class TestLimits:
    def test_text_with_too_much_json_is_masked_completely(self) -> None:
        text = "[" + ",".join(['{"api":{"key":"abc"}}'] * 30_000) + "]"
        assert redact([text, "pro"]) == [REDACTED, "pro"]

    def test_texts_with_too_many_keys_are_masked_completely(self) -> None:
        texts = [
            "{" + ",".join(f'"{text}{number}":1' for number in range(4000)) + "}" for text in "abcd"
        ]
        assert redact(texts) == [texts[0], texts[1], REDACTED, REDACTED]

    def test_body_with_more_than_10000_different_keys_is_rejected(self) -> None:
        with pytest.raises(Problem, match="10,000 different keys"):
            decode_json_object(
                b"{" + b",".join(b'"%x":1' % number for number in range(10_001)) + b"}"
            )
        same = b"[" + b",".join([b'{"a":1,"b":2}'] * 8_000) + b"]"
        assert len(decode_json_object(b'{"trades":%s}' % same)["trades"]) == 8_000

    def test_caches_keep_a_limited_number_of_keys(self) -> None:
        by_keys = KeysCache(lambda keys: keys)
        for number in range(1000):
            by_keys.get({f"{number}-{key}": 1 for key in range(90)})
        assert sum(map(len, by_keys._cached)) <= 10_000

    def test_deadline_stops_redaction(self) -> None:
        with pytest.raises(DeadlinePassed):
            redact_with_paths({"a": {"password": "x"}}, Deadline(-1))
        assert redact_with_paths({"a": {"password": "x"}}, Deadline(60))[1] == ["a.password"]

    @pytest.mark.slow(quick_cases=4)
    @pytest.mark.parametrize("name", SHAPES)
    def test_response_is_less_than_20_times_as_long_as_its_request(self, name: str) -> None:
        body = SHAPES[name].body(4000)
        assert process_body(SHAPES[name], body) < 20 * len(body)


# --- Through the service ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    running = capture_service_in(tmp_path_factory.mktemp("shapes"), EDC_TRUSTED_PROXIES="1")
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def signup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    running = signup_service_in(tmp_path_factory.mktemp("sign-ups"), EDC_LOGIN_RATE="1000/minute")
    running.start()
    yield running
    running.stop()


class HealthPoller:
    """Another caller that requests the service's health and measures each response time."""

    def __init__(self, service: RunningService, path: str) -> None:
        self._path = path
        self._connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._poll)
        self.has_response = threading.Event()
        self.longest_seconds = 0.0

    @contextmanager
    def polling(self) -> Iterator[None]:
        self._thread.start()
        self.has_response.wait(60)
        self.longest_seconds = 0.0
        try:
            yield
        finally:
            self._is_over.set()
            self._thread.join(60)
            self._connection.close()

    def _poll(self) -> None:
        while not self._is_over.is_set():
            began = time.perf_counter()
            self._connection.request("GET", self._path)
            response = self._connection.getresponse()
            response.read()
            assert response.status == 200
            self.longest_seconds = max(self.longest_seconds, time.perf_counter() - began)
            self.has_response.set()


def measure_longest_wait(
    service: RunningService,
    path: str,
    body: bytes | None,
    headers: dict[str, str] | None = None,
    health: str = "/api/data-capture/health",
) -> float:
    """Send a request, and return the longest wait of another caller meanwhile."""
    poller = HealthPoller(service, health)
    with poller.polling():
        send(service, path, body, headers)
    return poller.longest_seconds


def send(
    service: RunningService, path: str, body: bytes | None, headers: dict[str, str] | None = None
) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    sent = {"Content-Type": "application/json", **(headers or {})}
    connection.request("GET" if body is None else "POST", path, body, sent)
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.status < 500
    return response.status


def assert_short_wait(measure_wait: Callable[[], float]) -> None:
    waited = calibration_seconds = 0.0
    for _ in range(WAIT_TRIES):
        calibration_seconds = seconds_of_a_calibration()
        waited = measure_wait()
        if waited < MAX_WAIT_IN_CALIBRATIONS * calibration_seconds:
            return
    assert waited < MAX_WAIT_IN_CALIBRATIONS * calibration_seconds


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOWEST_SHAPES)
def test_body_of_64_kb_does_not_block_other_callers(service: RunningService, name: str) -> None:
    shape = SHAPES[name]
    body = shape.body(FULL_SIZES["64 KB"])
    assert_short_wait(
        lambda: measure_longest_wait(service, f"/api/data-capture/{shape.kind}", body)
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOWEST_AT_1_MB)
def test_body_of_1_mb_does_not_block_other_callers(service: RunningService, name: str) -> None:
    shape = SHAPES[name]
    body = shape.body(FULL_SIZES["1 MB"])
    assert_short_wait(
        lambda: measure_longest_wait(service, f"/api/data-capture/{shape.kind}", body)
    )


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize("name", [*LARGE_SHAPES][:: 1 if FULL else 3])
def test_large_body_does_not_block_other_callers(service: RunningService, name: str) -> None:
    shape = LARGE_SHAPES[name]
    body = shape.body(LARGE_BYTES)
    assert_short_wait(
        lambda: measure_longest_wait(service, f"/api/data-capture/{shape.kind}", body)
    )


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize(
    "name", [*LARGE_SHAPES] if FULL else sorted({*[*LARGE_SHAPES][1::3], *WITH_MANY_VALUES})
)
def test_large_body_costs_at_most_20_calibrations_of_cpu_per_accepted_mb(
    service: RunningService, name: str
) -> None:
    shape = LARGE_SHAPES[name]
    body = shape.body(LARGE_BYTES)
    is_accepted = shape.is_accepted and shape.kind in ("batch", "dashboard")
    limit = MAX_CPU_IN_CALIBRATIONS * (len(body) / 1_000_000 if is_accepted else 1)
    pid = int(worker_pid(service))

    def cpu_in_calibrations() -> float:
        calibration = seconds_of_a_calibration(time.thread_time)
        before = process_cpu_seconds(pid)
        response = send(service, f"/api/data-capture/{shape.kind}", body)
        assert (response in (200, 201)) is shape.is_accepted
        return (process_cpu_seconds(pid) - before) / calibration

    assert any(cpu_in_calibrations() < limit for _ in range(2))


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize("name", [name for name in LARGE_SHAPES if name not in WITH_MANY_VALUES])
def test_large_text_is_scanned_in_short_steps(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    shape = LARGE_SHAPES[name]
    is_accepted = shape.is_accepted and shape.kind in (BATCH, "dashboard")
    body = shape.body(LARGE_BYTES if is_accepted else 19_800_000)
    paused_at: list[float] = []
    pausing = SimpleNamespace(sleep=lambda _seconds: paused_at.append(time.thread_time()))
    monkeypatch.setattr(scanning, "time", pausing)

    def longest_stretch_in_calibrations() -> float:
        calibration = seconds_of_a_calibration(time.thread_time)
        paused_at[:] = [time.thread_time()]
        process_large_body(shape, body)
        paused_at.append(time.thread_time())
        return max(end - begin for begin, end in pairwise(paused_at)) / calibration

    assert any(longest_stretch_in_calibrations() < MAX_STRETCH_IN_CALIBRATIONS for _ in range(5))


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize("name", CPU_INTENSIVE)
def test_body_of_1_mb_costs_at_most_20_calibrations_of_cpu(name: str) -> None:
    shape = SHAPES[name]
    body = shape.body(FULL_SIZES["1 MB"])

    def cpu_in_calibrations() -> float:
        calibration = seconds_of_a_calibration(time.thread_time)
        return measure_cpu_seconds(lambda: process_body(shape, body)) / calibration

    assert any(cpu_in_calibrations() < MAX_CPU_IN_CALIBRATIONS for _ in range(3))


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/data-capture/payment", {"X-Forwarded-For": "," * 10_000}),
        ("/api/data-capture/payment", {"X-Forwarded-For": "1:" * 10_000}),
        ("/api/data-capture/payment", {"User-Agent": "pwd=" * 5_000}),
        ("/api/data-capture/payment", {"Origin": "http://" + "a." * 10_000}),
        ("/api/data-capture/payment", {"Host": "a." * 10_000}),
        ("/api/data-capture/payment", {"Idempotency-Key": '"' * 20_000}),
        ("/api/data-capture/payment?" + "a=b&" * 10_000, {}),
        ("/api/data-capture/payment", {"Content-Type": "application/json" + "; a=b" * 4_000}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_long_headers_do_not_block_other_callers(
    service: RunningService, path: str, headers: dict[str, str]
) -> None:
    body = b'{"user_email":"%s"}' % EMAIL.encode()
    assert_short_wait(lambda: measure_longest_wait(service, path, body, headers))


@pytest.mark.slow(quick_cases=2)
@pytest.mark.parametrize(
    "path",
    ["a" * 30_000 + "@b", "/" * 30_000, "%2f" * 10_000 + "/export", "a@" + "%CC%81%CC%A3" * 4_000],
)
def test_long_path_does_not_block_other_callers(service: RunningService, path: str) -> None:
    assert_short_wait(
        lambda: measure_longest_wait(service, f"/api/data-capture/stats/{path}", None)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["keys that are masked to one name", "an invalid picture", "a pair with a very long name"],
)
@pytest.mark.parametrize("path", ["/api/auth/register", "/api/auth/login"])
def test_sign_up_and_log_in_do_not_block_other_callers(
    signup: RunningService, name: str, path: str
) -> None:
    members = b'{"email":"%s","password":"a-long-password",' % EMAIL.encode()
    body = members + SHAPES[name].body(FULL_SIZES["64 KB"])[1:]
    assert_short_wait(lambda: measure_longest_wait(signup, path, body, health="/api/health"))


@pytest.mark.skipif(not FULL, reason="EDC_FULL_SHAPES is not set")
def test_report_the_cost_of_each_shape(
    service: RunningService, capsys: pytest.CaptureFixture[str]
) -> None:
    pid = int(worker_pid(service))
    lines = [
        f"{'':48}" + "".join(f"{f'{size}: wait':>14}{'CPU':>8}" for size in FULL_SIZES) + "  (ms)"
    ]
    for name, shape in SHAPES.items():
        columns = []
        for size in FULL_SIZES.values():
            body = shape.body(size)
            path = f"/api/data-capture/{shape.kind}"
            waits = [measure_longest_wait(service, path, body) for _ in range(3)]
            before = process_cpu_seconds(pid)  # excludes the health requests
            for _ in range(2):
                send(service, path, body)
            columns.append(
                f"{min(waits) * 1000:14.0f}{(process_cpu_seconds(pid) - before) / 2 * 1000:8.0f}"
            )
        lines.append(f"{name:48}{''.join(columns)}")
    with capsys.disabled():
        print("\n" + "\n".join(lines))
        print(
            f"A calibration took {seconds_of_a_calibration() * 1000:.0f} ms, 50 on an idle machine."
        )


def worker_pid(service: RunningService) -> str:
    """Return the process that serves: the only child of the process that was started."""
    assert service._process is not None
    pid = service._process.pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
