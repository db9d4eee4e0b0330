"""Ports: where the services listen, and whether a port is free."""

from __future__ import annotations

import errno
import socket
import sys

from data_capture.settings import Settings

_MAX_SOCKET_NAME_BYTES = 108  # unix(7)

_TAKEN = "is taken by another program"
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


def service_port(name: str, settings: Settings) -> int:
    """The port of the service `name`."""
    return settings.capture_port if name == "capture" else settings.signup_port


def service_url(name: str, settings: Settings) -> str:
    """Where programs on this machine reach the service `name`."""
    host = _WILDCARDS.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{service_port(name, settings)}"


def why_not_listen(host: str, port: int) -> str | None:
    """Why a service could not listen there, as the rest of a sentence that begins with the port; None when it could.

    granian itself would not notice another listener: it binds with SO_REUSEPORT and shares the port with it. Binding alone
    tells of one; listening too would for a moment make this look the very thing that another look finds.
    """
    try:
        address = address_of(host)
    except OSError as error:
        return f"can't be listened on: the host {host} can't be resolved ({error.strerror})"
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Without this, connections that ended a minute ago would still keep the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return _TAKEN
            return f"can't be listened on at {host} ({error.strerror})"
    return None


def is_claimed(host: str, port: int) -> bool:
    """Whether a service of ours serves there, is about to, or has not quite ended; False where that can't be told."""
    if sys.platform != "linux":
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as looker:
        return looker.connect_ex(_claim_name(host, port)) == 0


def claim(host: str, port: int) -> str | None:
    """Makes sure that no other service of ours is about to listen there; if one is, the same words as `why_not_listen`.

    Between a look at a free port and granian's listening there is time for a second service, and on Linux, where it
    binds with SO_REUSEPORT, both would serve. A name in the abstract namespace has one owner, and ends with its processes.
    """
    if sys.platform == "linux":
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            name.bind(_claim_name(host, port))
        except OSError:
            name.close()
            return _TAKEN
        name.detach()  # from here on it is the process's, to its end
    return None


def _claim_name(host: str, port: int) -> bytes:
    # The port comes first: a host's name can be longer than the name of a socket.
    return f"\0enhanced-data-capture {port} {host}".encode()[:_MAX_SOCKET_NAME_BYTES]


def address_of(host: str) -> str:
    """The numeric address that `host` stands for, which is what granian takes."""
    answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return str(answers[0][4][0])
