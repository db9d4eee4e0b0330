"""Servers and visits: a site, a proxy before the real service, and a browser tab."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar, TypeVar, cast
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from tests.support.services import REPOSITORY, PatientServer

SCRIPT = "frontend_data_capture_integration.js"

MAX_WAIT_SECONDS = 60.0  # ends a hang, and is long enough for a busy machine

Result = TypeVar("Result")

# Reads all records of the script's database.
STORED_RECORDS = """(async () => {
  const resultOf = (request) => new Promise((resolve) => {
    request.onsuccess = () => resolve(request.result);
  });
  const name = 'enhanced-data-capture';
  const database = await resultOf(indexedDB.open(name));
  const records = await resultOf(database.transaction(name).objectStore(name).getAll());
  database.close();
  return records;
})()"""

# Until the page calls openDatabase(), indexedDB.open does not succeed.
SLOW_DATABASE = """<script>{
  const open = IDBFactory.prototype.open;
  const opened = new Promise((resolve) => { window.openDatabase = resolve });
  IDBFactory.prototype.open = function (...args) {
    const request = open.apply(this, args);
    const later = (handler) => request.addEventListener('success', () => opened.then(handler));
    Object.defineProperty(request, 'onsuccess', { set: later });
    return request;
  };
}</script>"""


class _Server:
    """A server on a port of loopback, in threads of this process.

    No port is used twice: a browser keeps what the pages of an origin stored.
    """

    _used_ports: ClassVar[set[int]] = set()

    def __init__(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body are written apart; with Nagle's algorithm the body would wait.
            disable_nagle_algorithm = True

            def handle_request(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                reply = outer.respond(
                    self.command, self.path, cast("Mapping[str, str]", self.headers), body
                )
                if reply is None:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_POST = do_PUT = do_PATCH = do_OPTIONS = handle_request  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self._server = PatientServer(("127.0.0.1", 0), Handler)
        while self._server.server_address[1] in self._used_ports:
            self._server.server_close()
            self._server = PatientServer(("127.0.0.1", 0), Handler)
        self._used_ports.add(self._server.server_address[1])
        self._server.daemon_threads = True
        # A browser may close a connection at any time.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def respond(
        self, method: str, path: str, _headers: Mapping[str, str], _body: bytes
    ) -> Reply | None:
        """Return the response to a request; None ends the connection without one."""
        raise NotImplementedError

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass(frozen=True)
class Reply:
    """An HTTP response of a server."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class ReceivedCapture:
    """A capture as the proxy received it."""

    kind: str
    headers: Mapping[str, str]
    text: str
    at: float

    @property
    def body(self) -> dict[str, Any]:
        """The JSON of the capture."""
        return dict(json.loads(self.text))


