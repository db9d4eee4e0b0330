"""No body takes more than its length to be understood, and none keeps the event loop from everybody else for long.

CPU time is compared with CPU time of the same run, and the best of some tries counts, since other programs share the
machine. `EDC_FULL_SHAPES=1` also sends all shapes at 64 KB and 1 MB and prints a table of what each costs, and sends the
large ones at 20 MB, all of them to both tests.
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
from data_capture.store.sqlite.captures import Receipt, make_audit_record
from data_capture.unique_keys import UniqueKeys
from data_capture.web.requests import BATCH, decode_body, max_bytes_without_pictures, parse_request
from data_capture.web.responses import build_result
from tests.support.body_shapes import EMAIL, SHAPES, Shape
from tests.support.large_body_shapes import LARGE_SHAPES, LargeShape
from tests.support.services import (
    RunningService,
    capture_service_in,
    seconds_of_a_calibration,
    signup_service_in,
)

SMALL, TIMES = 8_000, 4
MAX_RATIO = 6
TRIES = 8
CALLER = Caller("/api/data-capture/payment", "127.0.0.1", "curl/8", datetime.now(timezone.utc))

FULL = bool(os.environ.get("EDC_FULL_SHAPES"))
FULL_SIZES = {"64 KB": 65_400, "1 MB": 999_000}
# Those that kept a service busy for longest before there were bounds.
THROUGH_THE_SERVICE = [
    "keys that are masked to one name", "masked keys under a secret", "a picture that is none", "short keys and a secret",
    "base64 with line ends and an end that is none", "a batch of masked keys", "a pair with a very long name",
    "digits with blanks", "texts with a card", "numbers with exponents", "a batch for new people",
]  # fmt: skip
# What holds the interpreter's lock most at 1 MB: patterns in steps, the garbage collector, the JSON encoder.
LARGE = [
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
# What cost most at 1 MB, or at the most values.
COSTLY = ["the same keys in each section", "objects with a time", "a pair whose name is letters", "equals signs and words",
          "letters that are longer in lower case", "codes"]  # fmt: skip
LARGE_BYTES = (
    19_800_000 if FULL else 7_000_000
)  # the quick size has more than a million of each character
# Others have their turn between any two of the values.
OF_MANY_VALUES = {"a list of halves of characters", "small pictures"}
MAX_STRETCH_IN_CALIBRATIONS = 0.8
HOLD_TRIES = 4
MAX_HOLD_IN_CALIBRATIONS = 1.5
MAX_CPU_IN_CALIBRATIONS = 20  # of a body, or of each MB of a batch that is taken: 1 s


@pytest.fixture(autouse=True)
def _no_collections() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def forget_what_was_seen() -> None:
    """Empties the caches, in which a second try would find what the first has looked at."""
    for name, module in [*sys.modules.items()]:
        if not name.startswith("data_capture"):
            continue
        for value in [*vars(module).values()]:
            if type(value) is _lru_cache_wrapper:
                value.cache_clear()
            elif isinstance(value, KeysCache):
                value.clear()
    for kind in KINDS.values():
        kind.layouts.clear()


def understand(shape: Shape, body: bytes) -> int:
    """All that is done with a body but storing it; how many bytes its answer has."""
    with suppress(Problem):
        asked = parse_request(shape.kind, decode_json_object(body), CALLER, ())
        for work in asked.jobs:
            make_audit_record(work.capture, EMAIL)
        return len(
            build_result(
                asked, [Receipt(1, "stored", replayed=False) for _ in asked.jobs]
            ).response()[2]
        )
    return 0


def understand_large(shape: LargeShape, body: bytes) -> None:
    """All that is done with a body from its request to its captures, with the limits of its address."""
    with suppress(Problem):
        payload = decode_body(body, max_bytes_without_pictures(shape.kind))
        parse_request(shape.kind, payload, CALLER, (), is_large=True)


def cpu_seconds(does: Callable[[], object]) -> float:
    forget_what_was_seen()
    began = time.thread_time()
    does()
    return time.thread_time() - began


@pytest.mark.parametrize("name", SHAPES)
def test_four_times_the_size_takes_about_four_times_as_long(name: str) -> None:
    shape = SHAPES[name]
    small, large = shape.body(SMALL), shape.body(TIMES * SMALL)
    best_small = best_large = float("inf")
    for _ in range(TRIES):
        best_small = min(best_small, cpu_seconds(lambda: understand(shape, small)))
        best_large = min(best_large, cpu_seconds(lambda: understand(shape, large)))
        if best_large <= MAX_RATIO * best_small:
            return
    assert best_large <= MAX_RATIO * best_small


def test_there_are_shapes_enough_and_they_are_as_large_as_they_should_be() -> None:
    assert len(SHAPES) >= 40
    for shape in SHAPES.values():
        assert len(shape.body(TIMES * SMALL)) > len(shape.body(SMALL)) > SMALL / 3


class TestNothingIsDropped:
    def test_of_keys_that_are_masked_to_one_name(self) -> None:
        masked = redact({f"pwd=aaa{number:04}": number for number in range(5300)})
        assert sorted(masked.values()) == [*range(5300)]
        assert list(masked)[:2] + list(masked)[-1:] == [
            f"pwd={REDACTED}",
            f"pwd={REDACTED} (2)",
            f"pwd={REDACTED} (5300)",
        ]

    def test_of_a_key_that_is_what_another_was_masked_to(self) -> None:
        masked = redact(
            {"pwd=a": 1, "pwd=b": 2, f"pwd={REDACTED} (2)": 3, f"pwd={REDACTED} (3)": 4}
        )
        assert sorted(masked.values()) == [1, 2, 3, 4]

    def test_of_keys_under_a_secret(self) -> None:
        masked = redact({"password": {f"pwd=a{number}": "x" for number in range(300)}})
        assert [*masked["password"].values()] == [REDACTED] * 300

    def test_of_keys_that_differ_in_half_a_character(self) -> None:
        assert decode_json_object(b'{"\\ud800":1,"\\ud801":2}') == {"\ufffd": 1, "\ufffd (2)": 2}

    def test_and_names_are_tried_once_each(self) -> None:
        members = {"a": 0, **{f"a ({number})": 0 for number in range(2, 1000)}}
        names = UniqueKeys(members)
        assert names.make_unique("a") == "a (1000)"
        assert (
            names.make_unique("a") == "a (1001)"
        )  # as its first was not put in, and is not looked for again


class TestBounds:
    def test_a_text_with_more_json_than_is_looked_at_is_masked_whole(self) -> None:
        text = "[" + ",".join(['{"api":{"key":"abc"}}'] * 30_000) + "]"
        assert redact([text, "pro"]) == [REDACTED, "pro"]

    def test_and_so_are_texts_with_more_keys(self) -> None:
        texts = [
            "{" + ",".join(f'"{text}{number}":1' for number in range(4000)) + "}" for text in "abcd"
        ]
        assert redact(texts) == [texts[0], texts[1], REDACTED, REDACTED]

    def test_a_body_with_more_different_keys_is_refused(self) -> None:
        with pytest.raises(Problem, match="10,000 different keys"):
            decode_json_object(
                b"{" + b",".join(b'"%x":1' % number for number in range(10_001)) + b"}"
            )
        same = b"[" + b",".join([b'{"a":1,"b":2}'] * 8_000) + b"]"
        assert len(decode_json_object(b'{"trades":%s}' % same)["trades"]) == 8_000

    def test_what_callers_make_the_caches_keep_is_bounded(self) -> None:
        by_keys = KeysCache(lambda keys: keys)
        for number in range(1000):
            by_keys.get({f"{number}-{key}": 1 for key in range(90)})
        assert sum(map(len, by_keys._cached)) <= 10_000

    def test_a_deadline_ends_what_takes_longer(self) -> None:
        with pytest.raises(DeadlinePassed):
            redact_with_paths({"a": {"password": "x"}}, Deadline(-1))
        assert redact_with_paths({"a": {"password": "x"}}, Deadline(60))[1] == ["a.password"]

    @pytest.mark.parametrize("name", SHAPES)
    def test_an_answer_is_not_much_longer_than_its_request(self, name: str) -> None:
        body = SHAPES[name].body(4000)
        assert understand(SHAPES[name], body) < 20 * len(body)


# --- Through the service --------------------------------------------------------------------------------------------


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


class Bystander:
    """Somebody else, who asks for the service's health again and again, and notes how long each answer took."""

    def __init__(self, service: RunningService, path: str) -> None:
        self._path = path
        self._connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.answered = threading.Event()
        self.longest_seconds = 0.0

    @contextmanager
    def asking(self) -> Iterator[None]:
        self._thread.start()
        self.answered.wait(60)
        self.longest_seconds = 0.0
        try:
            yield
        finally:
            self._is_over.set()
            self._thread.join(60)
            self._connection.close()

    def _ask(self) -> None:
        while not self._is_over.is_set():
            began = time.perf_counter()
            self._connection.request("GET", self._path)
            answer = self._connection.getresponse()
            answer.read()
            assert answer.status == 200
            self.longest_seconds = max(self.longest_seconds, time.perf_counter() - began)
            self.answered.set()


