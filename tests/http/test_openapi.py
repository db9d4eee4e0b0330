"""Test the API description: it has every route, and the services respond as it says.

`EDC_OPENAPI_CASES=2000` runs schemathesis in full size, which takes about 15 minutes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

import enhanced_data_capture_system
import enhanced_signup_handler
from data_capture.capture.email import normalise_email
from data_capture.capture.kinds import KINDS
from data_capture.openapi import build_document, list_routes
from data_capture.openapi.operations import OPERATIONS
from data_capture.openapi.schemas import all_schemas
from data_capture.settings import load_settings
from data_capture.store.sqlite.schema import prepare
from tests.support.services import REPOSITORY, RunningService, capture_service_in, signup_service_in

SERVICES = [enhanced_data_capture_system, enhanced_signup_handler]
PADDING = st.text(alphabet=" ", max_size=260)
LONG = st.text(alphabet="a", min_size=245, max_size=260)
CASES = os.environ.get("EDC_OPENAPI_CASES")


def make_app(module: ModuleType, directory: Path) -> Flask:
    settings = load_settings({"database": str(directory / "trading_bots.db")}, {})
    prepare(settings.database)
    app: Flask = module.create_app(settings)
    app.extensions["store"].close()
    return app


@pytest.mark.parametrize("module", SERVICES)
def test_document_describes_exactly_the_routes(module: ModuleType, tmp_path: Path) -> None:
    app = make_app(module, tmp_path)
    document = build_document(app, "")
    described = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    assert described == set(list_routes(app))
    assert len(described) > 5
    names = [
        call["operationId"] for methods in document["paths"].values() for call in methods.values()
    ]
    assert len(set(names)) == len(names)


def test_operations_are_exactly_the_routes(tmp_path: Path) -> None:
    routes = {
        f"{method} {path}"
        for module in SERVICES
        for method, path in list_routes(make_app(module, tmp_path))
    }
    assert set(OPERATIONS) == routes


def test_every_field_is_described_with_its_aliases(
    capture_service: RunningService,
) -> None:
    document = requests.get(f"{capture_service.url}/openapi.json", timeout=30).json()
    for kind in KINDS.values():
        properties = document["components"]["schemas"][kind.title]["properties"]
        columns = {field.column for field in kind.parsed_fields}
        assert properties.keys() - {"partial", "capture_target"} == columns
        assert ("partial" in properties) == (kind.repetition is not None)
        for field in kind.parsed_fields:
            words = properties[field.column]["description"]
            assert words[0].isupper()
            assert all(name.lstrip(".*") in words for name in field.aliases), field
    amount = document["components"]["schemas"]["Payment"]["properties"]["final_price"][
        "description"
    ]
    assert amount.startswith("A number of at most 10 digits, 2 of them decimals")


@given(
    st.text(alphabet="ab.@@ \n\t\u200bé😍-/\0\ufeff", max_size=8)
    | st.builds("{}{}@b{}".format, PADDING, LONG, PADDING)
)
def test_every_address_of_the_email_schema_is_accepted(text: str) -> None:
    schema = all_schemas()["Email"]
    described = len(text) <= schema["maxLength"] and re.search(schema["pattern"], text) is not None
    assert not described or normalise_email(text) is not None


def test_all_status_codes_of_a_capture_are_described(capture_service: RunningService) -> None:
    document = requests.get(f"{capture_service.url}/openapi.json", timeout=30).json()
    assert document["openapi"].startswith("3.1")
    statuses = set(document["paths"]["/api/data-capture/payment"]["post"]["responses"])
    assert statuses == {
        "200",
        "201",
        "202",
        "400",
        "403",
        "405",
        "410",
        "413",
        "415",
        "421",
        "422",
        "429",
        "503",
    }


@pytest.mark.parametrize("service_name", ["capture_service", "signup_service"])
def test_docs_page_shows_every_operation_and_loads_nothing_external(
    service_name: str, request: pytest.FixtureRequest
) -> None:
    service: RunningService = request.getfixturevalue(service_name)
    document = requests.get(f"{service.url}/openapi.json", timeout=30).json()
    page = requests.get(f"{service.url}/docs", timeout=30)
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}" in page.text
    assert not re.search(r"<script|<link|<img|<iframe|src=|@import|url\(|https?://", page.text)
    targets = re.findall(r'href="#([^"]+)"', page.text)
    assert targets
    assert set(targets) <= set(re.findall(r' id="([^"]+)"', page.text))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make_service", "default_cases"),
    [(capture_service_in, "20"), (signup_service_in, "5")],
    ids=["capture", "signup"],
)
def test_schemathesis_finds_no_difference(
    make_service: Any, default_cases: str, tmp_path: Path
) -> None:
    """Run every check of schemathesis: documented requests, undocumented ones, and no 500."""
    service = make_service(
        tmp_path, EDC_LOGIN_RATE="", EDC_ADMIN_TOKEN="for-schemathesis-0123456789abcdef"
    )
    # The coverage phase has only one size, which takes 15 seconds.
    phases = (
        ["examples", "coverage", "fuzzing", "stateful"]
        if CASES
        else ["examples", "fuzzing", "stateful"]
    )
    service.start()
    try:
        outcome = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "run", f"{service.url}/openapi.json",
             "--checks", "all",
             # The default size uses the same cases in each run.
             "--max-examples", CASES or default_cases, *([] if CASES else ["--seed", "1"]),
             "--phases", ",".join(phases), "--continue-on-failure", "--no-color",
             # It discards many of the addresses that it makes for a path; that is no fault of
             # the service.
             "--suppress-health-check", "filter_too_much",
             "--header", "Authorization: Bearer for-schemathesis-0123456789abcdef"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_fields",
                 "PYTHONPATH": str(REPOSITORY)},
        )  # fmt: skip
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr
        assert re.search(r"No issues found|\d+ passed", outcome.stdout), outcome.stdout
    finally:
        service.stop()
    assert " ERROR " not in service.log_file.read_text()
