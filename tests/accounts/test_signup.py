"""The signup service: accounts, logins and tokens, as the pages send and read them."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
import statistics
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from argon2 import PasswordHasher

from data_capture.key_files import load_or_make_key
from tests.support.services import RunningService, signup_service_in

PASSWORD = "correct horse battery"
REGISTER_PATHS = ("/api/auth/register", "/auth/register", "/api/user/register")


def register(
    service: RunningService, email: str, path: str = REGISTER_PATHS[0], **members: Any
) -> requests.Response:
    return requests.post(
        service.url + path, json={"email": email, "password": PASSWORD, **members}, timeout=10
    )


def log_in(service: RunningService, email: str, password: str = PASSWORD) -> requests.Response:
    return requests.post(
        f"{service.url}/api/auth/login", json={"email": email, "password": password}, timeout=10
    )


def audit_of(service: RunningService, email: str) -> list[tuple[str, str]]:
    found = service.rows(
        "SELECT capture_type, status FROM data_capture_audit WHERE user_email = ? ORDER BY id",
        email,
    )
    return [(record["capture_type"], record["status"]) for record in found]


def everything_stored(service: RunningService) -> bytes:
    """All bytes of the database's files and of the log."""
    files = service.database.parent.glob("*")
    return b"".join(file.read_bytes() for file in files if file.is_file())


def assert_problem(answer: requests.Response, *statuses: int) -> dict[str, Any]:
    assert answer.status_code in statuses, (answer.status_code, answer.text)
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["success"] is False
    assert problem["title"]
    assert problem["msg"] == problem["error"] == problem["message"] == problem["detail"] != ""
    return problem


# --- What pages send and read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", REGISTER_PATHS)
def test_a_page_signs_a_visitor_up_and_reads_who_they_are(
    signup_service: RunningService, user: str, path: str
) -> None:
    sent = {"firstName": "Ann", "lastName": "Archer", "phone": "+1 555 0100", "company": "Archer Ltd", "country": "NZ",
            "plan_type": "premium", "agreeToMarketing": True}  # fmt: skip
    answer = register(signup_service, user, path, **sent)
    assert answer.status_code == 201, answer.text
    body = answer.json()
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
    assert row["consent_accepted"] == 0, "agreeing to marketing is not consent to the terms"


def test_what_the_table_has_no_room_for_is_kept_in_the_audit_record(
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
    assert snapshot == {"email": user.upper(), "password": "[redacted]", "phone": "+1 555 0100", "company": "Archer Ltd",
                        "riskManagementPlan": {"steps": [1, 2]}, "_masked": ["password"]}  # fmt: skip


def test_a_questionnaire_that_comes_with_a_signup_is_captured_with_its_screenshot(
    signup_service: RunningService, user: str
) -> None:
    screenshot = (
        "data:image/png;base64,"
        + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 5_000).decode()
    )
    questionnaire = {
        "tradesPerDay": "1-2",
        "accountSize": "$100,000",
        "riskPerTrade": "1.5",
        "forexPairs": ["EURUSD"],
    }
    answer = register(
        signup_service,
        user,
        fullName="Ann Archer",
        questionnaire=questionnaire,
        screenshot=screenshot,
    )
    assert answer.status_code == 201, answer.text
    (row,) = signup_service.rows("SELECT * FROM questionnaire_data WHERE user_email = ?", user)
    assert (row["trades_per_day"], row["account_size"], row["risk_percentage"]) == (
        "1-2",
        100000,
        1.5,
    )
    assert row["account_screenshot"] == screenshot
    assert row["user_name"] == "Ann Archer"
    assert audit_of(signup_service, user) == [("signup", "success"), ("questionnaire", "success")]


def test_a_visitor_logs_in_with_their_password_however_the_address_is_spelled(
    signup_service: RunningService, user: str
) -> None:
    registered = register(signup_service, user.upper(), fullName="Ann Archer").json()
    answer = log_in(signup_service, f" {user.title()} ")
    assert answer.status_code == 200, answer.text
    assert answer.json()["user"] == registered["user"]
    assert answer.json()["user"]["email"] == user
    (row,) = signup_service.rows("SELECT last_login FROM users WHERE email = ?", user)
    assert row["last_login"].endswith("Z")
    assert audit_of(signup_service, user) == [("signup", "success"), ("login", "success")]


