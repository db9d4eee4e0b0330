"""One journey through the bundled application: what it saved is stored once, and nothing secret was sent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.engines import packages
from tests.engines.packages import APP, build
from tests.engines.site import NOTHING_SEEN, Stage
from tests.support.services import REPOSITORY

_SECRETS = (
    b"hunter2-plain-text",
    b"secret-of-the-session",
    b"anon-key-of-the-project",
    b"4242 4242",
    b"42424242",
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_CVV = re.compile(rb'"cvv\\?":\s*\\?"?123')


@pytest.mark.quick
def test_a_journey_gives_one_payment_one_questionnaire_and_the_states_that_differ(
    shopping: Stage,
) -> None:
    tab = shopping.open_application()
    shopping.step(tab, "pay", "TX-1")
    shopping.step(tab, "answer")
    shopping.wait_for_rows("payment_data", 1)
    shopping.wait_for_rows("questionnaire_data", 1)
    for count, equity in enumerate((10250.5, 10300, 9900), 1):
        shopping.step(tab, "dashboard", equity)
        if count == 2:
            shopping.gate.wait_until_quiet()
            shopping.step(tab, "dashboard", equity)  # the fourth, which says nothing new
        shopping.wait_for_rows("dashboard_data", count)
    shopping.gate.wait_until_quiet()

    (payment,) = shopping.rows("payment_data")
    (questionnaire,) = shopping.rows("questionnaire_data")
    states = shopping.rows("dashboard_data")
    assert _picked(payment, "transaction_id", "plan_name", "final_price", "coupon_code", "payment_status") == [
        "TX-1", "Pro", 179.99, "SAVE10", "completed",
    ]  # fmt: skip
    assert _picked(questionnaire, "trades_per_day", "account_size", "risk_percentage", "user_name") == [
        "3-5", 50000, 1.5, "Example User",
    ]  # fmt: skip
    assert [(state["current_equity"], state["win_rate"], state["theme"]) for state in states] == [
        (10250.5, 62.5, "dark"), (10300, 62.5, "dark"), (9900, 62.5, "dark"),
    ]  # fmt: skip

    sent = b"\n".join(shopping.gate.bytes_seen)
    assert not [secret for secret in _SECRETS if secret in sent]
    assert not _CVV.search(sent)
    assert not [line for line in shopping.gate.requests if line.startswith("OPTIONS")], (
        "a preflight"
    )
    assert not shopping.service.rows(
        "SELECT id FROM payment_data WHERE transaction_id LIKE 'not-yet-%'"
    )
    assert shopping.seen(tab) == NOTHING_SEEN
    assert tab.run("document.body.dataset.fallback || null") is None


def test_every_way_of_saving_reaches_the_server_of_the_page_as_it_was(shopping: Stage) -> None:
    """The page's own requests are the same with and without the tag, to the byte and in order."""
    seen = []
    for with_tag in (False, True):
        shopping.shop.saved.clear()
        tab = shopping.open_application(with_tag=with_tag)
        shopping.step(tab, "pay", "TX-2")
        shopping.step(tab, "answer")
        tab.eventually("document.body.dataset.answered", "the questionnaire was sent")
        shopping.step(tab, "dashboard", 10500)
        seen.append([
            (saved.method, saved.path, _TIME.sub("NOW", saved.text), _headers_of_the_page(saved.headers))
            for saved in shopping.shop.saved
        ])  # fmt: skip
        shopping.close(tab)
    assert seen[0] == seen[1]
    assert len(seen[0]) == 8


def test_a_default_state_written_after_the_logout_is_nobodys(shopping: Stage) -> None:
    tab = shopping.open_application()
    shopping.step(tab, "dashboard", 12000)
    shopping.wait_for_rows("dashboard_data", 1)
    shopping.gate.wait_until_quiet()
    shopping.step(tab, "signOut")
    shopping.step(tab, "defaultState", shopping.user)
    shopping.gate.wait_until_quiet()
    assert [state["current_equity"] for state in shopping.rows("dashboard_data")] == [12000]


def test_a_page_that_rewrites_the_same_thing_80_times_a_second_yields_one_capture(
    shopping: Stage,
) -> None:
    tab = shopping.open_application()
    shopping.step(tab, "rewriteForEver", shopping.user)
    shopping.wait_for_rows("payment_data", 1)
    tab.run("new Promise((resolve) => setTimeout(resolve, 6000))")
    assert len(shopping.rows("payment_data")) == 1
    assert shopping.gate.kinds() == {"payment": 1}


