"""Test log-ins: passwords, tokens and the key that signs them."""

from __future__ import annotations

import hashlib
import stat
import statistics
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest
from argon2 import PasswordHasher

from data_capture.key_files import load_or_make_key
from tests.support.accounts import (
    assert_problem,
    audit_of,
    execute_as_another_program,
    log_in,
    read_stored_bytes,
    register,
)
from tests.support.services import RunningService, signup_service_in

KEY_FILE = "token-signing.key"


def test_login_ignores_case_and_surrounding_space_of_the_address(
    signup_service: RunningService, user: str
) -> None:
    registered = register(signup_service, user.upper(), fullName="Ann Archer").json()
    response = log_in(signup_service, f" {user.title()} ")
    assert response.status_code == 200, response.text
    assert response.json()["user"] == registered["user"]
    assert response.json()["user"]["email"] == user
    (row,) = signup_service.rows("SELECT last_login FROM users WHERE email = ?", user)
    assert row["last_login"].endswith("Z")
    assert audit_of(signup_service, user) == [("signup", "success"), ("login", "success")]


def test_token_is_signed_expires_and_has_no_user_data(
    signup_service: RunningService, user: str
) -> None:
    body = register(signup_service, user, fullName="Ann Archer").json()
    key = bytes.fromhex(
        (signup_service.database.parent / "trading_bots.keys" / KEY_FILE).read_text()
    )
    assert len(key) == 32
    claims = jwt.decode(body["token"], key, algorithms=["HS256"])
    assert claims.keys() == {"sub", "iat", "exp"}
    assert claims["sub"] == str(body["user_id"])
    assert claims["exp"] - claims["iat"] == body["expires_in"] == 24 * 3600
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(body["token"], bytes(32), algorithms=["HS256"])
    expired = jwt.encode({**claims, "exp": claims["iat"] - 1}, key, algorithm="HS256")
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(expired, key, algorithms=["HS256"])


def test_response_with_a_token_is_not_cached(signup_service: RunningService, user: str) -> None:
    assert register(signup_service, user).headers["Cache-Control"] == "no-store"


def test_password_is_stored_only_as_an_argon2id_hash(
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
    stored = read_stored_bytes(signup_service)
    assert secret.encode() not in stored
    assert hashlib.sha256(secret.encode()).hexdigest().encode() not in stored


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize(
    "password", ["sechs!", "пароль🔑", "with\0nul", " spaces around ", "x" * 1024]
)
def test_password_of_6_to_1024_characters_works_exactly_as_typed(
    signup_service: RunningService, user: str, password: str
) -> None:
    assert register(signup_service, user, password=password).status_code == 201
    assert log_in(signup_service, user, password).status_code == 200
    assert log_in(signup_service, user, password.strip() + " ").status_code in (401, 400)


def test_password_with_an_undecodable_character_does_not_log_in(
    signup_service: RunningService, user: str
) -> None:
    register(signup_service, user)
    # An older version hashed the replacement character where it could not decode a password.
    hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
    update = "UPDATE users SET password_hash = ? WHERE email = ?"
    execute_as_another_program(signup_service.database, update, hasher.hash("pass\ufffdword"), user)
    for password in (
        "pass\ufffdword",
        "pass\ud800word",
        "pass\udfffword",
        "\ud83dpass",
        "\ude00",
        "pass\ud83d\ud83dword",
    ):
        assert log_in(signup_service, user, password).status_code == 401


def test_wrong_password_and_unknown_address_get_the_same_response(
    signup_service: RunningService, user: str
) -> None:
    register(signup_service, user)
    wrong = assert_problem(log_in(signup_service, user, "not the password"), 401)
    unknown = assert_problem(log_in(signup_service, f"not-{user}", "not the password"), 401)
    assert wrong == unknown
    assert audit_of(signup_service, user) == [("signup", "success"), ("login_failed", "failed")]
    assert audit_of(signup_service, f"not-{user}") == []


@pytest.mark.slow
def test_failed_login_takes_the_same_time_with_and_without_an_account(tmp_path: Path) -> None:
    service = signup_service_in(tmp_path, EDC_LOGIN_RATE="")
    service.start()

    def time_ratio(attempt: int) -> float:
        seconds: dict[str, list[float]] = {"known": [], "unknown": []}
        for index in range(10):
            register(service, f"known-{attempt}-{index}@example.com")
        for index in range(100):
            for prefix, measured in seconds.items():
                email = f"{prefix}-{attempt}-{index % 10}@example.com"
                response = log_in(service, email, "not the password")
                assert response.status_code == 401
                measured.append(response.elapsed.total_seconds())
        return statistics.median(seconds["known"]) / statistics.median(seconds["unknown"])

    try:
        # Load on the machine distorts some attempts; a difference in the service distorts all.
        assert any(0.95 < time_ratio(attempt) < 1.05 for attempt in range(5))
    finally:
        service.stop()


@pytest.mark.slow
def test_login_is_rejected_after_many_failures(signup_service: RunningService, user: str) -> None:
    register(signup_service, user)
    problems = []
    for email in (user, f"not-{user}"):
        with ThreadPoolExecutor(4) as pool:
            attempts = [
                pool.submit(log_in, signup_service, email, "not the password") for _ in range(24)
            ]
        for attempt in attempts:
            assert attempt.result().status_code in (401, 429)
        response = log_in(signup_service, email)
        problems.append(assert_problem(response, 429))
        assert int(response.headers["Retry-After"]) > 0
    assert problems[0] == problems[1], "the response reveals whether there is an account"


def test_suspended_user_cannot_log_in(signup_service: RunningService, user: str) -> None:
    register(signup_service, user)
    suspend = "UPDATE users SET status = 'suspended' WHERE email = ?"
    execute_as_another_program(signup_service.database, suspend, user)
    assert_problem(log_in(signup_service, user), 403)


@pytest.mark.slow
def test_signing_key_is_private_and_survives_a_restart(tmp_path: Path) -> None:
    service = signup_service_in(tmp_path)
    service.start()
    key = tmp_path / "trading_bots.keys" / KEY_FILE
    first = key.read_text()
    service.stop()
    service.start()
    service.stop()
    assert key.read_text() == first
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert [file.name for file in key.parent.iterdir() if "token" in file.name] == [key.name]


def test_services_that_start_together_share_one_signing_key(tmp_path: Path) -> None:
    for attempt in range(20):
        path = tmp_path / f"keys-{attempt}" / KEY_FILE
        barrier = threading.Barrier(8)

        def start(path: Path = path, barrier: threading.Barrier = barrier) -> bytes:
            barrier.wait()
            return load_or_make_key(path)

        with ThreadPoolExecutor(8) as pool:
            keys = {started.result() for started in [pool.submit(start) for _ in range(8)]}
        assert len(keys) == 1
        assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_invalid_key_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / KEY_FILE
    path.write_text("short")
    with pytest.raises(ValueError, match="hexadecimal"):
        load_or_make_key(path)
    assert path.read_text() == "short"
