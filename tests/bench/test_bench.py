"""Test `python3 -m bench`: it measures installed targets and stops what it started."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.load import client_name, send
from bench.targets import PLAIN, TARGETS, count_payments
from tests.support.services import REPOSITORY


@pytest.mark.slow
def test_benchmark_measures_names_skipped_targets_and_cleans_up(tmp_path: Path) -> None:
    results = run_benchmark(tmp_path, "--sizes", "1000", "--memory-captures", "20")

    measured = {(row["name"], row["connections"]): row for row in results["rows"]}
    assert {
        ("capture service", 1),
        ("capture service", 32),
        ("capture service", 256),
    } <= measured.keys()
    assert {("bare Flask route", 32), ("plain way", 32)} <= measured.keys()
    assert all(
        row["failed"] == 0
        for row in results["rows"]
        if row["name"] in ("capture service", "bare Flask route")
    )
    assert measured["capture service", 32]["captures_per_second"][0] > 0
    assert "there is no node" in results["left_out"]["Fastify + better-sqlite3"]

    assert [size["captures"] for size in results["sizes"]] == [1000]
    assert all(
        size["captures_per_second"][0] > 0 and size["statistics_p50_ms"] > 0
        for size in results["sizes"]
    )
    assert results["memory"]["captures"] >= 20
    assert results["limits"]["syncs_per_second"][0] > 0
    assert results["limits"]["commits_per_second"][0] > 0
    assert any(
        claim["what"].endswith("plain way") and isinstance(claim["holds"], bool)
        for claim in results["claims"]
    )

    # No file and no process remains.
    assert list(tmp_path.iterdir()) == []
    running = subprocess.run(
        ["ps", "-A", "-ww", "-o", "args"], capture_output=True, text=True, check=True
    ).stdout
    assert str(tmp_path) not in running


@pytest.mark.slow
@pytest.mark.parametrize("client", ["wrk", "bench.client"])
def test_both_clients_send_every_capture_once(
    client: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if client == "wrk" and shutil.which("wrk") is None:
        pytest.skip("wrk is not installed")
    monkeypatch.setattr("bench.load.client_name", lambda: client)
    plain = next(target for target in TARGETS if target.name == PLAIN)
    server = plain.start(tmp_path, False)
    try:
        server.wait_until_ready()
        outcome = send(server.port, plain.path, connections=2, seconds=0.3, directory=tmp_path)
    finally:
        server.stop()

    assert outcome.errors == outcome.failures == 0
    unanswered = 2 if client == "wrk" else 0  # it ends without the last responses
    assert 0 < outcome.captures <= count_payments(tmp_path) <= outcome.captures + unanswered


def test_wrk_is_the_client_if_it_is_installed() -> None:
    assert client_name() == ("wrk" if shutil.which("wrk") else "bench.client")


def run_benchmark(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    """Run one short round without any program on PATH, and return the results."""
    options = ["--rounds", "1", "--seconds", "0.2", "--no-install", "--json"]
    outcome = subprocess.run(
        [sys.executable, "-m", "bench", *options, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path), "PATH": str(tmp_path)},
    )
    assert outcome.returncode == 0, outcome.stderr
    return json.loads(outcome.stdout)  # type: ignore[no-any-return]


NODE = "#!/bin/sh\n[ -e node_modules/done ]\n"
NPM = """#!/bin/sh
mkdir installing || exit 1
sleep 1  # so that two installations would overlap
mkdir node_modules
touch node_modules/done
echo npm >> runs
rmdir installing
"""


@pytest.mark.slow
def test_concurrent_processes_install_packages_once(tmp_path: Path) -> None:
    for name, text in (("node", NODE), ("npm", NPM)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    install = "from pathlib import Path; from bench.installing import prepare_node; "
    install += f"prepare_node(Path({str(tmp_path)!r}), 'them', install=True)"
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", install],
            cwd=REPOSITORY,
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    assert (tmp_path / "runs").read_text() == "npm\n"
