"""Test the capture service through HTTP: captures, dashboards and statistics."""

from __future__ import annotations

import json
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.services import REPOSITORY, RunningService, capture_service_in, eventually

TABLES = {
    "payment": "payment_data",
    "questionnaire": "questionnaire_data",
    "dashboard": "dashboard_data",
    "activity": "trading_activity_log",
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def format_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def statistics(service: RunningService, user: str) -> dict[str, Any]:
    response = requests.get(f"{service.url}/api/data-capture/stats/{user}", timeout=30)
    assert response.status_code == 200, response.text
    return dict(response.json())


def count(service: RunningService, table: str, user: str) -> int:
    return len(service.rows(f"SELECT 1 FROM {table} WHERE user_email = ?", user))  # noqa: S608


@pytest.mark.parametrize("kind", TABLES)
class TestEveryKind:
    def test_response_contains_the_id_of_the_row(
        self, capture_service: RunningService, user: str, kind: str
    ) -> None:
        response = capture_service.capture(kind, {"user_email": user})
        assert response.status_code == 201
        [row] = capture_service.rows(f"SELECT id FROM {TABLES[kind]} WHERE user_email = ?", user)  # noqa: S608
        body = response.json()
        assert uuid.UUID(body.pop("capture_id"))
        assert body == {
            "success": True,
            f"{kind}_id": row["id"],
            "message": f"{kind.capitalize()} data captured",
        }

    def test_row_and_audit_record_contain_the_origin_of_the_capture(
        self, capture_service: RunningService, user: str, kind: str
    ) -> None:
        payload = {"user_email": user, "extra": [1.5], "transaction_id": "TX-1"}
        before = format_time(datetime.now(timezone.utc))
        capture_service.capture(kind, payload, **{"User-Agent": "Browser/1.0"})
        after = format_time(datetime.now(timezone.utc))
        [row] = capture_service.rows(f"SELECT * FROM {TABLES[kind]} WHERE user_email = ?", user)  # noqa: S608
        [audit] = capture_service.rows(
            "SELECT * FROM data_capture_audit WHERE user_email = ?", user
        )
        assert (
            (row["ip_address"], row["user_agent"])
            == (audit["ip_address"], audit["user_agent"])
            == ("127.0.0.1", "Browser/1.0")
        )
        assert (audit["capture_type"], audit["source_endpoint"]) == (
            kind,
            f"/api/data-capture/{kind}",
        )
        assert (audit["status"], audit["error_details"]) == ("success", None)
        assert json.loads(audit["data_snapshot"]) == payload
        times = [row["timestamp"]] if kind == "activity" else [row["created_at"], row["updated_at"]]
        for time in [*times, audit["timestamp"]]:
            assert TIME.fullmatch(time)
            assert before <= time <= after

    def test_repeated_capture_id_gets_the_first_response_and_adds_nothing(
        self, capture_service: RunningService, user: str, kind: str
    ) -> None:
        capture_id = f"capture:{uuid.uuid4()}"
        payload = {"user_email": user, "capture_id": capture_id, "user_id": "x"}
        first = capture_service.capture(kind, payload)
        other = {
            "user_email": user,
            "theme": "light",
            "activity_type": "other",
            "propFirm": "another",
            "plan": "another",
        }
        capture_service.capture(kind, other)
        again = capture_service.capture(kind, payload)
        assert first.json()["capture_id"] == capture_id
        assert (again.status_code, again.json()) == (first.status_code, first.json())
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"
        assert (
            count(capture_service, TABLES[kind], user)
            == count(capture_service, "data_capture_audit", user)
            == 2
        )

    def test_order_of_members_does_not_change_the_capture(
        self, capture_service: RunningService, user: str, kind: str
    ) -> None:
        payload = {
            "user_email": user,
            "capture_id": uuid.uuid4().hex,
            "more": {"b": 1, "a": [1.5, {"d": 1, "c": 2}]},
        }
        reordered = dict(reversed(payload.items())) | {
            "more": {"a": [1.5, {"c": 2, "d": 1}], "b": 1}
        }
        first, again = (capture_service.capture(kind, sent) for sent in (payload, reordered))
        assert (again.status_code, again.json()) == (first.status_code, first.json())
        assert again.headers["Idempotency-Replayed"] == "true"

    def test_capture_id_with_a_different_capture_is_rejected(
        self, capture_service: RunningService, user: str, kind: str
    ) -> None:
        capture_id = uuid.uuid4().hex
        other_kind = "payment" if kind != "payment" else "dashboard"
        assert (
            capture_service.capture(
                kind, {"user_email": user, "capture_id": capture_id}
            ).status_code
            == 201
        )
        for reused_for, payload in (
            (kind, {"user_email": user, "total": 1}),
            (other_kind, {"user_email": user}),
        ):
            response = capture_service.capture(reused_for, {**payload, "capture_id": capture_id})
            assert response.status_code == 422
            assert response.json()["errors"][0]["field"] == "capture_id"
        assert statistics(capture_service, user)["total_data_points"] == 1

    def test_capture_sent_24_times_at_once_is_stored_once(
        self, capture_service: RunningService, user: str, kind: str
    ) -> None:
        payload = {"user_email": user, "capture_id": uuid.uuid4().hex}
        with ThreadPoolExecutor(12) as pool:
            responses = [
                response.json()
                for response in pool.map(
                    lambda _: capture_service.capture(kind, payload), range(24)
                )
            ]
        assert all(response == responses[0] for response in responses)
        assert (
            count(capture_service, TABLES[kind], user)
            == count(capture_service, "data_capture_audit", user)
            == 1
        )

    @pytest.mark.parametrize(
        ("age", "is_kept"),
        [
            (timedelta(days=1), True),  # waited in a queue overnight
            (timedelta(days=6, hours=23), True),
            # A row in the future would hide later ones until then.
            (timedelta(minutes=-4), False),
            (timedelta(days=8), False),
            (timedelta(minutes=-6), False),
        ],
        ids=str,
    )
    def test_past_capture_timestamp_of_the_last_week_becomes_the_row_time(
        self, capture_service: RunningService, user: str, kind: str, age: timedelta, is_kept: bool
    ) -> None:
        now = datetime.now(timezone.utc)
        happened = format_time(now - age)
        response = capture_service.capture(
            kind, {"user_email": user, "capture_timestamp": happened}
        )
        assert response.status_code == 201
        column = "timestamp" if kind == "activity" else "created_at"
        [row] = capture_service.rows(
            f"SELECT {column} AS time FROM {TABLES[kind]} WHERE user_email = ?",  # noqa: S608
            user,
        )
        [audit] = capture_service.rows(
            "SELECT timestamp FROM data_capture_audit WHERE user_email = ?", user
        )
        assert audit["timestamp"] >= format_time(now)
        assert row["time"] == (happened if is_kept else audit["timestamp"])

    def test_email_address_is_case_insensitive(
        self, capture_service: RunningService, user: str, kind: str
    ) -> None:
        for spelling in (user, user.upper(), f"  {user.title()} "):
            payload = {"user_email": spelling, "theme": spelling, "propFirm": spelling}
            assert capture_service.capture(kind, payload).status_code == 201
        assert len(capture_service.rows("SELECT 1 FROM users WHERE lower(email) = ?", user)) == 1
        assert statistics(capture_service, user.upper())["total_data_points"] == 3

    def test_rejected_capture_stores_nothing(
        self, capture_service: RunningService, user: str, kind: str
    ) -> None:
        assert (
            capture_service.capture(
                kind, {"user_email": user, "capture_id": "no spaces"}
            ).status_code
            == 422
        )
        assert capture_service.capture(kind, {"user_email": "unknown"}).status_code == 422
        assert capture_service.rows("SELECT 1 FROM users WHERE email IN (?, 'unknown')", user) == []

    def test_put_is_rejected_with_405(self, capture_service: RunningService, kind: str) -> None:
        response = requests.put(
            f"{capture_service.url}/api/data-capture/{kind}", json={}, timeout=30
        )
        assert response.status_code == 405
        assert response.headers["Content-Type"] == "application/problem+json"
        assert "POST" in response.headers["Allow"]


def test_unknown_address_becomes_a_provisional_user_without_a_password(
    capture_service: RunningService, user: str
) -> None:
    capture_service.capture("payment", {"user_email": user, "user_name": "Ada Lovelace"})
    [found] = capture_service.rows("SELECT * FROM users WHERE email = ?", user)
    assert (found["status"], found["password_hash"], found["full_name"]) == (
        "provisional",
        "!",
        "Ada Lovelace",
    )


class TestConversion:
    def test_plan_amount_and_percentage_are_converted(
        self, capture_service: RunningService, user: str
    ) -> None:
        capture_service.capture("payment", {"user_email": user, "plan_name_payment": "Pro"})
        capture_service.capture(
            "questionnaire", {"user_email": user, "accountSize": "$100,000", "riskPerTrade": "1.5%"}
        )
        assert capture_service.rows(
            "SELECT plan_name FROM payment_data WHERE user_email = ?", user
        ) == [{"plan_name": "Pro"}]
        assert capture_service.rows(
            "SELECT account_size, risk_percentage FROM questionnaire_data WHERE user_email = ?",
            user,
        ) == [{"account_size": 100000, "risk_percentage": 1.5}]

    def test_empty_field_is_null_without_a_warning(
        self, capture_service: RunningService, user: str
    ) -> None:
        response = capture_service.capture(
            "questionnaire", {"user_email": user, "accountEquity": ""}
        )
        assert "warnings" not in response.json()
        [row] = capture_service.rows(
            "SELECT account_equity FROM questionnaire_data WHERE user_email = ?", user
        )
        [audit] = capture_service.rows(
            "SELECT status, error_details FROM data_capture_audit WHERE user_email = ?", user
        )
        assert row == {"account_equity": None}
        assert audit == {"status": "success", "error_details": None}

    def test_unreadable_field_is_null_with_a_warning_and_the_capture_is_stored(
        self, capture_service: RunningService, user: str
    ) -> None:
        response = capture_service.capture(
            "questionnaire", {"user_email": user, "accountSize": "lots", "propFirm": "FTMO"}
        )
        assert response.status_code == 201
        assert response.json()["warnings"] == [
            {"field": "accountSize", "message": "is not a number, so it was stored as NULL"}
        ]
        [row] = capture_service.rows(
            "SELECT account_size, prop_firm FROM questionnaire_data WHERE user_email = ?", user
        )
        assert row == {"account_size": None, "prop_firm": "FTMO"}
        [audit] = capture_service.rows(
            "SELECT status, error_details FROM data_capture_audit WHERE user_email = ?", user
        )
        assert audit == {
            "status": "partial",
            "error_details": "accountSize is not a number, so it was stored as NULL",
        }


class TestDashboards:
    STATE: dict[str, Any] = {  # noqa: RUF012
        "dashboardData": {"a": 1},
        "tradingState": {"currentEquity": "10000.00", "trades": []},
    }

    def rows_of(self, service: RunningService, user: str) -> list[dict[str, Any]]:
        return service.rows("SELECT * FROM dashboard_data WHERE user_email = ? ORDER BY id", user)

    def test_unchanged_state_only_moves_updated_at(
        self, capture_service: RunningService, user: str
    ) -> None:
        first = capture_service.capture("dashboard", {"user_email": user, **self.STATE})
        [before] = self.rows_of(capture_service, user)
        again = capture_service.capture("dashboard", {"user_email": user.upper(), **self.STATE})
        [after] = self.rows_of(capture_service, user)
        assert (again.status_code, again.json()["duplicate"]) == (200, True)
        assert again.json()["dashboard_id"] == first.json()["dashboard_id"]
        assert after.pop("updated_at") > before.pop("updated_at")
        assert after == before
        assert count(capture_service, "data_capture_audit", user) == 1

    def test_response_to_an_unchanged_state_is_replayed(
        self, capture_service: RunningService, user: str
    ) -> None:
        capture_service.capture("dashboard", {"user_email": user, **self.STATE})
        payload = {"user_email": user, "capture_id": uuid.uuid4().hex, **self.STATE}
        first, again = (capture_service.capture("dashboard", payload) for _ in range(2))
        assert (again.status_code, again.json()) == (first.status_code, first.json())
        assert first.status_code == 200

    def test_timestamp_does_not_change_a_flat_state(
        self, capture_service: RunningService, user: str
    ) -> None:
        for timestamp in (1705312200000, 1705312202000):
            payload = {
                "user_email": user,
                "current_equity": 10000,
                "timestamp": timestamp,
                "capture_id": uuid.uuid4().hex,
            }
            assert capture_service.capture("dashboard", payload).ok
        assert len(self.rows_of(capture_service, user)) == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"theme": "light"},
            {"tradingState": {"currentEquity": "10000.01", "trades": []}},
            {"dashboardData": {"a": 2}},
        ],
    )
    def test_changed_state_and_return_to_the_earlier_state_are_new_rows(
        self, capture_service: RunningService, user: str, change: dict[str, Any]
    ) -> None:
        for state in (self.STATE, {**self.STATE, **change}, self.STATE):
            assert (
                capture_service.capture("dashboard", {"user_email": user, **state}).status_code
                == 201
            )
        assert (
            len(self.rows_of(capture_service, user))
            == count(capture_service, "data_capture_audit", user)
            == 3
        )

    def test_late_capture_of_an_earlier_state_does_not_change_updated_at(
        self, capture_service: RunningService, user: str
    ) -> None:
        capture_service.capture("dashboard", {"user_email": user, **self.STATE})
        [before] = self.rows_of(capture_service, user)
        yesterday = format_time(datetime.now(timezone.utc) - timedelta(days=1))
        capture_service.capture(
            "dashboard", {"user_email": user, "capture_timestamp": yesterday, **self.STATE}
        )
        [after] = self.rows_of(capture_service, user)
        assert after["updated_at"] == before["updated_at"]


