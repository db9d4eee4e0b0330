"""`python3 -m tests.engines`: the capture script's tests in Chromium, Firefox and WebKit."""

# ruff: noqa: E402  (the environment is made before anything from a package is imported)

import os

from data_capture.bootstrap import ensure_environment

ensure_environment(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), __name__, "tests/requirements.txt"
)

import argparse
import sys

import pytest

from tests.engines.engines import ASKED_FOR, ENGINES
from tests.engines.scenarios import RUNS

_ABOUT = """\
Drives the capture script in real browsers, before the real service. What is missing on Debian, root can install:
apt-get install chromium firefox-esr webkit2gtk-driver xvfb xauth
"""


def main() -> int:
    """The exit status: pytest's, or 1 when an engine that was asked for by its name is not there."""
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.engines",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--engine", choices=[*ENGINES, "all"], default="all", help="which (%(default)s)"
    )
    parser.add_argument(
        "--runs",
        type=int,
        default=1,
        metavar="N",
        help="how often each fault is caused (%(default)s)",
    )
    given, pytest_arguments = parser.parse_known_args()
    wanted = list(ENGINES) if given.engine == "all" else [given.engine]
    absent = {name: ENGINES[name].missing() for name in wanted if ENGINES[name].missing()}
    for name, reason in absent.items():
        print(f"{name} is left out: {reason}", flush=True)
    there = [name for name in wanted if name not in absent]
    if not there:
        return 1
    os.environ |= {ASKED_FOR: ",".join(there), RUNS: str(given.runs)}
    return int(pytest.main([os.path.dirname(os.path.abspath(__file__)), *pytest_arguments]))


if __name__ == "__main__":
    sys.exit(main())
