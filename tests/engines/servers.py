"""What stands around a page: the shop that it belongs to, and a gate before the capture service."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.browser.site import SCRIPT, Reply, ReverseProxy, Site
from tests.support.services import PatientServer

RECORDER = """<script>
window.seen = { console: [], errors: [], rejections: [] };
for (const level of ['log', 'info', 'warn', 'error', 'debug']) {
  const print = console[level];
  console[level] = (...words) => { seen.console.push(words.map(String).join(' ')); print.apply(console, words); };
}
addEventListener('error', (event) => seen.errors.push(event.message));
addEventListener('unhandledrejection', (event) => seen.rejections.push(String(event.reason)));
addEventListener('pageshow', (event) => { window.cameFromCache = event.persisted; });
</script>"""


@dataclass(frozen=True)
class Saved:
    """Something that a page sent to its own shop."""

    method: str
    path: str
    query: str
    text: str
    headers: Mapping[str, str]

    @property
    def body(self) -> Any:
        """The JSON that it carries."""
        return json.loads(self.text)


class Shop(Site):
    """The site: pages, the built application, and a server that takes whatever they save.

    As a stand-in for Supabase's REST server it answers `POST /rest/v1/<table>` and its like as that does.
    """

    def __init__(self) -> None:
        self.saved: list[Saved] = []
        super().__init__()
        self.put("/away.html", "<!doctype html><title>away</title>")
        self._pages = 0

    def respond(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Reply | None:
        """A file for a GET; yes and thanks for everything else, save what is to fail."""
        where, _, query = path.partition("?")
        if method == "GET" and not where.startswith("/api/"):
            return super().respond(method, path, headers, body)
        self.requests.append(f"{method} {path}")
        if where == "/api/hangs-up":
            return None
        if where == "/api/refuses":
            return Reply(409, {"Content-Type": "application/json"}, b'{"error": "already exists"}')
        self.saved.append(
            Saved(
                method, unquote(where), unquote(query), body.decode(errors="replace"), dict(headers)
            )
        )
        cors = {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Headers": "*",
            "Access-Control-Allow-Methods": "*",
        }
        if where.startswith("/rest/v1/"):
            return Reply(200 if method == "OPTIONS" else 201, cors)
        return Reply(200, {"Content-Type": "application/json", **cors}, b'{"ok": true}')

    def put_folder(self, path: str, folder: Path) -> None:
        """Puts every script of a folder there, as a bundler left them."""
        for file in folder.rglob("*.js"):
            self.put(f"{path}/{file.relative_to(folder)}", file.read_text(), "text/javascript")

    def page(self, head: str, body: str = "", **headers: str) -> str:
        """The address of a new page, which records what its visitor could notice, before anything in `head` runs."""
        self._pages += 1
        html = f"<!doctype html><html><head><meta charset=utf-8>{RECORDER}{head}</head><body>{body}</body></html>"
        return self.put(f"/page-{self._pages}.html", html, **headers)


def tag(source: str, attributes: str = "") -> str:
    """The one tag that a site owner pastes."""
    return f'<script src="{source}/{SCRIPT}" crossorigin {attributes}></script>'


class Gate(ReverseProxy):
    """A reverse proxy before the capture service that can be shut, in the ways in which networks and services fail."""

    UP, UNAVAILABLE, ANSWERS_LOST, NOT_FOUND = "up", "unavailable", "answers lost", "not found"

    def reset(self) -> None:
        """As if new: passes everything on."""
        super().reset()
        self.state = self.UP
        self.bytes_seen: list[bytes] = []

    def respond(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Reply | None:
        """What the service says, or what the fault makes of it."""
        self.bytes_seen.append(f"{method} {path}\n{headers}\n".encode() + body)
        if method == "GET" and path.endswith(SCRIPT):
            return super().respond(method, path, headers, body)
        state = self.state
        if state in (self.UNAVAILABLE, self.NOT_FOUND):
            self.requests.append(f"{method} {path}")
            status = 503 if state == self.UNAVAILABLE else 404
            return Reply(
                status,
                {"Access-Control-Allow-Origin": "*"},
                b'{"success": false, "error": "not now"}',
            )
        reply = super().respond(method, path, headers, body)
        return None if state == self.ANSWERS_LOST and method == "POST" else reply

    def go_down(self) -> None:
        """Nobody listens on the port any more; connections that are open get no answer."""
        self.state = self.ANSWERS_LOST
        self.next_responses.clear()
        self._server.shutdown()
        self._server.server_close()
        self.service = "http://127.0.0.1:1"

    def come_back(self, service: str) -> None:
        """Listens on the same port again, before `service`."""
        self.service = service
        self.state = self.UP
        self._server = PatientServer(("127.0.0.1", self.port), self._server.RequestHandlerClass)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a browser that went away
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def captures(self) -> Iterator[dict[str, Any]]:
        """Every capture that arrived, alone or in a batch, as often as it arrived."""
        for post in list(self.received):
            if post.kind == "batch":
                yield from post.body["captures"]
            else:
                yield {"type": post.kind, **post.body}

    def ids_by_transaction(self) -> dict[str, set[str]]:
        """Under which capture ids each transaction was sent."""
        found: dict[str, set[str]] = {}
        for capture in self.captures():
            transaction = capture.get("transaction_id") or capture.get("transactionId")
            if transaction:
                found.setdefault(str(transaction), set()).add(str(capture.get("capture_id")))
        return found

    def kinds(self) -> Counter[str]:
        """How many captures of each kind arrived."""
        return Counter(str(capture["type"]) for capture in self.captures())

    def wait_until_quiet(self, seconds: float = 2.5, most_seconds: float = 20.0) -> None:
        """Returns once nothing has arrived for so long: longer than the script gathers what belongs to one action."""
        deadline = time.monotonic() + most_seconds
        count, since = len(self.requests), time.monotonic()
        while time.monotonic() - since < seconds and time.monotonic() < deadline:
            time.sleep(0.05)
            if len(self.requests) != count:
                count, since = len(self.requests), time.monotonic()
