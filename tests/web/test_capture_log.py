"""Test the line of the log that sums up the captures of a minute."""

from __future__ import annotations

import logging
import re
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from data_capture.web.capture_log import (
    CAPTURE_OUTCOMES,
    INTERVAL_SECONDS,
    CaptureLog,
    create_account_log,
)
from data_capture.web.capture_service import CAPTURE_PATHS
from tests.support.services import (
    REPOSITORY,
    RunningService,
    capture_service_in,
    eventually,
    signup_service_in,
)

PAYMENT = "/api/data-capture/payment"
SAMPLE = (
    "312 stored (payment 3, questionnaire 1, dashboard 308), 12 repeated, "
    "4 refused (422 unusable 3, 429 over a rate 1)"
)
LINE = re.compile(r"Z INFO (?:capture|signup) (?:captures|accounts) in the last (?:minute|\d+ s): ")


def lines_of(service: RunningService) -> list[str]:
    """Return the sums in the log, without what is before them."""
    lines = service.log_file.read_text().splitlines()
    return [LINE.split(line)[1] for line in lines if LINE.search(line)]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    service = capture_service_in(
        tmp_path, EDC_CAPTURES_PER_CALLER="", EDC_ALLOWED_ORIGINS="https://www.example.com"
    )
    service.start()
    yield service
    service.stop()


def payment(**fields: Any) -> dict[str, Any]:
    return {"user_email": "a@example.com", "transaction_id": uuid.uuid4().hex, **fields}


def send(service: RunningService, path: str, **arguments: Any) -> int:
    return requests.post(f"{service.url}{path}", timeout=30, **arguments).status_code


def test_each_outcome_is_counted_once(service: RunningService) -> None:
    """Those of the fast path, of the Flask routes, and of the checks before both."""
    large = "x" * 40_000  # too large for the event loop
    once = payment(capture_id="once")
    dashboard = {"user_email": "a@example.com", "account_equity": 100}
    batch = [
        {"type": "payment", **payment()},
        {"type": "activity", "user_email": "a@example.com", "activity_type": "trade"},
        {"type": "payment", "user_email": "nobody"},
        {"type": "unknown"},
    ]
    sent = [
        (PAYMENT, {"json": payment()}, 201),
        (PAYMENT, {"json": payment(padding=large)}, 201),
        (PAYMENT, {"json": once}, 201),
        (PAYMENT, {"json": once}, 201),
        ("/api/data-capture/dashboard", {"json": dashboard}, 201),
        ("/api/data-capture/dashboard", {"json": dashboard}, 200),
        (PAYMENT, {"json": {"final_price": 1}}, 422),
        (PAYMENT, {"json": {"final_price": 1, "padding": large}}, 422),
        (PAYMENT, {"data": b"[", "headers": {"Content-Type": "application/json"}}, 400),
        (PAYMENT, {"data": b"<a/>", "headers": {"Content-Type": "text/xml"}}, 415),
        (PAYMENT, {"json": payment(), "headers": {"Origin": "https://evil.example"}}, 403),
        (PAYMENT, {"json": payment(), "headers": {"Host": "evil.example"}}, 421),
        (PAYMENT, {"json": payment(), "headers": {"Authorization": "Bearer wrong"}}, 401),
        (PAYMENT, {"data": b"x" * 1_100_000, "headers": {"Content-Type": "application/json"}}, 413),
        ("/api/data-capture/batch", {"json": {"captures": batch}}, 207),
        ("/api/data-capture/nothing", {"json": {}}, 404),
    ]
    for path, arguments, status in sent:
        assert send(service, path, **arguments) == status, (path, status)
    assert requests.get(f"{service.url}/api/data-capture/health", timeout=30).ok
    service.stop()
    assert lines_of(service) == [
        "6 stored (payment 4, dashboard 1, activity 1), 2 repeated, "
        "10 refused (400 unreadable 1, 401 wrong credential 1, 403 not allowed 1, 413 too large 1, "
        "415 not JSON 1, 421 wrong host 1, 422 unusable 4)"
    ]
    assert "example.com" not in "".join(lines_of(service))


def test_a_service_without_requests_logs_no_line(service: RunningService) -> None:
    service.stop()
    assert lines_of(service) == []


