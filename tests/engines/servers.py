"""The two servers of a test: the shop, and a proxy in front of the capture service."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from tests.browser.site import SCRIPT, Reply, ReverseProxy, Site
from tests.support.services import PatientServer

# Runs before everything else in a page. It records what the page's developer could observe:
# console messages, errors, unhandled rejections, and whether the page came from the
# back/forward cache.
OBSERVER = """<script>
window.observed = { console: [], errors: [], rejections: [] };
for (const level of ['log', 'info', 'warn', 'error', 'debug']) {
  const print = console[level];
  console[level] = (...words) => {
    observed.console.push(words.map(String).join(' '));
    print.apply(console, words);
  };
}
addEventListener('error', (event) => observed.errors.push(event.message));
addEventListener('unhandledrejection', (event) => observed.rejections.push(String(event.reason)));
addEventListener('pageshow', (event) => { window.cameFromCache = event.persisted; });
</script>"""

_CORS_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Allow-Methods": "*",
}


@dataclass(frozen=True)
class SavedRequest:
    """A request that a page sent to its own shop."""

    method: str
    path: str
    query: str
    text: str
    headers: Mapping[str, str]

    @property
    def body(self) -> Any:
        """The JSON of the body."""
        return json.loads(self.text)


class Shop(Site):
    """The shop: its pages, the bundled application, and a server that accepts all saves.

    It also stands in for Supabase's REST server: it responds to `POST /rest/v1/<table>` with 201.

    Attributes:
        saved: the requests that were no GET of a page or file.
        replies: responses to the saves at some paths; None never responds.
    """

    def __init__(self) -> None:
        self.saved: list[SavedRequest] = []
        self.replies: dict[str, Reply | None] = {}
        self._closing = threading.Event()
        super().__init__()
        self.put("/away.html", "<!doctype html><title>away</title>")
        self._pages = 0

    def respond(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Reply | None:
        """Return a file for a GET, and 200 for a save; two paths below /api/ fail on purpose.

        The response to a save with `slow=MILLISECONDS` in its query takes that long.
        """
        where, _, query = path.partition("?")
        if method == "GET" and not where.startswith("/api/"):
            return super().respond(method, path, headers, body)
        self.requests.append(f"{method} {path}")
        if where == "/api/hangs-up":
            return None
        if where == "/api/refuses":
            return Reply(409, {"Content-Type": "application/json"}, b'{"error": "already exists"}')
        text = body.decode(errors="replace")
        self.saved.append(SavedRequest(method, unquote(where), unquote(query), text, dict(headers)))
        if where in self.replies:
            reply = self.replies[where]
            if reply is None:
                self._closing.wait()
            return reply
        for milliseconds in parse_qs(query).get("slow", ()):
            time.sleep(int(milliseconds) / 1000)
        if where.startswith("/rest/v1/"):
            return Reply(200 if method == "OPTIONS" else 201, _CORS_HEADERS)
        return Reply(200, {"Content-Type": "application/json", **_CORS_HEADERS}, b'{"ok": true}')

    def close(self) -> None:
        """End the server, and the requests without a response."""
        self._closing.set()
        super().close()

    def saved_at(self, path: str) -> list[SavedRequest]:
        """Return the requests that were sent to a path."""
        return [request for request in self.saved if request.path == path]

    def put_folder(self, path: str, folder: Path) -> None:
        """Serve every script of a bundler's output folder."""
        for file in folder.rglob("*.js"):
            self.put(f"{path}/{file.relative_to(folder)}", file.read_text(), "text/javascript")

    def page(self, head: str, body: str = "", folder: str = "/", **headers: str) -> str:
        """Put up a new page and return its URL; the observer runs before anything in `head`."""
        self._pages += 1
        html = (
            f"<!doctype html><html><head><meta charset=utf-8>{OBSERVER}{head}</head>"
            f"<body>{body}</body></html>"
        )
        return self.put(f"{folder}page-{self._pages}.html", html, **headers)

    def change(self, path: str, edit: Callable[[str], str]) -> None:
        """Change the text of a page."""
        page = self._files[path]
        self._files[path] = replace(page, body=edit(page.body.decode()).encode())


