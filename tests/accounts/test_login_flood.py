"""Test many simultaneous log-ins: short waits, and a responsive service."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from pathlib import Path

import pytest
import requests
from argon2 import PasswordHasher

import enhanced_signup_handler
from data_capture.accounts.passwords import Passwords
from data_capture.problems import Problem
from data_capture.settings import load_settings
from data_capture.store.sqlite.schema import prepare
from tests.support.accounts import PASSWORD
from tests.support.services import RunningService, signup_service_in

OWNER, STRANGER, ATTACKER = "198.51.100.1", "198.51.100.2", "192.0.2.1"  # addresses of callers
FLOOD_SIZE = 200


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    service = signup_service_in(
        tmp_path_factory.mktemp("flood"), EDC_LOGIN_RATE="", EDC_TRUSTED_PROXIES="1"
    )
    service.start()
    yield service
    service.stop()


def log_in_from(
    service: RunningService, caller: str, email: str, password: str = PASSWORD
) -> requests.Response:
    return post(service, "login", caller, email, password)


def register_from(service: RunningService, caller: str, email: str) -> requests.Response:
    return post(service, "register", caller, email, PASSWORD)


def post(
    service: RunningService, route: str, caller: str, email: str, password: str
) -> requests.Response:
    return requests.post(
        f"{service.url}/api/auth/{route}",
        json={"email": email, "password": password},
        headers={"X-Forwarded-For": caller},
        timeout=60,
    )


def assert_status_or_429(response: requests.Response, status: int) -> None:
    assert response.status_code in (status, 429), response.text
    if response.status_code == 429:
        assert int(response.headers["Retry-After"]) >= 1


@pytest.mark.slow
def test_flood_of_200_logins_delays_honest_logins_only_briefly(service: RunningService) -> None:
    email = "owner@example.com"
    assert register_from(service, OWNER, email).status_code == 201
    seconds_alone = statistics.median(
        log_in_from(service, OWNER, email).elapsed.total_seconds() for _ in range(5)
    )
    barrier = threading.Barrier(FLOOD_SIZE + 3)

    def attack(index: int) -> requests.Response:
        barrier.wait()
        return log_in_from(service, f"192.0.2.{index}", f"{index}@example.com", "wrong")

    def log_in_ten_times() -> list[requests.Response]:
        barrier.wait()
        return [log_in_from(service, OWNER, email) for _ in range(10)]

    def sign_up() -> requests.Response:
        barrier.wait()
        return register_from(service, STRANGER, "another@example.com")

    def get_health() -> requests.Response:
        barrier.wait()
        return requests.get(f"{service.url}/api/health", timeout=60)

    with ThreadPoolExecutor(FLOOD_SIZE + 3) as pool:
        honest = pool.submit(log_in_ten_times)
        signup, health = pool.submit(sign_up), pool.submit(get_health)
        flood = [*pool.map(attack, range(FLOOD_SIZE))]
    assert health.result().status_code == 200
    for response in flood:
        assert_status_or_429(response, 401)
    assert any(response.status_code == 429 for response in flood), "no log-in was rejected"
    assert_status_or_429(signup.result(), 201)
    for response in honest.result():
        assert_status_or_429(response, 200)
    # In a queue without a limit, a log-in would wait for as many hashes as there are log-ins.
    longest = max(response.elapsed.total_seconds() for response in honest.result())
    assert longest < FLOOD_SIZE / 2 * seconds_alone, (longest, seconds_alone)
    assert log_in_from(service, OWNER, email).status_code == 200, "the flood locked the owner out"


@pytest.mark.slow
def test_wrong_logins_of_strangers_do_not_lock_the_owner_out(service: RunningService) -> None:
    email = "shop@example.com"
    assert register_from(service, OWNER, email).status_code == 201
    statuses = [log_in_from(service, ATTACKER, email, "wrong").status_code for _ in range(25)]
    assert statuses == [401] * 20 + [429] * 5
    assert log_in_from(service, ATTACKER, email).status_code == 429
    assert log_in_from(service, OWNER, email).status_code == 200


def test_six_simultaneous_signups_succeed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit on the wait for a hash is raised, because a busy machine may exceed it."""
    monkeypatch.setattr("data_capture.accounts.passwords.MAX_WAIT_SECONDS", 60.0)
    options = {"database": str(tmp_path / "trading_bots.db"), "log_file": str(tmp_path / "log")}
    prepare(tmp_path / "trading_bots.db")
    app = enhanced_signup_handler.create_app(load_settings(options, {}))
    barrier = threading.Barrier(6)

    def sign_up(index: int) -> int:
        account = {"email": f"{index}@example.com", "password": PASSWORD}
        barrier.wait()
        return app.test_client().post("/api/auth/register", json=account).status_code

    try:
        with ThreadPoolExecutor(6) as pool:
            assert [*pool.map(sign_up, range(6))] == [201] * 6
    finally:
        app.extensions["store"].close()


def test_password_hashing_is_rejected_while_its_queue_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("data_capture.accounts.passwords._MAX_WAITING", 1)
    monkeypatch.setattr("data_capture.accounts.passwords.MAX_WAIT_SECONDS", 60.0)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    passwords = Passwords()
    hash_password, may_hash = PasswordHasher.hash, threading.Event()

    def hash_when_allowed(hasher: PasswordHasher, password: str) -> str:
        assert may_hash.wait(60)
        return hash_password(hasher, password)

    def find_rejection() -> Problem | None:
        try:
            passwords.hash(PASSWORD)
        except Problem as problem:
            return problem
        return None

    monkeypatch.setattr(PasswordHasher, "hash", hash_when_allowed)
    with ThreadPoolExecutor(8) as pool:
        attempts = [pool.submit(find_rejection) for _ in range(8)]
        try:
            # One of eight is hashed and one waits for it.
            first_six = [done.result() for done in islice(as_completed(attempts, 60), 6)]
        finally:
            may_hash.set()
    assert [rejection and rejection.retry_after_seconds for rejection in first_six] == [1] * 6
    assert [attempt.result() for attempt in attempts].count(None) == 2
    passwords.hash(PASSWORD)
