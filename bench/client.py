"""The client where wrk is missing: as many connections as asked for, each sending its next request upon an answer.

python3 -m bench.client PORT PATH CONNECTIONS SECONDS TEMPLATE-FILE CAPTURES-A-REQUEST PEOPLE UUID-PREFIX

It prints what load.lua prints.
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
_PLACE = re.compile("@[A-Z]+@")
_LAST_CHUNK = b"0\r\n\r\n"
_FIRST_REFUSAL = 400  # HTTP's statuses from here on
_LAST_ANSWERS_SECONDS = 20.0


def bodies(template: str, captures_a_request: int, users: int, prefix: str) -> Iterator[bytes]:
    """Endless bodies, in which every capture is another."""
    counter = itertools.count(1)

    def capture() -> str:
        number = next(counter)
        now = datetime.now(timezone.utc)
        values = {
            "@ID@": capture_id(int(now.timestamp() * 1000), number, prefix),
            # Random from its first digit on, as most processors' are.
            "@TRANSACTION@": f"{random.getrandbits(32):08x}{number:08x}",
            "@PERSON@": str(number * 7919 % users),
            "@TIME@": now.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        }
        return _PLACE.sub(lambda place: values[place[0]], template)

    while True:
        if captures_a_request == 1:
            yield capture().encode()
        else:
            yield f'{{"captures":[{",".join(capture() for _ in range(captures_a_request))}]}}'.encode()


def capture_id(milliseconds: int, number: int, prefix: str) -> str:
    """A UUID that begins with its time, and then a counter (RFC 9562, version 7), in order, as the script's ids are.

    The rest is another for each: an id that looks a little like a card number takes longer, and is to be as rare as it is.
    """
    time_digits = f"{milliseconds:012x}"
    middle = f"7{number // 2 % 4096:03x}-8{random.getrandbits(12):03x}"
    return f"{time_digits[:8]}-{time_digits[8:]}-{middle}-{prefix[:4]}{number:08x}"


class _Tally:
    """What all connections saw. `over` says that nothing more is to be sent, `waiting` how many answers are still due."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        self.refusals = 0
        self.failures = 0
        self.over = False
        self.waiting = 0
        self.all_answered = asyncio.Event()

    def settle(self) -> None:
        """One request has had its answer, or never will."""
        self.waiting -= 1
        if self.over and not self.waiting:
            self.all_answered.set()

    def percentile(self, share: float) -> float:
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


class _Connection(asyncio.Protocol):
    """One connection, kept for as long as the server keeps it and then opened anew."""

    def __init__(self, port: int, tally: _Tally, head: bytes, requests: Iterator[bytes]) -> None:
        self._port, self._tally, self._head, self._requests = port, tally, head, requests
        self._answer = bytearray()
        self._sent_at = 0.0
        self._opening: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Connects, and sends the first request."""
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, separator, content = self._answer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = _CONTENT_LENGTH.search(head)
        if len(content) < int(length[1]) if length else not content.endswith(_LAST_CHUNK):
            return
        self._tally.milliseconds.append((time.perf_counter() - self._sent_at) * 1000)
        self._tally.refusals += int(head[9:12]) >= _FIRST_REFUSAL
        self._answer.clear()
        self._sent_at = 0.0
        self._tally.settle()
        if self._tally.over or _CLOSING.search(head):
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._sent_at:  # no answer came
            self._sent_at = 0.0
            self._tally.failures += 1
            self._tally.settle()
        self._answer.clear()
        if not self._tally.over:
            self._opening = asyncio.ensure_future(self.open())

    def _send(self) -> None:
        if self._tally.over:
            self._transport.close()
            return
        body = next(self._requests)
        self._tally.waiting += 1
        self._sent_at = time.perf_counter()
        self._transport.write(self._head + b"%d\r\n\r\n" % len(body) + body)


async def _run(
    port: int, path: str, connections: int, seconds: float, requests: Iterator[bytes]
) -> dict[str, float]:
    tally = _Tally()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: ".encode()
    started_at = time.perf_counter()
    for _ in range(connections):
        await _Connection(port, tally, head, requests).open()
    await asyncio.sleep(seconds)
    tally.over = True
    if tally.waiting:  # what was sent is counted, however slow the server is: a figure of nothing would say nothing
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(tally.all_answered.wait(), _LAST_ANSWERS_SECONDS)
    return {
        "answers": len(tally.milliseconds),
        "refusals": tally.refusals,
        "failures": tally.failures + tally.waiting,
        "seconds": time.perf_counter() - started_at,
        "p50_ms": tally.percentile(0.50),
        "p99_ms": tally.percentile(0.99),
    }


def main() -> None:
    """Runs the load of the command line."""
    port, path, connections, seconds, template, captures_a_request, users, prefix = sys.argv[1:]
    requests = bodies(
        Path(template).read_text(encoding="utf-8"), int(captures_a_request), int(users), prefix
    )
    print(
        json.dumps(asyncio.run(_run(int(port), path, int(connections), float(seconds), requests)))
    )


if __name__ == "__main__":
    main()
