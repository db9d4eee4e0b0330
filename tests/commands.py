"""What `python3 test_enhanced_data_capture.py` does: the suite, `--lint`, or `--live`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.support import REPOSITORY

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def run_suite(pytest_arguments: Sequence[str]) -> int:
    """Runs the tests, each against services of its own; the exit status is pytest's.

    `-n 2 --dist loadfile` runs it in two processes, which takes two thirds of the time.
    """
    os.chdir(REPOSITORY)
    everything = not pytest_arguments or os.environ.get("EDC_REQUIRE_BROWSER") == "1"
    if everything and not _has_browser():
        _install_browser()
    return int(pytest.main(list(pytest_arguments)))


def lint() -> int:
    """Runs ruff and mypy over the repository; the exit status is 0 when neither has a complaint."""
    os.chdir(REPOSITORY)
    commands = (["ruff", "check", "."], ["mypy"])
    outcomes = [
        subprocess.run([sys.executable, "-m", *command], check=False).returncode
        for command in commands
    ]
    return max(outcomes)


def _has_browser() -> bool:
    return any(map(shutil.which, BROWSERS))


def _install_browser() -> None:
    """Installs Debian's Chromium where that takes no more than permission; says so where it can't be had."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Chromium for the browser tests (apt-get install chromium) …", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "update"],
            ["apt-get", "install", "-y", "--no-install-recommends", "chromium"],
        ):
            outcome = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            if outcome.returncode != 0:
                said = [line for line in outcome.stderr.splitlines() if line.strip()] or [
                    "it said nothing"
                ]
                print(f"{' '.join(command)} failed: {said[-1]}", flush=True)
                break
    if not _has_browser():
        print(
            "There is no Chromium on this machine (nor Chrome): the browser tests are skipped.",
            flush=True,
        )
