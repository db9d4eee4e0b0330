"""Test `python3 -m bench.script`: it measures the script in a browser."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bench.script.senders import OURS
from tests.engines.engines import ENGINES
from tests.support.services import REPOSITORY


@pytest.mark.slow
def test_script_benchmark_measures_in_a_browser_and_checks_its_limits() -> None:
    if ENGINES["chromium"].missing():
        pytest.skip(ENGINES["chromium"].missing())
    options = ["--quick", "--runs", "1", "--only", "enhanced", "--no-install", "--json"]
    outcome = subprocess.run(
        [sys.executable, "-m", "bench.script", *options, "--scenario", "down, navigate, return"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        stdin=subprocess.DEVNULL,
    )
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
    assert len(costs["rewriting_percent"]) == 1
    assert {kind: len(times) for kind, times in costs["large_ms"].items()} == {
        "function": 1,
        "fetch": 1,
    }
    assert ours["losses"]["made"] == {"down, navigate, return": 20}
    claims = {claim["what"]: claim for claim in results["claims"]}
    assert {
        "size, as served and gzipped",
        "load and init, median",
        "of a page that rewrites a key 80 times a second",
        "added to the longest task by 20 MB through a function, median",
        "added to the longest task by 20 MB through fetch, median",
        "captures lost of 20",
    } <= claims.keys()
    assert all(claim["holds"] == (claim["got"] <= claim["at_most"]) for claim in claims.values())
