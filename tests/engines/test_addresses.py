"""Test which addresses are those of saves: each as a page sends it, with what the owner finds."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.engines.addresses import NO_SAVES, SAVES, TABLES, WRAPPED, Sent
from tests.engines.browser import eventually
from tests.engines.servers import wait_until_quiet
from tests.engines.visit import Visit

_SEND = """(saves) => {
  for (const [method, address, body] of saves) {
    fetch(address, { method, body: JSON.stringify(body) }).catch(() => {});
  }
}"""

_BODIES: dict[str, dict[str, Any]] = {
    "payment": {"plan_name": "Pro", "final_price": 49, "payment_status": "completed"},
    "questionnaire": {"trades_per_day": "3-5", "account_size": "50000", "has_account": "yes"},
    "dashboard": {"current_equity": 10250.5, "total_pnl": 250.5, "win_rate": 62.5},
    "activity": {"action": "trade_closed", "data": {"pair": "EURUSD", "pnl": 42.5}},
}
_COLUMNS = {
    "payment": {"plan_name": "Pro", "final_price": 49},
    "questionnaire": {"trades_per_day": "3-5", "account_size": 50000},
    "dashboard": {"current_equity": 10250.5, "win_rate": 62.5},
    "activity": {"activity_type": "trade_closed"},
}


class _Page:
    """A page that sends saves of all kinds, each of a user of its own."""

    def __init__(self, visit: Visit, sent: list[Sent]) -> None:
        self._visit = visit
        self._token = uuid.uuid4().hex[:12]
        self._sent = sent
        self.tab = visit.open()
        self.tab.run(_SEND, [self._request(n, one) for n, one in enumerate(sent)])

    def _request(self, index: int, sent: Sent) -> list[Any]:
        body = {**_BODIES[sent.kind], "user_email": self._email(index)}
        if sent.kind == "payment":
            body["transaction_id"] = f"A-{index}-{self._token}"
        address = sent.address.replace("OTHER", f"http://127.0.0.1:{self._visit.shop.port}")
        return [sent.method, address, sent.wrap(body)]

    def _email(self, index: int) -> str:
        return f"a{index}-{self._token}@example.com"

    def found(self) -> dict[str, list[Any]]:
        """Return the kinds and the values of the rows of each address."""
        rows: dict[str, list[Any]] = {one.name: [] for one in self._sent}
        names = {self._email(index): one.name for index, one in enumerate(self._sent)}
        for kind, table in TABLES.items():
            for row in self._visit.service.rows(
                f"SELECT * FROM {table} WHERE user_email LIKE ? ORDER BY rowid",  # noqa: S608
                f"%-{self._token}@example.com",
            ):
                values = {column: row[column] for column in _COLUMNS[kind]}
                rows[names[row["user_email"]]].append([kind, values])
        return rows

    def expected(self) -> dict[str, list[Any]]:
        """Return the same as it must be."""
        return {
            one.name: [[one.kind, _COLUMNS[one.kind]]] if one.is_save else [] for one in self._sent
        }


@pytest.mark.quick
@pytest.mark.slow
def test_addresses_of_saves_are_seen_and_others_are_not(visit: Visit) -> None:
    page = _Page(visit, [*NO_SAVES, *SAVES, *WRAPPED])
    expected = page.expected()

    def is_over() -> bool:
        if page.found() == expected:
            return True
        requests = len(visit.proxy.requests)
        wait_until_quiet(visit.proxy, quiet_seconds=5)
        return len(visit.proxy.requests) == requests

    eventually(is_over, "the rows of all addresses, or nothing more")
    wait_until_quiet(visit.proxy, quiet_seconds=2.5)
    found = page.found()
    wrong = [f"{name}: {found[name]}" for name in expected if found[name] != expected[name]]
    assert not wrong, "\n".join(wrong)
    observed = visit.observed(page.tab)
    assert observed["errors"] == observed["rejections"] == []


@pytest.mark.slow
def test_answers_of_one_insert_are_one_questionnaire_and_payments_are_one_each(
    visit: Visit,
) -> None:
    tab = visit.open()
    answers = [
        {"user_email": visit.user, "trades_per_day": "3-5"},
        {"user_email": visit.user, "account_size": "50000"},
        {"user_email": visit.user, "has_account": "yes"},
    ]
    payments = [
        {**_BODIES["payment"], "user_email": visit.user, "transaction_id": f"I-{n}-{visit.user}"}
        for n in range(3)
    ]
    tab.run(_SEND, [["POST", "/rest/v1/questionnaire_answers", answers],
                    ["POST", "/rest/v1/payments?columns=%22plan_name%22", payments]])  # fmt: skip
    visit.wait_for_rows("payment_data", 3)
    visit.wait_for_rows("questionnaire_data", 1)
    visit.proxy.wait_until_quiet()
    assert len(visit.rows("payment_data")) == 3
    (questionnaire,) = visit.rows("questionnaire_data")
    assert (questionnaire["trades_per_day"], questionnaire["account_size"]) == ("3-5", 50000)
    assert questionnaire["has_account"] == "yes"


@pytest.mark.slow
def test_status_and_debug_name_a_save_that_no_rule_takes_with_the_rule_that_would(
    visit: Visit,
) -> None:
    addresses = {
        "payment": "/api/purchases",
        "questionnaire": "/api/survey-results",
        "dashboard": "/api/equity",
    }
    saves = [
        ["POST", address, {**_BODIES[kind], "user_email": visit.user}]
        for kind, address in addresses.items()
    ]
    tab = visit.open(visit.tag("data-debug"))
    tab.run(_SEND, [*saves, ["POST", "/api/cart", {"items": 2, "user_email": visit.user}]])
    tab.eventually("enhancedDataCapture.status().then((all) => all.unmatched.length > 2)", "3", 10)
    unmatched = tab.run("enhancedDataCapture.status()")["unmatched"]
    rules = {one["rule"]["kind"]: one["rule"] for one in unmatched}
    assert {one["save"]: one["rule"]["kind"] for one in unmatched} == {
        f"POST {address}": kind for kind, address in addresses.items()
    }
    printed = "\n".join(visit.observed(tab)["console"])
    assert [address for address in addresses.values() if f"POST {address}" not in printed] == []

    added = f"<script>enhancedDataCaptureConfig = {json.dumps({'rules': [*rules.values()]})}"
    tab.goto(visit.shop.page(f"{added}</script>{visit.tag()}"))
    tab.run(_SEND, saves)
    for kind in addresses:
        (row,) = visit.wait_for_rows(TABLES[kind], 1)
        assert {column: row[column] for column in _COLUMNS[kind]} == _COLUMNS[kind]


@pytest.mark.slow
def test_update_carries_its_filter_and_says_that_it_is_a_part(visit: Visit) -> None:
    tab = visit.open()
    body = {"user_email": visit.user, "transaction_id": "F-1", "payment_status": "completed"}
    tab.run(_SEND, [
        ["PATCH", "/rest/v1/payments?id=eq.7&apikey=secret-of-the-project&select=*", body],
        ["PUT", "/api/questionnaires/7", {"user_email": visit.user, "has_account": "yes"}],
        ["POST", "/api/dashboard?tab=1", {"user_email": visit.user, "total_pnl": 7}],
    ])  # fmt: skip
    visit.wait_for_rows("payment_data", 1)
    visit.wait_for_rows("dashboard_data", 1)
    eventually(lambda: len(list(visit.proxy.captures())) == 3, "all captures arrive", 10)
    captures = {capture["type"]: capture for capture in visit.proxy.captures()}
    assert captures["payment"]["partial"] is True
    assert captures["payment"]["capture_target"].startswith("/rest/v1/payments?id=eq.7")
    assert captures["questionnaire"]["capture_target"] == "/api/questionnaires/7"
    assert "partial" not in captures["dashboard"]
    assert not [sent for sent in visit.proxy.received_bytes if b"secret-of-the-project" in sent]