class TestStatistics:
    def test_statistics_of_an_unknown_address_are_zero(
        self, capture_service: RunningService, user: str
    ) -> None:
        assert statistics(capture_service, user) == {
            "user_email": user,
            "data_counts": {
                "payments": 0,
                "questionnaires": 0,
                "dashboard_updates": 0,
                "activities": 0,
                "audit_records": 0,
            },
            "latest_timestamps": {"payment": None, "questionnaire": None, "dashboard": None},
            "total_data_points": 0,
        }

    def test_statistics_count_every_row_and_one_audit_record_each(
        self, capture_service: RunningService, user: str
    ) -> None:
        expected = {"payment": 2, "questionnaire": 1, "dashboard": 3, "activity": 4}
        for kind, times in expected.items():
            for number in range(times):
                assert (
                    capture_service.capture(
                        kind, {"user_email": user, "total_trades": number}
                    ).status_code
                    == 201
                )
        found = statistics(capture_service, user)
        assert found["data_counts"] == {
            "payments": 2,
            "questionnaires": 1,
            "dashboard_updates": 3,
            "activities": 4,
            "audit_records": 10,
        }
        assert found["total_data_points"] == 10
        for kind, table in list(TABLES.items())[:3]:
            query = f"SELECT max(updated_at) AS latest FROM {table} WHERE user_email = ?"  # noqa: S608
            assert (
                found["latest_timestamps"][kind] == capture_service.rows(query, user)[0]["latest"]
            )

    def test_statistics_are_not_cached(self, capture_service: RunningService, user: str) -> None:
        response = requests.get(f"{capture_service.url}/api/data-capture/stats/{user}", timeout=30)
        assert response.headers["Cache-Control"] == "no-store"


