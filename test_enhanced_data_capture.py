"""Runs every test; or checks a running system; or lints.

python3 test_enhanced_data_capture.py                the whole suite, against services of its own
python3 test_enhanced_data_capture.py -k payment     any argument of pytest's
python3 test_enhanced_data_capture.py --live [URL]   a quick check of a running system
python3 test_enhanced_data_capture.py --lint         ruff and mypy
"""

import sys

from data_capture.bootstrap import ensure_environment

LIVE = sys.argv[1:2] == ["--live"]

ensure_environment(__file__, __name__, *([] if LIVE else ["tests/requirements.txt"]))


def main() -> int:
    """The exit status."""
    if LIVE:
        return check_live(sys.argv[2:])
    from tests.commands import lint, run_suite

    if sys.argv[1:] == ["--lint"]:
        return lint()
    return run_suite(sys.argv[1:])


def check_live(arguments: list[str]) -> int:
    """Checks the system that runs here, or at the URL; flags such as --database are those of the start command."""
    from data_capture.cli.live_check import check_running_system
    from data_capture.server.ports import service_url
    from data_capture.settings import settings_from_command_line

    url = arguments.pop(0).rstrip("/") if arguments and not arguments[0].startswith("-") else None
    settings = settings_from_command_line(
        "manager", "Checks a running system; nameless audit records stay of it.", arguments
    )
    return check_running_system(url or service_url("capture", settings), settings)


if __name__ == "__main__":
    sys.exit(main())
