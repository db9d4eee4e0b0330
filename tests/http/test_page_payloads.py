"""Test that every known payload of a page becomes the expected columns."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.dashboard_payloads import ACTIVITIES, DASHBOARDS
from tests.support.page_payloads import PAYMENTS, QUESTIONNAIRES, USER, Case
from tests.support.services import RunningService

TABLES = {
    "payment": "payment_data",
    "questionnaire": "questionnaire_data",
    "dashboard": "dashboard_data",
    "activity": "trading_activity_log",
}
SERVICE_COLUMNS = {
    "id",
    "user_email",
    "ip_address",
    "user_agent",
    "created_at",
    "updated_at",
    "timestamp",
}
JSON_COLUMNS = {
    "crypto_assets",
    "forex_assets",
    "custom_forex_pairs",
    "dashboard_state",
    "trading_state",
    "activity_data",
}

CASES = [*PAYMENTS, *QUESTIONNAIRES, *DASHBOARDS, *ACTIVITIES]


def replace_user(user: str, payload: Any) -> Any:
    return json.loads(json.dumps(payload).replace(USER, user))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}: {case.name}")
def test_payload_becomes_the_expected_columns(
    capture_service: RunningService, user: str, case: Case
) -> None:
    response = capture_service.capture(case.kind, replace_user(user, case.payload))

    assert response.status_code == 201, response.text
    assert [warning["field"] for warning in response.json().get("warnings", [])] == list(
        case.conversion_errors
    )
    [row] = capture_service.rows(f"SELECT * FROM {TABLES[case.kind]} WHERE user_email = ?", user)  # noqa: S608
    stored = {
        column: json.loads(value) if column in JSON_COLUMNS else value
        for column, value in row.items()
        if value is not None and column not in SERVICE_COLUMNS
    }
    assert stored == case.columns
    [audit] = capture_service.rows(
        "SELECT status, error_details FROM data_capture_audit WHERE user_email = ?", user
    )
    assert audit["status"] == ("partial" if case.conversion_errors else "success")
    assert all(field in (audit["error_details"] or "") for field in case.conversion_errors)


@pytest.mark.parametrize(
    "spelling",
    [
        "user_email",
        "userEmail",
        "UserEmail",
        "user-email",
        "USER_EMAIL",
        "email",
        "customer_email",
        "customerEmail",
    ],
)
def test_address_is_found_in_every_spelling_of_its_field(
    capture_service: RunningService, user: str, spelling: str
) -> None:
    assert capture_service.capture("payment", {spelling: user}).status_code == 201


def test_placeholder_address_does_not_hide_the_real_one(
    capture_service: RunningService, user: str
) -> None:
    payload = {"user_email": "Unknown@Example.com", "userData": {"email": user}}
    assert capture_service.capture("payment", payload).status_code == 201
    assert len(capture_service.rows("SELECT id FROM payment_data WHERE user_email = ?", user)) == 1


def test_fields_without_a_column_are_in_the_audit_snapshot(
    capture_service: RunningService, user: str
) -> None:
    payload = {
        "user_email": user.upper(),
        "currency": "USD",
        "accountNumber": "50123456",
        "nested": {"kept": [1.1, None, True]},
    }
    capture_service.capture("questionnaire", payload)
    [audit] = capture_service.rows(
        "SELECT data_snapshot FROM data_capture_audit WHERE user_email = ?", user
    )
    assert json.loads(audit["data_snapshot"]) == payload
