"""Test sign-ups that a mailbox has to confirm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.accounts import (
    PASSWORD,
    REGISTER_PATHS,
    assert_problem,
    audit_of,
    log_in,
    read_stored_bytes,
    register,
)
from tests.support.mailing import OWN_PASSWORD, ServicesWithMail, claims_of
from tests.support.services import RunningService, rows

LINK_KEY = "verification-links.key"


@pytest.mark.slow
@pytest.mark.parametrize("path", REGISTER_PATHS)
def test_signup_creates_no_account_until_the_mailbox_confirms_it(
    services: ServicesWithMail, user: str, path: str
) -> None:
    response = register(
        services.signup,
        user.upper(),
        path,
        fullName="Ann Archer",
        plan_type="premium",
        username="archer",
    )
    assert response.status_code == 202, response.text
    body = response.json()
    assert body["success"] is body["verification_required"] is True
    assert body["message"] == body["msg"]
    assert body["user"] == {
        "email": user,
        "username": "archer",
        "fullName": "Ann Archer",
        "plan_type": "premium",
    }
    assert not {"token", "access_token", "user_id"} & body.keys()
    assert services.users(user) == []
    assert log_in(services.signup, user).status_code == 401

    [mail] = services.hook.mails_to(user)
    assert mail.keys() == {"to", "subject", "text", "link", "event"}
    assert mail["event"] == "signup"
    assert mail["link"] in mail["text"]
    verified = services.verify(user)
    assert verified.status_code == 201, verified.text
    (row,) = services.users(user)
    assert verified.json()["user"] == {
        "id": row["id"],
        "username": "archer",
        "email": user,
        "plan_type": "premium",
        "unique_id": row["unique_id"],
        "fullName": "Ann Archer",
    }
    assert verified.json()["token"]
    assert verified.headers["Cache-Control"] == "no-store"
    assert row["status"] == "active"
    assert log_in(services.signup, user, OWN_PASSWORD).status_code == 200
    assert log_in(services.signup, user, PASSWORD).status_code == 401, (
        "the password of the unconfirmed sign-up was stored"
    )
    assert ("signup", "success") in audit_of(services.signup, user)


@pytest.mark.slow
def test_signup_is_rejected_if_the_address_has_an_account(
    services: ServicesWithMail, user: str
) -> None:
    services.create_account(user)
    assert_problem(register(services.signup, user.upper()), 409)
    assert log_in(services.signup, user, OWN_PASSWORD).status_code == 200


def test_questionnaire_of_an_unconfirmed_signup_is_captured_at_once(
    services: ServicesWithMail, user: str
) -> None:
    response = register(services.signup, user, questionnaire={"tradesPerDay": "1-2"})
    assert response.status_code == 202
    (row,) = services.signup.rows(
        "SELECT trades_per_day FROM questionnaire_data WHERE user_email = ?", user
    )
    assert row["trades_per_day"] == "1-2"
    assert services.users(user)[0]["status"] == "provisional"
    assert audit_of(services.signup, user) == [
        ("questionnaire", "success"),
        ("signup_requested", "success"),
    ]
    assert services.verify(user).status_code == 201


def test_stranger_gains_nothing_by_signing_up_with_a_payers_address(
    services: ServicesWithMail, user: str
) -> None:
    payment = {
        "user_email": user,
        "user_name": "Patricia Payer",
        "plan_name": "Platinum",
        "final_price": 4999,
    }
    assert services.capture.capture("payment", payment).status_code == 201
    response = register(services.signup, user, password="the stranger's password")
    assert response.status_code == 202
    shown = response.text.replace(user, "")
    for word in ("Patricia", "Payer", "Platinum", "4999", "provisional"):
        assert word not in shown
    assert response.json()["user"] == {
        "email": user,
        "username": None,
        "fullName": None,
        "plan_type": None,
    }

    unknown = register(services.signup, f"not-{user}", password="the stranger's password")
    assert unknown.status_code == 202
    assert unknown.text.replace("not-", "") == response.text, (
        "the response reveals whether the address has paid"
    )

    assert services.verify(user).status_code == 201
    assert log_in(services.signup, user, "the stranger's password").status_code == 401
    assert log_in(services.signup, user, OWN_PASSWORD).status_code == 200
    assert len(services.users(user)) == 1


def test_unconfirmed_signups_store_no_user_and_no_password(
    services: ServicesWithMail, user: str
) -> None:
    before = services.signup.rows("SELECT count(*) AS number FROM users")
    for number in range(5):
        secret = f"the-stranger's-own-password-{number}"
        response = register(services.signup, f"{number}.{user}", password=secret, username=secret)
        assert response.status_code == 202
    assert services.signup.rows("SELECT count(*) AS number FROM users") == before
    stored = read_stored_bytes(services.signup)
    assert b"the-stranger's-own-password" not in stored
    assert f"4.{user}".encode() not in stored, "the database or the log has the address"
    token = services.hook.token_to(f"4.{user}")
    assert "the-stranger's-own-password" not in json.dumps(claims_of(token))
    assert token.encode() not in read_stored_bytes(services.signup)


@pytest.mark.parametrize(
    ("fields", "stored"),
    [({"consent_accepted": True}, 1), ({}, 0), ({"consent_accepted": "yes"}, 0)],
)
def test_consent_of_a_signup_counts_only_if_the_link_page_repeats_it(
    services: ServicesWithMail, user: str, fields: dict[str, Any], stored: int
) -> None:
    register(services.signup, user, consentAccepted=True)
    assert services.verify(user, **fields).status_code == 201
    (row,) = services.users(user)
    assert row["consent_accepted"] == stored
    assert (row["consent_timestamp"] is not None) == bool(stored)


def test_link_page_cannot_add_consent_that_the_signup_did_not_give(
    services: ServicesWithMail, user: str
) -> None:
    register(services.signup, user)
    assert services.verify(user, consent_accepted=True).status_code == 201
    assert services.users(user)[0]["consent_accepted"] == 0


def test_without_mail_url_verification_is_404_and_signup_is_immediate(
    signup_service: RunningService, user: str
) -> None:
    url = signup_service.url
    verification = {"token": "x", "password": PASSWORD}
    responses = [
        requests.post(f"{url}/api/auth/recover", json={"email": user}, timeout=30),
        requests.post(f"{url}/api/auth/verify", json=verification, timeout=30),
        requests.get(f"{url}/verify", timeout=30),
        requests.get(f"{url}/verify/page.js", timeout=30),
    ]
    for response in responses:
        assert "EDC_MAIL_URL" in assert_problem(response, 404)["detail"]
    assert register(signup_service, user).status_code == 201
    assert not (signup_service.database.parent / "trading_bots.keys" / LINK_KEY).exists()


@pytest.mark.slow
def test_links_and_allowed_origin_follow_the_public_signup_url(tmp_path: Path, user: str) -> None:
    # A browser leaves the default port out of an origin.
    signup_url = "https://signup.example.com:443/accounts"
    services = ServicesWithMail(
        tmp_path, EDC_SIGNUP_URL=f"{signup_url}/", EDC_ALLOWED_ORIGINS="https://www.example.com"
    )
    services.signup.start()
    services.capture.start()
    headers = {"Host": "signup.example.com", "Origin": "https://signup.example.com"}
    try:
        register(services.signup, user)
        assert services.hook.mails_to(user)[0]["link"].startswith(f"{signup_url}/verify#token=")
        token = services.hook.token_to(user)
        body = {"token": token, "password": OWN_PASSWORD}
        address = f"{services.signup.url}/api/auth/verify"
        for origin in (
            "https://evil.example",
            "null",
            "http://localhost:3000",
            "http://signup.example.com",
        ):
            foreign = {**headers, "Origin": origin}
            assert_problem(requests.post(address, json=body, headers=foreign, timeout=30), 403)
        host = {"Host": "signup.example.com"}
        page = requests.get(f"{services.signup.url}/verify", headers=host, timeout=30)
        assert page.status_code == 200
        response = requests.post(address, json=body, headers=headers, timeout=30)
        assert response.status_code == 201, response.text
        # The capture service does not accept this origin.
        payment = services.capture.capture(
            "payment", {"user_email": user}, Origin="https://signup.example.com"
        )
        assert_problem(payment, 403)
    finally:
        services.close()


@pytest.mark.slow
def test_verification_page_headers_keep_its_token_private(services: ServicesWithMail) -> None:
    page = requests.get(f"{services.signup.url}/verify", timeout=30)
    policy = page.headers["Content-Security-Policy"]
    for directive in (
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ):
        assert directive in policy
    assert "unsafe" not in policy
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    for name in ("page.html", "__init__.py", "..", "%2e%2e%2f__init__.py", "page.js/"):
        response = requests.get(f"{services.signup.url}/verify/{name}", timeout=30)
        assert response.status_code in (404, 200 if name == ".." else 404)


@pytest.mark.slow
def test_debug_log_contains_no_hook_secret_link_or_password(tmp_path: Path, user: str) -> None:
    services = ServicesWithMail(tmp_path, EDC_DEBUG="1")
    services.signup.start()
    try:
        register(services.signup, user)
        token = services.hook.token_to(user)
        services.post("verify", token=token, password=OWN_PASSWORD)
    finally:
        services.close()
    log = services.signup.log_file.read_text() + services.signup.output.read_text()
    assert "POST /api/auth/verify -> 201" in log
    for secret in (user, token, OWN_PASSWORD, PASSWORD, "s3cret-of-the-hook"):
        assert secret not in log
    assert rows(services.signup.database, "SELECT count(*) AS number FROM users")[0]["number"] == 1