def hold_seconds(
    service: RunningService,
    path: str,
    body: bytes | None,
    headers: dict[str, str] | None = None,
    health: str = "/api/data-capture/health",
) -> float:
    """For how long somebody else waited at most while a request was sent and answered."""
    bystander = Bystander(service, health)
    with bystander.asking():
        send(service, path, body, headers)
    return bystander.longest_seconds


def send(
    service: RunningService, path: str, body: bytes | None, headers: dict[str, str] | None = None
) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    sent = {"Content-Type": "application/json", **(headers or {})}
    connection.request("GET" if body is None else "POST", path, body, sent)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status < 500
    return answer.status


def assert_short(hold: Callable[[], float]) -> None:
    held = calibrations = 0.0
    for _ in range(HOLD_TRIES):
        calibrations = seconds_of_a_calibration()
        held = hold()
        if held < MAX_HOLD_IN_CALIBRATIONS * calibrations:
            return
    assert held < MAX_HOLD_IN_CALIBRATIONS * calibrations


@pytest.mark.parametrize("name", THROUGH_THE_SERVICE)
def test_nobody_waits_for_a_body_of_64_kb(service: RunningService, name: str) -> None:
    shape = SHAPES[name]
    body = shape.body(FULL_SIZES["64 KB"])
    assert_short(lambda: hold_seconds(service, f"/api/data-capture/{shape.kind}", body))


