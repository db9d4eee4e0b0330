"""How a service is served: one granian worker process, whole requests only, and an end when whoever started it ends.

    this process (granian's main: signals, port)  ──  the worker (the app, its threads, the database)
                │
    the startup manager, when it started this process: its end of our standard input is the lifeline

A service ends gracefully on SIGTERM and SIGINT: no new connection is taken, every request that was is answered.
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
from granian.constants import HTTPModes, Interfaces, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer

from data_capture.server.buffering import BufferingAdapter
from data_capture.server.connections import ConnectionWatch
from data_capture.server.logging import configure_logging, log_of, logging_configuration
from data_capture.server.parent_watch import (
    end_with_loss,
    end_with_manager,
    end_with_parent,
    is_supervised,
)
from data_capture.server.ports import address_of, claim, service_port, service_url, why_not_listen
from data_capture.settings import Settings
from data_capture.store.sqlite.schema import DatabaseRefused, prepare, warn_of_other_readers

CreateApp = Callable[[Settings], Flask]

# granian kills a worker that has not ended by then. It is more than a write may wait for the database (`request_seconds`),
# and less than the manager waits, so that the end stays orderly.
_ENDING_SECONDS = 6

# granian counts connections, not requests, against this limit and leaves the rest unaccepted, so that idle keep-alive
# connections of browsers starve everybody when it is small. An idle connection costs a descriptor and 13 KB.
_MAX_CONNECTIONS = 8192
_DESCRIPTORS_FOR_ELSE = 128
# For a request's head, from the moment when the connection waits for one: idle connections end with it, too.
_HEAD_SECONDS = 10
_MAX_HEAD_BYTES = (
    64 * 1024
)  # half-sent heads are kept; granian's own limit would be 408 KB for each connection

# How many objects are made before the youngest generation is collected, how many such collections come before the next
# generation's (of 22,000 objects at most, some milliseconds), and how many of those before all objects are traversed: a
# million objects, or about 100 MB.
_GARBAGE_THRESHOLDS = (2_000, 10, 50)


def serve(name: str, create_app: CreateApp, settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT.

    Args:
        name: `capture` or `signup`: which port, and the name in the log.
        create_app: makes the app; called in the process that serves. `app.extensions["store"]` is closed in the end.
        settings: of this command.

    Raises:
        SystemExit: status 1, after one sentence on standard error, when the service can't start.
    """
    configure_logging(name, settings)
    port = service_port(name, settings)
    reason = claim(settings.host, port) or why_not_listen(settings.host, port)
    if reason is not None:
        _refuse(f"Port {port} {reason}. Choose another with --port or EDC_{name.upper()}_PORT.")
    supervised = is_supervised()
    try:
        # The manager made the file: one that is gone since then is a loss, which an empty new one would only hide.
        prepare(settings.database, may_create=not supervised)
    except DatabaseRefused as refusal:
        _refuse(str(refusal))
    if not supervised:  # else the manager has said it
        warn_of_other_readers(settings.database)
    max_connections = _connection_limit()
    server = MPServer(
        f"enhanced-data-capture {name}",
        address=address_of(settings.host),
        port=port,
        interface=Interfaces.RSGI,
        runtime_mode=RuntimeModes.st,
        http=HTTPModes.http1,
        websockets=False,
        backpressure=max_connections,
        http1_settings=HTTP1Settings(
            header_read_timeout=_HEAD_SECONDS * 1000, max_buffer_size=_MAX_HEAD_BYTES
        ),
        workers_kill_timeout=_ENDING_SECONDS,
        log_level=LogLevels.warning,
        log_dictconfig=logging_configuration(name, settings),
    )
    server.on_startup(functools.partial(_follow_hang_up, signal.getsignal(signal.SIGHUP)))
    # Until granian has set the worker's own, SIGTERM would run the handler that it inherits, which does nothing there.
    os.register_at_fork(
        after_in_child=functools.partial(signal.signal, signal.SIGTERM, signal.SIG_DFL)
    )
    end_with_manager()
    worker = functools.partial(_open_app, name, create_app, settings, max_connections)
    try:
        server.serve(target_loader=worker, wrap_loader=False)  # type: ignore[arg-type]  # an object as RSGI has it
    except SystemExit:
        # Ctrl-C reaches the worker too, which granian then takes for a crash; it was asked to end, and it did.
        if not server.interrupt_signal:
            log_of(name).error("The %s service's worker process ended by itself", name)
            raise
    log_of(name).info("Stopped")


def _open_app(
    name: str, create_app: CreateApp, settings: Settings, max_connections: int
) -> BufferingAdapter:
    """Called in the worker process."""
    end_with_parent()
    app = create_app(settings)
    _collect_garbage_seldom()
    store: Any = app.extensions.get("store")
    if store is not None:
        end_with_loss(store, log_of(name))
    url = service_url(name, settings)

    def opened() -> None:
        watch.start()
        log_of(name).info("Listening on %s, database %s", url, settings.database)

    def closed() -> None:
        if store is not None:
            store.close()

    served = BufferingAdapter(
        app, patience_seconds=settings.request_seconds, opened=opened, closed=closed
    )
    watch = ConnectionWatch(
        service_port(name, settings),
        max_connections,
        served.clients_being_answered,
        settings.trusted_proxies > 0,
    )
    return served


def _collect_garbage_seldom() -> None:
    """Collect garbage in smaller steps and all of it seldom, so that one request's objects do not delay the others.

    With Python's thresholds, parsing 1 MB of small objects starts several traversals of all objects, of 100 ms each. The
    objects that exist by now live as long as the process; they are not traversed again (`gc.freeze`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE_THRESHOLDS)


def _follow_hang_up(disposition: Any) -> None:
    """Ends with the terminal, unless it was started with `nohup`; granian would restart its worker instead."""
    if disposition == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))


def _connection_limit() -> int:
    """How many connections to accept at once: as many as there can be descriptors for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_CONNECTIONS + _DESCRIPTORS_FOR_ELSE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return _MAX_CONNECTIONS
    return max(_DESCRIPTORS_FOR_ELSE, min(_MAX_CONNECTIONS, soft - _DESCRIPTORS_FOR_ELSE))


def _refuse(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr, flush=True)
    sys.exit(1)
