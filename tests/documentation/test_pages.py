"""The documentation is true: its commands are run, and print what it shows; its statements find its user."""

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
    """Both services over an empty database, as on a first day."""
    directory = tmp_path_factory.mktemp("documentation")
    capture, signup = (
        capture_service_in(directory, EDC_ADMIN_TOKEN=TOKEN),
        signup_service_in(directory),
    )
    capture.start()
    signup.start()
    yield capture, signup
    capture.stop()
    signup.stop()


@pytest.fixture(scope="module")
def printed(services: Services) -> list[tuple[Command, str]]:
    """Every curl command of the pages, typed in their order, and what it prints."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on this machine")
    directory = services[0].database.parent
    (directory / "admin-header").write_text(f"Authorization: Bearer {TOKEN}\n")
    found = []
    for command in all_commands():
        if command.line.startswith("curl "):
            line = with_ports_of(services, command.line)
            ran = subprocess.run(
                shlex.split(line),
                capture_output=True,
                text=True,
                timeout=30,
                cwd=directory,
                check=True,
            )
            found.append((command, ran.stdout.strip()))
    return found


def with_ports_of(services: Services, text: str) -> str:
    for port, service in zip((5003, 5001), services, strict=True):
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{service.port}")
    return text


def assert_like(printed: Any, written: Any) -> None:
    """Equal, apart from what the page writes as "…": an id, a time, a version."""
    if isinstance(written, dict):
        assert isinstance(printed, dict)
        assert list(printed) == list(written)
        for key, value in written.items():
            assert_like(printed[key], value)
    elif isinstance(written, list):
        assert len(printed) == len(written)
        for one, other in zip(printed, written, strict=True):
            assert_like(one, other)
    elif written != "…":
        assert printed == written


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
            assert_like(json.loads(output), expected)


def test_no_documented_command_line_contains_a_token() -> None:
    """Everyone on the machine can see it there."""
    pages = map(text_of, (*PAGES, CHANGELOG))
    texts = [*pages, *(path.read_text() for path in (REPOSITORY / "data_capture").rglob("*.py"))]
    with_token = re.compile(r"curl\b.*(?:Bearer|\$TOKEN|[?&]\w*token=)")
    assert [line for text in texts for line in text.splitlines() if with_token.search(line)] == []


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


def test_start_output_matches_the_readme(tmp_path: Path) -> None:
    manager = RunningManager(tmp_path)
    try:
        manager.wait_until_running()
        said = manager.output[manager.output.index("Enhanced Data Capture is running.") :].rstrip(
            "\n"
        )
    finally:
        manager.clean_up()
    for url, place in ((manager.urls["capture"], "http://127.0.0.1:5003"), (manager.urls["signup"], "http://127.0.0.1:5001"),
                       (str(tmp_path), FOLDER)):  # fmt: skip
        said = said.replace(url, place)
    assert said == documented_output(README, "Enhanced Data Capture is running.")


def test_doctor_output_matches_the_operations_page() -> None:
    shown, rest = documented_output("docs/operations.md", "ok       capture port").split("\n…\n")
    asked = [line[9:28].strip() for line in shown.splitlines()]
    assert asked == QUESTIONS[: len(asked)]
    assert rest == "0 problems, 0 warnings"
