"""Test the script in Chromium, Firefox and WebKit: `python3 -m tests.engines`."""

# ruff: noqa: E402  (ensure_environment must run before any package is imported)

import os

from data_capture.bootstrap import ensure_environment

ensure_environment(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), __name__, "tests/requirements.txt"
)

import argparse
import sys

import pytest

from tests.engines.engines import ENGINES, ENGINES_VARIABLE
from tests.engines.scenarios import RUNS_VARIABLE
from tests.support.node_packages import install_packages

_ABOUT = """\
Test the script in real browsers, with the real service. On Debian, root can
install the browsers:
apt-get install chromium firefox-esr webkit2gtk-driver xvfb xauth
Further arguments go to pytest.
"""


def main() -> int:
    """Run the tests of the installed engines.

    Returns:
        pytest's exit status; 1 if none of the requested engines is installed.
    """
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.engines",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--engine", choices=[*ENGINES, "all"], default="all", help="the browser (%(default)s)"
    )
    parser.add_argument(
        "--runs",
        type=int,
        default=1,
        metavar="N",
        help="how often each fault is caused (%(default)s)",
    )
    parser.add_argument(
        "--frameworks", action="store_true", help="run only the pages made with frameworks"
    )
    options, pytest_arguments = parser.parse_known_args()
    requested = list(ENGINES) if options.engine == "all" else [options.engine]
    missing = {name: reason for name in requested if (reason := ENGINES[name].missing())}
    for name, reason in missing.items():
        print(f"{name} is left out: {reason}", flush=True)
    installed = [name for name in requested if name not in missing]
    if not installed:
        return 1
    install_packages(full=True)
    os.environ |= {ENGINES_VARIABLE: ",".join(installed), RUNS_VARIABLE: str(options.runs)}
    folder = os.path.dirname(os.path.abspath(__file__))
    if options.frameworks:
        folder = os.path.join(folder, "frameworks")
    return int(pytest.main([folder, *pytest_arguments]))


if __name__ == "__main__":
    sys.exit(main())