def tag(source: str, attributes: str = "") -> str:
    """Return the script tag that a site owner pastes into a page."""
    return f'<script src="{source}/{SCRIPT}" crossorigin {attributes}></script>'


class FaultProxy(ReverseProxy):
    """A reverse proxy in front of the capture service that simulates faults.

    Attributes:
        state: UP, or the fault that all requests meet.
        received_bytes: every request.
        pages: the HTML of pages that it serves itself, by path, so that they have its origin.
    """

    UP, UNAVAILABLE, NOT_FOUND = "up", "unavailable", "not found"
    RESPONSES_LOST = "responses lost"  # the service stores the captures all the same

    def reset(self) -> None:
        """Forward everything again, and forget all requests."""
        super().reset()
        self.state = self.UP
        self.received_bytes: list[bytes] = []
        self.pages: dict[str, str] = {}

    def respond(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Reply | None:
        """Return the service's response, or that of the present fault."""
        self.received_bytes.append(f"{method} {path}\n{headers}\n".encode() + body)
        if method == "GET" and path in self.pages:
            media_type = {"Content-Type": "text/html; charset=utf-8"}
            return Reply(200, media_type, self.pages[path].encode())
        if method == "GET" and path.endswith(SCRIPT):
            return super().respond(method, path, headers, body)
        state = self.state
        if state in (self.UNAVAILABLE, self.NOT_FOUND):
            self.requests.append(f"{method} {path}")
            status = 503 if state == self.UNAVAILABLE else 404
            cors = {"Access-Control-Allow-Origin": "*"}
            return Reply(status, cors, b'{"success": false, "error": "not now"}')
        reply = super().respond(method, path, headers, body)
        return None if state == self.RESPONSES_LOST and method == "POST" else reply

    def go_down(self) -> None:
        """Stop listening on the port; open connections get no response."""
        self.state = self.RESPONSES_LOST
        self.next_responses.clear()
        self._server.shutdown()
        self._server.server_close()
        self.service = "http://127.0.0.1:1"

    def come_back(self, service: str) -> None:
        """Listen on the same port again, in front of `service`."""
        self.service = service
        self.state = self.UP
        self._server = PatientServer(("127.0.0.1", self.port), self._server.RequestHandlerClass)
        self._server.daemon_threads = True
        # A browser that closes its connection is no error.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def captures(self) -> Iterator[dict[str, Any]]:
        """Yield every capture that arrived, single or in a batch, as often as it arrived."""
        for post in list(self.received):
            if post.kind == "batch":
                yield from post.body["captures"]
            else:
                yield {"type": post.kind, **post.body}

    def capture_ids_by_transaction(self) -> dict[str, set[str]]:
        """Return the capture ids that each transaction was sent with."""
        found: dict[str, set[str]] = {}
        for capture in self.captures():
            transaction = capture.get("transaction_id") or capture.get("transactionId")
            if transaction:
                found.setdefault(str(transaction), set()).add(str(capture.get("capture_id")))
        return found

    def count_by_kind(self) -> Counter[str]:
        """Return how many captures of each kind arrived."""
        return Counter(str(capture["type"]) for capture in self.captures())

    def wait_until_quiet(self, quiet_seconds: float = 2.5, max_seconds: float = 60.0) -> None:
        """Return when no request arrived for `quiet_seconds`, or after `max_seconds`.

        The default is longer than the script collects the signals of one action.
        """
        wait_until_quiet(self, quiet_seconds=quiet_seconds, max_seconds=max_seconds)


def wait_until_quiet(
    *servers: Site | ReverseProxy, quiet_seconds: float, max_seconds: float = 60.0
) -> None:
    """Return when no server got a request for `quiet_seconds`, or after `max_seconds`.

    No event tells that no request will follow, so this has to be a time.
    """
    deadline = time.monotonic() + max_seconds
    count, since = -1, time.monotonic()
    while time.monotonic() - since < quiet_seconds and time.monotonic() < deadline:
        requests = sum(len(server.requests) for server in servers)
        if requests != count:
            count, since = requests, time.monotonic()
        time.sleep(0.05)
