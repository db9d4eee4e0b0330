"""Many log-ins at once: nobody waits for long, and the rest of the service goes on."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from data_capture.accounts.passwords import Passwords
from data_capture.problems import Problem
from tests.support.services import RunningService, signup_service_in

PASSWORD = "correct horse battery"
FLOOD = 200


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    service = signup_service_in(
        tmp_path_factory.mktemp("flood"), EDC_LOGIN_RATE="", EDC_TRUSTED_PROXIES="1"
    )
    service.start()
    yield service
    service.stop()


def post(
    service: RunningService, path: str, email: str, password: str, caller: str
) -> requests.Response:
    headers = {"X-Forwarded-For": caller}
    return requests.post(
        service.url + path, json={"email": email, "password": password}, headers=headers, timeout=60
    )


def assert_answered(answer: requests.Response, *statuses: int) -> None:
    assert answer.status_code in (*statuses, 429), answer.text
    if answer.status_code == 429:
        assert int(answer.headers["Retry-After"]) >= 1


def test_two_hundred_log_ins_at_once_leave_the_honest_ones_short_waits(
    service: RunningService,
) -> None:
    assert (
        post(
            service, "/api/auth/register", "owner@example.com", PASSWORD, "198.51.100.1"
        ).status_code
        == 201
    )
    alone = statistics.median(
        post(
            service, "/api/auth/login", "owner@example.com", PASSWORD, "198.51.100.1"
        ).elapsed.total_seconds()
        for _ in range(5)
    )
    together = threading.Barrier(FLOOD + 3)
    flood_seconds, honest_seconds = [], []

    def attack(index: int) -> requests.Response:
        together.wait()
        answer = post(
            service, "/api/auth/login", f"{index}@example.com", "wrong", f"192.0.2.{index}"
        )
        flood_seconds.append(answer.elapsed.total_seconds())
        return answer

    def log_in() -> list[requests.Response]:
        together.wait()
        answers = [
            post(service, "/api/auth/login", "owner@example.com", PASSWORD, "198.51.100.1")
            for _ in range(10)
        ]
        honest_seconds.extend(answer.elapsed.total_seconds() for answer in answers)
        return answers

    def sign_up() -> requests.Response:
        together.wait()
        return post(service, "/api/auth/register", "another@example.com", PASSWORD, "198.51.100.2")

    def look() -> requests.Response:
        together.wait()
        return requests.get(f"{service.url}/api/health", timeout=60)

    with ThreadPoolExecutor(FLOOD + 3) as pool:
        honest, signing_up, health = pool.submit(log_in), pool.submit(sign_up), pool.submit(look)
        flood = [*pool.map(attack, range(FLOOD))]
    assert health.result().status_code == 200
    for answer in flood:
        assert_answered(answer, 401)
    assert any(answer.status_code == 429 for answer in flood), "the flood was hashed to its end"
    assert_answered(signing_up.result(), 201)
    for answer in honest.result():
        assert_answered(answer, 200)
    # Each in its turn would wait for as many hashes as there are log-ins.
    assert max(honest_seconds) < FLOOD / 2 * alone, (max(honest_seconds), alone)
    after = post(service, "/api/auth/login", "owner@example.com", PASSWORD, "198.51.100.1")
    assert after.status_code == 200, "the flood shut the owner out"


def test_wrong_log_ins_of_strangers_do_not_shut_the_owner_out(service: RunningService) -> None:
    assert (
        post(
            service, "/api/auth/register", "shop@example.com", PASSWORD, "198.51.100.1"
        ).status_code
        == 201
    )
    answers = [
        post(service, "/api/auth/login", "shop@example.com", "wrong", "192.0.2.1").status_code
        for _ in range(25)
    ]
    assert answers == [401] * 20 + [429] * 5
    assert (
        post(service, "/api/auth/login", "shop@example.com", PASSWORD, "192.0.2.1").status_code
        == 429
    )
    assert (
        post(service, "/api/auth/login", "shop@example.com", PASSWORD, "198.51.100.1").status_code
        == 200
    )


def test_a_burst_of_sign_ups_at_once_is_taken(tmp_path: Path) -> None:
    service = signup_service_in(tmp_path)
    service.start()
    try:
        with ThreadPoolExecutor(6) as pool:
            answers = pool.map(
                lambda index: post(
                    service, "/api/auth/register", f"{index}@example.com", PASSWORD, "127.0.0.1"
                ),
                range(6),
            )
            assert [answer.status_code for answer in answers] == [201] * 6
    finally:
        service.stop()


def test_who_finds_no_place_to_wait_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_capture.accounts.passwords._MAX_WAITING", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    passwords = Passwords()
    refusals: list[Problem] = []
    began = threading.Barrier(8)

    def hash_one() -> None:
        began.wait()
        try:
            passwords.hash(PASSWORD)
        except Problem as problem:
            refusals.append(problem)

    threads = [threading.Thread(target=hash_one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < len(refusals) <= 6
    assert {refusal.retry_after_seconds for refusal in refusals} == {1}
    passwords.hash(PASSWORD)
