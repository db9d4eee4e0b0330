"""Test the rate limits without a server: counting, windows, time and memory."""

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


class Clock:
    """A clock that stands still until a test advances it."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.time", lambda: clock.now)
    return clock


def make_rates(**settings: str) -> Rates:
    return Rates(load_settings(dict(settings), {}))


def take(rates: Rates, *arguments: Any) -> int | None:
    """Count a request; return None, or the seconds to wait if it is rejected."""
    try:
        rates.take(*arguments)
    except Problem as problem:
        return problem.retry_after_seconds
    return None


def test_each_of_several_rates_applies(clock: Clock) -> None:
    rates = make_rates(rate_per_caller="3/second; 5/hour")
    assert [take(rates, "192.0.2.1") for _ in range(3)] == [None] * 3
    assert take(rates, "192.0.2.1") == 1
    assert take(rates, "192.0.2.2") is None


def test_rate_starts_again_when_its_window_ends(clock: Clock) -> None:
    rates = make_rates(rate_per_caller="2/minute")
    assert [take(rates, "192.0.2.1") for _ in range(4)] == [None, None, 60, 60]
    clock.now += 45
    assert take(rates, "192.0.2.1") == 15
    clock.now += 15
    assert [take(rates, "192.0.2.1") for _ in range(3)] == [None, None, 60]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", None])
def test_loopback_callers_have_no_rate_limit(address: str | None) -> None:
    rates = make_rates(rate_per_caller="1/hour", rate_per_person="1/hour")
    assert [take(rates, address, "a@example.com") for _ in range(3)] == [None] * 3


def test_empty_rate_means_no_limit() -> None:
    rates = make_rates(rate_per_caller="", rate_per_person="", login_rate="")
    assert {take(rates, "192.0.2.1", "a@example.com") for _ in range(10_000)} == {None}
    for _ in range(100):
        rates.take_login("a@example.com")


def test_caller_is_an_ipv6_network_or_a_single_ipv4_address() -> None:
    rates = make_rates(rate_per_caller="1/hour")
    accepted = [take(rates, f"2001:db8:0:1::{index:x}") is None for index in range(3)]
    assert accepted == [True, False, False]
    assert take(rates, "2001:db8:0:2::1") is None
    assert [take(rates, f"192.0.2.{index}") for index in range(3)] == [None] * 3
    assert [take(rates, f"::ffff:198.51.100.{index}") for index in range(3)] == [None] * 3


def test_rate_per_user_is_counted_separately_for_each_caller() -> None:
    rates = make_rates(rate_per_person="2/hour")
    for caller in ("192.0.2.1", "192.0.2.2"):
        accepted = [take(rates, caller, "a@example.com") is None for _ in range(3)]
        assert accepted == [True, True, False]
    assert take(rates, "192.0.2.1", "b@example.com") is None


def test_bytes_and_new_users_have_their_own_rates(clock: Clock) -> None:
    rates = make_rates(bytes_per_caller="1KB/minute; 2KB/hour", new_users_per_caller="2/hour")
    for caller, sizes, rejected_at in (("192.0.2.1", [400, 600, 1], 2), ("192.0.2.2", [1001], 0)):
        for turn, size in enumerate(sizes):
            if turn == rejected_at:
                with pytest.raises(Problem, match="too many bytes"):
                    rates.take_bytes(caller, size)
            else:
                rates.take_bytes(caller, size)
    for address in (None, "127.0.0.1"):
        rates.take_bytes(address, 10_000_000)
        for _ in range(5):
            rates.take_new_user(address)
    rates.take_new_user("192.0.2.1")
    rates.take_new_user("192.0.2.1")
    with pytest.raises(Problem, match="not known yet"):
        rates.take_new_user("192.0.2.1")


def try_wrong_password(rates: Rates, times: int, email: str, caller: str | None) -> int:
    """Try to log in with a wrong password; return how many tries were not rejected."""
    checked = 0
    for _ in range(times):
        try:
            rates.refuse_after_failures(email, caller)
        except Problem:
            continue
        rates.note_failure(email, caller)
        checked += 1
    return checked


@pytest.mark.parametrize("caller", [None, "127.0.0.1", "192.0.2.1", "2001:db8::1"])
def test_caller_must_wait_after_20_failed_logins_to_an_address(
    caller: str | None, clock: Clock
) -> None:
    rates = make_rates()
    assert try_wrong_password(rates, 30, "a@example.com", caller) == 20
    with pytest.raises(Problem) as rejected:
        rates.refuse_after_failures("a@example.com", caller)
    assert rejected.value.retry_after_seconds == 900
    rates.refuse_after_failures("b@example.com", caller)
    rates.refuse_after_failures("a@example.com", "198.51.100.1")


def test_failed_logins_of_strangers_do_not_lock_out_known_callers() -> None:
    rates = make_rates(login_rate="")
    rates.note_success("a@example.com", "198.51.100.1")
    strangers = [f"192.0.2.{index}" for index in range(100)]
    tries = [try_wrong_password(rates, 100, "a@example.com", stranger) for stranger in strangers]
    assert sum(tries) == 200
    with pytest.raises(Problem):
        rates.refuse_after_failures("a@example.com", "203.0.113.1")
    assert try_wrong_password(rates, 100, "a@example.com", "198.51.100.1") == 20, (
        "a caller that has logged in before has its own limit"
    )
    rates.refuse_after_failures("b@example.com", "203.0.113.1")


def test_login_rate_applies_per_caller_and_tenfold_to_all_callers() -> None:
    rates = make_rates(login_rate="5/hour")
    rates.note_success("a@example.com", "198.51.100.1")

    def count_accepted(caller: str) -> int:
        for number in range(100):
            try:
                rates.take_login("a@example.com", caller)
            except Problem:
                return number
        return 100

    assert count_accepted("192.0.2.1") == 5
    assert count_accepted("192.0.2.2") == 5
    assert sum(count_accepted(f"203.0.113.{index}") for index in range(100)) == 40
    assert count_accepted("198.51.100.1") == 5


def test_known_callers_use_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_capture.limits.known_callers.MAX_KNOWN", 100)
    known = KnownCallers()
    for index in range(1000):
        known.add("192.0.2.1", f"{index}@example.com")
    for index, is_known in ((0, False), (899, False), (900, True), (999, True)):
        assert known.has("192.0.2.1", f"{index}@example.com") is is_known
    assert not known.has("192.0.2.2", "999@example.com")


def test_many_networks_of_one_account_displace_no_callers_of_others() -> None:
    known = KnownCallers()
    known.add("203.0.113.7", "owner@example.com")
    for number in range(MAX_KNOWN + 1):
        known.add(f"2001:db8:{number:x}::/64", "mallory@example.com")
    assert known.has("203.0.113.7", "owner@example.com")
    assert known.has(f"2001:db8:{MAX_KNOWN:x}::/64", "mallory@example.com")
    assert not known.has("2001:db8:0::/64", "mallory@example.com")


@pytest.mark.slow
def test_rate_counters_use_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_capture.limits.windows._MAX_WINDOWS", 1000)
    rates = make_rates(rate_per_caller="1/hour", rate_per_person="1/hour")
    tracemalloc.start()
    try:
        for index in range(20_000):
            rates.take(f"10.0.{index >> 8}.{index & 255}", f"{index}@example.com")
        bytes_held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert bytes_held < 3_000_000
    assert take(rates, "10.0.78.31") is not None, "the newest caller is not counted"
    assert take(rates, "10.0.0.0") is None, "the oldest caller is still counted"


def test_counting_costs_less_than_twice_the_parsing_of_a_capture() -> None:
    rates = make_rates(rate_per_caller="100000000/minute", rate_per_person="100000000/minute")
    body = json.dumps({f"field_{index}": "a value" for index in range(30)})

    def time_1000(work: Callable[[], object]) -> float:
        return timeit.timeit(work, number=1_000)

    # Both are timed in turns, so that load on the machine slows both.
    pairs = [
        (
            time_1000(lambda: rates.take("192.0.2.1", "a@example.com")),
            time_1000(lambda: json.loads(body)),
        )
        for _ in range(20)
    ]
    counting, parsing = (min(seconds) for seconds in zip(*pairs, strict=True))
    assert counting < 2 * parsing
