"""Test the limits on what a stranger's flood of captures can store.

The services run behind a proxy, so that each request names its caller in X-Forwarded-For.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.accounts import register
from tests.support.installations import CommandServer, Installation
from tests.support.services import RunningService, capture_service_in, eventually, signup_service_in

STRANGER, USER_PAGES = "192.0.2.1", "198.51.100.7"  # addresses of callers
MORE_THAN_ANY_DISK = "999999999GB"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    service = capture_service_in(
        tmp_path_factory.mktemp("flood"),
        EDC_TRUSTED_PROXIES="1",
        EDC_RATE_PER_PERSON="5/hour",
        EDC_BYTES_PER_CALLER="200KB/hour",
        EDC_NEW_USERS_PER_CALLER="8/hour",
    )
    service.start()
    yield service
    service.stop()


def send(
    service: RunningService, caller: str, payload: dict[str, object], **headers: str
) -> requests.Response:
    return service.capture("payment", payload, **{"X-Forwarded-For": caller, **headers})


@pytest.mark.slow
def test_captures_of_a_stranger_do_not_use_up_the_rate_of_the_users_pages(
    service: RunningService, user: str
) -> None:
    payments = [{"user_email": user, "basket": number} for number in range(7)]
    statuses = [send(service, STRANGER, payment).status_code for payment in payments]
    assert statuses == [201] * 5 + [429] * 2
    assert send(service, USER_PAGES, {"user_email": user, "basket": 8}).status_code == 201
    assert send(service, STRANGER, {"user_email": f"other-{user}"}).status_code == 201


@pytest.mark.parametrize("size", [30_000, 90_000], ids=["in the event loop", "in a thread"])
def test_bytes_per_caller_are_limited_for_small_and_large_bodies(
    service: RunningService, user: str, size: int
) -> None:
    caller = f"203.0.113.{size // 1000}"
    statuses = [
        send(service, caller, {"user_email": f"{turn}-{user}", "note": "x" * size}).status_code
        for turn in range(8)
    ]
    stored = 200_000 // (size + 100)
    assert statuses == [201] * stored + [429] * (8 - stored)
    rejected = send(service, caller, {"user_email": user, "note": "x" * size})
    assert rejected.json()["detail"] == "This caller sends too many bytes; wait and send it again."
    assert 3000 < int(rejected.headers["Retry-After"]) <= 3600
    assert (
        send(service, USER_PAGES, {"user_email": f"x-{user}", "note": "x" * 1000}).status_code
        == 201
    )


def test_a_partial_update_counts_as_many_bytes_as_the_state_that_it_copies(
    service: RunningService, user: str
) -> None:
    caller = {"X-Forwarded-For": "203.0.113.99"}
    state = {"user_email": user, "tradingState": {"currentEquity": 1, "notes": "x" * 60_000}}
    update = {"user_email": user, "partial": True}
    statuses = [
        service.capture("dashboard", {**update, "total_trades": turn} if turn else state, **caller)
        for turn in range(5)
    ]
    assert [response.status_code for response in statuses] == [201] * 4 + [429]


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Encoding": "identity"}], ids=["in the event loop", "in a thread"]
)
def test_new_users_per_caller_are_limited_and_known_users_are_not(
    service: RunningService, user: str, headers: dict[str, str]
) -> None:
    caller = f"203.0.113.{1 + len(headers)}"
    known = send(service, USER_PAGES, {"user_email": user})
    assert known.status_code == 201
    statuses = [
        send(service, caller, {"user_email": f"{turn}-{user}"}, **headers).status_code
        for turn in range(10)
    ]
    assert statuses == [201] * 8 + [429] * 2
    for email in (f"8-{user}", f"9-{user}"):
        assert service.rows("SELECT * FROM users WHERE email = ?", email) == []
    assert send(service, caller, {"user_email": user, "basket": 2}).status_code == 201, (
        "a known user was counted as new"
    )
    emails = (user, f"8-{user}")
    batch = {"captures": [{"type": "payment", "user_email": one, "basket": 3} for one in emails]}
    response = service.capture("batch", batch, **{"X-Forwarded-For": caller, **headers})
    assert [result["status"] for result in response.json()["answers"]] == [201, 429]


def start_unhealthy(service: RunningService, health_path: str) -> None:
    """Start a service whose health is 503 from the beginning."""

    def health_status() -> int | None:
        try:
            return requests.get(service.url + health_path, timeout=30).status_code
        except requests.ConnectionError:
            return None  # nothing listens yet

    with pytest.raises(AssertionError, match="healthy"):
        service.start(seconds=0)
    assert eventually(health_status, "a response", 60) == 503


@pytest.fixture
def service_with_full_disk(tmp_path: Path) -> Iterator[RunningService]:
    """A capture service that requires more free space than there is."""
    service = capture_service_in(tmp_path)
    service.start()  # creates the database; healthy with the default setting
    service.stop()
    service = capture_service_in(tmp_path, EDC_MIN_FREE_DISK=MORE_THAN_ANY_DISK)
    start_unhealthy(service, "/api/data-capture/health")
    yield service
    service.stop()


@pytest.mark.slow
def test_only_the_owner_can_write_while_the_disk_is_almost_full(
    service_with_full_disk: RunningService, user: str, server: CommandServer
) -> None:
    service = service_with_full_disk
    installation = Installation(service.database.parent, server)
    payload = {"user_email": user, "final_price": 9.5}
    for body in (payload, {**payload, "note": "x" * 90_000}):
        rejected = service.capture("payment", body)
        assert (rejected.status_code, rejected.headers["Retry-After"]) == (503, "1")
        assert "almost full" in rejected.json()["detail"]
    health = requests.get(f"{service.url}/api/data-capture/health", timeout=30)
    assert health.status_code == 503
    assert "EDC_MIN_FREE_DISK" in health.json()["detail"]
    signup = signup_service_in(service.database.parent, EDC_MIN_FREE_DISK=MORE_THAN_ANY_DISK)
    start_unhealthy(signup, "/api/health")
    try:
        assert register(signup, user).status_code == 503
    finally:
        signup.stop()
    assert service.rows("SELECT * FROM payment_data") == []
    assert service.rows("SELECT * FROM users") == []
    for command in (["admin-token"], ["write-token", "shop"]):
        token = installation.run(*command).output.strip()
        response = service.capture("payment", payload, Authorization=f"Bearer {token}")
        assert response.status_code in (200, 201)
    assert len(service.rows("SELECT * FROM payment_data")) >= 1
    sources = {row["source"] for row in service.rows("SELECT source FROM capture_sources")}
    assert sources == {"confirmed"}
