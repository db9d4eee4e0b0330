"""The capture service over files that already hold many captures, and its memory after many more."""

from __future__ import annotations

import itertools
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http.client import HTTPConnection
from pathlib import Path

from bench.client import bodies
from bench.contestants import PAYMENT_PATH, database_in, start_service
from bench.load import PAYMENT, USERS, send
from bench.processes import Server
from bench.rounds import CONNECTIONS, Spread
from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, Capture, parse_capture
from data_capture.json_codec import decode_json_object
from data_capture.store import Store
from data_capture.store.sqlite.captures import record_capture
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.schema import prepare

BUSY_USER = "busy@example.com"
BUSY_USER_ROWS = 1000
_CAPTURES_A_TRANSACTION = 5000
_STORE_SECONDS = 60.0
_STATISTICS_CALLS = 1000
_FIRST_SHARE = 10  # memory is first read after a tenth of the captures


@dataclass
class Size:
    """What was measured over a file with so many captures in it."""

    captures: int
    captures_per_second: Spread = field(default_factory=Spread)
    p99_ms: Spread = field(default_factory=Spread)
    statistics_p50_ms: float = 0.0
    statistics_p99_ms: float = 0.0


@dataclass
class Memory:
    """The service's resident memory while it took captures one by one."""

    captures: int
    first_captures: int
    megabytes_at_first: float
    megabytes: float


def measure_sizes(
    directory: Path, sizes: Sequence[int], *, rounds: int, seconds: float
) -> list[Size]:
    """Throughput with 32 connections and the latency of one person's statistics, over files of these sizes in turn."""
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
            size.statistics_p50_ms, size.statistics_p99_ms = _statistics_latency(server)
    return measured


def measure_memory(directory: Path, captures: int, seconds: float) -> Memory:
    """Resident memory after a tenth of `captures` and after all of them."""
    folder = directory / "memory"
    folder.mkdir()
    server = start_service(folder)
    try:
        server.wait_until_ready()
        taken, first = 0, 0
        megabytes_at_first = 0.0
        while taken < captures:
            print(f"memory: {taken:,} of {captures:,} captures …", file=sys.stderr, flush=True)
            outcome = send(
                server.port,
                PAYMENT_PATH,
                connections=CONNECTIONS,
                seconds=seconds,
                directory=directory,
            )
            if not outcome.captures:
                raise RuntimeError("The capture service takes nothing any more.")
            taken += outcome.captures
            if not first and taken >= captures // _FIRST_SHARE:
                first, megabytes_at_first = taken, server.usage().resident_megabytes
        return Memory(taken, first, megabytes_at_first, server.usage().resident_megabytes)
    finally:
        server.stop()


def fill(database: Path, captures: int) -> None:
    """Makes a file with that many captures, through the store itself; from 1,000 on, that many of one person."""
    prepare(database)
    if not captures:
        return
    store = Store(database, _STORE_SECONDS)
    waiting = iter(_captures(captures))
    stored = 0

    def record(some: Sequence[Capture]) -> Callable[[StoreConnection], int]:
        return lambda connection: len([record_capture(connection, one) for one in some])

    try:
        while stored < captures:
            print(
                f"filling a file: {stored:,} of {captures:,} captures …",
                file=sys.stderr,
                flush=True,
            )
            stored += store.write(record(list(itertools.islice(waiting, _CAPTURES_A_TRANSACTION))))
    finally:
        store.close()


def _captures(number: int) -> Iterator[Capture]:
    kind = KINDS["payment"]
    caller = Caller(PAYMENT_PATH, "127.0.0.1", "bench", datetime.now(timezone.utc))
    busy_until = BUSY_USER_ROWS if number >= BUSY_USER_ROWS else 0
    everybody = bodies(PAYMENT, 1, USERS, str(uuid.uuid4()).rpartition("-")[0])
    for place, body in enumerate(itertools.islice(everybody, number)):
        payload = decode_json_object(body)
        if place < busy_until:
            payload["user_email"] = BUSY_USER
        yield parse_capture(kind, payload, caller, ())


def _statistics_latency(server: Server) -> tuple[float, float]:
    """p50 and p99, in milliseconds, of one caller asking again and again."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    milliseconds = []
    try:
        for _ in range(_STATISTICS_CALLS):
            started_at = time.perf_counter()
            connection.request("GET", f"/api/data-capture/stats/{BUSY_USER}")
            answer = connection.getresponse()
            answer.read()
            milliseconds.append((time.perf_counter() - started_at) * 1000)
            if answer.status != 200:
                raise RuntimeError(f"Statistics were answered {answer.status}.")
    finally:
        connection.close()
    milliseconds.sort()
    return milliseconds[len(milliseconds) // 2], milliseconds[len(milliseconds) * 99 // 100]
