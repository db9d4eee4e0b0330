"""Test that generated bodies never disturb the page, and that each payment gives one row.

The bodies are the same at each run: EDC_SEED=7 generates others, EDC_PAGE_BODIES=5000 more. A
failure names the cases.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.browser.site import Reply
from tests.engines.body_contents import MAY, MUST, NEVER
from tests.engines.browser import Browser, eventually
from tests.engines.engines import Engine
from tests.engines.generated_bodies import Case, generate
from tests.engines.servers import FaultProxy, Shop
from tests.engines.visit import NOTHING_OBSERVED, Visit
from tests.support.services import RunningService

SEED = int(os.environ.get("EDC_SEED", "1"))
COUNT = int(os.environ.get("EDC_PAGE_BODIES", "150"))
_CASES_PER_PAGE = 25
_PAGE = (Path(__file__).parent / "page_of_bodies.js").read_text()
_TABLES = ("payment_data", "questionnaire_data", "dashboard_data", "trading_activity_log")
_MAX_SHOWN = 100

Received = tuple[str, str, str, bytes]


class BodyRecorder(Shop):
    """A shop that keeps the bytes of each request, by the number of its case."""

    def __init__(self) -> None:
        self.bodies: defaultdict[int, list[Received]] = defaultdict(list)
        super().__init__()

    def respond(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Reply | None:
        """Keep a case's request, with a fixed boundary in place of a random one."""
        case = re.search(r"[?&]case=(\d+)", path)
        if case:
            media_type = headers.get("Content-Type", "")
            boundary = re.search(r"boundary=(\S+)", media_type)
            if boundary and "form-data" in media_type:
                media_type = media_type.replace(boundary[1], "BOUNDARY")
                body = body.replace(boundary[1].encode(), b"BOUNDARY")
            self.bodies[int(case[1])].append((method, path, media_type, body))
        return super().respond(method, path, headers, body)


@pytest.fixture
def bodies_visit(
    engine: Engine, browser: Browser, unlimited_service: RunningService, user: str
) -> Iterator[Visit]:
    """A visit to a shop that records bodies."""
    shop, proxy = BodyRecorder(), FaultProxy()
    proxy.service = unlimited_service.url
    visit = Visit(engine, browser, shop, proxy, unlimited_service, user)
    yield visit
    for tab in visit.tabs:
        tab.close()
    shop.close()
    proxy.close()


@pytest.mark.quick
@pytest.mark.slow(quick_cases=1)
def test_generated_bodies_leave_the_page_as_it_is_and_only_payments_give_rows(
    bodies_visit: Visit,
) -> None:
    visit = bodies_visit
    cases = generate(SEED, COUNT)
    expected, expected_bodies = send_bodies(visit, cases, head="")
    got, bodies = send_bodies(visit, cases, head=visit.tag())

    faults = [
        f"{describe(case)}\n    {what} without the tag: {without.get(case.number)!s:.300}"
        f"\n    {what} with it: {with_tag.get(case.number)!s:.300}"
        for what, without, with_tag in (
            ("the page saw", expected, got),
            ("the shop received", expected_bodies, bodies),
        )
        for case in cases
        if with_tag.get(case.number) != without.get(case.number)
    ]
    faults += rows_faults(visit, cases)
    shown = "\n".join(faults[:_MAX_SHOWN])
    assert not faults, f"{len(faults)} faults of {COUNT} bodies, EDC_SEED={SEED}:\n{shown}"


def describe(case: Case) -> str:
    return f"{case.number}, {case.rows}: {case.what}"


def send_bodies(
    visit: Visit, cases: Sequence[Case], head: str
) -> tuple[dict[int, Any], dict[int, list[Received]]]:
    """Send all cases, from several pages.

    Returns:
        What the page saw, and what the shop received, for each case.
    """
    shop = visit.shop
    assert isinstance(shop, BodyRecorder)
    shop.bodies.clear()
    outcomes: dict[int, Any] = {}
    for first in range(0, len(cases), _CASES_PER_PAGE):
        some = cases[first : first + _CASES_PER_PAGE]
        tab = visit.open(f"{head}<script>{_PAGE}</script>")
        *results, prototypes = tab.run("sendBodies", [case.request for case in some])
        outcomes |= dict(zip((case.number for case in some), results, strict=True))
        beacons = [case.number for case in some if outcomes[case.number].startswith("beacon true")]
        eventually(lambda beacons=beacons: all(map(shop.bodies.get, beacons)), "the beacons arrive")
        assert prototypes == "prototypes: false"
        assert visit.observed(tab) == NOTHING_OBSERVED, [case.what for case in some]
        if head:
            tab.eventually(
                "(async () => !(await enhancedDataCapture.status()).waiting)()", "all are delivered"
            )
        visit.close(tab)
    return outcomes, dict(shop.bodies)


def rows_faults(visit: Visit, cases: Sequence[Case]) -> list[str]:
    """Return what is wrong with the stored rows."""
    rows = {
        table: visit.service.rows(f"SELECT * FROM {table} ORDER BY id")  # noqa: S608
        for table in _TABLES
    }
    by_user = defaultdict(list)
    for row in rows["payment_data"]:
        by_user[row["user_email"]].append(row)
    faults = [
        f"junk in {table}: row {row['id']} of {row['user_email']}, {row['created_at']}"
        for table in _TABLES
        for row in rows[table]
        if table != "payment_data" or row["user_email"] not in {case.user for case in cases}
    ]
    for case in cases:
        found = [(row["transaction_id"], row["final_price"]) for row in by_user[case.user]]
        allowed = {MUST: [[case.payment]], MAY: [[], [case.payment]], NEVER: [[]]}[case.rows]
        if found not in allowed:
            faults.append(f"{describe(case)}\n    rows: {found}")
    return faults
