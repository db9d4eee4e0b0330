"""The modes of `python3 test_enhanced_data_capture.py` that need the test packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.support.services import REPOSITORY

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

_INSTALL_COMMANDS = (
    ("apt-get", "update"),
    ("apt-get", "install", "-y", "--no-install-recommends", "chromium"),
)


def run_suite(pytest_arguments: Sequence[str]) -> int:
    """Run the tests and return pytest's exit status.

    Each test has services of its own, so `-n 2 --dist loadfile` can run them in two processes. That
    takes two thirds of the time.
    """
    os.chdir(REPOSITORY)
    needs_browser = not pytest_arguments or os.environ.get("EDC_REQUIRE_BROWSER") == "1"
    if needs_browser and not _has_browser():
        _install_browser()
    return int(pytest.main(list(pytest_arguments)))


def lint() -> int:
    """Run ruff and mypy; return 0 if neither reports an error."""
    os.chdir(REPOSITORY)
    commands = (["ruff", "check", "."], ["mypy"])
    return max(
        subprocess.run([sys.executable, "-m", *command], check=False).returncode
        for command in commands
    )


def _has_browser() -> bool:
    return any(map(shutil.which, BROWSERS))


def _install_browser() -> None:
    """Install Debian's Chromium, if this user may."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Chromium for the browser tests (apt-get install chromium) …", flush=True)
        _install_with_apt()
    if not _has_browser():
        print(
            "This machine has no Chromium and no Chrome: the browser tests are skipped.",
            flush=True,
        )


def _install_with_apt() -> None:
    for command in _INSTALL_COMMANDS:
        outcome = subprocess.run(
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if outcome.returncode != 0:
            errors = [line for line in outcome.stderr.splitlines() if line.strip()]
            print(
                f"{' '.join(command)} failed: {errors[-1] if errors else 'no message'}", flush=True
            )
            return