def test_a_token_is_signed_expires_and_says_nothing_about_the_user(
    signup_service: RunningService, user: str
) -> None:
    body = register(signup_service, user, fullName="Ann Archer").json()
    key = bytes.fromhex(
        (signup_service.database.parent / "trading_bots.keys" / "token-signing.key").read_text()
    )
    assert len(key) == 32
    claims = jwt.decode(body["token"], key, algorithms=["HS256"])
    assert claims.keys() == {"sub", "iat", "exp"}
    assert claims["sub"] == str(body["user_id"])
    assert claims["exp"] - claims["iat"] == body["expires_in"] == 24 * 3600
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(body["token"], bytes(32), algorithms=["HS256"])
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(
            jwt.encode({**claims, "exp": claims["iat"] - 1}, key, algorithm="HS256"),
            key,
            algorithms=["HS256"],
        )


def test_a_name_that_a_visitor_chose_is_their_user_name(
    signup_service: RunningService, user: str
) -> None:
    assert register(signup_service, user, username="archer").json()["user"]["username"] == "archer"


def test_consent_is_stored_with_its_time(signup_service: RunningService, user: str) -> None:
    register(signup_service, user, consent_accepted=True)
    (row,) = signup_service.rows(
        "SELECT consent_accepted, consent_timestamp, created_at FROM users WHERE email = ?", user
    )
    assert row["consent_accepted"] == 1
    assert row["consent_timestamp"] == row["created_at"]


def test_health_tells_a_local_caller_more_than_a_page(signup_service: RunningService) -> None:
    address = f"{signup_service.url}/api/health"
    direct = requests.get(address, timeout=10).json()
    assert direct["status"] == "healthy"
    assert direct["database"] == str(signup_service.database)
    assert {"version", "pid"} <= direct.keys()
    page = requests.get(address, headers={"Origin": "http://localhost:3000"}, timeout=10)
    assert page.json() == {"status": "healthy", "service": "enhanced-signup"}


def test_health_is_red_when_the_database_can_not_be_read(tmp_path: Path) -> None:
    service = signup_service_in(tmp_path)
    service.start()
    try:
        subprocess.run([sys.executable, "-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('DROP TABLE users')",
                        str(service.database)], check=True)  # fmt: skip
        answer = requests.get(f"{service.url}/api/health", timeout=10)
        problem = assert_problem(answer, 503)
        assert "users" in problem["detail"]
        assert_problem(register(service, "ann@example.com"), 503)
    finally:
        service.stop()


# --- Passwords ------------------------------------------------------------------------------------------------------------


def test_a_password_is_stored_as_argon2id_and_nowhere_else(
    signup_service: RunningService, user: str
) -> None:
    secret = f"pass-{uuid.uuid4()}"
    body = {
        "password": secret,
        "confirm": secret,
        "again": [secret],
        "questionnaire": {"tradesPerDay": "1", "typed": secret},
    }
    assert register(signup_service, user, **body).status_code == 201
    assert log_in(signup_service, user, secret).status_code == 200
    assert log_in(signup_service, user, secret + "x").status_code == 401
    (row,) = signup_service.rows("SELECT password_hash FROM users WHERE email = ?", user)
    assert row["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    stored = everything_stored(signup_service)
    assert secret.encode() not in stored
    assert hashlib.sha256(secret.encode()).hexdigest().encode() not in stored


@pytest.mark.parametrize(
    "password", ["sechs!", "пароль🔑", "with\0nul", " spaces around ", "x" * 1024]
)
def test_any_password_of_6_to_1024_characters_works_exactly_as_typed(
    signup_service: RunningService, user: str, password: str
) -> None:
    assert register(signup_service, user, password=password).status_code == 201
    assert log_in(signup_service, user, password).status_code == 200
    assert log_in(signup_service, user, password.strip() + " ").status_code in (401, 400)


def test_a_password_with_a_character_that_was_not_read_opens_nothing(
    signup_service: RunningService, user: str
) -> None:
    register(signup_service, user)
    of_an_older_version = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1).hash(
        "pass\ufffdword"
    )
    program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2], sys.argv[3:]); c.commit()"
    update = "UPDATE users SET password_hash = ? WHERE email = ?"
    database = str(signup_service.database)
    subprocess.run(
        [sys.executable, "-c", program, database, update, of_an_older_version, user], check=True
    )
    for password in (
        "pass\ufffdword",
        "pass\ud800word",
        "pass\udfffword",
        "\ud83dpass",
        "\ude00",
        "pass\ud83d\ud83dword",
    ):
        assert log_in(signup_service, user, password).status_code == 401


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(
    signup_service: RunningService, user: str
) -> None:
    register(signup_service, user)
    wrong = assert_problem(log_in(signup_service, user, "not the password"), 401)
    unknown = assert_problem(log_in(signup_service, f"not-{user}", "not the password"), 401)
    assert wrong == unknown
    assert audit_of(signup_service, user) == [("signup", "success"), ("login_failed", "failed")]
    assert audit_of(signup_service, f"not-{user}") == []


