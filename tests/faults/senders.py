"""Senders of captures that keep what was not acknowledged and send it again, as the browser does."""

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
_ANSWER_SECONDS = 15.0
_PAUSE_SECONDS = 0.02
_LARGEST_BATCH = 8
_TAKEN = (200, 201, 207)

Capture = dict[str, Any]


def new_capture(number: int) -> Capture:
    """One that equals no other: its capture_id is also in a column of its row, and as `mark` in its audit record."""
    kind = list(KINDS)[number % len(KINDS)]
    mark = uuid.uuid4().hex
    fields: dict[str, dict[str, Any]] = {
        "payment": {"transaction_id": mark, "final_price": "9.90"},
        "questionnaire": {"propFirm": mark, "tradesPerDay": "1-2"},
        "dashboard": {"total_pnl": number, "trading_state": {"mark": mark}},
        "activity": {"activity_type": mark, "activity_data": {"number": number}},
    }
    user = f"person-{random.randrange(_USERS)}@example.com"
    return {"type": kind, "user_email": user, "capture_id": mark, "mark": mark, **fields[kind]}


class Sender(threading.Thread):
    """Sends captures, alone and in batches, until `done`; ends when all of them are acknowledged.

    `acknowledged` has the row id of each, by capture_id. `broken` are promises that an answer broke.
    """

    def __init__(
        self, number: int, port: int, hurry: threading.Event, done: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        self.acknowledged: dict[str, tuple[str, int]] = {}
        self.sent: set[str] = set()
        self.broken: list[str] = []
        self.resent = 0
        self._number, self._port = number, port
        self._hurry, self._done = hurry, done
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        count = self._number * 10_000_000
        while not self._done.is_set():
            size = random.randint(2, _LARGEST_BATCH) if random.random() < 0.2 else 1
            captures = [new_capture(count + index) for index in range(size)]
            count += size
            self.sent.update(capture["capture_id"] for capture in captures)
            self._send_until_acknowledged(captures)
            if random.random() < 0.05:
                self.send_again(captures)
            if not self._hurry.is_set():
                time.sleep(_PAUSE_SECONDS)
        if self._connection is not None:
            self._connection.close()

    def send_again(self, captures: Sequence[Capture]) -> None:
        """Acknowledged captures, which have to get their first answer."""
        self._send_until_acknowledged(captures)

    def _send_until_acknowledged(self, captures: Sequence[Capture]) -> None:
        waiting = list(captures)
        while waiting:
            waiting = self._send(waiting)
            if waiting:
                self.resent += len(waiting)
                time.sleep(_PAUSE_SECONDS)

    def _send(self, captures: list[Capture]) -> list[Capture]:
        """Sends them once; what was not acknowledged."""
        if len(captures) == 1:
            status, answer = self._post(captures[0]["type"], captures[0])
            answers = [{"status": status, **answer}]
        else:
            status, answer = self._post("batch", {"captures": captures})
            answers = answer.get("answers", [{"status": status}] * len(captures))
        left = []
        for capture, one in zip(captures, answers, strict=True):
            if one["status"] in _TAKEN:
                self._note(capture, one[KINDS[capture["type"]][0]])
            else:
                left.append(capture)
                if one["status"] not in (0, 503):
                    self.broken.append(f"answered {one['status']}: {one}")
        return left

    def _note(self, capture: Capture, row_id: int) -> None:
        answer = (capture["type"], row_id)
        if self.acknowledged.setdefault(capture["capture_id"], answer) != answer:
            self.broken.append(
                f"{capture['capture_id']} was answered {answer} after {self.acknowledged[capture['capture_id']]}"
            )

    def _post(self, where: str, payload: Any) -> tuple[int, dict[str, Any]]:
        """The status and the answer; 0 and nothing when there was none."""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(
                    "127.0.0.1", self._port, timeout=_ANSWER_SECONDS
                )
            body, headers = json.dumps(payload), {"Content-Type": "application/json"}
            self._connection.request("POST", f"/api/data-capture/{where}", body, headers)
            response = self._connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return 0, {}
        return response.status, answer
