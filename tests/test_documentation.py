"""The README is true: its commands are run, its tables are compared with the code."""

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

import enhanced_data_capture_system
import enhanced_signup_handler
from data_capture.settings import SETTINGS, load_settings
from data_capture.store.sqlite.schema import prepare
from tests.managed import RunningManager
from tests.support import REPOSITORY, RunningService, capture_service_in, signup_service_in

README = (REPOSITORY / "README.md").read_text()
TOKEN = "for-the-readme-0123456789abcdef0123"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def table_rows(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, as cells."""
    section = README.split(f"\n{heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningService, RunningService]]:
    """Both services over an empty database, as on a first day."""
    directory = tmp_path_factory.mktemp("readme")
    capture, signup = capture_service_in(directory, EDC_ADMIN_TOKEN=TOKEN), signup_service_in(directory)
    capture.start()
    signup.start()
    yield capture, signup
    capture.stop()
    signup.stop()


def curl_calls() -> list[tuple[str, str]]:
    """Each curl command of the README and the line that it prints."""
    calls = []
    for block in blocks("console"):
        lines = block.splitlines()
        for index, line in enumerate(lines):
            if line.startswith("$ curl "):
                printed = lines[index + 1] if index + 1 < len(lines) and not lines[index + 1].startswith("$ ") else ""
                calls.append((line.removeprefix("$ "), printed))
    return calls


def assert_like(printed: Any, written: Any) -> None:
    """Equal, apart from what the README writes as "…": an id, a time, a version."""
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


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_every_curl_line_prints_what_the_readme_says(
    services: tuple[RunningService, RunningService], tmp_path: Path
) -> None:
    capture, signup = services
    (tmp_path / "admin-header").write_text(f"Authorization: Bearer {TOKEN}\n")
    calls = curl_calls()
    assert len(calls) >= 10
    for command, written in calls:
        for port, service in ((5003, capture), (5001, signup)):
            command = command.replace(f"127.0.0.1:{port}", f"127.0.0.1:{service.port}")
        ran = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=30, cwd=tmp_path, check=True)
        printed = ran.stdout.strip()
        try:
            expected = json.loads(written)
        except json.JSONDecodeError:
            assert printed == written, command
        else:
            assert_like(json.loads(printed), expected)


def test_no_command_line_of_ours_holds_a_token() -> None:
    """Everyone on the machine can see it there."""
    texts = [README, *(path.read_text() for path in (REPOSITORY / "data_capture").rglob("*.py"))]
    with_token = re.compile(r"curl\b.*(?:Bearer|\$TOKEN|[?&]\w*token=)")
    assert [line for text in texts for line in text.splitlines() if with_token.search(line)] == []


def test_the_start_says_what_the_readme_says(tmp_path: Path) -> None:
    manager = RunningManager(tmp_path)
    try:
        manager.wait_until_running()
        said = manager.output[manager.output.index("Enhanced Data Capture is running.") :].rstrip("\n")
    finally:
        manager.clean_up()
    (written,) = (block for block in blocks("text") if "Enhanced Data Capture is running." in block)
    for url, place in ((manager.urls["capture"], "http://127.0.0.1:5003"), (manager.urls["signup"], "http://127.0.0.1:5001"),
                       (str(tmp_path), "/home/you/enhanced-data-capture")):  # fmt: skip
        said = said.replace(url, place)
    assert said == written.rstrip("\n")


def test_every_sql_statement_runs_and_finds_the_readmes_person(services: tuple[RunningService, RunningService]) -> None:
    capture, _ = services
    statements = [statement for block in blocks("sql") for statement in block.split(";\n") if statement.strip()]
    assert len(statements) >= 6
    connection = sqlite3.connect(f"{capture.database.as_uri()}?mode=ro", uri=True)
    for statement in statements:
        assert connection.execute(statement.rstrip(";\n ")).fetchall(), statement
    connection.close()


def test_the_settings_table_is_the_code_s() -> None:
    documented = {row[0].strip("`"): row for row in table_rows("## Settings")}
    assert list(documented) == [setting.variable for setting in SETTINGS]
    for setting in SETTINGS:
        variable, flag, default, explanation = documented[setting.variable]
        assert flag == (f"`{setting.flag}`" if setting.flag else "none")
        assert (default.split("`")[1] if "`" in default else "") == setting.default.removeprefix(f"{REPOSITORY}/"), variable
        assert explanation == setting.explanation


@pytest.mark.parametrize(
    ("module", "heading"),
    [
        (enhanced_data_capture_system, "## The capture service, port 5003"),
        (enhanced_signup_handler, "## The signup service, port 5001"),
    ],
)
def test_the_endpoint_tables_are_the_services(module: Any, heading: str, tmp_path: Path) -> None:
    settings = load_settings({"database": str(tmp_path / "trading_bots.db")}, {})
    prepare(settings.database)
    app = module.create_app(settings)
    served = set()
    for rule in app.url_map.iter_rules():
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            address = re.sub(r"<(?:\w+:)?(\w+)>", r"<\1>", rule.rule)
            if not address.startswith("/examples/<") and address != "/examples":
                served.add(f"{method} {address}")
    app.extensions["store"].close()
    documented = {call for row in table_rows(heading) for call in re.findall(r"`((?:GET|POST|DELETE|PUT) [^`]+)`", row[0])}
    assert documented == served


def test_every_endpoint_has_a_curl_line() -> None:
    commands = "\n".join(command for command, _ in curl_calls())
    for heading in ("## The capture service, port 5003", "## The signup service, port 5001"):
        for row in table_rows(heading):
            for address in re.findall(r"`(?:GET|POST) ([^`]+)`", row[0]):
                assert address.split("<")[0] in commands, address


def places() -> list[str]:
    return [place for row in table_rows("## Where things live") for place in re.findall(r"`([^`]+)`", row[0])]


def test_every_place_that_the_readme_names_exists() -> None:
    named = places()
    assert len(named) >= 20
    for place in named:
        assert (REPOSITORY / place).exists(), place
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (REPOSITORY / target).exists(), target


def test_every_module_of_the_package_has_its_place() -> None:
    named = {place.rstrip("/") for place in places()}
    rooms = {
        f"data_capture/{entry.name}"
        for entry in (REPOSITORY / "data_capture").iterdir()
        if (entry.suffix == ".py" and not entry.name.startswith("__init__")) or (entry / "__init__.py").exists()
    }
    assert rooms <= named