def test_the_time_of_a_refusal_does_not_tell_who_has_an_account(tmp_path: Path) -> None:
    service = signup_service_in(tmp_path, EDC_LOGIN_RATE="")
    service.start()

    def ratio(attempt: int) -> float:
        seconds: dict[str, list[float]] = {"known": [], "other": []}
        for index in range(10):
            register(service, f"known-{attempt}-{index}@example.com")
        for index in range(100):
            for who, measured in seconds.items():
                answer = log_in(
                    service, f"{who}-{attempt}-{index % 10}@example.com", "not the password"
                )
                assert answer.status_code == 401
                measured.append(answer.elapsed.total_seconds())
        return statistics.median(seconds["known"]) / statistics.median(seconds["other"])

    try:
        # What the machine's other work adds is gone the next time; what tells people apart is not.
        assert any(0.95 < ratio(attempt) < 1.05 for attempt in range(3))
    finally:
        service.stop()


def test_after_many_failed_logins_no_more_are_checked_for_a_while(
    signup_service: RunningService, user: str
) -> None:
    register(signup_service, user)
    problems = []
    for email in (user, f"not-{user}"):
        with ThreadPoolExecutor(4) as pool:
            list(
                pool.map(
                    lambda _, email=email: log_in(signup_service, email, "not the password"),
                    range(24),
                )
            )
        answer = log_in(signup_service, email)
        problems.append(assert_problem(answer, 429))
        assert int(answer.headers["Retry-After"]) > 0
    assert problems[0] == problems[1], "who has no account is answered the same"


def test_a_locked_out_user_is_not_let_in(signup_service: RunningService, user: str) -> None:
    register(signup_service, user)
    program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2], sys.argv[3:]); c.commit()"
    suspend = "UPDATE users SET status = 'suspended' WHERE email = ?"
    subprocess.run(
        [sys.executable, "-c", program, str(signup_service.database), suspend, user], check=True
    )
    assert_problem(log_in(signup_service, user), 403)


def test_the_signing_key_is_its_owners_alone_and_survives_a_restart(tmp_path: Path) -> None:
    service = signup_service_in(tmp_path)
    service.start()
    key = tmp_path / "trading_bots.keys" / "token-signing.key"
    first = key.read_text()
    service.stop()
    service.start()
    service.stop()
    assert key.read_text() == first
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert [file.name for file in key.parent.iterdir() if "token" in file.name] == [key.name]


def test_services_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    for attempt in range(20):
        path = tmp_path / f"keys-{attempt}" / "token-signing.key"
        together = threading.Barrier(8)

        def start(path: Path = path, together: threading.Barrier = together) -> bytes:
            together.wait()
            return load_or_make_key(path)

        with ThreadPoolExecutor(8) as pool:
            keys = {starting.result() for starting in [pool.submit(start) for _ in range(8)]}
        assert len(keys) == 1
        assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_file_that_holds_no_key_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "token-signing.key"
    path.write_text("short")
    with pytest.raises(ValueError, match="hexadecimal"):
        load_or_make_key(path)
    assert path.read_text() == "short"


# --- One person, one row -----------------------------------------------------------------------------------------------


