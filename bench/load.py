"""Send the load: payments of 1,000 users, as the script sends them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_HERE = Path(__file__).resolve().parent
USERS = 1000

# For each capture, wrk and bench.client replace @ID@, @TRANSACTION@, @USER@ and @TIME@ by new
# values.
PAYMENT = json.dumps({
    "type": "payment",
    "capture_id": "@ID@",
    "capture_timestamp": "@TIME@",
    "user_email": "person-@USER@@example.com",
    "user_name": "Example User",
    "plan_name": "Pro",
    "original_price": 199.99,
    "discount_amount": "20.00",
    "final_price": 179.99,
    "coupon_code": "SAVE10",
    "payment_method": "card",
    "transaction_id": "TX-@TRANSACTION@",
    "payment_status": "completed",
    "payment_processor": "stripe",
    "crypto_transaction_hash": "NON-CRYPTO-1700000000000",
    "crypto_from_address": "N/A",
    "crypto_amount": "0",
})  # fmt: skip
DATASETTE_ROW = f'{{"row": {PAYMENT}}}'


@dataclass(frozen=True)
class Outcome:
    """What a client measured.

    Args:
        responses: how many responses came.
        errors: how many of them had a status of 400 or more.
        failures: how many requests got no response: the connection broke or timed out.
        seconds: how long it took.
        p50_ms: the median time from a request to its response.
        p99_ms: the 99th percentile of that time.
        captures_per_request: how many captures a request contained.
    """

    responses: int
    errors: int
    failures: int
    seconds: float
    p50_ms: float
    p99_ms: float
    captures_per_request: int

    @property
    def captures(self) -> int:
        """Return how many captures were acknowledged."""
        return (self.responses - self.errors) * self.captures_per_request


@cache
def client_name() -> str:
    """Return `wrk`, or `bench.client` where wrk is missing."""
    return "wrk" if shutil.which("wrk") else "bench.client"


def send(
    port: int,
    path: str,
    *,
    connections: int,
    seconds: float,
    directory: Path,
    template: str = PAYMENT,
    captures_per_request: int = 1,
) -> Outcome:
    """Send requests from another process, and return what its client measured.

    Args:
        port: where the server listens, on this machine.
        path: the path of the requests.
        connections: how many connections send requests at the same time.
        seconds: for about how long; wrk takes whole seconds only.
        directory: a folder for the client's file.
        template: a capture as JSON, with placeholders.
        captures_per_request: 1 for single captures, more for batches.

    Raises:
        RuntimeError: the client failed.
    """
    template_file = directory / "template.json"
    template_file.write_text(template, encoding="utf-8")
    prefix = str(uuid.uuid4()).rpartition("-")[0]
    capture_arguments = [str(template_file), str(captures_per_request), str(USERS), prefix]
    client = subprocess.run(
        [*_client_command(port, path, connections, seconds), *capture_arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=_HERE.parent,
        timeout=seconds + 60,
        stdin=subprocess.DEVNULL,
    )
    if client.returncode != 0:
        raise RuntimeError(
            f"{client_name()} failed: {client.stderr.strip() or client.stdout.strip()}"
        )
    return Outcome(
        **json.loads(client.stdout.strip().splitlines()[-1]),
        captures_per_request=captures_per_request,
    )


def _client_command(port: int, path: str, connections: int, seconds: float) -> list[str]:
    """Return the client's command; the arguments that describe the captures follow it."""
    if client_name() == "wrk":
        return [
            *("wrk", "--threads", "1", "--connections", str(connections)),
            *("--duration", f"{max(1, round(seconds))}s", "--timeout", "20s"),
            *("--script", str(_HERE / "load.lua"), f"http://127.0.0.1:{port}{path}", "--"),
        ]
    return [
        *(sys.executable, "-m", "bench.client", str(port), path, str(connections), str(seconds)),
    ]
