"""Send load without wrk: each connection sends its next request after a response.

python3 -m bench.client PORT PATH CONNECTIONS SECONDS TEMPLATE-FILE CAPTURES-PER-REQUEST USERS
UUID-PREFIX

It prints the same JSON as load.lua.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import cast

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSING = re.compile(rb"^HTTP/1\.0|\r\nconnection: *close", re.IGNORECASE)
_PLACEHOLDER = re.compile("@[A-Z]+@")
_LAST_CHUNK = b"0\r\n\r\n"
_MIN_ERROR_STATUS = 400
_LAST_RESPONSES_SECONDS = 20.0


def generate_bodies(
    template: str, captures_per_request: int, users: int, prefix: str
) -> Iterator[bytes]:
    """Yield endless request bodies, in which every capture is new.

    Args:
        template: a capture as JSON, with placeholders such as `@ID@`.
        captures_per_request: 1 for single captures, more for batches.
        users: how many users the captures belong to.
        prefix: hexadecimal digits of this run; every id has the first four.
    """
    counter = itertools.count(1)

    def capture() -> str:
        number = next(counter)
        now = datetime.now(timezone.utc)
        values = {
            "@ID@": create_capture_id(int(now.timestamp() * 1000), number, prefix),
            # Random from the first digit on, as the ids of most payment processors are.
            "@TRANSACTION@": f"{random.getrandbits(32):08x}{number:08x}",
            "@USER@": str(number * 7919 % users),
            "@TIME@": now.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        }
        return _PLACEHOLDER.sub(lambda found: values[found[0]], template)

    while True:
        if captures_per_request == 1:
            yield capture().encode()
        else:
            captures = ",".join(capture() for _ in range(captures_per_request))
            yield f'{{"captures":[{captures}]}}'.encode()


def create_capture_id(milliseconds: int, number: int, prefix: str) -> str:
    """Return a UUID of version 7 (RFC 9562), like the script's ids.

    It has the time, then a counter. The other digits are random. The service takes longer over an
    id that resembles a card number, so such ids have to be as rare here as the script's.
    """
    time_digits = f"{milliseconds:012x}"
    middle = f"7{number // 2 % 4096:03x}-8{random.getrandbits(12):03x}"
    return f"{time_digits[:8]}-{time_digits[8:]}-{middle}-{prefix[:4]}{number:08x}"


class _Tally:
    """Counts the responses of all connections.

    `is_over` says that no more requests are sent, `pending` how many responses are missing.
    """

    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        self.errors = 0
        self.failures = 0
        self.is_over = False
        self.pending = 0
        self.all_arrived = asyncio.Event()

    def settle(self) -> None:
        """Count one request as done: its response came, or its connection broke."""
        self.pending -= 1
        if self.is_over and not self.pending:
            self.all_arrived.set()

    def percentile(self, share: float) -> float:
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


class _Connection(asyncio.Protocol):
    """One connection, which is opened again when the server closes it."""

    def __init__(self, port: int, tally: _Tally, head: bytes, bodies: Iterator[bytes]) -> None:
        self._port, self._tally, self._head, self._bodies = port, tally, head, bodies
        self._response = bytearray()
        self._sent_at = 0.0
        self._opening: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Connect and send the first request."""
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._response += data
        head, separator, content = self._response.partition(b"\r\n\r\n")
        if not separator:
            return
        length = _CONTENT_LENGTH.search(head)
        if len(content) < int(length[1]) if length else not content.endswith(_LAST_CHUNK):
            return
        self._tally.milliseconds.append((time.perf_counter() - self._sent_at) * 1000)
        self._tally.errors += int(head[9:12]) >= _MIN_ERROR_STATUS
        self._response.clear()
        self._sent_at = 0.0
        self._tally.settle()
        if self._tally.is_over or _CLOSING.search(head):
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._sent_at:  # the response is missing
            self._sent_at = 0.0
            self._tally.failures += 1
            self._tally.settle()
        self._response.clear()
        if not self._tally.is_over:
            self._opening = asyncio.ensure_future(self.open())

    def _send(self) -> None:
        if self._tally.is_over:
            self._transport.close()
            return
        body = next(self._bodies)
        self._tally.pending += 1
        self._sent_at = time.perf_counter()
        self._transport.write(self._head + b"%d\r\n\r\n" % len(body) + body)


async def _run(
    port: int, path: str, connections: int, seconds: float, bodies: Iterator[bytes]
) -> dict[str, float]:
    tally = _Tally()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    ).encode()
    started_at = time.perf_counter()
    for _ in range(connections):
        await _Connection(port, tally, head, bodies).open()
    await asyncio.sleep(seconds)
    tally.is_over = True
    if tally.pending:  # every request counts, however slow the server is
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(tally.all_arrived.wait(), _LAST_RESPONSES_SECONDS)
    return {
        "responses": len(tally.milliseconds),
        "errors": tally.errors,
        "failures": tally.failures + tally.pending,
        "seconds": time.perf_counter() - started_at,
        "p50_ms": tally.percentile(0.50),
        "p99_ms": tally.percentile(0.99),
    }


def main() -> None:
    """Send the load that the command line describes, and print the result."""
    port, path, connections, seconds, template, captures_per_request, users, prefix = sys.argv[1:]
    bodies = generate_bodies(
        Path(template).read_text(encoding="utf-8"), int(captures_per_request), int(users), prefix
    )
    result = asyncio.run(_run(int(port), path, int(connections), float(seconds), bodies))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
