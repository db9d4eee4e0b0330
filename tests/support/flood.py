"""Open a flood of slow connections, or send ordinary captures meanwhile.

Each command runs in a process of its own:

python3 -m tests.support.flood flood PORT NUMBER SECONDS [KIND]
python3 -m tests.support.flood captures PORT SECONDS
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
# Closed connections are opened again, all of them within this time. Faster would be a flood of
# requests, which the rate limits handle.
_REOPEN_SECONDS = 60
# Opening a connection costs the service up to 0.2 ms. That takes a while on a busy machine, and is
# not measured: "ready" is printed only after one round for each thousand connections.
_OPENED_PER_SECOND = 1000
_THREADS = 4
# Requests per connection; after these, the sender opens a new one, which has to be accepted, too.
_REQUESTS_PER_CONNECTION = 20


def _head(announced_bytes: int, host: str = "127.0.0.1") -> bytes:
    return (
        f"POST {PAYMENT} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {announced_bytes}\r\n\r\n"
    ).encode()


# What a connection of each kind sends when it opens, and then every second.
KINDS: dict[str, tuple[bytes, bytes]] = {
    "idle": (b"", b""),
    "half-sent head": (_head(400)[:60], b""),
    "dripping head": (_head(400)[:60], b"x"),
    "announced body": (_head(65_536), b""),
    "announced body for another host": (_head(65_536, "elsewhere.example"), b""),
    "announced large body": (_head(900_000), b""),
    "dripping body": (_head(65_536), b" "),
    "dripping large body": (_head(900_000), b" "),
}


def flood(port: int, number: int, seconds: float, *kind_names: str) -> None:
    """Hold `number` connections of all kinds or of some, and print "ready" once they are open.

    Connections that the service closes are opened again.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number + 64:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(number + 64, hard), hard))
    connections: dict[int, socket.socket | None] = dict.fromkeys(range(number))
    kinds = [KINDS[kind] for kind in kind_names or KINDS]
    rounds, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        next_round = time.monotonic() + 1
        to_open = number // _REOPEN_SECONDS if rounds else number
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
            pass  # a response
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def send_captures(port: int, seconds: float) -> None:
    """Send captures for a while, and print the captures stored per second and other results."""
    end, outcomes = time.monotonic() + seconds, Counter[str]()

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for number in itertools.count(1):
            if time.monotonic() > end:
                break
            payload = {
                "user_email": "flood@example.com",
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
            if number % _REQUESTS_PER_CONNECTION == 0:
                connection.close()
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = outcomes.pop("201", 0)
    print(
        json.dumps({"stored_per_second": stored / seconds, "other_results": outcomes}), flush=True
    )


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        if sys.argv[1] == "flood":
            flood(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), *sys.argv[5:])
        else:
            send_captures(int(sys.argv[2]), float(sys.argv[3]))
