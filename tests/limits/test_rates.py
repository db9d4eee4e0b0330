"""Rates where no server is needed: what is counted, for how long, at what cost, and in how much memory."""

from __future__ import annotations

import json
import timeit
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from data_capture.limits.known_callers import MAX_KNOWN, KnownCallers
from data_capture.limits.rates import Rates
from data_capture.problems import Problem
from data_capture.settings import load_settings


def rates(**settings: str) -> Rates:
    return Rates(load_settings(dict(settings), {}))


def taken(rates: Rates, *arguments: Any) -> int | None:
    """None when it was taken; else how many seconds to wait."""
    try:
        rates.take(*arguments)
    except Problem as problem:
        return problem.retry_after_seconds
    return None


def test_each_of_several_rates_holds() -> None:
    counted = rates(rate_per_caller="3/second; 5/hour")
    assert [taken(counted, "192.0.2.1") for _ in range(3)] == [None] * 3
    assert taken(counted, "192.0.2.1") == 1
    assert taken(counted, "192.0.2.2") is None


def test_when_a_window_is_over_another_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_700_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    counted = rates(rate_per_caller="2/minute")
    assert [taken(counted, "192.0.2.1") for _ in range(4)] == [None, None, 60, 60]
    now += 45
    assert taken(counted, "192.0.2.1") == 15
    now += 15
    assert [taken(counted, "192.0.2.1") for _ in range(3)] == [None, None, 60]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", None])
def test_this_machine_is_not_counted(address: str | None) -> None:
    counted = rates(rate_per_caller="1/hour", rate_per_person="1/hour")
    assert [taken(counted, address, "a@example.com") for _ in range(3)] == [None] * 3


def test_an_empty_rate_is_no_limit() -> None:
    counted = rates(rate_per_caller="", rate_per_person="", login_rate="")
    assert {taken(counted, "192.0.2.1", "a@example.com") for _ in range(10_000)} == {None}
    for _ in range(100):
        counted.take_login("a@example.com")


def test_a_network_of_ipv6_is_one_caller_and_every_address_of_ipv4() -> None:
    counted = rates(rate_per_caller="1/hour")
    assert [taken(counted, f"2001:db8:0:1::{index:x}") is None for index in range(3)] == [
        True,
        False,
        False,
    ]
    assert taken(counted, "2001:db8:0:2::1") is None
    assert [taken(counted, f"192.0.2.{index}") for index in range(3)] == [None] * 3
    assert [taken(counted, f"::ffff:198.51.100.{index}") for index in range(3)] == [None] * 3


def test_a_user_s_rate_is_that_of_each_caller_alone() -> None:
    counted = rates(rate_per_person="2/hour")
    assert [taken(counted, "192.0.2.1", "a@example.com") is None for _ in range(3)] == [
        True,
        True,
        False,
    ]
    assert [taken(counted, "192.0.2.2", "a@example.com") is None for _ in range(3)] == [
        True,
        True,
        False,
    ]
    assert taken(counted, "192.0.2.1", "b@example.com") is None


def test_bytes_and_new_users_have_rates_of_their_own() -> None:
    counted = rates(bytes_per_caller="1KB/minute; 2KB/hour", new_users_per_caller="2/hour")
    for caller, sizes, refused_at in (("192.0.2.1", [400, 600, 1], 2), ("192.0.2.2", [1001], 0)):
        for turn, size in enumerate(sizes):
            if turn == refused_at:
                with pytest.raises(Problem, match="too many bytes"):
                    counted.take_bytes(caller, size)
            else:
                counted.take_bytes(caller, size)
    for address in (None, "127.0.0.1"):
        counted.take_bytes(address, 10_000_000)
        for _ in range(5):
            counted.take_new_user(address)
    counted.take_new_user("192.0.2.1")
    counted.take_new_user("192.0.2.1")
    with pytest.raises(Problem, match="not known yet"):
        counted.take_new_user("192.0.2.1")


def fail(counted: Rates, times: int, email: str, caller: str | None) -> int:
    """How many of so many tries with a wrong password were let through."""
    checked = 0
    for _ in range(times):
        try:
            counted.refuse_after_failures(email, caller)
        except Problem:
            continue
        counted.note_failure(email, caller)
        checked += 1
    return checked


