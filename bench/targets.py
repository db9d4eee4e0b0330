"""The servers that are measured: the capture service and four others."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.installing import HERE, find_datasette, find_node
from bench.load import DATASETTE_ROW, PAYMENT
from bench.processes import Server

SERVICE = "capture service"
BARE = "bare Flask route"
PLAIN = "plain way"
FASTIFY = "Fastify + better-sqlite3"
DATASETTE = "Datasette"

PAYMENT_PATH = "/api/data-capture/payment"
BATCH_PATH = "/api/data-capture/batch"


@dataclass(frozen=True)
class Target:
    """A server that takes captures.

    Args:
        name: its name in the report.
        start: starts it; takes its own directory, and whether packages may be installed.
        path: the path that takes a single capture.
        template: a capture as JSON, with placeholders.
        stores: False for a server that only parses the capture and responds.
    """

    name: str
    start: Callable[[Path, bool], Server]
    path: str = PAYMENT_PATH
    template: str = PAYMENT
    stores: bool = True


def database_in(directory: Path) -> Path:
    """Return the file that a target writes to."""
    return directory / "captures.db"


def start_service(directory: Path, _install: bool = False) -> Server:
    """Start the capture service on the database in `directory`, or on a new one there."""
    return Server(
        SERVICE,
        [sys.executable, "enhanced_data_capture_system.py", *_service_flags(directory)],
        directory,
    )


def _start_bare_route(directory: Path, _install: bool) -> Server:
    return Server(
        BARE,
        [sys.executable, "-m", "bench.servers.bare_route", *_service_flags(directory)],
        directory,
    )


def _start_plain(directory: Path, _install: bool) -> Server:
    database = _create_simple_database(directory, wal=False)  # as a first version would do
    return Server(
        PLAIN,
        [sys.executable, "-m", "bench.servers.plain_flask", "{port}", str(database)],
        directory,
    )


def _start_fastify(directory: Path, install: bool) -> Server:
    node = find_node(install=install)
    database = _create_simple_database(directory)
    program = str(HERE / "servers" / "fastify_sqlite.js")
    return Server(
        FASTIFY, [node, program, "{port}", str(database)], directory, {"NODE_ENV": "production"}
    )


def _start_datasette(directory: Path, install: bool) -> Server:
    program = find_datasette(install=install)
    database = _create_simple_database(directory, "datasette_audit.sql")
    command = [
        *(program, "serve", str(database), "--port", "{port}"),
        *("--setting", "permissions.insert-row", "true"),
    ]
    return Server(DATASETTE, command, directory)


TARGETS = (
    Target(SERVICE, start_service),
    Target(BARE, _start_bare_route, stores=False),
    Target(PLAIN, _start_plain),
    Target(FASTIFY, _start_fastify),
    Target(
        DATASETTE,
        _start_datasette,
        f"/{database_in(Path()).stem}/payment_data/-/insert",
        DATASETTE_ROW,
    ),
)


def count_payments(directory: Path) -> int:
    """Return the number of payments in a target's file."""
    # Opened for writing, too: SQLite rolls back the journal of a server that was killed in the
    # middle of a transaction.
    with closing(sqlite3.connect(database_in(directory))) as connection:
        return int(connection.execute("SELECT count(*) FROM payment_data").fetchone()[0])


def _service_flags(directory: Path) -> list[str]:
    return [
        *("--port", "{port}", "--database", str(database_in(directory))),
        *("--log-file", str(directory / "service.log")),
    ]


def _create_simple_database(directory: Path, *more_scripts: str, wal: bool = True) -> Path:
    database = database_in(directory)
    with closing(sqlite3.connect(database)) as connection:
        if wal:
            connection.execute("PRAGMA journal_mode = WAL")
        for script in ("simple_tables.sql", *more_scripts):
            connection.executescript((HERE / "servers" / script).read_text(encoding="utf-8"))
    return database
