"""The capture script in a play: a page's own function posts payments to its shop, and the service's file is looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.browser.site import STORED_RECORDS
from tests.engines.engines import Engine
from tests.engines.scenario_runner import FAULT_SECONDS, Play
from tests.engines.scenarios import CAPTURES
from tests.engines.servers import Gate, tag
from tests.engines.site import PAYS, STARTED
from tests.support.services import RunningService


class CapturePlay(Play):
    """The script, before the real service."""

    def __init__(
        self,
        engine: Engine,
        service: RunningService,
        user: str,
        folder: Path,
        fault_seconds: float = FAULT_SECONDS,
    ) -> None:
        super().__init__(engine, folder, Gate(), service.url, fault_seconds)
        self._database = service
        self._user = user
        attributes = f'data-endpoint="{self._gate.url}"'
        self.put_page(tag(f"{self._shop.url}/static", attributes), PAYS.replace("PERSON", user))

    def saves(self) -> str:
        """Through an event, since nothing of the page is global."""
        return "(ids) => document.dispatchEvent(new CustomEvent('pay', { detail: ids.join(' ') }))"

    def settled(self) -> str:
        """Its database is open, which may have had to be made first."""
        return STARTED

    def landed(self) -> str:
        """Another connection to the script's database sees as many captures as a scenario makes."""
        return f"""(async () => {{
          const captures = async () => (await {STORED_RECORDS}).filter(({{ kind }}) => kind);
          while ((await captures()).length < {CAPTURES}) await new Promise((turn) => setTimeout(turn, 20));
        }})()"""

    def arrived(self, captures: Sequence[str]) -> int:
        """Payments with a row."""
        return len(set(captures) & self._rows().keys())

    def twice(self, captures: Sequence[str]) -> int:
        """Payments with more rows than one, or sent under more than one id."""
        rows, ids = self._rows(), self._gate.ids_by_transaction()
        return sum(rows[capture] > 1 or len(ids.get(capture, ())) > 1 for capture in captures)

    def _rows(self) -> Counter[str]:
        found = self._database.rows(
            "SELECT transaction_id FROM payment_data WHERE user_email = ?", self._user
        )
        return Counter(row["transaction_id"] for row in found)
