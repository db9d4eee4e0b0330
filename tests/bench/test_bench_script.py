"""The script's benchmark: that the command measures what is there, in a browser, and says what it left out."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bench.script.senders import OURS
from tests.engines.engines import ENGINES
from tests.support.services import REPOSITORY


def test_script_benchmark_measures_in_a_browser_and_checks_its_limits() -> None:
    if ENGINES["chromium"].missing():
        pytest.skip(ENGINES["chromium"].missing())
    outcome = subprocess.run(
        [sys.executable, "-m", "bench.script", "--quick", "--runs", "1", "--only", "enhanced", "--no-install", "--json",
         "--scenario", "down, navigate, return"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    results = json.loads(outcome.stdout)
    (ours,) = results["senders"]
    assert ours["name"] == OURS
    assert ours["served_bytes"] > 1000
    costs = ours["costs"]
    assert costs["start_ms"][0] > 0
    assert (
        {"function", "fetch", "storage"}
        <= costs["call_microseconds"].keys()
        == costs["bare_microseconds"].keys()
    )
    assert all(len(times) == 3 for times in costs["call_microseconds"].values())
    assert ours["losses"]["made"] == {"down, navigate, return": 20}
    wanted = {claim["what"]: claim for claim in results["claims"]}
    assert {
        "size, as served and gzipped",
        "load and init, median",
        "captures lost of 20",
    } <= wanted.keys()
    assert all(claim["holds"] == (claim["got"] <= claim["at_most"]) for claim in wanted.values())
