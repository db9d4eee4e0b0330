"""Test end to end that no card number reaches a table, a log or a response."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.cards import card_in_json, separated_digits_pattern
from tests.support.services import RunningService, capture_service_in

EXAMPLES = int(os.environ.get("EDC_CARD_EXAMPLES", "60"))

FIELDS = {
    "payment": [
        "transaction_id",
        "coupon_code",
        "user_name",
        "payment_method",
        "final_price",
        "user_id",
        "paymentData",
        "comment",
    ],
    "questionnaire": [
        "prop_firm",
        "account_number",
        "crypto_assets",
        "screenshot",
        "screenshot_filename",
        "account_size",
    ],
    "dashboard": ["theme", "trading_state", "dashboardData", "total_pnl", "user_name", "account"],
    "activity": ["activity_type", "activity_data", "note"],
}
PLACES = [(kind, name) for kind, names in FIELDS.items() for name in names]
VISA = "4111111111111111"
WEB_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJlLW9mLWl0"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A separate capture service, so that the test can read every byte that it writes."""
    running = capture_service_in(tmp_path_factory.mktemp("cards"), EDC_DEBUG="1")
    running.start()
    yield running
    running.stop()


def user_rows(service: RunningService, user: str) -> Iterator[tuple[str, str]]:
    """Yield each row of a user as the table's name and the row as JSON."""
    tables = service.rows("""
        SELECT tables.name
        FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns
        WHERE tables.type = 'table' AND columns.name = 'user_email'
    """)
    for table in tables:
        for row in service.rows(f"SELECT * FROM {table['name']} WHERE user_email = ?", user):  # noqa: S608
            yield table["name"], json.dumps(row, ensure_ascii=False, default=bytes.hex)


@pytest.mark.slow
def test_a_card_number_in_any_field_reaches_no_table_log_or_response(
    service: RunningService,
) -> None:
    sent: list[str] = []

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(place=st.sampled_from(PLACES), card=card_in_json(), in_batch=st.booleans())
    def send(place: tuple[str, str], card: tuple[str, Any], in_batch: bool) -> None:
        (kind, name), (digits, value) = place, card
        sent.append(digits)
        user = f"{uuid.uuid4().hex}@example.com"
        # In a field of the page, in a key, in the capture_id and in the User-Agent.
        payload = {
            "user_email": user,
            name: value,
            "more": {f"key {digits}": value},
            "capture_id": f"id:{digits}",
        }
        payloads = [
            payload,
            {key: member for key, member in payload.items() if key != "capture_id"},
        ]
        browser = {"User-Agent": f"Browser/1.0 ({digits})"}
        if in_batch:
            captures = [{"type": kind, **one} for one in payloads]
            responses = [service.capture("batch", {"captures": captures}, **browser)]
            results = responses[0].json()["answers"]
            assert [result["status"] for result in results] == [422, 201]
        else:
            responses = [service.capture(kind, one, **browser) for one in payloads]
            assert [response.status_code for response in responses] == [422, 201]
        pattern = separated_digits_pattern(digits)
        for response in responses:
            assert not pattern.search(response.text)
        found_in = dict(user_rows(service, user))
        assert len(found_in) >= 2  # the kind's table and the audit trail
        for table, row in found_in.items():
            assert not pattern.search(row), table

    send()
    for path in service.database.parent.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert [digits for digits in sent if digits.encode() in content] == [], path


@pytest.mark.slow
def test_errors_contain_no_card_number(service: RunningService) -> None:
    url = f"{service.url}/api/data-capture"
    bodies = [
        f'{{"a": {VISA}', f'{{"{VISA}": 1, "{VISA}": 2}}', f'["{VISA}"]',
        f'{{"user_email": "{VISA}"}}',
        f'{{"user_email": "a@example.com", "final_price": "{VISA}!"}}',
    ]  # fmt: skip
    for body in bodies:
        response = requests.post(
            f"{url}/payment", data=body, headers={"Content-Type": "application/json"}, timeout=60
        )
        assert VISA not in response.text
    for path in (f"stats/{VISA}", f"stats/{VISA}@example.com", VISA):
        requests.get(f"{url}/{path}", timeout=60)
    assert VISA not in service.log_file.read_text() + service.output.read_text()


