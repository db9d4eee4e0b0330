"""Who is measured: the capture service and the other ways of doing the same, each as a server with its load."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.installing import HERE, datasette_program, node_packages
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
class Contestant:
    """A way of taking captures. `start` takes a directory of its own and whether packages may be installed.

    `stores` is false for the one that only parses and answers.
    """

    name: str
    start: Callable[[Path, bool], Server]
    path: str = PAYMENT_PATH
    template: str = PAYMENT
    stores: bool = True


def database_in(directory: Path) -> Path:
    """The file that a contestant writes to."""
    return directory / "captures.db"


def start_service(directory: Path, _install: bool = False) -> Server:
    """The capture service, over the database in `directory` or a new one there."""
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
    database = _simple_database(
        directory, write_ahead_log=False
    )  # as a first version would have it
    return Server(
        PLAIN,
        [sys.executable, "-m", "bench.servers.plain_flask", "{port}", str(database)],
        directory,
    )


def _start_fastify(directory: Path, install: bool) -> Server:
    node = node_packages(install)
    database = _simple_database(directory)
    program = str(HERE / "servers" / "fastify_sqlite.js")
    return Server(
        FASTIFY, [node, program, "{port}", str(database)], directory, {"NODE_ENV": "production"}
    )


def _start_datasette(directory: Path, install: bool) -> Server:
    program = datasette_program(install)
    database = _simple_database(directory, "datasette_audit.sql")
    command = [
        program,
        "serve",
        str(database),
        "--port",
        "{port}",
        "--setting",
        "permissions.insert-row",
        "true",
    ]
    return Server(DATASETTE, command, directory)


CONTESTANTS = (
    Contestant(SERVICE, start_service),
    Contestant(BARE, _start_bare_route, stores=False),
    Contestant(PLAIN, _start_plain),
    Contestant(FASTIFY, _start_fastify),
    Contestant(
        DATASETTE,
        _start_datasette,
        f"/{database_in(Path()).stem}/payment_data/-/insert",
        DATASETTE_ROW,
    ),
)


def payments_in(directory: Path) -> int:
    """How many payments a contestant's file holds."""
    # To write, too: a server that was ended in the middle of a transaction leaves a journal, which is rolled back now.
    with closing(sqlite3.connect(database_in(directory))) as connection:
        return int(connection.execute("SELECT count(*) FROM payment_data").fetchone()[0])


def _service_flags(directory: Path) -> list[str]:
    return [
        "--port",
        "{port}",
        "--database",
        str(database_in(directory)),
        "--log-file",
        str(directory / "service.log"),
    ]


def _simple_database(directory: Path, *more_scripts: str, write_ahead_log: bool = True) -> Path:
    database = database_in(directory)
    with closing(sqlite3.connect(database)) as connection:
        if write_ahead_log:
            connection.execute("PRAGMA journal_mode = WAL")
        for script in ("simple_tables.sql", *more_scripts):
            connection.executescript((HERE / "servers" / script).read_text(encoding="utf-8"))
    return database
