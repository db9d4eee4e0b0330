"""Test sign-ups: accounts, rejections, and the health of the signup service."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.support.accounts import (
    PASSWORD,
    REGISTER_PATHS,
    assert_problem,
    audit_of,
    execute_as_another_program,
    log_in,
    register,
)
from tests.support.services import RunningService, signup_service_in


@pytest.mark.parametrize("path", REGISTER_PATHS)
def test_signup_response_has_the_new_user_and_a_token(
    signup_service: RunningService, user: str, path: str
) -> None:
    fields = {
        "firstName": "Ann",
        "lastName": "Archer",
        "phone": "+1 555 0100",
        "company": "Archer Ltd",
        "country": "NZ",
        "plan_type": "premium",
        "agreeToMarketing": True,
    }
    response = register(signup_service, user, path, **fields)
    assert response.status_code == 201, response.text
    body = response.json()
    (row,) = signup_service.rows("SELECT * FROM users WHERE email = ?", user)
    assert body["success"] is True
    assert body["message"] == body["msg"] == "User registered successfully"
    assert body["access_token"] == body["token"]
    assert body["user_id"] == row["id"]
    assert body["user"] == {
        "id": row["id"],
        "username": user.partition("@")[0],
        "email": user,
        "plan_type": "premium",
        "unique_id": row["unique_id"],
        "fullName": "Ann Archer",
    }
    assert len(row["unique_id"]) == 6
    assert row["full_name"] == "Ann Archer"
    assert row["status"] == "active"
    assert row["consent_accepted"] == 0, "agreement to marketing was stored as consent to the terms"


def test_signup_fields_without_a_column_are_kept_in_the_audit_record(
    signup_service: RunningService, user: str
) -> None:
    register(
        signup_service,
        user.upper(),
        phone="+1 555 0100",
        company="Archer Ltd",
        riskManagementPlan={"steps": [1, 2]},
    )
    (record,) = signup_service.rows("SELECT * FROM data_capture_audit WHERE user_email = ?", user)
    assert record["capture_type"] == "signup"
    assert record["source_endpoint"] == "/api/auth/register"
    snapshot = json.loads(record["data_snapshot"])
    assert snapshot == {
        "email": user.upper(),
        "password": "[redacted]",
        "phone": "+1 555 0100",
        "company": "Archer Ltd",
        "riskManagementPlan": {"steps": [1, 2]},
        "_masked": ["password"],
    }


def test_questionnaire_of_a_signup_is_captured_with_its_screenshot(
    signup_service: RunningService, user: str
) -> None:
    image = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 5_000
    screenshot = "data:image/png;base64," + base64.b64encode(image).decode()
    questionnaire = {
        "tradesPerDay": "1-2",
        "accountSize": "$100,000",
        "riskPerTrade": "1.5",
        "forexPairs": ["EURUSD"],
    }
    response = register(
        signup_service,
        user,
        fullName="Ann Archer",
        questionnaire=questionnaire,
        screenshot=screenshot,
    )
    assert response.status_code == 201, response.text
    (row,) = signup_service.rows("SELECT * FROM questionnaire_data WHERE user_email = ?", user)
    assert row["trades_per_day"] == "1-2"
    assert row["account_size"] == 100000
    assert row["risk_percentage"] == 1.5
    assert row["account_screenshot"] == screenshot
    assert row["user_name"] == "Ann Archer"
    assert audit_of(signup_service, user) == [("signup", "success"), ("questionnaire", "success")]


def test_a_card_number_and_a_secret_in_a_name_are_masked(
    signup_service: RunningService, user: str
) -> None:
    response = register(
        signup_service,
        user,
        firstName="4111 1111 1111 1111",
        lastName="pin: 4821",
        company="token=hunter2",
    )
    assert response.status_code == 201
    assert response.json()["user"]["fullName"] == "[card ****1111] pin: [redacted]"
    database = signup_service.database
    stored = b"".join(
        path.read_bytes()
        for path in (database, database.with_name(f"{database.name}-wal"))
        if path.exists()
    )
    for secret in (b"4111 1111", b"pin: 4821", b"token=hunter2"):
        assert secret not in stored


def test_chosen_username_is_stored(signup_service: RunningService, user: str) -> None:
    assert register(signup_service, user, username="archer").json()["user"]["username"] == "archer"


def test_consent_is_stored_with_its_time(signup_service: RunningService, user: str) -> None:
    register(signup_service, user, consent_accepted=True)
    (row,) = signup_service.rows(
        "SELECT consent_accepted, consent_timestamp, created_at FROM users WHERE email = ?", user
    )
    assert row["consent_accepted"] == 1
    assert row["consent_timestamp"] == row["created_at"]


def test_health_details_are_shown_to_local_callers_but_not_to_pages(
    signup_service: RunningService,
) -> None:
    address = f"{signup_service.url}/api/health"
    direct = requests.get(address, timeout=30).json()
    assert direct["status"] == "healthy"
    assert direct["database"] == str(signup_service.database)
    assert {"version", "pid"} <= direct.keys()
    page = requests.get(address, headers={"Origin": "http://localhost:3000"}, timeout=30)
    assert page.json() == {"status": "healthy", "service": "enhanced-signup"}


@pytest.mark.slow
def test_health_responds_503_if_the_users_table_is_missing(tmp_path: Path) -> None:
    service = signup_service_in(tmp_path)
    service.start()
    try:
        execute_as_another_program(service.database, "DROP TABLE users")
        response = requests.get(f"{service.url}/api/health", timeout=30)
        problem = assert_problem(response, 503)
        assert "users" in problem["detail"]
        assert_problem(register(service, "ann@example.com"), 503)
    finally:
        service.stop()


def test_signup_is_rejected_if_the_address_has_an_account(
    signup_service: RunningService, user: str
) -> None:
    first = register(signup_service, user, fullName="Ann").json()
    second = register(signup_service, user.upper(), fullName="Mallory", password="another one")
    problem = assert_problem(second, 409)
    assert "already exists" in problem["msg"]
    assert log_in(signup_service, user).json()["user"] == first["user"]
    assert audit_of(signup_service, user)[:1] == [("signup", "success")]
    assert ("signup", "success") not in audit_of(signup_service, user)[1:]


def test_signup_completes_the_provisional_user_of_earlier_captures(
    signup_service: RunningService, capture_service: RunningService, user: str
) -> None:
    payment = {"user_email": user, "user_name": "Ann", "final_price": 99.8}
    assert capture_service.capture("payment", payment).status_code == 201
    (provisional,) = signup_service.rows("SELECT * FROM users WHERE email = ?", user)
    assert (provisional["status"], provisional["password_hash"]) == ("provisional", "!")
    for password in ("!", "", "provisional"):
        assert log_in(signup_service, user, password).status_code in (400, 401)
    response = register(signup_service, user.upper(), fullName="Ann Archer", plan_type="premium")
    assert response.status_code == 201, response.text
    (completed,) = signup_service.rows("SELECT * FROM users WHERE email = ?", user)
    assert completed["id"] == provisional["id"]
    assert completed["created_at"] == provisional["created_at"]
    assert completed["status"] == "active"
    assert completed["full_name"] == "Ann Archer"
    assert completed["plan_type"] == "premium"
    assert len(signup_service.rows("SELECT id FROM payment_data WHERE user_email = ?", user)) == 1


def test_one_of_eight_simultaneous_signups_of_an_address_succeeds(
    signup_service: RunningService, user: str
) -> None:
    def sign_up(number: int) -> tuple[int, str]:
        password = f"password number {number}"
        email = user.upper() if number % 2 else user
        return register(signup_service, email, password=password).status_code, password

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(sign_up, range(8)))
    assert sorted(status for status, _ in results) == [201] + [409] * 7
    (stored_password,) = (password for status, password in results if status == 201)
    assert log_in(signup_service, user, stored_password).status_code == 200
    assert len(signup_service.rows("SELECT id FROM users WHERE lower(email) = ?", user)) == 1
    assert audit_of(signup_service, user) == [("signup", "success"), ("login", "success")]


def test_simultaneous_signup_and_captures_create_one_user(
    signup_service: RunningService, capture_service: RunningService, user: str
) -> None:
    def pay(number: int) -> int:
        payment = {"user_email": user.upper(), "final_price": 1, "transaction_id": f"TX-{number}"}
        return capture_service.capture("payment", payment).status_code

    with ThreadPoolExecutor(8) as pool:
        payments = pool.map(pay, range(6))
        signup = pool.submit(register, signup_service, user)
    assert set(payments) == {201}
    assert signup.result().status_code == 201
    assert len(signup_service.rows("SELECT id FROM users WHERE lower(email) = ?", user)) == 1
    assert log_in(signup_service, user).status_code == 200


# Bodies, and the names of their invalid fields.
INVALID_BODIES = {
    "empty body": ({}, {"email", "password"}),
    "no email": ({"password": PASSWORD}, {"email"}),
    "not an email": ({"email": "ann", "password": PASSWORD}, {"email"}),
    "email of spaces": ({"email": "  ", "password": PASSWORD}, {"email"}),
    "email with a zero-width space": (
        {"email": "an\u200bn@example.com", "password": PASSWORD},
        {"email"},
    ),
    "email with a NUL": ({"email": "ann\0@example.com", "password": PASSWORD}, {"email"}),
    "two emails": ({"email": "ann@example.com,bob@example.com", "password": PASSWORD}, {"email"}),
    "list of emails": ({"email": ["ann@example.com"], "password": PASSWORD}, {"email"}),
    "email too long": ({"email": "a" * 300 + "@example.com", "password": PASSWORD}, {"email"}),
    "placeholder email": ({"email": "Unknown@Example.com", "password": PASSWORD}, {"email"}),
    "no password": ({"email": "ann@example.com"}, {"password"}),
    "password too short": ({"email": "ann@example.com", "password": "five5"}, {"password"}),
    "password too long": ({"email": "ann@example.com", "password": "x" * 1025}, {"password"}),
    "password with a replacement character": (
        {"email": "ann@example.com", "password": "pass\ufffdword"},
        {"password"},
    ),
    "password with a lone surrogate character": (
        {"email": "ann@example.com", "password": "pass\ud83dword"},
        {"password"},
    ),
    "password is a number": ({"email": "ann@example.com", "password": 12345678}, {"password"}),
}
# A log-in rejects these only because no account has them.
VALID_FOR_LOGIN = {
    "placeholder email",
    "password too short",
    "password with a replacement character",
    "password with a lone surrogate character",
}


@pytest.mark.parametrize("case", INVALID_BODIES)
def test_invalid_fields_are_named(signup_service: RunningService, case: str) -> None:
    body, fields = INVALID_BODIES[case]
    response = requests.post(f"{signup_service.url}/api/auth/register", json=body, timeout=30)
    problem = assert_problem(response, 400)
    assert {error["field"] for error in problem["errors"]} == fields
    assert PASSWORD not in response.text
    if case not in VALID_FOR_LOGIN:
        login = requests.post(f"{signup_service.url}/api/auth/login", json=body, timeout=30)
        assert {error["field"] for error in assert_problem(login, 400)["errors"]} == fields


@pytest.mark.parametrize("path", ["/api/auth/register", "/api/auth/login"])
@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None],
)
def test_only_json_bodies_are_accepted(
    signup_service: RunningService, path: str, media_type: str | None
) -> None:
    """Browsers send the other types to foreign sites without a preflight request."""
    body = json.dumps({"email": "ann@example.com", "password": PASSWORD}).encode()
    headers = {} if media_type is None else {"Content-Type": media_type}
    response = requests.post(signup_service.url + path, data=body, headers=headers, timeout=30)
    assert_problem(response, 415)


@pytest.mark.parametrize("path", REGISTER_PATHS)
def test_signup_is_accepted_from_allowed_origins_only(
    signup_service: RunningService, user: str, path: str
) -> None:
    body = {"email": user, "password": PASSWORD}
    foreign = requests.post(
        signup_service.url + path, json=body, headers={"Origin": "https://evil.example"}, timeout=30
    )
    assert_problem(foreign, 403)
    assert signup_service.rows("SELECT id FROM users WHERE email = ?", user) == []
    request_headers = {
        "Origin": "http://localhost:3000",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    preflight = requests.options(signup_service.url + path, headers=request_headers, timeout=30)
    assert preflight.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert "content-type" in preflight.headers["Access-Control-Allow-Headers"].lower()
    response = requests.post(
        signup_service.url + path,
        json=body,
        headers={"Origin": "http://localhost:3000"},
        timeout=30,
    )
    assert response.status_code == 201
    assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"


def test_unknown_path_or_method_gets_a_problem_response(signup_service: RunningService) -> None:
    assert_problem(requests.get(f"{signup_service.url}/api/auth/register", timeout=30), 405)
    assert_problem(requests.get(f"{signup_service.url}/nothing", timeout=30), 404)


def test_bodies_over_the_size_limit_are_rejected(signup_service: RunningService) -> None:
    account = {"email": "ann@example.com", "password": PASSWORD}
    for path, size in (("/api/auth/register", 30_000_000), ("/api/auth/login", 1_100_000)):
        body = json.dumps({**account, "screenshot": "A" * size}).encode()
        headers = {"Content-Type": "application/json"}
        response = requests.post(signup_service.url + path, data=body, headers=headers, timeout=30)
        assert_problem(response, 413)


@pytest.mark.slow
def test_debug_log_has_outcomes_and_no_user_data(tmp_path: Path, user: str) -> None:
    service = signup_service_in(tmp_path, EDC_DEBUG="1")
    service.start()
    try:
        token = register(service, user).json()["token"]
        log_in(service, user, "a wrong password")
    finally:
        service.stop()
    log = service.log_file.read_text()
    assert "POST /api/auth/register -> 201" in log
    assert "POST /api/auth/login -> 401" in log
    for secret in (user, PASSWORD, "a wrong password", token):
        assert secret not in log