@pytest.mark.parametrize("name", LARGE)
def test_nobody_waits_for_a_body_of_1_mb(service: RunningService, name: str) -> None:
    shape = SHAPES[name]
    body = shape.body(FULL_SIZES["1 MB"])
    assert_short(lambda: hold_seconds(service, f"/api/data-capture/{shape.kind}", body))


@pytest.mark.parametrize("name", [*LARGE_SHAPES][:: 1 if FULL else 3])
def test_nobody_waits_for_a_large_body(service: RunningService, name: str) -> None:
    shape = LARGE_SHAPES[name]
    body = shape.body(LARGE_BYTES)
    assert_short(lambda: hold_seconds(service, f"/api/data-capture/{shape.kind}", body))


@pytest.mark.parametrize(
    "name", [*LARGE_SHAPES] if FULL else sorted({*[*LARGE_SHAPES][1::3], *OF_MANY_VALUES})
)
def test_no_large_body_costs_more_than_a_second_for_each_mb_that_is_taken(
    service: RunningService, name: str
) -> None:
    shape = LARGE_SHAPES[name]
    body = shape.body(LARGE_BYTES)
    is_batch_taken = shape.is_taken and shape.kind == "batch"
    limit = MAX_CPU_IN_CALIBRATIONS * (len(body) / 1_000_000 if is_batch_taken else 1)
    pid = int(worker_of(service))

    def cpu_in_calibrations() -> float:
        calibration = seconds_of_a_calibration(time.thread_time)
        before = cpu_of(pid)
        answer = send(service, f"/api/data-capture/{shape.kind}", body)
        assert (answer in (200, 201)) is shape.is_taken
        return (cpu_of(pid) - before) / calibration

    assert any(cpu_in_calibrations() < limit for _ in range(2))


