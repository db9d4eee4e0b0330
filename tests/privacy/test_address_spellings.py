"""Test that no way to write an address makes a user who survives an erasure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.accounts import log_in, register
from tests.support.address_spellings import IN_ASCII, list_spellings
from tests.support.erasing import ADMIN, TOKEN, count_pending_erasures, erase, export
from tests.support.services import RunningService, capture_service_in, eventually, signup_service_in

LOCAL_PART = "zqxannvw"
PLAIN = f"{LOCAL_PART}@{IN_ASCII}"
SPELLINGS = list_spellings(LOCAL_PART)
QUICK = SPELLINGS[::10]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[tuple[RunningService, RunningService]]:
    """Run both services on one database, without limits of new users."""
    limits = {"EDC_CAPTURE_RATE": "", "EDC_LOGIN_RATE": "", "EDC_NEW_USERS_PER_CALLER": ""}
    capture = capture_service_in(tmp_path, EDC_ADMIN_TOKEN=TOKEN, **limits)
    signup = signup_service_in(tmp_path, **limits)
    capture.start()
    signup.start()
    try:
        yield capture, signup
    finally:
        signup.stop()
        capture.stop()


def assert_one_user_and_no_trace(
    services: tuple[RunningService, RunningService], spellings: list[str]
) -> None:
    capture, signup = services
    stored = 0
    for number, spelling in enumerate(spellings):
        if number % 25 == 7:
            assert register(signup, spelling).status_code in (200, 201, 400, 409), spelling
        response = capture.capture("payment", {"email": spelling, "transaction_id": f"T{number}"})
        assert response.status_code in (201, 422), (spelling, response.text)
        stored += response.status_code == 201
        own = [row["email"] for row in capture.rows("SELECT email FROM users")]
        assert own in ([], [PLAIN]), (spelling, own)
    assert stored >= len(spellings) // 2
    assert len(capture.rows("SELECT id FROM payment_data WHERE user_email = ?", PLAIN)) == stored

    assert erase(capture, PLAIN).status_code in (200, 202)
    eventually(lambda: count_pending_erasures(capture) == 0, "the erasure is complete")
    left = capture.rows("SELECT email FROM users WHERE email NOT LIKE '%@data-capture.invalid'")
    assert left == []
    # A page's address is nowhere in clear, however it was written.
    files = [path for path in capture.database.parent.rglob("*") if path.is_file()]
    assert {"trading_bots.db", "erasures.key"} <= {path.name for path in files}
    content = b"".join(path.read_bytes() for path in files).lower()
    assert LOCAL_PART.encode() not in content
    assert LOCAL_PART.encode("utf-16-le") not in content
    # Captures from before the erasure bring nobody back.
    old = {"capture_timestamp": "2024-01-15T10:30:00Z", "transaction_id": "T"}
    for spelling in spellings[:40]:
        assert capture.capture("payment", {**old, "email": spelling}).status_code in (410, 422)


def test_a_few_spellings_of_an_address_are_one_user_whose_erasure_leaves_nothing(
    services: tuple[RunningService, RunningService],
) -> None:
    assert_one_user_and_no_trace(services, QUICK)


@pytest.mark.slow
def test_200_spellings_of_an_address_are_one_user_whose_erasure_leaves_nothing(
    services: tuple[RunningService, RunningService],
) -> None:
    assert len(SPELLINGS) >= 200
    assert_one_user_and_no_trace(services, SPELLINGS)


SAME = [
    f"mailto:{PLAIN}", f"{LOCAL_PART}@bücher.example", f"<{PLAIN}>", f"{PLAIN}.", f"Ann <{PLAIN}>",
    f"{LOCAL_PART.upper()}＠BÜCHER.example", f"\ufeff{PLAIN}\u200b", PLAIN.replace("@", "%40"),
]  # fmt: skip


def test_every_function_takes_every_spelling(
    services: tuple[RunningService, RunningService],
) -> None:
    capture, signup = services
    assert register(signup, SAME[0]).status_code == 400  # a sign-up takes bare addresses only
    assert register(signup, SAME[1]).status_code == 201
    assert register(signup, PLAIN.upper()).status_code == 409
    assert capture.capture("payment", {"email": SAME[2], "final_price": 5}).status_code == 201
    document = export(capture, PLAIN)
    for spelling in SAME:
        assert log_in(signup, spelling).status_code == 200, spelling
    for spelling in (SAME[1], SAME[3], SAME[5]):
        url = f"{capture.url}/api/data-capture/stats/{spelling}"
        stats = requests.get(url, headers=ADMIN, timeout=30)
        assert stats.json()["data_counts"]["payments"] == 1, spelling
        exported = export(capture, spelling)
        assert b'"payment_data"' in exported
        assert exported.count(b'"final_price"') == document.count(b'"final_price"')
    assert erase(capture, SAME[5]).json()["erased"]["users"] == 1
    assert log_in(signup, PLAIN).status_code == 401
