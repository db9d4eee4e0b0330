"""docs/security.md is true: each line of its tables names tests that exist and run in this suite."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.support import REPOSITORY

PAGE = (REPOSITORY / "docs" / "security.md").read_text()
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def table_rows() -> list[list[str]]:
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| --")]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in rows if row[-1] != "test"]


@cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((REPOSITORY / path).read_text())
    functions = (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return frozenset(name for name in functions if name.startswith("test_"))


def test_the_page_has_tables_for_every_actor() -> None:
    assert len(table_rows()) >= 30


@pytest.mark.parametrize("row", table_rows(), ids=lambda row: row[1][:60])
def test_each_line_names_a_test_that_exists(row: list[str]) -> None:
    named = TEST.findall(row[-1])
    assert named, row
    for path, function in named:
        assert (REPOSITORY / path).exists(), path
        if function:
            assert function in functions_of(path), f"{path}::{function}"
        else:
            assert functions_of(path), path
