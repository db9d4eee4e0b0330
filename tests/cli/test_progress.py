"""Test the progress of commands: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.services import REPOSITORY
from tests.support.terminal import run_on_terminal

# A copy of 40 MB in two seconds, then a step of unknown length.
PROGRAM = """
import time
from data_capture.cli.progress import Progress
progress = Progress()
for megabyte in range(41):
    progress.bar("Copying", megabyte * 1_000_000, 40_000_000, unit="bytes", item="trading_bots.db")
    time.sleep(0.05)
progress.step("Checking the copy …")
progress.clear()
print("done")
"""
COMMAND = [sys.executable, "-c", PROGRAM]


@pytest.mark.slow
def test_a_terminal_shows_a_bar_with_rate_and_time_left_and_erases_it() -> None:
    shown = run_on_terminal(COMMAND)
    bars = [part for part in shown.split("\r") if "Copying  [" in part]
    assert any("%  00:00:0" in bar and "MB/s  trading_bots.db" in bar for bar in bars), shown
    assert "[##############################]  100%" in bars[-1]
    assert "Checking the copy …" in shown
    # The bar is erased, and the cursor, which it hides, is visible again.
    assert shown.endswith("\r\x1b[K\x1b[?25hdone\r\n")


@pytest.mark.slow
def test_a_pipe_gets_plain_lines() -> None:
    ran = subprocess.run(COMMAND, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert ran.stderr == "Copying …\nChecking the copy …\n"
    assert ran.stdout == "done\n"