def test_a_card_number_as_capture_id_is_rejected(service: RunningService, user: str) -> None:
    response = service.capture("payment", {"user_email": user, "capture_id": VISA})
    assert response.status_code == 422
    assert VISA not in response.text
    for table in ("capture_receipts", "data_capture_audit"):
        assert VISA not in json.dumps(service.rows(f"SELECT * FROM {table}"), default=bytes.hex)  # noqa: S608


@pytest.mark.parametrize(
    "email", [f"{VISA}@example.com", "4111-1111-1111-1111@example.com", f"a.{VISA}+b@example.org"]
)
def test_an_address_that_looks_like_a_card_number_is_a_user(
    service: RunningService, email: str
) -> None:
    response = service.capture("payment", {"user_email": email, "note": f"{VISA} {email}"})
    assert response.status_code == 201
    [record] = service.rows(
        "SELECT data_snapshot FROM data_capture_audit WHERE user_email = ?", email
    )
    snapshot = json.loads(record["data_snapshot"])
    assert snapshot["user_email"] == email
    assert snapshot["note"] == f"[card ****1111] {email}"


def test_passwords_tokens_and_keys_in_a_payload_are_not_stored(
    service: RunningService, user: str
) -> None:
    payload = {
        "email": user,
        "password": "hunter2-secret",
        "token": WEB_TOKEN,
        "questionnaire": {"accountSize": "$100,000"},
        "tradingState": json.dumps({"apiKey": "hunter2-key"}),
    }
    for kind in ("questionnaire", "dashboard", "payment"):
        assert service.capture(kind, payload).status_code == 201
    for file in (service.database, service.database.with_name(service.database.name + "-wal")):
        content = file.read_bytes()
        assert b"hunter2" not in content
        assert WEB_TOKEN.encode() not in content


class TestMaskedPathsInAuditRecords:
    def test_masked_values_are_listed_by_path_in_the_snapshot(
        self, service: RunningService, user: str
    ) -> None:
        payload = {
            "user_email": user,
            "paymentData": {"cardNumber": VISA, "cvv": "123", "method": "card"},
        }
        service.capture("payment", payload, **{"User-Agent": f"Browser {VISA}"})
        [record] = service.rows(
            """SELECT data_snapshot, data_snapshot ->> '$._masked[0]' AS first, status
               FROM data_capture_audit WHERE user_email = ?""",
            user,
        )
        snapshot = json.loads(record["data_snapshot"])
        assert snapshot["paymentData"] == {
            "cardNumber": "[card ****1111]",
            "cvv": "[redacted]",
            "method": "card",
        }
        assert snapshot["_masked"] == ["paymentData.cardNumber", "paymentData.cvv", "User-Agent"]
        assert (record["first"], record["status"]) == ("paymentData.cardNumber", "success")

    def test_a_member_named_masked_is_kept(self, service: RunningService, user: str) -> None:
        service.capture("payment", {"user_email": user, "_masked": "mine", "pin": 1})
        [record] = service.rows(
            "SELECT data_snapshot FROM data_capture_audit WHERE user_email = ?", user
        )
        assert json.loads(record["data_snapshot"]) == {
            "user_email": user, "_masked": "mine", "pin": "[redacted]", "__masked": ["pin"],
        }  # fmt: skip

    def test_a_snapshot_without_masked_values_lists_none(
        self, service: RunningService, user: str
    ) -> None:
        service.capture("payment", {"user_email": user, "plan": "pro"})
        [record] = service.rows(
            "SELECT data_snapshot FROM data_capture_audit WHERE user_email = ?", user
        )
        assert json.loads(record["data_snapshot"]) == {"user_email": user, "plan": "pro"}

    def test_a_masked_payload_sent_again_is_a_duplicate(
        self, service: RunningService, user: str
    ) -> None:
        payload = {
            "user_email": user,
            "capture_id": str(uuid.uuid4()),
            "final_price": 10,
            "transaction_id": "TX-1",
            "cardNumber": VISA,
            "note": f"paid with {VISA}",
        }
        first = service.capture("payment", payload)
        again = service.capture("payment", dict(reversed(payload.items())))
        assert (first.status_code, again.json(), again.headers["Idempotency-Replayed"]) == (
            201,
            first.json(),
            "true",
        )
