"""Test the examples of rules in the page about the script."""

from __future__ import annotations

import json
import re

from tests.support.documentation import text_of

_PAGE = "docs/browser-script.md"
_KINDS = {"payment", "questionnaire", "dashboard", "activity"}
_PATTERNS = ("url", "key", "form", "body")
_MEMBERS = {*_PATTERNS, "kind", "name", "call", "under", "as"}


def example_rules() -> list[dict[str, object]]:
    """Return the rules of all JSON arrays of rules on the page."""
    arrays = re.findall(r'\[\s*\{\s*"kind".*?\}\s*\]', text_of(_PAGE), re.DOTALL)
    return [rule for array in arrays for rule in json.loads(array)]


def test_page_has_three_examples_of_rules() -> None:
    assert len(example_rules()) >= 3


def test_example_rules_have_documented_members_and_valid_patterns() -> None:
    for rule in example_rules():
        assert rule["kind"] in _KINDS
        assert rule.keys() <= _MEMBERS
        assert rule.keys() & {*_PATTERNS, "call"}
        for name in _PATTERNS:
            re.compile(str(rule.get(name, "")))
