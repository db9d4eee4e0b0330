"""Ports: where the services listen, whether a port is free, and reserving it."""

from __future__ import annotations

import errno
import socket
import sys

from data_capture.settings import Settings

_MAX_SOCKET_NAME_BYTES = 108  # unix(7)

IN_USE = "is in use by another program"
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


def service_port(name: str, settings: Settings) -> int:
    """Return the port of the service `name`."""
    return settings.capture_port if name == "capture" else settings.signup_port


def service_url(name: str, settings: Settings) -> str:
    """Return the URL of the service `name` for programs on this machine."""
    host = _WILDCARDS.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{service_port(name, settings)}"


def find_listen_error(host: str, port: int) -> str | None:
    """Return why a service cannot listen on a port; None if it can.

    granian would not notice another listener, because it binds with SO_REUSEPORT and shares the
    port. Only binding is tested: listening would for a moment make this test the listener that a
    simultaneous test finds.

    Returns:
        The rest of a sentence that begins with the port.
    """
    try:
        address = resolve_host(host)
    except OSError as error:
        return f"can't be listened on: the host {host} can't be resolved ({error.strerror})"
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Otherwise connections that ended less than a minute ago would block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return IN_USE
            return f"can't be listened on at {host} ({error.strerror})"
    return None


def reserve_port(host: str, port: int) -> str | None:
    """Reserve a port among our services until this process ends.

    Between a test of a free port and granian's listening, a second service can start. On Linux,
    where granian binds with SO_REUSEPORT, both would serve. A name in the abstract namespace has
    one owner, and disappears with its processes.

    Returns:
        None, or the same text as `find_listen_error` if another service has the reservation.
    """
    if sys.platform == "linux":
        reservation = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            reservation.bind(_reservation_name(host, port))
        except OSError:
            reservation.close()
            return IN_USE
        reservation.detach()  # from now on it belongs to the process, until that ends
    return None


def is_reserved(host: str, port: int) -> bool:
    """Tell whether one of our services uses a port, or is starting or stopping there.

    False on systems other than Linux, where this is unknown.
    """
    if sys.platform != "linux":
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        return probe.connect_ex(_reservation_name(host, port)) == 0


def _reservation_name(host: str, port: int) -> bytes:
    # The port comes first, because a host name can be longer than the name of a socket.
    return f"\0enhanced-data-capture {port} {host}".encode()[:_MAX_SOCKET_NAME_BYTES]


def resolve_host(host: str) -> str:
    """Return the numeric address of a host, which granian needs.

    Raises:
        OSError: the host cannot be resolved.
    """
    addresses = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return str(addresses[0][4][0])
