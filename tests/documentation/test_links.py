"""Test the links of the documentation, and the paths and tests that it names."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.documentation import (
    CHANGELOG,
    DOCS,
    PAGES,
    README,
    anchors,
    code_in,
    links,
    prose_of,
    table_rows,
    text_of,
)
from tests.support.services import REPOSITORY

ARCHITECTURE = "docs/architecture.md"

MAX_README_LINES = 200
MAX_LINE_CHARACTERS = 100


def test_readme_has_fewer_than_200_lines() -> None:
    assert len(text_of(README).splitlines()) < MAX_README_LINES


def test_every_page_is_linked_from_the_readme() -> None:
    assert set(DOCS) <= set(links(README))


@pytest.mark.parametrize("page", [*PAGES, CHANGELOG])
def test_every_link_has_a_target(page: str) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        if re.match(r"https?:", link):
            continue
        target = ((REPOSITORY / page).parent / path).resolve() if path else REPOSITORY / page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.relative_to(REPOSITORY).as_posix()), link


@pytest.mark.parametrize("page", [*PAGES, CHANGELOG])
def test_lines_of_prose_have_at_most_100_characters(page: str) -> None:
    for line in prose_of(page).splitlines():
        cannot_break = len(line.split()) == 1 or line.startswith(("|", "!["))
        assert cannot_break or len(line) <= MAX_LINE_CHARACTERS, line


def documented_paths() -> list[str]:
    """Return the paths in the tables of the architecture page."""
    cells = [
        row[0]
        for heading in ("## Rooms", "## Where things are")
        for row in table_rows(ARCHITECTURE, heading)
    ]
    cells += [row[1] for row in table_rows(ARCHITECTURE, "## Where a change belongs")]
    return [path for cell in cells for path in code_in(cell)]


def test_every_path_in_the_architecture_page_exists() -> None:
    assert len(documented_paths()) >= 20
    for path in documented_paths():
        assert (REPOSITORY / path).exists(), path


@cache
def functions_of(path: Path) -> set[str]:
    """Return the names of a file's functions and methods."""
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("page", PAGES)
def test_every_documented_test_exists(page: str) -> None:
    for path, function in re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", text_of(page)):
        assert (REPOSITORY / path).exists(), path
        names = functions_of(REPOSITORY / path)
        has_tests = any(name.startswith("test_") for name in names)
        assert function in names if function else has_tests, f"{path}::{function}"