@pytest.mark.parametrize("caller", [None, "127.0.0.1", "192.0.2.1", "2001:db8::1"])
def test_after_twenty_failures_a_caller_has_to_wait_with_that_address(caller: str | None) -> None:
    counted = rates()
    assert fail(counted, 30, "a@example.com", caller) == 20
    with pytest.raises(Problem) as refused:
        counted.refuse_after_failures("a@example.com", caller)
    assert 890 < (refused.value.retry_after_seconds or 0) <= 900
    counted.refuse_after_failures("b@example.com", caller)
    counted.refuse_after_failures("a@example.com", "198.51.100.1")


def test_the_failures_of_strangers_shut_out_strangers_and_not_who_has_logged_in_before() -> None:
    counted = rates(login_rate="")
    counted.note_success("a@example.com", "198.51.100.1")
    assert (
        sum(fail(counted, 100, "a@example.com", f"192.0.2.{index}") for index in range(100)) == 200
    )
    with pytest.raises(Problem):
        counted.refuse_after_failures("a@example.com", "203.0.113.1")
    assert fail(counted, 100, "a@example.com", "198.51.100.1") == 20, (
        "who has logged in before has their own allowance"
    )
    counted.refuse_after_failures("b@example.com", "203.0.113.1")


def test_the_rate_of_an_address_is_one_of_each_caller_with_a_higher_one_of_all() -> None:
    counted = rates(login_rate="5/hour")
    counted.note_success("a@example.com", "198.51.100.1")

    def tries(caller: str) -> int:
        for number in range(100):
            try:
                counted.take_login("a@example.com", caller)
            except Problem:
                return number
        return 100

    assert tries("192.0.2.1") == 5
    assert tries("192.0.2.2") == 5
    assert sum(tries(f"203.0.113.{index}") for index in range(100)) == 40
    assert tries("198.51.100.1") == 5


def test_who_has_logged_in_is_remembered_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_capture.limits.known_callers.MAX_KNOWN", 100)
    known = KnownCallers()
    for index in range(1000):
        known.add("192.0.2.1", f"{index}@example.com")
    assert [known.has("192.0.2.1", f"{index}@example.com") for index in (0, 899, 900, 999)] == [
        False,
        False,
        True,
        True,
    ]
    assert not known.has("192.0.2.2", "999@example.com")


def test_who_comes_from_many_networks_displaces_the_callers_of_no_other_account() -> None:
    known = KnownCallers()
    known.add("203.0.113.7", "owner@example.com")
    for number in range(MAX_KNOWN + 1):
        known.add(f"2001:db8:{number:x}::/64", "mallory@example.com")
    assert known.has("203.0.113.7", "owner@example.com")
    assert known.has(f"2001:db8:{MAX_KNOWN:x}::/64", "mallory@example.com")
    assert not known.has("2001:db8:0::/64", "mallory@example.com")


def test_however_many_addresses_an_attacker_has_memory_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("data_capture.limits.windows._MAX_WINDOWS", 1000)
    counted = rates(rate_per_caller="1/hour", rate_per_person="1/hour")
    tracemalloc.start()
    try:
        for index in range(20_000):
            counted.take(f"10.0.{index >> 8}.{index & 255}", f"{index}@example.com")
        bytes_held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert bytes_held < 3_000_000
    assert taken(counted, "10.0.78.31") is not None, "the newest are still counted"
    assert taken(counted, "10.0.0.0") is None, "the oldest made room"


def test_counting_costs_no_more_than_parsing_a_capture() -> None:
    counted = rates(rate_per_caller="100000000/minute", rate_per_person="100000000/minute")
    body = json.dumps({f"field_{index}": "a value" for index in range(30)})

    def fastest(work: Callable[[], object]) -> float:
        return min(timeit.repeat(work, number=1_000, repeat=20))

    assert fastest(lambda: counted.take("192.0.2.1", "a@example.com")) < 2 * fastest(
        lambda: json.loads(body)
    )
