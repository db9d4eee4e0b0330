"""The modes of `python3 test_enhanced_data_capture.py` that need the test packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.support.node_packages import install_packages
from tests.support.services import REPOSITORY

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

_INSTALL_COMMANDS = (
    ("apt-get", "update"),
    ("apt-get", "install", "-y", "--no-install-recommends", "chromium"),
)

_QUICK_SUITE = """\
The quick suite takes about 4 minutes on two idle processors; --full runs all tests.
To check the services that run on this machine, use --live: it takes a few seconds.\
"""
_FULL_SUITE = "The full suite takes about 20 minutes on two idle processors."
# The tests of a file share its services. Each process has services and databases of its own.
_TWO_PROCESSES = ("-n", "2", "--dist", "loadfile")


def run_suite(arguments: Sequence[str]) -> int:
    """Run the tests and return pytest's exit status.

    Args:
        arguments: nothing for the quick suite, `--full` for all tests, or pytest's arguments.
    """
    os.chdir(REPOSITORY)
    needs_browser = os.environ.get("EDC_REQUIRE_BROWSER") == "1"
    if [*arguments] in ([], ["--full"]):
        print(_FULL_SUITE if arguments else _QUICK_SUITE, flush=True)
        arguments = [*arguments, *_TWO_PROCESSES]
        needs_browser = True
        install_packages(full="--full" in arguments)
    if needs_browser and not _has_browser():
        _install_browser()
    return int(pytest.main([*arguments]))


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
