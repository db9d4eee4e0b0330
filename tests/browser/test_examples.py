"""The example pages in a real browser: filled in and sent, what the page saved is in the database, with its audit record."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request

from tests.support.services import REPOSITORY, RunningService, eventually

EXAMPLES = REPOSITORY / "examples"

A_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


class Visit:
    """A page, and all that it said in the console or threw."""

    def __init__(self, page: Page, base: str) -> None:
        self.page, self.base = page, base
        self.said: list[str] = []
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"thrown: {error}"))

    def open(self, name: str) -> Page:
        self.page.goto(f"{self.base}/{name}")
        return self.page

    def stored(self, key: str) -> Any:
        return json.loads(self.page.evaluate("key => localStorage.getItem(key)", key))


@pytest.fixture
def open_examples(chromium: Browser) -> Iterator[Callable[[str], Visit]]:
    """Opens the examples at an address; whatever a page says or throws fails the test."""
    context = chromium.new_context()
    visits: list[Visit] = []

    def begin(base: str) -> Visit:
        visits.append(Visit(context.new_page(), base))
        return visits[-1]

    yield begin
    context.close()
    assert [line for one in visits for line in one.said] == []


def pay(visit: Visit, user: str) -> dict[str, Any]:
    """Fills the payment page in and sends it; what the page's own save kept."""
    visit.open("payment.html")
    return fill_in_and_pay(visit, user)


def fill_in_and_pay(visit: Visit, user: str) -> dict[str, Any]:
    page = visit.page
    page.fill("#name", "Example User")
    page.fill("#email", user)
    page.check("input[name=plan][value=Desk]", force=True)
    page.fill("#coupon", "SAVE10")
    page.click("#pay")
    page.wait_for_selector("#payment-result:not([hidden])")
    kept = visit.stored("payment_success_data")
    assert page.get_attribute("#payment-result", "data-transaction-id") == kept["transactionId"]
    assert kept["userData"]["email"] == user
    return dict(kept)


def answer_questionnaire(visit: Visit, user: str) -> dict[str, Any]:
    page = visit.open("questionnaire.html")
    page.fill("#name", "Example User")
    page.fill("#email", user)
    page.select_option("#accountSize", index=3)
    page.fill("#riskPercentage", "1.5")
    page.set_input_files(
        "#accountScreenshot", {"name": "account.png", "mimeType": "image/png", "buffer": A_PIXEL}
    )
    page.wait_for_selector("#screenshot-preview:not([hidden])")
    page.click("#submit")
    page.wait_for_selector("#questionnaire-result:not([hidden])")
    return dict(visit.stored("questionnaireAnswers"))


def use_dashboard(visit: Visit, user: str) -> dict[str, Any]:
    page = visit.open("dashboard.html")
    page.fill("#sign-in-name", "Example User")
    page.fill("#sign-in-email", user)
    page.click("#sign-in")
    page.click("#save")
    page.wait_for_selector("#dashboard-result time")
    return dict(visit.stored(f"trading_state_{user}"))


