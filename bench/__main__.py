"""Benchmark the capture service: `python3 -m bench`; `--help` says more."""

# ruff: noqa: E402  (ensure_environment must run before any package is imported)

import os

from data_capture.bootstrap import ensure_environment

ensure_environment(os.path.dirname(os.path.abspath(__file__)), __name__)

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.growth import measure_memory, measure_sizes
from bench.installing import HERE, find_datasette, find_node, read_output
from bench.load import client_name
from bench.machine import describe_machine
from bench.output import exit_on_sigterm, print_report
from bench.report import Results, as_json, as_text
from bench.rounds import Comparison, compare
from bench.targets import DATASETTE, FASTIFY

_QUICK_SIZES, _FULL_SIZES = (0, 100_000), (0, 100_000, 1_000_000)
_QUICK_MEMORY_CAPTURES, _FULL_MEMORY_CAPTURES = 20_000, 100_000

_ABOUT = """\
Measure the capture service, a bare Flask route, the plain way, Fastify with
better-sqlite3, and Datasette: with the same payload, in alternating rounds.
Then measure the service over files that already contain captures, and its
memory. This takes about five minutes; --full takes about a quarter of an hour.
The first run installs what the other servers need, inside bench/.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit status is 0 whatever the figures are."""
    parser = _build_parser()
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds takes 1 or more, and --seconds more than 0")
    sizes = (
        options.sizes
        if options.sizes is not None
        else _FULL_SIZES
        if options.full
        else _QUICK_SIZES
    )
    memory_captures = options.memory_captures
    if memory_captures is None:
        memory_captures = _FULL_MEMORY_CAPTURES if options.full else _QUICK_MEMORY_CAPTURES

    exit_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="edc-bench-", dir=_folder_on_disk()) as folder:
        directory = Path(folder)
        comparison = compare(
            directory,
            rounds=options.rounds,
            seconds=options.seconds,
            install=not options.no_install,
        )
        results = Results(describe_machine(directory, _versions(comparison)), comparison)
        results.sizes = measure_sizes(
            directory, sizes, rounds=options.rounds, seconds=options.seconds
        )
        if memory_captures:
            results.memory = measure_memory(directory, memory_captures, options.seconds)
    print_report(as_text(results), as_json(results), as_json=options.json)
    return 0


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m bench",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    option(
        "--full",
        action="store_true",
        help="add a file of 1,000,000 captures, and measure memory after 100,000",
    )
    option("--json", action="store_true", help="print JSON, with the figures of every round")
    option("--rounds", type=int, default=5, help="how many times each is measured (%(default)s)")
    option("--seconds", type=float, default=4.0, help="how long each time (%(default)s)")
    option(
        "--sizes",
        type=_parse_sizes,
        help="measure over files with these numbers of captures, such as 0,100000; "
        "'none' measures none",
    )
    option(
        "--memory-captures",
        type=int,
        help="measure memory after this number of captures; 0 skips it",
    )
    option("--no-install", action="store_true", help="skip servers that are not installed yet")
    return parser


def _parse_sizes(text: str) -> tuple[int, ...]:
    return () if text == "none" else tuple(int(part) for part in text.split(","))


def _folder_on_disk() -> Path:
    """Return a folder on the repository's disk.

    /tmp is often in memory, where a sync costs nothing.
    """
    usual = Path(tempfile.gettempdir())
    return usual if usual.stat().st_dev == HERE.stat().st_dev else HERE


def _versions(comparison: Comparison) -> dict[str, str]:
    versions = {"client": client_name()}
    if FASTIFY not in comparison.left_out:
        packages = (
            "require('fastify/package').version + "
            "', better-sqlite3 ' + require('better-sqlite3/package').version"
        )
        node = find_node(install=False)
        versions["node"] = (
            f"{read_output(node, '--version')}, Fastify {read_output(node, '-p', packages)}"
        )
    if DATASETTE not in comparison.left_out:
        version = read_output(find_datasette(install=False), "--version")
        versions["datasette"] = version.rpartition(" ")[2]
    return versions


if __name__ == "__main__":
    sys.exit(main())
