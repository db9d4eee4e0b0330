"""A flood of connections that keep a service waiting, and honest captures beside it, each in a process of its own.

python3 -m tests.support.flood flood PORT NUMBER SECONDS [KIND]
python3 -m tests.support.flood honest PORT SECONDS
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import resource
import socket
import sys
import threading
import time
import uuid
from collections import Counter

PAYMENT = "/api/data-capture/payment"
_OPENED_AGAIN_WITHIN_SECONDS = (
    60  # all of them: faster ones would be a flood of requests, which rates are for
)
# To open them costs the service up to 0.2 ms each; on a busy machine that takes a while, and is not what is measured.
_OPENED_PER_SECOND = 1000
_THREADS = 4
_KEPT_FOR = (
    20  # requests of one connection, so that some of the honest ones have to be accepted, too
)


def _head(announced_bytes: int, host: str = "127.0.0.1") -> bytes:
    return (
        f"POST {PAYMENT} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {announced_bytes}\r\n\r\n"
    ).encode()


# What a connection of each kind sends when it is opened, and what every second.
KINDS: dict[str, tuple[bytes, bytes]] = {
    "idle": (b"", b""),
    "half-sent head": (_head(400)[:60], b""),
    "dripping head": (_head(400)[:60], b"x"),
    "announced body": (_head(65_536), b""),
    "announced for another host": (_head(65_536, "elsewhere.example"), b""),
    "announced large body": (_head(900_000), b""),
    "dripping body": (_head(65_536), b" "),
    "dripping large body": (_head(900_000), b" "),
}


def flood(port: int, number: int, seconds: float, *only: str) -> None:
    """Hold `number` connections of all kinds, or of one, and say when they have been open for a while.

    Those that are closed are opened again.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number + 64:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(number + 64, hard), hard))
    connections: dict[int, socket.socket | None] = dict.fromkeys(range(number))
    kinds = [KINDS[kind] for kind in only or KINDS]
    rounds, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        next_round = time.monotonic() + 1
        to_open = number // _OPENED_AGAIN_WITHIN_SECONDS if rounds else number
        for index, connection in connections.items():
            first, every_second = kinds[index % len(kinds)]
            if connection is not None and _is_closed(connection):
                connection.close()
                connection = connections[index] = None
            try:
                if connection is None and to_open:
                    to_open -= 1
                    connection = connections[index] = socket.socket()
                    connection.settimeout(5)
                    connection.connect(("127.0.0.1", port))
                    connection.sendall(first)
                    connection.setblocking(False)
                elif connection is not None:
                    connection.sendall(every_second)
            except OSError:
                connections[index] = None
        if rounds == number // _OPENED_PER_SECOND:
            print("ready", flush=True)
        rounds += 1
        time.sleep(max(0.0, next_round - time.monotonic()))


def _is_closed(connection: socket.socket) -> bool:
    try:
        while connection.recv(4096):
            pass  # an answer
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def honest(port: int, seconds: float) -> None:
    """Send captures for a while, and print how many were stored a second, and what else was answered."""
    end, outcomes = time.monotonic() + seconds, Counter[str]()

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for number in itertools.count(1):
            if time.monotonic() > end:
                break
            payload = {
                "user_email": "honest@example.com",
                "transaction_id": str(uuid.uuid4()),
                "final_price": "9.50",
            }
            try:
                connection.request(
                    "POST", PAYMENT, json.dumps(payload), {"Content-Type": "application/json"}
                )
                response = connection.getresponse()
                response.read()
                outcomes[str(response.status)] += 1
            except (OSError, http.client.HTTPException) as error:
                outcomes[type(error).__name__] += 1
                connection.close()
            if number % _KEPT_FOR == 0:
                connection.close()
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = outcomes.pop("201", 0)
    print(json.dumps({"stored_per_second": stored / seconds, "refused": outcomes}), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        if sys.argv[1] == "flood":
            flood(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), *sys.argv[5:])
        else:
            honest(int(sys.argv[2]), float(sys.argv[3]))
