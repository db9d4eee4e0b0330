"""Serve one app with granian, in one worker process that ends with its parent.

    this process (granian's main: signals, port)  ──  the worker (app, its threads, database)
                │
    the startup manager, if it started this process: it holds the other end of our standard input

SIGTERM and SIGINT stop a service gracefully: it accepts no new connections, and responds to every
request that it has accepted.
"""

from __future__ import annotations

import functools
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from flask import Flask
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer

from data_capture.server.buffering import BufferingAdapter
from data_capture.server.connections import ConnectionWatch
from data_capture.server.logging import configure_logging, logging_configuration, service_logger
from data_capture.server.parent_watch import (
    exit_when_database_lost,
    exit_with_parent,
    is_supervised,
    stop_with_manager,
)
from data_capture.server.ports import (
    find_listen_error,
    reserve_port,
    resolve_host,
    service_port,
    service_url,
)
from data_capture.settings import Settings
from data_capture.store import Store
from data_capture.store.sqlite.schema import DatabaseRefused, prepare, warn_of_other_readers
from data_capture.web.capture_log import CaptureLog

CreateApp = Callable[[Settings], Flask]

# Then granian kills the worker. It is longer than a write may wait for the database
# (`request_seconds`), and shorter than the manager waits, so that the stop stays graceful.
_STOP_SECONDS = 6

# granian applies this limit to connections and not to requests. With a small one, idle keep-alive
# connections of browsers would keep everyone else out. An idle connection costs a descriptor and
# 13 KB.
_MAX_CONNECTIONS = 8192
_OTHER_DESCRIPTORS = 128
# For the head of a request, counted from when the connection is ready for one, so that idle
# connections end with it, too.
_HEAD_SECONDS = 10
# For incomplete heads; granian's default would be 408 KB for each connection.
_MAX_HEAD_BYTES = 64 * 1024

# Arguments of `gc.set_threshold`: the allocations before a collection of the youngest generation;
# the number of those before one of the middle generation (at most 22,000 objects, some
# milliseconds); and the number of those before one of all objects: a million objects, or about
# 100 MB.
_GC_THRESHOLDS = (2_000, 10, 50)


def serve(name: str, create_app: CreateApp, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        name: `capture` or `signup`; it determines the port, and is the name in the log.
        create_app: creates the app, in the worker process. `app.extensions["store"]` is closed
            at the end.
        settings: of the service.

    Raises:
        SystemExit: status 1, after one sentence on standard error, if the service cannot start.
    """
    configure_logging(name, settings)
    _check_port(name, settings)
    _prepare_database(settings)
    max_connections = _raise_connection_limit()
    server = _create_server(name, settings, max_connections)
    # A forked worker inherits granian's SIGTERM handler, which does nothing there. Until granian
    # has set the worker's own, SIGTERM must end it.
    os.register_at_fork(
        after_in_child=functools.partial(signal.signal, signal.SIGTERM, signal.SIG_DFL)
    )
    stop_with_manager()
    worker = functools.partial(_create_adapter, name, create_app, settings, max_connections)
    log = service_logger(name)
    try:
        server.serve(target_loader=worker, wrap_loader=False)  # type: ignore[arg-type]  # an RSGI object
    except SystemExit:
        # Ctrl-C also reaches the worker, and granian then reports a crash, although it should end.
        if not server.interrupt_signal:
            log.error("The %s service's worker process ended by itself", name)
            raise
    log.info("Stopped")


def _check_port(name: str, settings: Settings) -> None:
    port = service_port(name, settings)
    error = reserve_port(settings.host, port) or find_listen_error(settings.host, port)
    if error is not None:
        _exit_with(f"Port {port} {error}. Choose another with --port or EDC_{name.upper()}_PORT.")


def _prepare_database(settings: Settings) -> None:
    supervised = is_supervised()
    try:
        # The manager has created the file. If it is gone, it was lost, and a new one would hide it.
        prepare(settings.database, may_create=not supervised)
    except DatabaseRefused as error:
        _exit_with(str(error))
    if not supervised:  # otherwise the manager has warned
        warn_of_other_readers(settings.database)


def _create_server(name: str, settings: Settings, max_connections: int) -> MPServer:
    server = MPServer(
        f"enhanced-data-capture {name}",
        address=resolve_host(settings.host),
        port=service_port(name, settings),
        interface=Interfaces.RSGI,
        loop=Loops.uvloop,
        runtime_mode=RuntimeModes.st,
        http=HTTPModes.http1,
        websockets=False,
        backpressure=max_connections,
        http1_settings=HTTP1Settings(
            header_read_timeout=_HEAD_SECONDS * 1000, max_buffer_size=_MAX_HEAD_BYTES
        ),
        workers_kill_timeout=_STOP_SECONDS,
        log_level=LogLevels.warning,
        log_dictconfig=logging_configuration(name, settings),
    )
    server.on_startup(functools.partial(_handle_hang_up, signal.getsignal(signal.SIGHUP)))
    return server


def _create_adapter(
    name: str, create_app: CreateApp, settings: Settings, max_connections: int
) -> BufferingAdapter:
    """Create the app and its adapter, in the worker process."""
    exit_with_parent()
    log = service_logger(name)
    app = create_app(settings)
    _reduce_garbage_collection()
    store: Store | None = app.extensions.get("store")
    if store is not None:
        exit_when_database_lost(store, log)

    capture_log: CaptureLog | None = app.extensions.get("capture_log")

    def on_open() -> None:
        watch.start()
        log.info("Listening on %s, database %s", service_url(name, settings), settings.database)

    def on_close() -> None:
        if capture_log is not None:
            capture_log.close()
        if store is not None:
            store.close()

    adapter = BufferingAdapter(
        app, max_wait_seconds=settings.request_seconds, on_open=on_open, on_close=on_close
    )
    watch = ConnectionWatch(
        service_port(name, settings),
        max_connections,
        adapter.list_clients_in_progress,
        settings.trusted_proxies > 0,
    )
    return adapter


def _reduce_garbage_collection() -> None:
    """Collect garbage in small steps, so that requests do not wait for it.

    With Python's thresholds, parsing 1 MB of small objects starts several traversals of all
    objects, of 100 ms each. The objects that exist now live as long as the process, so that
    `gc.freeze` excludes them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def _handle_hang_up(inherited: Any) -> None:
    """Stop when the terminal closes, unless started with `nohup`.

    granian would reload instead.
    """
    if inherited == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))


def _raise_connection_limit() -> int:
    """Raise the limit of descriptors, and return how many connections it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_CONNECTIONS + _OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return _MAX_CONNECTIONS
    return max(_OTHER_DESCRIPTORS, min(_MAX_CONNECTIONS, soft - _OTHER_DESCRIPTORS))


def _exit_with(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr, flush=True)
    sys.exit(1)
