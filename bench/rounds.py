"""The rounds: every server in turn, again and again, so that what the machine does meanwhile befalls them all."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from bench.contestants import BATCH_PATH, CONTESTANTS, SERVICE, Contestant, payments_in
from bench.installing import Missing
from bench.limits import commits_per_second, syncs_per_second
from bench.load import Outcome, send
from bench.processes import Server

CONNECTIONS = 32
MIN_CONNECTIONS, MAX_CONNECTIONS = 1, 256
BATCH_CAPTURES = 50
_LIMIT_SECONDS = 1.0
_NOT_FOUND = 404


@dataclass
class Spread:
    """A figure of several rounds."""

    values: list[float] = field(default_factory=list)

    @property
    def middle(self) -> float:
        """The median."""
        return median(self.values) if self.values else 0.0

    def __str__(self) -> str:
        return f"{self.middle:,.0f} ({min(self.values):,.0f}–{max(self.values):,.0f})"


@dataclass
class Row:
    """One line of the table: a contestant under one load."""

    contestant: Contestant
    connections: int
    captures_a_request: int = 1
    captures_per_second: Spread = field(default_factory=Spread)
    p50_ms: Spread = field(default_factory=Spread)
    p99_ms: Spread = field(default_factory=Spread)
    resident_megabytes: Spread = field(default_factory=Spread)
    cpu_microseconds: Spread = field(default_factory=Spread)
    failed: int = 0

    @property
    def label(self) -> str:
        """Who, and with how many connections or in which batches."""
        batches = f", batches of {self.captures_a_request}" if self.captures_a_request > 1 else ""
        return f"{self.contestant.name}, {self.connections} connection{'s' * (self.connections > 1)}{batches}"

    def add(self, outcome: Outcome, megabytes: float, cpu_seconds: float) -> None:
        """Adds a round's figures."""
        self.captures_per_second.values.append(outcome.captures / outcome.seconds)
        self.p50_ms.values.append(outcome.p50_ms)
        self.p99_ms.values.append(outcome.p99_ms)
        self.resident_megabytes.values.append(megabytes)
        self.cpu_microseconds.values.append(cpu_seconds * 1e6 / max(1, outcome.captures))
        self.failed += outcome.refusals + outcome.failures


@dataclass
class Comparison:
    """What the rounds gave; `left_out` says of each row that is missing why."""

    rows: list[Row] = field(default_factory=list)
    syncs_per_second: Spread = field(default_factory=Spread)
    commits_per_second: Spread = field(default_factory=Spread)
    left_out: dict[str, str] = field(default_factory=dict)


def compare(directory: Path, *, rounds: int, seconds: float, install: bool) -> Comparison:
    """Measures every contestant that can be had, `rounds` times for `seconds` each, one at a time.

    Raises:
        RuntimeError: a server has acknowledged more than it has stored, or does not start.
    """
    comparison = Comparison()
    with ExitStack() as running:
        servers: dict[str, Server] = {}
        for contestant in CONTESTANTS:
            _start(contestant, directory, install, running, servers, comparison)
        comparison.rows = _rows_for(servers, comparison)
        acknowledged = dict.fromkeys(servers, 0)
        for number in range(rounds + 1):  # the first warms up and does not count
            print(
                "warming up …" if number == 0 else f"round {number} of {rounds} …",
                file=sys.stderr,
                flush=True,
            )
            for row in comparison.rows:
                acknowledged[row.contestant.name] += _run(
                    row,
                    servers[row.contestant.name],
                    directory,
                    seconds if number else seconds / 4,
                    counts=number > 0,
                )
            if number:
                comparison.syncs_per_second.values.append(
                    syncs_per_second(directory, min(seconds, _LIMIT_SECONDS))
                )
                comparison.commits_per_second.values.append(
                    commits_per_second(directory, min(seconds, _LIMIT_SECONDS))
                )
    _check_stored(servers, acknowledged, directory)
    return comparison


def _start(
    contestant: Contestant,
    directory: Path,
    install: bool,
    running: ExitStack,
    servers: dict[str, Server],
    comparison: Comparison,
) -> None:
    folder = directory / contestant.name.replace(" ", "-")
    folder.mkdir()
    try:
        server = contestant.start(folder, install)
    except Missing as reason:
        comparison.left_out[contestant.name] = str(reason)
        return
    running.callback(server.stop)
    server.wait_until_ready()
    servers[contestant.name] = server


def _rows_for(servers: dict[str, Server], comparison: Comparison) -> list[Row]:
    rows = []
    for contestant in CONTESTANTS:
        if contestant.name not in servers:
            continue
        if contestant.name == SERVICE:
            rows += [
                Row(contestant, connections)
                for connections in (MIN_CONNECTIONS, CONNECTIONS, MAX_CONNECTIONS)
            ]
            if _status_of(servers[SERVICE], BATCH_PATH) == _NOT_FOUND:
                comparison.left_out[f"batches of {BATCH_CAPTURES}"] = (
                    f"{BATCH_PATH} answers {_NOT_FOUND}"
                )
            else:
                rows.append(Row(contestant, CONNECTIONS, BATCH_CAPTURES))
        else:
            rows.append(Row(contestant, CONNECTIONS))
    return rows


def _status_of(server: Server, path: str) -> int:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("POST", path, b"{}", {"Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def _run(row: Row, server: Server, directory: Path, seconds: float, *, counts: bool) -> int:
    """Runs one load; how many captures were acknowledged."""
    before = server.usage()
    path = BATCH_PATH if row.captures_a_request > 1 else row.contestant.path
    outcome = send(
        server.port, path, connections=row.connections, seconds=seconds, directory=directory,
        template=row.contestant.template, captures_a_request=row.captures_a_request,
    )  # fmt: skip
    after = server.usage()
    if counts:
        row.add(outcome, after.resident_megabytes, after.cpu_seconds - before.cpu_seconds)
    return outcome.captures


def _check_stored(
    servers: dict[str, Server], acknowledged: dict[str, int], directory: Path
) -> None:
    """A benchmark of a server that answers and does not store would be of no use."""
    for contestant in CONTESTANTS:
        if contestant.name in servers and contestant.stores:
            stored = payments_in(directory / contestant.name.replace(" ", "-"))
            if stored < acknowledged[contestant.name]:
                raise RuntimeError(
                    f"{contestant.name} acknowledged {acknowledged[contestant.name]} captures and holds {stored}"
                )


def row_of(
    rows: Sequence[Row], name: str, connections: int = CONNECTIONS, captures_a_request: int = 1
) -> Row | None:
    """The row of a contestant under that load, if it was measured."""
    for row in rows:
        if (row.contestant.name, row.connections, row.captures_a_request) == (
            name,
            connections,
            captures_a_request,
        ):
            return row
    return None
