"""What the browser tests play on: a site with pages of our choosing, a proxy before the real service, and a visit."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from tests.support.services import REPOSITORY, PatientServer

SCRIPT = "frontend_data_capture_integration.js"

Answer = TypeVar("Answer")

# Everything that the script keeps in its database.
KEPT = """(async () => {
  const answer = (request) => new Promise((done) => { request.onsuccess = () => done(request.result) });
  const database = await answer(indexedDB.open('enhanced-data-capture'));
  const records = await answer(database.transaction('enhanced-data-capture').objectStore('enhanced-data-capture').getAll());
  database.close();
  return records;
})()"""

# Until the page calls openDatabase(), no answer to indexedDB.open arrives.
SLOW_DATABASE = """<script>{
  const open = IDBFactory.prototype.open;
  const opened = new Promise((done) => { window.openDatabase = done });
  IDBFactory.prototype.open = function (...given) {
    const request = open.apply(this, given);
    const later = (handle) => request.addEventListener('success', () => opened.then(handle));
    Object.defineProperty(request, 'onsuccess', { set: later });
    return request;
  };
}</script>"""


class _Server:
    """A server on a free port of loopback, in threads of this process."""

    def __init__(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = (
                True  # head and body are written apart, and neither is to wait for the other
            )

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                reply = outer.answer(
                    self.command, self.path, cast("Mapping[str, str]", self.headers), body
                )
                if reply is None:  # the connection ends without an answer
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_POST = do_PUT = do_PATCH = do_OPTIONS = answer  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self._server = PatientServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a browser that went away
        self.port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def answer(
        self, method: str, path: str, _headers: Mapping[str, str], _body: bytes
    ) -> Reply | None:
        """What to say to a request; None ends the connection without an answer."""
        raise NotImplementedError

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass(frozen=True)
class Reply:
    """An answer of a server."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Post:
    """A capture as it arrived before the service."""

    kind: str
    headers: Mapping[str, str]
    text: str
    at: float

    @property
    def body(self) -> dict[str, Any]:
        """The JSON that it carries."""
        return dict(json.loads(self.text))


class Site(_Server):
    """A web site: pages and scripts that a test puts there, and the capture script as a file without a service."""

    def __init__(self) -> None:
        self._files: dict[str, Reply] = {}
        self.requests: list[str] = []
        super().__init__()
        self.url = f"http://localhost:{self.port}"
        self.put(f"/static/{SCRIPT}", (REPOSITORY / SCRIPT).read_text(), "text/javascript")
        self.put("/favicon.ico", "", "image/x-icon")

    def put(self, path: str, text: str, media_type: str = "text/html", **headers: str) -> str:
        """Puts a file there and says its address."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._files[path] = Reply(
            200, {"Content-Type": f"{media_type}; charset=utf-8", **named}, text.encode()
        )
        return self.url + path

    def answer(
        self, method: str, path: str, _headers: Mapping[str, str], _body: bytes
    ) -> Reply | None:
        self.requests.append(f"{method} {path}")
        return self._files.get(path.partition("?")[0], Reply(404))


def _captures_in(path: str, text: str) -> list[tuple[str, str]]:
    """The kind and the text of each capture in a request, be it one or a batch of them."""
    kind = path.rpartition("/")[2]
    if kind != "batch":
        return [(kind, text)]
    return [
        (one["type"], json.dumps({k: v for k, v in one.items() if k != "type"}))
        for one in json.loads(text)["captures"]
    ]


LOST = "the service stores the capture and its answer is lost"


class Front(_Server):
    """A reverse proxy before the real service. It keeps what arrives, and can answer captures as a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.url = f"http://127.0.0.1:{self.port}"
        self.service = ""
        self.reset()

    def reset(self) -> None:
        """As if new: passes everything on at once."""
        self.posts: list[Post] = []
        self.requests: list[str] = []
        self.next_answers: deque[Reply | str] = deque()
        self.delay_seconds = 0.0
        self.announces_itself = True
        self.prefix = ""

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Reply | None:
        self.requests.append(f"{method} {path}")
        path = path.removeprefix(self.prefix)
        planned: Reply | str | None = None
        if method == "POST":
            self.posts += [
                Post(kind, dict(headers), text, time.monotonic())
                for kind, text in _captures_in(path, body.decode())
            ]
            planned = self.next_answers.popleft() if self.next_answers else None
            time.sleep(self.delay_seconds)
        if isinstance(planned, Reply):
            cors = {
                "Access-Control-Allow-Origin": "*",
                "Access-Control-Expose-Headers": "Retry-After",
            }
            return Reply(planned.status, {**cors, **planned.headers}, planned.body)
        connection = http.client.HTTPConnection(urlsplit(self.service).netloc, timeout=20)
        try:
            connection.request(
                method,
                path,
                body or None,
                {k: v for k, v in headers.items() if k.lower() != "connection"},
            )
            response = connection.getresponse()
            reply = Reply(response.status, dict(response.getheaders()), response.read())
        except OSError:
            return None
        finally:
            connection.close()
        if planned == LOST:
            return None
        dropped = {"content-length", "connection", "transfer-encoding", "date", "server"}
        if not self.announces_itself:
            dropped.add("server-timing")
        return Reply(
            reply.status,
            {k: v for k, v in reply.headers.items() if k.lower() not in dropped},
            reply.body,
        )


class Visit:
    """Somebody at a page. Keeps what a developer would see in the console, and every error that the page would see."""

    def __init__(self, context: BrowserContext, site: Site, front: Front) -> None:
        self.page: Page = context.new_page()
        self.console: list[str] = []
        self.errors: list[str] = []
        self._site = site
        self._front = front
        self._pages = 0
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _heard(self, message: ConsoleMessage) -> None:
        if not message.text.startswith(
            ("Failed to load resource: ", "[DOM]")
        ):  # the browser's own; no script can prevent it
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
        """Opens a page of the site that includes the script from `service`; `person` is signed in, if given."""
        self._pages += 1
        if user:
            before = (
                f"<script>localStorage.setItem('current_user', JSON.stringify({{email: '{user}'}}))</script>"
                + before
            )
        source = f"{service or self._front.url}/{SCRIPT}"
        html = f'<!doctype html><head>{before}<script src="{source}" crossorigin {tag}></script></head><body>{body}</body>'
        self.page.goto(self._site.put(f"/page-{id(self)}-{self._pages}.html", html, **headers))

    def run(self, script: str, argument: Any = None) -> Any:
        """What an expression gives in the page; a promise is awaited."""
        return self.page.evaluate(script, argument)

    def flush(self) -> Any:
        """Has everything sent that can be, and says what the script answers."""
        return self.run("window.enhancedDataCapture.flush()")

    def hurry(self) -> None:
        """Ends the quiet window after a save, in which further signals of it are waited for."""
        self.run("window.enhancedDataCapture && enhancedDataCapture.flush()")

    def forget(self) -> None:
        """Empties the page's queue, so that its leaving sends nothing into the next test."""
        if not self.page.is_closed():
            self.run("window.enhancedDataCapture?.consent(false)")

    def eventually(self, look: Callable[[], Answer], what: str, seconds: float = 10.0) -> Answer:
        """What `look` returns, once that is true. The browser's events arrive meanwhile."""
        deadline = time.monotonic() + seconds
        while not (seen := look()):
            assert time.monotonic() < deadline, f"Not within {seconds:g} s: {what}"
            self.page.wait_for_timeout(20)
        return seen