def test_an_address_that_has_an_account_can_not_sign_up_again(
    signup_service: RunningService, user: str
) -> None:
    first = register(signup_service, user, fullName="Ann").json()
    problem = assert_problem(
        register(signup_service, user.upper(), fullName="Mallory", password="another one"), 409
    )
    assert "already exists" in problem["msg"]
    assert log_in(signup_service, user).json()["user"] == first["user"]
    assert audit_of(signup_service, user)[:1] == [("signup", "success")]
    assert ("signup", "success") not in audit_of(signup_service, user)[1:]


def test_someone_captured_before_signing_up_keeps_their_row_and_what_was_captured(
    signup_service: RunningService, capture_service: RunningService, user: str
) -> None:
    payment = {"user_email": user, "user_name": "Ann", "final_price": 99.8}
    assert (
        requests.post(
            f"{capture_service.url}/api/data-capture/payment", json=payment, timeout=10
        ).status_code
        == 201
    )
    (provisional,) = signup_service.rows("SELECT * FROM users WHERE email = ?", user)
    assert (provisional["status"], provisional["password_hash"]) == ("provisional", "!")
    for password in ("!", "", "provisional"):
        assert log_in(signup_service, user, password).status_code in (400, 401)
    answer = register(signup_service, user.upper(), fullName="Ann Archer", plan_type="premium")
    assert answer.status_code == 201, answer.text
    (completed,) = signup_service.rows("SELECT * FROM users WHERE email = ?", user)
    assert completed["id"] == provisional["id"]
    assert completed["created_at"] == provisional["created_at"]
    assert (completed["status"], completed["full_name"], completed["plan_type"]) == (
        "active",
        "Ann Archer",
        "premium",
    )
    assert len(signup_service.rows("SELECT id FROM payment_data WHERE user_email = ?", user)) == 1


def test_of_eight_signups_of_one_address_at_once_one_succeeds(
    signup_service: RunningService, user: str
) -> None:
    def sign_up(number: int) -> tuple[int, str]:
        password = f"password number {number}"
        email = user.upper() if number % 2 else user
        return register(signup_service, email, password=password).status_code, password

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(sign_up, range(8)))
    assert sorted(status for status, _ in answers) == [201] + [409] * 7
    (winner,) = (password for status, password in answers if status == 201)
    assert log_in(signup_service, user, winner).status_code == 200
    assert len(signup_service.rows("SELECT id FROM users WHERE lower(email) = ?", user)) == 1
    assert audit_of(signup_service, user) == [("signup", "success"), ("login", "success")]


def test_a_signup_and_captures_of_one_address_at_once_make_one_user(
    signup_service: RunningService, capture_service: RunningService, user: str
) -> None:
    def pay(_: int) -> int:
        payment = {"user_email": user.upper(), "final_price": 1}
        return requests.post(
            f"{capture_service.url}/api/data-capture/payment", json=payment, timeout=10
        ).status_code

    with ThreadPoolExecutor(8) as pool:
        paying = pool.map(pay, range(6))
        signing_up = pool.submit(register, signup_service, user)
    assert set(paying) == {201}
    assert signing_up.result().status_code == 201
    assert len(signup_service.rows("SELECT id FROM users WHERE lower(email) = ?", user)) == 1
    assert log_in(signup_service, user).status_code == 200


# --- Refusals -------------------------------------------------------------------------------------------------------------

