"""Close connections that keep others out: too many of one address, those first that have had no answer for the longest.

granian accepts a number of connections and leaves all others waiting, and has no hook where a connection is accepted. So
a thread looks at the sockets of this process, and shuts down what is too much; granian then sees a closed connection.
It needs Linux's /proc and does nothing elsewhere.
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

MAX_OF_ADDRESS = 512
_MAX_FILLED = 0.75  # of all connections that granian accepts
_UNANSWERED_MS = 1000  # a connection that was answered or opened since then is left alone
_QUIET_MS = 1000

_DESCRIPTORS = "/proc/self/fd"
_SWEEP_SECONDS, _SWEEP_ON_SECONDS = 1.0, 0.5
# struct tcp_info (linux/tcp.h): tcpi_last_data_sent, which begins with the connection, and tcpi_last_data_recv
_TCP_INFO = struct.Struct("=44xI4xI")


class Connection(NamedTuple):
    """An open connection of the service."""

    descriptor: int
    address: str
    port: int
    unanswered_ms: int
    """Since the last bytes of an answer, or since it was opened."""
    quiet_ms: int
    """Since the last bytes of the client."""


class ConnectionWatch:
    """Watches the connections of this process.

    Args:
        port: the service's.
        max_connections: how many granian accepts.
        being_answered: gives the addresses and ports, as granian writes them, whose requests are being answered.
        is_behind_proxy: whether connections from private addresses are those of proxies, which stand for many callers.
    """

    def __init__(
        self,
        port: int,
        max_connections: int,
        being_answered: Callable[[], set[str]],
        is_behind_proxy: bool,
    ) -> None:
        self._port = port
        self._max_connections = int(max_connections * _MAX_FILLED)
        self._being_answered = being_answered
        self._is_behind_proxy = is_behind_proxy
        self._answered_before: set[str] = set()

    def start(self) -> None:
        """Watch until the process ends."""
        if os.path.isdir(_DESCRIPTORS) and hasattr(socket, "TCP_INFO"):
            threading.Thread(target=self._run, name="connections", daemon=True).start()

    def _run(self) -> None:
        waiting = threading.Event()
        seconds = _SWEEP_SECONDS
        while not waiting.wait(seconds):
            seconds = _SWEEP_ON_SECONDS if self.sweep() else _SWEEP_SECONDS

    def sweep(self) -> int:
        """Shut down what is too much, and return how many connections that were."""
        descriptors = os.listdir(_DESCRIPTORS)
        if len(descriptors) <= MAX_OF_ADDRESS:
            return 0
        connections = connections_of(self._port, map(int, descriptors))
        try:
            answering = {client.rpartition(":")[2] for client in self._being_answered()}
        except TimeoutError:
            return 0  # requests may have arrived that nobody has looked at
        # One that was answered a moment ago may still be sending that answer.
        spared, self._answered_before = answering | self._answered_before, answering
        too_many = excess(connections, spared, self._max_connections, self._is_behind_proxy)
        return sum(_shut_down(connection) for connection in too_many)


def excess(
    connections: Iterable[Connection],
    spared: Container[str],
    max_connections: int,
    is_behind_proxy: bool,
) -> list[Connection]:
    """The connections to close, so that each address and all together have no more than they may.

    Args:
        connections: all that are open.
        spared: the ports of clients whose requests are being answered.
        max_connections: how many there may be in total.
        is_behind_proxy: whether private addresses are proxies', which stand for many callers.
    """
    by_caller: dict[str, list[Connection]] = defaultdict(list)
    for connection in connections:
        by_caller[caller_of(connection.address)].append(connection)
    limits = {caller: _limit_of(caller, max_connections, is_behind_proxy) for caller in by_caller}
    share = fair_share(
        [min(len(theirs), limits[caller]) for caller, theirs in by_caller.items()], max_connections
    )
    too_many: list[Connection] = []
    for caller, theirs in by_caller.items():
        number = len(theirs) - min(limits[caller], share)
        if number > 0:
            closable = [
                connection
                for connection in theirs
                if connection.unanswered_ms >= _UNANSWERED_MS and str(connection.port) not in spared
            ]
            closable.sort(
                key=lambda connection: (connection.quiet_ms < _QUIET_MS, -connection.unanswered_ms)
            )
            too_many += closable[:number]
    return too_many


def connections_of(port: int, descriptors: Iterable[int]) -> list[Connection]:
    """Those of the descriptors that are connections to `port`."""
    return [
        found for descriptor in descriptors if (found := _connection(port, descriptor)) is not None
    ]


@lru_cache(maxsize=4096)
def _limit_of(caller: str, max_connections: int, is_behind_proxy: bool) -> int:
    is_proxy = is_behind_proxy and ipaddress.ip_network(caller).is_private
    return max_connections if is_proxy else MAX_OF_ADDRESS


def _connection(port: int, descriptor: int) -> Connection | None:
    # The family only sizes the buffer for addresses, where IPv6 has room for both. The descriptor stays granian's.
    try:
        looked_at = socket.socket(
            socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=descriptor
        )
    except OSError:
        return None
    try:
        if looked_at.getsockname()[1] != port:
            return None
        address, remote_port = looked_at.getpeername()[:2]
        since = _TCP_INFO.unpack(
            looked_at.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
        )
        return Connection(descriptor, str(address), int(remote_port), *since)
    except (OSError, TypeError, ValueError, IndexError, struct.error):
        return None  # a file, the listening socket, one of another kind, or closed meanwhile
    finally:
        looked_at.detach()


def _shut_down(seen: Connection) -> bool:
    """Shut a connection down, unless it was answered or its descriptor became another's since it was seen."""
    with suppress(OSError):
        copy = socket.socket(fileno=os.dup(seen.descriptor))
        with copy:
            address, port = copy.getpeername()[:2]
            unanswered_ms, _ = _TCP_INFO.unpack(
                copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
            )
            if (address, port) == (seen.address, seen.port) and unanswered_ms >= seen.unanswered_ms:
                copy.shutdown(socket.SHUT_RDWR)
                return True
    return False
