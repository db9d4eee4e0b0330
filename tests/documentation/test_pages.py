"""Test that documented commands and SQL statements run, and print the documented output."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_doctor import QUESTIONS
from tests.support.documentation import (
    CHANGELOG,
    FOLDER,
    PAGES,
    README,
    Command,
    all_commands,
    blocks,
    documented_output,
    text_of,
)
from tests.support.managed import RunningManager
from tests.support.services import REPOSITORY, RunningService, capture_service_in, signup_service_in

TOKEN = "for-the-readme-0123456789abcdef0123"
Services = tuple[RunningService, RunningService]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Both services over an empty database."""
    directory = tmp_path_factory.mktemp("documentation")
    capture, signup = (
        capture_service_in(
            directory,
            EDC_ADMIN_TOKEN=TOKEN,
            EDC_NOWPAYMENTS_IPN_SECRET="the-ipn-secret-of-this-example",
        ),
        signup_service_in(directory),
    )
    capture.start()
    signup.start()
    yield capture, signup
    capture.stop()
    signup.stop()


@pytest.fixture(scope="module")
def printed(services: Services) -> list[tuple[Command, str]]:
    """Run the curl commands of all pages, in their order, and return each with its output."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    directory = services[0].database.parent
    (directory / "admin-header").write_text(f"Authorization: Bearer {TOKEN}\n")
    found = []
    for command in all_commands():
        if command.line.startswith("curl "):
            line = replace_ports(services, command.line)
            result = subprocess.run(
                shlex.split(line),
                capture_output=True,
                text=True,
                timeout=60,
                cwd=directory,
                check=True,
            )
            found.append((command, result.stdout.strip()))
    return found


def replace_ports(services: Services, text: str) -> str:
    """Replace the documented ports with those of the services."""
    for port, service in zip((5003, 5001), services, strict=True):
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{service.port}")
    return text


def assert_matches(printed: Any, documented: Any) -> None:
    """Check that two JSON values are equal; "…" in the page matches an id, a time or a version."""
    if isinstance(documented, dict):
        assert isinstance(printed, dict)
        assert list(printed) == list(documented)
        for key, value in documented.items():
            assert_matches(printed[key], value)
    elif isinstance(documented, list):
        assert len(printed) == len(documented)
        for one, other in zip(printed, documented, strict=True):
            assert_matches(one, other)
    elif documented != "…":
        assert printed == documented


@pytest.mark.slow
def test_every_curl_command_prints_the_documented_output(
    printed: list[tuple[Command, str]],
) -> None:
    assert len(printed) >= 20
    for command, output in printed:
        try:
            expected = json.loads(command.output)
        except json.JSONDecodeError:
            assert output == command.output, command
        else:
            assert_matches(json.loads(output), expected)


def test_no_documented_command_line_contains_a_token() -> None:
    # All users of a machine can read its command lines.
    pages = map(text_of, (*PAGES, CHANGELOG))
    texts = [*pages, *(path.read_text() for path in (REPOSITORY / "data_capture").rglob("*.py"))]
    with_token = re.compile(r"curl\b.*(?:Bearer|\$TOKEN|[?&]\w*token=)")
    assert [line for text in texts for line in text.splitlines() if with_token.search(line)] == []


@pytest.mark.slow
def test_every_documented_sql_statement_runs_and_returns_rows(
    services: Services, printed: list[tuple[Command, str]]
) -> None:
    statements = [
        part
        for page in PAGES
        for block in blocks(page, "sql")
        for part in block.split(";\n")
        if part.strip()
    ]
    typed = [
        shlex.split(command.line)
        for command in all_commands()
        if command.line.startswith("sqlite3 ")
    ]
    statements += [words[2] for words in typed]
    assert len(statements) >= 10
    connection = sqlite3.connect(f"{services[0].database.as_uri()}?mode=ro", uri=True)
    for statement in statements:
        assert connection.execute(statement.rstrip(";\n ")).fetchall(), statement
    connection.close()


@pytest.mark.slow
def test_start_output_matches_the_readme(tmp_path: Path) -> None:
    manager = RunningManager(tmp_path)
    try:
        manager.wait_until_running()
        begin = manager.output.index("Enhanced Data Capture is running.")
        output = manager.output[begin:].rstrip("\n")
    finally:
        manager.clean_up()
    for actual, documented in (
        (manager.urls["capture"], "http://127.0.0.1:5003"),
        (manager.urls["signup"], "http://127.0.0.1:5001"),
        (str(tmp_path), FOLDER),
    ):
        output = output.replace(actual, documented)
    assert output == documented_output(README, "Enhanced Data Capture is running.")


def test_doctor_output_matches_the_operations_page() -> None:
    shown, rest = documented_output("docs/operations.md", "ok       capture port").split("\n…\n")
    questions = [line[9:28].strip() for line in shown.splitlines()]
    assert questions == QUESTIONS[: len(questions)]
    assert rest == "0 problems, 0 warnings, 0 notes"
