"""Commands to a browser as JSON over a websocket: what the DevTools protocol and WebDriver BiDi have in common."""

from __future__ import annotations

import json
import time
from typing import Any

import websocket

_MAX_SECONDS = 60.0


class Refused(Exception):
    """The browser did not do what it was told; the text is its own."""


class Wire:
    """One connection to a browser, used by one thread."""

    def __init__(self, url: str) -> None:
        # Both browsers turn away connections that name an origin, as a page's would.
        self._socket = websocket.create_connection(url, timeout=_MAX_SECONDS, suppress_origin=True)
        self._last_id = 0
        self.events: list[dict[str, Any]] = []

    def call(
        self, method: str, parameters: dict[str, Any] | None = None, **envelope: Any
    ) -> dict[str, Any]:
        """What the browser answers to a command.

        Args:
            method: the command's name.
            parameters: its parameters.
            envelope: what stands beside them, such as DevTools' `sessionId`.

        Raises:
            Refused: the browser answered with an error, or not within a minute.
        """
        self._last_id += 1
        number = self._last_id
        self._socket.send(
            json.dumps({"id": number, "method": method, "params": parameters or {}, **envelope})
        )
        deadline = time.monotonic() + _MAX_SECONDS
        while time.monotonic() < deadline:
            message = self._receive(method)
            if message.get("id") != number:
                if "method" in message:
                    self.events.append(message)
                continue
            if "error" in message:
                raise Refused(f"{method}: {message['error']} {message.get('message', '')}".strip())
            return dict(message["result"])
        raise Refused(f"{method}: no answer within {_MAX_SECONDS:g} s")

    def wait_for(self, name: str, **members: Any) -> dict[str, Any]:
        """The next event of that name whose parameters have these members."""
        deadline = time.monotonic() + _MAX_SECONDS
        while time.monotonic() < deadline:
            for index, event in enumerate(self.events):
                if event["method"] == name and members.items() <= event["params"].items():
                    return self.events.pop(index)
            message = self._receive(name)
            if "method" in message:
                self.events.append(message)
        raise Refused(f"no {name} within {_MAX_SECONDS:g} s")

    def close(self) -> None:
        """Ends the connection."""
        self._socket.close()

    def _receive(self, waiting_for: str) -> dict[str, Any]:
        try:
            return dict(json.loads(self._socket.recv()))
        except (websocket.WebSocketException, OSError) as reason:
            raise Refused(f"{waiting_for}: the connection to the browser ended: {reason}") from None
