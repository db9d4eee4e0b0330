"""The capture service, as pages and curl see it."""

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
FULL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def full_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def statistics(service: RunningService, user: str) -> dict[str, Any]:
    answer = requests.get(f"{service.url}/api/data-capture/stats/{user}", timeout=10)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def count(service: RunningService, table: str, user: str) -> int:
    return len(service.rows(f"SELECT 1 FROM {table} WHERE user_email = ?", user))  # noqa: S608


@pytest.mark.parametrize("kind", TABLES)
class TestEveryKind:
    def test_a_capture_is_answered_with_its_rows_id(
        self, capture_service: RunningService, user: str, kind: str
    ) -> None:
        answer = capture_service.capture(kind, {"user_email": user})
        assert answer.status_code == 201
        [row] = capture_service.rows(f"SELECT id FROM {TABLES[kind]} WHERE user_email = ?", user)  # noqa: S608
        body = answer.json()
        assert uuid.UUID(body.pop("capture_id"))
        assert body == {
            "success": True,
            f"{kind}_id": row["id"],
            "message": f"{kind.capitalize()} data captured",
        }

    def test_a_capture_and_its_audit_record_say_where_it_came_from(
        self, capture_service: RunningService, user: str, kind: str
    ) -> None:
        payload = {"user_email": user, "extra": [1.5]}
        before = full_time(datetime.now(timezone.utc))
        capture_service.capture(kind, payload, **{"User-Agent": "Browser/1.0"})
        after = full_time(datetime.now(timezone.utc))
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
            assert FULL_TIME.fullmatch(time)
            assert before <= time <= after

    def test_a_capture_sent_twice_adds_nothing_and_gets_its_first_answer(
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

    def test_the_order_of_its_members_makes_no_other_capture(
        self, capture_service: RunningService, user: str, kind: str
    ) -> None:
        payload = {
            "user_email": user,
            "capture_id": uuid.uuid4().hex,
            "more": {"b": 1, "a": [1.5, {"d": 1, "c": 2}]},
        }
        turned = dict(reversed(payload.items())) | {"more": {"a": [1.5, {"c": 2, "d": 1}], "b": 1}}
        first, again = (capture_service.capture(kind, sent) for sent in (payload, turned))
        assert (again.status_code, again.json()) == (first.status_code, first.json())
        assert again.headers["Idempotency-Replayed"] == "true"

    def test_a_capture_id_belongs_to_one_capture(
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
            answer = capture_service.capture(reused_for, {**payload, "capture_id": capture_id})
            assert answer.status_code == 422
            assert answer.json()["errors"][0]["field"] == "capture_id"
        assert statistics(capture_service, user)["total_data_points"] == 1

    def test_a_capture_sent_by_many_at_once_is_stored_once(
        self, capture_service: RunningService, user: str, kind: str
    ) -> None:
        payload = {"user_email": user, "capture_id": uuid.uuid4().hex}
        with ThreadPoolExecutor(12) as pool:
            answers = [
                answer.json()
                for answer in pool.map(lambda _: capture_service.capture(kind, payload), range(24))
            ]
        assert all(answer == answers[0] for answer in answers)
        assert (
            count(capture_service, TABLES[kind], user)
            == count(capture_service, "data_capture_audit", user)
            == 1
        )

    @pytest.mark.parametrize(
        ("said", "kept"),
        [
            (timedelta(days=1), True),  # it waited in a queue overnight
            (timedelta(days=6, hours=23), True),
            (
                timedelta(minutes=-4),
                False,
            ),  # what is in the future would hide what happens until then
            (timedelta(days=8), False),
            (timedelta(minutes=-6), False),
        ],
        ids=str,
    )
    def test_a_capture_lands_at_the_time_at_which_it_happened(
        self, capture_service: RunningService, user: str, kind: str, said: timedelta, kept: bool
    ) -> None:
        now = datetime.now(timezone.utc)
        happened = full_time(now - said)
        answer = capture_service.capture(kind, {"user_email": user, "capture_timestamp": happened})
        assert answer.status_code == 201
        column = "timestamp" if kind == "activity" else "created_at"
        [row] = capture_service.rows(
            f"SELECT {column} AS time FROM {TABLES[kind]} WHERE user_email = ?",  # noqa: S608
            user,
        )
        [audit] = capture_service.rows(
            "SELECT timestamp FROM data_capture_audit WHERE user_email = ?", user
        )
        assert audit["timestamp"] >= full_time(now)
        assert row["time"] == (happened if kept else audit["timestamp"])

    def test_an_address_in_capitals_is_the_same_user(
        self, capture_service: RunningService, user: str, kind: str
    ) -> None:
        for spelling in (user, user.upper(), f"  {user.title()} "):
            payload = {"user_email": spelling, "theme": spelling, "propFirm": spelling}
            assert capture_service.capture(kind, payload).status_code == 201
        assert len(capture_service.rows("SELECT 1 FROM users WHERE lower(email) = ?", user)) == 1
        assert statistics(capture_service, user.upper())["total_data_points"] == 3

    def test_a_refused_capture_leaves_nothing(
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

    def test_only_post_is_taken(self, capture_service: RunningService, kind: str) -> None:
        answer = requests.put(f"{capture_service.url}/api/data-capture/{kind}", json={}, timeout=10)
        assert answer.status_code == 405
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "POST" in answer.headers["Allow"]


def test_somebody_unknown_becomes_a_user_that_no_password_opens(
    capture_service: RunningService, user: str
) -> None:
    capture_service.capture("payment", {"user_email": user, "user_name": "Ada Lovelace"})
    [held] = capture_service.rows("SELECT * FROM users WHERE email = ?", user)
    assert (held["status"], held["password_hash"], held["full_name"]) == (
        "provisional",
        "!",
        "Ada Lovelace",
    )


class TestNumbers:
    def test_a_plan_an_amount_and_a_percentage_are_read_as_they_are_meant(
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

    def test_nothing_said_is_null_without_a_warning(
        self, capture_service: RunningService, user: str
    ) -> None:
        answer = capture_service.capture("questionnaire", {"user_email": user, "accountEquity": ""})
        assert "warnings" not in answer.json()
        [row] = capture_service.rows(
            "SELECT account_equity FROM questionnaire_data WHERE user_email = ?", user
        )
        [audit] = capture_service.rows(
            "SELECT status, error_details FROM data_capture_audit WHERE user_email = ?", user
        )
        assert row == {"account_equity": None}
        assert audit == {"status": "success", "error_details": None}

    def test_nonsense_is_null_with_a_warning_and_the_capture_is_kept(
        self, capture_service: RunningService, user: str
    ) -> None:
        answer = capture_service.capture(
            "questionnaire", {"user_email": user, "accountSize": "lots", "propFirm": "FTMO"}
        )
        assert answer.status_code == 201
        assert answer.json()["warnings"] == [
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

    def test_a_state_that_has_not_changed_moves_updated_at_alone(
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

    def test_the_unchanged_answer_is_given_again_too(
        self, capture_service: RunningService, user: str
    ) -> None:
        capture_service.capture("dashboard", {"user_email": user, **self.STATE})
        payload = {"user_email": user, "capture_id": uuid.uuid4().hex, **self.STATE}
        first, again = (capture_service.capture("dashboard", payload) for _ in range(2))
        assert (again.status_code, again.json()) == (first.status_code, first.json())
        assert first.status_code == 200

    def test_a_flat_state_is_the_same_whatever_its_timestamp(
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
    def test_a_changed_state_is_a_row_of_its_own_and_so_is_its_return(
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

    def test_an_earlier_state_that_arrives_late_does_not_move_the_latest(
        self, capture_service: RunningService, user: str
    ) -> None:
        capture_service.capture("dashboard", {"user_email": user, **self.STATE})
        [before] = self.rows_of(capture_service, user)
        yesterday = full_time(datetime.now(timezone.utc) - timedelta(days=1))
        capture_service.capture(
            "dashboard", {"user_email": user, "capture_timestamp": yesterday, **self.STATE}
        )
        [after] = self.rows_of(capture_service, user)
        assert after["updated_at"] == before["updated_at"]


class TestStatistics:
    def test_an_unknown_address_has_nothing(
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

    def test_everything_is_counted_with_one_audit_record_each(
        self, capture_service: RunningService, user: str
    ) -> None:
        wanted = {"payment": 2, "questionnaire": 1, "dashboard": 3, "activity": 4}
        for kind, times in wanted.items():
            for number in range(times):
                assert (
                    capture_service.capture(
                        kind, {"user_email": user, "total_trades": number}
                    ).status_code
                    == 201
                )
        held = statistics(capture_service, user)
        assert held["data_counts"] == {
            "payments": 2, "questionnaires": 1, "dashboard_updates": 3, "activities": 4, "audit_records": 10,
        }  # fmt: skip
        assert held["total_data_points"] == 10
        for kind, table in list(TABLES.items())[:3]:
            query = f"SELECT max(updated_at) AS latest FROM {table} WHERE user_email = ?"  # noqa: S608
            assert held["latest_timestamps"][kind] == capture_service.rows(query, user)[0]["latest"]

    def test_they_are_not_kept_by_anything_on_the_way(
        self, capture_service: RunningService, user: str
    ) -> None:
        answer = requests.get(f"{capture_service.url}/api/data-capture/stats/{user}", timeout=10)
        assert answer.headers["Cache-Control"] == "no-store"


def test_the_script_has_the_services_url(capture_service: RunningService) -> None:
    answer = requests.get(f"{capture_service.url}/frontend_data_capture_integration.js", timeout=10)
    assert answer.content == (REPOSITORY / "frontend_data_capture_integration.js").read_bytes()
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


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
def test_there_is_nothing_else(capture_service: RunningService, path: str) -> None:
    answer = requests.get(capture_service.url + path, timeout=10)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_debug_logs_every_requests_kind_outcome_and_time_and_nobodys_name(
    tmp_path: Path, user: str
) -> None:
    service = capture_service_in(tmp_path, EDC_DEBUG="1")
    service.start()
    try:
        service.capture("payment", {"user_email": user})
        service.capture("dashboard", {"user_email": 7})
        requests.get(f"{service.url}/api/data-capture/stats/{user}", timeout=10)
        wanted = (
            r"POST /api/data-capture/payment -> 201 in \d+\.\d ms",
            r"POST /api/data-capture/dashboard -> 422 in \d+\.\d ms",
            r"GET /api/data-capture/stats/<path:email> -> 200 in \d+\.\d ms",
        )
        for line in wanted:
            eventually(
                lambda line=line: re.search(line, service.log_file.read_text()), f"{line} is logged"
            )  # type: ignore[misc]
    finally:
        service.stop()
    assert user not in service.log_file.read_text()
