"""Test the help of `python3 test_enhanced_data_capture.py`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.services import REPOSITORY


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_explains_each_mode(flag: str) -> None:
    result = subprocess.run(
        [sys.executable, "test_enhanced_data_capture.py", flag],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for words in ("runs all tests", "passes arguments on to pytest", "--live [URL]", "--lint"):
        assert words in result.stdout
    assert result.stderr == ""
