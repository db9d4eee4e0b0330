"""Send a browser commands as JSON over a websocket.

The DevTools protocol and WebDriver BiDi share this format.
"""

from __future__ import annotations

import json
import time
from typing import Any

import websocket

_TIMEOUT_SECONDS = 60.0


class BrowserError(Exception):
    """The browser rejected a command, or did not respond. The text is the browser's own."""


class Connection:
    """One connection to a browser, used by one thread."""

    def __init__(self, url: str) -> None:
        # Both browsers reject connections with an Origin header, because a page could open them.
        self._socket = websocket.create_connection(
            url, timeout=_TIMEOUT_SECONDS, suppress_origin=True
        )
        self._last_id = 0
        self.events: list[dict[str, Any]] = []

    def call(
        self, method: str, parameters: dict[str, Any] | None = None, **members: Any
    ) -> dict[str, Any]:
        """Send a command and return its result.

        Args:
            method: the command's name.
            parameters: its parameters.
            members: further members of the message, such as DevTools' `sessionId`.

        Raises:
            BrowserError: the browser responded with an error, or not within a minute.
        """
        self._last_id += 1
        number = self._last_id
        self._socket.send(
            json.dumps({"id": number, "method": method, "params": parameters or {}, **members})
        )
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            message = self._receive(method)
            if message.get("id") != number:
                if "method" in message:
                    self.events.append(message)
                continue
            if "error" in message:
                text = f"{method}: {message['error']} {message.get('message', '')}"
                raise BrowserError(text.strip())
            return dict(message["result"])
        raise BrowserError(f"{method}: no response within {_TIMEOUT_SECONDS:g} s")

    def wait_for_event(self, name: str, **members: Any) -> dict[str, Any]:
        """Return the next event with this name whose parameters have these members."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            for index, event in enumerate(self.events):
                if event["method"] == name and members.items() <= event["params"].items():
                    return self.events.pop(index)
            message = self._receive(name)
            if "method" in message:
                self.events.append(message)
        raise BrowserError(f"no {name} within {_TIMEOUT_SECONDS:g} s")

    def close(self) -> None:
        """Close the websocket."""
        self._socket.close()

    def _receive(self, waiting_for: str) -> dict[str, Any]:
        try:
            return dict(json.loads(self._socket.recv()))
        except (websocket.WebSocketException, OSError) as error:
            text = f"{waiting_for}: the connection to the browser ended: {error}"
            raise BrowserError(text) from None
