"""A flood of captures, as a stranger sends it: what it can add to the database is bounded, and nobody else pays for it.

The services stand behind a proxy here, so that each request says in X-Forwarded-For who its caller is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.installations import CommandServer, Installation
from tests.support.services import RunningService, capture_service_in, signup_service_in

STRANGER, HONEST = "192.0.2.1", "198.51.100.7"
MORE_THAN_ANY_DISK_HAS = "999999999GB"


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


def test_what_a_stranger_sends_of_a_user_takes_nothing_from_the_user_s_own_pages(
    service: RunningService, user: str
) -> None:
    statuses = [send(service, STRANGER, {"user_email": user}).status_code for _ in range(7)]
    assert statuses == [201] * 5 + [429] * 2
    assert send(service, HONEST, {"user_email": user}).status_code == 201
    assert send(service, STRANGER, {"user_email": f"other-{user}"}).status_code == 201


@pytest.mark.parametrize("large", [30_000, 90_000], ids=["in the event loop", "in a thread"])
def test_the_bytes_of_a_caller_are_counted_whatever_the_size_of_a_body(
    service: RunningService, user: str, large: int
) -> None:
    caller = f"203.0.113.{large // 1000}"
    statuses = [
        send(service, caller, {"user_email": f"{turn}-{user}", "note": "x" * large}).status_code
        for turn in range(8)
    ]
    stored = 200_000 // (large + 100)
    assert statuses == [201] * stored + [429] * (8 - stored)
    refused = send(service, caller, {"user_email": user, "note": "x" * large})
    assert refused.json()["detail"] == "This caller sends too many bytes; wait and send it again."
    assert 3000 < int(refused.headers["Retry-After"]) <= 3600
    assert send(service, HONEST, {"user_email": f"x-{user}", "note": "x" * 1000}).status_code == 201


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Encoding": "identity"}], ids=["in the event loop", "in a thread"]
)
def test_the_new_users_of_a_caller_are_counted_and_known_ones_are_not(
    service: RunningService, user: str, headers: dict[str, str]
) -> None:
    caller = f"203.0.113.{1 + len(headers)}"
    known = send(service, HONEST, {"user_email": user})
    assert known.status_code == 201
    statuses = [
        send(service, caller, {"user_email": f"{turn}-{user}"}, **headers).status_code
        for turn in range(10)
    ]
    assert statuses == [201] * 8 + [429] * 2
    for email in (f"8-{user}", f"9-{user}"):
        assert service.rows("SELECT * FROM users WHERE email = ?", email) == []
    assert send(service, caller, {"user_email": user}).status_code == 201, (
        "a user who is known adds none"
    )
    batch = {"captures": [{"type": "payment", "user_email": one} for one in (user, f"8-{user}")]}
    answers = service.capture("batch", batch, **{"X-Forwarded-For": caller, **headers}).json()[
        "answers"
    ]
    assert [answer["status"] for answer in answers] == [201, 429]


@pytest.fixture
def short_of_space(tmp_path: Path) -> Iterator[RunningService]:
    service = capture_service_in(tmp_path)
    service.start()  # makes the database, and shows that it is healthy with the default
    service.stop()
    short = capture_service_in(tmp_path, EDC_MIN_FREE_DISK=MORE_THAN_ANY_DISK_HAS)
    with pytest.raises(AssertionError, match="healthy"):
        short.start(seconds=4)
    yield short
    short.stop()


def test_when_the_disk_is_almost_full_the_owner_still_writes_and_nobody_else(
    short_of_space: RunningService, user: str, server: CommandServer
) -> None:
    service, installation = short_of_space, Installation(short_of_space.database.parent, server)
    payload = {"user_email": user, "final_price": 9.5}
    for body in (payload, {**payload, "note": "x" * 90_000}):
        refused = service.capture("payment", body)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert "almost full" in refused.json()["detail"]
    health = requests.get(f"{service.url}/api/data-capture/health", timeout=10)
    assert health.status_code == 503
    assert "EDC_MIN_FREE_DISK" in health.json()["detail"]
    signup = signup_service_in(service.database.parent, EDC_MIN_FREE_DISK=MORE_THAN_ANY_DISK_HAS)
    signup.start()
    try:
        account = {"email": user, "password": "correct horse battery"}
        assert (
            requests.post(f"{signup.url}/api/auth/register", json=account, timeout=10).status_code
            == 503
        )
    finally:
        signup.stop()
    assert service.rows("SELECT * FROM payment_data") == []
    assert service.rows("SELECT * FROM users") == []
    for command in (["admin-token"], ["write-token", "shop"]):
        token = installation.run(*command).output.strip()
        taken = service.capture("payment", payload, Authorization=f"Bearer {token}")
        assert taken.status_code in (200, 201)
    assert len(service.rows("SELECT * FROM payment_data")) >= 1
    sources = {row["source"] for row in service.rows("SELECT source FROM capture_sources")}
    assert sources == {"confirmed"}
