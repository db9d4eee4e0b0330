"""`python3 -m bench.script`: what the capture script weighs, costs and loses, beside five well-known SDKs."""

# ruff: noqa: E402  (the environment is made before anything from a package is imported)

import os

from data_capture.bootstrap import ensure_environment

ensure_environment(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), __name__, "tests/requirements.txt"
)

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from bench.script.costs import QUICK, Bench, Costs, Effort
from bench.script.faults import Losses, cause_fault
from bench.script.report import Results, as_json, as_text
from bench.script.senders import Sender, senders
from data_capture.cli.progress import Progress
from tests.engines.engines import ENGINES, Engine
from tests.engines.play import FAULT_SECONDS
from tests.engines.scenarios import SCENARIOS
from tests.support import RunningService, capture_service_in

_QUICK_FAULT_SECONDS = 1.0

_ABOUT = """\
Measures the capture script in a real browser, beside Segment, PostHog, RudderStack, Sentry and Snowplow: sizes, starting, a
call of 1.4 KB, 50 calls in a row, being there, and what is lost and sent twice when services, tabs and browsers fail. About
half a minute a sender and run, and two minutes a sender for the faults. The first run installs the SDKs in bench/script/.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what the command line asks for; the exit status is 0 whatever the figures are."""
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
        help="how often each cost is measured, and our faults caused (%(default)s)",
    )
    option(
        "--sdk-fault-runs",
        type=int,
        default=1,
        metavar="N",
        help="how often the SDKs' faults are caused (%(default)s)",
    )
    option(
        "--only",
        default="",
        metavar="NAME",
        help="only senders whose name begins so, such as 'enhanced' or 'post'",
    )
    option(
        "--scenario",
        choices=list(SCENARIOS),
        action="append",
        help="only this fault; may be given again",
    )
    option(
        "--quick",
        action="store_true",
        help="a small part of everything, to see that it works; the figures are worth little",
    )
    option("--no-faults", action="store_true", help="leave out the faults")
    option("--no-costs", action="store_true", help="leave out the times")
    option("--no-install", action="store_true", help="leave out what is not installed yet")
    option("--json", action="store_true", help="print JSON, with every run's figures")
    given = parser.parse_args(arguments)
    if given.runs < 1:
        parser.error("it takes at least one run")
    engine = ENGINES[given.engine]
    if engine.missing():
        parser.error(f"{engine.name}: {engine.missing()}")

    signal.signal(signal.SIGTERM, _end)  # what was started is ended then, too
    found, left_out = senders(given.only, install=not given.no_install)
    results = Results(engine.name, found, left_out)
    with tempfile.TemporaryDirectory(prefix="edc-bench-", ignore_cleanup_errors=True) as folder:
        service = capture_service_in(Path(folder))
        service.start()
        try:
            if not given.no_costs:
                results.costs = _costs(
                    engine,
                    found,
                    service.url,
                    Path(folder),
                    given.runs,
                    QUICK if given.quick else Effort(),
                )
            if not given.no_faults:
                scenarios = given.scenario or list(SCENARIOS)
                for sender in found:
                    runs = given.runs if sender.is_ours else given.sdk_fault_runs
                    results.losses[sender.name] = _losses(
                        engine, sender, service, runs, scenarios, given.quick
                    )
        finally:
            service.stop()
    print(json.dumps(as_json(results), indent=2) if given.json else as_text(results))
    return 0


def _costs(
    engine: Engine, found: Sequence[Sender], service: str, folder: Path, runs: int, effort: Effort
) -> dict[str, Costs]:
    progress = Progress()
    browser = engine.start(folder / engine.name)
    try:
        bench, costs = Bench(browser, service, effort), {}
        for number, sender in enumerate(found):
            progress.bar("Measuring", number, len(found), item=sender.name)
            costs[sender.name] = bench.measure(sender, runs)
    finally:
        browser.close()
        progress.clear()
    return costs


def _losses(
    engine: Engine,
    sender: Sender,
    service: RunningService,
    runs: int,
    scenarios: Sequence[str],
    quick: bool,
) -> Losses:
    progress, losses = Progress(), Losses()
    for number, scenario in enumerate(scenarios):
        progress.bar(f"{sender.name}: faults", number, len(scenarios), item=scenario)
        for run in range(runs):
            lost, twice = cause_fault(
                engine,
                sender,
                service,
                scenario,
                run,
                _QUICK_FAULT_SECONDS if quick else FAULT_SECONDS,
            )
            losses.add(scenario, lost, twice)
    progress.clear()
    return losses


def _end(_number: int, _frame: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
