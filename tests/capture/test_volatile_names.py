"""Test which members are no content: every case of `volatile_names.json`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_capture.capture import volatile_names
from data_capture.capture.volatile_names import RECORD_ID_NAMES, VOLATILE_MEMBER, VOLATILE_NAMES

FILE = Path(volatile_names.__file__).with_name("volatile_names.json")
CASES = json.loads(FILE.read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("name", CASES["volatile"])
def test_a_member_that_differs_with_each_save_is_no_content(name: str) -> None:
    assert name in VOLATILE_NAMES
    assert VOLATILE_MEMBER.search(json.dumps({name: 1}))


@pytest.mark.parametrize("name", CASES["record_id"])
def test_the_id_of_a_save_is_no_content_at_the_top(name: str) -> None:
    assert name in RECORD_ID_NAMES - VOLATILE_NAMES


@pytest.mark.parametrize("name", CASES["content"])
def test_a_time_or_an_id_of_the_business_is_content(name: str) -> None:
    assert name not in VOLATILE_NAMES | RECORD_ID_NAMES
    assert not VOLATILE_MEMBER.search(json.dumps({name: 1}))
