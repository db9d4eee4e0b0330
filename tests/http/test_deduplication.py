"""Test deduplication: a repetition adds no row, and new data always adds one."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests

from tests.support.services import RunningService

PAYMENT = {
    "plan_name": "Pro",
    "final_price": "49.00",
    "transaction_id": "TX-1",
    "payment_status": "pending",
}
ANSWERS = {"tradesPerDay": "3-5", "cryptoAssets": ["BTC"], "accountSize": "$100,000"}


def capture_id(name: str, user: str) -> str:
    return f"{name}-{user.partition('@')[0]}"


def statuses(service: RunningService, user: str) -> list[str]:
    found = service.rows(
        "SELECT payment_status FROM payment_data WHERE user_email = ? ORDER BY id", user
    )
    return [row["payment_status"] for row in found]


def audit_count(service: RunningService, user: str) -> int:
    return int(
        service.rows("SELECT count(*) AS n FROM data_capture_audit WHERE user_email = ?", user)[0][
            "n"
        ]
    )


class TestPayments:
    def test_same_payment_with_another_capture_id_adds_no_row(
        self, capture_service: RunningService, user: str
    ) -> None:
        first = capture_service.capture(
            "payment", {"user_email": user, **PAYMENT, "capture_id": capture_id("a", user)}
        )
        second = capture_service.capture(
            "payment", {"user_email": user, **PAYMENT, "capture_id": capture_id("b", user)}
        )
        assert (first.status_code, second.status_code) == (201, 200)
        assert second.json()["duplicate"] is True
        assert second.json()["payment_id"] == first.json()["payment_id"]
        assert second.json()["capture_id"] == capture_id("b", user)
        assert statuses(capture_service, user) == ["pending"]
        assert audit_count(capture_service, user) == 1

    def test_subset_of_a_stored_payment_adds_no_row(
        self, capture_service: RunningService, user: str
    ) -> None:
        capture_service.capture("payment", {"user_email": user, **PAYMENT})
        stored_copy = {
            "user_email": user,
            "plan": "Pro",
            "paymentData": {"paymentId": "TX-1", "amount": 49},
        }
        outcomes = [
            {"updated", "duplicate"} & capture_service.capture("payment", stored_copy).json().keys()
            for _ in range(2)
        ]
        assert outcomes == [{"updated"}, {"duplicate"}]
        assert statuses(capture_service, user) == ["pending"]

    @pytest.mark.parametrize(
        "change",
        [
            {"payment_status": "completed"},
            {"final_price": 49.01},
            {"crypto_transaction_hash": "0xabc"},
            {"transaction_id": "TX-2"},
            {"transaction_id": "", "final_price": 50},
        ],
    )
    def test_payment_with_a_changed_field_adds_a_row(
        self, capture_service: RunningService, user: str, change: dict[str, Any]
    ) -> None:
        capture_service.capture("payment", {"user_email": user, **PAYMENT})
        response = capture_service.capture("payment", {"user_email": user, **PAYMENT, **change})
        assert response.status_code == 201
        assert "duplicate" not in response.json()
        assert len(statuses(capture_service, user)) == audit_count(capture_service, user) == 2

    def test_payments_without_a_transaction_id_are_told_apart_by_their_content(
        self, capture_service: RunningService, user: str
    ) -> None:
        for content in ({}, {"basket": 2}, {"id": 3}, {"timestamp": 4}, {"basket": 2, "ts": 5}):
            capture_service.capture("payment", {"user_email": user, "final_price": 10, **content})
        assert len(statuses(capture_service, user)) == 3

    @pytest.mark.parametrize("sends_batch", [False, True])
    def test_payments_whose_masked_ids_are_equal_are_told_apart(
        self, capture_service: RunningService, user: str, sends_batch: bool
    ) -> None:
        """These ids of 18 digits look like cards with the same last four digits."""
        ids = ["653993715560027565", "653993715560107565", 653993715560027565]
        payments = [
            {"user_email": user, **PAYMENT, "transaction_id": id_, "payment_status": status}
            for status in ("pending", "completed")
            for id_ in ids
        ]
        if sends_batch:
            body = {"captures": [{"type": "payment", **payment} for payment in payments]}
            results = capture_service.capture("batch", body).json()["answers"]
        else:
            results = [capture_service.capture("payment", one).json() for one in payments]
        assert [result.get("duplicate", False) for result in results] == [False, False, True] * 2
        latest = capture_service.rows(
            "SELECT transaction_id, payment_status FROM payments_latest WHERE user_email = ?", user
        )
        assert [row["payment_status"] for row in latest] == ["completed", "completed"]
        assert len({row["transaction_id"] for row in latest}) == 2
        for row in latest:
            assert re.fullmatch(r"\[card \*{4}7565\] #[0-9a-f]{16}", row["transaction_id"])
        files = capture_service.database.parent.glob("trading_bots.db*")
        stored = b"".join(path.read_bytes() for path in files if path.is_file())
        assert not [id_ for id_ in ids if str(id_).encode() in stored]

    def test_payments_whose_ids_are_tokens_are_told_apart(
        self, capture_service: RunningService, user: str
    ) -> None:
        tokens = [f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI{n}In0.c2lnbmF0dXJlMTIz" for n in "AB"]
        results = [
            capture_service.capture(
                "payment", {"user_email": user, **PAYMENT, "transaction_id": token}
            ).json()
            for token in [*tokens, tokens[0]]
        ]
        assert [result.get("duplicate", False) for result in results] == [False, False, True]
        stored = capture_service.rows(
            "SELECT transaction_id FROM payment_data WHERE user_email = ?", user
        )
        assert len({row["transaction_id"] for row in stored}) == 2
        assert all(row["transaction_id"].startswith("[redacted] #") for row in stored)

    def test_payments_that_the_page_sent_with_a_masked_id_are_told_apart_by_their_content(
        self, capture_service: RunningService, user: str
    ) -> None:
        """The script masks what looks like a card number before it sends a capture."""
        payment = {"user_email": user, **PAYMENT, "transaction_id": "[card ****7565]"}
        responses = [
            capture_service.capture("payment", {**payment, **change})
            for change in ({}, {"final_price": 50}, {"order": "A-2"}, {"timestamp": "later"})
        ]
        assert [response.status_code for response in responses] == [201, 201, 201, 200]
        assert responses[3].json()["payment_id"] == responses[0].json()["payment_id"]
        assert len(statuses(capture_service, user)) == 3

    @pytest.mark.parametrize(
        "placeholder",
        ["undefined", "null", "NaN", "0", 0, "000", "0.00", "-", "—", "...", "pending", "Pending ",
         "[object Object]", "[object Promise]", "none", "unknown", True, False],
    )  # fmt: skip
    def test_placeholder_is_no_transaction_id(
        self, capture_service: RunningService, user: str, placeholder: str | int
    ) -> None:
        payment = {"user_email": user, **PAYMENT, "transaction_id": placeholder}
        for price in (10, 20):
            response = capture_service.capture("payment", {**payment, "final_price": price})
            assert response.status_code == 201
            [warning] = response.json()["warnings"]
            assert warning["field"] == "transaction_id"
        found = capture_service.rows(
            "SELECT transaction_id, final_price FROM payment_data WHERE user_email = ?", user
        )
        assert [tuple(row.values()) for row in found] == [(None, 10), (None, 20)]

    @pytest.mark.parametrize("real", ["1", "00123", "TX-0", "pending-17", "null-3", "№ 7"])
    def test_id_that_resembles_a_placeholder_is_stored(
        self, capture_service: RunningService, user: str, real: str
    ) -> None:
        response = capture_service.capture(
            "payment", {"user_email": user, **PAYMENT, "transaction_id": real}
        )
        assert "warnings" not in response.json()
        [row] = capture_service.rows(
            "SELECT transaction_id FROM payment_data WHERE user_email = ?", user
        )
        assert row["transaction_id"] == real

    def test_two_users_can_have_the_same_transaction_id(
        self, capture_service: RunningService, user: str
    ) -> None:
        other = f"other-{user}"
        for payer in (user, other):
            assert (
                capture_service.capture("payment", {"user_email": payer, **PAYMENT}).status_code
                == 201
            )

    def test_payments_latest_shows_the_latest_state_of_each_payment(
        self, capture_service: RunningService, user: str
    ) -> None:
        for status in ("pending", "completed", "refunded", "completed"):
            capture_service.capture(
                "payment", {"user_email": user, **PAYMENT, "payment_status": status}
            )
        early = {"payment_status": "authorised", "capture_timestamp": ago(hours=2)}
        capture_service.capture("payment", {"user_email": user, **PAYMENT, **early})
        capture_service.capture("payment", {"user_email": user, "final_price": 1})
        assert len(statuses(capture_service, user)) == 6
        latest = capture_service.rows(
            "SELECT transaction_id, payment_status FROM payments_latest"
            " WHERE user_email = ? ORDER BY transaction_id",
            user,
        )
        assert [tuple(row.values()) for row in latest] == [(None, None), ("TX-1", "authorised")], (
            "the last arrival is the latest state, whatever its time"
        )

    def test_payment_saved_by_16_tabs_at_once_is_one_row(
        self, capture_service: RunningService, user: str
    ) -> None:
        with ThreadPoolExecutor(16) as tabs:
            responses = list(
                tabs.map(
                    lambda _: capture_service.capture("payment", {"user_email": user, **PAYMENT}),
                    range(16),
                )
            )
        assert sorted(response.status_code for response in responses) == [200] * 15 + [201]
        assert len({response.json()["payment_id"] for response in responses}) == 1
        assert statuses(capture_service, user) == ["pending"]


class TestQuestionnaires:
    def test_same_questionnaire_within_minutes_adds_no_row(
        self, capture_service: RunningService, user: str
    ) -> None:
        first = capture_service.capture("questionnaire", {"user_email": user, **ANSWERS})
        second = capture_service.capture("questionnaire", {"user_email": user, **ANSWERS})
        assert second.json()["duplicate"] is True
        assert second.json()["questionnaire_id"] == first.json()["questionnaire_id"]
        assert audit_count(capture_service, user) == 1

    def test_same_questionnaire_after_11_minutes_adds_a_row(
        self, capture_service: RunningService, user: str
    ) -> None:
        earlier = {"user_email": user, **ANSWERS, "capture_timestamp": ago(minutes=11)}
        capture_service.capture("questionnaire", earlier)
        assert (
            capture_service.capture("questionnaire", {"user_email": user, **ANSWERS}).status_code
            == 201
        )

    @pytest.mark.parametrize(
        "change", [{"tradesPerDay": "1-2"}, {"accountSize": ""}, {"screenshot": "iVBORw0KGgo="}]
    )
    def test_questionnaire_with_changed_answers_adds_a_row(
        self, capture_service: RunningService, user: str, change: dict[str, str]
    ) -> None:
        capture_service.capture("questionnaire", {"user_email": user, **ANSWERS})
        assert (
            capture_service.capture(
                "questionnaire", {"user_email": user, **ANSWERS, **change}
            ).status_code
            == 201
        )

    def test_questionnaire_is_compared_only_with_the_previous_one(
        self, capture_service: RunningService, user: str
    ) -> None:
        for trades in ("3-5", "1-2", "3-5"):
            response = capture_service.capture(
                "questionnaire", {"user_email": user, **ANSWERS, "tradesPerDay": trades}
            )
            assert response.status_code == 201


class TestIdempotencyKeyHeader:
    def test_idempotency_key_replaces_a_missing_capture_id(
        self, capture_service: RunningService, user: str
    ) -> None:
        header = {"Idempotency-Key": f'"{capture_id("key", user)}"'}
        responses = [
            capture_service.capture("payment", {"user_email": user, "final_price": 1}, **header)
            for _ in range(2)
        ]
        assert [response.json()["capture_id"] for response in responses] == [
            header["Idempotency-Key"].strip('"')
        ] * 2
        assert "Idempotency-Replayed" not in responses[0].headers
        assert responses[1].headers["Idempotency-Replayed"] == "true"
        assert len(statuses(capture_service, user)) == 1

    def test_capture_id_takes_precedence_over_the_idempotency_key(
        self, capture_service: RunningService, user: str
    ) -> None:
        payload = {"user_email": user, "capture_id": capture_id("body", user)}
        response = capture_service.capture("payment", payload, **{"Idempotency-Key": "header"})
        assert response.json()["capture_id"] == payload["capture_id"]

    def test_invalid_idempotency_key_is_rejected(
        self, capture_service: RunningService, user: str
    ) -> None:
        response = capture_service.capture(
            "payment", {"user_email": user}, **{"Idempotency-Key": "two words"}
        )
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == "capture_id"


def ago(**distance: int) -> str:
    return (datetime.now(timezone.utc) - timedelta(**distance)).isoformat()


class TestBatch:
    def send(self, service: RunningService, captures: Any) -> requests.Response:
        return requests.post(
            f"{service.url}/api/data-capture/batch", json={"captures": captures}, timeout=30
        )

    def test_batch_response_has_the_result_of_each_capture_in_order(
        self, capture_service: RunningService, user: str
    ) -> None:
        captures = [
            {"type": "payment", "user_email": user, **PAYMENT, "capture_id": capture_id("p", user)},
            {"type": "questionnaire", "user_email": user, **ANSWERS, "accountSize": "lots"},
            {"type": "payment", "final_price": 1},
            {"type": "dashboard", "user_email": user, "tradingState": {"currentEquity": 1}},
            {"type": "dashboard", "user_email": user, "tradingState": {"currentEquity": 1}},
            {"type": "payment", "user_email": user, **PAYMENT, "capture_id": capture_id("p", user)},
            {"type": "activity", "user_email": user, "activity_type": "login"},
            {"type": "signup", "user_email": user},
            {"user_email": user},
            7,
        ]
        response = self.send(capture_service, captures)
        assert response.status_code == 207
        body = response.json()
        assert body["success"] is False
        each = body["answers"]
        assert [one["status"] for one in each] == [201, 201, 422, 201, 200, 201, 201, 422, 422, 400]
        assert each[0]["payment_id"] == each[5]["payment_id"]
        assert each[1]["warnings"][0]["field"] == "accountSize"
        assert each[2]["errors"][0]["field"] == "user_email"
        assert each[4]["duplicate"] is True
        assert each[4]["dashboard_id"] == each[3]["dashboard_id"]
        assert all(
            one["success"] is False and "detail" in one for one in each if one["status"] >= 400
        )
        assert audit_count(capture_service, user) == 4

    def test_batch_with_only_accepted_captures_gets_200(
        self, capture_service: RunningService, user: str
    ) -> None:
        captures = [
            {"type": "activity", "user_email": user, "activity_data": {"n": n}} for n in range(100)
        ]
        response = self.send(capture_service, captures)
        assert (response.status_code, response.json()["success"]) == (200, True)
        ids = [one["activity_id"] for one in response.json()["answers"]]
        assert ids == sorted(set(ids))
        assert len(ids) == 100

    def test_batch_replays_the_response_of_a_single_capture(
        self, capture_service: RunningService, user: str
    ) -> None:
        payload = {"user_email": user, **PAYMENT, "capture_id": capture_id("either", user)}
        alone = capture_service.capture("payment", payload)
        [again] = self.send(capture_service, [{"type": "payment", **payload}]).json()["answers"]
        assert again == {"status": 201, **alone.json()}
        assert statuses(capture_service, user) == ["pending"]

    @pytest.mark.parametrize("captures", [None, [], {}, "x", [{"type": "activity"}] * 101])
    def test_invalid_batch_is_rejected_completely(
        self, capture_service: RunningService, captures: Any
    ) -> None:
        response = self.send(capture_service, captures)
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == "captures"

    @pytest.mark.slow
    def test_batch_can_have_20_megabytes(self, capture_service: RunningService, user: str) -> None:
        captures = [
            {"type": "dashboard", "user_email": user, "tradingState": {"n": n, "t": "x" * 900_000}}
            for n in range(20)
        ]
        assert self.send(capture_service, captures).status_code == 200
        captures.append(captures[0])
        captures.append({"type": "activity", "activity_data": "x" * 1_500_000})
        assert self.send(capture_service, captures).status_code == 413

    def test_oversized_capture_in_a_batch_is_rejected(
        self, capture_service: RunningService, user: str
    ) -> None:
        captures = [
            {"type": "activity", "user_email": user, "activity_data": "x" * 1_100_000},
            {"type": "activity", "user_email": user, "activity_data": "x"},
        ]
        response = self.send(capture_service, captures)
        assert [one["status"] for one in response.json()["answers"]] == [413, 201]

    def test_batch_is_committed_in_one_transaction(
        self, capture_service: RunningService, user: str
    ) -> None:
        """A reader sees the whole batch or nothing."""
        captures = [
            {"type": "activity", "user_email": user, "activity_data": {"n": n}} for n in range(50)
        ]
        seen = set()
        with ThreadPoolExecutor(1) as sender:
            sending = sender.submit(self.send, capture_service, captures)
            while not sending.done():
                seen.add(
                    capture_service.rows(
                        "SELECT count(*) AS n FROM trading_activity_log WHERE user_email = ?", user
                    )[0]["n"]
                )
        assert sending.result().status_code == 200
        assert seen <= {0, 50}
