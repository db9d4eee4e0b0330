"""Select the tests of the quick or the full suite, and show how far a run is.

A pytest plugin, loaded by `tests/conftest.py`.
"""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest

_LINE_SECONDS = 30.0  # between the progress lines of a run without a terminal
_ERASE_LINE = "\r\x1b[K"
_CACHE_KEY = "edc/mean_seconds"  # of the tests of each file
_FIRST_GUESS_SECONDS = 0.3


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--full`."""
    parser.addoption("--full", action="store_true", help="run the slow tests, too")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the progress display in the process that reports results."""
    config.addinivalue_line(
        "markers",
        "slow(quick_cases=0): the quick suite runs only the first cases of this test. "
        "It runs in full with --full, or if its file is named on the command line.",
    )
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        config.pluginmanager.register(_ProgressDisplay(config), "progress-display")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow tests out of the quick suite."""
    if config.option.full or config.args_source is pytest.Config.ArgsSource.ARGS:
        return
    quick: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    cases: Counter[str] = Counter()  # selected so far, of each slow test
    for item in items:
        slow = item.get_closest_marker("slow")
        name = item.nodeid.partition("[")[0]
        cases[name] += 1
        is_quick = slow is None or cases[name] <= slow.kwargs.get("quick_cases", 0)
        (quick if is_quick else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = quick


class _ProgressDisplay:
    """Shows the tests done and the time left: one changing line on a terminal, else plain lines.

    The time left follows from the durations of the last run, which pytest's cache has; in a first
    run, from the number of tests. Failures are shown at once.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._is_terminal = sys.stdout.isatty()
        cache = getattr(config, "cache", None)
        self._last_means: dict[str, float] = cache.get(_CACHE_KEY, {}) if cache else {}
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._tests: Counter[str] = Counter()
        self._done_tests = self._done_work = self._total_work = 0.0
        self._began_at, self._shown_seconds = time.monotonic(), 0.0

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Begin to count, in a run of one process."""
        if session.items:
            self._begin([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Begin to count, in a run of several processes, which collect the same tests."""
        if not self._tests:
            self._begin(ids)

    def _begin(self, names: Sequence[str]) -> None:
        self._tests.update(map(_file_of, names))
        self._total_work = sum(map(self._expected_seconds, names))
        self._began_at, self._shown_seconds = time.monotonic(), 0.0

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Replace pytest's letters."""
        if self._config.option.verbose > 0 or hasattr(report, "wasxfail"):
            return None
        if report.failed and report.when != "call":
            return "error", "", "ERROR"
        if report.when == "call" or report.skipped:
            return report.outcome, "", report.outcome.upper()
        return "", "", ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a phase of a test to the duration of its file; show a failure."""
        self._seconds[_file_of(report.nodeid)] += report.duration
        if report.failed:
            self._clear_line()
            print(f"FAILED {report.nodeid} ({report.when})", flush=True)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Count a test, and show how far the run is."""
        self._done_tests += 1
        self._done_work += self._expected_seconds(nodeid)
        done, total = int(self._done_tests), self._tests.total()
        seconds = time.monotonic() - self._began_at
        left = seconds * (self._total_work / self._done_work - 1)
        text = f"{done:,} of {total:,} tests, about {_format_minutes(left)} left"
        if self._is_terminal:
            print(_ERASE_LINE + text, end="", flush=True)
        elif seconds - self._shown_seconds >= _LINE_SECONDS:
            self._shown_seconds = seconds
            print(text, flush=True)

    def pytest_sessionfinish(self) -> None:
        """Remember the durations for the next run."""
        self._clear_line()
        cache = getattr(self._config, "cache", None)
        if cache and self._done_tests:
            means = {file: self._seconds[file] / self._tests[file] for file in self._tests}
            cache.set(_CACHE_KEY, {**self._last_means, **means})

    def _clear_line(self) -> None:
        if self._is_terminal:
            print(_ERASE_LINE, end="", flush=True)

    def _expected_seconds(self, nodeid: str) -> float:
        return self._last_means.get(_file_of(nodeid), _FIRST_GUESS_SECONDS)


def _file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def _format_minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"