def test_script_is_served_unchanged_with_nosniff(capture_service: RunningService) -> None:
    response = requests.get(
        f"{capture_service.url}/frontend_data_capture_integration.js", timeout=30
    )
    assert response.content == (REPOSITORY / "frontend_data_capture_integration.js").read_bytes()
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api/data-capture/nothing",
        "/.env",
        "/trading_bots.db",
        "/examples/../schema.sql",
    ],
)
def test_other_paths_get_404(capture_service: RunningService, path: str) -> None:
    response = requests.get(capture_service.url + path, timeout=30)
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.slow
def test_debug_log_has_route_status_and_time_but_no_email_address(
    tmp_path: Path, user: str
) -> None:
    service = capture_service_in(tmp_path, EDC_DEBUG="1")
    service.start()
    try:
        service.capture("payment", {"user_email": user})
        service.capture("dashboard", {"user_email": 7})
        requests.get(f"{service.url}/api/data-capture/stats/{user}", timeout=30)
        expected = (
            r"POST /api/data-capture/payment -> 201 in \d+\.\d ms",
            r"POST /api/data-capture/dashboard -> 422 in \d+\.\d ms",
            r"GET /api/data-capture/stats/<path:email> -> 200 in \d+\.\d ms",
        )
        for line in expected:
            eventually(
                lambda line=line: re.search(line, service.log_file.read_text()), f"{line} is logged"
            )  # type: ignore[misc]
    finally:
        service.stop()
    assert user not in service.log_file.read_text()
