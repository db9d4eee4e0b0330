"""Test the help of the test command, its quick suite, and its progress line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.services import REPOSITORY
from tests.support.terminal import run_on_terminal

CONFIGURATION = "[pytest]\naddopts = -q --strict-markers\nconsole_output_style = classic\n"
PLUGIN = ("-p", "tests.support.suite")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_explains_each_mode(flag: str) -> None:
    result = subprocess.run(
        [sys.executable, "test_enhanced_data_capture.py", flag],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for words in (
        "quick suite",
        "--full",
        "passes arguments on to pytest",
        "--live [URL]",
        "--lint",
    ):
        assert words in result.stdout
    assert result.stderr == ""


SUITE = """
import pytest

@pytest.mark.slow
def test_slow(): ...

@pytest.mark.slow(quick_cases=2)
@pytest.mark.parametrize("case", "abc")
def test_slow_with_cases(case): ...

def test_quick(): ...
"""
QUICK = {"test_slow_with_cases[a]", "test_slow_with_cases[b]", "test_quick"}
ALL = QUICK | {"test_slow_with_cases[c]", "test_slow"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "selected"),
    [([], QUICK), (["--full"], ALL), (["test_suite.py"], ALL)],
    ids=["quick", "full", "file named"],
)
def test_quick_suite_leaves_slow_tests_out(
    arguments: list[str], selected: set[str], tmp_path: Path
) -> None:
    (tmp_path / "pytest.ini").write_text(CONFIGURATION)
    (tmp_path / "test_suite.py").write_text(SUITE)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", *PLUGIN, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(re.findall(r"::(\S+)", result.stdout)) == selected


@pytest.mark.slow
@pytest.mark.parametrize("processes", [[], ["-n", "2"]], ids=["one process", "two processes"])
def test_suite_shows_failures_at_once_and_the_time_left(
    processes: list[str], tmp_path: Path
) -> None:
    (tmp_path / "pytest.ini").write_text(CONFIGURATION)
    (tmp_path / "test_suite.py").write_text("def test_wrong(): assert 0\ndef test_right(): ...\n")
    screen = run_on_terminal(
        [sys.executable, "-m", "pytest", *PLUGIN, *processes],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        expected_status=1,
    )
    assert "FAILED test_suite.py::test_wrong (call)\r\n" in screen
    assert re.search(r"\r\x1b\[K1 of 2 tests, about \d+ s left", screen)
    assert re.search(r"2 of 2 tests, about 0 s left\r\x1b\[K", screen)
