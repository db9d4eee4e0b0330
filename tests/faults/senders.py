"""Send captures, and send them again until they are acknowledged, as the browser does."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any

KINDS = {
    "payment": ("payment_id", "payment_data"),
    "questionnaire": ("questionnaire_id", "questionnaire_data"),
    "dashboard": ("dashboard_id", "dashboard_data"),
    "activity": ("activity_id", "trading_activity_log"),
}
_USERS = 50
_RESPONSE_SECONDS = 15.0
_PAUSE_SECONDS = 0.02
_MAX_BATCH_CAPTURES = 8
_ACKNOWLEDGED_STATUSES = (200, 201, 207)

Capture = dict[str, Any]


def new_capture(number: int) -> Capture:
    """Make a unique capture.

    Its capture_id is also in a column of its row, and as `mark` in its audit record.
    """
    kind = list(KINDS)[number % len(KINDS)]
    mark = uuid.uuid4().hex
    fields: dict[str, dict[str, Any]] = {
        "payment": {"transaction_id": mark, "final_price": "9.90"},
        "questionnaire": {"propFirm": mark, "tradesPerDay": "1-2"},
        "dashboard": {"total_pnl": number, "trading_state": {"mark": mark}},
        "activity": {"activity_type": mark, "activity_data": {"number": number}},
    }
    user = f"user-{random.randrange(_USERS)}@example.com"
    return {"type": kind, "user_email": user, "capture_id": mark, "mark": mark, **fields[kind]}


class Sender(threading.Thread):
    """Sends captures, alone and in batches, until `done`; ends when all are acknowledged.

    `acknowledged` has the kind and the row's id of each capture, by capture_id. `errors` are wrong
    responses. While `is_burst` is set, it sends without pauses.
    """

    def __init__(
        self, number: int, port: int, is_burst: threading.Event, done: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        self.acknowledged: dict[str, tuple[str, int]] = {}
        self.sent: set[str] = set()
        self.errors: list[str] = []
        self.resent = 0
        self._number, self._port = number, port
        self._is_burst, self._done = is_burst, done
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        count = self._number * 10_000_000
        while not self._done.is_set():
            size = random.randint(2, _MAX_BATCH_CAPTURES) if random.random() < 0.2 else 1
            captures = [new_capture(count + index) for index in range(size)]
            count += size
            self.sent.update(capture["capture_id"] for capture in captures)
            self._send_until_acknowledged(captures)
            if random.random() < 0.05:
                self.send_again(captures)
            if not self._is_burst.is_set():
                time.sleep(_PAUSE_SECONDS)
        if self._connection is not None:
            self._connection.close()

    def send_again(self, captures: Sequence[Capture]) -> None:
        """Send acknowledged captures again, which must get their first response."""
        self._send_until_acknowledged(captures)

    def _send_until_acknowledged(self, captures: Sequence[Capture]) -> None:
        waiting = list(captures)
        while waiting:
            waiting = self._send(waiting)
            if waiting:
                self.resent += len(waiting)
                time.sleep(_PAUSE_SECONDS)

    def _send(self, captures: list[Capture]) -> list[Capture]:
        """Send captures once, and return those that were not acknowledged."""
        if len(captures) == 1:
            status, response = self._post(captures[0]["type"], captures[0])
            results = [{"status": status, **response}]
        else:
            status, response = self._post("batch", {"captures": captures})
            results = response.get("answers", [{"status": status}] * len(captures))
        unacknowledged = []
        for capture, result in zip(captures, results, strict=True):
            if result["status"] in _ACKNOWLEDGED_STATUSES:
                self._note(capture, result[KINDS[capture["type"]][0]])
            else:
                unacknowledged.append(capture)
                if result["status"] not in (0, 503):
                    self.errors.append(f"got {result['status']}: {result}")
        return unacknowledged

    def _note(self, capture: Capture, row_id: int) -> None:
        row = (capture["type"], row_id)
        first_row = self.acknowledged.setdefault(capture["capture_id"], row)
        if first_row != row:
            self.errors.append(f"{capture['capture_id']} got {row} after {first_row}")

    def _post(self, path: str, payload: Any) -> tuple[int, dict[str, Any]]:
        """Return the status and the response; 0 and an empty dict if there was none."""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(
                    "127.0.0.1", self._port, timeout=_RESPONSE_SECONDS
                )
            body, headers = json.dumps(payload), {"Content-Type": "application/json"}
            self._connection.request("POST", f"/api/data-capture/{path}", body, headers)
            response = self._connection.getresponse()
            members: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return 0, {}
        return response.status, members
