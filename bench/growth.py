"""Measure the capture service over large files, and its memory."""

from __future__ import annotations

import itertools
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

from bench.client import generate_bodies
from bench.load import PAYMENT, USERS, send
from bench.processes import Server
from bench.rounds import CONNECTIONS, Spread
from bench.targets import PAYMENT_PATH, database_in, start_service
from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, Capture, parse_capture
from data_capture.json_codec import decode_json_object
from data_capture.store import Store
from data_capture.store.sqlite.captures import record_capture
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.schema import prepare

BUSY_USER = "busy@example.com"
BUSY_USER_ROWS = 1000
_CAPTURES_PER_TRANSACTION = 5000
_STORE_TIMEOUT_SECONDS = 60.0
_STATISTICS_CALLS = 1000
_FIRST_READING_DIVISOR = 10  # memory is first read after a tenth of the captures


@dataclass
class Size:
    """The figures over a file that already contained `captures` captures."""

    captures: int
    captures_per_second: Spread = field(default_factory=Spread)
    p99_ms: Spread = field(default_factory=Spread)
    statistics_p50_ms: float = 0.0
    statistics_p99_ms: float = 0.0


@dataclass
class Memory:
    """The service's resident memory after the first captures, and after all."""

    captures: int
    first_captures: int
    megabytes_at_first: float
    megabytes: float


def measure_sizes(
    directory: Path, sizes: Sequence[int], *, rounds: int, seconds: float
) -> list[Size]:
    """Measure files of these sizes in alternating rounds.

    Measures the throughput with 32 connections, and the latency of one user's statistics.
    """
    measured = [Size(captures) for captures in sizes]
    with ExitStack() as running:
        servers: list[Server] = []
        for size in measured:
            folder = directory / f"{size.captures}-captures"
            folder.mkdir()
            fill(database_in(folder), size.captures)
            server = start_service(folder)
            running.callback(server.stop)
            server.wait_until_ready()
            servers.append(server)
        for number in range(rounds):
            for size, server in zip(measured, servers, strict=True):
                print(
                    f"over {size.captures:,} captures, round {number + 1} of {rounds} …",
                    file=sys.stderr,
                    flush=True,
                )
                outcome = send(
                    server.port,
                    PAYMENT_PATH,
                    connections=CONNECTIONS,
                    seconds=seconds,
                    directory=directory,
                )
                size.captures_per_second.values.append(outcome.captures / outcome.seconds)
                size.p99_ms.values.append(outcome.p99_ms)
        for size, server in zip(measured, servers, strict=True):
            size.statistics_p50_ms, size.statistics_p99_ms = _measure_statistics(server)
    return measured


def measure_memory(directory: Path, captures: int, seconds: float) -> Memory:
    """Measure resident memory after a tenth of `captures`, and after all of them."""
    folder = directory / "memory"
    folder.mkdir()
    server = start_service(folder)
    try:
        server.wait_until_ready()
        acknowledged, first_captures = 0, 0
        megabytes_at_first = 0.0
        while acknowledged < captures:
            print(
                f"memory: {acknowledged:,} of {captures:,} captures …", file=sys.stderr, flush=True
            )
            outcome = send(
                server.port,
                PAYMENT_PATH,
                connections=CONNECTIONS,
                seconds=seconds,
                directory=directory,
            )
            if not outcome.captures:
                raise RuntimeError("The capture service no longer accepts captures.")
            acknowledged += outcome.captures
            if not first_captures and acknowledged >= captures // _FIRST_READING_DIVISOR:
                first_captures, megabytes_at_first = acknowledged, server.usage().resident_megabytes
        return Memory(
            acknowledged, first_captures, megabytes_at_first, server.usage().resident_megabytes
        )
    finally:
        server.stop()


def fill(database: Path, captures: int) -> None:
    """Create a file with this many captures, through the store.

    From 1,000 on, the first 1,000 belong to one user.
    """
    prepare(database)
    if not captures:
        return
    store = Store(database, _STORE_TIMEOUT_SECONDS)
    pending = _generate_captures(captures)
    stored = 0

    def record(batch: Sequence[Capture]) -> Callable[[StoreConnection], int]:
        return lambda connection: len([record_capture(connection, each) for each in batch])

    try:
        while stored < captures:
            print(
                f"filling a file: {stored:,} of {captures:,} captures …",
                file=sys.stderr,
                flush=True,
            )
            stored += store.write(
                record(list(itertools.islice(pending, _CAPTURES_PER_TRANSACTION)))
            )
    finally:
        store.close()


def _generate_captures(number: int) -> Iterator[Capture]:
    kind = KINDS["payment"]
    caller = Caller(PAYMENT_PATH, "127.0.0.1", "bench", datetime.now(timezone.utc))
    busy_until = BUSY_USER_ROWS if number >= BUSY_USER_ROWS else 0
    bodies = generate_bodies(PAYMENT, 1, USERS, str(uuid.uuid4()).rpartition("-")[0])
    for index, body in enumerate(itertools.islice(bodies, number)):
        payload = decode_json_object(body)
        if index < busy_until:
            payload["user_email"] = BUSY_USER
        yield parse_capture(kind, payload, caller, ())


def _measure_statistics(server: Server) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds, for one caller that asks again and again."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    milliseconds = []
    try:
        for _ in range(_STATISTICS_CALLS):
            started_at = time.perf_counter()
            connection.request("GET", f"/api/data-capture/stats/{BUSY_USER}")
            response = connection.getresponse()
            response.read()
            milliseconds.append((time.perf_counter() - started_at) * 1000)
            if response.status != HTTPStatus.OK:
                raise RuntimeError(f"The statistics got status {response.status}, not 200.")
    finally:
        connection.close()
    milliseconds.sort()
    return milliseconds[len(milliseconds) // 2], milliseconds[len(milliseconds) * 99 // 100]