@pytest.mark.parametrize("name", [name for name in LARGE_SHAPES if name not in OF_MANY_VALUES])
def test_a_large_text_is_looked_at_in_steps(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    shape = LARGE_SHAPES[name]
    is_batch_taken = shape.is_taken and shape.kind == BATCH
    body = shape.body(LARGE_BYTES if is_batch_taken else 19_800_000)
    paused_at: list[float] = []
    pausing = SimpleNamespace(sleep=lambda _seconds: paused_at.append(time.thread_time()))
    monkeypatch.setattr(scanning, "time", pausing)

    def longest_stretch_in_calibrations() -> float:
        calibration = seconds_of_a_calibration(time.thread_time)
        paused_at[:] = [time.thread_time()]
        understand_large(shape, body)
        paused_at.append(time.thread_time())
        return max(end - begin for begin, end in pairwise(paused_at)) / calibration

    assert any(longest_stretch_in_calibrations() < MAX_STRETCH_IN_CALIBRATIONS for _ in range(3))


@pytest.mark.parametrize("name", COSTLY)
def test_no_body_of_1_mb_costs_more_than_a_second(name: str) -> None:
    shape = SHAPES[name]
    body = shape.body(FULL_SIZES["1 MB"])

    def cpu_in_calibrations() -> float:
        calibration = seconds_of_a_calibration(time.thread_time)
        return cpu_seconds(lambda: understand(shape, body)) / calibration

    assert any(cpu_in_calibrations() < MAX_CPU_IN_CALIBRATIONS for _ in range(3))


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
def test_nobody_waits_for_long_headers(
    service: RunningService, path: str, headers: dict[str, str]
) -> None:
    body = b'{"user_email":"%s"}' % EMAIL.encode()
    assert_short(lambda: hold_seconds(service, path, body, headers))


@pytest.mark.parametrize(
    "path",
    ["a" * 30_000 + "@b", "/" * 30_000, "%2f" * 10_000 + "/export", "a@" + "%CC%81%CC%A3" * 4_000],
)
def test_nobody_waits_for_a_long_path(service: RunningService, path: str) -> None:
    assert_short(lambda: hold_seconds(service, f"/api/data-capture/stats/{path}", None))


@pytest.mark.parametrize(
    "name",
    ["keys that are masked to one name", "a picture that is none", "a pair with a very long name"],
)
@pytest.mark.parametrize("path", ["/api/auth/register", "/api/auth/login"])
def test_nobody_waits_for_a_sign_up_or_a_log_in(
    signup: RunningService, name: str, path: str
) -> None:
    members = b'{"email":"%s","password":"a-long-password",' % EMAIL.encode()
    body = members + SHAPES[name].body(FULL_SIZES["64 KB"])[1:]
    assert_short(lambda: hold_seconds(signup, path, body, health="/api/health"))


@pytest.mark.skipif(not FULL, reason="EDC_FULL_SHAPES is not set")
def test_what_each_shape_costs(service: RunningService, capsys: pytest.CaptureFixture[str]) -> None:
    pid = int(worker_of(service))
    lines = [
        f"{'':48}" + "".join(f"{f'{size}: held':>14}{'CPU':>8}" for size in FULL_SIZES) + "  (ms)"
    ]
    for name, shape in SHAPES.items():
        columns = []
        for size in FULL_SIZES.values():
            body = shape.body(size)
            path = f"/api/data-capture/{shape.kind}"
            holds = [hold_seconds(service, path, body) for _ in range(3)]
            before = cpu_of(pid)  # without the bystander's requests
            for _ in range(2):
                send(service, path, body)
            columns.append(f"{min(holds) * 1000:14.0f}{(cpu_of(pid) - before) / 2 * 1000:8.0f}")
        lines.append(f"{name:48}{''.join(columns)}")
    with capsys.disabled():
        print("\n" + "\n".join(lines))
        print(
            f"A calibration took {seconds_of_a_calibration() * 1000:.0f} ms, 50 on an idle machine."
        )


def worker_of(service: RunningService) -> str:
    """The process that serves: the only child of the one that was started."""
    assert service._process is not None
    pid = service._process.pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]


def cpu_of(pid: int) -> float:
    """The CPU time of a process; the health requests of a bystander are in it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