class Site(_Server):
    """A web site with pages of a test, and the capture script as a file."""

    def __init__(self) -> None:
        self._files: dict[str, Reply] = {}
        self.requests: list[str] = []
        super().__init__()
        self.url = f"http://localhost:{self.port}"
        self.put(f"/static/{SCRIPT}", (REPOSITORY / SCRIPT).read_text(), "text/javascript")
        self.put("/favicon.ico", "", "image/x-icon")

    def put(self, path: str, text: str, media_type: str = "text/html", **headers: str) -> str:
        """Add a file and return its URL."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._files[path] = Reply(
            200, {"Content-Type": f"{media_type}; charset=utf-8", **named}, text.encode()
        )
        return self.url + path

    def respond(
        self, method: str, path: str, _headers: Mapping[str, str], _body: bytes
    ) -> Reply | None:
        self.requests.append(f"{method} {path}")
        reply = self._files.get(path.partition("?")[0])
        # A save is accepted: a payment that the site refuses would be a failed one.
        return reply or Reply(404 if method == "GET" else 201)


def _split_captures(path: str, text: str) -> list[tuple[str, str]]:
    """Return the kind and the text of each capture in a request, also of a batch."""
    kind = path.rpartition("/")[2]
    if kind != "batch":
        return [(kind, text)]
    return [
        (one["type"], json.dumps({k: v for k, v in one.items() if k != "type"}))
        for one in json.loads(text)["captures"]
    ]


LOSE_RESPONSE = "the service stores the capture and its response is lost"


class ReverseProxy(_Server):
    """A proxy before the real service that records captures and alters responses."""

    def __init__(self) -> None:
        super().__init__()
        self.url = f"http://127.0.0.1:{self.port}"
        self.service = ""
        self.reset()

    def reset(self) -> None:
        """Forget everything, and forward all requests at once."""
        self.received: list[ReceivedCapture] = []
        self.requests: list[str] = []
        self.next_responses: deque[Reply | str] = deque()
        self.outage: Reply | None = None  # the response to all further captures
        self.delay_seconds = 0.0
        self.sends_server_timing = True
        self.prefix = ""
        self.responded = 0  # captures and batches
        self._released = threading.Event()
        self._released.set()

    def hold_responses(self) -> None:
        """Keep captures waiting for their responses until `release_responses`."""
        self._released.clear()

    def release_responses(self) -> None:
        """Send the responses that were held."""
        self._released.set()

    def respond(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Reply | None:
        self.requests.append(f"{method} {path}")
        path = path.removeprefix(self.prefix)
        if method != "POST":
            return self._forward(method, path, headers, body)
        self.received += [
            ReceivedCapture(kind, dict(headers), text, time.monotonic())
            for kind, text in _split_captures(path, body.decode())
        ]
        planned = self.next_responses.popleft() if self.next_responses else self.outage
        time.sleep(self.delay_seconds)
        self._released.wait(2 * MAX_WAIT_SECONDS)
        self.responded += 1
        if isinstance(planned, Reply):
            cors = {
                "Access-Control-Allow-Origin": "*",
                "Access-Control-Expose-Headers": "Retry-After",
            }
            return Reply(planned.status, {**cors, **planned.headers}, planned.body)
        reply = self._forward(method, path, headers, body)
        return None if planned == LOSE_RESPONSE else reply

    def _forward(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Reply | None:
        """Send a request to the service and return its response; None if it is down."""
        connection = http.client.HTTPConnection(urlsplit(self.service).netloc, timeout=20)
        try:
            connection.request(
                method,
                path,
                body or None,
                {k: v for k, v in headers.items() if k.lower() != "connection"},
            )
            response = connection.getresponse()
            status, sent, content = response.status, response.getheaders(), response.read()
        except OSError:
            return None
        finally:
            connection.close()
        dropped = {"content-length", "connection", "transfer-encoding", "date", "server"}
        if not self.sends_server_timing:
            dropped.add("server-timing")
        return Reply(status, {k: v for k, v in sent if k.lower() not in dropped}, content)

    def only_capture(self, user: str) -> dict[str, Any]:
        """Return the body of the only capture, without what the script adds to it."""
        [capture] = self.received
        body = dict(capture.body)
        assert body.pop("user_email") == user
        del body["capture_id"], body["capture_timestamp"]
        return body


def wait_in(
    page: Page, condition: Callable[[], Result], what: str, seconds: float = MAX_WAIT_SECONDS
) -> Result:
    """Wait until `condition` returns something true, and return it.

    Playwright handles events of the browser meanwhile.
    """
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"Not within {seconds:g} s: {what}"
        page.wait_for_timeout(20)
    return result


class Visit:
    """A tab with pages of the site, which collects their output and errors."""

    def __init__(self, context: BrowserContext, site: Site, proxy: ReverseProxy) -> None:
        self.page: Page = context.new_page()
        self.console: list[str] = []
        self.errors: list[str] = []
        self._site = site
        self._proxy = proxy
        self._pages = 0
        self.page.on("console", self._collect)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _collect(self, message: ConsoleMessage) -> None:
        # These come from the browser itself; no script can prevent them.
        if not message.text.startswith(("Failed to load resource: ", "[DOM]")):
            self.console.append(message.text)

    def open(
        self,
        body: str = "",
        *,
        tag: str = "",
        service: str = "",
        before: str = "",
        user: str = "",
        **headers: str,
    ) -> None:
        """Open a page that includes the script.

        Args:
            body: the HTML after the script.
            tag: more attributes of the script's tag.
            service: the URL that serves the script; without it, the proxy does.
            before: the HTML before the script.
            user: the address of the user who is signed in.
            headers: headers of the page, with `_` for `-`.
        """
        self._pages += 1
        if user:
            session = f"localStorage.setItem('current_user', JSON.stringify({{email: '{user}'}}))"
            before = f"<script>{session}</script>" + before
        source = f"{service or self._proxy.url}/{SCRIPT}"
        script = f'<script src="{source}" crossorigin {tag}></script>'
        html = f"<!doctype html><head>{before}{script}</head><body>{body}</body>"
        self.page.goto(self._site.put(f"/page-{id(self)}-{self._pages}.html", html, **headers))

    def run(self, script: str, argument: Any = None) -> Any:
        """Return the value of an expression in the page; a promise is awaited."""
        return self.page.evaluate(script, argument)

    def flush(self) -> Any:
        """Call the script's flush() and return its result."""
        return self.run("window.enhancedDataCapture.flush()")

    def send_now(self) -> None:
        """Send captures without waiting for further signals of the same save."""
        self.run("window.enhancedDataCapture && enhancedDataCapture.flush()")

    def empty_queue(self) -> None:
        """Empty the queue, so that the closing page sends nothing into the next test."""
        if not self.page.is_closed():
            self.run("window.enhancedDataCapture?.consent(false)")

    def eventually(
        self, condition: Callable[[], Result], what: str, seconds: float = MAX_WAIT_SECONDS
    ) -> Result:
        """Wait until `condition` returns something true, and return it."""
        return wait_in(self.page, condition, what, seconds)
