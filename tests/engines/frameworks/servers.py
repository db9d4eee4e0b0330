"""The pages' own servers, and a proxy that records what pages request from them."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from email.message import Message
from pathlib import Path
from typing import cast

from tests.browser.site import Reply, Site
from tests.engines.frameworks.pages import NO_TELEMETRY
from tests.engines.servers import OBSERVER, SavedRequest
from tests.support.services import eventually, free_port

_MAX_SECONDS = "3600"  # after which a server ends by itself, even if the tests were killed
_FORWARD_TIMEOUT_SECONDS = 60
_REPLACED_HEADERS = (
    "Cache-Control", "ETag", "Content-Length", "Connection", "Transfer-Encoding", "Date", "Server",
)  # fmt: skip
_FORGET_COOKIES = "/forget-cookies"
_OBSERVER = "/observer.js"


class PageServer:
    """A page's own server as a process."""

    def __init__(self, command: list[str], folder: Path, output: Path) -> None:
        self.port = free_port()
        self._output = output
        words = [word.replace("{port}", str(self.port)) for word in command]
        with output.open("wb") as stream:
            self._process = subprocess.Popen(
                ["timeout", "--signal=KILL", _MAX_SECONDS, *words],
                cwd=folder,
                env=NO_TELEMETRY,
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            eventually(self._accepts_connections, f"{' '.join(words)} accepts connections")
        except AssertionError:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process and its children."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _accepts_connections(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"The server ended: {self._output.read_text(errors='replace')}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class PageProxy(Site):
    """A reverse proxy before the page's server: the site that the browser visits.

    Its port is new, so that its origin is new. Every page loads the observer first. The server puts
    the tag behind it if a request has `X-Capture-Service`.

    Attributes:
        capture_service: the URL of the service that the tag names; empty for pages without it.
        saved: every request of a page to its own server.
    """

    def __init__(self, server: PageServer) -> None:
        self.capture_service = ""
        self.saved: list[SavedRequest] = []
        self._upstream = f"127.0.0.1:{server.port}"
        super().__init__()
        observer = OBSERVER.removeprefix("<script>").removesuffix("</script>")
        self.put(_OBSERVER, observer, "text/javascript")

    @property
    def forget_cookies_url(self) -> str:
        """The URL of an empty page that deletes all cookies: those of localhost have no port."""
        return self.url + _FORGET_COOKIES

    def respond(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Reply | None:
        """Return the page's server's response."""
        where, _, query = path.partition("?")
        if where == _FORGET_COOKIES:
            return _delete_cookies(headers.get("Cookie", ""))
        if where in (_OBSERVER, "/favicon.ico"):
            return super().respond(method, path, headers, body)
        text = body.decode(errors="replace")
        self.saved.append(SavedRequest(method, where, query, text, dict(headers)))
        return self._forward(method, path, headers, body)

    def _forward(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        dropped = ("connection", "accept-encoding")
        sent = {name: value for name, value in headers.items() if name.lower() not in dropped}
        sent["X-Forwarded-Proto"] = "http"
        if self.capture_service:
            sent["X-Capture-Service"] = self.capture_service
        connection = http.client.HTTPConnection(self._upstream, timeout=_FORWARD_TIMEOUT_SECONDS)
        try:
            connection.request(method, path, body or None, sent)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        reply_headers = response.headers
        for name in _REPLACED_HEADERS:
            del reply_headers[name]
        reply_headers["Cache-Control"] = "no-store"  # so that two visits send the same requests
        return Reply(response.status, _as_mapping(reply_headers), content)


def _delete_cookies(sent: str) -> Reply:
    headers = Message()
    headers["Content-Type"] = "text/html"
    for cookie in filter(None, sent.split("; ")):
        headers["Set-Cookie"] = f"{cookie.partition('=')[0]}=; Max-Age=0; Path=/"
    return Reply(200, _as_mapping(headers), b"<!doctype html><title>No cookies</title>")


def _as_mapping(headers: Message) -> Mapping[str, str]:
    """Return the headers for a Reply, which reads their items: a name can occur several times."""
    return cast("Mapping[str, str]", headers)
