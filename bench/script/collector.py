"""Collect the SDKs' requests, and simulate the faults of the tests' proxy."""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Mapping

from tests.browser.site import Reply
from tests.engines.servers import FaultProxy

_CAPTURE = re.compile(r"capture-\d+-\d+")


class Collector(FaultProxy):
    """Accepts all requests, and counts for each capture how many requests contained it."""

    def reset(self) -> None:
        """Forget all captures and faults."""
        super().reset()
        self.times: Counter[str] = Counter()

    def respond(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Reply | None:
        """Return 200, or the response of the present fault; None closes the connection."""
        by_name = {name.lower(): value for name, value in headers.items()}
        cors = {
            "Access-Control-Allow-Origin": by_name.get("origin", "*"),
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Allow-Headers": by_name.get(
                "access-control-request-headers", "Content-Type"
            ),
            "Access-Control-Allow-Methods": "GET, POST, PUT",
            "Content-Type": "application/json",
        }
        if not self.service:  # the service is down, and the connection was open before
            return None
        if self.state == self.UNAVAILABLE:
            return Reply(503, cors, b"{}")
        self.times.update(set(_CAPTURE.findall(f"{path} {_decode(body)}")))
        if self.state == self.RESPONSES_LOST and method == "POST":
            return None
        return Reply(200, cors, b'{"success": true, "status": 1, "id": "1"}')

    def go_down(self) -> None:
        """Stop listening on the port."""
        super().go_down()
        self.service = ""


def _decode(body: bytes) -> str:
    for unpack in (gzip.decompress, zlib.decompress, bytes):
        try:
            return unpack(body).decode()
        except (OSError, zlib.error, EOFError, UnicodeDecodeError):
            continue
    return ""
