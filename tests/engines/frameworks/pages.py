"""The pages: how each one is prepared and served, and what it saves."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.installing import NotInstalled
from tests.support.node_packages import (
    FRAMEWORKS,
    prepare_framework_pages,
    prepare_nextjs,
    prepare_sveltekit,
)

_BUILD_TIMEOUT_SECONDS = 300
NO_TELEMETRY = {**os.environ, "NEXT_TELEMETRY_DISABLED": "1"}

PAYMENT = {
    "plan_name": "Pro",
    "original_price": 199.99,
    "discount_amount": 20,
    "final_price": 179.99,
    "coupon_code": "SAVE10",
    "payment_method": "card",
}
QUESTIONNAIRE = {
    "trades_per_day": "3-5",
    "crypto_assets": ["BTC", "ETH"],
    "account_size": 50000,
    "risk_percentage": 1.5,
}
DASHBOARD = {"current_equity": 10250.5, "total_pnl": 250.5, "win_rate": 62.5, "total_trades": 8}

_QUESTIONNAIRE_ROW = {"questionnaire_data": QUESTIONNAIRE}
_DASHBOARD_ROW = {"dashboard_data": DASHBOARD}


@dataclass(frozen=True)
class FrameworkPage:
    """One page and its server.

    Attributes:
        folder: where the command runs.
        prepare: installs and builds what the page needs, with a folder for temporary files, and
            returns the command that serves it, with `{port}` for the port. Raises NotInstalled if a
            tool is missing.
        required_by: the variable with which a missing tool fails the page's tests.
        saved: the rows that the page's second save gives, by table.
        saved_text: what the page shows after that.
        ready: a selector that matches once the page responds to clicks.
        refusal: what the page's own validation shows about an incomplete payment, if it has one.
        coupon: whether the page applies a coupon before the payment.
    """

    name: str
    folder: Path
    prepare: Callable[[Path], list[str]]
    required_by: str
    saved: dict[str, dict[str, Any]]
    saved_text: str = "Answers saved"
    ready: str = "body"
    refusal: str = ""
    coupon: bool = False


def _small_page(
    name: str, saved: dict[str, dict[str, Any]], saved_text: str = "Answers saved", **options: Any
) -> FrameworkPage:
    """Return a page that esbuild bundles and serve.mjs serves."""

    def prepare(temporary: Path) -> list[str]:
        node = prepare_framework_pages()
        return [node, "serve.mjs", name, str(_bundle_once(node, temporary)), "{port}"]

    required_by = "EDC_REQUIRE_NODE"
    return FrameworkPage(name, FRAMEWORKS, prepare, required_by, saved, saved_text, **options)


def _bundle_once(node: str, temporary: Path) -> Path:
    """Bundle all small pages, which takes a second or two, and return the folder."""
    folder = temporary / "bundles"
    if not folder.exists():
        _run([node, "build.mjs", str(folder), *(page.name for page in SMALL_PAGES)], FRAMEWORKS)
    return folder


def _prepare_php(temporary: Path) -> list[str]:
    program = shutil.which("php")
    if program is None:
        raise NotInstalled("no PHP (apt-get install php-cli)")
    return [program, "-d", f"session.save_path={temporary}", "-S", "127.0.0.1:{port}"]


def _prepare_nextjs(_temporary: Path) -> list[str]:
    node = prepare_nextjs()
    program = "node_modules/next/dist/bin/next"
    _run([node, program, "build"], FRAMEWORKS / "nextjs")
    return [node, program, "start", "--hostname", "127.0.0.1", "--port", "{port}"]


def _prepare_sveltekit(_temporary: Path) -> list[str]:
    node = prepare_sveltekit()
    _run([node, "node_modules/vite/bin/vite.js", "build"], FRAMEWORKS / "sveltekit")
    return [node, "serve.js", "{port}"]


def _run(command: list[str], folder: Path) -> None:
    outcome = subprocess.run(
        command,
        cwd=folder,
        env=NO_TELEMETRY,
        capture_output=True,
        text=True,
        check=False,
        timeout=_BUILD_TIMEOUT_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


SMALL_PAGES = (
    _small_page("jquery", _QUESTIONNAIRE_ROW),
    _small_page("react-hook-form", _QUESTIONNAIRE_ROW, refusal="number is missing"),
    _small_page("zustand", _DASHBOARD_ROW, "Dashboard saved"),
    _small_page("supabase", {**_QUESTIONNAIRE_ROW, **_DASHBOARD_ROW}),
    _small_page("apollo", _DASHBOARD_ROW, "Dashboard saved"),
    _small_page("trpc", _DASHBOARD_ROW, "Dashboard saved"),
    _small_page("htmx", _QUESTIONNAIRE_ROW),
    _small_page("turbo", _QUESTIONNAIRE_ROW),
)
_PHP = FrameworkPage(
    "php",
    FRAMEWORKS / "php",
    _prepare_php,
    "EDC_REQUIRE_PHP",
    _QUESTIONNAIRE_ROW,
)
QUICK_PAGES = (_PHP, *SMALL_PAGES)
SLOW_PAGES = (
    FrameworkPage(
        "nextjs",
        FRAMEWORKS / "nextjs",
        _prepare_nextjs,
        "EDC_REQUIRE_NODE",
        _QUESTIONNAIRE_ROW,
        ready="html[data-ready]",
        coupon=True,
    ),
    FrameworkPage(
        "sveltekit",
        FRAMEWORKS / "sveltekit",
        _prepare_sveltekit,
        "EDC_REQUIRE_NODE",
        _QUESTIONNAIRE_ROW,
        ready="html[data-ready]",
    ),
)
