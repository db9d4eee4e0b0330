"""Test that a repetition is decided on the whole payload, and that what is new is kept."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from data_capture.capture.kinds import KINDS
from tests.support.services import RunningService

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI{}In0.c2lnbmF0dXJlMTIz"

CAPTURES: dict[str, dict[str, Any]] = {
    "payment": {
        "transaction_id": "TX-1",
        "plan_name": "Pro",
        "final_price": "49.00",
        "payment_status": "completed",
        "account_number": "DE-1",
        "customer": {"city": "Riga", "vat": "LV1"},
        "history": [{"at": 1}],
        "reference": "653993715560027565",  # looks like a card number
        "receipt": json.dumps({"ref": "653993715560027565"}),
    },
    "questionnaire": {
        "tradesPerDay": "3-5",
        "accountSize": "$100,000",
        "account_number": "MT5-1001",
        "trading_experience": "1 year",
        "goals": {"monthly": 5, "broker": "A"},
        "history": [{"at": 1}],
        "reference": "653993715560027565",
        "receipt": json.dumps({"ref": "653993715560027565"}),
    },
    "dashboard": {
        "tradingState": {"currentEquity": 5, "trades": [{"id": 1, "timestamp": 1}]},
        "account_number": "MT5-1001",
        "bots": {"grid": True, "dca": False},
        "history": [{"at": 1}],
        "reference": "653993715560027565",
        "receipt": json.dumps({"ref": "653993715560027565"}),
    },
}

NEW_CONTENT: list[dict[str, Any]] = [
    {"account_number": "MT5-1002"},
    {"account_number": None},
    {"trading_experience": "5 years"},
    {"newsletter": True},
    {"notes": ["a", "b"]},
    {"goals": {"monthly": 6, "broker": "A"}},
    {"customer": {"city": "Tartu", "vat": "LV1"}},
    {"bots": {"grid": True, "dca": True}},
    {"history": [{"at": 1}, {"at": 2}]},
    {"history": [{"at": 1, "timestamp": 5}]},  # the time of an item is content
    {"account_id": "A-2"},
    {"session_id": "cs_2"},
    # The masks of these equal those of the first capture.
    {"reference": "653993715560107565"},
    {"references": [653993715560027565]},
    {"references": [653993715560107565]},
    {"receipt": json.dumps({"ref": "653993715560107565"})},
    {"receipt": "order 653993715560107565"},
    {"paid_with": JWT.format("A")},
]

VOLATILE_CONTENT: list[dict[str, Any]] = [
    {"timestamp": 1},
    {"last_activity": "2026-01-01T00:00:00Z"},
    {"lastActivity": 5},
    {"updated_at": "2026-01-01"},
    {"updatedAt": "2026-01-02"},
    {"createdAt": 7},
    {"LastSeen": 8},
    {"last-updated": 9},
    {"last_saved_at": 10},
    {"requestId": "r-2"},
    {"message_id": "m-2"},
    {"eventId": "e-2"},
    {"trace_id": "t-2"},
    {"idempotencyKey": "i-2"},
    {"id": "7b2e4c1a-0000-4000-8000-000000000002"},
    {"_id": 12},
    {"uuid": "7b2e4c1a-0000-4000-8000-000000000003"},
    {"meta": {"client": {"lastSync": 3, "requestId": "x"}}},
    {"request_id": 653993715560107565},
]


def outcome(result: dict[str, Any]) -> str:
    assert result["success"], result
    marks = {"updated", "duplicate"} & result.keys()
    assert len(marks) < 2
    assert ("unchanged since" in result["message"]) == ("duplicate" in marks)
    return marks.pop() if marks else "stored"


def snapshots(service: RunningService, user: str) -> list[dict[str, Any]]:
    found = service.rows(
        "SELECT data_snapshot FROM data_capture_audit WHERE user_email = ? ORDER BY id", user
    )
    return [json.loads(row["data_snapshot"]) for row in found]


def row_count(service: RunningService, kind: str, user: str) -> int:
    table = KINDS[kind].table
    statement = f"SELECT count(*) AS n FROM {table} WHERE user_email = ?"  # noqa: S608
    return int(service.rows(statement, user)[0]["n"])


@pytest.mark.parametrize("kind", CAPTURES)
def test_new_content_outside_the_columns_is_kept_once(
    capture_service: RunningService, user: str, send: Any, kind: str
) -> None:
    first = {"user_email": user, **CAPTURES[kind]}
    payloads = [first, *({**first, **change} for change in NEW_CONTENT)]
    results = send(kind, *payloads, *payloads)
    count = len(payloads)
    assert [outcome(one) for one in results] == [
        "stored", *["updated"] * (count - 1), *["duplicate"] * count,
    ]  # fmt: skip
    assert (
        len({one[f"{kind}_id"] for one in results}) == row_count(capture_service, kind, user) == 1
    )
    kept = snapshots(capture_service, user)
    assert len(kept) == count
    for change, snapshot in zip(NEW_CONTENT, kept[1:], strict=True):
        assert change.keys() <= snapshot.keys()
    assert [kept[1]["account_number"], kept[3]["trading_experience"]] == ["MT5-1002", "5 years"]


@pytest.mark.parametrize("kind", CAPTURES)
def test_volatile_content_is_not_new(
    capture_service: RunningService, user: str, send: Any, kind: str
) -> None:
    first = {"user_email": user, **CAPTURES[kind]}
    payloads = [{**first, "meta": {"client": {}}}, *({**first, **one} for one in VOLATILE_CONTENT)]
    payloads[1:] = [{"meta": {"client": {}}, **one} for one in payloads[1:]]
    results = send(kind, *payloads)
    assert [outcome(one) for one in results] == ["stored", *["duplicate"] * len(VOLATILE_CONTENT)]
    assert row_count(capture_service, kind, user) == len(snapshots(capture_service, user)) == 1


def test_time_inside_a_dashboards_state_adds_no_row(
    capture_service: RunningService, user: str, send: Any
) -> None:
    def state(time: int, equity: int = 5) -> dict[str, Any]:
        state = {"currentEquity": equity, "lastUpdate": time, "dailyStats": {"updatedAt": time}}
        return {"user_email": user, "tradingState": state}

    results = send("dashboard", state(1), state(2), state(3), state(4, 6), state(5, 6), state(6))
    assert [outcome(one) for one in results] == [
        "stored", "duplicate", "duplicate", "stored", "duplicate", "stored",
    ]  # fmt: skip
    assert row_count(capture_service, "dashboard", user) == 3


@pytest.mark.parametrize("kind", CAPTURES)
def test_a_secret_that_its_name_masks_is_no_content(
    capture_service: RunningService, user: str, send: Any, kind: str
) -> None:
    """Nothing new could be kept, and a digest of a short secret could be guessed."""
    secrets = [{"password": "one"}, {"password": "two"}, {"password": "hunter2 hunter2 hunter2"}]
    secrets += [{"password": "x", "note": f"password={word} &c"} for word in ("one", "two")]
    results = send(kind, *({**CAPTURES[kind], **one} for one in secrets))
    assert [outcome(one) for one in results] == [
        "stored", "duplicate", "duplicate", "updated", "duplicate",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", CAPTURES)
def test_two_tokens_of_a_payment_provider_are_two_contents(
    capture_service: RunningService, user: str, send: Any, kind: str
) -> None:
    tokens = ["tok_1N3T00LkdIwHu7ixt44h1F8k", "tok_1N3T00LkdIwHu7ixt44h1F8m"]
    payloads = [{"user_email": user, **CAPTURES[kind], "token": one} for one in tokens * 2]
    assert [outcome(one) for one in send(kind, *payloads)] == [
        "stored", "updated", "duplicate", "duplicate",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", CAPTURES)
def test_an_updated_capture_that_is_sent_again_gets_its_first_response(
    capture_service: RunningService, user: str, kind: str
) -> None:
    first = {"user_email": user, **CAPTURES[kind]}
    capture_service.capture(kind, first)
    again = {**first, "newsletter": True, "capture_id": f"c-{user[:17]}"}
    responses = [capture_service.capture(kind, again) for _ in range(2)]
    assert [response.status_code for response in responses] == [200, 200]
    assert responses[0].json() == responses[1].json()
    assert responses[0].json()["updated"] is True
    assert responses[1].headers["Idempotency-Replayed"] == "true"
    assert len(snapshots(capture_service, user)) == 2


@pytest.mark.parametrize("kind", CAPTURES)
def test_a_capture_id_cannot_be_reused_for_a_payload_with_the_same_masks(
    capture_service: RunningService, user: str, kind: str
) -> None:
    payload = {"user_email": user, **CAPTURES[kind], "capture_id": f"c-{user[:17]}"}
    assert capture_service.capture(kind, payload).status_code == 201
    assert capture_service.capture(kind, payload).status_code == 201
    other = capture_service.capture(kind, {**payload, "reference": "653993715560107565"})
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "capture_id")


def test_no_table_has_a_masked_value_or_its_unkeyed_digest(
    capture_service: RunningService, user: str
) -> None:
    numbers = ["653993715560027565", "653993715560107565"]
    for kind, number in itertools.product(CAPTURES, numbers):
        capture_service.capture(
            kind, {"user_email": user, **CAPTURES[kind], "reference": number, "receipt": number}
        )
    files = capture_service.database.parent.glob("trading_bots.db*")
    stored = b"".join(path.read_bytes() for path in files if path.is_file())
    assert [number for number in numbers if number.encode() in stored] == []
