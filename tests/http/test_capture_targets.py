"""Test updates that say only by their request whose row they change."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import requests

from data_capture.store.sqlite.unattributed import UNATTRIBUTED_USER
from tests.support.services import RunningService, capture_service_in

TOKEN = "t" * 40
COMPLETED = {"partial": True, "status": "completed"}


def new_id() -> int:
    """Return an id that no other test uses, and that is no card number."""
    return uuid.uuid4().int % 10**10


@pytest.fixture(params=["single", "batch"])
def send(request: pytest.FixtureRequest, capture_service: RunningService) -> Any:
    """Return a function that sends one payload, and returns the response's members."""

    def send(payload: dict[str, Any], kind: str = "payment") -> dict[str, Any]:
        if request.param == "single":
            response = capture_service.capture(kind, payload)
            return {"status": response.status_code, **response.json()}
        body = {"captures": [{"type": kind, **payload}]}
        answers = capture_service.capture("batch", body).json()["answers"]
        answer: dict[str, Any] = answers[0]
        return answer

    return send


def latest(service: RunningService, user: str) -> list[dict[str, Any]]:
    return service.rows("SELECT * FROM payments_latest WHERE user_email = ? ORDER BY id", user)


def unattributed(service: RunningService, capture_id: str) -> list[dict[str, Any]]:
    statement = "SELECT * FROM unattributed_captures WHERE capture_id = ?"
    return service.rows(statement, capture_id)


@pytest.mark.parametrize(
    "target",
    [
        "/rest/v1/payments?id=eq.{id}",
        "/rest/v1/payments?select=*&id=in.({id})",
        "https://abc.supabase.co/rest/v1/payments?status=eq.pending&id=eq.{id}",
        "/api/payments/{id}",
        "/api/payments/{id}/approve",
        "/api/admin/v2/payments/{id}?notify=1",
        "/api/collections/payments/records/{id}",
        "/v1/databases/shop/collections/payments/documents/{id}",
        "/api/payments?id={id}",
        "/payments/{id}.json",
        "/proxy?url=https%3A%2F%2Fabc.supabase.co%2Frest%2Fv1%2Fpayments%3Fid%3Deq.{id}",
        "/rest/v1/payments?transaction_id=eq.TX-{id}",
        "/rest/v1/payments?order_id=eq.O-{id}",
        "/api/orders/O-{id}",
        "/rest/v1/payments?user_id=eq.u-{id}",
        "/api/users/u-{id}/payments",
        "/rest/v1/payments?user_email=eq.{email}",
        "/rest/v1/payments?email=eq.{email}&id=eq.{id}",
    ],
)
def test_update_belongs_to_the_payment_that_its_request_names(
    capture_service: RunningService, user: str, send: Any, target: str
) -> None:
    row_id = new_id()
    send({
        "user_email": user, "id": row_id, "user_id": f"u-{row_id}", "order_id": f"O-{row_id}",
        "transaction_id": f"TX-{row_id}", "plan": "Pro", "final_price": 49, "status": "pending",
    })  # fmt: skip
    sent = target.format(id=row_id, email=user.replace("@", "%40"))
    answer = send({**COMPLETED, "capture_target": sent})
    assert answer["status"] == 201
    [payment] = latest(capture_service, user)
    assert payment["status"] == payment["payment_status"] == "completed"
    assert (payment["plan_name"], payment["final_price"]) == ("Pro", 49)
    assert payment["transaction_id"] == f"TX-{row_id}"
    assert answer["payment_id"] == payment["id"]


def test_payment_without_a_number_is_changed_where_it_is(
    capture_service: RunningService, user: str, send: Any
) -> None:
    row_id = new_id()
    send({"user_email": user, "id": row_id, "plan": "Pro", "amount": 49, "status": "pending"})
    answer = send({**COMPLETED, "capture_target": f"/rest/v1/payments?id=eq.{row_id}"})
    assert (answer["status"], answer["updated"]) == (200, True)
    [payment] = latest(capture_service, user)
    assert payment["status"] == payment["payment_status"] == "completed"
    assert (payment["plan_name"], payment["final_price"]) == ("Pro", 49)
    assert len(capture_service.rows("SELECT 1 FROM payment_data WHERE user_email = ?", user)) == 1


