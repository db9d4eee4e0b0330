"""Test the webhooks of a running service, signed as the providers sign."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from data_capture.settings import SettingError, load_settings
from tests.support.provider_events import (
    SECRETS,
    VARIABLES,
    charge,
    coinbase_event,
    encode,
    intent,
    nowpayments_event,
    sign_stripe,
    signed_headers,
    stripe_event,
)
from tests.support.services import RunningService, capture_service_in

LATEST = """
SELECT status, currency, amount_minor, source, confirmed_by FROM payments_latest
WHERE user_email = ?
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Run a capture service that knows the secrets of all providers."""
    service = capture_service_in(tmp_path_factory.mktemp("webhooks"), **VARIABLES)
    service.start()
    yield service
    service.stop()


@pytest.fixture
def number() -> str:
    """A number that no other test uses."""
    return f"pi_{secrets.token_hex(8)}"


@pytest.fixture
def user() -> str:
    """A user that no other test uses."""
    return f"{secrets.token_hex(8)}@example.com"


def post(
    service: RunningService, provider: str, body: bytes, headers: dict[str, str] | None = None
) -> requests.Response:
    url = f"http://127.0.0.1:{service.port}/api/webhooks/{provider}"
    signed = signed_headers(provider, body) if headers is None else headers
    return requests.post(url, data=body, headers=signed, timeout=30)


def outcome(service: RunningService, provider: str, event: dict[str, Any]) -> str:
    response = post(service, provider, encode(event))
    assert response.status_code == 200, response.text
    assert response.json()["success"] is True
    return str(response.json()["outcome"])


def pay(service: RunningService, user: str, number: str) -> None:
    body = {"user_email": user, "transaction_id": number, "final_price": "89.99",
            "payment_status": "pending"}  # fmt: skip
    assert service.capture("payment", body).status_code == 201


def paid(number: str, **more: Any) -> dict[str, Any]:
    return stripe_event(
        "payment_intent.succeeded", event_id=f"evt_{number}", **intent(number, **more)
    )


def count_events(service: RunningService) -> int:
    [row] = service.rows("SELECT count(*) AS number FROM payment_events")
    return int(row["number"])


PROVIDER_EVENTS: dict[str, tuple[str, Any, str]] = {
    "stripe completes": ("stripe", paid, "completed"),
    "stripe refunds": (
        "stripe",
        lambda number: stripe_event(
            "charge.refunded", **charge(f"ch_{number}", payment_intent=number, refunded=True)
        ),
        "refunded",
    ),
    "stripe disputes": (
        "stripe",
        lambda number: stripe_event(
            "charge.dispute.created", id=f"dp_{number}", object="dispute", payment_intent=number,
            status="needs_response",
        ),
        "disputed",
    ),
    "stripe expires": (
        "stripe",
        lambda number: stripe_event(
            "checkout.session.expired", id=number, object="checkout.session", amount_total=8999,
            currency="usd", payment_status="unpaid",
        ),
        "cancelled",
    ),
    "nowpayments completes": (
        "nowpayments", lambda number: nowpayments_event(payment_id=number), "completed",
    ),
    "nowpayments refunds": (
        "nowpayments", lambda number: nowpayments_event("refunded", payment_id=number), "refunded",
    ),
    "nowpayments expires": (
        "nowpayments", lambda number: nowpayments_event("expired", payment_id=number), "cancelled",
    ),
    "coinbase completes": (
        "coinbase-commerce", lambda number: coinbase_event(code=number, id=number), "completed",
    ),
    "coinbase expires": (
        "coinbase-commerce",
        lambda number: coinbase_event(
            "charge:failed", code=number, id=number, timeline=[{"status": "EXPIRED"}]
        ),
        "cancelled",
    ),
    "coinbase refunds": (
        "coinbase-commerce",
        lambda number: coinbase_event(
            "charge:resolved", code=number, id=number, timeline=[{"status": "REFUNDED"}]
        ),
        "refunded",
    ),
}  # fmt: skip


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("case", PROVIDER_EVENTS)
def test_signed_event_changes_the_pages_payment(
    service: RunningService, user: str, number: str, case: str, is_late: bool
) -> None:
    provider, make, status = PROVIDER_EVENTS[case]
    event = make(number)
    if not is_late:
        pay(service, user, number)
    assert outcome(service, provider, event) == ("unmatched" if is_late else "applied")
    assert outcome(service, provider, event) == "duplicate"
    if is_late:
        pay(service, user, number)
    [row] = service.rows(LATEST, user)
    assert (row["status"], row["source"], row["confirmed_by"]) == (status, "confirmed", provider)
    if case == "stripe disputes":  # a dispute's amount is not the price
        assert row["amount_minor"] == 8999
    else:
        assert (row["currency"], row["amount_minor"]) == ("USD", 8999)


REFUSED = {
    "no signature": {},
    "an empty signature": {"Stripe-Signature": ""},
    "a wrong signature": {"Stripe-Signature": "t=1,v1=00"},
    "a signature of another provider": {"X-CC-Webhook-Signature": "00"},
    "a signature that is not ASCII": {"Stripe-Signature": "t=1,v1=\xe9"},
}


@pytest.mark.parametrize("case", REFUSED)
def test_unsigned_event_is_refused_and_changes_nothing(
    service: RunningService, user: str, number: str, case: str
) -> None:
    pay(service, user, number)
    before = count_events(service)
    headers = {"Content-Type": "application/json", **REFUSED[case]}
    response = post(service, "stripe", encode(paid(number)), headers)
    assert response.status_code in (400, 401)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert SECRETS["stripe"] not in response.text
    assert service.rows(LATEST, user)[0]["confirmed_by"] is None
    assert count_events(service) == before


def test_old_or_foreign_signatures_are_refused(
    service: RunningService, user: str, number: str
) -> None:
    pay(service, user, number)
    body = encode(paid(number))
    for header in (sign_stripe(body, at=1_600_000_000), sign_stripe(body, "whsec_other")):
        headers = {"Content-Type": "application/json", "Stripe-Signature": header}
        assert post(service, "stripe", body, headers).status_code == 401
    signed_for_another_body = signed_headers("stripe", body)
    changed = body.replace(b"8999", b"1")
    assert post(service, "stripe", changed, signed_for_another_body).status_code == 401
    assert service.rows(LATEST, user)[0]["confirmed_by"] is None


@pytest.mark.parametrize("provider", SECRETS)
def test_events_about_other_things_are_acknowledged(service: RunningService, provider: str) -> None:
    before = count_events(service)
    for event in ({"id": "evt_1", "type": "customer.created"}, {"event": {}}, {"a": [1, {}]}):
        assert outcome(service, provider, event) == "ignored"
    assert count_events(service) == before


@pytest.mark.parametrize("provider", SECRETS)
@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"'])
def test_signed_body_that_is_no_object_is_refused(
    service: RunningService, provider: str, body: bytes
) -> None:
    assert post(service, provider, body).status_code == 400


def test_bodies_are_bounded(service: RunningService) -> None:
    event = paid("pi_large", description="x" * 300_000)
    assert post(service, "stripe", encode(event)).status_code == 413
    nearly = paid("pi_nearly", description="x" * 250_000)
    assert outcome(service, "stripe", nearly) == "unmatched"


def test_unknown_provider_is_not_found(service: RunningService) -> None:
    response = post(service, "paypal", b"{}", {"Content-Type": "application/json"})
    assert response.status_code == 404


def test_hosts_and_origins_are_checked(service: RunningService) -> None:
    body = encode(paid("pi_guard"))
    for header in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        headers = signed_headers("stripe", body) | header
        assert post(service, "stripe", body, headers).status_code in (403, 421)


def test_same_event_at_the_same_time_counts_once(
    service: RunningService, user: str, number: str
) -> None:
    pay(service, user, number)
    with ThreadPoolExecutor(8) as pool:
        outcomes = [*pool.map(lambda _: outcome(service, "stripe", paid(number)), range(16))]
    assert sorted(outcomes) == ["applied"] + ["duplicate"] * 15
    records = service.rows(
        "SELECT data_snapshot, source_endpoint FROM data_capture_audit "
        "WHERE user_email = ? AND capture_type = 'payment_event'",
        user,
    )
    assert len(records) == 1
    assert records[0]["source_endpoint"] == "/api/webhooks/stripe"
    assert json.loads(records[0]["data_snapshot"])["event_id"] == f"evt_{number}"


def test_secrets_are_not_logged(service: RunningService, tmp_path: Path) -> None:
    assert post(service, "stripe", b"{}", {"Content-Type": "application/json"}).status_code == 401
    log = (service.database.parent / "enhanced_data_capture.log").read_text()
    assert "Stripe-Signature" in log
    assert [secret for secret in SECRETS.values() if secret in log] == []


@pytest.mark.slow
def test_webhook_without_its_secret_is_not_found(tmp_path: Path) -> None:
    service = capture_service_in(tmp_path)
    service.start()
    try:
        for provider in SECRETS:
            response = post(service, provider, b"{}")
            assert response.status_code == 404
            assert "EDC_" in response.json()["detail"]
    finally:
        service.stop()


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("value", ["with space", "é", "x" * 256])
def test_unusable_secret_stops_the_start_and_is_not_repeated(variable: str, value: str) -> None:
    with pytest.raises(SettingError) as raised:
        load_settings({}, {variable: value})
    assert value not in str(raised.value)
    assert variable in str(raised.value)