UNUSABLE = {
    "nothing": ({}, {"email", "password"}),
    "no email": ({"password": PASSWORD}, {"email"}),
    "an email that is none": ({"email": "ann", "password": PASSWORD}, {"email"}),
    "an email of spaces": ({"email": "  ", "password": PASSWORD}, {"email"}),
    "an email with a zero-width space": (
        {"email": "an\u200bn@example.com", "password": PASSWORD},
        {"email"},
    ),
    "an email with a NUL": ({"email": "ann\0@example.com", "password": PASSWORD}, {"email"}),
    "two emails": ({"email": "ann@example.com,bob@example.com", "password": PASSWORD}, {"email"}),
    "a list of emails": ({"email": ["ann@example.com"], "password": PASSWORD}, {"email"}),
    "too long an email": ({"email": "a" * 300 + "@example.com", "password": PASSWORD}, {"email"}),
    "a placeholder": ({"email": "Unknown@Example.com", "password": PASSWORD}, {"email"}),
    "no password": ({"email": "ann@example.com"}, {"password"}),
    "too short a password": ({"email": "ann@example.com", "password": "five5"}, {"password"}),
    "too long a password": ({"email": "ann@example.com", "password": "x" * 1025}, {"password"}),
    "a password with a character that was not read": (
        {"email": "ann@example.com", "password": "pass\ufffdword"},
        {"password"},
    ),
    "a password with half a character": (
        {"email": "ann@example.com", "password": "pass\ud83dword"},
        {"password"},
    ),
    "a number for a password": ({"email": "ann@example.com", "password": 12345678}, {"password"}),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_fields_that_can_not_be_used_are_named(signup_service: RunningService, case: str) -> None:
    body, fields = UNUSABLE[case]
    answer = requests.post(f"{signup_service.url}/api/auth/register", json=body, timeout=10)
    problem = assert_problem(answer, 400)
    assert {error["field"] for error in problem["errors"]} == fields
    assert PASSWORD not in answer.text
    if case not in ("too short a password", "a placeholder") and "character" not in case:
        login = requests.post(f"{signup_service.url}/api/auth/login", json=body, timeout=10)
        assert {error["field"] for error in assert_problem(login, 400)["errors"]} == fields


@pytest.mark.parametrize("path", ["/api/auth/register", "/api/auth/login"])
@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None],
)
def test_only_json_is_taken_since_browsers_send_other_types_without_asking(
    signup_service: RunningService, path: str, media_type: str | None
) -> None:
    body = json.dumps({"email": "ann@example.com", "password": PASSWORD}).encode()
    headers = {} if media_type is None else {"Content-Type": media_type}
    assert_problem(
        requests.post(signup_service.url + path, data=body, headers=headers, timeout=10), 415
    )


@pytest.mark.parametrize("path", REGISTER_PATHS)
def test_a_page_of_a_foreign_origin_is_refused_and_one_of_an_allowed_origin_is_answered(
    signup_service: RunningService, user: str, path: str
) -> None:
    body = {"email": user, "password": PASSWORD}
    foreign = requests.post(
        signup_service.url + path, json=body, headers={"Origin": "https://evil.example"}, timeout=10
    )
    assert_problem(foreign, 403)
    assert signup_service.rows("SELECT id FROM users WHERE email = ?", user) == []
    asked = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST",
             "Access-Control-Request-Headers": "content-type"}  # fmt: skip
    preflight = requests.options(signup_service.url + path, headers=asked, timeout=10)
    assert preflight.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert "content-type" in preflight.headers["Access-Control-Allow-Headers"].lower()
    answer = requests.post(
        signup_service.url + path,
        json=body,
        headers={"Origin": "http://localhost:3000"},
        timeout=10,
    )
    assert answer.status_code == 201
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"


def test_what_is_not_there_or_not_for_this_method_is_a_problem_too(
    signup_service: RunningService,
) -> None:
    assert_problem(requests.get(f"{signup_service.url}/api/auth/register", timeout=10), 405)
    assert_problem(requests.get(f"{signup_service.url}/nothing", timeout=10), 404)


def test_bodies_over_the_limit_are_refused(signup_service: RunningService) -> None:
    account = {"email": "ann@example.com", "password": PASSWORD}
    for path, size in (("/api/auth/register", 30_000_000), ("/api/auth/login", 1_100_000)):
        body = json.dumps({**account, "screenshot": "A" * size}).encode()
        headers = {"Content-Type": "application/json"}
        assert_problem(
            requests.post(signup_service.url + path, data=body, headers=headers, timeout=30), 413
        )


def test_an_answer_with_a_token_is_not_kept_by_anyone(
    signup_service: RunningService, user: str
) -> None:
    assert register(signup_service, user).headers["Cache-Control"] == "no-store"


def test_the_debug_log_tells_outcomes_and_nothing_of_whom(tmp_path: Path, user: str) -> None:
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
    assert [secret for secret in (user, PASSWORD, "a wrong password", token) if secret in log] == []