def test_two_different_payments_are_two_and_a_reload_adds_none(shopping: Stage) -> None:
    tab = shopping.open_application()
    shopping.step(tab, "pay", "TX-3")
    shopping.step(tab, "pay", "TX-4")
    shopping.wait_for_rows("payment_data", 2)
    again = shopping.open_application()
    shopping.step(again, "pay", "TX-4")
    shopping.gate.wait_until_quiet()
    assert sorted(row["transaction_id"] for row in shopping.rows("payment_data")) == [
        "TX-3",
        "TX-4",
    ]
    assert len(shopping.gate.ids_by_transaction()["TX-4"]) == 1, (
        "the same payment was captured again"
    )


@pytest.mark.parametrize("bundler", ["vite", "webpack"])
def test_the_application_can_be_built_with(bundler: str, stage: Stage, tmp_path: Path) -> None:
    _needs_npm()
    stage.application = build(bundler, APP / "src" / "main.js", tmp_path / "built").parent
    tab = stage.open_application()
    stage.step(tab, "pay", "TX-5")
    stage.step(tab, "dashboard", 10250.5)
    stage.wait_for_rows("payment_data", 1)
    stage.wait_for_rows("dashboard_data", 1)
    stage.gate.wait_until_quiet()
    assert len(stage.rows("payment_data")) == len(stage.rows("dashboard_data")) == 1


@pytest.mark.parametrize(
    "bundler", ["esbuild", pytest.param("vite", marks=pytest.mark.quick), "webpack"]
)
def test_the_script_can_be_imported_by(bundler: str, stage: Stage, tmp_path: Path) -> None:
    _needs_npm()
    shop = tmp_path / "shop"
    shop.mkdir()

    script = (REPOSITORY / "frontend_data_capture_integration.js").read_text()
    (shop / "frontend_data_capture_integration.js").write_text(script)
    (shop / "main.js").write_text(_IMPORTING.replace("PERSON", stage.user))
    built = build(bundler, shop / "main.js", tmp_path / "built")
    stage.shop.put("/built.js", built.read_text(), "text/javascript")
    config = (
        f"<script>window.enhancedDataCaptureConfig = {{ endpoint: '{stage.gate.url}' }}</script>"
    )
    kind = "" if bundler == "webpack" else "type=module"
    tab = stage.open(f'{config}<script {kind} defer src="/built.js"></script>')
    assert tab.run("typeof window.enhancedDataCapture.status") == "function"
    stage.wait_for_rows("payment_data", 1)
    assert stage.seen(tab) == NOTHING_SEEN


_IMPORTING = """import "./frontend_data_capture_integration.js";
const pay = () => fetch('/api/payments', { method: 'POST', body: JSON.stringify({
  user_email: 'PERSON', transaction_id: 'TX-6', plan_name_payment: 'Pro', final_price: 10, payment_status: 'completed' }) });
pay();
"""


def test_the_types_describe_what_is_there(stage: Stage, tmp_path: Path) -> None:
    _needs_npm()
    types = REPOSITORY / "frontend_data_capture_integration.d.ts"
    program = tmp_path / "page.ts"
    program.write_text(f'/// <reference path="{types}" />\n{_TYPED}')
    options = ["--noEmit", "--strict", "--target", "es2020", "--lib", "dom,es2020"]
    packages.run_node(["node_modules/typescript/bin/tsc", *options, str(program)])


_TYPED = """
const capture = window.enhancedDataCapture;
capture?.setEnabled(false);
capture?.consent(true);
capture?.uninstall();
const state = capture?.status();
export { state };
"""


def _picked(row: dict[str, Any], *columns: str) -> list[Any]:
    return [row[column] for column in columns]


def _headers_of_the_page(headers: Any) -> dict[str, str]:
    kept = ("content-type", "authorization", "apikey", "x-layers", "prefer")
    return {name.lower(): value for name, value in headers.items() if name.lower() in kept}


def _needs_npm() -> None:
    if packages.why_not():
        pytest.skip(f"nothing can be built: {packages.why_not()}")
