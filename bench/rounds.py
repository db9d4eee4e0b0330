"""Measure all servers in alternating rounds: a disturbance then affects all."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from bench.installing import NotInstalled
from bench.limits import measure_commits, measure_syncs
from bench.load import Outcome, send
from bench.processes import Server
from bench.targets import BATCH_PATH, SERVICE, TARGETS, Target, count_payments

CONNECTIONS = 32
MIN_CONNECTIONS, MAX_CONNECTIONS = 1, 256
BATCH_CAPTURES = 50
_MAX_LIMIT_SECONDS = 1.0
_NOT_FOUND = 404


@dataclass
class Spread:
    """The values of one figure in all rounds."""

    values: list[float] = field(default_factory=list)

    @property
    def middle(self) -> float:
        """Return the median."""
        return median(self.values) if self.values else 0.0

    def __str__(self) -> str:
        return f"{self.middle:,.0f} ({min(self.values):,.0f}–{max(self.values):,.0f})"


@dataclass
class Row:
    """One line of the table: a target under one load."""

    target: Target
    connections: int
    captures_per_request: int = 1
    captures_per_second: Spread = field(default_factory=Spread)
    p50_ms: Spread = field(default_factory=Spread)
    p99_ms: Spread = field(default_factory=Spread)
    resident_megabytes: Spread = field(default_factory=Spread)
    cpu_microseconds: Spread = field(default_factory=Spread)
    failed: int = 0

    @property
    def label(self) -> str:
        """Return the target's name, its connections and its batch size."""
        connections = f"{self.connections} connection{'s' * (self.connections > 1)}"
        size = self.captures_per_request
        return f"{self.target.name}, {connections}" + (f", batches of {size}" if size > 1 else "")

    def add(self, outcome: Outcome, megabytes: float, cpu_seconds: float) -> None:
        """Add the figures of one round."""
        self.captures_per_second.values.append(outcome.captures / outcome.seconds)
        self.p50_ms.values.append(outcome.p50_ms)
        self.p99_ms.values.append(outcome.p99_ms)
        self.resident_megabytes.values.append(megabytes)
        self.cpu_microseconds.values.append(cpu_seconds * 1e6 / max(1, outcome.captures))
        self.failed += outcome.errors + outcome.failures


@dataclass
class Comparison:
    """The figures of all rounds; `left_out` has the reason for each row that is missing."""

    rows: list[Row] = field(default_factory=list)
    syncs_per_second: Spread = field(default_factory=Spread)
    commits_per_second: Spread = field(default_factory=Spread)
    left_out: dict[str, str] = field(default_factory=dict)


def compare(directory: Path, *, rounds: int, seconds: float, install: bool) -> Comparison:
    """Measure every target that is installed, one at a time.

    Args:
        directory: a folder for the databases and the servers' output.
        rounds: how many times each target is measured, after a shorter round that does not count.
        seconds: how long each time.
        install: whether missing packages may be installed.

    Raises:
        RuntimeError: a server does not start, or has acknowledged more captures than it has stored.
    """
    comparison = Comparison()
    with ExitStack() as running:
        servers: dict[str, Server] = {}
        for target in TARGETS:
            _start(target, directory, install, running, servers, comparison)
        comparison.rows = _create_rows(servers, comparison)
        acknowledged = dict.fromkeys(servers, 0)
        for number in range(rounds + 1):
            is_warm_up = number == 0
            label = "warming up …" if is_warm_up else f"round {number} of {rounds} …"
            print(label, file=sys.stderr, flush=True)
            round_seconds = seconds / 4 if is_warm_up else seconds
            for row in comparison.rows:
                server = servers[row.target.name]
                acknowledged[row.target.name] += _run(
                    row, server, directory, round_seconds, counts=not is_warm_up
                )
            if not is_warm_up:
                _measure_limits(comparison, directory, min(seconds, _MAX_LIMIT_SECONDS))
    _check_stored(servers, acknowledged, directory)
    return comparison


def _measure_limits(comparison: Comparison, directory: Path, seconds: float) -> None:
    comparison.syncs_per_second.values.append(measure_syncs(directory, seconds))
    comparison.commits_per_second.values.append(measure_commits(directory, seconds))


def _start(
    target: Target,
    directory: Path,
    install: bool,
    running: ExitStack,
    servers: dict[str, Server],
    comparison: Comparison,
) -> None:
    folder = directory / target.name.replace(" ", "-")
    folder.mkdir()
    try:
        server = target.start(folder, install)
    except NotInstalled as reason:
        comparison.left_out[target.name] = str(reason)
        return
    running.callback(server.stop)
    server.wait_until_ready()
    servers[target.name] = server


def _create_rows(servers: dict[str, Server], comparison: Comparison) -> list[Row]:
    rows = []
    for target in TARGETS:
        if target.name not in servers:
            continue
        if target.name == SERVICE:
            rows += [
                Row(target, connections)
                for connections in (MIN_CONNECTIONS, CONNECTIONS, MAX_CONNECTIONS)
            ]
            if _status_of(servers[SERVICE], BATCH_PATH) == _NOT_FOUND:
                comparison.left_out[f"batches of {BATCH_CAPTURES}"] = (
                    f"{BATCH_PATH} responds with {_NOT_FOUND}"
                )
            else:
                rows.append(Row(target, CONNECTIONS, BATCH_CAPTURES))
        else:
            rows.append(Row(target, CONNECTIONS))
    return rows


def _status_of(server: Server, path: str) -> int:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("POST", path, b"{}", {"Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def _run(row: Row, server: Server, directory: Path, seconds: float, *, counts: bool) -> int:
    """Run one load and return how many captures were acknowledged."""
    before = server.usage()
    path = BATCH_PATH if row.captures_per_request > 1 else row.target.path
    outcome = send(
        server.port, path, connections=row.connections, seconds=seconds, directory=directory,
        template=row.target.template, captures_per_request=row.captures_per_request,
    )  # fmt: skip
    after = server.usage()
    if counts:
        row.add(outcome, after.resident_megabytes, after.cpu_seconds - before.cpu_seconds)
    return outcome.captures


def _check_stored(
    servers: dict[str, Server], acknowledged: dict[str, int], directory: Path
) -> None:
    """Raise RuntimeError if a server has stored fewer captures than it has acknowledged.

    The figures of a server that loses captures mean nothing.
    """
    for target in TARGETS:
        if target.name in servers and target.stores:
            stored = count_payments(directory / target.name.replace(" ", "-"))
            if stored < acknowledged[target.name]:
                raise RuntimeError(
                    f"{target.name} acknowledged {acknowledged[target.name]} captures, "
                    f"but stored only {stored}."
                )


def find_row(
    rows: Sequence[Row], name: str, connections: int = CONNECTIONS, captures_per_request: int = 1
) -> Row | None:
    """Return the row of a target under a load, if it was measured."""
    for row in rows:
        load = (row.target.name, row.connections, row.captures_per_request)
        if load == (name, connections, captures_per_request):
            return row
    return None