def test_one_request_changes_several_payments(
    capture_service: RunningService, user: str, send: Any
) -> None:
    ids = [new_id() for _ in range(3)]
    for row_id, email in zip(ids, [user, user, f"other-{user}"], strict=True):
        send({
            "user_email": email, "id": row_id, "transaction_id": f"TX-{row_id}", "amount": 49,
            "status": "pending",
        })  # fmt: skip
    listed = ",".join(map(str, [*ids, new_id()]))
    update = {
        **COMPLETED,
        "capture_id": str(uuid.uuid4()),
        "capture_target": f"/rest/v1/payments?id=in.({listed})",
    }
    first = send(update)
    assert first["status"] == 201
    assert {payment["status"] for payment in latest(capture_service, user)} == {"completed"}
    assert [payment["status"] for payment in latest(capture_service, f"other-{user}")] == [
        "completed"
    ]
    assert send(update) == first
    assert len(latest(capture_service, user)) == 2
    [rest] = capture_service.rows(
        "SELECT * FROM unattributed_captures WHERE capture_id LIKE ? || '/%'", update["capture_id"]
    )
    assert json.loads(rest["payload"])["status"] == "completed"


@pytest.mark.parametrize("number", [{}, {"transaction_id": "TX-1"}])
@pytest.mark.parametrize("status", ["failed", "unknown"])
def test_a_refused_or_aborted_update_does_not_undo_a_completed_payment(
    capture_service: RunningService, send: Any, user: str, number: dict[str, Any], status: str
) -> None:
    row = new_id()
    payment = {"id": row, "plan": "Pro", "final_price": 49, "status": "completed", **number}
    assert send({"user_email": user, **payment})["status"] == 201
    target = f"/rest/v1/payments?id=eq.{row}"
    send({"capture_target": target, "partial": True, "payment_status": status})
    [payment] = latest(capture_service, user)
    assert (payment["status"], payment["payment_status"]) == ("completed", "completed")
    assert len(capture_service.rows("SELECT 1 FROM payment_data WHERE user_email = ?", user)) == 1


@pytest.mark.parametrize(
    ("target", "payload"),
    [
        ("/rest/v1/payments?id=eq.{id}", {}),
        ("/rest/v1/payments?id=neq.{known}", {}),
        ("/rest/v1/payments?id=not.eq.{known}", {}),
        ("/rest/v1/payments?id=gt.{known}", {}),
        ("/api/payments/{id}", {"final_price": 49}),
        ("/rest/v1/payments?user_id=eq.{id}", {}),
        ("/rest/v1/payments?email=eq.nobody-{id}@example.com", {}),
        ("/rest/v1/payments?id=eq.{known}&user_id=eq.u-{other}", {}),
        ("/rest/v1/payments?id=eq.{known}", {"user_id": "u-{other}"}),
        ("/rest/v1/payments", {}),
        ("?", {}),
        ("/rest/v1/payments?id=in.(" + ",".join(map(str, range(100))) + ")", {}),
        ("x" * 100_000, {}),
        ("/%F0%28%8C%28/%00?%=%&&==&id=eq.%FF", {}),
        ("/rest/v1/payments?id=eq.undefined", {}),
    ],
)
def test_update_of_an_unknown_row_is_kept_and_belongs_to_nobody(
    capture_service: RunningService, user: str, send: Any, target: str, payload: dict[str, Any]
) -> None:
    ids = {"id": new_id(), "known": new_id(), "other": new_id()}
    for name, email in (("known", user), ("other", f"other-{user}")):
        row = {"id": ids[name], "user_id": f"u-{ids[name]}", "transaction_id": f"TX-{ids[name]}"}
        send({"user_email": email, **row, "amount": 10, "status": "pending"})
    before = capture_service.rows("SELECT * FROM payment_data")
    update = {
        **COMPLETED,
        **{name: str(value).format(**ids) for name, value in payload.items()},
        "capture_id": str(uuid.uuid4()),
        "capture_target": target.format(**ids) if len(target) < 1000 else target,
    }
    first = send(update)
    assert (first["status"], first["success"], first["unattributed"]) == (202, True, True)
    assert send(update) == first
    assert capture_service.rows("SELECT * FROM payment_data") == before
    [row] = unattributed(capture_service, update["capture_id"])
    assert (row["user_email"], row["attributed_at"], row["row_id"]) == (
        f"nobody-{ids['id']}@example.com" if "nobody" in target else None, None, None,
    )  # fmt: skip
    assert json.loads(str(row["payload"]))["status"] == "completed"
    assert row["reason"]
    records = capture_service.rows(
        "SELECT * FROM data_capture_audit WHERE user_email = ? AND data_snapshot LIKE ?",
        UNATTRIBUTED_USER, f"%{update['capture_id']}%",
    )  # fmt: skip
    assert [record["capture_type"] for record in records] == ["unattributed"]


