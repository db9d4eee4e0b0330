"""Run fault scenarios with the script: a page's own function saves payments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.browser.site import STORED_RECORDS
from tests.engines.engines import Engine
from tests.engines.harness import FAULT_SECONDS, Harness
from tests.engines.scenarios import CAPTURES_PER_RUN
from tests.engines.servers import FaultProxy, tag
from tests.engines.visit import DATABASE_OPENED, payment_page
from tests.support.services import RunningService


class ScriptHarness(Harness):
    """The script in front of the real service."""

    def __init__(
        self,
        engine: Engine,
        service: RunningService,
        user: str,
        folder: Path,
        fault_seconds: float = FAULT_SECONDS,
    ) -> None:
        super().__init__(engine, folder, FaultProxy(), service.url, fault_seconds)
        self._database = service
        self._user = user
        attributes = f'data-endpoint="{self._proxy.url}"'
        self.put_page(tag(f"{self._shop.url}/static", attributes), payment_page(user))

    def save_function(self) -> str:
        """Return a function that dispatches the event `pay`: the page has no global functions."""
        return "(ids) => document.dispatchEvent(new CustomEvent('pay', { detail: ids.join(' ') }))"

    def started_promise(self) -> str:
        """Return a promise that the script's database is open."""
        return DATABASE_OPENED

    def written_promise(self) -> str:
        """Return a promise that another connection to the database sees all captures."""
        return f"""(async () => {{
          const captures = async () => (await {STORED_RECORDS}).filter(({{ kind }}) => kind);
          while ((await captures()).length < {CAPTURES_PER_RUN}) {{
            await new Promise((resolve) => setTimeout(resolve, 20));
          }}
        }})()"""

    def count_stored(self, captures: Sequence[str]) -> int:
        """Return how many of these payments have a row."""
        return len(set(captures) & self._count_rows().keys())

    def count_duplicates(self, captures: Sequence[str]) -> int:
        """Return how many of these payments have several rows or several capture ids."""
        rows, ids = self._count_rows(), self._proxy.capture_ids_by_transaction()
        return sum(rows[capture] > 1 or len(ids.get(capture, ())) > 1 for capture in captures)

    def _count_rows(self) -> Counter[str]:
        rows = self._database.rows(
            "SELECT transaction_id FROM payment_data WHERE user_email = ?", self._user
        )
        return Counter(row["transaction_id"] for row in rows)
