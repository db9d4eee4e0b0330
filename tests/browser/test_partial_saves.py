"""Test that PUT and PATCH are captured as partial updates, and full saves are not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.page_code import fetch_js, set_item_js

EQUITY = {"current_equity": 10250, "total_pnl": 250}
STATE = {"currentEquity": 10250, "trades": [{"id": 1}]}


def put_by_xhr(method: str) -> str:
    body = json.dumps(json.dumps(EQUITY))
    return (
        f"(() => {{ const xhr = new XMLHttpRequest(); "
        f"xhr.open('{method}', '/api/dashboard/equity'); xhr.send({body}) }})()"
    )


PARTIAL = {
    "PUT": fetch_js("/api/dashboard/equity", EQUITY, "PUT"),
    "PATCH": fetch_js("/rest/v1/dashboards?id=eq.1", EQUITY, "PATCH"),
    "put": fetch_js("/api/dashboard/equity", EQUITY, "put"),
    "patch": fetch_js("/api/dashboard/equity", EQUITY, "patch"),
    "PUT of a Request": (
        "fetch(new Request('/api/dashboard/equity', "
        f"{{method: 'PUT', body: '{json.dumps(EQUITY)}'}}))"
    ),
    "PUT by XHR": put_by_xhr("PUT"),
    "patch by XHR": put_by_xhr("patch"),
    "two at one address": "; ".join(
        fetch_js("/api/dashboard/equity", {**EQUITY, "n": number}, "PUT") for number in (1, 2)
    ),
}
FULL = {
    "POST": fetch_js("/api/simple/dashboard", EQUITY),
    "post": fetch_js("/api/simple/dashboard", EQUITY, "post"),
    "POST by XHR": put_by_xhr("POST"),
    "a beacon": f"navigator.sendBeacon('/api/dashboard', '{json.dumps(EQUITY)}')",
    "a storage write": set_item_js("localStorage", "trading_state_$USER", STATE),
    "PUT, then a storage write": (
        fetch_js("/api/dashboard/equity", EQUITY, "PUT")
        + "; "
        + set_item_js("localStorage", "trading_state_$USER", STATE)
    ),
    "a storage write, then PUT": (
        set_item_js("localStorage", "trading_state_$USER", STATE)
        + "; "
        + fetch_js("/api/dashboard/equity", EQUITY, "PUT")
    ),
    "POST, then PATCH at the same address": (
        fetch_js("/rest/v1/dashboards", EQUITY)
        + "; "
        + fetch_js("/rest/v1/dashboards", {**EQUITY, "more": 1}, "PATCH")
    ),
}


@pytest.mark.slow(quick_cases=2)
@pytest.mark.parametrize("name", PARTIAL)
def test_put_and_patch_are_partial(name: str, visit: Any, proxy: Any, user: str) -> None:
    visit.open(user=user)
    visit.run(f"() => {{ {PARTIAL[name]} }}")
    visit.flush()
    visit.eventually(lambda: proxy.received, "the save is delivered")  # a Request is read later
    assert {capture.body["partial"] for capture in proxy.received} == {True}


@pytest.mark.slow(quick_cases=3)
@pytest.mark.parametrize("name", FULL)
def test_full_save_is_not_partial(name: str, visit: Any, proxy: Any, user: str) -> None:
    visit.open(user=user)
    visit.run(f"() => {{ {FULL[name].replace('$USER', user)} }}")
    visit.flush()
    assert len(proxy.received) == 1
    assert "partial" not in proxy.received[0].body


def test_member_named_partial_of_a_page_is_kept(visit: Any, proxy: Any, user: str) -> None:
    visit.open(user=user)
    visit.run(fetch_js("/api/payments", {"plan": "Pro", "amount": 49, "partial": "first half"}))
    visit.flush()
    assert proxy.received[0].body["partial"] == "first half"