@pytest.mark.slow
def test_sign_ups_and_log_ins_are_counted(tmp_path: Path) -> None:
    signup = signup_service_in(tmp_path)
    signup.start()
    account = {"email": "a@example.com", "password": "correct horse battery"}
    sent = [
        ("/api/auth/register", account, 201),
        ("/api/auth/register", account, 409),
        ("/auth/register", {**account, "email": "b@example.com"}, 201),
        ("/api/user/register", {"email": "nonsense"}, 400),
        ("/api/auth/login", account, 200),
        ("/api/auth/login", {**account, "password": "wrong"}, 401),
        ("/api/auth/login", {**account, "password": "wrong again"}, 401),
    ]
    for path, body, status in sent:
        assert send(signup, path, json=body) == status, path
    signup.stop()
    assert lines_of(signup) == [
        "2 created, 1 log-ins, 2 log-ins failed, 2 refused (400 unreadable 1, 409 exists already 1)"
    ]


class TestLines:
    """`CaptureLog` with short intervals."""

    @pytest.fixture(autouse=True)
    def level(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)

    def create(self, seconds: float = INTERVAL_SECONDS) -> CaptureLog:
        return CaptureLog("captures", CAPTURE_OUTCOMES, CAPTURE_PATHS, {}, seconds)

    def test_sample_of_the_documentation(self, caplog: pytest.LogCaptureFixture) -> None:
        log = self.create()
        counts = log._own_counts()
        for kind, number in (("dashboard", 308), ("payment", 3), ("questionnaire", 1)):
            counts["stored", kind] = number
        counts["repeated", ""] = 12
        for status in (429, 422, 422, 422):
            log.count_response(PAYMENT, status)
        log._log_sums("minute")
        assert [record.getMessage() for record in caplog.records] == [
            f"captures in the last minute: {SAMPLE}"
        ]
        page = (REPOSITORY / "docs" / "operations.md").read_text()
        assert f"INFO capture captures in the last minute: {SAMPLE}\n" in page

    def test_each_interval_has_its_own_sums_and_one_idle_line(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        log = self.create(seconds=0.3)
        log.start()
        log.count_response(PAYMENT, 422)
        eventually(lambda: len(caplog.records) == 1, "a line", 30)
        log.count_response(PAYMENT, 422)
        log.count_response(PAYMENT, 410)
        eventually(lambda: len(caplog.records) == 3, "two more lines", 30)
        time.sleep(1)
        log.close()
        assert [record.getMessage() for record in caplog.records] == [
            "captures in the last 0.3 s: 1 refused (422 unusable 1)",
            "captures in the last 0.3 s: 2 refused (410 erased 1, 422 unusable 1)",
            "captures in the last 0.3 s: none",
        ]

    def test_threads_lose_no_count(self, caplog: pytest.LogCaptureFixture) -> None:
        log = self.create()
        started = threading.Barrier(8)

        def count() -> None:
            started.wait()
            for _ in range(5_000):
                log.count_response(PAYMENT, 503)

        with ThreadPoolExecutor(8) as threads:
            running = [threads.submit(count) for _ in range(8)]
            while not all(one.done() for one in running):
                log._log_sums("minute")
        log.close()
        numbers = [
            re.findall(r": ([\d,]+) refused", record.getMessage()) for record in caplog.records
        ]
        assert sum(int(one[0].replace(",", "")) for one in numbers if one) == 40_000

    @pytest.mark.parametrize(
        ("path", "status"),
        [(PAYMENT, 200), (PAYMENT, 201), (PAYMENT, 207), ("/api/data-capture/health", 503)],
    )
    def test_other_responses_are_not_counted(
        self, caplog: pytest.LogCaptureFixture, path: str, status: int
    ) -> None:
        log = self.create()
        log.count_response(path, status)
        log.close()
        assert caplog.records == []

    @pytest.mark.parametrize(
        ("path", "status", "words"),
        [
            ("/api/auth/register", 202, "1 mails requested"),
            ("/api/auth/recover", 202, "1 mails requested"),
            ("/api/auth/verify", 200, "1 confirmed by a link"),
            ("/api/auth/verify", 201, "1 created"),
            ("/api/auth/login", 429, "1 refused (429 over a rate 1)"),
            ("/api/auth/login", 421, "1 refused (421 wrong host 1)"),
        ],
    )
    def test_outcomes_of_the_signup_service(
        self, caplog: pytest.LogCaptureFixture, path: str, status: int, words: str
    ) -> None:
        log = create_account_log()
        log.count_response(path, status)
        log._log_sums("minute")
        assert caplog.records[0].getMessage() == f"accounts in the last minute: {words}"
