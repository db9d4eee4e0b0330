"""Test the script with bundlers and TypeScript: esbuild, Vite, webpack and tsc."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines import packages
from tests.engines.packages import build
from tests.engines.visit import NOTHING_OBSERVED, Visit
from tests.support.documentation import documented_calls
from tests.support.node_packages import APP
from tests.support.services import REPOSITORY

_SCRIPT = "frontend_data_capture_integration.js"

# A page's entry module, which imports the script and saves a payment of USER_EMAIL.
_IMPORTING_MODULE = f"""import "./{_SCRIPT}";
const pay = () => fetch('/api/payments', {{ method: 'POST', body: JSON.stringify({{
  user_email: 'USER_EMAIL', transaction_id: 'TX-6', plan_name_payment: 'Pro', final_price: 10,
  payment_status: 'completed' }}) }});
pay();
"""

_TYPED_PROGRAM = """
const capture = window.enhancedDataCapture;
capture?.setEnabled(false);
capture?.consent(true);
capture?.uninstall();
const state = capture?.status();
export { state };
"""


@pytest.fixture(autouse=True)
def _node_packages() -> None:
    if packages.missing():
        pytest.skip(f"nothing can be built: {packages.missing()}")


@pytest.mark.slow
@pytest.mark.parametrize("bundler", ["vite", "webpack"])
def test_application_from_this_bundler_is_captured(
    bundler: str, visit: Visit, tmp_path: Path
) -> None:
    visit.application = build(bundler, APP / "src" / "main.js", tmp_path / "built").parent
    tab = visit.open_application()
    visit.run_step(tab, "pay", "TX-5")
    visit.run_step(tab, "saveDashboard", 10250.5)
    visit.wait_for_rows("payment_data", 1)
    visit.wait_for_rows("dashboard_data", 1)
    visit.proxy.wait_until_quiet()
    assert len(visit.rows("payment_data")) == len(visit.rows("dashboard_data")) == 1


# A configuration in a module of its own: an entry module's imports run before its statements.
_CONFIGURING_MODULE = "window.enhancedDataCaptureConfig = { endpoint: 'ENDPOINT' };\n"


@pytest.mark.slow
@pytest.mark.parametrize("bundler", ["none", "esbuild", "vite", "webpack"])
def test_configuration_in_a_module_that_is_imported_before_counts(
    bundler: str, visit: Visit, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / _SCRIPT).write_text((REPOSITORY / _SCRIPT).read_text())
    (source / "settings.js").write_text(_CONFIGURING_MODULE.replace("ENDPOINT", visit.proxy.url))
    entry = f'import "./settings.js";\n{_IMPORTING_MODULE}'.replace("USER_EMAIL", visit.user)
    (source / "main.js").write_text(entry)
    if bundler != "none":
        source = build(bundler, source / "main.js", tmp_path / "built").parent
    visit.shop.put_folder("/built", source)
    script_type = "defer" if bundler == "webpack" else "type=module"
    tab = visit.open(f'<script {script_type} src="/built/main.js"></script>')
    visit.wait_for_rows("payment_data", 1)
    assert tab.run("enhancedDataCapture.status()")["endpoint"] == visit.proxy.url
    assert visit.observed(tab) == NOTHING_OBSERVED


@pytest.mark.slow
@pytest.mark.parametrize(
    "bundler", ["esbuild", pytest.param("vite", marks=pytest.mark.quick), "webpack"]
)
def test_script_imported_with_this_bundler_captures(
    bundler: str, visit: Visit, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / _SCRIPT).write_text((REPOSITORY / _SCRIPT).read_text())
    (source / "main.js").write_text(_IMPORTING_MODULE.replace("USER_EMAIL", visit.user))
    built = build(bundler, source / "main.js", tmp_path / "built")
    visit.shop.put("/built.js", built.read_text(), "text/javascript")
    config = (
        f"<script>window.enhancedDataCaptureConfig = {{ endpoint: '{visit.proxy.url}' }}</script>"
    )
    script_type = "" if bundler == "webpack" else "type=module"
    tab = visit.open(f'{config}<script {script_type} defer src="/built.js"></script>')
    assert tab.run("typeof window.enhancedDataCapture.status") == "function"
    visit.wait_for_rows("payment_data", 1)
    assert visit.observed(tab) == NOTHING_OBSERVED


# The ways to name the API: as a member of window or globalThis, and as a global variable.
_NAMES_OF_THE_API = """
window.enhancedDataCapture?.flush();
globalThis.enhancedDataCapture?.flush();
enhancedDataCapture?.flush();
if (typeof enhancedDataCapture !== 'undefined') enhancedDataCapture.flush();
export {};
"""

_DOCUMENTED_PROGRAM = "const dashboardData = {}, tradingState = {};\nCALLS;\nexport {};\n"


@pytest.mark.parametrize(
    "text",
    [
        _TYPED_PROGRAM,
        _NAMES_OF_THE_API,
        _DOCUMENTED_PROGRAM.replace("CALLS", ";\n".join(documented_calls())),
    ],
    ids=["all members", "all names", "documentation"],
)
def test_type_declarations_accept_the_public_api(text: str, tmp_path: Path) -> None:
    types = REPOSITORY / "frontend_data_capture_integration.d.ts"
    program = tmp_path / "page.ts"
    program.write_text(f'/// <reference path="{types}" />\n{text}')
    options = ["--noEmit", "--strict", "--target", "es2020", "--lib", "dom,es2020"]
    packages.run_node(["node_modules/typescript/bin/tsc", *options, str(program)])
