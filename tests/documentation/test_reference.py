"""Test that the reference pages match the code, and that all names in pages exist."""

from __future__ import annotations

import argparse
import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache, partial
from typing import Any

import pytest
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map

import bench.__main__
import bench.script.__main__
import data_capture.__main__
import enhanced_data_capture_system
import enhanced_signup_handler
import tests.engines.__main__
import tests.faults.__main__
from data_capture.openapi.operations import OPERATIONS
from data_capture.settings import SETTINGS, load_settings, settings_from_command_line
from data_capture.store.sqlite.schema import prepare
from tests.support.documentation import (
    CONTRIBUTING,
    PAGES,
    all_commands,
    all_table_rows,
    code_in,
    flags_of,
    parser_of,
    subcommands_of,
    table_rows,
    text_of,
)
from tests.support.services import REPOSITORY

CONFIGURATION, HTTP_API, DATA = "docs/configuration.md", "docs/http-api.md", "docs/data.md"
OPERATIONS_PAGE, BENCHMARKS = "docs/operations.md", "docs/benchmarks.md"

# Of npm, node, pytest-xdist, wsl and stripe.
OTHER_TOOLS_FLAGS = {"--test", "--prefix", "--dist", "--install", "--forward-to"}


# --- settings ---


def test_settings_table_matches_the_settings() -> None:
    documented = {row[0].strip("`"): row for row in table_rows(CONFIGURATION, "## Settings")}
    assert list(documented) == [setting.variable for setting in SETTINGS]
    for setting in SETTINGS:
        variable, flag, default, explanation = documented[setting.variable]
        assert flag == (f"`{setting.flag}`" if setting.flag else "none")
        assert (default.split("`")[1] if "`" in default else "") == setting.default.removeprefix(
            f"{REPOSITORY}/"
        ), variable
        assert explanation == setting.explanation


def test_every_documented_variable_exists() -> None:
    files = [*(REPOSITORY / "tests").rglob("*.py"), REPOSITORY / ".ci" / "run"]
    in_tests = {name for file in files for name in re.findall(r"EDC_[A-Z_]+", file.read_text())}
    for page in PAGES:
        known = {setting.variable for setting in SETTINGS} | (
            in_tests if page == CONTRIBUTING else set()
        )
        assert set(re.findall(r"EDC_\w*[A-Z]", text_of(page))) <= known, page


# --- endpoints ---


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Map]]:
    """The routes of each service, by its default port."""
    settings = load_settings(
        {"database": str(tmp_path_factory.mktemp("routes") / "trading_bots.db")}, {}
    )
    prepare(settings.database)
    apps = {
        5003: enhanced_data_capture_system.create_app(settings),
        5001: enhanced_signup_handler.create_app(settings),
    }
    yield {port: app.url_map for port, app in apps.items()}
    for app in apps.values():
        app.extensions["store"].close()


SECTIONS = {5003: "## The capture service, port 5003", 5001: "## The signup service, port 5001"}


def documented_endpoints(port: int) -> set[str]:
    """Return the endpoints in a service's table, such as `GET /api/health`."""
    cells = [row[0] for row in table_rows(HTTP_API, SECTIONS[port])]
    return {call for cell in cells for call in code_in(cell)}


@pytest.mark.parametrize("port", [5003, 5001])
def test_endpoint_tables_match_the_routes(port: int, routes: dict[int, Map]) -> None:
    served = set()
    for rule in routes[port].iter_rules():
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            address = re.sub(r"<(?:\w+:)?(\w+)>", r"<\1>", rule.rule)
            if not address.startswith("/examples/<") and address != "/examples":
                served.add(f"{method} {address}")
    assert documented_endpoints(port) == served


def test_endpoint_tables_match_the_openapi_operations() -> None:
    described = {re.sub(r"\{(\w+)\}", r"<\1>", call) for call in OPERATIONS}
    assert described - {"GET /examples/<name>"} == documented_endpoints(
        5003
    ) | documented_endpoints(5001)


def test_every_endpoint_has_a_curl_command() -> None:
    command_lines = "\n".join(
        command.line for command in all_commands() if command.line.startswith("curl ")
    )
    for port in SECTIONS:
        for call in documented_endpoints(port):
            assert call.split()[1].split("<")[0] in command_lines, call


def is_served(url_map: Map, method: str, path: str) -> bool:
    """Tell whether a service has a route for a documented path."""
    address = (
        path.partition("?")[0].replace("<email>", "user@example.com").replace("<name>", "page.js")
    )
    try:
        url_map.bind("127.0.0.1").match(address, method)
    except HTTPException:
        return False
    return True


@pytest.mark.parametrize("page", PAGES)
def test_every_documented_endpoint_exists(page: str, routes: dict[int, Map]) -> None:
    for method, path in re.findall(r"\b(GET|POST|PUT|PATCH|DELETE) (/[^\s`]*)", text_of(page)):
        assert any(is_served(url_map, method, path) for url_map in routes.values()), (
            f"{method} {path}"
        )
    for port, path in re.findall(r"http://127\.0\.0\.1:(5001|5003)(/[^\s'\"`>)]*)", text_of(page)):
        assert any(
            is_served(routes[int(port)], method, path) for method in ("GET", "POST", "DELETE")
        ), path


# --- commands and flags ---


