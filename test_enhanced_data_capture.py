"""Run the tests, check a running system, or lint.

    python3 test_enhanced_data_capture.py               runs the quick suite, in about 4 minutes
    python3 test_enhanced_data_capture.py --full        runs all tests, in about 20 minutes
    python3 test_enhanced_data_capture.py -k payment    passes arguments on to pytest
    python3 test_enhanced_data_capture.py --live [URL]  checks a running system in a few seconds
    python3 test_enhanced_data_capture.py --lint        runs ruff and mypy
    python3 test_enhanced_data_capture.py --help        shows this text

The tests run services and databases of their own. If a file of tests is named, all of its tests
run. The times are for two idle processors.

--live checks the capture service at URL, by default the one on this machine, and
the signup service on the same host. It sends the captures of one test user and
then deletes the user; only anonymised audit records remain. It takes the flags
of the start command, such as --database and --signup-port; --live --help lists
them.
"""

import sys

from data_capture.bootstrap import ensure_environment

LIVE = sys.argv[1:2] == ["--live"]

if __name__ == "__main__" and sys.argv[1:2] in (["--help"], ["-h"]):
    print(__doc__.strip())
    sys.exit()

ensure_environment(__file__, __name__, *([] if LIVE else ["tests/requirements.txt"]))


def main() -> int:
    """Run what the command line asks for, and return the exit status."""
    if LIVE:
        return check_live(sys.argv[2:])
    from tests.support.commands import lint, run_suite

    if sys.argv[1:] == ["--lint"]:
        return lint()
    return run_suite(sys.argv[1:])


def check_live(arguments: list[str]) -> int:
    """Check the running system on this machine, or at the URL of the arguments."""
    from data_capture.cli.live_check import check_running_system
    from data_capture.server.ports import service_url
    from data_capture.settings import settings_from_command_line

    url = arguments.pop(0).rstrip("/") if arguments and not arguments[0].startswith("-") else None
    settings = settings_from_command_line(
        "manager", "Check a running system; only anonymised audit records remain.", arguments
    )
    return check_running_system(url or service_url("capture", settings), settings)


if __name__ == "__main__":
    sys.exit(main())
