"""Test the example pages: their saves become rows and audit records."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request

from tests.browser.site import MAX_WAIT_SECONDS, wait_in
from tests.support.services import REPOSITORY, RunningService, eventually

EXAMPLES = REPOSITORY / "examples"

ONE_PIXEL_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


REFUSED = "error: Failed to load resource: net::ERR_CONNECTION_REFUSED"


class Visit:
    """A tab with example pages. It collects the console and the errors of the pages."""

    def __init__(self, page: Page, base: str) -> None:
        self.page, self.base = page, base
        self.messages: list[str] = []
        page.on("console", lambda message: self.messages.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.messages.append(f"thrown: {error}"))

    def open(self, name: str) -> Page:
        self.page.goto(f"{self.base}/{name}")
        return self.page

    def read_storage(self, key: str) -> Any:
        return json.loads(self.page.evaluate("key => localStorage.getItem(key)", key))


@pytest.fixture
def open_examples(chromium: Browser) -> Iterator[Callable[[str], Visit]]:
    """Return a function that opens a tab for the examples at a URL.

    Fail if a page prints or throws anything. A refused connection prints the browser itself, and
    no script can prevent it.
    """
    context = chromium.new_context()
    visits: list[Visit] = []

    def begin(base: str) -> Visit:
        visits.append(Visit(context.new_page(), base))
        return visits[-1]

    yield begin
    context.close()
    messages = {message for visit in visits for message in visit.messages}
    assert messages <= {REFUSED}


def pay(visit: Visit, user: str) -> dict[str, Any]:
    """Open the payment page, pay, and return the payment that the page saved."""
    visit.open("payment.html")
    return submit_payment_form(visit, user)


def submit_payment_form(visit: Visit, user: str) -> dict[str, Any]:
    page = visit.page
    page.fill("#name", "Example User")
    page.fill("#email", user)
    page.check("input[name=plan][value=Desk]", force=True)
    page.fill("#coupon", "SAVE10")
    page.click("#pay")
    page.wait_for_selector("#payment-result:not([hidden])")
    saved = visit.read_storage("payment_success_data")
    assert page.get_attribute("#payment-result", "data-transaction-id") == saved["transactionId"]
    assert saved["userData"]["email"] == user
    return dict(saved)


def answer_questionnaire(visit: Visit, user: str) -> dict[str, Any]:
    page = visit.open("questionnaire.html")
    page.fill("#name", "Example User")
    page.fill("#email", user)
    page.select_option("#accountSize", index=3)
    page.fill("#riskPercentage", "1.5")
    page.set_input_files(
        "#accountScreenshot",
        {"name": "account.png", "mimeType": "image/png", "buffer": ONE_PIXEL_PNG},
    )
    page.wait_for_selector("#screenshot-preview:not([hidden])")
    page.click("#submit")
    page.wait_for_selector("#questionnaire-result:not([hidden])")
    return dict(visit.read_storage("questionnaireAnswers"))


def use_dashboard(visit: Visit, user: str) -> dict[str, Any]:
    page = visit.open("dashboard.html")
    page.fill("#sign-in-name", "Example User")
    page.fill("#sign-in-email", user)
    page.click("#sign-in")
    page.click("#save")
    page.wait_for_selector("#dashboard-result time")
    return dict(visit.read_storage(f"trading_state_{user}"))


class TestExamplesWithRunningService:
    def test_payment_page_stores_one_row_and_one_audit_record(
        self, open_examples: Callable[[str], Visit], capture_service: RunningService, user: str
    ) -> None:
        saved = pay(open_examples(f"{capture_service.url}/examples"), user)
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
        assert row["transaction_id"] == snapshot["transaction_id"] == saved["transactionId"]
        assert row["final_price"] == snapshot["final_price"] == saved["finalPrice"]
        assert (row["user_name"], row["payment_status"]) == ("Example User", "completed")
        # The page shows this card number.
        assert "42424242" not in re.sub(r"[ -]", "", json.dumps([row, snapshot]))

    @pytest.mark.slow
    def test_questionnaire_page_stores_one_row_with_the_screenshot(
        self, open_examples: Callable[[str], Visit], capture_service: RunningService, user: str
    ) -> None:
        saved = answer_questionnaire(open_examples(f"{capture_service.url}/examples"), user)
        row, snapshot = one_row_and_record(capture_service, "questionnaire", user)
        assert row["trades_per_day"] == snapshot["tradesPerDay"] == saved["tradesPerDay"]
        assert json.loads(row["crypto_assets"]) == saved["cryptoAssets"]
        assert f"${row['account_size']:,}" == saved["accountSize"]
        assert (row["risk_percentage"], row["screenshot_filename"], row["screenshot_type"]) == (
            1.5,
            "account.png",
            "image/png",
        )
        assert row["screenshot_size"] == len(ONE_PIXEL_PNG)
        assert row["account_screenshot"].startswith("data:image/png;base64,iVBORw0KGgo")

    @pytest.mark.slow
    def test_dashboard_page_stores_one_row_per_state(
        self, open_examples: Callable[[str], Visit], capture_service: RunningService, user: str
    ) -> None:
        visit = open_examples(f"{capture_service.url}/examples")
        saved = use_dashboard(visit, user)
        row, snapshot = one_row_and_record(capture_service, "dashboard", user)
        assert (
            row["current_equity"]
            == snapshot["tradingState"]["currentEquity"]
            == saved["currentEquity"]
        )
        assert row["total_trades"] == saved["performanceMetrics"]["totalTrades"]
        assert json.loads(row["trading_state"]) == saved
        assert row["theme"] == "dark"
        visit.page.click("#win")
        eventually(
            lambda: len(rows_of(capture_service, "dashboard", user)) == 2,
            "a second state is stored",
            seconds=MAX_WAIT_SECONDS,
        )
        assert (
            rows_of(capture_service, "dashboard", user)[1]["total_trades"]
            == row["total_trades"] + 1
        )


class TestExamplesWithStoppedServices:
    """Tests of the pages from disk, while nothing listens on port 5003."""

    @pytest.fixture
    def from_disk(self, open_examples: Callable[[str], Visit]) -> Visit:
        visit = open_examples(EXAMPLES.as_uri())
        # The developer may run the services on their default ports.
        visit.page.route("http://127.0.0.1:5003/**", lambda route: route.abort("connectionrefused"))
        return visit

    @pytest.mark.slow
    def test_example_pages_save_without_the_services(self, from_disk: Visit, user: str) -> None:
        failed: list[Request] = []
        from_disk.page.on("requestfailed", lambda request: failed.append(request))
        assert pay(from_disk, user)["finalPrice"] == 89.1
        assert answer_questionnaire(from_disk, user)["riskPercentage"] == "1.5"
        assert use_dashboard(from_disk, user)["currentEquity"] > 0
        wait_in(from_disk.page, lambda: failed, "a request of the script has failed")
        assert {request.url.split("/api/")[0] for request in failed} == {"http://127.0.0.1:5003"}


def test_payment_made_while_the_service_is_stopped_arrives_after_its_restart(
    open_examples: Callable[[str], Visit], capture_service: RunningService, user: str
) -> None:
    visit = open_examples(f"{capture_service.url}/examples")
    visit.open("payment.html")
    failed: list[Request] = []
    visit.page.on("requestfailed", lambda request: failed.append(request))
    capture_service.stop()
    saved = submit_payment_form(visit, user)
    wait_in(visit.page, lambda: failed, "a request of the script has failed")
    capture_service.start()
    visit.page.evaluate("window.dispatchEvent(new Event('online'))")
    wait_in(visit.page, lambda: rows_of(capture_service, "payment", user), "the payment arrived")
    row, _ = one_row_and_record(capture_service, "payment", user)
    assert row["transaction_id"] == saved["transactionId"]


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
    """Return the user's only row and the snapshot in the user's only audit record."""
    eventually(
        lambda: rows_of(service, kind, user), f"the {kind} is stored", seconds=MAX_WAIT_SECONDS
    )
    [row] = rows_of(service, kind, user)
    [record] = service.rows("SELECT * FROM data_capture_audit WHERE user_email = ?", user)
    assert (record["capture_type"], record["status"]) == (kind, "success")
    return row, json.loads(record["data_snapshot"])
