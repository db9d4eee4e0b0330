"""Test pages made with frameworks: they behave as without the tag, and each save is stored once."""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from typing import Any

import pytest

from tests.engines.frameworks.customer import CARD_NUMBER, CVV, PASSWORD, Customer, Experience
from tests.engines.frameworks.pages import PAYMENT, QUICK_PAGES, SLOW_PAGES, FrameworkPage
from tests.engines.frameworks.servers import PageProxy
from tests.engines.visit import NOTHING_OBSERVED, Visit

_SECRETS = (
    PASSWORD,
    CARD_NUMBER,
    CARD_NUMBER.replace(" ", ""),
    CARD_NUMBER.replace(" ", "+"),
    "csrf-token-of-the-page",
    "anon-key-of-the-project",
    "refresh-of-the-user",
    "eyJhbGciOi",  # begins every JSON Web Token
)

_ALL_PAGES = [
    *(pytest.param(page, id=page.name) for page in QUICK_PAGES),
    *(pytest.param(page, id=page.name, marks=pytest.mark.slow) for page in SLOW_PAGES),
]


@pytest.mark.quick
@pytest.mark.parametrize("page", _ALL_PAGES)
def test_page_behaves_as_without_the_tag_and_each_save_is_stored_once(
    page: FrameworkPage, page_proxy: PageProxy, visit: Visit
) -> None:
    transaction = f"TX-{uuid.uuid4().hex[:10]}"
    without_tag = _make_journey(page, page_proxy, visit, transaction)
    assert list(visit.proxy.captures()) == []
    page_proxy.capture_service = visit.proxy.url
    with_tag = _make_journey(page, page_proxy, visit, transaction)

    assert with_tag == without_tag
    assert with_tag.steps[-1][2] == NOTHING_OBSERVED

    expected = {"payment_data": {**PAYMENT, "transaction_id": transaction}, **page.saved}
    for table in expected:
        visit.wait_for_rows(table, 1)
    visit.proxy.wait_until_quiet()
    stored = {table: _values(visit, table, columns) for table, columns in expected.items()}
    assert stored == {table: [columns] for table, columns in expected.items()}
    assert _sent_captures(visit) == dict.fromkeys(expected, 1)
    payments_of_anyone = visit.service.rows(
        "SELECT user_email FROM payment_data WHERE transaction_id = ?", transaction
    )
    assert payments_of_anyone == [{"user_email": visit.user}]

    sent = b"\n".join(visit.proxy.received_bytes).decode(errors="replace")
    assert [secret for secret in _SECRETS if secret in sent] == []
    texts = [text for capture in visit.proxy.captures() for text in _texts(capture)]
    assert [text for text in texts if re.search(rf"\b{CVV}\b", text)] == []


def _make_journey(
    page: FrameworkPage, page_proxy: PageProxy, visit: Visit, transaction: str
) -> Experience:
    return Customer(page, visit.open_tab(), page_proxy).make_journey(visit.user, transaction)


def _sent_captures(visit: Visit) -> Counter[str]:
    """Return how many captures were sent for each table.

    A page that is left before the response arrives sends a capture again, with the same id.
    """
    captures = {(f"{sent['type']}_data", sent["capture_id"]) for sent in visit.proxy.captures()}
    return Counter(table for table, _ in captures)


def _values(visit: Visit, table: str, columns: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            column: json.loads(row[column]) if column == "crypto_assets" else row[column]
            for column in columns
        }
        for row in visit.rows(table)
    ]


def _texts(value: Any) -> list[str]:
    """Return all texts and numbers in a capture, without the script's own random ones."""
    if isinstance(value, dict):
        own = ("capture_id", "capture_timestamp")
        return [text for name, item in value.items() if name not in own for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [str(value)]
