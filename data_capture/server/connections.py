"""Close connections that keep others out.

Those that have waited longest for a response are closed first.

granian accepts a limited number of connections, leaves all others waiting, and calls nothing when
it accepts one. So a thread looks at the sockets of this process, and shuts down those beyond the
limits; granian then sees a closed connection. This needs Linux's /proc and does nothing elsewhere.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

from data_capture.limits.callers import caller_of, fair_share

MAX_CONNECTIONS_PER_ADDRESS = 512
_MAX_USED_FRACTION = 0.75  # of all connections that granian accepts
# A connection that was opened, or got a response, more recently is kept.
_MIN_UNANSWERED_MS = 1000
_IDLE_MS = 1000

_DESCRIPTORS = "/proc/self/fd"
_SWEEP_SECONDS, _NEXT_SWEEP_SECONDS = 1.0, 0.5
# struct tcp_info (linux/tcp.h): tcpi_last_data_sent, which begins with the connection, and
# tcpi_last_data_recv.
_TCP_INFO = struct.Struct("=44xI4xI")


class Connection(NamedTuple):
    """An open connection to the service."""

    descriptor: int
    address: str
    port: int
    """The client's."""
    unanswered_ms: int
    """Since the last bytes of a response, or since the connection was opened."""
    idle_ms: int
    """Since the last bytes from the client."""


class ConnectionWatch:
    """Watch the connections of this process.

    Args:
        port: the service's.
        max_connections: the number that granian accepts.
        list_clients_in_progress: returns the addresses with ports, as granian writes them, of all
            clients whose requests are in progress.
        is_behind_proxy: whether private addresses are proxies, which serve many callers.
    """

    def __init__(
        self,
        port: int,
        max_connections: int,
        list_clients_in_progress: Callable[[], set[str]],
        is_behind_proxy: bool,
    ) -> None:
        self._port = port
        self._max_connections = int(max_connections * _MAX_USED_FRACTION)
        self._clients_in_progress = list_clients_in_progress
        self._is_behind_proxy = is_behind_proxy
        self._previously_in_progress: set[str] = set()

    def start(self) -> None:
        """Watch in a thread, until the process ends."""
        if os.path.isdir(_DESCRIPTORS) and hasattr(socket, "TCP_INFO"):
            threading.Thread(target=self._sweep_forever, name="connections", daemon=True).start()

    def _sweep_forever(self) -> None:
        never = threading.Event()
        seconds = _SWEEP_SECONDS
        while not never.wait(seconds):
            seconds = _NEXT_SWEEP_SECONDS if self.sweep() else _SWEEP_SECONDS

    def sweep(self) -> int:
        """Shut down the connections beyond the limits, and return their number."""
        descriptors = os.listdir(_DESCRIPTORS)
        if len(descriptors) <= MAX_CONNECTIONS_PER_ADDRESS:
            return 0
        connections = _list_connections(self._port, map(int, descriptors))
        try:
            in_progress = {client.rpartition(":")[2] for client in self._clients_in_progress()}
        except TimeoutError:
            return 0  # the event loop may not have seen requests that have arrived
        # A response that began before the previous sweep may still be on its way.
        spared = in_progress | self._previously_in_progress
        self._previously_in_progress = in_progress
        excess = select_excess(connections, spared, self._max_connections, self._is_behind_proxy)
        return sum(map(_shut_down, excess))


def select_excess(
    connections: Iterable[Connection],
    spared_ports: Container[str],
    max_connections: int,
    is_behind_proxy: bool,
) -> list[Connection]:
    """Return the connections to close, so that callers keep their limits.

    Args:
        connections: all that are open.
        spared_ports: the ports of clients whose requests are in progress.
        max_connections: the limit in total.
        is_behind_proxy: whether private addresses are proxies, which serve many callers.
    """
    by_caller: dict[str, list[Connection]] = defaultdict(list)
    for connection in connections:
        by_caller[caller_of(connection.address)].append(connection)
    limits = {
        caller: _connection_limit(caller, max_connections, is_behind_proxy) for caller in by_caller
    }
    counts = [min(len(group), limits[caller]) for caller, group in by_caller.items()]
    share = fair_share(counts, max_connections)
    excess: list[Connection] = []
    for caller, group in by_caller.items():
        number = len(group) - min(limits[caller], share)
        if number > 0:
            closable = [
                connection
                for connection in group
                if connection.unanswered_ms >= _MIN_UNANSWERED_MS
                and str(connection.port) not in spared_ports
            ]
            closable.sort(key=_closing_order)
            excess += closable[:number]
    return excess


def _closing_order(connection: Connection) -> tuple[bool, int]:
    """Sort idle connections first, then those that waited longest for a response."""
    return connection.idle_ms < _IDLE_MS, -connection.unanswered_ms


# `ip_network` takes 46 µs, and a sweep asks for thousands of callers (timeit).
@lru_cache(maxsize=4096)
def _connection_limit(caller: str, max_connections: int, is_behind_proxy: bool) -> int:
    is_proxy = is_behind_proxy and ipaddress.ip_network(caller).is_private
    return max_connections if is_proxy else MAX_CONNECTIONS_PER_ADDRESS


def _list_connections(port: int, descriptors: Iterable[int]) -> list[Connection]:
    connections = (_inspect_socket(port, descriptor) for descriptor in descriptors)
    return [connection for connection in connections if connection is not None]


def _inspect_socket(port: int, descriptor: int) -> Connection | None:
    """Return the connection of a descriptor; None if it is no connection to `port`."""
    # The family only determines the size of the buffer for addresses; IPv6's holds both.
    try:
        view = socket.socket(
            socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=descriptor
        )
    except OSError:
        return None
    try:
        if view.getsockname()[1] != port:
            return None
        address, client_port = view.getpeername()[:2]
        return Connection(descriptor, str(address), int(client_port), *_read_tcp_info(view))
    except (OSError, TypeError, ValueError, IndexError, struct.error):
        return None  # a file, the listening socket, another kind of socket, or closed meanwhile
    finally:
        view.detach()  # the descriptor belongs to granian


def _shut_down(seen: Connection) -> bool:
    """Shut a connection down, and return whether that was done.

    It is kept if it got a response meanwhile, or if its descriptor now belongs to another one.
    """
    with suppress(OSError), socket.socket(fileno=os.dup(seen.descriptor)) as copy:
        address, port = copy.getpeername()[:2]
        unanswered_ms, _ = _read_tcp_info(copy)
        if (address, port) == (seen.address, seen.port) and unanswered_ms >= seen.unanswered_ms:
            copy.shutdown(socket.SHUT_RDWR)
            return True
    return False


def _read_tcp_info(connection: socket.socket) -> tuple[int, int]:
    """Return the milliseconds since the last bytes to and from the client."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    sent_ms, received_ms = _TCP_INFO.unpack(info)
    return sent_ms, received_ms
