"""Find the ports on which processes of this machine listen, on Linux.

Linux shows a user the sockets of that user's processes, and the superuser all of them. Other
systems show none: the functions then find nothing.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_LISTEN = "0A"  # TCP_LISTEN, proc_pid_net(5)


class ListeningSocket(NamedTuple):
    """A socket that accepts connections."""

    host: str
    port: int


def find_listening_sockets(process: int) -> set[ListeningSocket]:
    """Return the addresses on which a process listens."""
    own = _socket_numbers(process)
    return {address for number, address in _listening_sockets() if number in own}


def find_processes_listening_at(port: int) -> list[int]:
    """Return the processes that listen on a port, at any address."""
    numbers = {number for number, address in _listening_sockets() if address.port == port}
    if not numbers:
        return []
    processes = (int(folder.name) for folder in Path("/proc").glob("[0-9]*"))
    return sorted(process for process in processes if numbers & _socket_numbers(process))


def _listening_sockets() -> Iterator[tuple[str, ListeningSocket]]:
    """Yield the number and the address of each listening socket."""
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path(f"/proc/self/net/{name}").read_text().splitlines()[1:]:
                fields = line.split()
                host, _, port = fields[1].partition(":")
                if fields[3] == _LISTEN:
                    yield fields[9], ListeningSocket(_parse_address(host), int(port, 16))


def _parse_address(digits: str) -> str:
    """Parse an address, which the kernel prints as 32-bit words in its own byte order."""
    words = struct.unpack(f">{len(digits) // 8}I", bytes.fromhex(digits))
    packed = struct.pack(f"={len(words)}I", *words)
    return socket.inet_ntop(socket.AF_INET if len(words) == 1 else socket.AF_INET6, packed)


def _socket_numbers(process: int) -> set[str]:
    """Return the numbers of the sockets that a process has open."""
    numbers = set()
    with suppress(OSError):  # the process has ended, or belongs to another user
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                target = os.readlink(descriptor)
                if target.startswith("socket:["):
                    numbers.add(target[len("socket:[") : -1])
    return numbers