class TestWithTheServiceRunning:
    def test_a_payment_is_one_row_and_one_audit_record_with_the_page_s_values(
        self, open_examples: Callable[[str], Visit], capture_service: RunningService, user: str
    ) -> None:
        kept = pay(open_examples(f"{capture_service.url}/examples"), user)
        row, snapshot = one_row_and_record(capture_service, "payment", user)
        assert (row["plan_name"], row["coupon_code"], row["payment_method"]) == (
            "Desk",
            "SAVE10",
            "card",
        )
        assert (row["original_price"], row["discount_amount"], row["final_price"]) == (
            99,
            9.9,
            89.1,
        )
        assert row["transaction_id"] == snapshot["transaction_id"] == kept["transactionId"]
        assert row["final_price"] == snapshot["final_price"] == kept["finalPrice"]
        assert (row["user_name"], row["payment_status"]) == ("Example User", "completed")
        assert "42424242" not in re.sub(
            r"[ -]", "", json.dumps([row, snapshot])
        )  # the card that the page shows

    def test_a_questionnaire_is_one_row_with_its_screenshot(
        self, open_examples: Callable[[str], Visit], capture_service: RunningService, user: str
    ) -> None:
        kept = answer_questionnaire(open_examples(f"{capture_service.url}/examples"), user)
        row, snapshot = one_row_and_record(capture_service, "questionnaire", user)
        assert row["trades_per_day"] == snapshot["tradesPerDay"] == kept["tradesPerDay"]
        assert json.loads(row["crypto_assets"]) == kept["cryptoAssets"]
        assert f"${row['account_size']:,}" == kept["accountSize"]
        assert (row["risk_percentage"], row["screenshot_filename"], row["screenshot_type"]) == (
            1.5,
            "account.png",
            "image/png",
        )
        assert row["screenshot_size"] == len(A_PIXEL)
        assert row["account_screenshot"].startswith("data:image/png;base64,iVBORw0KGgo")

    def test_a_dashboard_is_one_row_per_state(
        self, open_examples: Callable[[str], Visit], capture_service: RunningService, user: str
    ) -> None:
        one = open_examples(f"{capture_service.url}/examples")
        kept = use_dashboard(one, user)
        row, snapshot = one_row_and_record(capture_service, "dashboard", user)
        assert (
            row["current_equity"]
            == snapshot["tradingState"]["currentEquity"]
            == kept["currentEquity"]
        )
        assert row["total_trades"] == kept["performanceMetrics"]["totalTrades"]
        assert json.loads(row["trading_state"]) == kept
        assert row["theme"] == "dark"
        one.page.click("#win")
        eventually(
            lambda: len(rows_of(capture_service, "dashboard", user)) == 2,
            "a second state is stored",
        )
        assert (
            rows_of(capture_service, "dashboard", user)[1]["total_trades"]
            == row["total_trades"] + 1
        )


class TestWithTheServicesStopped:
    """The pages from disk, with nobody listening on port 5003."""

    @pytest.fixture
    def from_disk(self, open_examples: Callable[[str], Visit]) -> Visit:
        one = open_examples(EXAMPLES.as_uri())
        # Whoever runs the tests may have the services up on their own ports; this browser is refused there all the same.
        one.page.route("http://127.0.0.1:5003/**", lambda route: route.abort("connectionrefused"))
        return one

    def test_the_pages_save_as_ever(self, from_disk: Visit, user: str) -> None:
        tried: list[Request] = []
        from_disk.page.on("requestfailed", lambda request: tried.append(request))
        assert pay(from_disk, user)["finalPrice"] == 89.1
        assert answer_questionnaire(from_disk, user)["riskPercentage"] == "1.5"
        assert use_dashboard(from_disk, user)["currentEquity"] > 0
        eventually(lambda: from_disk.page.wait_for_timeout(20) or tried, "the script has tried")
        assert {request.url.split("/api/")[0] for request in tried} == {"http://127.0.0.1:5003"}


def test_a_service_that_stops_is_not_noticed_and_gets_the_payment_when_it_is_back(
    open_examples: Callable[[str], Visit], capture_service: RunningService, user: str
) -> None:
    one = open_examples(f"{capture_service.url}/examples")
    one.open("payment.html")
    tried: list[Request] = []
    one.page.on("requestfailed", lambda request: tried.append(request))
    capture_service.stop()
    kept = fill_in_and_pay(one, user)
    eventually(lambda: one.page.wait_for_timeout(20) or tried, "the script has tried")
    capture_service.start()
    one.page.evaluate("window.dispatchEvent(new Event('online'))")
    eventually(
        lambda: one.page.wait_for_timeout(20) or rows_of(capture_service, "payment", user),
        "the payment arrived",
    )
    row, _ = one_row_and_record(capture_service, "payment", user)
    assert row["transaction_id"] == kept["transactionId"]


def rows_of(service: RunningService, kind: str, user: str) -> list[dict[str, Any]]:
    table = {
        "payment": "payment_data",
        "questionnaire": "questionnaire_data",
        "dashboard": "dashboard_data",
    }[kind]
    return service.rows(f"SELECT * FROM {table} WHERE user_email = ? ORDER BY id", user)  # noqa: S608


def one_row_and_record(
    service: RunningService, kind: str, user: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The only row of a person and what its only audit record says was sent."""
    eventually(lambda: rows_of(service, kind, user), f"the {kind} is stored")
    [row] = rows_of(service, kind, user)
    [record] = service.rows("SELECT * FROM data_capture_audit WHERE user_email = ?", user)
    assert (record["capture_type"], record["status"]) == (kind, "success")
    return row, json.loads(record["data_snapshot"])
