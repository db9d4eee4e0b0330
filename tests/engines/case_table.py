"""Run a table of cases at once, each in a frame with an origin of its own.

So no case sees what another one stored, and their pauses do not add up. The frames are visible and
of one site, so that their timers and storage work as in a page.
"""

from __future__ import annotations

import json
import random
import string
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from tests.engines.servers import Shop, tag, wait_until_quiet
from tests.engines.visit import NOTHING_OBSERVED, Visit

_HELPERS = (Path(__file__).parent / "case_helpers.js").read_text()
# Collects what each frame's developer could observe. All frames are in the viewport: Chromium runs
# the timers of others once a second.
_COLLECTOR = """<style>iframe { width: 20px; height: 20px; border: 0 }</style><script>
var reports = {};
onmessage = ({ data: [path, observed] }) => { reports[path] = observed; };
</script>"""
_NAMES = ("USER", "OTHER", "GUEST")
_PATIENCE_SECONDS = 8.0  # without a request, after which no further row is expected

Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """What a page does, and what the owner finds.

    The statements have the helpers of case_helpers.js. USER, OTHER and GUEST are the addresses of
    this case, and `number(1)` is a payment's number: T-1 in `rows`, where TOKEN is left out.

    Attributes:
        steps: statements that save.
        rows: the rows of the case's users, oldest first, with the columns that matter.
        before: statements before the tag, such as those that sign a user in.
        attributes: further attributes of the tag.
        html: the page's body, with USER_EMAIL for the address.
        table: the table of `rows`.
        only_latest: whether `rows` has only the latest row, whatever came before.
    """

    steps: str
    rows: tuple[Row, ...]
    before: str = ""
    attributes: str = ""
    html: str = ""
    table: str = "payment_data"
    only_latest: bool = False


@dataclass(frozen=True)
class RunningCase:
    """A case in its frame."""

    case: Case
    token: str
    shop: Shop
    folder: str

    def people(self) -> dict[str, str]:
        """Return the case's addresses by name, and its token."""
        names = {name: f"{name.lower()}-{self.token}@example.com" for name in _NAMES}
        return {**names, "TOKEN": self.token}

    def page(self, visit: Visit) -> str:
        """Put up the page and return its URL."""
        helpers = _HELPERS.replace("PEOPLE", json.dumps(self.people()))
        helpers = helpers.replace("FOLDER", self.folder)
        script = tag(
            f"{self.shop.url}/static", f'data-endpoint="{visit.proxy.url}" {self.case.attributes}'
        )
        html = self.case.html.replace("USER_EMAIL", self.people()["USER"])
        report = "parent.postMessage([location.pathname, window.observed], '*')"
        return self.shop.page(
            f"<script>{{ {helpers}\n{self.case.before}\n }}</script>{script}",
            f"{html}<script type=module>{helpers}\n"
            f"try {{ {self.case.steps}\n }} finally {{ {report}; }}</script>",
            folder=self.folder,
        )

    def found(self, visit: Visit) -> tuple[Row, ...]:
        """Return the rows of the case's users and payments, with the columns of its `rows`."""
        columns = list(self.case.rows[0]) if self.case.rows else ["user_email"]
        number = "transaction_id" if self.case.table == "payment_data" else "user_email"
        rows = visit.service.rows(
            f"SELECT * FROM {self.case.table}"  # noqa: S608
            f" WHERE user_email LIKE ? OR {number} LIKE ? ORDER BY rowid",
            *[f"%{self.token}%"] * 2,
        )
        labels = {address: name for name, address in self.people().items()}
        return tuple(
            {column: self._readable(row[column], labels) for column in columns}
            for row in (rows[-1:] if self.case.only_latest else rows)
        )

    def complaints(self, visit: Visit, name: str, observed: Any) -> Iterator[str]:
        """Yield what is wrong: other rows than expected, and what the page's developer sees."""
        found = self.found(visit)
        if found != self.case.rows:
            yield f"{name}: the owner finds {list(found)}, not {list(self.case.rows)}"
        if observed != NOTHING_OBSERVED:
            yield f"{name}: the page has {observed}"

    def _readable(self, value: Any, labels: Mapping[str, str]) -> Any:
        if not isinstance(value, str):
            return value
        return labels.get(value, value.replace(f"{self.token}-", "").replace(self.token, ""))


def rules_attribute(*rules: Mapping[str, str]) -> str:
    """Return the attribute of the tag that adds rules."""
    return f'data-rules="{escape(json.dumps(rules))}"'


def check(visit: Visit, *tables: Mapping[str, Case]) -> None:
    """Run the cases of all tables, and compare what the owner finds with their rows.

    No case may print, throw or leave a rejection unhandled.
    """
    cases = {name: case for table in tables for name, case in table.items()}
    assert len(cases) == sum(map(len, tables)), "two cases have one name"
    with _running(visit, cases) as (running, tab):
        urls = {name: one.page(visit) for name, one in running.items()}
        frames = "".join(f'<iframe src="{url}"></iframe>' for url in urls.values())
        tab.goto(visit.shop.page(_COLLECTOR, frames))
        tab.eventually(f"Object.keys(reports).length === {len(running)}", "all cases are over")
        _wait_for_rows(visit, running)
        reports = tab.run("reports")
        complaints = [
            complaint
            for name, one in running.items()
            for complaint in one.complaints(visit, name, reports[f"{one.folder}page-1.html"])
        ]
    assert not complaints, "\n".join(complaints)


@contextmanager
def _running(
    visit: Visit, cases: Mapping[str, Case]
) -> Iterator[tuple[dict[str, RunningCase], Any]]:
    running = {
        name: RunningCase(case, _token(), Shop(), f"/case-{index}/")
        for index, (name, case) in enumerate(cases.items())
    }
    tab = visit.open_tab()
    try:
        yield running, tab
    finally:
        visit.close(tab)
        with ThreadPoolExecutor(len(running)) as pool:
            list(pool.map(lambda one: one.shop.close(), running.values()))


def _token() -> str:
    """Return letters that no other case has; digits could look like a card number."""
    return "".join(random.choices(string.ascii_lowercase, k=10))


def _wait_for_rows(visit: Visit, running: Mapping[str, RunningCase]) -> None:
    """Return when all rows are there and nothing follows, or when nothing came for long."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    count = -1
    while any(one.found(visit) != one.case.rows for one in running.values()):
        requests = len(visit.proxy.requests)
        if requests != count:
            count, deadline = requests, time.monotonic() + _PATIENCE_SECONDS
        if time.monotonic() > deadline:
            return
        time.sleep(0.1)
    wait_until_quiet(visit.proxy, quiet_seconds=2.5)
