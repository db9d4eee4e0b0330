"""Test forged captures through HTTP: they hide no state and drop no data."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.support.services import RunningService, rows

PAYMENT = {"transaction_id": "TX-1", "plan_name": "Pro", "final_price": "49.00"}


def soon(seconds: float = 299) -> str:
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat()


def ago(seconds: float) -> str:
    return soon(-seconds)


def latest(service: RunningService, user: str) -> list[str]:
    found = service.rows("SELECT payment_status FROM payments_latest WHERE user_email = ?", user)
    return [row["payment_status"] for row in found]


def snapshots(database: Path, user: str) -> list[dict[str, Any]]:
    statement = "SELECT data_snapshot FROM data_capture_audit WHERE user_email = ? ORDER BY id"
    return [json.loads(row["data_snapshot"]) for row in rows(database, statement, user)]


class TestForgedTimes:
    def test_forged_refund_with_a_future_time_does_not_hide_later_states(
        self, capture_service: RunningService, user: str
    ) -> None:
        for status, capture_time in (("pending", None), ("refunded", soon()), ("completed", None)):
            payload = {
                "user_email": user,
                **PAYMENT,
                "payment_status": status,
                "capture_timestamp": capture_time,
            }
            assert capture_service.capture("payment", payload).status_code == 201
        assert latest(capture_service, user) == ["completed"]
        now = datetime.now(timezone.utc).isoformat()
        assert all(
            row["created_at"] <= now
            for row in capture_service.rows("SELECT created_at FROM payment_data")
        )

    def test_forged_refund_dated_after_the_real_capture_does_not_hide_it(
        self, capture_service: RunningService, user: str
    ) -> None:
        for status, capture_time in (("refunded", ago(1)), ("completed", ago(2))):
            payload = {
                "user_email": user,
                **PAYMENT,
                "payment_status": status,
                "capture_timestamp": capture_time,
            }
            capture_service.capture("payment", payload)
        assert latest(capture_service, user) == ["completed"]

    def test_forged_dashboard_with_a_future_time_does_not_hide_the_state(
        self, capture_service: RunningService, user: str
    ) -> None:
        def send(equity: int, capture_time: str | None = None) -> Any:
            payload = {
                "user_email": user,
                "tradingState": {"currentEquity": equity},
                "capture_timestamp": capture_time,
            }
            return capture_service.capture("dashboard", payload).json()

        send(1, soon(290))
        state = send(1000)
        again = [send(1000) for _ in range(3)]
        assert [(one["dashboard_id"], one["duplicate"]) for one in again] == [
            (state["dashboard_id"], True)
        ] * 3
        states = capture_service.rows(
            "SELECT id, updated_at FROM dashboard_data WHERE user_email = ? ORDER BY id", user
        )
        assert [row["id"] for row in states][1:] == [state["dashboard_id"]]
        assert states[0]["updated_at"] <= states[1]["updated_at"]

    def test_forged_questionnaire_with_a_future_time_does_not_hide_the_real_one(
        self, capture_service: RunningService, user: str
    ) -> None:
        for trades, capture_time in (("forged", soon()), ("3-5", None), ("3-5", None)):
            capture_service.capture(
                "questionnaire",
                {"user_email": user, "tradesPerDay": trades, "capture_timestamp": capture_time},
            )
        statement = (
            "SELECT trades_per_day FROM questionnaire_data WHERE user_email = ? ORDER BY id DESC"
        )
        assert [row["trades_per_day"] for row in capture_service.rows(statement, user)] == [
            "3-5",
            "forged",
        ]


class TestRepetitions:
    def test_new_fields_of_a_repetition_are_in_the_audit_trail(
        self, capture_service: RunningService, user: str
    ) -> None:
        """A claim has the columns of a payment; the real capture also has other fields."""
        capture_service.capture(
            "payment", {"user_email": user, **PAYMENT, "payment_status": "completed"}
        )
        real = {
            "user_email": user,
            **PAYMENT,
            "payment_status": "completed",
            "billing_address": "1 High St",
            "vat_id": "DE1",
        }
        responses = [
            capture_service.capture("payment", {**real, "capture_timestamp": soon(-n)})
            for n in range(3)
        ]
        assert [response.json().get("updated") for response in responses] == [True, None, None]
        assert [response.json().get("duplicate") for response in responses] == [None, True, True]
        kept = [one.get("vat_id") for one in snapshots(capture_service.database, user)]
        assert kept == [None, "DE1"], "once, not each time"
        batch = {
            "captures": [
                {"type": "payment", **real, "vat_id": f"DE{number % 4}"} for number in range(12)
            ]
        }
        capture_service.capture("batch", batch)
        kept = [one.get("vat_id") for one in snapshots(capture_service.database, user)]
        assert kept == [None, "DE1", "DE0", "DE2", "DE3"]
        assert (
            len(capture_service.rows("SELECT id FROM payment_data WHERE user_email = ?", user)) == 1
        )

    @pytest.mark.parametrize("place", ["top", "inside"])
    def test_repeated_dashboard_with_new_times_adds_no_audit_records(
        self, capture_service: RunningService, user: str, place: str
    ) -> None:
        for number in range(5):
            times = {
                "lastUpdated": f"2026-01-01T00:00:0{number}Z",
                "ts": number,
                "request_id": f"r{number}",
            }
            more = times if place == "top" else {"meta": {"client": times}}
            capture_service.capture(
                "dashboard", {"user_email": user, "tradingState": {"currentEquity": 5}, **more}
            )
        assert len(snapshots(capture_service.database, user)) == 1

    def test_other_spelling_of_the_address_adds_no_audit_record(
        self, capture_service: RunningService, user: str
    ) -> None:
        for key in ("user_email", "userEmail", "email"):
            for spelling in (user, user.upper(), f" {user.title()} "):
                payload = {key: spelling, "transaction_id": f"TX-{key}", "final_price": 5}
                assert capture_service.capture("payment", payload).ok
        records = capture_service.rows(
            "SELECT id FROM data_capture_audit WHERE user_email = ?", user
        )
        assert len(records) == 3, "one per payment"
        billing = {
            "user_email": user,
            "email": f"billing-{user}",
            "transaction_id": "TX-user_email",
            "final_price": 5,
        }
        assert capture_service.capture("payment", billing).json()["updated"]
        records = capture_service.rows(
            "SELECT id FROM data_capture_audit WHERE user_email = ?", user
        )
        assert len(records) == 4, "another address is a new field"

    def test_changed_time_in_a_list_adds_an_audit_record(
        self, capture_service: RunningService, user: str
    ) -> None:
        for number in (1, 2):
            history = [{"timestamp": number}]
            capture_service.capture("payment", {"user_email": user, **PAYMENT, "history": history})
        assert len(snapshots(capture_service.database, user)) == 2


class TestCaptureIds:
    def test_capture_id_of_one_user_does_not_block_another_user(
        self, capture_service: RunningService, user: str
    ) -> None:
        victim, capture_id = f"victim-{user}", f"id-{user.partition('@')[0]}"
        forged = capture_service.capture(
            "payment", {"user_email": user, "capture_id": capture_id, "final_price": 1}
        )
        real = capture_service.capture(
            "payment", {"user_email": victim, "capture_id": capture_id, "final_price": 99}
        )
        assert (forged.status_code, real.status_code) == (201, 201)
        assert "Idempotency-Replayed" not in real.headers
        assert capture_service.rows(
            "SELECT final_price FROM payment_data WHERE user_email = ?", victim
        ) == [{"final_price": 99}]
        again = capture_service.capture(
            "payment", {"user_email": victim, "capture_id": capture_id, "final_price": 99}
        )
        assert (again.json()["payment_id"], again.headers["Idempotency-Replayed"]) == (
            real.json()["payment_id"],
            "true",
        )
        other = capture_service.capture(
            "payment", {"user_email": victim, "capture_id": capture_id, "final_price": 98}
        )
        assert other.status_code == 422

    def test_capture_id_of_ten_users_in_one_batch_stores_ten_captures(
        self, capture_service: RunningService, user: str
    ) -> None:
        one = {
            "type": "activity",
            "capture_id": f"id-{user.partition('@')[0]}",
            "activity_type": "login",
        }
        batch = {"captures": [{**one, "user_email": f"{number}-{user}"} for number in range(10)]}
        responses = capture_service.capture("batch", batch).json()["answers"]
        assert [response["status"] for response in responses] == [201] * 10
        assert len({response["activity_id"] for response in responses}) == 10