def test_an_id_that_two_users_have_is_nobodys(
    capture_service: RunningService, user: str, send: Any
) -> None:
    row_id = new_id()
    for email in (user, f"other-{user}"):
        send({"user_email": email, "id": row_id, "plan": "Pro", "amount": 49, "status": "pending"})
    assert send({**COMPLETED, "capture_target": f"/api/payments/{row_id}"})["status"] == 202
    statuses = capture_service.rows(
        "SELECT payment_status FROM payment_data WHERE user_email LIKE ?", f"%{user}"
    )
    assert {row["payment_status"] for row in statuses} == {"pending"}


def test_an_order_of_two_payments_is_not_guessed(
    capture_service: RunningService, user: str, send: Any
) -> None:
    order = f"CART-{new_id()}"
    for number in ("T-100", "T-101"):
        send({
            "user_email": user, "transaction_id": f"{number}-{order}", "order_id": order,
            "amount": 49, "status": "pending",
        })  # fmt: skip
    assert send({**COMPLETED, "capture_target": f"/api/orders/{order}"})["status"] == 202
    assert {payment["status"] for payment in latest(capture_service, user)} == {"pending"}


def test_update_with_an_address_makes_no_empty_payment(
    capture_service: RunningService, user: str, send: Any
) -> None:
    customer, row_id = f"customer-{user}", new_id()
    send({"user_email": customer, "id": row_id, "plan": "Pro", "amount": 49, "status": "pending"})
    update = {**COMPLETED, "user_email": user, "capture_target": f"/api/payments/{row_id}"}
    assert send(update)["status"] == 202
    assert latest(capture_service, user) == []
    [payment] = latest(capture_service, customer)
    assert payment["status"] == "pending"


def test_update_with_the_payers_address_is_laid_over_the_payment(
    capture_service: RunningService, user: str, send: Any
) -> None:
    row_id = new_id()
    send({"user_email": user, "id": row_id, "plan": "Pro", "amount": 49, "status": "pending"})
    target = f"/rest/v1/payments?id=eq.{row_id}"
    send({**COMPLETED, "user_email": user, "capture_target": target})
    [payment] = latest(capture_service, user)
    assert (payment["plan_name"], payment["status"]) == ("Pro", "completed")


@pytest.mark.parametrize(
    ("kind", "column"), [("dashboard", "total_pnl"), ("questionnaire", "account_size")]
)
def test_update_of_another_kind_is_laid_over_its_users_latest_state(
    capture_service: RunningService, user: str, send: Any, kind: str, column: str
) -> None:
    user_id = new_id()
    whole = {"user_email": user, "user_id": user_id, "id": f"r-{user_id}", "win_rate": 60}
    send({**whole, "theme": "light", "trading_session": "London", column: 10}, kind)
    for number, target in enumerate(
        (f"/rest/v1/rows?user_id=eq.{user_id}", f"/api/users/{user_id}/{kind}",
         f"/rest/v1/{kind}_data?id=eq.r-{user_id}"), 50,
    ):  # fmt: skip
        update = {"partial": True, "capture_target": target, column: number}
        assert send(update, kind)["status"] == 201
        [row] = capture_service.rows(
            f"SELECT * FROM {kind}_data WHERE user_email = ? ORDER BY id DESC LIMIT 1",  # noqa: S608
            user,
        )
        assert row[column] == number
        expected = {"dashboard": ("theme", "light"), "questionnaire": ("trading_session", "London")}
        name, value = expected[kind]
        assert row[name] == value


def test_kept_update_is_attributed_when_a_capture_names_its_row(
    capture_service: RunningService, user: str, send: Any
) -> None:
    row_id, capture_id = new_id(), str(uuid.uuid4())
    target = f"/rest/v1/payments?id=eq.{row_id}"
    update = {**COMPLETED, "capture_id": capture_id, "capture_target": target}
    first = send(update)
    send({"user_email": user, "id": row_id, "plan": "Pro", "amount": 49, "status": "pending"})
    [row] = unattributed(capture_service, capture_id)
    assert (row["user_email"], row["payload"]) == (user, None)
    [payment] = latest(capture_service, user)
    assert payment["status"] == "pending"  # the payment was captured after the update
    assert send(update) == first
    [record] = capture_service.rows(
        "SELECT * FROM data_capture_audit WHERE user_email = ? AND data_snapshot LIKE ?",
        user, f"%{capture_id}%",
    )  # fmt: skip
    assert json.loads(record["data_snapshot"])["capture_target"] == target


