"""Test through HTTP that payloads in envelopes fill the columns."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.services import RunningService

PAYMENT = {"plan_name": "Pro", "final_price": "99.80", "transaction_id": "TX-1"}

PAYLOADS: dict[str, dict[str, Any]] = {
    "data": {"data": PAYMENT},
    "JSON:API": {"data": {"type": "payments", "id": "1", "attributes": PAYMENT}},
    "zustand": {"state": PAYMENT, "version": 0},
    "Firestore": {"fields": {key: {"stringValue": value} for key, value in PAYMENT.items()}},
    "GraphQL": {"query": "mutation Pay($input: Payment!) { pay }", "variables": {"input": PAYMENT}},
    "tRPC": {"0": {"json": PAYMENT}},
    "JSON-RPC": {"jsonrpc": "2.0", "id": 1, "method": "payments.create", "params": [PAYMENT]},
    "Rails form": {f"payment[{key}]": value for key, value in PAYMENT.items()},
    "server action": {
        "1_$ACTION_ID_7f3a": "", "0": '["$K1"]',
        **{f"1_{key}": value for key, value in PAYMENT.items()},
    },
    "request with a JSON text": {"method": "POST", "body": json.dumps(PAYMENT)},
}  # fmt: skip


def stored(service: RunningService, user: str) -> list[dict[str, Any]]:
    return service.rows(
        "SELECT plan_name, final_price, transaction_id, payment_method, user_name "
        "FROM payment_data WHERE user_email = ?",
        user,
    )


ROW = {
    "plan_name": "Pro",
    "final_price": 99.8,
    "transaction_id": "TX-1",
    "payment_method": None,
    "user_name": None,
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_payment_in_an_envelope_fills_the_columns(
    capture_service: RunningService, user: str, name: str
) -> None:
    payload = {**PAYLOADS[name], "capture_id": "c-1", "user_email": user}
    response = capture_service.capture("payment", payload)
    assert (response.status_code, response.json().get("warnings")) == (201, None)
    assert stored(capture_service, user) == [ROW]
    [audit] = capture_service.rows(
        "SELECT data_snapshot FROM data_capture_audit WHERE user_email = ?", user
    )
    assert json.loads(audit["data_snapshot"]) == payload
    again = capture_service.capture("payment", payload)
    assert again.headers["Idempotency-Replayed"] == "true"


def test_each_capture_of_a_batch_may_be_in_another_envelope(
    capture_service: RunningService, user: str
) -> None:
    captures = [{"type": "payment", "user_email": user, **payload} for payload in PAYLOADS.values()]
    response = capture_service.capture("batch", {"captures": captures})
    assert [one["success"] for one in response.json()["answers"]] == [True] * len(captures)
    assert stored(capture_service, user) == [ROW], "one payment, by its number"


def test_the_user_may_be_in_the_envelope(capture_service: RunningService, user: str) -> None:
    for payload in (
        {"data": {**PAYMENT, "email": user}},
        {"payload": {"payment": PAYMENT, "user": {"email": user}}},
        {"payment[plan]": "Pro", "user[email]": user},
    ):
        assert capture_service.capture("payment", payload).ok
    nobody = capture_service.capture("payment", {"data": PAYMENT})
    assert nobody.status_code == 422
