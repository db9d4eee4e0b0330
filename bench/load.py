"""The load that every server gets: payments as the capture script sends them, each with its own id, of 1,000 people."""

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

# wrk and bench.client put a new value for each capture in place of @ID@, @TRANSACTION@, @PERSON@ and @TIME@.
PAYMENT = json.dumps({
    "type": "payment",
    "capture_id": "@ID@",
    "capture_timestamp": "@TIME@",
    "user_email": "person-@PERSON@@example.com",
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
    """What a client saw. `refusals` are answers of 400 and above, `failures` connections that broke or timed out."""

    answers: int
    refusals: int
    failures: int
    seconds: float
    p50_ms: float
    p99_ms: float
    captures_a_request: int

    @property
    def captures(self) -> int:
        """How many captures were acknowledged."""
        return (self.answers - self.refusals) * self.captures_a_request


@cache
def client_name() -> str:
    """`wrk`, or `bench.client` where there is none."""
    return "wrk" if shutil.which("wrk") else "bench.client"


def send(
    port: int,
    path: str,
    *,
    connections: int,
    seconds: float,
    directory: Path,
    template: str = PAYMENT,
    captures_a_request: int = 1,
) -> Outcome:
    """Sends requests over `connections` connections for about `seconds`, from a process of its own.

    Raises:
        RuntimeError: the client failed.
    """
    template_file = directory / "template.json"
    template_file.write_text(template, encoding="utf-8")
    prefix = str(uuid.uuid4()).rpartition("-")[0]
    about_captures = [str(template_file), str(captures_a_request), str(USERS), prefix]
    if client_name() == "wrk":
        whole_seconds = max(1, round(seconds))  # wrk knows no others
        command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{whole_seconds}s",
                   "--timeout", "20s", "--script", str(_HERE / "load.lua"), f"http://127.0.0.1:{port}{path}",
                   "--", *about_captures]  # fmt: skip
    else:
        command = [
            sys.executable,
            "-m",
            "bench.client",
            str(port),
            path,
            str(connections),
            str(seconds),
            *about_captures,
        ]
    client = subprocess.run(
        command,
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
        **json.loads(client.stdout.strip().splitlines()[-1]), captures_a_request=captures_a_request
    )
