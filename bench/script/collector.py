"""A site with one page per sender, and a collector for the SDKs that can fail in every way in which the gate can."""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Mapping

from tests.browser.stage import Reply
from tests.engines.servers import Gate

_CAPTURE = re.compile(r"capture-\d+-\d+")


class Collector(Gate):
    """Takes whatever an SDK sends, and counts in how many requests each capture came."""

    def reset(self) -> None:
        """As if new."""
        super().reset()
        self.times: Counter[str] = Counter()

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Reply | None:
        """Yes to everything, or what the fault makes of it."""
        named = {name.lower(): value for name, value in headers.items()}
        cors = {
            "Access-Control-Allow-Origin": named.get("origin", "*"), "Access-Control-Allow-Credentials": "true",
            "Access-Control-Allow-Headers": named.get("access-control-request-headers", "Content-Type"),
            "Access-Control-Allow-Methods": "GET, POST, PUT", "Content-Type": "application/json",
        }  # fmt: skip
        if not self.service:  # down, on a connection that was open
            return None
        if self.state == self.UNAVAILABLE:
            return Reply(503, cors, b"{}")
        self.times.update(set(_CAPTURE.findall(f"{path} {_text(body)}")))
        if self.state == self.ANSWERS_LOST and method == "POST":
            return None
        return Reply(200, cors, b'{"success": true, "status": 1, "id": "1"}')

    def go_down(self) -> None:
        """Nobody listens on the port any more."""
        super().go_down()
        self.service = ""


def _text(body: bytes) -> str:
    for unpack in (gzip.decompress, zlib.decompress, bytes):
        try:
            return unpack(body).decode()
        except (OSError, zlib.error, EOFError, UnicodeDecodeError):
            continue
    return ""
