"""`python3 -m tests.faults --kills 1000`: kill processes under load and count lost captures."""

# ruff: noqa: E402  (the environment is set up before a package is imported)

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
Starts the manager and both services over a temporary database, sends captures of all kinds, alone
and in batches, and kills the service, its worker, the manager or several of them at random moments.
Captures without an acknowledgement are sent again, as the browser does. In the end the database
must have every acknowledged capture once, with its audit record and its receipt.
"""


def main() -> int:
    """Return 0 if no capture is lost or duplicated, otherwise 1."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.faults", description=_ABOUT)
    parser.add_argument(
        "--kills",
        type=int,
        default=30,
        metavar="N",
        help="the number of kills (default: 30; about 2 s each)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=None,
        metavar="NUMBER",
        help="repeats the processes and pauses of the run with this seed",
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
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    sys.exit(main())
