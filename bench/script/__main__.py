"""Benchmark the browser script and five SDKs: `python3 -m bench.script`."""

# ruff: noqa: E402  (ensure_environment must run before any package is imported)

import os

from data_capture.bootstrap import ensure_environment

ensure_environment(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), __name__, "tests/requirements.txt"
)

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.output import exit_on_sigterm, print_report
from bench.script.costs import QUICK, Bench, Costs, Effort
from bench.script.faults import Losses, cause_fault
from bench.script.report import Results, as_json, as_text
from bench.script.senders import Sender, find_senders
from data_capture.cli.progress import Progress
from tests.engines.engines import ENGINES, Engine
from tests.engines.harness import FAULT_SECONDS
from tests.engines.scenarios import SCENARIOS
from tests.support.services import RunningService, capture_service_in

_QUICK_FAULT_SECONDS = 1.0

_ABOUT = """\
Measure the browser script, and the SDKs of Segment, PostHog, RudderStack,
Sentry and Snowplow, in a real browser: their sizes; the time to start, for a
call of 1.4 KB, for 50 calls in a row, and while nothing is called; and how many
captures they lose and send twice when services, tabs and browsers fail. This
takes about a minute per sender and run, and two minutes per sender for the
faults. The first run installs the SDKs in bench/script/.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit status is 0 whatever the figures are."""
    parser = _build_parser()
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error("--runs takes 1 or more")
    engine = ENGINES[options.engine]
    if engine.missing():
        parser.error(f"{engine.name}: {engine.missing()}")

    exit_on_sigterm()
    found, left_out = find_senders(options.only, install=not options.no_install)
    results = Results(engine.name, found, left_out)
    with tempfile.TemporaryDirectory(prefix="edc-bench-", ignore_cleanup_errors=True) as folder:
        service = capture_service_in(Path(folder))
        service.start()
        try:
            if not options.no_costs:
                effort = QUICK if options.quick else Effort()
                results.costs = _measure_costs(
                    engine, found, service.url, Path(folder), options.runs, effort
                )
            if not options.no_faults:
                results.losses = _measure_losses(engine, found, service, options)
        finally:
            service.stop()
    print_report(as_text(results), as_json(results), as_json=options.json)
    return 0


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m bench.script",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    option("--engine", choices=list(ENGINES), default="chromium", help="the browser (%(default)s)")
    option(
        "--runs",
        type=int,
        default=5,
        help="how often each cost is measured, and each of our faults is caused (%(default)s)",
    )
    option(
        "--sdk-fault-runs",
        type=int,
        default=1,
        metavar="N",
        help="how often each fault of the SDKs is caused (%(default)s)",
    )
    option(
        "--only",
        default="",
        metavar="NAME",
        help="only senders whose name begins with this text, such as 'enhanced' or 'post'",
    )
    option(
        "--scenario",
        choices=list(SCENARIOS),
        action="append",
        help="only this fault; can be repeated",
    )
    option(
        "--quick",
        action="store_true",
        help="a small part of everything, to see that it works; the figures mean little",
    )
    option("--no-faults", action="store_true", help="skip the faults")
    option("--no-costs", action="store_true", help="skip the times")
    option("--no-install", action="store_true", help="skip SDKs that are not installed yet")
    option("--json", action="store_true", help="print JSON, with the figures of every run")
    return parser


def _measure_costs(
    engine: Engine, found: Sequence[Sender], service: str, folder: Path, runs: int, effort: Effort
) -> dict[str, Costs]:
    progress, costs = Progress(), {}
    for number, sender in enumerate(found):
        progress.bar("Measuring", number, len(found), item=sender.name)
        browser = engine.start(folder / f"{engine.name}-{number}")
        try:
            costs[sender.name] = Bench(browser, service, effort).measure(sender, runs)
        finally:
            browser.kill()  # a page may hang
            progress.clear()
    return costs


def _measure_losses(
    engine: Engine, found: Sequence[Sender], service: RunningService, options: argparse.Namespace
) -> dict[str, Losses]:
    scenarios = options.scenario or list(SCENARIOS)
    fault_seconds = _QUICK_FAULT_SECONDS if options.quick else FAULT_SECONDS
    losses = {sender.name: Losses() for sender in found}
    progress = Progress()
    try:
        for sender in found:
            runs = options.runs if sender.is_ours else options.sdk_fault_runs
            for number, scenario in enumerate(scenarios):
                progress.bar(f"{sender.name}: faults", number, len(scenarios), item=scenario)
                for run in range(runs):
                    lost, duplicates = cause_fault(
                        engine, sender, service, scenario, run, fault_seconds
                    )
                    losses[sender.name].add(scenario, lost, duplicates)
    finally:
        progress.clear()
    return losses


if __name__ == "__main__":
    sys.exit(main())
