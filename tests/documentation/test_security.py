"""Test that each item of docs/security.md names a test.

`test_links.py` checks that these tests exist.
"""

from __future__ import annotations

import re

import pytest

from tests.support.documentation import text_of

PAGE = text_of("docs/security.md").split("\n## Measures\n", 1)[1]
ITEMS = [
    " ".join(item.split())
    for item in re.split(r"^- |^#.*$", PAGE, flags=re.MULTILINE)
    if item.startswith("**")
]
VERDICTS = ("Promised", "Partly promised", "Not promised", "Intended")


def test_security_page_has_at_least_50_items() -> None:
    beginnings = tuple(f"**{verdict}.**" for verdict in VERDICTS)
    assert len([item for item in ITEMS if item.startswith(beginnings)]) >= 50


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item[:60])
def test_each_security_item_names_a_test(item: str) -> None:
    assert re.search(r" Tests: `tests/[\w/]+\.py(?:::\w+)?`", item)
