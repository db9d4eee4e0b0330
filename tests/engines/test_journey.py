"""Test a user's journey through the bundled application: rows, requests and secrets."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.engines.visit import NOTHING_OBSERVED, Visit

_SECRETS = (
    b"hunter2-plain-text",
    b"secret-of-the-session",
    b"anon-key-of-the-project",
    b"4242 4242",
    b"42424242",
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_CVV = re.compile(rb'"cvv\\?":\s*\\?"?123')
_REWRITES = 500  # six seconds of them at 80 a second
_REWRITES_TIMEOUT_SECONDS = 300.0


@pytest.mark.quick
def test_journey_stores_one_payment_one_questionnaire_and_each_new_dashboard_state(
    application_visit: Visit,
) -> None:
    visit = application_visit
    tab = visit.open_application()
    visit.run_step(tab, "pay", "TX-1")
    visit.run_step(tab, "submitQuestionnaire")
    visit.wait_for_rows("payment_data", 1)
    visit.wait_for_rows("questionnaire_data", 1)
    for count, equity in enumerate((10250.5, 10300, 9900), 1):
        visit.run_step(tab, "saveDashboard", equity)
        if count == 2:
            visit.proxy.wait_until_quiet()
            visit.run_step(tab, "saveDashboard", equity)  # the same state again
        visit.wait_for_rows("dashboard_data", count)
    visit.proxy.wait_until_quiet()

    (payment,) = visit.rows("payment_data")
    assert _select(
        payment, "transaction_id", "plan_name", "final_price", "coupon_code", "payment_status"
    ) == ["TX-1", "Pro", 179.99, "SAVE10", "completed"]
    (questionnaire,) = visit.rows("questionnaire_data")
    assert _select(
        questionnaire, "trades_per_day", "account_size", "risk_percentage", "user_name"
    ) == ["3-5", 50000, 1.5, "Example User"]
    states = visit.rows("dashboard_data")
    assert [_select(state, "current_equity", "win_rate", "theme") for state in states] == [
        [10250.5, 62.5, "dark"],
        [10300, 62.5, "dark"],
        [9900, 62.5, "dark"],
    ]

    sent = b"\n".join(visit.proxy.received_bytes)
    assert not [secret for secret in _SECRETS if secret in sent]
    assert not _CVV.search(sent)
    preflights = [line for line in visit.proxy.requests if line.startswith("OPTIONS")]
    assert preflights == []
    assert not visit.service.rows(
        "SELECT id FROM payment_data WHERE transaction_id LIKE 'not-yet-%'"
    )
    assert visit.observed(tab) == NOTHING_OBSERVED
    assert tab.run("document.body.dataset.fallback || null") is None


def test_page_sends_its_own_server_the_same_requests_with_and_without_the_tag(
    application_visit: Visit,
) -> None:
    """They are the same to the byte and in the same order."""
    visit = application_visit
    requests = []
    for with_tag in (False, True):
        visit.shop.saved.clear()
        tab = visit.open_application(with_tag=with_tag)
        visit.run_step(tab, "pay", "TX-2")
        visit.run_step(tab, "submitQuestionnaire")
        tab.eventually("document.body.dataset.questionnaireSent", "the questionnaire was sent")
        visit.run_step(tab, "saveDashboard", 10500)
        requests.append([
            (
                request.method,
                request.path,
                _TIME.sub("NOW", request.text),
                _headers_of_the_page(request.headers),
            )
            for request in visit.shop.saved
        ])  # fmt: skip
        visit.close(tab)
    assert requests[0] == requests[1]
    assert len(requests[0]) == 8


@pytest.mark.slow
def test_default_dashboard_state_written_after_logout_is_not_captured(
    application_visit: Visit,
) -> None:
    visit = application_visit
    tab = visit.open_application()
    visit.run_step(tab, "saveDashboard", 12000)
    visit.wait_for_rows("dashboard_data", 1)
    visit.proxy.wait_until_quiet()
    visit.run_step(tab, "signOut")
    visit.run_step(tab, "writeDefaultState", visit.user)
    visit.proxy.wait_until_quiet()
    assert [state["current_equity"] for state in visit.rows("dashboard_data")] == [12000]


@pytest.mark.slow
def test_page_that_rewrites_a_payment_80_times_a_second_gives_one_capture(
    application_visit: Visit,
) -> None:
    visit = application_visit
    tab = visit.open_application()
    visit.run_step(tab, "rewriteForever", visit.user)
    visit.wait_for_rows("payment_data", 1)
    written = int(tab.run("document.body.dataset.rewrites"))
    tab.eventually(
        f"document.body.dataset.rewrites >= {written + _REWRITES}",
        f"{_REWRITES} more rewrites",
        _REWRITES_TIMEOUT_SECONDS,
    )
    assert len(visit.rows("payment_data")) == 1
    assert visit.proxy.count_by_kind() == {"payment": 1}


@pytest.mark.slow
def test_two_payments_give_two_rows_and_a_reload_adds_none(application_visit: Visit) -> None:
    visit = application_visit
    tab = visit.open_application()
    visit.run_step(tab, "pay", "TX-3")
    visit.run_step(tab, "pay", "TX-4")
    visit.wait_for_rows("payment_data", 2)
    second_tab = visit.open_application()
    visit.run_step(second_tab, "pay", "TX-4")
    visit.proxy.wait_until_quiet()
    # The script sends what the page sends again; the service recognises the payment.
    transactions = sorted(row["transaction_id"] for row in visit.rows("payment_data"))
    assert transactions == ["TX-3", "TX-4"]


def _select(row: dict[str, Any], *columns: str) -> list[Any]:
    return [row[column] for column in columns]


def _headers_of_the_page(headers: Any) -> dict[str, str]:
    """Return the headers that the page sets itself, not those of the browser."""
    own = ("content-type", "authorization", "apikey", "x-layers", "prefer")
    return {name.lower(): value for name, value in headers.items() if name.lower() in own}
