"""`python3 -m tests.faults --kills 1000`: kills the services and their manager under load, and counts what was lost."""

# ruff: noqa: E402  (the environment is made before anything from a package is imported)

import os

from data_capture.bootstrap import ensure_environment

ensure_environment(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), __name__)

import argparse
import sys
import tempfile
from pathlib import Path

from data_capture.cli.progress import Progress
from tests.faults.kills import Campaign

_ABOUT = """\
Starts the manager and both services over a temporary database, sends captures of all kinds, alone and in batches, and kills
the service, its worker, the manager or several of them at random moments. What was not acknowledged is sent again, as the
browser does. In the end every acknowledged capture has to be there once, with its audit record and its receipt.
"""


def main() -> int:
    """The exit status: 0 when nothing was lost and nothing is there twice."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.faults", description=_ABOUT)
    parser.add_argument(
        "--kills", type=int, default=30, metavar="N", help="how many (default: 30; about 2 s each)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=None,
        metavar="NUMBER",
        help="chooses the same processes and pauses again",
    )
    given = parser.parse_args()
    progress = Progress()
    with (
        tempfile.TemporaryDirectory(prefix="edc-faults-") as folder,
        Campaign(Path(folder), given.seed) as campaign,
    ):
        for number in range(given.kills):
            acknowledged = f"{campaign.acknowledged:,} captures acknowledged"
            progress.bar("Killing", number, given.kills, item=acknowledged)
            campaign.kill_once()
        progress.step("Checking …")
        outcome = campaign.finish()
        progress.clear()
    print(outcome)
    return 0 if outcome.all_held else 1


if __name__ == "__main__":
    sys.exit(main())
