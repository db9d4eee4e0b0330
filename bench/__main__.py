"""The one command of the benchmarks: `python3 -m bench`; `--help` tells more."""

# ruff: noqa: E402  (the environment is made before anything from a package is imported)

import os

from data_capture.bootstrap import ensure_environment

ensure_environment(os.path.dirname(os.path.abspath(__file__)), __name__)

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from bench.contestants import DATASETTE, FASTIFY
from bench.growth import measure_memory, measure_sizes
from bench.installing import HERE, datasette_program, node_packages, printed_by
from bench.load import client_name
from bench.machine import description
from bench.report import Results, as_json, as_text
from bench.rounds import Comparison, compare

_QUICK_SIZES, _FULL_SIZES = (0, 100_000), (0, 100_000, 1_000_000)
_QUICK_MEMORY_CAPTURES, _FULL_MEMORY_CAPTURES = 20_000, 100_000

_ABOUT = """\
Measures the capture service beside a bare Flask route, the plain way, Fastify with better-sqlite3 and Datasette, over the
same payload, in alternating rounds; then over files that hold many captures already; then its memory. About five minutes;
--full takes about a quarter of an hour. The first run installs what the others need, inside bench/.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what the command line asks for; the exit status is 0 whatever the figures are."""
    parser = argparse.ArgumentParser(
        prog="python3 -m bench",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="a file of 1,000,000 captures too, and memory after 100,000",
    )
    parser.add_argument(
        "--json", action="store_true", help="print JSON, with every round's figures"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="how many times each is measured (%(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="for how long each time (%(default)s)"
    )
    parser.add_argument(
        "--sizes",
        type=_sizes,
        help="measure over files of so many captures, such as 0,100000; 'none' for none",
    )
    parser.add_argument(
        "--memory-captures",
        type=int,
        help="take so many for the memory's measurement; 0 leaves it out",
    )
    parser.add_argument(
        "--no-install", action="store_true", help="leave out what is not installed yet"
    )
    given = parser.parse_args(arguments)
    if given.rounds < 1 or given.seconds <= 0:
        parser.error("it takes at least one round, of more than no time")
    sizes = given.sizes if given.sizes is not None else _FULL_SIZES if given.full else _QUICK_SIZES
    memory_captures = given.memory_captures
    if memory_captures is None:
        memory_captures = _FULL_MEMORY_CAPTURES if given.full else _QUICK_MEMORY_CAPTURES

    signal.signal(signal.SIGTERM, _end)  # what was started is ended then, too
    with tempfile.TemporaryDirectory(prefix="edc-bench-", dir=_same_disk()) as folder:
        directory = Path(folder)
        comparison = compare(
            directory, rounds=given.rounds, seconds=given.seconds, install=not given.no_install
        )
        results = Results(description(directory, _versions(comparison)), comparison)
        results.sizes = measure_sizes(directory, sizes, rounds=given.rounds, seconds=given.seconds)
        if memory_captures:
            results.memory = measure_memory(directory, memory_captures, given.seconds)
    print(json.dumps(as_json(results), indent=2) if given.json else as_text(results))
    return 0


def _sizes(text: str) -> tuple[int, ...]:
    return () if text == "none" else tuple(int(part) for part in text.split(","))


def _same_disk() -> Path:
    """A folder on the disk that the repository is on: in memory, as /tmp often is, syncing costs nothing."""
    usual = Path(tempfile.gettempdir())
    return usual if usual.stat().st_dev == HERE.stat().st_dev else HERE


def _versions(comparison: Comparison) -> dict[str, str]:
    versions = {"client": client_name()}
    if FASTIFY not in comparison.left_out:
        packages = "require('fastify/package').version + ', better-sqlite3 ' + require('better-sqlite3/package').version"
        node = node_packages(install=False)
        versions["node"] = (
            f"{printed_by(node, '--version')}, Fastify {printed_by(node, '-p', packages)}"
        )
    if DATASETTE not in comparison.left_out:
        versions["datasette"] = printed_by(
            datasette_program(install=False), "--version"
        ).rpartition(" ")[2]
    return versions


def _end(_number: int, _frame: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