@cache
def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command, by the command as it is written."""
    return {
        "-m data_capture": parser_of(partial(data_capture.__main__.main, ["doctor"])),
        "-m bench": parser_of(partial(bench.__main__.main, [])),
        "-m bench.script": parser_of(partial(bench.script.__main__.main, [])),
        "-m tests.engines": parser_of(tests.engines.__main__.main),
        "-m tests.faults": parser_of(tests.faults.__main__.main),
        "start_enhanced_data_capture.py": parser_of(
            partial(settings_from_command_line, "manager", "")
        ),
        "enhanced_data_capture_system.py": parser_of(
            partial(settings_from_command_line, "capture", "")
        ),
        "enhanced_signup_handler.py": parser_of(partial(settings_from_command_line, "signup", "")),
    }


def commands_of_operator() -> dict[str, argparse.ArgumentParser]:
    return subcommands_of(parsers()["-m data_capture"])


def test_command_table_matches_the_parser() -> None:
    documented = {
        row[0].strip("`").split()[0]: row for row in table_rows(OPERATIONS_PAGE, "## Commands")
    }
    assert list(documented) == list(commands_of_operator())
    setting_flags = {setting.flag for setting in SETTINGS}
    for name, parser in commands_of_operator().items():
        _, own, settings, _ = documented[name]
        assert set(code_in(own)) == flags_of(parser) - setting_flags, name
        assert set(code_in(settings)) == flags_of(parser) & setting_flags, name


@pytest.mark.parametrize(
    ("command", "heading"),
    [("-m bench", "## The capture service"), ("-m bench.script", "## The browser script")],
)
def test_flag_tables_of_the_benchmarks_match_the_parsers(command: str, heading: str) -> None:
    documented = [code_in(row[0])[0] for row in table_rows(BENCHMARKS, heading)]
    assert set(documented) == flags_of(parsers()[command])


def test_flags_of_the_test_commands_are_documented() -> None:
    for command in ("-m tests.engines", "-m tests.faults"):
        for flag in flags_of(parsers()[command]):
            assert f"{flag} " in text_of(CONTRIBUTING), flag
    for flag in flags_of_test_command():
        assert any(f"test_enhanced_data_capture.py {flag}" in text_of(page) for page in PAGES), flag


def flags_of_test_command() -> set[str]:
    return set(re.findall(r'"(--[a-z]+)"', text_of("test_enhanced_data_capture.py")))


def test_flags_of_the_services_are_settings_or_port() -> None:
    for command in (
        "enhanced_data_capture_system.py",
        "enhanced_signup_handler.py",
        "start_enhanced_data_capture.py",
    ):
        undocumented = flags_of(parsers()[command]) - {setting.flag for setting in SETTINGS}
        assert undocumented <= {"--port"}
    assert "`--port`" in text_of(CONFIGURATION)


@pytest.mark.parametrize("page", PAGES)
def test_every_documented_flag_exists(page: str) -> None:
    known = {
        flag
        for parser in (*parsers().values(), *commands_of_operator().values())
        for flag in flags_of(parser)
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text_of(page)))
    assert named <= known | flags_of_test_command() | OTHER_TOOLS_FLAGS | {"--help"}


def test_every_documented_command_line_can_be_parsed() -> None:
    head = f"1:{'0' * 64}"
    parsed = 0
    for command in all_commands():
        words = [
            word
            for word in shlex.split(command.line, comments=True)
            if not re.match(r"EDC_\w+=", word)
        ]
        assert words[0] != "python", "Debian has no command `python`"
        if words[0] != "python3":
            continue
        name, *arguments = words[1:] if words[1] != "-m" else [f"-m {words[2]}", *words[3:]]
        if name == "test_enhanced_data_capture.py":
            continue
        parsers()[name].parse_args([head if word == "HEAD" else word for word in arguments])
        parsed += 1
    assert parsed >= 10


@pytest.mark.parametrize("page", PAGES)
def test_commands_are_written_with_python3(page: str) -> None:
    assert re.findall(r"(?<![/\w.-])python (?:-m|\w+\.py).*", text_of(page)) == []


# --- tables and views ---


@cache
def schema() -> dict[str, Any]:
    """Return the kinds and the columns of the tables and views in schema.sql."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(text_of("schema.sql"))
        found = connection.execute(
            "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view')"
        ).fetchall()
        kinds = {name: kind for kind, name in found if not name.startswith("sqlite_")}
        columns = {
            name: {row[1] for row in connection.execute(f"PRAGMA table_info({name})")}
            for name in kinds
        }
    return {"kinds": kinds, "columns": columns}


@pytest.mark.parametrize("kind", ["table", "view"])
def test_documented_tables_and_views_match_the_schema(kind: str) -> None:
    documented = {row[0].strip("`") for row in all_table_rows(DATA, kind)}
    assert documented == {name for name, of_kind in schema()["kinds"].items() if of_kind == kind}


@pytest.mark.parametrize("page", PAGES)
def test_every_documented_table_exists(page: str) -> None:
    columns = set().union(*schema()["columns"].values())
    table_names = (
        r"`([a-z_]+_(?:data|log|logs|audit|chain|erasures|receipts|credentials|sources|latest))`"
    )
    assert set(re.findall(table_names, text_of(page))) <= schema()["kinds"].keys() | columns