def test_kept_update_that_is_newer_than_the_payment_is_laid_over_it(
    capture_service: RunningService, user: str, send: Any
) -> None:
    row_id, capture_id = new_id(), str(uuid.uuid4())
    target = f"/api/payments/{row_id}"
    now = capture_service.rows("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 hour') AS time")
    send({**COMPLETED, "capture_id": capture_id, "capture_target": target})
    send({
        "user_email": user, "id": row_id, "plan": "Pro", "amount": 49, "status": "pending",
        "capture_timestamp": now[0]["time"],  # it waited in the page's queue
    })  # fmt: skip
    [payment] = latest(capture_service, user)
    assert (payment["plan_name"], payment["status"]) == ("Pro", "completed")
    [row] = unattributed(capture_service, capture_id)
    assert (row["user_email"], row["row_id"]) == (user, payment["id"])


def test_secrets_in_the_request_are_masked(capture_service: RunningService, send: Any) -> None:
    secret = f"hunter2{uuid.uuid4().hex}"
    capture_id = str(uuid.uuid4())
    target = f"/api/payments/{new_id()}?apikey={secret}&token={secret}&password={secret}"
    send({**COMPLETED, "capture_id": capture_id, "capture_target": target, "password": secret})
    [row] = unattributed(capture_service, capture_id)
    assert secret not in json.dumps(row, default=str)
    assert row["target"].endswith("apikey=[redacted]&token=[redacted]&password=[redacted]")


def test_target_of_a_save_with_a_known_user_is_not_stored(
    capture_service: RunningService, user: str, send: Any
) -> None:
    send({"user_email": user, "total_pnl": 5, "capture_target": "/api/dashboard/equity?t=1"},
         "dashboard")  # fmt: skip
    send({"user_email": user, "total_pnl": 5, "capture_target": "/api/dashboard/equity?t=2"},
         "dashboard")  # fmt: skip
    [row] = capture_service.rows("SELECT * FROM dashboard_data WHERE user_email = ?", user)
    assert json.loads(row["dashboard_state"]) == {"total_pnl": 5}
    audits = capture_service.rows("SELECT * FROM data_capture_audit WHERE user_email = ?", user)
    assert len(audits) == 1
    assert "capture_target" not in audits[0]["data_snapshot"]


@pytest.mark.parametrize("target", [None, "", "  ", 5, [], {}])
def test_capture_without_an_address_and_a_target_is_rejected(send: Any, target: Any) -> None:
    assert send({**COMPLETED, "capture_target": target})["status"] == 422


@pytest.mark.slow
def test_claim_changes_no_confirmed_payment(tmp_path: Path) -> None:
    service = capture_service_in(tmp_path, EDC_ADMIN_TOKEN=TOKEN)
    service.start()
    try:
        payment = {"user_email": "ann@example.com", "id": 7, "final_price": 5, "status": "pending"}
        service.capture("payment", payment, Authorization=f"Bearer {TOKEN}")
        answer = service.capture("payment", {**COMPLETED, "capture_target": "/api/payments/7"})
        assert answer.json()["payment_id"] == 1
        [stored] = latest(service, "ann@example.com")
        assert (stored["payment_status"], stored["status"]) == ("pending", "pending")
        assert stored["source"] == "confirmed"
    finally:
        service.stop()


@pytest.mark.slow
def test_kept_updates_are_bounded_visible_and_erased(tmp_path: Path) -> None:
    service = capture_service_in(tmp_path, EDC_ADMIN_TOKEN=TOKEN)
    service.start()
    try:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        long_state = {"trading_state": {"trades": ["x" * 50] * 4000}, "total_pnl": 5}
        for number in range(3):
            service.capture("dashboard", {
                **long_state, "capture_target": f"/api/dashboards/{number}",
                "note": "ann@example.com" if number == 1 else "",
            })  # fmt: skip
        health = requests.get(f"{service.url}/api/data-capture/health", timeout=30).json()
        assert health["unattributed_captures"] == 3
        rows = service.rows("SELECT payload FROM unattributed_captures")
        assert all(len(row["payload"]) < 70_000 for row in rows)
        assert json.loads(rows[0]["payload"])["_omitted"] == ["trading_state"]
        erased = requests.delete(
            f"{service.url}/api/data-capture/users/ann@example.com", headers=headers, timeout=30
        ).json()
        assert erased["erased"]["unattributed_captures"] == 1
        assert len(service.rows("SELECT 1 FROM unattributed_captures")) == 2
    finally:
        service.stop()
